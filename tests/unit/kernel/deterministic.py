"""Play recorded streams and a small day of money; print what came out, for comparison.

Run as a program by `test_determinism.py`, in fresh processes with other seeds of `hash()`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.played import play
from tests.unit.kernel.test_vectors import Replay, load, network_of
from tests.world import ASSET, World, key, make_genesis, open_world, pay

from hansa.contracts import accounts, currency, governance
from hansa.contracts.actions import Action, AdmitMember, SetPolicy
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
    acts = [
        ("set_policy", SetPolicy("payments.refund_days", soon, (180,))),
        ("admit_member", AdmitMember(key("guild").address, "Guild", tuple(Role)[2:], 0, (), 1)),
        ("issue", currency.Issue(key("north").address, ASSET, 5)),
    ]
    for kind, action in acts:
        assert world.do(officers, governance.Propose(bank, Action.of(kind, action))) == ""
    names = ("ada", "k1", "k2", "k3")
    keys = tuple(AccountKey(key(name).address, int(ALL_PURPOSES)) for name in names)
    assert world.do(names, accounts.Create(ada, keys, 2)) == ""
    guardians = tuple(sorted(key(name).address for name in ("ben", "cleo", "shop")))
    assert world.do(names, accounts.SetGuardians(ada, guardians, 2, 7 * DAY_MS)) == ""
    for number in range(1, 4):
        world.time_ms += 8 * DAY_MS
        world.do(("north", "guild"), governance.Execute(number))
    world.time_ms += 2_000
    assert world.do(("ada", "k2"), pay("ada", "shop", 1, "by two keys")) == ""


def play_world(folder: Path) -> None:
    world = open_world(FileStorage(folder), make_genesis())
    play(world)
    govern(world)
    for record in world.chain.iterate_records(0):
        write(record.header.hex(), *[raw.hex() for raw in record.receipts])
    for item, value in world.chain.iterate_rows(b""):
        write(item.hex(), value.hex())
    world.chain.close()


if __name__ == "__main__":
    play_streams()
    with tempfile.TemporaryDirectory() as folder:
        play_world(Path(folder))
