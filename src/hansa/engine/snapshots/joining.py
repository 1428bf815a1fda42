"""How a node begins that has no blocks: CometBFT finds a snapshot, and this takes it in.

CometBFT's light client follows the validators from a block that the operator trusts to the header
that names the snapshot's last one: from that hash everything in the snapshot must follow.

Source: CometBFT v0.38, spec/abci/abci++_methods.md; statesync/syncer.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from hansa.engine.chain import Chain
from hansa.engine.cometbft.application import Application, filter_peer
from hansa.engine.cometbft.batches import Verdicts
from hansa.engine.cometbft.child.process import CometProcess
from hansa.engine.cometbft.home import CometHome
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.server import Server
from hansa.engine.log import BlockLog
from hansa.engine.snapshots.building import FillableStore
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.verification import Verifier
from hansa.kernel.errors import Invalid, Unavailable

OpenChain = Callable[[BlockLog, FillableStore], Chain]
MayConnect = Callable[[bytes], bool]


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
        except Invalid:
            return answer(result=answer.REJECT)
        named = (manifest.consensus_height, manifest.version, len(manifest.chunks), manifest.hash)
        if named != (offered.height, offered.format, offered.chunks, offered.hash):
            return answer(result=answer.REJECT)
        return answer(result=answer.ACCEPT)

    async def apply_snapshot_chunk(
        self, request: abci.RequestApplySnapshotChunk
    ) -> abci.ResponseApplySnapshotChunk:
        """Take a chunk in; after the last one prove everything, and go on from there."""
        restorer, answer = self._restorer, abci.ResponseApplySnapshotChunk
        try:
            if not restorer.apply(request.index, request.chunk):
                return answer(
                    result=answer.RETRY,
                    refetch_chunks=[request.index],
                    reject_senders=[request.sender] if request.sender else [],
                )
            if restorer.is_complete:
                log, store = await asyncio.to_thread(restorer.finish)
                self._follow(log, store)
        except Invalid:
            return answer(result=answer.REJECT_SNAPSHOT)
        return answer(result=answer.ACCEPT)


async def join(
    home: CometHome,
    binary: Path,
    restorer: Restorer,
    open_chain: OpenChain,
    verifier: Verifier,
    may_connect: MayConnect,
) -> None:
    """Run CometBFT until a snapshot was taken in, and a block executed behind it; then stop it.

    From there on both processes start as they do after any stop.

    Args:
      home: CometBFT's folder, empty but for keys, genesis and a configuration with `StateSync`.
      binary: the program.
      restorer: of the node's folder.
      open_chain: opens a chain on what was restored.
      verifier: of batches and envelopes.
      may_connect: whether a peer, by its 20 bytes, may connect.

    Raises:
      HansaError: what either process failed of.
    """
    joined = asyncio.Event()
    chains: list[Chain] = []

    def follow(log: BlockLog, store: FillableStore) -> None:
        chain = open_chain(log, store)
        chains.append(chain)
        server.application = Application(
            chain,
            Verdicts(verifier),
            may_connect,
            lambda _: joined.set(),
            lambda: 0,  # the time decides what is proposed, and it proposes nothing
        )

    server = Server(JoiningApplication(restorer, may_connect, follow))
    try:
        await server.start(home.abci_path)
        process = await CometProcess.start(binary, home)
        try:
            await _wait(joined, server, process)
        finally:
            await process.stop()
    finally:
        await server.close()
        restorer.close()
        for chain in chains:
            chain.close()


async def _wait(joined: asyncio.Event, server: Server, process: CometProcess) -> None:
    """Wait until the node has joined; a failure here goes before CometBFT's, its effect."""
    tasks = [
        asyncio.create_task(server.watch()),
        asyncio.create_task(process.watch()),
        asyncio.create_task(joined.wait()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
