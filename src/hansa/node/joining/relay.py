"""Shows CometBFT, while it joins, what the nodes of other members show of its heights.

CometBFT's state sync asks the RPC of other nodes, which here nobody can reach. So this process
answers in their place, on a unix socket in the node's folder, with exactly the three methods that a
light client calls. Headers and validators come from members' APIs, and each header is checked to be
signed by the validators beside it. Whether those are the right ones, CometBFT's light client
checks, from the header on that was verified before (`trust`). What no signature covers there is
whose turn to propose is: so all nodes that answer are compared.

Nobody is asked for consensus parameters: they follow from our genesis, and CometBFT keeps for ever
what it is told here, of which a header's hash covers next to nothing.

Source: CometBFT v0.38, light/provider/http/http.go, light/rpc/client.go,
statesync/stateprovider.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from hansa.engine.cometbft.configuration import build_consensus_parameters
from hansa.engine.cometbft.rpc.light import read_signed_header, read_validators
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.commit import verify_commit
from hansa.kernel.light.trail import compute_chain_id
from hansa.node.joining.trust import ANSWER_S, Source
from hansa.sdk.answers import LightBlock, read

NOT_YET: Final = "must be less than or equal"
"""What CometBFT says of a height that is not there yet."""
POLL_S: Final = 0.5
WAIT_S: Final = 20
"""For such a height; CometBFT itself waits for half a minute."""
KEPT: Final = 64
"""Heights that are remembered."""
SILENT: Final = f"no answer within {ANSWER_S} s"
_INTERNAL_ERROR: Final = -32603
_ASKED: Final = ("commit", "validators")
"""What nodes of members are asked for, by CometBFT's own names."""
_DERIVED: Final = "consensus_params"


class Relay:
    """Answers for CometBFT's heights.

    Args:
      sources: nodes of other members; one that keeps this node waiting is asked no more.
      network: that of this node.
      tell: told in words of what does not fit.
    """

    def __init__(
        self, sources: Sequence[Source], network: Network, tell: Callable[[str], None]
    ) -> None:
        self._sources = list(sources)
        self._chain_id = compute_chain_id(network.genesis_hash)
        self._parameters = build_consensus_parameters(network.limits.batch_bytes)
        self._tell = tell
        self._kept: dict[int, LightBlock] = {}
        self._asking = asyncio.Lock()

    async def fetch(self, height: int, wait_s: float = WAIT_S) -> LightBlock:
        """Fetch what is shown of a height; waits for one that is about to come.

        Raises:
          Unavailable: nobody shows it.
          Invalid: nodes show different things.
        """
        async with self._asking:
            if height not in self._kept:
                found = await self._fetch_waiting(height, wait_s)
                if len(self._kept) >= KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[height] = found
            return self._kept[height]

    async def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a JSON-RPC request of CometBFT's light client."""
        number, method = request.get("id"), request.get("method")
        try:
            if method not in (*_ASKED, _DERIVED):
                raise Invalid(InvalidCode.ARGUMENTS, f"there is no {method} here")
            height = int(request["params"]["height"])
            if method == _DERIVED:
                found = {"block_height": str(height), "consensus_params": self._parameters}
            else:
                found = getattr(await self.fetch(height), method)
        except HansaError as error:
            self._tell(error.message)
            return _refuse(number, error.message)
        except (KeyError, TypeError, ValueError):
            return _refuse(number, "a height is needed")
        return {"jsonrpc": "2.0", "id": number, "result": found}

    @asynccontextmanager
    async def serving(self, path: Path) -> AsyncIterator[None]:
        """Answer on a unix socket, which only the node's owner can reach, as long as this lasts."""

        async def handle(request: web.Request) -> web.Response:
            try:
                asked = msgspec.json.decode(await request.read(), type=dict[str, Any])
            except DECODE_ERRORS:
                asked = {}
            return web.json_response(await self.answer(asked))

        application = web.Application()
        application.add_routes([web.post("/", handle)])
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            _remove(path)  # left by a process that was killed
            await web.UnixSite(runner, str(path)).start()
            yield
        finally:
            await runner.cleanup()
            _remove(path)

    async def _fetch_waiting(self, height: int, wait_s: float) -> LightBlock:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + wait_s
        while True:
            asked = await asyncio.gather(*(self._ask(source, height) for source in self._sources))
            found = [each for each in asked if isinstance(each, LightBlock)]
            if found:
                self._compare(height, asked)
                self._drop_silent(asked)
                return found[0]
            faults = [
                f"{source.url}: {fault}" for source, fault in zip(self._sources, asked, strict=True)
            ]
            is_to_come = any(NOT_YET in fault for fault in faults)
            if not is_to_come or loop.time() >= give_up_s:
                raise Unavailable(
                    f"no node of cometbft.join_from shows CometBFT's height {height}: "
                    f"{'; '.join(faults)}",
                    height=height,
                )
            await asyncio.sleep(POLL_S)

    async def _ask(self, source: Source, height: int) -> LightBlock | str:
        """Ask a node; what is wrong with its answer if something is."""
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await source.client.get(f"/v1/consensus/{height}")
            found = read(LightBlock, answer, source.url)
            signed = read_signed_header(found.commit)
            verify_commit(signed, read_validators(found.validators), self._chain_id)
        except HansaError as error:
            return error.message
        except TimeoutError:
            return SILENT
        if signed.header.height != height:
            return f"an answer about height {signed.header.height}"
        return found

    def _drop_silent(self, asked: Sequence[LightBlock | str]) -> None:
        """Ask those no more that were silent where others answered: they delay each height."""
        for source, each in list(zip(self._sources, asked, strict=True)):
            if each is SILENT:
                self._tell(f"{source.url}: {SILENT}; going on with the others")
                self._sources.remove(source)

    def _compare(self, height: int, asked: Sequence[LightBlock | str]) -> None:
        """Compare what nodes show but for the signatures, of which each has those it got first."""
        shown = [
            (source.url, (each.commit["signed_header"]["header"], each.validators["validators"]))
            for source, each in zip(self._sources, asked, strict=True)
            if isinstance(each, LightBlock)
        ]
        first_url, first = shown[0]
        for url, other in shown[1:]:
            if other != first:
                raise Invalid(
                    InvalidCode.SIGNATURE,
                    f"{first_url} and {url} show different headers or validators of CometBFT's "
                    f"height {height}: one of them lies, or does not follow this network; take it "
                    "out of cometbft.join_from",
                    height=height,
                )


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _refuse(number: object, said: str) -> dict[str, Any]:
    error = {"code": _INTERNAL_ERROR, "message": "Internal error", "data": said}
    return {"jsonrpc": "2.0", "id": number, "error": error}
