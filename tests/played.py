"""A data folder in which a small day was played: every way in which money moves, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tests.world import ASSET, MINUTE_MS, World, key, make_genesis, open_world, pay

from hansa.contracts import currency, payments, wallets
from hansa.engine.storage import FileStorage
from hansa.engine.store import StateStore
from hansa.kernel.block import BlockRecord, Header, decode_header
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.genesis import Genesis, Network
from hansa.kernel.trees.merkle import compute_root
from hansa.node.home import Home, create_home
from hansa.sdk.keys import ScryptCost

PASSPHRASE = "played"
CHEAP = ScryptCost(n=2**10, r=8, p=1)
PEOPLE = ("ada", "ben", "cleo", "shop")


@contextmanager
def open_folder(path: Path, genesis: Genesis | None = None) -> Iterator[World]:
    """Open a world whose log and store lie in a data folder, made if it is missing."""
    home = Home(path)
    if not home.exists():
        keys = {"node": key("sealer"), "sponsor": key("north server")}
        create_home(path, genesis or make_genesis(), keys, PASSPHRASE, cost=CHEAP)
    store = StateStore.open(home.store_path)
    world = open_world(FileStorage(home.log_path), home.load_network().genesis, store)
    try:
        yield world
    finally:
        world.chain.close()


def play(world: World) -> None:
    """Issue, open, pay, hold, refund, convert and be refused; some ten blocks."""
    world.fund(*PEOPLE)
    world.time_ms += 2_000
    envelopes = [
        world.sign([key(payer)], pay(payer, payee, 100 + number, f"pay-{number}"))
        for number, (payer, payee) in enumerate(
            (payer, payee) for payer in PEOPLE for payee in PEOPLE if payer != payee
        )
    ]
    world.send(*envelopes, envelopes[0])
    assert world.do("ada", pay("ada", "ben", 10**9, "too much")) != ""
    until = world.time_ms + 10 * MINUTE_MS
    shop = key("shop").address
    for name in ("ada", "ben"):
        hold = payments.Hold(key(name).address, shop, ASSET, 5_000, "hold", until)
        assert world.do(name, hold, pay(name, "cleo", 5, "with the hold")) == ""
    world.time_ms += 2_000
    assert world.do("shop", payments.Post(key("ada").address, "hold", 3_000)) == ""
    assert world.do("shop", payments.Void(key("ben").address, "hold")) == ""
    assert world.do("shop", payments.Refund(key("ada").address, "hold", 500, "back")) == ""
    assert world.do("cleo", payments.CashOut(key("cleo").address, ASSET, 700, "out")) == ""
    operators = (key("north").address, key("south").address)
    assert world.do("north", currency.MoveVault(*operators, ASSET, 300)) == ""
    assert world.do("ben", wallets.SelfFreeze(key("ben").address)) == ""
    assert world.do("ben", pay("ben", "ada", 1, "frozen")) != ""
    world.time_ms += 2_000
    assert world.do("ada", pay("ada", "shop", 42, "last")) == ""


def make_folder(path: Path) -> Home:
    """Make a data folder of a stopped node."""
    with open_folder(path) as world:
        play(world)
    return Home(path)


@dataclass
class Forger:
    """Rewrites a chain so that its hashes and seals are right again.

    Whoever holds the sealer's key could do the same.
    """

    network: Network
    records: list[BlockRecord]

    def change(self, height: int, **fields: object) -> None:
        """Replace fields of a record, and seal from there on anew."""
        self.records[height] = msgspec.structs.replace(self.records[height], **fields)
        self.seal_from(height)

    def change_header(self, place: int, **fields: object) -> None:
        """Replace fields of a header, and seal from there on anew."""
        self.seal_from(place, lambda header: msgspec.structs.replace(header, **fields))

    def change_receipt(self, change: Callable[[list], bool]) -> int:
        """Change the first receipt that `change` says yes to; returns its height."""
        for height, record in enumerate(self.records):
            for index, raw in enumerate(record.receipts):
                fields = msgspec.msgpack.decode(raw)
                if change(fields):
                    receipts = list(record.receipts)
                    receipts[index] = msgspec.msgpack.encode(fields)
                    self.change(height, receipts=tuple(receipts))
                    return height
        raise AssertionError("no receipt was changed")

    def seal_from(
        self, height: int, change: Callable[[Header], Header] = lambda header: header
    ) -> None:
        """Bring receipt roots, hashes and seals up to the receipts."""
        network, sealer = self.network, key("sealer")
        for at in range(height, len(self.records)):
            record = self.records[at]
            previous = ZERO_HASH
            if at:
                previous = network.digest(network.header_prefix + self.records[at - 1].header)
            header = msgspec.structs.replace(
                decode_header(record.header),
                previous_hash=previous,
                receipt_root=compute_root(record.receipts, network.digest),
            )
            if at == height:
                header = change(header)
            raw = header.encoded()
            seal = (1, sealer.public_key, sealer.sign(network.header_prefix + raw))
            self.records[at] = msgspec.structs.replace(record, header=raw, signatures=(seal,))
