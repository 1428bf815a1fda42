"""What is known of batches: each is verified once a node, and executed once on the ledger.

A batch arrives with CheckTx, minutes or milliseconds before the block that holds it; its envelopes
are verified meanwhile, in other processes. What a block holds that never arrived alone is verified
then.

An envelope is executed once anyway, by its nonce. But a batch that came again would count against
its sponsor's quota and lie in every log, and any validator could propose it again and again. So a
batch that was in a block of the last fifteen minutes is left out of the next ones; of an older one
the envelopes have expired, but for those that were too far ahead, and a batch without any that is
still valid is left out, too. This depends on blocks alone, so all nodes leave out the same.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict, deque
from typing import Self

from hansa.engine.chain import Chain
from hansa.engine.verification import Verifier
from hansa.kernel.block import decode_header
from hansa.kernel.errors import Invalid, Unavailable
from hansa.kernel.genesis import VALIDITY_MAX_MS
from hansa.kernel.transaction import CheckedBatch, Verdict

REMEMBERED_MAX = 20_000
"""Batches; of those beyond it the ones asked for longest ago are verified again if they come."""


def compute_key(raw: bytes) -> bytes:
    """Compute CometBFT's hash of a transaction, here of a batch."""
    return hashlib.sha256(raw).digest()


class Verdicts:
    """Verdicts by the hash of a batch; at most `remembered_max` of them."""

    def __init__(self, verifier: Verifier, remembered_max: int = REMEMBERED_MAX) -> None:
        self._verifier = verifier
        self._remembered_max = remembered_max
        self._known: OrderedDict[bytes, asyncio.Future[Verdict]] = OrderedDict()

    def remember(self, key: bytes, verdict: Verdict) -> None:
        """Take over what was found out elsewhere in this node."""
        known: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        known.set_result(verdict)
        self._keep(key, known)

    def begin(self, key: bytes, raw: bytes) -> None:
        """Have a batch verified beside, unless it was or is being verified."""
        if key not in self._known:
            task = asyncio.get_running_loop().create_task(self._verifier.check_batch(raw))
            task.add_done_callback(lambda done: self._drop_failed(key, done))
            self._keep(key, task)

    def find(self, key: bytes) -> Verdict | None:
        """Find a verdict that is there already."""
        known = self._known.get(key)
        if known is None or not known.done() or known.cancelled() or known.exception():
            return None
        return known.result()

    async def get(self, key: bytes, raw: bytes) -> Verdict:
        """Get a batch's verdict, once it is there.

        Raises:
          Unavailable: verifying failed twice, for reasons of this machine.
        """
        self.begin(key, raw)
        self._verifier.hurry(raw)
        try:
            return await asyncio.shield(self._known[key])
        except Unavailable:  # a verifying process died; others have taken its place
            self.begin(key, raw)
            return await asyncio.shield(self._known[key])

    def forget(self, key: bytes) -> None:
        """Forget a batch that is in a block: it comes no more."""
        self._known.pop(key, None)

    def _keep(self, key: bytes, known: asyncio.Future[Verdict]) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > self._remembered_max:
            self._known.popitem(last=False)

    def _drop_failed(self, key: bytes, done: asyncio.Future[Verdict]) -> None:
        if (done.cancelled() or done.exception()) and self._known.get(key) is done:
            del self._known[key]


class OrderedBatches:
    """Keys of the batches in blocks whose envelopes may still be valid."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._by_time: deque[tuple[int, bytes]] = deque()

    @classmethod
    def read(cls, chain: Chain) -> Self:
        """Read them from the blocks of a chain that is open."""
        ordered = cls()
        found = []
        head = chain.head
        for height in range(head.height, max(chain.log.height_min, 0), -1):
            record = chain.get_record(height)
            time_ms = decode_header(record.header).time_ms
            if time_ms < head.time_ms - VALIDITY_MAX_MS:
                break
            found.append((time_ms, record.batches))
        for time_ms, batches in reversed(found):
            for raw in batches:
                ordered.add(compute_key(raw), time_ms)
        return ordered

    def add(self, key: bytes, time_ms: int) -> None:
        """Take in a batch that is in a block, and forget those of long ago."""
        if key not in self._keys:
            self._keys.add(key)
            self._by_time.append((time_ms, key))
        while self._by_time[0][0] < time_ms - VALIDITY_MAX_MS:
            self._keys.remove(self._by_time.popleft()[1])

    def __contains__(self, key: bytes) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)


def is_expired(batch: CheckedBatch, time_ms: int) -> bool:
    """Whether a batch's envelopes were valid once, and none is at or after a ledger time.

    One of forged envelopes alone is not expired: it is executed, and charged to its sponsor.
    """
    ends = [item.body.valid_until_ms for item in batch.items if not isinstance(item, Invalid)]
    return bool(ends) and max(ends) < time_ms
