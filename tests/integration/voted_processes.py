"""A voted network of real node processes on this machine, whose connections can be cut."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.conftest import HANSA
from tests.integration.network_process import NAMES, PASSPHRASE, find_base, find_child, found
from tests.ports import find_ports

from hansa.node.home import Home
from hansa.sdk.async_client import AsyncClient

WITHIN_S = 300
ENVIRONMENT = {**os.environ, "HANSA_PASSPHRASE": PASSPHRASE}
CHUNK_BYTES = 65_536


class Link:
    """Where one node dials another: a forwarder that can be cut.

    While it is cut nothing comes through, and nobody is told, as with a cable that is pulled; or
    connections end, and new ones do as they begin, as with a firewall that refuses.
    """

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._is_whole = asyncio.Event()
        self._is_whole.set()
        self._refuses = False
        self._server: asyncio.Server | None = None
        self._ways: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to take connections."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)

    def close(self) -> None:
        """End, with all connections."""
        if self._server is not None:
            self._server.close()
        self._hang_up()

    def cut(self, *, refuses: bool) -> None:
        """Let nothing through, without a word or by refusing."""
        self._is_whole.clear()
        self._refuses = refuses
        if refuses:
            self._hang_up()

    def mend(self) -> None:
        """Let through what waits and what comes."""
        self._refuses = False
        self._is_whole.set()

    def _hang_up(self) -> None:
        for way in self._ways:
            way.cancel()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.close()
            return
        await self._is_whole.wait()
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # that node is down
            writer.close()
            return
        for source, sink in ((reader, back), (there, writer)):
            way = asyncio.create_task(self._carry(source, sink))
            self._ways.add(way)
            way.add_done_callback(self._ways.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(CHUNK_BYTES):
                    await self._is_whole.wait()
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()


def read_api_key(home: Home) -> str:
    """Read the key of the institution whose node it is."""
    return (home.path / "api.key").read_text().strip()


class RunningNode:
    """One node: its folder, and its process while there is one."""

    def __init__(self, name: str, home: Home, url: str) -> None:
        self.name = name
        self.home = home
        self.url = url
        self.environment: Mapping[str, str] = ENVIRONMENT
        self.error_path = home.path.parent / f"{name}.err"
        """Where its standard error goes, also while its folder lies elsewhere."""
        self.process: Process | None = None
        self.client = AsyncClient(url, api_key=read_api_key(home), attempts=1)
        self.answers = asyncio.Event()

    async def start(self) -> None:
        """Start it; returns once it answers."""
        with self.error_path.open("ab") as errors:
            self.process = await asyncio.create_subprocess_exec(
                *(HANSA, "up", "--json", "--data", str(self.home.path)),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=errors,
                env=self.environment,
            )
        try:
            async with asyncio.timeout(WITHIN_S):
                line = await self.process.stdout.readline()
        except BaseException:
            self.process.kill()
            raise
        assert line, f"{self.name} did not start: {self.read_error()}"
        assert json.loads(line)["url"].rstrip("/") == self.url
        self.answers.set()

    def read_error(self) -> str:
        """Read what it said last."""
        return self.error_path.read_text()[-4_000:]

    async def end(self) -> int:
        """Wait until its process has ended; returns its code."""
        async with asyncio.timeout(WITHIN_S):
            await self.process.stdout.read()
            code = await self.process.wait()
        self.answers.clear()
        return code

    async def kill(self, *, child: bool = False) -> None:
        """Kill one of its two processes; returns once the other has ended, too."""
        comet = find_child(self.process.pid, "cometbft")
        os.kill(comet if child else self.process.pid, signal.SIGKILL)
        assert await self.end() == (5 if child else -signal.SIGKILL)

    async def stop(self) -> None:
        """Stop it in good order."""
        self.process.send_signal(signal.SIGTERM)
        assert await self.end() == 0, self.read_error()

    async def reach(self, height: int) -> None:
        """Wait until it has confirmed a block; fails where none come any more."""
        blocks, reached = self.client.stream_blocks(), -1
        while reached < height:
            async with asyncio.timeout(WITHIN_S):
                reached = (await anext(blocks)).height
        await blocks.aclose()


class RunningNetwork:
    """Four nodes, and the links between them."""

    def __init__(self, nodes: list[RunningNode], links: dict[tuple[int, int], Link]) -> None:
        self.nodes = nodes
        self.links = links

    def part(self, *groups: Iterable[int], refuses: bool = False) -> None:
        """Cut what lies between groups of nodes, without a word or by refusing."""
        group_of = {node: number for number, group in enumerate(groups) for node in group}
        for (one, other), link in self.links.items():
            if group_of[one] != group_of[other]:
                link.cut(refuses=refuses)

    async def make_whole(self) -> None:
        """Mend what was cut and start what does not run, as after a test that failed."""
        self.heal()
        await asyncio.gather(*(node.start() for node in self.nodes if not node.answers.is_set()))

    def heal(self) -> None:
        """Mend all that was cut."""
        for link in self.links.values():
            link.mend()


def found_network(folder: Path) -> list[RunningNode]:
    """Make the folders of four institutions, and their nodes, which do not run yet."""
    made = found(folder, find_base())
    return [RunningNode(name, Home(folder / name), made[name]["url"]) for name in NAMES]


def link_nodes(nodes: list[RunningNode]) -> dict[tuple[int, int], Link]:
    """Have each node dial each other through a link of its own."""
    listening = [int(re.search(r'listen = ".*:(\d+)"', read(node))[1]) for node in nodes]
    links = {}
    for number, node in enumerate(nodes):
        text = read(node)
        others = [other for other in range(len(nodes)) if other != number]
        for other, port in zip(others, find_ports(len(others)), strict=True):
            text = text.replace(f"@127.0.0.1:{listening[other]}", f"@127.0.0.1:{port}")
            links[number, other] = Link(port, listening[other])
        node.home.settings_path.write_text(text)
    return links


def read(node: RunningNode) -> str:
    """Read a node's settings."""
    return node.home.settings_path.read_text()


@asynccontextmanager
async def running_network(nodes: list[RunningNode]) -> AsyncIterator[RunningNetwork]:
    """Run four nodes from when all answer; stops those that still run, in good order."""
    links = link_nodes(nodes)
    try:
        for link in links.values():
            await link.open()
        await asyncio.gather(*(node.start() for node in nodes))
        yield RunningNetwork(nodes, links)
        await asyncio.gather(*(node.stop() for node in nodes if node.answers.is_set()))
    finally:
        for node in nodes:
            await node.client.close()
            if node.process is not None and node.process.returncode is None:
                node.process.kill()
                await node.process.wait()
        for link in links.values():
            link.close()
