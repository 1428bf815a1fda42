"""Receiving credentials: from an offer to what is kept, so that nothing is lost on the way.

What an issuer owes is noted before it is asked for, with the keys to which it will be bound: a
wallet that is ended in between asks again (`fetch_waiting`).

Source: OpenID4VCI 1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from hansa.identity.faults import Fault, Unsound
from hansa.identity.issuer.offers import Offer, read_offer_uri
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, generate_private_key
from hansa.identity.wallet.holdings import Holding, Origin, take_credential
from hansa.identity.wallet.receiving import (
    KEYS_MAX,
    Access,
    Authorization,
    Instance,
    Received,
    Source,
    begin_authorization,
    discover,
    fetch_deferred,
    fetch_offer,
    finish_authorization,
    notify,
    redeem_offer,
    request_credential,
)
from hansa.kernel.errors import HansaError
from hansa.node.identity.holder.carrying import Carrier
from hansa.node.identity.holder.vault import Kept, Vault, Waiting

ID_BYTES = 4
ACCEPTED, DELETED, FAILED = "credential_accepted", "credential_deleted", "credential_failure"


class Client(NamedTuple):
    """Who the wallet is to issuers that send a person to their page."""

    client_id: str = ""
    redirect_uri: str = ""


class Begun(NamedTuple):
    """An offer about which the person decides on the issuer's page."""

    offer: Offer
    source: Source
    instance: Instance
    authorization: Authorization


class Arrival(NamedTuple):
    """What came of one credential that was owed."""

    waiting: Waiting
    received: Received
    holdings: tuple[Holding, ...]
    """Its copies; none while it is not ready."""


class Receiver:
    """Receives into one wallet."""

    def __init__(self, vault: Vault, carrier: Carrier) -> None:
        self._vault = vault
        self._carrier = carrier

    def read_offer(self, uri: str) -> tuple[Offer, Source]:
        """Read an offer, and find out about its issuer.

        Raises:
          Unsound: it is none, or the issuer is not the one it says.
          Unavailable: the issuer does not answer.
        """
        found = read_offer_uri(uri)
        offer = found if isinstance(found, Offer) else self._carrier.carry(fetch_offer(found))
        is_near = self._carrier.rules.may_ask_loopback
        return offer, self._carrier.carry(discover(offer, may_be_near=is_near))

    def redeem(self, offer: Offer, source: Source, tx_code: str, copies: int) -> list[Waiting]:
        """Redeem an offer with its code; returns what the issuer owes for it, which is noted.

        Raises:
          Unsound: the issuer declines.
        """
        instance = self._build_instance(self._make_key(), Client())
        access = self._carrier.carry(redeem_offer(source, offer, tx_code, instance))
        return self._note(offer, source, access, instance, copies)

    def authorize(
        self,
        offer: Offer,
        source: Source,
        client: Client,
        open_page: Callable[[str], str],
        copies: int,
    ) -> list[Waiting]:
        """Let the person decide on the issuer's page; returns what the issuer owes.

        Args:
          offer: what is asked for.
          source: who offers it.
          client: who the wallet is there.
          open_page: is given the address to open; returns the address to which it led back.
          copies: of each credential, at most.

        Raises:
          Unsound: the person or the issuer declines.
        """
        begun = self.begin(offer, source, client)
        return self.finish(begun, open_page(begun.authorization.url), copies)

    def begin(self, offer: Offer, source: Source, client: Client) -> Begun:
        """Begin what the person decides on the issuer's page; raises as `authorize`."""
        instance = self._build_instance(self._make_key(), client)
        authorization = self._carrier.carry(begin_authorization(source, offer, instance))
        return Begun(offer, source, instance, authorization)

    def finish(self, begun: Begun, returned: str, copies: int) -> list[Waiting]:
        """Go on with the address to which that page led back; raises as `authorize`."""
        offer, source, instance, authorization = begun
        conversation = finish_authorization(source, authorization, returned, instance)
        return self._note(offer, source, self._carrier.carry(conversation), instance, copies)

    def fetch(self, waiting: Waiting) -> Arrival:
        """Ask for what is owed. What comes is kept only by `keep`.

        Raises:
          Unsound: the issuer declines, or sends what this wallet cannot keep.
          Unavailable: it does not answer.
        """
        source = Source(waiting.issuer, waiting.server)
        instance = self._build_instance(waiting.dpop, Client(waiting.client_id))
        if waiting.transaction_id:
            asked = Received(waiting.configuration_id, transaction_id=waiting.transaction_id)
            conversation = fetch_deferred(source, waiting.access, asked, instance)
        else:
            conversation = request_credential(
                source, waiting.access, waiting.configuration_id, waiting.keys, instance
            )
        received = self._carrier.carry(conversation)
        if received.transaction_id:
            waiting = msgspec.structs.replace(waiting, transaction_id=received.transaction_id)
            self._replace(waiting)
            return Arrival(waiting, received, ())
        try:
            return Arrival(waiting, received, tuple(self._take(waiting, received)))
        except Unsound:
            self._tell(waiting, received, FAILED)
            raise

    def keep(self, arrival: Arrival) -> list[Kept]:
        """Keep what came, and tell the issuer."""
        contents = self._vault.contents
        keys = {key.public_key: key for key in arrival.waiting.keys}
        kept = [
            Kept(each, arrival.waiting.id, keys[each.key] if each.key is not None else None)
            for each in arrival.holdings
        ]
        others = tuple(each for each in contents.waiting if each.id != arrival.waiting.id)
        self._vault.change(kept=(*contents.kept, *kept), waiting=others)
        self._tell(arrival.waiting, arrival.received, ACCEPTED)
        return kept

    def refuse(self, arrival: Arrival) -> None:
        """Forget what came, and tell the issuer."""
        self.forget(arrival.waiting.id)
        self._tell(arrival.waiting, arrival.received, DELETED)

    def forget(self, waiting_id: str) -> None:
        """Wait no more."""
        others = tuple(each for each in self._vault.contents.waiting if each.id != waiting_id)
        self._vault.change(waiting=others)

    def _take(self, waiting: Waiting, received: Received) -> Iterator[Holding]:
        supported = waiting.issuer.credential_configurations_supported
        configuration = supported[waiting.configuration_id]
        form = str(configuration.get("format"))
        display = _read_display(configuration)
        for number, credential in enumerate(received.credentials):
            yield take_credential(
                form,
                credential,
                holding_id=f"{waiting.id}.{number}",
                origin=Origin(waiting.issuer.credential_issuer, self._carrier.now_ms(), display),
                keys={key.public_key: key for key in waiting.keys},
            )

    def _note(
        self, offer: Offer, source: Source, access: Access, instance: Instance, copies: int
    ) -> list[Waiting]:
        count = max(1, min(copies, source.issuer.batch_credential_issuance.batch_size, KEYS_MAX))
        dpop = instance.dpop
        if not isinstance(dpop, PrivateKey):
            raise Unsound(Fault.KEY, "the key of an access token must be the wallet's own")
        owed = [
            Waiting(
                id=self._carrier.draw(ID_BYTES).hex(),
                issuer=source.issuer,
                server=source.server,
                access=access,
                configuration_id=each,
                keys=tuple(self._make_key() for _ in range(count)),
                dpop=dpop,
                client_id=instance.client_id,
                since_ms=self._carrier.now_ms(),
            )
            for each in offer.credential_configuration_ids
        ]
        self._vault.change(waiting=(*self._vault.contents.waiting, *owed))
        return owed

    def _replace(self, waiting: Waiting) -> None:
        changed = [
            waiting if each.id == waiting.id else each for each in self._vault.contents.waiting
        ]
        self._vault.change(waiting=tuple(changed))

    def _tell(self, waiting: Waiting, received: Received, event: str) -> None:
        """Tell the issuer, if it listens: what was kept is kept also where it does not."""
        source = Source(waiting.issuer, waiting.server)
        instance = self._build_instance(waiting.dpop, Client(waiting.client_id))
        with suppress(HansaError):
            self._carrier.carry(notify(source, waiting.access, received, event, instance))

    def _make_key(self) -> PrivateKey:
        return generate_private_key(KeyKind.P256, self._carrier.draw)

    def _build_instance(self, dpop: PrivateKey, client: Client) -> Instance:
        return Instance(dpop, self._carrier.draw, self._carrier.now_ms, *client)


def _read_display(configuration: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Read how a credential may be shown: OpenID4VCI 1.0 has it one level deeper than before."""
    metadata = configuration.get("credential_metadata")
    holder = metadata if isinstance(metadata, dict) else configuration
    found = holder.get("display")
    return (
        tuple(each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()
    )
