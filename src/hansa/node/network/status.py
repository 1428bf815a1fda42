"""How the nodes of a network on this machine are doing, asked at their API and their CometBFT.

Both are asked at the same time; what does not answer is said in words, not raised.

Source: CometBFT v0.38, `rpc/openapi/openapi.yaml`: status, net_info, validators.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import aiohttp

from hansa.engine.cometbft.home import CometHome
from hansa.node.network.folders import NodeFolder
from hansa.node.network.stopping import find_owner

TIMEOUT_S: Final = 5.0
STALLED_HEARTBEATS: Final = 3
"""Without a block for so many heartbeats a network is called stalled."""
_LOCAL: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - asked, not bound


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node; None stands for what could not be found out."""

    name: str
    url: str
    pid: int | None
    height: int | None
    """Of its newest confirmed block."""
    consensus_height: int | None
    """Of the newest block that was voted on."""
    consensus_time_ms: int | None
    peers: int | None
    peers_expected: int
    is_catching_up: bool | None
    power: int | None
    """Its votes; 0 if it follows."""

    def describe(self) -> str:
        """Say in words how it is doing."""
        if self.pid is None:
            return "down"
        if self.consensus_height is None:
            return "runs, but its CometBFT does not answer; see cometbft/cometbft.log"
        if self.height is None:
            return f"runs, but its API at {self.url} does not answer; see node.log"
        state = "catching up" if self.is_catching_up else "up"
        return (
            f"{state}: block {self.height}, voted block {self.consensus_height}, "
            f"{self.peers} of {self.peers_expected} peers"
        )

    def to_json(self) -> dict[str, object]:
        """Build the object that `--json` prints."""
        return {**{name: getattr(self, name) for name in self.__slots__}, "text": self.describe()}


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """All nodes of a folder."""

    nodes: tuple[NodeStatus, ...]
    power: int | None
    """Votes of all validators, wherever they are; None if no node could say."""
    silent_ms: int | None
    """How long ago the newest block was voted on."""
    heartbeat_ms: int

    @property
    def is_stalled(self) -> bool:
        """Whether no block came for several heartbeats."""
        limit_ms = STALLED_HEARTBEATS * self.heartbeat_ms
        return self.silent_ms is not None and self.silent_ms > limit_ms

    @property
    def is_well(self) -> bool:
        """Whether all nodes are up and blocks come."""
        return not self.is_stalled and all(
            None not in (node.pid, node.height, node.consensus_height) for node in self.nodes
        )

    def describe(self) -> str:
        """Say in words how the network is doing."""
        if self.power is None:
            return "No CometBFT answers."
        present = sum(node.power or 0 for node in self.nodes)
        votes = f"the nodes here that answer have {present} of {self.power} votes"
        needed = f"; blocks need {self.power * 2 // 3 + 1}"
        if self.silent_ms is None:
            return f"No block was voted on yet; {votes}{needed}."
        if self.is_stalled:
            return f"STALLED: no block for {self.silent_ms // 1000} s; {votes}{needed}."
        return f"Blocks come: the newest is {self.silent_ms // 1000} s old; {votes}."

    def to_json(self) -> dict[str, object]:
        """Build the object that `--json` prints."""
        return {
            "ok": self.is_well,
            "stalled": self.is_stalled,
            "text": self.describe(),
            "power": self.power,
            "silent_ms": self.silent_ms,
            "nodes": [node.to_json() for node in self.nodes],
        }


async def read_network(nodes: Sequence[NodeFolder], now_ms: int) -> NetworkStatus:
    """Ask all nodes; `now_ms` is the wall clock."""
    found = await asyncio.gather(*(_read_node(node) for node in nodes))
    powers = await asyncio.gather(*(_read_power(node.home.comet) for node in nodes))
    known = [power for power in powers if power is not None]
    times = [node.consensus_time_ms for node in found if node.consensus_time_ms is not None]
    return NetworkStatus(
        tuple(found),
        max(known, default=None),
        max(now_ms - max(times), 0) if times else None,
        max(node.settings.cometbft.heartbeat_s for node in nodes) * 1000,
    )


async def _read_node(node: NodeFolder) -> NodeStatus:
    answer, status, peers = await asyncio.gather(
        _ask_api(node),
        _ask_comet(node.home.comet, "status"),
        _ask_comet(node.home.comet, "net_info"),
    )
    sync = status.get("sync_info", {})
    return NodeStatus(
        node.name,
        node.url,
        find_owner(node.home.log_path),
        _count(answer.get("height")),
        _count(sync.get("latest_block_height")),
        _read_time(sync),
        _count(peers.get("n_peers")),
        len(node.settings.cometbft.peers),
        sync.get("catching_up"),
        _count(status.get("validator_info", {}).get("voting_power")),
    )


async def _read_power(comet: CometHome) -> int | None:
    """Add up the votes of all validators of the newest block."""
    found = await _ask_comet(comet, "validators?per_page=100")
    powers = [_count(each.get("voting_power")) for each in found.get("validators", ())]
    return sum(power or 0 for power in powers) or None


def _count(value: object) -> int | None:
    """Read a number; CometBFT writes most as text."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None


def _read_time(sync: Mapping[str, Any]) -> int | None:
    """Read when the newest block was voted on; before the first there is no such time."""
    if not _count(sync.get("latest_block_height")):
        return None
    try:
        return int(datetime.fromisoformat(str(sync["latest_block_time"])).timestamp() * 1000)
    except (KeyError, ValueError, OverflowError):
        return None


async def _ask_comet(comet: CometHome, path: str) -> Mapping[str, Any]:
    """Ask CometBFT over its socket; empty if it does not answer."""
    connector = aiohttp.UnixConnector(str(comet.rpc_path))
    found = (await _get(connector, f"http://cometbft/{path}")).get("result")
    return found if isinstance(found, dict) else {}


async def _ask_api(node: NodeFolder) -> Mapping[str, Any]:
    """Ask the node's API for its status; empty if it does not answer."""
    listen = node.settings.listen
    host = _LOCAL.get(listen.host, f"[{listen.host}]" if ":" in listen.host else listen.host)
    scheme = node.url.partition(":")[0]
    connector = aiohttp.TCPConnector(ssl=_believe_own(node))
    return await _get(connector, f"{scheme}://{host}:{listen.port}/v1/status")


def _believe_own(node: NodeFolder) -> ssl.SSLContext | bool:
    """Believe the certificate that the node's own settings name, under whichever name we ask."""
    if not node.settings.tls.certificate:
        return True
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(node.settings.find_path(node.settings.tls.certificate))
    except (OSError, ssl.SSLError):
        return True
    return context


async def _get(connector: aiohttp.BaseConnector, url: str) -> Mapping[str, Any]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(url) as answer,
        ):
            found = await answer.json(content_type=None)
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
        return {}
    return found if isinstance(found, dict) else {}
