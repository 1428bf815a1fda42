"""Issuances: who is to get which credentials with which claims, as the issuer's desk decides.

An issuance begins with an offer. Its datasets are ready at once, or completed later by an officer
(the wallet waits and asks again), or declined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.configurations import IssuerSettings
from hansa.identity.issuer.offers import TX_CODE_DIGITS, Offer, build_offer, write_offer
from hansa.identity.store import Kind, Store, decode, hash_key
from hansa.kernel.errors import NotFound

SECRET_BYTES = 32
DATASETS_MAX = 16


class Dataset(msgspec.Struct, frozen=True):
    """One credential of an issuance."""

    identifier: str
    configuration_id: str
    claims: dict[str, Any] | None
    """None while an officer has not completed them."""
    declined: str = ""
    """Why there will be none."""
    issued: int = 0
    """How often it was handed out: more than once where an answer was lost."""

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has decided yet what it says, or that there will be none."""
        return self.claims is None and not self.declined


class Issuance(msgspec.Struct, frozen=True):
    """What one person is to get."""

    id: str
    datasets: tuple[Dataset, ...]
    expires_ms: int
    events: tuple[str, ...] = ()
    """What wallets said of the credentials, oldest first."""

    def find(self, identifier: str) -> Dataset | None:
        """Find a dataset by its identifier."""
        return next((each for each in self.datasets if each.identifier == identifier), None)


class PreAuthorized(msgspec.Struct, frozen=True):
    """A pre-authorised code that was handed out."""

    issuance_id: str
    tx_code_hash: str
    """Empty if no transaction code is asked for."""
    tries_left: int
    expires_ms: int


class Offered(NamedTuple):
    """A new offer."""

    issuance_id: str
    offer: Offer
    offer_id: str
    """Under which the offer can be fetched."""
    tx_code: str
    """To be told to the person by another way; empty if none is asked for."""


class IssuanceDesk:
    """Begins, completes and declines issuances."""

    TRIES = 3
    """Wrong transaction codes after which an offer is void."""

    def __init__(
        self, settings: IssuerSettings, store: Store, draw: Callable[[int], bytes]
    ) -> None:
        self._settings = settings
        self._store = store
        self._draw = draw

    def offer(
        self,
        wanted: Sequence[tuple[str, dict[str, Any] | None]],
        time_ms: int,
        *,
        needs_tx_code: bool,
    ) -> Offered:
        """Offer credentials: pairs of a configuration's id and its claims, or None for later.

        With a transaction code the offer is good for the flow with an authorisation page, too:
        there the person enters it.

        Raises:
          NotFound: the issuer has no such credential.
          Unsound: `TOO_LARGE`: more than `DATASETS_MAX`, or `MALFORMED`: none.
        """
        if not 0 < len(wanted) <= DATASETS_MAX:
            fault = Fault.TOO_LARGE if wanted else Fault.MALFORMED
            raise Unsound(fault, f"an offer holds 1 to {DATASETS_MAX} credentials")
        for configuration_id, _ in wanted:
            if self._settings.find(configuration_id) is None:
                raise NotFound(f"this issuer has no credential {configuration_id!r}")
        issuance_id, offer_id, code = (self.draw_secret() for _ in range(3))
        datasets = tuple(
            Dataset(f"{issuance_id}.{number}", configuration_id, claims)
            for number, (configuration_id, claims) in enumerate(wanted)
        )
        rules = self._settings.rules
        until_ms = time_ms + rules.code_ms
        tx_code = self._draw_digits() if needs_tx_code else ""
        ids = tuple(dict.fromkeys(each.configuration_id for each in datasets))
        offer = build_offer(
            self._settings.url,
            ids,
            code,
            needs_tx_code=needs_tx_code,
            has_page=needs_tx_code and bool(self._settings.clients),
        )
        self._keep(Issuance(issuance_id, datasets, until_ms + rules.deferred_ms))
        tx_code_hash = hash_key(f"{code} {tx_code}") if tx_code else ""
        authorized = PreAuthorized(issuance_id, tx_code_hash, self.TRIES, until_ms)
        self._store.put(
            Kind.PRE_AUTHORIZED, hash_key(code), msgspec.json.encode(authorized), until_ms
        )
        raw = msgspec.json.encode(write_offer(offer))
        self._store.put(Kind.OFFER, hash_key(offer_id), raw, until_ms)
        return Offered(issuance_id, offer, offer_id, tx_code)

    def get_offer(self, offer_id: str, time_ms: int) -> bytes:
        """Get the JSON of an offer that a QR code leads to.

        Raises:
          NotFound: there is none, or its time is over.
        """
        raw = self._store.get(Kind.OFFER, hash_key(offer_id), time_ms)
        if raw is None:
            raise NotFound("there is no such offer, or its time is over: ask for a new one")
        return raw

    def get(self, issuance_id: str, time_ms: int) -> Issuance:
        """Get an issuance.

        Raises:
          NotFound: there is none, or its time is over.
        """
        found = decode(self._store.get(Kind.ISSUANCE, issuance_id, time_ms), Issuance)
        if found is None:
            raise NotFound("there is no such issuance, or its time is over")
        return found

    def list_waiting(self, time_ms: int, limit: int) -> list[tuple[Issuance, Dataset]]:
        """List what waits for a decision, each with its issuance: the latest offer first."""
        found = self._store.list_values(Kind.ISSUANCE, time_ms, limit)
        issuances = [msgspec.json.decode(raw, type=Issuance) for raw in found]
        return [
            (issuance, each)
            for issuance in issuances
            for each in issuance.datasets
            if each.is_waiting
        ]

    def complete(self, identifier: str, claims: dict[str, Any], time_ms: int) -> None:
        """Complete the claims of a credential that a wallet may be waiting for.

        Raises:
          NotFound: there is no such dataset, or it is complete or declined already.
        """
        self._change(identifier, time_ms, claims=claims)

    def decline(self, identifier: str, why: str, time_ms: int) -> None:
        """Say that there will be no credential, and why.

        Raises:
          NotFound: there is no such dataset, or it is complete or declined already.
        """
        self._change(identifier, time_ms, declined=why or "declined by the issuer")

    def withdraw(self, identifier: str, why: str, time_ms: int) -> None:
        """Hand out no more of a credential that is complete, as it was taken back; again if not.

        Args:
          identifier: of the dataset; of one whose time is over nothing is handed out anyway.
          why: it is withdrawn; empty if it is not any more.
          time_ms: now.
        """
        try:
            issuance = self.get(identifier.rpartition(".")[0], time_ms)
        except NotFound:
            return
        dataset = issuance.find(identifier)
        if dataset is not None and dataset.claims is not None:
            self._replace(issuance, dataset, declined=why)

    def count_issue(self, identifier: str, time_ms: int) -> bool:
        """Count that a credential is handed out; False if it was so often enough."""
        issuance = self.get(identifier.rpartition(".")[0], time_ms)
        dataset = issuance.find(identifier)
        if dataset is None or dataset.issued >= self._settings.rules.issues_max:
            return False
        self._replace(issuance, dataset, issued=dataset.issued + 1)
        return True

    def note(self, issuance_id: str, event: str, time_ms: int) -> None:
        """Note what a wallet said of a credential, the same only once in a row."""
        issuance = self.get(issuance_id, time_ms)
        if event not in issuance.events[-1:]:
            events = (*issuance.events, event)[-DATASETS_MAX:]
            self._keep(msgspec.structs.replace(issuance, events=events))

    def draw(self, length: int) -> bytes:
        """Draw bytes."""
        return self._draw(length)

    def draw_secret(self) -> str:
        """Draw a text that nobody guesses, and that no command takes for an option."""
        while (text := encode_base64url(self._draw(SECRET_BYTES))).startswith("-"):
            continue
        return text

    def _draw_digits(self) -> str:
        """Draw a transaction code; the modulus shifts each digit's chance by under 2 to the -40."""
        number = int.from_bytes(self._draw(8), "big") % 10**TX_CODE_DIGITS
        return str(number).zfill(TX_CODE_DIGITS)

    def _change(self, identifier: str, time_ms: int, **changes: object) -> None:
        issuance = self.get(identifier.rpartition(".")[0], time_ms)
        dataset = issuance.find(identifier)
        if dataset is None or not dataset.is_waiting:
            raise NotFound("there is no such credential that waits for a decision")
        self._replace(issuance, dataset, **changes)

    def _replace(self, issuance: Issuance, dataset: Dataset, **changes: object) -> None:
        after = tuple(
            msgspec.structs.replace(each, **changes) if each is dataset else each
            for each in issuance.datasets
        )
        self._keep(msgspec.structs.replace(issuance, datasets=after))

    def _keep(self, issuance: Issuance) -> None:
        raw = msgspec.json.encode(issuance)
        self._store.put(Kind.ISSUANCE, issuance.id, raw, issuance.expires_ms)
