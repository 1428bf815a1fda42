"""How the nodes of a network on this machine are doing, as each says at its API.

All are asked at the same time; what does not answer is said in words, not raised.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from hansa.engine.log.format import CONFIRMED_NAME
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import HansaError
from hansa.node.home import Home
from hansa.node.network.folders import NodeFolder, name_logs
from hansa.node.network.logs import name_start, read_end
from hansa.node.network.renewal import find_published
from hansa.node.network.stopping import find_owner
from hansa.sdk.consensus import Consensus

TIMEOUT_S: Final = 8.0
"""Above what a node itself waits for its CometBFT."""
_LOCAL: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - asked, not bound


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node; None stands for what could not be found out."""

    name: str
    folder: Path
    """Of its network."""
    url: str
    pid: int | None
    peers_named: frozenset[str]
    """That its settings name."""
    seen: Consensus | None
    """What it says of its network."""
    end: str = ""
    """How it ended last, in words, if it has not answered since."""
    is_taken: bool = False
    """Whether another program answers where its API would."""
    note: str = ""
    """What the ledger says of it that keeps it from its peers; empty for nothing."""

    @property
    def is_well(self) -> bool:
        """Whether it runs, answers, and has the newest blocks or gets them."""
        return self.pid is not None and self.seen is not None and self.seen.is_getting_blocks

    def describe(self) -> str:
        """Say in words how it is doing."""
        seen = self.seen
        if self.is_taken:
            told = "down" if self.pid is None else "runs"
            return (
                f"{told}, but another program answers at {self.url}: stop that one, or choose "
                "another listen.port in node.toml"
            )
        logs = f"see {name_logs(self.folder)} --node {self.name}"
        if self.pid is None:
            return f"down: {self.end}; {logs}" if self.end else "down"
        if seen is None:
            before = f"; before, it {self.end}" if self.end else ""
            return f"runs, but its API at {self.url} does not answer{before}; {logs}"
        if seen.consensus_height is None:
            return "runs, but its CometBFT does not answer; see cometbft/cometbft.log"
        state = {"voting": "up"}.get(seen.state, seen.state.replace("_", " "))
        note = self.note or (seen.text if seen.state == "suspended" else "")
        told = (
            f"{state}: block {seen.height}, voted block {seen.consensus_height}, "
            f"{self._describe_peers(seen)}{note and '; '}{note}"
        )
        return told if seen.rules.is_known else f"{told}; {seen.rules.text}"

    def _name_state(self, seen: Consensus) -> str:
        is_observer = seen.state == "voting" and not seen.own_power
        return "following" if is_observer else seen.state

    def _describe_peers(self, seen: Consensus) -> str:
        """Say how many of the peers that it should have are connected, and how many others."""
        there = sum(each.peer in self.peers_named for each in seen.peers)
        more = len(seen.peers) - there
        if not self.peers_named:
            return f"{more} peers"
        told = f"{there} of {len(self.peers_named)} peers"
        return f"{told} and {more} more" if more else told

    def to_json(self) -> dict[str, object]:
        """Build the object that `--json` prints."""
        seen = self.seen
        is_known = seen is not None and seen.consensus_height is not None
        return {
            "name": self.name,
            "url": self.url,
            "pid": self.pid,
            "state": None if seen is None else self._name_state(seen),
            "height": None if seen is None else seen.height,
            "consensus_height": None if seen is None else seen.consensus_height,
            "peers": len(seen.peers) if seen is not None and is_known else None,
            "peers_expected": len(self.peers_named),
            "power": seen.own_power if seen is not None and seen.validators else None,
            "text": self.describe(),
        }


@dataclass(frozen=True, slots=True)
class NetworkStatus:
    """All nodes of a folder."""

    nodes: tuple[NodeStatus, ...]
    now_ms: int

    @property
    def seen(self) -> tuple[Consensus, ...]:
        """What those nodes say whose CometBFT answers."""
        seen = [node.seen for node in self.nodes if node.seen is not None]
        return tuple(each for each in seen if each.consensus_height is not None)

    @property
    def power(self) -> int | None:
        """Votes of all validators as of the newest block, wherever they are; None if unknown.

        A node that is cut off holds those for validators who have left since.
        """
        newest = max(
            self.seen,
            key=lambda each: (each.consensus_height or 0, each.present_power),
            default=None,
        )
        return None if newest is None else newest.power or None

    @property
    def silent_ms(self) -> int | None:
        """How long ago the newest block came to one of the nodes; None before the first."""
        times = [each.block_ms for each in self.seen if each.block_ms is not None]
        return max(self.now_ms - max(times), 0) if times else None

    @property
    def is_stalled(self) -> bool:
        """Whether a node says so, and none gets blocks: that one may only be cut off."""
        states = {each.state for each in self.seen}
        return "stalled" in states and "voting" not in states

    @property
    def is_well(self) -> bool:
        """Whether all nodes are up and blocks come."""
        return all(node.is_well for node in self.nodes)

    def describe(self) -> str:
        """Say in words how the network is doing."""
        if self.power is None:
            return "No CometBFT answers."
        if self.is_stalled:
            stalled = [each for each in self.seen if each.state == "stalled"]
            return f"STALLED: {max(stalled, key=lambda each: each.present_power).text}"
        if self.silent_ms is None:
            votes = f"the nodes here that answer have {self._count_votes(self.seen)}"
            return f"No block was voted on yet; {votes}; blocks need {self.power * 2 // 3 + 1}."
        well = [each for each in self.seen if each.is_well]
        age = f"{self.silent_ms // 1000} s old"
        if not well:
            told = "Whether blocks come, no node here can say, as all lag behind"
            return f"{told}; the newest is {age}."
        votes = f"the nodes here that have it have {self._count_votes(well)}"
        best = max(well, key=lambda each: (each.has_new_block, each.present_power))
        if best.has_new_block and best.is_power_enough:
            return f"Blocks come: the newest is {age}; {votes}."
        return f"{best.text} The newest block is {age}; {votes}."

    def _count_votes(self, seen: Sequence[Consensus]) -> str:
        return f"{sum(each.own_power for each in seen)} of {self.power} votes"

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
    found = await asyncio.gather(*map(_read_node, nodes, repeat(now_ms)))
    heights = [-1 if each.seen is None else each.seen.height for each in found]
    newest = nodes[heights.index(max(heights))].home
    noted = map(_note_fault, found, nodes, repeat(newest))
    return NetworkStatus(tuple(noted), now_ms)


def _note_fault(found: NodeStatus, node: NodeFolder, ledger: Home) -> NodeStatus:
    """Note of a node that gets no blocks if its member is suspended, or published another peer.

    Its own ledger may be as old as its trouble: that of the node which stands highest tells.
    """
    if found.seen is None or found.is_well:
        return found
    try:
        peer = node.home.comet.load_node_key().address
        published = find_published(node.home, node.home.load_network(), ledger)
    except HansaError:  # of a key or a log, which doctor tells
        return found
    if published.suspension:
        return replace(found, note=published.suspension)
    peers = published.node.peers
    if peer in peers:
        return found
    note = (
        f"its member has published {_list_peers(peers)}, not its own {peer.hex()}, so that others "
        "hang up on it: publish that, or bring the old node key back"
    )
    return replace(found, note=note)


def _list_peers(peers: Sequence[bytes]) -> str:
    return f"the peer {', '.join(each.hex() for each in peers)}" if peers else "no peer"


async def _read_node(node: NodeFolder, now_ms: int) -> NodeStatus:
    folder = node.home.path.parent
    genesis_hash = node.home.load_network().genesis_hash.hex()
    answer = await _ask_api(node)
    pid = find_owner(node.home.log_path)  # after it answered: one that has just started did not
    named = frozenset(peer.partition("@")[0] for peer in node.settings.cometbft.peers)
    if answer is None:
        end = _describe_end(node, now_ms, is_running=pid is not None)
        return NodeStatus(node.name, folder, node.url, pid, named, None, end)
    is_taken = pid is None or answer.genesis_hash not in ("", genesis_hash)
    seen = None if is_taken else answer.consensus
    return NodeStatus(node.name, folder, node.url, pid, named, seen, is_taken=is_taken)


def _describe_end(node: NodeFolder, now_ms: int, *, is_running: bool) -> str:
    """Say how a node that does not answer ended last, and what becomes of it."""
    is_supervised = find_owner(node.home.path.parent) is not None
    end = read_end(node.end_path)
    if is_running:
        return "" if end is None else end.how
    if end is not None and end.again_ms is None and _has_run_since(node):
        return f"nothing runs it; start it by {name_start(node.home.path)}"
    if end is not None:
        return end.describe(node.home.path, now_ms, is_supervised=is_supervised)
    return "it is starting" if is_supervised else "nothing runs it"


def _has_run_since(node: NodeFolder) -> bool:
    """Say whether a node that was left has been started alone since: its log was written."""
    try:
        written_ns = (node.home.log_path / CONFIRMED_NAME).stat().st_mtime_ns
        return written_ns > node.end_path.stat().st_mtime_ns
    except OSError:
        return False


class _Identity(msgspec.Struct):
    """Of a node's status, what tells its network."""

    genesis_hash: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came from where a node's API would be."""

    genesis_hash: str = ""
    """Empty where it is no node's answer."""
    consensus: Consensus | None = None


async def _ask_api(node: NodeFolder) -> _Answer | None:
    """Ask at the node's API which network it is of, and how that does; None if nobody answers."""
    listen = node.settings.listen
    host = _LOCAL.get(listen.host, f"[{listen.host}]" if ":" in listen.host else listen.host)
    base = f"{node.url.partition(':')[0]}://{host}:{listen.port}"
    connector = aiohttp.TCPConnector(ssl=_believe_own(node))
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            async with session.get(f"{base}/v1/status") as answer:
                identity = msgspec.json.decode(await answer.read(), type=_Identity)
            async with session.get(f"{base}/v1/consensus") as answer:
                consensus = msgspec.json.decode(await answer.read(), type=Consensus)
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None
    except DECODE_ERRORS:
        return _Answer()
    return _Answer(identity.genesis_hash, consensus)


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
