"""A world in which a little of each contract of identity was done."""

from __future__ import annotations

from tests.world import MINUTE_MS, World, key

from hansa.contracts import accounts, governance
from hansa.contracts.actions import Action
from hansa.contracts.identity import (
    accreditation,
    consent,
    did,
    documents,
    evidence,
    schemas,
    status,
)
from hansa.kernel.authority import ALL_PURPOSES, AccountKey, Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import Command
from hansa.kernel.crypto.hashing import crypto_profile

NORTH, SOUTH, ISSUER, HOLDER = (
    key(name).address for name in ("north", "south", "issuer", "holder")
)
LIST = (ISSUER, 7)
PAPER, ROOT, TERMS, NARROWER = (bytes([number]) * 32 for number in range(4))
DIGEST = crypto_profile("sha256").digest
GIVEN = consent.compute_id(HOLDER, TERMS, DIGEST)
HANDED_ON = consent.compute_id(NORTH, NARROWER, DIGEST)
SERVICE = documents.Service("desk", "LinkedDomains", "https://issuer.example")


def publish_key(name: str) -> documents.KeyBytes:
    """The public key behind an address."""
    pair = key(name)
    return documents.KeyBytes(pair.suite, pair.public_key)


def do(world: World, names: str | tuple[str, ...], *commands: Command) -> None:
    """Do what must not be refused."""
    assert world.do(names, *commands) == ""


def play_identity(world: World) -> int:
    """Do a little of each; returns a time between the first and the second DID document."""
    terms = (0, world.time_ms + 3_000 * DAY_MS)
    content = documents.Content(delegates=(documents.Delegate(HOLDER, 2, terms[1]),))
    do(world, "issuer", did.Create(ISSUER, content, (publish_key("issuer"),)))
    do(world, "holder", did.Create(HOLDER, documents.EMPTY, (publish_key("holder"),)))
    world.time_ms += 5_000
    between_ms = world.time_ms
    world.time_ms += 5_000
    served = documents.Content((), (SERVICE,), content.delegates, ("https://issuer.example",))
    do(world, "issuer", did.Update(ISSUER, 1, served, ()))
    keys = (
        AccountKey(ISSUER, int(ALL_PURPOSES)),
        AccountKey(key("desk").address, int(Purpose.ASSERT)),
    )
    do(world, ("issuer", "desk"), accounts.Create(ISSUER, keys, 1))
    do(world, "anybody", did.PublishKeys((publish_key("desk"),)))
    do(world, "north", schemas.Publish(NORTH, "resident", 1, '{"type": "object"}', "[]"))
    do(world, "north", schemas.Publish(NORTH, "resident", 2, '{"type": "object"}', "[]"))
    do(world, "north", schemas.Retire(NORTH, "resident", 1))
    network = accreditation.Accredit(accreditation.NETWORK, NORTH, "resident", 1, *terms)
    proposal = governance.Propose(key("officer0").address, Action.of("accredit", network))
    do(world, ("officer0", "officer1"), proposal)
    world.time_ms += 8 * DAY_MS
    do(world, "anybody", governance.Execute(1))
    do(world, "north", accreditation.Accredit(NORTH, ISSUER, "resident", 0, *terms))
    do(world, "issuer", status.CreateList(*LIST, status.Bits.TWO, 20_000))
    do(world, "issuer", status.Revoke(*LIST, (3, 9_000)), status.Suspend(*LIST, (5,)))
    do(world, "north", evidence.Notarise(NORTH, PAPER, 0, (SOUTH,)))
    do(world, "south", evidence.Cosign(NORTH, PAPER, SOUTH))
    do(world, "south", evidence.AddNote(NORTH, PAPER, SOUTH, ROOT))
    do(world, "north", evidence.Notarise(NORTH, ROOT, 12, ()), evidence.Revoke(NORTH, ROOT))
    until_ms = world.time_ms + 3_600 * DAY_MS
    do(world, "holder", consent.Give(HOLDER, NORTH, TERMS, 0, until_ms, 5, 1))
    do(world, "north", consent.Delegate(GIVEN, SOUTH, NARROWER, 0, until_ms, 2, 0))
    world.time_ms += MINUTE_MS
    do(world, "anybody", did.PublishKeys((publish_key("north"),)))  # a checkpoint with all of it
    return between_ms
