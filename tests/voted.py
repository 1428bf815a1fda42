"""A voted network of several nodes in this process, each with a real CometBFT beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from tests.ports import find_ports
from tests.world import OPERATORS, START_MS, World, key

from hansa.contracts.actions import Action
from hansa.contracts.governance import Execute, Propose, Vote
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.child.binary import find_binary
from hansa.engine.cometbft.configuration import (
    Configuration,
    Validator,
    write_configuration,
    write_genesis,
)
from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.engine.log import SEGMENT_BYTES, BlockLog, BlockReader
from hansa.engine.snapshots.keeping import Keeper, Retention
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore, StateStore, Store
from hansa.engine.verification import InlineVerifier
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import Command
from hansa.kernel.genesis import Genesis, GenesisNode, Network
from hansa.kernel.light.trail import compute_chain_id
from hansa.node.founding import DEFAULT_POLICY, MemberSpec, build_genesis
from hansa.node.network.peers import build_peer_rules

WEIGHT = 10
ALL_KEPT = Retention(snapshot_every=0, snapshots=2, blocks=0)


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class VotedNode:
    """The folder of one node, and what runs in it."""

    home: CometHome
    log_path: Path
    network: Network
    peers: tuple[str, ...]
    retention: Retention = ALL_KEPT
    segment_bytes: int = SEGMENT_BYTES

    def open_chain(self) -> Chain:
        """Open its chain, from its log alone unless it has joined."""
        log = BlockLog.open(FileStorage(self.log_path), segment_bytes=self.segment_bytes)
        genesis = self.network.genesis
        folder = self.log_path.parent / "store"
        store: Store = StateStore.open(folder) if folder.exists() else MemoryStore()
        return Chain.open(log, store, self.network, Registry(genesis), NobodySeals())

    def build_engine(self, kind: type[CometEngine] = CometEngine) -> CometEngine:
        """Build its engine, perhaps a faulty one, over the chain as it lies on disk.

        Whoever stops it closes its `keeper`, too, which reads the store while it makes a snapshot.
        """
        chain = self.open_chain()
        keeper = Keeper(chain, self.open_shelf(), self.open_log, self.retention)
        engine = self._build_engine(chain, keeper, kind)
        engine.listen(keeper.note)
        engine.keeper = keeper
        return engine

    def open_shelf(self) -> Shelf:
        """Open its snapshots."""
        return Shelf(FileStorage(self.log_path.parent / "snapshots"))

    def open_log(self) -> BlockReader:
        """Open its log beside what writes it."""
        return BlockReader.open(FileStorage(self.log_path, read_only=True))

    def _build_engine(self, chain: Chain, keeper: Keeper, kind: type[CometEngine]) -> CometEngine:
        named = {bytes.fromhex(each.partition("@")[0]) for each in self.peers}
        return kind(
            chain,
            InlineVerifier(self.network),
            wall_clock_ms,
            self.home,
            find_binary(),
            build_peer_rules(chain, named),
            peers=self.peers,
            keeper=keeper,
        )


def make_voted_genesis(
    keys: Sequence[tuple[CometKey, CometKey]],
    observers: int = 0,
    policy: Mapping[str, tuple[int, ...]] | None = None,
) -> Genesis:
    """Make a network of a central bank, two operators and departments, one member a key pair.

    The last of them may be observers, without a weight; majorities change members at once.
    """
    names = ["officer0", *OPERATORS, *(f"department{number}" for number in range(len(keys) - 3))]
    voters = len(keys) - observers
    roles = [("central_bank",), *[("operator",)] * len(OPERATORS)]
    members = [
        MemberSpec(
            name,
            roles[number] if number < len(roles) else ("department",),
            (key(name).address,),
            key(f"{name} server").address,
            weight=WEIGHT if number < voters else 0,
        )
        for number, name in enumerate(names)
    ]
    nodes = tuple(
        GenesisNode(
            key(name).address,
            consensus.public_key if number < voters else b"",
            (node.address,),
            b"",
            "",
        )
        for number, (name, (node, consensus)) in enumerate(zip(names, keys, strict=True))
    )
    values = {
        **DEFAULT_POLICY,
        "governance.membership": (2, 3, 0, 7 * DAY_MS),
        **(policy or {}),
    }
    genesis = build_genesis("voted", START_MS, members, sealer=key("sealer"), policy=values)
    return replace(genesis, sealers=(), nodes=nodes)


def decide(world: World, number: int, kind: str, action: Command, *voters: str) -> None:
    """Have the central bank and these members decide on something, and carry it out."""
    steps: list[tuple[str, Command]] = [
        ("officer0", Propose(key("officer0").address, Action.of(kind, action)))
    ]
    steps += [(name, Vote(number, key(name).address, approve=True)) for name in voters]
    for name, step in (*steps, ("officer0", Execute(number))):
        assert world.do(name, step) == ""


def make_network(
    folder: Path,
    count: int = 4,
    *,
    observers: int = 0,
    policy: Mapping[str, tuple[int, ...]] | None = None,
    **settings: object,
) -> list[VotedNode]:
    """Make the folders of a network's nodes, which know one another; the last ones may observe."""
    keys = [(CometKey.generate(), CometKey.generate()) for _ in range(count)]
    network = Network.of(make_voted_genesis(keys, observers, policy))
    ports = find_ports(count)
    addresses = [
        f"{node.address.hex()}@127.0.0.1:{port}"
        for (node, _), port in zip(keys, ports, strict=True)
    ]
    voters = keys[: count - observers]
    validators = [Validator(consensus.public_key, WEIGHT) for _, consensus in voters]
    batch_bytes = network.limits.batch_bytes
    nodes = []
    for number, (pair, port) in enumerate(zip(keys, ports, strict=True)):
        home = CometHome(folder / f"n{number}" / "cometbft")
        home.path.parent.mkdir()
        peers = tuple(each for each in addresses if not each.endswith(f":{port}"))
        configuration = Configuration(listen=f"127.0.0.1:{port}", peers=peers, **settings)
        home.create_keys(*pair)
        chain_id = compute_chain_id(network.genesis_hash)
        write_genesis(home, chain_id, START_MS, validators, batch_bytes)
        write_configuration(home, configuration, f"n{number}", batch_bytes)
        nodes.append(VotedNode(home, home.path.parent / "log", network, peers))
    return nodes


def open_signer(chain: Chain) -> World:
    """Open a world that signs for the wall clock's time."""
    world = World(chain)
    world.time_ms = wall_clock_ms()
    return world
