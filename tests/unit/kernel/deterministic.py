"""Play recorded streams and a small day of money; print what came out, for comparison.

Run as a program by `test_determinism.py`, in fresh processes with other seeds of `hash()`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

from tests.mixed_identity import MixedIdentity
from tests.mixed_reconciliation import MixedReconciliation
from tests.mixed_risk import MixedRisk
from tests.played import play
from tests.unit.kernel.test_vectors import Replay, load, network_of
from tests.world import ASSET, MINUTE_MS, World, key, make_genesis, open_world, pay

from hansa.contracts import accounts, currency, governance
from hansa.contracts.actions import Action, AdmitMember, SetPolicy
from hansa.contracts.identity import accreditation, schemas
from hansa.contracts.members import Role
from hansa.engine.storage import FileStorage
from hansa.kernel.authority import ALL_PURPOSES, AccountKey

DAY_MS = 86_400_000


def write(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")


def play_streams() -> None:
    for name in ("sha256", "sm3"):
        stream = load(f"streams/{name}.json")
        replay = Replay(network_of(stream))
        for block in stream["blocks"]:
            result = replay.execute(block["input"])
            write(result.header.encoded().hex(), *[raw.hex() for raw in result.receipts])


def govern(world: World) -> None:
    """Proposals of several classes, and an account of many keys and guardians."""
    officers, bank, ada = ("officer0", "officer1"), key("officer0").address, key("ada").address
    soon = world.time_ms + 30 * DAY_MS
    north = key("north").address
    terms = (north, "type-0", 1, 0, world.time_ms + 365 * DAY_MS)
    accredit = accreditation.Accredit(accreditation.NETWORK, *terms)
    assert world.do("north", schemas.Publish(north, "type-0", 1, "{}", "[]")) == ""
    acts = [
        ("accredit", accredit),
        ("set_policy", SetPolicy("payments.refund_days", soon, (180,))),
        ("admit_member", AdmitMember(key("guild").address, "Guild", tuple(Role)[2:], 0, (), 1)),
        ("issue", currency.Issue(north, ASSET, 5)),
    ]
    for kind, action in acts:
        assert world.do(officers, governance.Propose(bank, Action.of(kind, action))) == ""
    names = ("ada", "k1", "k2", "k3")
    keys = tuple(AccountKey(key(name).address, int(ALL_PURPOSES)) for name in names)
    assert world.do(names, accounts.Create(ada, keys, 2)) == ""
    guardians = tuple(sorted(key(name).address for name in ("ben", "cleo", "shop")))
    assert world.do(names, accounts.SetGuardians(ada, guardians, 2, 7 * DAY_MS)) == ""
    for number in range(1, len(acts) + 1):
        world.time_ms += 8 * DAY_MS
        world.do(("north", "guild"), governance.Execute(number))
    world.time_ms += 2_000
    assert world.do(("ada", "k2"), pay("ada", "shop", 1, "by two keys")) == ""


def send_mixed(world: World, mixed: MixedIdentity | MixedReconciliation | MixedRisk) -> set[str]:
    """Send mixed commands; returns the contracts whose events came."""
    told = set()
    for _ in range(8):
        chosen = [mixed.choose(world.time_ms) for _ in range(50)]
        signed = [world.sign([key(name) for name in names], call) for names, call in chosen]
        told |= {event[0] for receipt in world.send(*signed) for event in receipt.events}
        world.time_ms += MINUTE_MS
    return told


def identify(world: World) -> None:
    """Commands of the contracts of identity, some of each refused."""
    told = send_mixed(world, MixedIdentity(Random(5)))
    identity = {"identity", "schemas", "accreditation", "status", "evidence", "consent", "tiers"}
    assert told == {*identity, "wallets"}


def reconcile(world: World) -> None:
    """Commands of the contracts of reconciliation, some of each refused."""
    told = send_mixed(world, MixedReconciliation(Random(5)))
    assert told == {"agreements", "reconciliation", "cases", "positions"}


def control(world: World) -> None:
    """Commands of the contract of risk, some of each refused."""
    assert send_mixed(world, MixedRisk(Random(5))) == {"accounts", "risk"}


def play_world(folder: Path) -> None:
    world = open_world(FileStorage(folder), make_genesis())
    play(world)
    govern(world)
    identify(world)
    reconcile(world)
    control(world)
    for record in world.chain.iterate_records(0):
        write(record.header.hex(), *[raw.hex() for raw in record.receipts])
    for item, value in world.chain.iterate_rows(b""):
        write(item.hex(), value.hex())
    world.chain.close()


if __name__ == "__main__":
    play_streams()
    with tempfile.TemporaryDirectory() as folder:
        play_world(Path(folder))
