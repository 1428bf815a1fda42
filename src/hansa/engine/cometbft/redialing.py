"""Calling peers again that are not connected.

CometBFT calls a persistent peer again when it loses it. But where the other side hangs up at once,
as it does with a node that its member has not published yet, the second call finds the first under
way, and no third follows: the node would stay alone until it is started again.

Source: CometBFT v0.38 `p2p/switch.go`, `reconnectToPeer`; `rpc/core/net.go`, `UnsafeDialPeers`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hansa.engine.cometbft.rpc import CometRpc
from hansa.kernel.errors import Unavailable

REDIAL_MS = 5_000


async def keep_dialing(rpc: CometRpc, peers: Sequence[str], pause_ms: int = REDIAL_MS) -> None:
    """Have CometBFT call those peers (`id@host:port`) that it has not, for ever."""
    while True:
        await asyncio.sleep(pause_ms / 1_000)
        try:
            met = await rpc.call("net_info")
            connected = {peer["node_info"]["id"] for peer in met["peers"]}
            missing = [peer for peer in peers if peer.partition("@")[0] not in connected]
            if missing:
                await rpc.call("dial_peers", peers=missing)
        except Unavailable:  # it is starting or stopping, which others watch
            continue
