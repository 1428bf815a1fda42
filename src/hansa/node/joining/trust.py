"""From which block a node that joins may begin: found at other members' nodes, and verified here.

Validators are followed from genesis, or from a checkpoint of the operator's, to the header of
CometBFT that names the last block of a snapshot. So it does not matter whom one asks: a node that
lies is found out, and what others show is taken.

Source: docs/reference/light.md; docs/reference/snapshots.md.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from hansa.kernel.errors import HansaError, Invalid, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import Checkpoint, Trail
from hansa.kernel.light.votes import Votes, begin, check_votes, decode_votes
from hansa.node.joining.checkpoints import load_checkpoint
from hansa.node.network.asking import choose_tls
from hansa.node.settings import Settings
from hansa.sdk.answers import SnapshotOffered, Snapshots, read
from hansa.sdk.async_client import AsyncClient

ANSWER_S = 15
"""What one node may take; it may itself wait for validators to sign."""
OFFERS_MAX = 3
"""Snapshots of one node that are tried."""


class Source(NamedTuple):
    """A node that is asked."""

    url: str
    client: AsyncClient


class Trust(NamedTuple):
    """Where a node may begin."""

    snapshot_height: int
    """Of the last block of the newest snapshot that a node offers."""
    votes: Votes
    trail: Trail
    """To CometBFT's header that names that block."""

    @property
    def height(self) -> int:
        """Of that header."""
        return self.trail.end.height

    @property
    def hash(self) -> bytes:
        """Of that header."""
        return self.votes.signed_header.header.compute_hash()


@asynccontextmanager
async def open_sources(settings: Settings, network: Network) -> AsyncIterator[list[Source]]:
    """Open clients of the nodes that the settings name, `cometbft.join_from`.

    Raises:
      HansaError: `channel.ca` names no file that can be used.
    """
    tls = choose_tls(settings)
    async with AsyncExitStack() as stack:
        yield [
            Source(
                url,
                await stack.enter_async_context(AsyncClient(url, network.genesis_hash, tls=tls)),
            )
            for url in settings.cometbft.join_from
        ]


def load_start(settings: Settings, network: Network) -> Checkpoint:
    """Load what is trusted from the start: the operator's checkpoint, or genesis.

    Raises:
      NotFound: there is no such file.
      Invalid: it is no checkpoint, or of another network.
    """
    name = settings.cometbft.join_checkpoint
    if not name:
        return begin(network)
    return load_checkpoint(settings.find_path(name), network)


async def find_trusts(
    sources: Sequence[Source], network: Network, start: Checkpoint, tell: Callable[[str], None]
) -> list[Trust]:
    """Find the newest snapshot of each node whose last block validators are shown to have signed.

    All are asked at the same time, and each is asked little, so none keeps this node from what
    another shows. The newest come first, and one of each height.

    Args:
      sources: the nodes that are asked.
      network: of this node.
      start: from which validators are followed.
      tell: told of nodes that could not be asked, or show nothing, while others are left.

    Raises:
      Unavailable: nobody offers one, or none of those offered is shown to be signed.
    """
    asked = await asyncio.gather(*(_ask(source, network, start) for source in sources))
    found = {each.height: each for each in asked if isinstance(each, Trust)}
    faults = [each for each in asked if isinstance(each, _Fault)]
    if found:
        for fault in faults:
            tell(f"{fault.said}; going on with the others")
        return [found[height] for height in sorted(found, reverse=True)]
    said = "; ".join(fault.said for fault in faults)
    if any(fault.is_offer for fault in faults):
        raise Unavailable(
            f"no snapshot that is offered is shown to be signed by validators: {said}"
        )
    raise Unavailable(
        f"no node of cometbft.join_from offers a snapshot: {said}. Have one of them "
        "keep snapshots (history.snapshot_every of its node.toml), or take join_from out of "
        "this node's, and it fetches all blocks"
    )


class _Fault(NamedTuple):
    """Why a node shows nothing."""

    said: str
    """With the node's URL."""
    is_offer: bool
    """Whether it offers snapshots."""


async def _ask(source: Source, network: Network, start: Checkpoint) -> Trust | _Fault:
    """Find the newest snapshot of one node that is shown to be signed.

    Votes on its newest block may not be there yet: then the snapshot before is tried. A node that
    shows what is wrong, or nothing in time, is asked for nothing more.
    """
    offered = await _list_offered(source)
    if isinstance(offered, str):
        return _Fault(f"{source.url} {offered}", is_offer=False)
    if not offered:
        return _Fault(f"{source.url} keeps none", is_offer=False)
    said = []
    for each in heapq.nlargest(OFFERS_MAX, offered, key=lambda one: one.height):
        named = f"block {each.height} at {source.url}"
        try:
            async with asyncio.timeout(ANSWER_S):
                return await _verify(source, each, network, start)
        except (Invalid, TimeoutError) as error:
            late = f"no answer within {ANSWER_S} s"
            said.append(f"{named}: {error.message if isinstance(error, Invalid) else late}")
            break
        except HansaError as error:
            said.append(f"{named}: {error.message}")
    return _Fault("; ".join(said), is_offer=True)


async def _list_offered(source: Source) -> list[SnapshotOffered] | str:
    """List what a node offers; what it says instead if it does not answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            found = await source.client.get("/v1/snapshots")
        return read(Snapshots, found, source.url).snapshots
    except HansaError as error:
        return f"cannot be asked: {error.message.partition('; ')[0]}"
    except TimeoutError:
        return f"has not answered within {ANSWER_S} s"


async def _verify(
    source: Source, offered: SnapshotOffered, network: Network, start: Checkpoint
) -> Trust:
    block = await source.client.get_block(offered.height)
    votes = decode_votes(await source.client.fetch_votes(offered.height))
    trail = check_votes(network, bytes.fromhex(block.header), votes, start)
    return Trust(offered.height, votes, trail)
