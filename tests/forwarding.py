"""Forwarders of TCP between nodes, one for each directed pair, that a test can cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from tests.voted import VotedNode, find_ports

from hansa.engine.cometbft.configuration import Configuration, write_configuration

CHUNK_BYTES = 1 << 16


class Forwarder:
    """Listens on a port of its own and passes on what comes to another; refuses once cut."""

    def __init__(self, port: int, target_port: int) -> None:
        self.port = port
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def join(self) -> None:
        """Take connections, as at first."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Close every connection, and take no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._passing.add(task)
        there = None
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._target_port)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass(reader, there))
                group.create_task(_pass(there_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # the other end is away, or this was cut
        finally:
            self._passing.discard(task)
            for each in (writer, there):
                if each is not None:
                    each.close()
                    with suppress(OSError):
                        await each.wait_closed()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on until one end closes, then close the other."""
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # closed without a word
    finally:
        writer.close()


class Mesh:
    """The forwarders from each node to each other one."""

    def __init__(self, forwarders: dict[tuple[int, int], Forwarder]) -> None:
        self._forwarders = forwarders

    async def join(self) -> None:
        """Let everybody reach everybody."""
        for forwarder in self._forwarders.values():
            await forwarder.join()

    async def part(self, *groups: Iterable[int]) -> None:
        """Let nobody reach a node of another group."""
        group_of = {node: number for number, group in enumerate(groups) for node in group}
        for (source, target), forwarder in self._forwarders.items():
            if group_of[source] != group_of[target]:
                await forwarder.cut()

    async def close(self) -> None:
        """Cut everything."""
        for forwarder in self._forwarders.values():
            await forwarder.cut()


def forward(nodes: Sequence[VotedNode]) -> Mesh:
    """Have nodes, before they start, reach one another through forwarders only."""
    addresses = sorted({peer for node in nodes for peer in node.peers})
    own = [next(each for each in addresses if each not in node.peers) for node in nodes]
    listens = [each.partition("@")[2] for each in own]
    pairs = [(i, j) for i in range(len(nodes)) for j in range(len(nodes)) if i != j]
    ports = dict(zip(pairs, find_ports(len(pairs)), strict=True))
    for i, node in enumerate(nodes):
        peers = tuple(
            f"{own[j].partition('@')[0]}@127.0.0.1:{ports[i, j]}"
            for j in range(len(nodes))
            if j != i
        )
        configuration = Configuration(listen=listens[i], peers=peers)
        node.peers = peers
        write_configuration(node.home, configuration, f"n{i}", node.network.limits.batch_bytes)
    return Mesh(
        {
            pair: Forwarder(port, int(listens[pair[1]].rpartition(":")[2]))
            for pair, port in ports.items()
        }
    )
