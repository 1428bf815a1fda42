"""Calling peers again that are not connected, and noticing those that may not stay or come.

CometBFT calls a persistent peer again when it loses it. But where the other side hangs up at once,
as it does with a node that its member has not published yet, the second call finds the first under
way, and no third follows: the node would stay alone until it is started again.

It asks us who may connect when a connection begins, and cannot be told to end one: that of a member
that is suspended would stay. So it is stopped for that, and started again. All nodes that such a
peer is connected to would do so at once, and the network stand still; they do it one after the
other. What members do to their own nodes stops nobody's: a peer that its member has taken out
stays. So that none fills the places of all by publishing ever new peers, no more of one member are
let in than it may publish, and those that stay count.

Source: CometBFT v0.38 `p2p/switch.go`, `reconnectToPeer`, `filterPeer`; `rpc/core/routes.go`, which
has no way to disconnect; `rpc/core/net.go`, `UnsafeDialPeers`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from hansa.engine.cometbft.rpc.answers import UNREADABLE, Rpc, fetch_validators
from hansa.kernel.errors import Unavailable
from hansa.kernel.values import NODE_PEERS_MAX

LOOK_MS = 5_000
TURN_MS = 3_000
"""About what CometBFT takes to stop and to be back."""
SETTLE_S = 10
"""In which CometBFT lists a peer as connected that was let in."""
MayConnect = Callable[[bytes], bool]
"""Whether a peer, by its 20 bytes, may connect."""


class PeerRules(NamedTuple):
    """What is asked of a peer, by its 20 bytes."""

    may_connect: MayConnect
    is_expelled: Callable[[bytes], bool]
    """Whether it must be hung up on."""
    find_member: Callable[[bytes], bytes | None]
    """Whose it is, or was; None if no member ever published it."""


class Door:
    """Lets in those that may connect, and at most `NODE_PEERS_MAX` of one member at a time.

    Args:
      rules: who may, as far as each is asked alone, and whose it is.
      clock_s: seconds that only go forward.
    """

    def __init__(self, rules: PeerRules, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._clock_s = clock_s
        self._inside: dict[bytes, tuple[bytes | None, float]] = {}
        """Whose each is, and when it was let in, or seen last."""

    def let_in(self, peer: bytes) -> bool:
        """Say whether a peer that knocks may connect, and count it then."""
        if not self._rules.may_connect(peer):
            return False
        member = self._rules.find_member(peer)
        others = sum(owner == member for each, (owner, _) in self._inside.items() if each != peer)
        if member is not None and others >= NODE_PEERS_MAX:
            return False
        self._inside[peer] = (member, self._clock_s())
        return True

    def note(self, connected: Iterable[bytes]) -> None:
        """Note who is connected: others have gone, but those that were let in a moment ago."""
        now_s = self._clock_s()
        inside = {
            peer: known for peer, known in self._inside.items() if now_s - known[1] < SETTLE_S
        }
        self._inside = inside | {peer: (self._rules.find_member(peer), now_s) for peer in connected}


async def keep_dialing(
    rpc: Rpc,
    peers: Sequence[str],
    may_connect: MayConnect,
    note: Callable[[set[bytes]], None] = lambda _: None,
) -> None:
    """Have CometBFT call those peers (`id@host:port`) that it has not and may have, for ever.

    Args:
      rpc: CometBFT beside this node.
      peers: to stay connected to.
      may_connect: whether a peer, by its 20 bytes, may connect.
      note: told each time of all that are connected.
    """
    while True:
        await asyncio.sleep(LOOK_MS / 1_000)
        try:
            connected = await _list_connected(rpc)
            note(connected)
            ids = {peer: bytes.fromhex(peer.partition("@")[0]) for peer in peers}
            missing = [each for each in peers if ids[each] not in connected]
            if missing := [each for each in missing if may_connect(ids[each])]:
                await rpc.call("dial_peers", peers=missing)
        except (Unavailable, *UNREADABLE):  # it is starting or stopping, which others watch
            continue


async def await_expelled(
    rpc: Rpc, is_expelled: Callable[[bytes], bool], own_address: bytes
) -> None:
    """Wait until a peer is connected that may not be, and then for this node's turn to hang up.

    Args:
      rpc: CometBFT beside this node.
      is_expelled: whether a peer, by its 20 bytes, is of a member that is suspended.
      own_address: by which CometBFT knows this validator; the place among them says whose turn is
        when, and those that do not vote come last.
    """
    while True:
        await asyncio.sleep(LOOK_MS / 1_000)
        try:
            if not any(map(is_expelled, await _list_connected(rpc))):
                continue
            await asyncio.sleep(await _find_turn(rpc, own_address) * TURN_MS / 1_000)
            status = await rpc.call("status")
            is_behind = status["sync_info"]["catching_up"]  # and may hear of a return soon
            if not is_behind and any(map(is_expelled, await _list_connected(rpc))):
                return
        except (Unavailable, *UNREADABLE):
            continue


async def _list_connected(rpc: Rpc) -> set[bytes]:
    met = await rpc.call("net_info")
    return {bytes.fromhex(peer["node_info"]["id"]) for peer in met["peers"]}


async def _find_turn(rpc: Rpc, own_address: bytes) -> int:
    found = await fetch_validators(rpc)
    addresses = [bytes.fromhex(each["address"]) for each in found["validators"]]
    return addresses.index(own_address) if own_address in addresses else len(addresses)
