"""What is known of batches: each is verified once a node, and executed once on the ledger.

A batch arrives with CheckTx, minutes or milliseconds before the block that holds it; its envelopes
are verified meanwhile, in other processes. What a block holds that never arrived alone is verified
then.

An envelope is executed once anyway, by its nonce. But a batch that came again would count against
its sponsor's quota and lie in every log, and any validator could propose it again and again. So a
batch that was in a block of the last fifteen minutes is admitted to none of the next. Nor is one of
which no envelope says to be still valid, which each older one is: a batch with an envelope that is
valid further ahead than fifteen minutes is in no block. Nor is one that its sponsor may not bring
in, or that is too large for what the block has left. All this depends on blocks alone, so a batch
is proposed, accepted and executed by one rule. What is admitted lies in the log, and is charged to
its sponsor, forged envelopes as well.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from typing import NamedTuple

from hansa.engine.chain import Chain
from hansa.engine.cometbft.configuration import MEMPOOL_BATCHES, MEMPOOL_BYTES
from hansa.engine.ordering import OrderedBatches
from hansa.engine.verification import Verifier
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.kernel.frame import Frame, check_frame
from hansa.kernel.genesis import Network
from hansa.kernel.machine.admission import check_times
from hansa.kernel.transaction import Verdict

REMEMBERED_MAX = 20_000
"""Batches; of those beyond it the ones that came longest ago are verified again if they come."""
REMEMBERED_BYTES_MAX = 2 * MEMPOOL_BYTES
"""Bytes of the batches whose verdicts are remembered, twice what CometBFT's mempool holds; a
verdict takes less than half of its batch, which is held as well until it is there."""


class _Remembered(NamedTuple):
    found: asyncio.Future[Verdict]
    size: int
    """Bytes of the batch."""


class Verdicts:
    """Verdicts by the hash of a batch; at most so many, and of so many bytes of batches."""

    def __init__(
        self,
        verifier: Verifier,
        remembered_max: int = REMEMBERED_MAX,
        bytes_max: int = REMEMBERED_BYTES_MAX,
    ) -> None:
        self._verifier = verifier
        self._remembered_max = remembered_max
        self._bytes_max = bytes_max
        self._known: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._bytes = 0
        self._awaited: Counter[asyncio.Future[Verdict]] = Counter()

    def remember(self, key: bytes, raw: bytes, verdict: Verdict) -> None:
        """Take over what was found out elsewhere in this node."""
        found: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        found.set_result(verdict)
        self._keep(key, raw, found)

    def begin(self, key: bytes, raw: bytes) -> None:
        """Have a batch verified beside, unless it was or is being verified."""
        if key not in self._known:
            task = asyncio.get_running_loop().create_task(self._verifier.check_batch(raw))
            task.add_done_callback(lambda done: self._drop_failed(key, done))
            self._keep(key, raw, task)

    def hurry(self, key: bytes, raw: bytes) -> None:
        """Do as `begin`, and before all that no block waits for."""
        self.begin(key, raw)  # it waits for its turn from the loop's next step on
        if not self._known[key].found.done():
            asyncio.get_running_loop().call_soon(self._verifier.hurry, raw)

    def find(self, key: bytes) -> Verdict | None:
        """Find a verdict that is there already."""
        known = self._known.get(key)
        if known is None:
            return None
        found = known.found
        if not found.done() or found.cancelled() or found.exception():
            return None
        return found.result()

    async def get(self, key: bytes, raw: bytes) -> Verdict:
        """Get a batch's verdict, once it is there.

        Raises:
          Unavailable: verifying failed twice, for reasons of this machine.
        """
        try:
            return await self._await(key, raw)
        except Unavailable:  # a verifying process died; others have taken its place
            return await self._await(key, raw)

    async def _await(self, key: bytes, raw: bytes) -> Verdict:
        self.begin(key, raw)
        found = self._known[key].found
        self._awaited[found] += 1
        try:
            return await asyncio.shield(found)
        finally:
            self._awaited[found] -= 1
            if not self._awaited[found]:
                del self._awaited[found]

    def forget(self, key: bytes) -> None:
        """Forget a batch that comes no more; it is not verified if nobody else waits for that."""
        known = self._known.pop(key, None)
        if known is None:
            return
        self._bytes -= known.size
        if known.found not in self._awaited:
            known.found.cancel()  # of no effect if the verdict is there

    def _keep(self, key: bytes, raw: bytes, found: asyncio.Future[Verdict]) -> None:
        self.forget(key)
        self._known[key] = _Remembered(found, len(raw))
        self._bytes += len(raw)
        while len(self._known) > self._remembered_max or self._bytes > self._bytes_max:
            oldest = next(iter(self._known))
            if oldest == key:  # whatever it takes
                break
            self.forget(oldest)

    def _drop_failed(self, key: bytes, done: asyncio.Future[Verdict]) -> None:
        known = self._known.get(key)
        if known is not None and known.found is done and (done.cancelled() or done.exception()):
            self.forget(key)


class Frames:
    """Frames by the hash of a batch, each checked once; at most `remembered_max` of them."""

    def __init__(self, network: Network, remembered_max: int = REMEMBERED_MAX) -> None:
        self._network = network
        self._remembered_max = remembered_max
        self._known: OrderedDict[bytes, Frame] = OrderedDict()

    def read(self, key: bytes, raw: bytes) -> Frame:
        """Read a batch's frame, and check its sponsor's signature, unless that was done before.

        Raises:
          Invalid: the batch as a whole.
        """
        frame = self._known.get(key)
        if frame is None:
            frame = self._known[key] = check_frame(raw, self._network, verify_many)
            if len(self._known) > self._remembered_max:
                self._known.popitem(last=False)
        return frame

    def forget(self, key: bytes) -> None:
        """Forget a batch that comes no more."""
        self._known.pop(key, None)


class Shares:
    """What each sponsor's batches take of CometBFT's mempool: none fills more than half of it.

    Counted anew from each block on, as CometBFT asks again then of all that still waits, and drops
    batches without a word where it has no room for them.
    """

    def __init__(
        self, batches_max: int = MEMPOOL_BATCHES // 2, bytes_max: int = MEMPOOL_BYTES // 2
    ) -> None:
        self._batches_max = batches_max
        self._bytes_max = bytes_max
        self._counted: dict[bytes, tuple[bytes, int]] = {}
        self._batches: Counter[bytes] = Counter()
        self._bytes: Counter[bytes] = Counter()

    def begin(self) -> None:
        """Begin to count anew, after a block."""
        self._counted.clear()
        self._batches.clear()
        self._bytes.clear()

    def count(self, key: bytes, sponsor: bytes, size: int, *, is_new: bool) -> bool:
        """Count a batch that waits, once; False for a new one beyond its sponsor's half.

        A sponsor's first may wait, whatever its size.
        """
        if key in self._counted:
            return True
        batches, size_after = self._batches[sponsor], self._bytes[sponsor] + size
        if is_new and batches and (batches >= self._batches_max or size_after > self._bytes_max):
            return False
        self._counted[key] = sponsor, size
        self._batches[sponsor] += 1
        self._bytes[sponsor] += size
        return True

    def forget(self, key: bytes) -> None:
        """Count a batch no more."""
        sponsor, size = self._counted.pop(key, (b"", 0))
        if size:
            self._batches[sponsor] -= 1
            self._bytes[sponsor] -= size


class BlockAdmission:
    """Says batch by batch what may stand in a block, by the frames of batches alone.

    It depends on genesis, the blocks so far and the block's time: what one honest node proposes is
    what all others accept, and execute.

    Raises:
      Unavailable: this program lacks the rules that are in force for the block.
    """

    def __init__(self, chain: Chain, frames: Frames, ordered: OrderedBatches, time_ms: int) -> None:
        chain.machine.check_rules()
        self._time_ms = max(time_ms, chain.head.time_ms)
        self._sponsors = chain.machine.begin_admission(self._time_ms)
        self._frames = frames
        self._ordered = ordered
        self._admitted: set[bytes] = set()

    def admit(self, key: bytes, raw: bytes) -> None:
        """Admit a batch to the block.

        Raises:
          Invalid: it cannot be read, is forged, comes twice, was in a block before, has nothing
            that says to be valid at the block's time, or something that says to be too far ahead of
            it, its sponsor may not bring it in, or the block is too full for it.
        """
        if key in self._admitted or key in self._ordered:
            raise Invalid(InvalidCode.NONCE_USED, "this very batch was in a block before")
        frame = self._frames.read(key, raw)
        check_times(frame.last_end_ms, self._time_ms, self._time_ms)
        self._sponsors.admit(frame.claim)
        self._admitted.add(key)
