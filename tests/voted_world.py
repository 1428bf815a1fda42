"""A world whose members vote, without CometBFT: blocks as in `world`, votes by keys we hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace
from tests.played import CHEAP, PASSPHRASE, play
from tests.running import UNLIMITED, Running, in_a_loop
from tests.vectors import parts
from tests.vectors.voting import FIRST, Council
from tests.world import World, key, make_genesis

from hansa.engine.cometbft.trail import FILE_NAME
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.verification import InlineVerifier
from hansa.kernel.crypto.address import to_text
from hansa.kernel.encoding import encode
from hansa.kernel.genesis import Genesis, GenesisNode, Network
from hansa.kernel.light.votes import Votes
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.home import Home, create_home, open_chain
from hansa.node.running import build_keeper
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.serve import serve

BEFORE = 3
"""CometBFT's heights before the one that names block 0: later blocks follow hand-overs."""


def make_voted_genesis() -> Genesis:
    """The network of `make_genesis`, whose four members vote by the powers of `FIRST`."""
    genesis = make_genesis()
    members = tuple(
        replace(member, weight=power, roles=tuple(sorted({*member.roles, "validator"})))
        for member, power in zip(genesis.members, FIRST.values(), strict=True)
    )
    nodes = tuple(
        GenesisNode(member.address, parts.key(f"{name} votes").public_key, (), b"", "")
        for member, name in zip(members, FIRST, strict=True)
    )
    return replace(genesis, sealers=(), members=members, nodes=nodes)


def vote(network: Network, header: bytes, height: int) -> Votes:
    """Have the validators sign a block of Hansa; three heights of CometBFT apart from the next."""
    council, at = Council(network), BEFORE * (height + 1)
    header_hash = network.digest(network.header_prefix + header)
    return Votes(council.list_hand_overs(at), council.sign(at, header_hash))


class VotedEngine(EmbeddedEngine):
    """Orders alone, and has votes on its blocks all the same."""

    async def fetch_votes(self, height: int) -> Votes | None:
        return vote(self.chain.network, self.chain.get_record(height).header, height)


def make_voted_folder(path: Path) -> Home:
    """Make the data folder of a stopped node of this network, with the votes on its last block."""
    keys = {"node": key("unused"), "sponsor": key("north server")}
    home = create_home(path, make_voted_genesis(), keys, PASSPHRASE, cost=CHEAP)
    world = World(open_chain(home, None))
    try:
        play(world)
        height = world.chain.confirmed_height
        save_votes(home, vote(world.network, world.chain.get_record(height).header, height))
    finally:
        world.chain.close()
    return home


def save_votes(home: Home, votes: Votes) -> None:
    """Put votes where a node keeps them."""
    home.comet.path.mkdir(exist_ok=True)
    (home.comet.path / FILE_NAME).write_bytes(encode(votes))


@contextmanager
def run_voted(home: Home) -> Iterator[Running]:
    """Run the node of a folder of this network, without CometBFT."""
    bank = to_text(key("officer0").address)
    fields = {"role": Role.CENTRAL_BANK, "member": bank, "now_ms": wall_clock_ms()}
    _, token = add_key(home.api_keys_path, name="test", **fields)
    made = []

    async def start() -> str:
        chain = open_chain(home, None)
        sponsor_key = home.load_key("sponsor", PASSPHRASE)
        verifier = InlineVerifier(chain.network)
        engine = VotedEngine(chain, verifier, wall_clock_ms)
        keeper = build_keeper(home, UNLIMITED, chain)
        sponsor = key("north").address
        node = Node(chain, verifier, sponsor, sponsor_key, engine=engine, keeper=keeper)
        node.start()
        made.extend((node, await serve(node, UNLIMITED, KeyRing(home.api_keys_path))))
        return made[1].url

    async def stop() -> None:
        for part in reversed(made):
            await part.stop()

    with in_a_loop(start, stop) as url:
        yield Running(home, url, token)
