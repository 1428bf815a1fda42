"""Nodes of two members that write to each other over HTTP, in a thread of the test's process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.channels import LIMITS, SERVERS, make_channel_key, make_world
from tests.running import UNLIMITED, in_a_loop
from tests.world import World, key

from hansa.contracts import nodes
from hansa.engine.verification import InlineVerifier
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.channel.http import HttpCarrier
from hansa.node.channel.service import Identity, MessageChannel
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.serve import serve
from hansa.node.settings import Settings


@dataclass(frozen=True)
class Post:
    """One member's node."""

    name: str
    url: str
    key_file: Path
    """With an API key of the member."""

    @property
    def token(self) -> str:
        """The API key."""
        return self.key_file.read_text()

    @property
    def address(self) -> bytes:
        """Of the member."""
        return key(self.name).address


async def _start(world: World, folder: Path, name: str, made: list, settings: Settings) -> str:
    """Start one member's node, and publish where it is."""
    who, server_key = key(name).address, key(SERVERS[name])
    channel = MessageChannel(
        world.chain,
        Identity(who, server_key, make_channel_key(name)),
        folder / f"{name}.db",
        LIMITS,
        HttpCarrier(),
        clock_ms=wall_clock_ms,
        random=Random(1),
    )
    node = Node(world.chain, InlineVerifier(world.network), who, server_key)
    server = await serve(node, settings, KeyRing(folder / f"{name}.json"), channel)
    publish = nodes.Publish(who, b"", (), make_channel_key(name).public_key, server.url)
    assert world.do(name, publish) == ""
    await channel.start()
    made.extend((channel, server))
    return server.url


@contextmanager
def run_posts(folder: Path, settings: Settings = UNLIMITED) -> Iterator[tuple[Post, Post]]:
    """Run the nodes of `north` and `south`."""
    world, made = make_world(), []
    for name in ("north", "south"):
        member = to_text(key(name).address)
        fields = {"role": Role.OPERATOR, "member": member, "now_ms": wall_clock_ms()}
        _, token = add_key(folder / f"{name}.json", name=name, **fields)
        (folder / f"{name}.key").write_text(token)

    async def start() -> str:
        return " ".join(
            [await _start(world, folder, name, made, settings) for name in ("north", "south")]
        )

    async def stop() -> None:
        for part in reversed(made):
            await part.stop()

    with in_a_loop(start, stop) as urls:
        north, south = (
            Post(name, url, folder / f"{name}.key")
            for name, url in zip(("north", "south"), urls.split(), strict=True)
        )
        yield north, south
