"""How a node begins that has no blocks: CometBFT finds a snapshot, and this takes it in.

CometBFT's light client follows the validators from a block that the operator trusts to the header
that names the snapshot's last one: from that hash everything in the snapshot must follow.

Source: CometBFT v0.38, spec/abci/abci++_methods.md; statesync/syncer.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from hansa.engine.chain import Chain
from hansa.engine.cometbft.application import Application, filter_peer
from hansa.engine.cometbft.batches import Verdicts
from hansa.engine.cometbft.child.process import CometProcess
from hansa.engine.cometbft.home import CometHome
from hansa.engine.cometbft.peering import MayConnect, keep_dialing
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.rpc.answers import Rpc
from hansa.engine.cometbft.rpc.client import CometRpc
from hansa.engine.cometbft.server import Server
from hansa.engine.log import BlockLog
from hansa.engine.snapshots.building import FillableStore
from hansa.engine.snapshots.format import Manifest
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.verification import Verifier
from hansa.kernel.errors import Invalid, Unavailable

OpenChain = Callable[[BlockLog, FillableStore], Chain]


class Patience(NamedTuple):
    """How long nothing may happen, in seconds."""

    search_s: float = 60
    """Until a snapshot is offered that is the trusted one."""
    take_s: float = 150
    """For a chunk, or for the first block behind the snapshot: longer than the two minutes after
    which CometBFT gives a snapshot up for another."""


class Stage(Enum):
    """What a node that joins is at."""

    SEARCHING = "searching"
    TAKING = "taking"
    PROVING = "proving"
    """As long as it takes: the disk and this process alone have work."""
    FOLLOWING = "following"


class JoiningApplication:
    """Answers CometBFT until a snapshot was taken in; another application does from there on."""

    def __init__(
        self,
        restorer: Restorer,
        may_connect: MayConnect,
        follow: Callable[[BlockLog, FillableStore], None],
    ) -> None:
        """Begin with nothing.

        Args:
          restorer: takes the snapshot in.
          may_connect: whether a peer, by its 20 bytes, may connect.
          follow: called with log and store once everything is proved.
        """
        self._restorer = restorer
        self._may_connect = may_connect
        self._follow = follow
        self._height = 0
        self.stage = Stage.SEARCHING
        self.moved = asyncio.Event()
        """Set whenever it has come a step further."""
        self.taken = ""
        """What has been taken, in words."""
        self.refusal = ""
        """Why the last snapshot that was offered was refused."""
        self._senders: set[str] = set()
        """Who sent chunks of the one that is taken."""

    def _move(self, stage: Stage, taken: str) -> None:
        self.stage, self.taken = stage, taken
        self.moved.set()

    async def info(self, _: abci.RequestInfo) -> abci.ResponseInfo:
        """Say that there is nothing yet."""
        return abci.ResponseInfo(data="hansa")

    async def query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """Answer whether a peer may connect; there is nothing else to ask for."""
        return filter_peer(request.path, self._may_connect)

    async def init_chain(self, _: abci.RequestInitChain) -> abci.ResponseInitChain:
        """Refuse to begin at genesis.

        Raises:
          Unavailable: always.
        """
        raise Unavailable(
            "CometBFT begins at genesis instead of a snapshot: its folder holds blocks, or its "
            "config.toml names nobody to join through"
        )

    async def list_snapshots(self, _: abci.RequestListSnapshots) -> abci.ResponseListSnapshots:
        """List none: there is nothing yet."""
        return abci.ResponseListSnapshots()

    async def offer_snapshot(
        self, request: abci.RequestOfferSnapshot
    ) -> abci.ResponseOfferSnapshot:
        """Begin with a snapshot if its header is the one that the light client has verified."""
        offered, answer = request.snapshot, abci.ResponseOfferSnapshot
        try:
            manifest = self._restorer.offer(offered.metadata, request.app_hash)
        except Invalid as error:
            self.refusal = error.message
            return answer(result=answer.REJECT)
        named = (manifest.consensus_height, manifest.version, len(manifest.chunks), manifest.hash)
        if named != (offered.height, offered.format, offered.chunks, offered.hash):
            self.refusal = "its manifest is not the one that was offered"
            return answer(result=answer.REJECT)
        self._height = manifest.height
        self._senders.clear()
        self._move(Stage.TAKING, self._count_chunks(0, manifest))
        return answer(result=answer.ACCEPT)

    def _count_chunks(self, count: int, manifest: Manifest) -> str:
        return f"{count} of {len(manifest.chunks)} chunks of the snapshot of block {self._height}"

    async def apply_snapshot_chunk(
        self, request: abci.RequestApplySnapshotChunk
    ) -> abci.ResponseApplySnapshotChunk:
        """Take a chunk in; after the last one prove everything, and go on from there.

        No honest node has a snapshot that proves to be false, so nobody who sent a chunk of one is
        asked again.
        """
        restorer, answer = self._restorer, abci.ResponseApplySnapshotChunk
        try:
            if not restorer.apply(request.index, request.chunk):
                return answer(
                    result=answer.RETRY,
                    refetch_chunks=[request.index],
                    reject_senders=[request.sender] if request.sender else [],
                )
            self._senders.add(request.sender)
            if not restorer.is_complete:
                self._move(Stage.TAKING, self._count_chunks(request.index + 1, restorer.manifest))
                return answer(result=answer.ACCEPT)
            self._move(Stage.PROVING, f"all chunks of the snapshot of block {self._height}")
            log, store = await asyncio.to_thread(restorer.finish)
            self._follow(log, store)
            self._move(Stage.FOLLOWING, f"the snapshot of block {self._height}, proved")
        except Invalid as error:
            self.refusal = error.message
            self._move(Stage.SEARCHING, "")
            senders = sorted(self._senders - {""})
            return answer(result=answer.REJECT_SNAPSHOT, reject_senders=senders)
        return answer(result=answer.ACCEPT)


async def join(  # noqa: PLR0913 - what a node begins with, each given once
    home: CometHome,
    binary: Path,
    restorer: Restorer,
    open_chain: OpenChain,
    verifier: Verifier,
    may_connect: MayConnect,
    *,
    peers: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
    patience: Patience = Patience(),  # noqa: B008 - a constant
) -> None:
    """Run CometBFT until a snapshot was taken in, and a block executed behind it; then stop it.

    Args:
      home: CometBFT's folder, empty but for keys, genesis and a configuration with `StateSync`.
      binary: the program.
      restorer: of the node's folder.
      open_chain: opens a chain on what was restored.
      verifier: of batches and envelopes.
      may_connect: whether a peer, by its 20 bytes, may connect.
      peers: `id@host:port` of the nodes to stay connected to.
      tell: told in words how far it is.
      patience: how long nothing may happen.

    Raises:
      HansaError: what either process failed of, or nothing happened for too long.
    """
    joined = asyncio.Event()
    chains: list[Chain] = []

    def follow(log: BlockLog, store: FillableStore) -> None:
        chain = open_chain(log, store)
        chains.append(chain)
        server.application = _build_follower(chain, verifier, may_connect, joined)

    application = JoiningApplication(restorer, may_connect, follow)
    server = Server(application)
    try:
        await server.start(home.abci_path)
        async with _running(binary, home) as (process, rpc):
            progress = watch_progress(application, rpc, tell, patience)
            dialing = keep_dialing(rpc, peers, may_connect)
            await _wait(server.watch(), process.watch(), joined.wait(), progress, dialing)
    finally:
        await server.close()
        restorer.close()
        for chain in chains:
            chain.close()


def _build_follower(
    chain: Chain, verifier: Verifier, may_connect: MayConnect, joined: asyncio.Event
) -> Application:
    """Build what executes the first block behind the snapshot; it proposes nothing, at no time."""
    verdicts = Verdicts(verifier)
    return Application(chain, verdicts, may_connect, lambda _: joined.set(), lambda: 0)


@asynccontextmanager
async def _running(binary: Path, home: CometHome) -> AsyncIterator[tuple[CometProcess, CometRpc]]:
    process = await CometProcess.start(binary, home)
    rpc = CometRpc(home.rpc_path)
    try:
        yield process, rpc
    finally:
        await rpc.close()
        await process.stop()


async def _wait(*calls: Coroutine[Any, Any, object]) -> None:
    """Wait for the first that ends, or fails; those that stand first go before the others."""
    tasks = [asyncio.create_task(each) for each in calls]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def watch_progress(
    application: JoiningApplication,
    rpc: Rpc,
    tell: Callable[[str], None],
    patience: Patience,
) -> None:
    """Tell of each step, for ever.

    Raises:
      Unavailable: none follows for too long; says why, as far as this node sees it.
    """
    limits_s = {Stage.SEARCHING: patience.search_s, Stage.PROVING: None}
    while True:
        try:
            async with asyncio.timeout(limits_s.get(application.stage, patience.take_s)):
                await application.moved.wait()
        except TimeoutError:
            raise await _explain(application, rpc) from None
        application.moved.clear()
        if application.taken:
            tell(f"took {application.taken}")


async def _explain(application: JoiningApplication, rpc: Rpc) -> Unavailable:
    """Say why a node does not come to join."""
    if application.stage is Stage.FOLLOWING:
        return Unavailable(f"took {application.taken}, but no block came behind it")
    if application.stage is Stage.TAKING:
        return Unavailable(f"took {application.taken}, but the next one did not come")
    try:
        count = int((await rpc.call("net_info"))["n_peers"])
    except Unavailable:
        count = 0
    if not count:
        return Unavailable(
            "no other node lets this one in: it is not published yet (nodes.publish), or "
            "cometbft.peers of node.toml name nobody who answers"
        )
    last = f"; the last one was refused: {application.refusal}" if application.refusal else ""
    return Unavailable(
        f"of {count} nodes that are connected none offers a snapshot that can be verified{last}"
    )
