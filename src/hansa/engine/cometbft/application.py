"""The application that CometBFT runs: it orders batches, and this executes and keeps them.

    CheckTx          one batch arrives: frame, sponsor's signature and standing; its envelopes are
                     verified beside
    PrepareProposal  this node proposes: of the batches that are verified, those that a block of
                     this time may hold, in their order
    ProcessProposal  another proposes: the same rule must admit all of its batches
    FinalizeBlock    a block is decided: what the rule admits is executed in memory, its hash
                     answered
    Commit           ... and made durable, then whoever waits is answered

An empty block of CometBFT makes none here, so that a quiet network writes nothing, but for one that
closes as a checkpoint what came since the last: then that is proved, too. Hansa counts its own
heights, and a block's record names the height it had there. The hash that CometBFT's header
carries (app_hash) is that of our newest header; the one after block h stands in header h + 1.

Source: CometBFT v0.38, spec/abci/abci++_methods.md and abci++_app_requirements.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import starmap
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from hansa.engine.chain import Chain
from hansa.engine.cometbft.batches import (
    BlockAdmission,
    Frames,
    Shares,
    Verdicts,
)
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.repeating import Repeat, Standing, Validators
from hansa.engine.cometbft.rpc.status import Attendance
from hansa.engine.ordering import OrderedBatches, compute_key, execute_with_pauses
from hansa.engine.snapshots.keeping import Keeper
from hansa.kernel.errors import Corrupt, HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.light.trail import compute_chain_id
from hansa.kernel.machine.admission import check_times
from hansa.kernel.machine.execution import BlockResult
from hansa.kernel.transaction import CheckedBatch, build_checked
from hansa.kernel.values import NODE_PEERS_MAX

CODE_OK = 0
CODE_LEFT_OUT = 1
"""Of a transaction in a block. The same for each reason, so that the log knows it for ever."""
CODE_BAD_PATH = 1
CODE_NOT_FOUND = 2
CODE_STRANGER = 3
CODESPACE = "hansa"
FILTER_PREFIX = "/p2p/filter/"
FILTER_ID_PREFIX = f"{FILTER_PREFIX}id/"
ROW_PATH = "/row"
NS_PER_MS = 1_000_000
INITIAL_HEIGHT = 1
LAG_MS = 10_000
"""By which a block's time may be behind the clock: far above the time of a block under load."""
_ALARMS = logging.getLogger("hansa.alarms")
_CODES = {code: number for number, code in enumerate(InvalidCode, start=1)}
CODE_BUSY = len(_CODES) + 1
"""CheckTx of a batch that may wait later."""
_BUSY = "half of what may wait for a block is of this sponsor already: send again in a moment"


class Executed(NamedTuple):
    """A block of CometBFT that was executed and is not committed yet."""

    consensus_height: int
    result: BlockResult | None
    """None if it held no batch."""
    batches: list[CheckedBatch]
    keys: list[bytes]
    """Of the batches."""
    updates: Validators
    """What CometBFT is told of validators after it."""
    left_out: list[bytes]
    """Keys of the batches that the block holds and that were not executed."""
    time_ms: int


class Application:
    """Executes what CometBFT orders. Its methods are ABCI's; the server calls one at a time."""

    def __init__(  # noqa: PLR0913 - what it is made of, each given once
        self,
        chain: Chain,
        verdicts: Verdicts,
        may_connect: Callable[[bytes], bool],
        confirmed: Callable[[Executed], None],
        clock_ms: Callable[[], int],
        keeper: Keeper | None = None,
        repeat: Repeat | None = None,
        dropped: Callable[[bytes, HansaError], None] = lambda _key, _error: None,
        standing: Standing | None = None,
    ) -> None:
        """Bring a chain under CometBFT.

        Args:
          chain: of a voted network.
          verdicts: what is known of batches.
          may_connect: whether a peer, by its 20 bytes, may connect.
          confirmed: called with each block once it is durable.
          clock_ms: what the time is; it decides what is proposed, and nothing that is executed.
          keeper: of the snapshots that others may start from, and of what is pruned.
          repeat: answers for the blocks that the chain has and CometBFT lacks.
          dropped: called with a batch's key when CheckTx refuses it, and why.
          standing: up to where it is told to go on after a start; the log's end if not given.
        """
        self.chain = chain
        self._verdicts = verdicts
        self._may_connect = may_connect
        self._confirmed = confirmed
        self._clock_ms = clock_ms
        self._keeper = keeper
        self._repeat = repeat
        self._dropped = dropped
        self.frames = Frames(chain.network)
        """Of the batches that came lately."""
        self._shares = Shares()
        self.attendance = Attendance()
        """When each validator voted last."""
        self._executed: Executed | None = None
        self.ordered = OrderedBatches.read(chain)
        self._standing = standing or Standing(chain)
        self.consensus_height = self._standing.height
        """Of the last block that CometBFT committed here, empty ones since the start included."""
        self._passed_ms = 0

    @property
    def passed_ms(self) -> int:
        """Ledger time up to which this node has all blocks, also empty ones of CometBFT.

        No later block has that time. What is over by then must not wait: CometBFT would offer it
        to each proposer, none would take it, and nothing that waits behind it would get in.
        """
        return max(self._passed_ms, self.chain.head.time_ms)

    @property
    def is_between_blocks(self) -> bool:
        """Whether nothing was executed that is not durable: CometBFT could be another one next."""
        return self._executed is None and self._repeat is None

    async def info(self, _: abci.RequestInfo) -> abci.ResponseInfo:
        """Say where this node stands; CometBFT replays what came after.

        After a start that is the last block that held batches, or an empty one behind it that was
        noted; the empty ones from there on change nothing, and are replayed.
        """
        if self._repeat is not None:
            return abci.ResponseInfo(data="hansa")
        return abci.ResponseInfo(
            data="hansa",
            last_block_height=self.consensus_height,
            last_block_app_hash=self.chain.machine.head_hash if self.consensus_height else b"",
        )

    async def init_chain(self, request: abci.RequestInitChain) -> abci.ResponseInitChain:
        """Compare CometBFT's genesis with ours, and answer the hash of block 0.

        Raises:
          Corrupt: they are not of the same network.
        """
        chain_id = compute_chain_id(self.chain.network.genesis_hash)
        first = self._repeat
        ours = first.validators if first else self.chain.machine.list_validators()
        theirs = sorted((each.pub_key.ed25519, each.power) for each in request.validators)
        if (request.chain_id, theirs, request.initial_height) != (
            chain_id,
            list(ours),
            INITIAL_HEIGHT,
        ):
            raise Corrupt(
                "CometBFT's genesis is not made from this network's genesis.bin: stop the node, "
                "and have it written again",
                chain_id=request.chain_id,
            )
        app_hash = first.app_hash if first else self.chain.machine.head_hash
        return abci.ResponseInitChain(app_hash=app_hash)

    async def check_tx(self, request: abci.RequestCheckTx) -> abci.ResponseCheckTx:
        """Let a batch of a member wait for a block; begin to verify its envelopes.

        After each block CometBFT asks again of what still waits, and drops what is refused then:
        nobody will propose it any more.
        """
        raw = request.tx
        key = compute_key(raw)
        is_new = request.type == abci.RequestCheckTx.NEW
        passed_ms = self.passed_ms
        time_ms = max(passed_ms, self._clock_ms())
        try:
            self._require_new(key)
            frame = self.frames.read(key, raw)
            check_times(frame.last_end_ms, passed_ms, time_ms)
            self.chain.machine.check_sponsor(frame.claim, time_ms)
        except Invalid as error:
            if not is_new:
                self._forget(key)
            self._dropped(key, error)
            return abci.ResponseCheckTx(
                code=_CODES[error.code], log=error.message, codespace=CODESPACE
            )
        if not self._shares.count(key, frame.claim.sponsor, len(raw), is_new=is_new):
            self._dropped(key, Unavailable(_BUSY))
            return abci.ResponseCheckTx(code=CODE_BUSY, log=_BUSY, codespace=CODESPACE)
        self._verdicts.begin(key, raw)
        return abci.ResponseCheckTx()

    async def prepare_proposal(
        self, request: abci.RequestPrepareProposal
    ) -> abci.ResponsePrepareProposal:
        """Propose batches that are verified; if none is, wait for the first.

        So no validator waits long for the verifying of what this one has not verified itself. The
        first block stays empty, and so does one after a time without blocks: its time is that of
        the votes before it, at which what is sent now would be too far ahead. The next block has
        the time of the votes on this one.
        """
        if request.height == INITIAL_HEIGHT or self._lags(request.time):
            return abci.ResponsePrepareProposal()
        keyed = [(compute_key(raw), raw) for raw in request.txs]
        for key, raw in keyed:
            self._verdicts.begin(key, raw)
        if not any(self._verdicts.find(key) for key, _ in keyed):
            for key, raw in keyed:
                self._verdicts.hurry(key, raw)
                if (await self._verdicts.get(key, raw)).rejected is None:
                    break
        admission = self._begin_admission(request.time)
        proposed: list[bytes] = []
        room = request.max_tx_bytes
        for key, raw in keyed:
            if self._verdicts.find(key) is None:
                continue
            size = _compute_proto_bytes(raw)
            if size > room:
                break
            with suppress(Invalid):
                admission.admit(key, raw)
                proposed.append(raw)
                room -= size
        return abci.ResponsePrepareProposal(txs=proposed)

    def _lags(self, time: Timestamp) -> bool:
        """Whether a block's time is that of long ago, by this machine's clock."""
        return self._clock_ms() - _read_ms(time) > LAG_MS

    async def process_proposal(
        self, request: abci.RequestProcessProposal
    ) -> abci.ResponseProcessProposal:
        """Refuse a block with a batch that no honest validator proposes."""
        admission = self._begin_admission(request.time)
        keyed = [(compute_key(raw), raw) for raw in request.txs]
        try:
            for key, raw in keyed:
                admission.admit(key, raw)
        except Invalid:
            return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.REJECT)
        for key, raw in keyed:
            self._verdicts.hurry(key, raw)
        return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.ACCEPT)

    def _begin_admission(self, time: Timestamp) -> BlockAdmission:
        return BlockAdmission(self.chain, self.frames, self.ordered, _read_ms(time))

    def _require_new(self, key: bytes) -> None:
        if key in self.ordered:
            raise Invalid(InvalidCode.NONCE_USED, "this very batch was in a block before")

    async def finalize_block(
        self, request: abci.RequestFinalizeBlock
    ) -> abci.ResponseFinalizeBlock:
        """Execute a decided block in memory.

        Batches that no honest validator proposes are left out, by every node alike, though more
        than two thirds of the power should have voted for them.
        """
        self.attendance.note(request)
        if self._repeat is not None and request.height <= self._repeat.until:
            return self._repeat_block(self._repeat, request)
        _tell_misbehavior(request)
        keyed = [(compute_key(raw), raw) for raw in request.txs]
        admission = self._begin_admission(request.time)
        admitted: dict[bytes, bytes] = {}
        for key, raw in keyed:
            with suppress(Invalid):
                admission.admit(key, raw)
                admitted[key] = raw
                self._verdicts.hurry(key, raw)
        verdicts = await asyncio.gather(*starmap(self._verdicts.get, admitted.items()))
        network = self.chain.network
        batches = {
            key: build_checked(raw, verdict, network)
            for (key, raw), verdict in zip(admitted.items(), verdicts, strict=True)
        }
        result = None
        updates: Validators = ()
        time_ms = _read_ms(request.time)
        if batches or self.chain.machine.is_checkpoint_due(time_ms):
            before = self.chain.machine.list_validators()
            result = await execute_with_pauses(self.chain, time_ms, list(batches.values()))
            updates = list_updates(before, self.chain.machine.list_validators())
        left_out = [key for key, _ in keyed if key not in batches]
        self._executed = Executed(
            request.height,
            result,
            list(batches.values()),
            list(batches),
            updates,
            left_out,
            time_ms,
        )
        is_executed = (key in batches for key, _ in keyed)
        return _build_finalized(is_executed, updates, self.chain.machine.head_hash)

    def _repeat_block(
        self, repeat: Repeat, request: abci.RequestFinalizeBlock
    ) -> abci.ResponseFinalizeBlock:
        """Answer for a block that was executed and logged before CometBFT lost it."""
        record = repeat.take(request.height, list(request.txs))
        time_ms = _read_ms(request.time)
        self._executed = Executed(request.height, None, [], [], (), [], time_ms)
        executed = set() if record is None else set(record.batches)
        updates = () if record is None else record.validator_updates
        return _build_finalized((raw in executed for raw in request.txs), updates, repeat.app_hash)

    async def commit(self, _: abci.RequestCommit) -> abci.ResponseCommit:
        """Make the executed block durable; only then is anybody answered."""
        executed = self._executed
        if executed is None:
            raise Corrupt("CometBFT commits a block that it has not had executed")
        self._executed = None
        if executed.result is not None:
            self.chain.append(
                executed.result,
                executed.batches,
                executed.consensus_height,
                tuple(executed.updates),
            )
            await asyncio.get_running_loop().run_in_executor(None, self.chain.sync)
            header = executed.result.header
            for key in executed.keys:
                self.ordered.add(key, header.time_ms, header.height)
        self._passed_ms = executed.time_ms
        if self._repeat is not None and executed.consensus_height >= self._repeat.until:
            self._repeat.end()
            self._repeat = None
        if self._repeat is None:
            is_in_log = executed.result is not None
            self._standing.advance(executed.consensus_height, is_in_log=is_in_log)
        self.consensus_height = max(self.consensus_height, executed.consensus_height)
        for key in (*executed.keys, *executed.left_out):
            self._forget(key)
        self._shares.begin()
        self._confirmed(executed)
        keeper = self._keeper
        retain_height = 0 if keeper is None else keeper.compute_retain_height(self._standing.height)
        return abci.ResponseCommit(retain_height=retain_height)

    def _forget(self, key: bytes) -> None:
        self._verdicts.forget(key)
        self._shares.forget(key)
        self.frames.forget(key)

    async def query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """Answer whether a peer may connect, or a row as of the last checkpoint."""
        path = request.path
        if path.startswith(FILTER_PREFIX):
            return filter_peer(path, self._may_connect)
        if path != ROW_PATH:
            said = f"there is nothing at {path[:100]}: ask {ROW_PATH}, or the node's own API"
            return abci.ResponseQuery(code=CODE_BAD_PATH, log=said, codespace=CODESPACE)
        row = self.chain.get_row(request.data)
        height = self.chain.store.pending_height
        if row is None:
            said = "there is no row with this key"
            return abci.ResponseQuery(
                code=CODE_NOT_FOUND, log=said, codespace=CODESPACE, key=request.data, height=height
            )
        return abci.ResponseQuery(key=request.data, value=row, height=height)

    async def extend_vote(self, _: abci.RequestExtendVote) -> abci.ResponseExtendVote:
        """Add nothing to votes: genesis does not enable it."""
        return abci.ResponseExtendVote()

    async def verify_vote_extension(
        self, _: abci.RequestVerifyVoteExtension
    ) -> abci.ResponseVerifyVoteExtension:
        """Accept what others add to votes, which counts for nothing."""
        return abci.ResponseVerifyVoteExtension(status=abci.ResponseVerifyVoteExtension.ACCEPT)

    async def list_snapshots(self, _: abci.RequestListSnapshots) -> abci.ResponseListSnapshots:
        """List what others may start from."""
        found = [] if self._keeper is None else self._keeper.shelf.list()
        return abci.ResponseListSnapshots(
            snapshots=[
                abci.Snapshot(
                    height=manifest.consensus_height,
                    format=manifest.version,
                    chunks=len(manifest.chunks),
                    hash=manifest.hash,
                    metadata=manifest.encoded(),
                )
                for manifest in found
            ]
        )

    async def offer_snapshot(self, _: abci.RequestOfferSnapshot) -> abci.ResponseOfferSnapshot:
        """Refuse: this node has a chain already."""
        return abci.ResponseOfferSnapshot(result=abci.ResponseOfferSnapshot.ABORT)

    async def load_snapshot_chunk(
        self, request: abci.RequestLoadSnapshotChunk
    ) -> abci.ResponseLoadSnapshotChunk:
        """Load a part of a snapshot; an empty one where it is not kept any more."""
        if self._keeper is None:
            return abci.ResponseLoadSnapshotChunk()
        shelf = self._keeper.shelf
        try:
            for manifest in shelf.list():
                named = (manifest.consensus_height, manifest.version)
                if named == (request.height, request.format):
                    chunk = shelf.load_chunk(manifest.height, request.chunk)
                    return abci.ResponseLoadSnapshotChunk(chunk=chunk)
        except NotFound:  # dropped meanwhile
            pass
        return abci.ResponseLoadSnapshotChunk()

    async def apply_snapshot_chunk(
        self, _: abci.RequestApplySnapshotChunk
    ) -> abci.ResponseApplySnapshotChunk:
        """Refuse: this node has a chain already."""
        return abci.ResponseApplySnapshotChunk(result=abci.ResponseApplySnapshotChunk.ABORT)


def filter_peer(path: str, may_connect: Callable[[bytes], bool]) -> abci.ResponseQuery:
    """Answer CometBFT's question whether a peer may connect."""
    if path.startswith(FILTER_ID_PREFIX):
        try:
            is_known = may_connect(bytes.fromhex(path.removeprefix(FILTER_ID_PREFIX)))
        except ValueError:
            is_known = False
    else:
        is_known = path.startswith(FILTER_PREFIX)  # by address: who it is, its id says
    if is_known:
        return abci.ResponseQuery()
    said = f"only nodes that members have published may connect, {NODE_PEERS_MAX} of one at a time"
    return abci.ResponseQuery(code=CODE_STRANGER, log=said, codespace=CODESPACE)


def list_updates(before: Validators, after: Validators) -> Validators:
    """List how one set of validators becomes another, sorted by key; power 0 removes.

    They take effect two blocks of CometBFT later.
    """
    powers = dict(after)
    changed = {key: 0 for key, _ in before if key not in powers}
    changed |= {key: power for key, power in after if (key, power) not in before}
    return sorted(changed.items())


def _build_finalized(
    is_executed: Iterable[bool], updates: Validators, app_hash: bytes
) -> abci.ResponseFinalizeBlock:
    return abci.ResponseFinalizeBlock(
        tx_results=[
            abci.ExecTxResult(code=CODE_OK if each else CODE_LEFT_OUT) for each in is_executed
        ],
        validator_updates=[
            abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=key), power=power)
            for key, power in updates
        ],
        app_hash=app_hash,
    )


def _tell_misbehavior(request: abci.RequestFinalizeBlock) -> None:
    for found in request.misbehavior:
        _ALARMS.error(
            "validator %s signed twice at height %d of CometBFT: its key is copied or stolen; "
            "have its member publish another one",
            found.validator.address.hex(),
            found.height,
        )


def _read_ms(time: Timestamp) -> int:
    return time.seconds * 1_000 + time.nanos // NS_PER_MS


def _compute_proto_bytes(raw: bytes) -> int:
    """Compute what a transaction takes in a block: a tag, its length as a varint, its bytes."""
    return 1 + max(1, (len(raw).bit_length() + 6) // 7) + len(raw)
