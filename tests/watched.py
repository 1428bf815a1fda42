"""Engines that say of their network what a test wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.ordering import LightBlock, SeenConsensus, SeenPeer, SeenValidator
from hansa.kernel.errors import Unavailable

HEARTBEAT_MS = 30_000
QUIET, PREVOTE = 2, 4


def make_seen(
    consensus_keys: list[bytes],
    peers: list[bytes],
    now_ms: int,
    *,
    voted: Sequence[int] = (20, 20, 20, 20),
    voting: Sequence[int] = (),
    **more: object,
) -> SeenConsensus:
    """Make what the first of these validators sees of the others: a quiet network, no fault.

    Args:
      consensus_keys: of the validators.
      peers: that are connected.
      now_ms: the wall clock.
      voted: the last block that each has voted on.
      voting: whose vote on the next block has come.
      more: what else is to be seen.
    """
    values = {
        "height": 20,
        "block_ms": now_ms,
        "started_ms": now_ms - 60_000,
        "heartbeat_ms": HEARTBEAT_MS,
        "round": 0,
        "step": QUIET,
        "is_catching_up": False,
        "own_key": consensus_keys[0],
        "validators": tuple(
            SeenValidator(each, 100, voted[at], now_ms, is_voting=at in voting)
            for at, each in enumerate(consensus_keys)
        ),
        "peers": tuple(
            SeenPeer(each, is_outbound=bool(at % 2), since_ms=now_ms - 5_000)
            for at, each in enumerate(peers)
        ),
    }
    return SeenConsensus(**{**values, **more})  # type: ignore[arg-type]


class WatchedEngine(EmbeddedEngine):
    """Orders alone, and has validators all the same: those in `seen`."""

    seen: SeenConsensus | None = None
    light_blocks: Mapping[int, LightBlock] = MappingProxyType({})

    async def fetch_consensus(self) -> SeenConsensus | None:
        """Fetch what a test has set; `Unavailable` where that is nothing."""
        if self.seen is None:
            raise Unavailable("CometBFT does not answer")
        return self.seen

    async def fetch_light_block(self, height: int) -> LightBlock | None:
        """Fetch what a test has set."""
        if height not in self.light_blocks:
            raise Unavailable(f"height {height} must be less than or equal to the current one")
        return self.light_blocks[height]
