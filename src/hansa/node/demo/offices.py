"""The demo's identity office: who issues credentials, and how they raise wallets.

Two days before the town's day the identity office and the training centre publish who they are and
which types of credentials there are; the council accredits the office, and the office the centre.
Residents and merchants are given their papers, and show as little of them to their operators as
raises a wallet. On the day itself somebody tries to raise a second wallet, and a paper is revoked.

Source: docs/concepts/identity.md.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec

from hansa.contracts import wallets
from hansa.contracts.identity import accreditation, did, documents, schemas, status, tiers
from hansa.engine.chain import Chain
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.methods.hansa import write_did
from hansa.identity.sd_jwt.verification import Challenge
from hansa.identity.tiers import (
    Intent,
    compute_lift_end,
    compute_nullifier,
    compute_presentation_hash,
    compute_presentation_nonce,
    read_pairwise_subject,
)
from hansa.identity.verifier.ledger import LedgerRegistry
from hansa.identity.verifier.registry import INVALID
from hansa.kernel.calendar import MINUTE_MS
from hansa.kernel.contract import Command
from hansa.kernel.machine.state import Reader
from hansa.node.demo.council import ACCREDITED_MS, CARRIED_OUT_MS, FIRST_MEETING_MS
from hansa.node.demo.papers import (
    CERTIFICATE,
    LICENCE,
    LIST_LENGTH,
    LIST_NUMBER,
    RESIDENT,
    Desk,
    Held,
    examine,
    load_key,
    read_type,
)
from hansa.node.demo.residents import Resident, draw_residents
from hansa.node.demo.town import (
    CENTRE,
    OFFICE,
    OPENED_MS,
    OPERATORS,
    Act,
    Stage,
    Town,
    derive_key,
    derive_seed,
    place_operator,
)

FOUNDED_MS = FIRST_MEETING_MS + 30 * MINUTE_MS
"""How long before the day the offices publish who they are."""
CENTRE_ACCREDITED_MS = CARRIED_OUT_MS - 30 * MINUTE_MS
RAISED_MS = OPENED_MS - 30 * MINUTE_MS
SHOWING_MS = 5 * MINUTE_MS
"""How long somebody has to show a paper."""

Methods = Mapping[int, tuple[documents.Method, ...]]
NO_METHODS: Methods = MappingProxyType({})


@dataclass(slots=True)
class IdentityReport:
    """What came of the town's credentials."""

    issued: Counter[str] = field(default_factory=Counter)
    """Credentials by type."""
    raised: Counter[str] = field(default_factory=Counter)
    """Wallets by category."""
    not_raised: int = 0
    """Of people who are too young for the category that they wanted."""
    lowered: int = 0
    checked: list[dict[str, Any]] = field(default_factory=list)
    """What an employer found of each kind of certificate."""

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints."""
        return {
            "issued": dict(sorted(self.issued.items())),
            "raised": dict(sorted(self.raised.items())),
            "not_raised": self.not_raised,
            "lowered": self.lowered,
            "checked": self.checked,
        }


class Offices:
    """The identity office, the training centre, and those who hold and show their papers."""

    def __init__(
        self,
        town: Town,
        chain: Chain,
        clock_ms: Callable[[], int],
        methods: Methods,
    ) -> None:
        """`methods` are further keys in DID documents, by the places of their subjects."""
        self._town = town
        self._methods = methods
        self._clock_ms = clock_ms
        self._network = chain.network
        network = chain.network.genesis.network
        self.registry = LedgerRegistry(Reader(chain.machine.state), network, clock_ms)
        self.office = self._open_desk(network, OFFICE)
        self.centre = self._open_desk(network, CENTRE)
        self.report = IdentityReport()
        self._day_ms = clock_ms()
        self.residents: list[Resident] = []
        self._held: list[tuple[Resident, Held]] = []

    def stages(self) -> Iterator[Stage]:
        """Yield the stages, earliest first."""
        yield Stage("an identity office opens, and a training centre", self._found(), FOUNDED_MS)
        accredit = "the identity office accredits the training centre"
        yield Stage(accredit, self._accredit(), CENTRE_ACCREDITED_MS)
        papers = "residents and merchants show credentials, wallets rise"
        yield Stage(papers, before_ms=RAISED_MS, prepare=self._raise)
        yield Stage("somebody would raise a second wallet", prepare=self._raise_again)
        yield Stage("the office revokes a credential", prepare=self._revoke)
        yield Stage("her operator looks again, and lowers her wallet", prepare=self._lower)

    def open_key(self, name: object) -> PrivateKey:
        """Make the key by which somebody signs credentials."""
        return load_key(derive_seed(self._town.seed, "desk", name))

    def _open_desk(self, network: str, place: int) -> Desk:
        address = self._town.institutions[place].address
        return Desk(network, address, self.open_key(place), secrets.token_bytes)

    def _found(self) -> list[Act]:
        """Publish the offices' documents and the types, and begin their status lists."""
        office, centre = self.office, self.centre
        bits = status.Bits.TWO
        opening = [
            status.CreateList(each.address, LIST_NUMBER, bits, LIST_LENGTH)
            for each in (office, centre)
        ]
        published = [_publish(office.address, name) for name in (RESIDENT, LICENCE, CERTIFICATE)]
        further = self._methods
        return [
            self._create(OFFICE, office.describe(*further.get(OFFICE, ())), opening[0], *published),
            self._create(CENTRE, centre.describe(), opening[1]),
            *(
                self._create(place, documents.Content(methods=further.get(place, ())))
                for place in OPERATORS
            ),
        ]

    def _create(self, place: int, content: documents.Content, *commands: Command) -> Act:
        """Have an institution publish who it is, and do more."""
        account = self._town.institutions[place]
        keys = (documents.KeyBytes(account.suite, account.public_key),)
        creation = did.Create(account.address, content, keys)
        return Act((account,), (creation, *commands), place)

    def _accredit(self) -> list[Act]:
        until_ms = self._day_ms + ACCREDITED_MS
        grant = accreditation.Accredit(
            self.office.address, self.centre.address, CERTIFICATE, 0, 0, until_ms
        )
        return [Act((self._town.institutions[OFFICE],), (grant,), OFFICE)]

    async def _raise(self) -> list[Act]:
        """Issue everybody's paper, and have those show it who want more than category IV."""
        day = datetime.fromtimestamp(self._day_ms / 1_000, UTC).date()
        acts: list[Act] = []
        for resident in draw_residents(self._town, day):
            self.residents.append(resident)
            held = self.office.issue(resident.paper, self._clock_ms())
            self.report.issued[resident.type] += 1
            if resident.wanted is wallets.Category.IV:
                continue
            command = await self._show(resident, held, resident.wallet.address)
            if command is None:
                self.report.not_raised += 1
                continue
            self.report.raised[resident.wanted.name] += 1
            self._held.append((resident, held))
            acts.append(self._act_of_operator(resident, command))
        return acts

    async def _show(self, resident: Resident, held: Held, wallet: bytes) -> tiers.Raise | None:
        """Show a paper to the operator of a wallet, which looks at it; None if it will not do."""
        genesis_hash, digest = self._network.genesis_hash, self._network.digest
        time_ms = self._clock_ms()
        until_ms = time_ms + SHOWING_MS
        operator = self._town.institutions[place_operator(resident.wallet)].address
        intent = Intent(wallet, operator, resident.wanted, until_ms)
        nonce = compute_presentation_nonce(genesis_hash, intent, digest)
        audience = f"decentralized_identifier:{write_did(self.office.network, operator)}"
        challenge = Challenge(audience, nonce)
        shown = held.show(resident.list_paths(operator), challenge, time_ms)
        report = await examine(shown, challenge, resident.type, self.registry, time_ms)
        claims = report.claims[resident.type][0]
        if not report.is_accepted or not claims.get("age_over_18", True):
            return None
        subject = read_pairwise_subject(claims, operator)
        return tiers.Raise(
            wallet,
            operator,
            resident.wanted,
            compute_nullifier(genesis_hash, subject, resident.wanted, digest),
            compute_presentation_hash(genesis_hash, shown, digest),
            until_ms,
            compute_lift_end(claims["exp"] * 1_000, time_ms, tiers.DAYS_MAX),
        )

    async def _raise_again(self) -> list[Act]:
        """Have somebody open another wallet, and show the same paper for it."""
        resident, held = self._held[0]
        second = derive_key(self._town.seed, "second wallet").address
        operator = self._town.institutions[place_operator(resident.wallet)].address
        opening = wallets.Open(second, operator, wallets.Category.IV)
        raising = await self._show(resident, held, second)
        commands = [opening] if raising is None else [opening, raising]
        return [self._act_of_operator(resident, each) for each in commands]

    async def _revoke(self) -> list[Act]:
        """Revoke the paper of somebody who moves away."""
        _, held = self._held[1]
        revoke = status.Revoke(self.office.address, LIST_NUMBER, (held.status.index,))
        return [Act((self._town.institutions[OFFICE],), (revoke,), OFFICE)]

    async def _lower(self) -> list[Act]:
        """Have the operators look again at what has raised wallets."""
        acts: list[Act] = []
        for resident, held in self._held:
            found = await self.registry.get_status(self.office.did, held.status)
            if found.value == INVALID:
                operator = self._town.institutions[place_operator(resident.wallet)].address
                lower = tiers.Lower(resident.wallet.address, operator, tiers.Reason.REVOKED)
                acts.append(self._act_of_operator(resident, lower))
                self.report.lowered += 1
        return acts

    def _act_of_operator(self, resident: Resident, command: Command) -> Act:
        place = place_operator(resident.wallet)
        return Act((self._town.institutions[place],), (command,), place)


def _publish(owner: bytes, name: str) -> schemas.Publish:
    """Publish a type of credentials as its file has it."""
    found = read_type(name)
    schema, display = (msgspec.json.encode(found[each]).decode() for each in ("schema", "display"))
    return schemas.Publish(owner, name, 1, schema, display)
