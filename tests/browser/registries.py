"""The registries of a small town: each state of a grant and of a DID that pages show."""

from __future__ import annotations

import json

from tests.world import World, key

from hansa.contracts import accounts, governance
from hansa.contracts.actions import Action
from hansa.contracts.identity import accreditation, did, documents, schemas, status
from hansa.contracts.identity.accreditation import NETWORK, Reason
from hansa.contracts.proposals import LastNumber
from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose
from hansa.kernel.block import decode_receipt

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
OFFICE = "regulator"
"""Who publishes types and stands at the top of chains, as `key` calls it."""
CREDENTIAL_TYPES = ("resident", "business-licence", "training-certificate")
NUMBER_OF_ISSUERS = 60
"""Of training certificates: more than a page has."""
SCHEMA = {
    "type": "object",
    "properties": {"given_name": {"type": "string"}, "is_over_18": {"type": "boolean"}},
    "required": ["given_name"],
}
DISPLAY = [
    {"name": "居民證", "locale": "zh-Hant"},
    {"name": "Resident <b>card</b>", "locale": "en", "background_color": "#0f5f7a"},
]


def propose_accreditation(world: World, names: tuple[str, ...]) -> tuple[int, ...]:
    """Have the network vote on the office's accreditation; returns the proposals' numbers."""
    numbers = []
    for name in CREDENTIAL_TYPES:
        terms = (3, 0, world.time_ms + 1_000 * DAY_MS)
        command = accreditation.Accredit(NETWORK, key(OFFICE).address, name, *terms)
        bank = key("officer0").address
        do(
            world,
            ("officer0", "officer1"),
            governance.Propose(bank, Action.of("accredit", command)),
        )
        last = world.chain.machine.state.load(LastNumber, LastNumber.key())
        numbers.append(last.number)
        for voter in names:
            do(world, voter, governance.Vote(last.number, key(voter).address, approve=True))
    return tuple(numbers)


def play_registries(world: World, proposals: tuple[int, ...]) -> None:
    """Publish types, accredit issuers, and do to some what can be done to them."""
    office = key(OFFICE).address
    for name in CREDENTIAL_TYPES:
        texts = (json.dumps(SCHEMA), json.dumps(DISPLAY if name == "resident" else []))
        do(world, OFFICE, schemas.Publish(office, name, 1, *texts))
    do(
        world,
        OFFICE,
        schemas.Publish(office, "resident", 2, json.dumps(SCHEMA), json.dumps(DISPLAY)),
    )
    do(world, OFFICE, schemas.Retire(office, "resident", 1))
    for number in proposals:
        do(world, "harbour", governance.Execute(number))
    until_ms = world.time_ms + 700 * DAY_MS
    _grant(world, OFFICE, "civic", "resident", 1, until_ms)
    _grant(world, "civic", "branch", "resident", 0, until_ms)
    _grant(world, OFFICE, "licences", "business-licence", 0, until_ms)
    _grant(world, OFFICE, "academy", "training-certificate", 1, until_ms)
    for number in range(NUMBER_OF_ISSUERS):
        _grant(world, "academy", f"school{number}", "training-certificate", 0, until_ms)
    _judge(world, accreditation.Suspend, "licences", "business-licence", Reason.BREACH)
    _judge(world, accreditation.Reinstate, "licences", "business-licence", Reason.CLEARED)
    _judge(world, accreditation.Suspend, "licences", "business-licence", Reason.KEY_COMPROMISE)
    for number, name in enumerate(("civic", "licences")):
        do(world, name, status.CreateList(key(name).address, number, status.Bits.TWO, 20_000))
    do(world, "civic", status.Revoke(key("civic").address, 0, (3, 9_000)))
    _play_documents(world)


def do(world: World, names: str | tuple[str, ...], *commands) -> None:
    """Do what must not be refused, a moment later."""
    world.time_ms += 120
    signers = (names,) if isinstance(names, str) else names
    signed = world.sign([key(name) for name in signers], *commands)
    (receipt,) = world.apply(world.batch(signed, sponsor="harbour")).receipts
    assert decode_receipt(receipt).code == ""


def _grant(world, granter, issuer, name, levels, until_ms):
    parties = (key(granter).address, key(issuer).address)
    do(world, granter, accreditation.Accredit(*parties, name, levels, 0, until_ms))


def _judge(world, kind, issuer, name, reason):
    parties = (key(OFFICE).address, key(issuer).address)
    do(world, OFFICE, kind(*parties, name, reason, bytes(31) + b"\x01"))


def _play_documents(world: World) -> None:
    civic, friend = key("civic").address, key("branch").address
    delegate = documents.Delegate(friend, 2, world.time_ms + 400 * DAY_MS)
    pair = key("civic")
    own = documents.KeyBytes(pair.suite, pair.public_key)
    do(world, "civic", did.Create(civic, documents.Content(delegates=(delegate,)), (own,)))
    do(world, "branch", did.Create(friend, documents.EMPTY, (_publish("branch"),)))
    world.time_ms += HOUR_MS
    desk = documents.Service("desk", "LinkedDomains", "https://civic.example/desk")
    alias = "https://civic.example"
    served = documents.Content((), (desk,), (delegate,), (alias,))
    do(world, "civic", did.Update(civic, 1, served, ()))
    keys = (
        AccountKey(civic, int(ALL_PURPOSES)),
        AccountKey(key("civic desk").address, int(Purpose.ASSERT)),
    )
    do(world, ("civic", "civic desk"), accounts.Create(civic, keys, 1))
    guardians = tuple(key(name).address for name in ("harbour", "river", "island"))
    do(world, "civic", accounts.SetGuardians(civic, guardians, 2, DAY_MS))
    world.time_ms += HOUR_MS
    fresh = (AccountKey(key("civic new").address, int(ALL_PURPOSES)),)
    signers = ("harbour", "river", "civic new")
    do(world, signers, accounts.BeginRecovery(civic, fresh, 1))
    old = key("academy").address
    do(world, "academy", did.Create(old, documents.EMPTY, (_publish("academy"),)))
    do(world, "academy", did.Deactivate(old))


def _publish(name: str) -> documents.KeyBytes:
    pair = key(name)
    return documents.KeyBytes(pair.suite, pair.public_key)
