"""Asking the nodes of other members for what this one has no blocks of: changes of validators.

A node that joined from a snapshot has no headers from before. Those of others know each hand-over
since genesis, and what they say is verified from genesis on, so it does not matter whom one asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from hansa.contracts.nodes import Node
from hansa.engine.chain import Chain
from hansa.kernel.errors import HansaError, Unavailable
from hansa.kernel.light.trail import verify_header
from hansa.kernel.light.votes import Votes, begin, decode_votes
from hansa.kernel.rows import decode_row
from hansa.node.settings import Settings
from hansa.sdk.async_client import AsyncClient
from hansa.sdk.transport import TlsFiles

ANSWER_S = 15
"""What one node may take; it may itself wait for validators to sign."""
AT_ONCE = 8
"""Nodes that are asked at the same time."""
ALL_S = 40
"""What all may take; the next time goes on with those left."""
TOLD_MAX = 8
"""Nodes of which it is said why they showed nothing."""

AskOne = Callable[[str], Awaitable[Votes | str]]
"""Asks the node at a URL; words where it shows nothing that will do."""


def choose_tls(settings: Settings) -> TlsFiles | None:
    """Choose whom to believe about other members' nodes: `channel.ca`; None for the system's."""
    ca = settings.channel.ca
    return TlsFiles(ca=settings.find_path(ca)) if ca else None


def build_asker(
    chain: Chain, member: bytes, tls: TlsFiles | None
) -> Callable[[int], Awaitable[Votes]]:
    """Build what asks the others for votes at a height of CometBFT, or above.

    One that answers with older votes, since it lags or lies, or does not answer, does not keep the
    rest from being asked.

    Args:
      chain: says where nodes answer.
      member: whose node this is; it is not asked.
      tls: whom to believe about the others.
    """
    turns = Turns()

    async def ask(height: int) -> Votes:
        async def ask_one(url: str) -> Votes | str:
            votes = await _ask(chain, url, tls)
            if isinstance(votes, str) or votes.signed_header.header.height >= height:
                return votes
            return f"shows votes of height {votes.signed_header.header.height}"

        rows = [decode_row(Node, raw) for _, raw in chain.iterate_rows(Node.TABLE)]
        urls = [row.url for row in rows if row.url and row.member != member]
        found = await turns.ask(urls, ask_one)
        if isinstance(found, Votes):
            return found
        raise Unavailable(
            "no other member's node shows how validators from CometBFT's height "
            f"{height} on follow from genesis; asked: {_describe(len(urls), found)}"
        )

    return ask


class Turns:
    """Asks a few nodes at the same time, for a while, and those that were left the next time."""

    def __init__(self) -> None:
        self._next = 0

    async def ask(self, urls: Sequence[str], ask_one: AskOne) -> Votes | dict[str, str]:
        """Ask until one shows what will do; else what was wrong, by URL."""
        first = self._next % max(len(urls), 1)
        left = iter((*urls[first:], *urls[:first]))
        faults: dict[str, str] = {}
        tasks = [asyncio.create_task(_work(left, ask_one, faults)) for _ in range(AT_ONCE)]
        try:
            async with asyncio.timeout(ALL_S):
                for done in asyncio.as_completed(tasks):
                    votes = await done
                    if votes is not None:
                        return votes
        except TimeoutError:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._next = first + len(faults)
        return faults


async def _work(left: Iterator[str], ask_one: AskOne, faults: dict[str, str]) -> Votes | None:
    """Ask one after the other of those that nobody has asked yet."""
    for url in left:
        found = await ask_one(url)
        if isinstance(found, Votes):
            return found
        faults[url] = found
    return None


def _describe(count: int, faults: dict[str, str]) -> str:
    """Say of a few what was wrong, and how many more there are, asked or not yet."""
    if not count:
        return "nobody, as no member has published a URL"
    told = [f"{url} ({fault})" for url, fault in sorted(faults.items())[:TOLD_MAX]]
    if len(faults) > len(told):
        told.append(f"{len(faults) - len(told)} more")
    if count > len(faults):
        told.append(f"not yet: {count - len(faults)}")
    return ", ".join(told)


async def _ask(chain: Chain, url: str, tls: TlsFiles | None) -> Votes | str:
    """Ask one node; what is wrong if it does not answer, or with what does not verify."""
    network = chain.network
    try:
        async with (
            asyncio.timeout(ANSWER_S),
            AsyncClient(url, network.genesis_hash, tls=tls) as client,
        ):
            height = (await client.get_status()).height
            votes = decode_votes(await client.fetch_votes(height))
        verify_header(begin(network), votes.hand_overs, votes.signed_header)
    except HansaError as error:
        return error.message.partition("; ")[0]
    except TimeoutError:
        return f"no answer within {ANSWER_S} s"
    return votes
