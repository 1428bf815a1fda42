"""Calling peers again that are not connected, and noticing those that may not stay.

CometBFT calls a persistent peer again when it loses it. But where the other side hangs up at once,
as it does with a node that its member has not published yet, the second call finds the first under
way, and no third follows: the node would stay alone until it is started again.

It asks us who may connect when a connection begins, and cannot be told to end one: that of a member
that is suspended would stay. So it is stopped for that, and started again. All nodes that such a
peer is connected to would do so at once, and the network stand still; they do it one after the
other. What members do to their own nodes stops nobody's.

Source: CometBFT v0.38 `p2p/switch.go`, `reconnectToPeer`, `filterPeer`; `rpc/core/routes.go`, which
has no way to disconnect; `rpc/core/net.go`, `UnsafeDialPeers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from hansa.engine.cometbft.rpc.answers import UNREADABLE, Rpc, fetch_validators
from hansa.kernel.errors import Unavailable

LOOK_MS = 5_000
TURN_MS = 3_000
"""About what CometBFT takes to stop and to be back."""
MayConnect = Callable[[bytes], bool]
"""Whether a peer, by its 20 bytes, may connect."""


async def keep_dialing(
    rpc: Rpc, peers: Sequence[str], may_connect: MayConnect, pause_ms: int = LOOK_MS
) -> None:
    """Have CometBFT call those peers (`id@host:port`) that it has not and may have, for ever."""
    while True:
        await asyncio.sleep(pause_ms / 1_000)
        try:
            connected = await _list_connected(rpc)
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
