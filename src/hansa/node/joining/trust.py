"""From which block a node that joins may begin: found at other members' nodes, and verified here.

Validators are followed from genesis, or from a checkpoint of the operator's, to the header of
CometBFT that names the last block of a snapshot. So it does not matter whom one asks: a node that
lies is found out, and the next one is asked.

Source: docs/reference/light.md; docs/reference/snapshots.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from hansa.kernel.errors import HansaError, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import Checkpoint, Trail
from hansa.kernel.light.votes import Votes, begin, check_votes, decode_votes
from hansa.node.joining.checkpoints import load_checkpoint
from hansa.node.settings import Settings
from hansa.sdk.answers import SnapshotOffered, Snapshots, read
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.transport import TlsFiles

ANSWER_S = 15
"""What one node may take; it may itself wait for validators to sign."""


class Source(NamedTuple):
    """A node that is asked."""

    url: str
    client: AsyncClient


class Trust(NamedTuple):
    """Where a node may begin."""

    snapshot_height: int
    """Of the last block of the newest snapshot that is offered."""
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
    ca = settings.channel.ca
    tls = TlsFiles(ca=settings.find_path(ca)) if ca else None
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


async def find_trust(
    sources: Sequence[Source], network: Network, start: Checkpoint, tell: Callable[[str], None]
) -> Trust:
    """Find the newest snapshot whose last block validators are shown to have signed.

    Args:
      sources: the nodes that are asked.
      network: of this node.
      start: from which validators are followed.
      tell: told of nodes that could not be asked, or show nothing, while others are left.

    Raises:
      Unavailable: nobody offers one, or none of those offered is shown to be signed.
    """
    asked = await asyncio.gather(*(_list_offered(source) for source in sources))
    offered = [
        (found.height, found, source)
        for source, snapshots in zip(sources, asked, strict=True)
        if not isinstance(snapshots, str)
        for found in snapshots
    ]
    if not offered:
        said = (
            f"{source.url} {found if isinstance(found, str) else 'keeps none'}"
            for source, found in zip(sources, asked, strict=True)
        )
        raise Unavailable(
            f"no node of cometbft.join_from offers a snapshot: {'; '.join(said)}. Have one of them "
            "keep snapshots (history.snapshot_every of its node.toml), or take join_from out of "
            "this node's, and it fetches all blocks"
        )
    for source, snapshots in zip(sources, asked, strict=True):
        if isinstance(snapshots, str):
            tell(f"{source.url} {snapshots}; going on with the others")
    faults = []
    for _, found, source in sorted(offered, key=lambda each: -each[0]):
        try:
            return await _verify(source, found, network, start)
        except HansaError as error:
            faults.append(f"block {found.height} at {source.url}: {error.message}")
            tell(f"not joining from {faults[-1]}")
    raise Unavailable(
        f"no snapshot that is offered is shown to be signed by validators: {'; '.join(faults)}"
    )


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
    try:
        async with asyncio.timeout(ANSWER_S):
            block = await source.client.get_block(offered.height)
            votes = decode_votes(await source.client.fetch_votes(offered.height))
    except TimeoutError:
        raise Unavailable(f"no answer within {ANSWER_S} s") from None
    trail = check_votes(network, bytes.fromhex(block.header), votes, start)
    return Trust(offered.height, votes, trail)
