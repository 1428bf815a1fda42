"""Asking the nodes of other members for what this one has no blocks of: changes of validators.

A node that joined from a snapshot has no headers from before. Those of others know each hand-over
since genesis, and what they say is verified from genesis on, so it does not matter whom one asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hansa.contracts.nodes import Node
from hansa.engine.chain import Chain
from hansa.kernel.errors import HansaError, Unavailable
from hansa.kernel.light.trail import verify_header
from hansa.kernel.light.votes import Votes, begin, decode_votes
from hansa.kernel.rows import decode_row
from hansa.sdk.async_client import AsyncClient

ANSWER_S = 15
"""What one node may take; it may itself wait for validators to sign."""


def build_asker(chain: Chain, member: bytes) -> Callable[[int], Awaitable[Votes]]:
    """Build what asks the others for votes at a height of CometBFT, or above.

    One that answers with older votes, since it lags or lies, does not keep the rest from being
    asked.

    Args:
      chain: says where nodes answer.
      member: whose node this is; it is not asked.
    """

    async def ask(height: int) -> Votes:
        rows = [decode_row(Node, raw) for _, raw in chain.iterate_rows(Node.TABLE)]
        urls = [row.url for row in rows if row.url and row.member != member]
        faults = []
        for url in urls:
            votes = await _ask(chain, url)
            if isinstance(votes, str):
                faults.append(f"{url} ({votes})")
            elif votes.signed_header.header.height < height:
                shown = votes.signed_header.header.height
                faults.append(f"{url} (shows votes of height {shown})")
            else:
                return votes
        raise Unavailable(
            "no other member's node shows how validators from CometBFT's height "
            f"{height} on follow from genesis; asked: "
            f"{', '.join(faults) or 'nobody, as no member has published a URL'}"
        )

    return ask


async def _ask(chain: Chain, url: str) -> Votes | str:
    """Ask one node; what is wrong if it does not answer, or with what does not verify."""
    network = chain.network
    try:
        async with asyncio.timeout(ANSWER_S), AsyncClient(url, network.genesis_hash) as client:
            height = (await client.get_status()).height
            votes = decode_votes(await client.fetch_votes(height))
        verify_header(begin(network), votes.hand_overs, votes.signed_header)
    except HansaError as error:
        return error.message.partition("; ")[0]
    except TimeoutError:
        return f"no answer within {ANSWER_S} s"
    return votes
