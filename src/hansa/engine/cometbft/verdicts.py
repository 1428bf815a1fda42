"""What is known of batches that have arrived: each is verified once a node, and remembered.

A batch arrives with CheckTx, minutes or milliseconds before the block that holds it; its envelopes
are verified meanwhile, in other processes. What a block holds that never arrived alone is verified
then.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from hansa.engine.verification import Verifier
from hansa.kernel.errors import Unavailable
from hansa.kernel.transaction import Verdict

REMEMBERED_MAX = 20_000
"""Batches; of those beyond it the ones asked for longest ago are verified again if they come."""


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
