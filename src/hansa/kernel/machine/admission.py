"""Admission: whether batches fit into a block and its time, and who may bring them in.

It is asked before they are executed.

It depends on the rows of the last block, the new block's time and the batches alone, so that all
nodes with the same blocks answer alike.
"""

from __future__ import annotations

from hansa.kernel.authority import Account, Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import BLOCK_ITEMS_MAX, VALIDITY_MAX_MS
from hansa.kernel.machine.context import may_act
from hansa.kernel.machine.rules import Rules
from hansa.kernel.machine.state import View
from hansa.kernel.quota import Claim, Quota, SponsorUsage, find_exceeded


class Admission:
    """Admits batches to one block; each that it admits counts for those that come after it."""

    def __init__(self, rules: Rules, view: View, time_ms: int) -> None:
        self._rules = rules
        self._view = view
        self._time_ms = time_ms
        self._used: dict[bytes, tuple[int, int, int]] = {}
        """Bytes, envelopes and refusals of the day, by sponsor."""
        self._items = 0

    def admit(self, claim: Claim) -> None:
        """Admit a batch, whole; not while a transaction is executed.

        Raises:
          Invalid: `TOO_MANY` if the block is too full for it, `UNKNOWN_SPONSOR` or `QUOTA`; it
            counts for nothing.
        """
        items = self._items + claim.envelopes
        if items > BLOCK_ITEMS_MAX:
            raise Invalid(
                InvalidCode.TOO_MANY,
                f"the block would have {items} items with this batch: at most {BLOCK_ITEMS_MAX} "
                "may stand in one, so a next block takes it in",
            )
        self._view.begin()
        sponsor = claim.sponsor
        quota = find_quota(self._rules, self._view, sponsor, claim.key_address, self._time_ms)
        size, envelopes, refusals = self._used.get(sponsor) or self._get_used(sponsor)
        size, envelopes = size + claim.size, envelopes + claim.envelopes
        exceeded = find_exceeded(quota, size, envelopes, refusals)
        if exceeded is not None:
            raise exceeded
        self._used[sponsor] = size, envelopes, refusals
        self._items = items

    def _get_used(self, sponsor: bytes) -> tuple[int, int, int]:
        used = self._view.get(SponsorUsage, sponsor)
        if used is None or used.day != self._time_ms // DAY_MS:
            return 0, 0, 0
        return used.bytes_used, used.envelopes, used.refusals


def find_stale(valid_until_ms: int, from_ms: int, until_ms: int) -> Invalid | None:
    """Find why a transaction is valid at no ledger time of a span; None if it is at one."""
    if valid_until_ms < from_ms:
        return Invalid(
            InvalidCode.EXPIRED,
            f"the transaction was valid until {valid_until_ms} ms; it is {from_ms} ms now: look "
            "its id up if you may have sent it before, else sign it anew",
        )
    if valid_until_ms > until_ms + VALIDITY_MAX_MS:
        return Invalid(
            InvalidCode.TOO_FAR_AHEAD,
            f"the transaction is valid until {valid_until_ms} ms, more than 15 minutes after "
            f"ledger time {until_ms} ms: sign it with an earlier end",
        )
    return None


def check_times(last_end_ms: int, from_ms: int, until_ms: int) -> None:
    """Check that a batch may stand in a block at some ledger time of a span, by its latest end.

    It may not once none of its envelopes is valid any more, nor while one of them is valid too far
    ahead: within 15 minutes of the block that held it, it is over, and nobody can bring it again
    later to have it charged again.

    Args:
      last_end_ms: the latest end that one of its envelopes says, be it forged or not.
      from_ms: the span's beginning.
      until_ms: the span's end.

    Raises:
      Invalid: `EXPIRED` or `TOO_FAR_AHEAD`.
    """
    if last_end_ms < from_ms:
        raise Invalid(
            InvalidCode.EXPIRED,
            f"no transaction of the batch is valid at ledger time {from_ms} ms or later: look "
            "their ids up if you may have sent them before, else sign them anew",
        )
    if last_end_ms > until_ms + VALIDITY_MAX_MS:
        raise Invalid(
            InvalidCode.TOO_FAR_AHEAD,
            f"a transaction of the batch is valid until {last_end_ms} ms, more than 15 minutes "
            f"after ledger time {until_ms} ms, so the whole batch is not taken: have that one "
            "signed with an earlier end, or leave it out",
        )


def find_quota(rules: Rules, view: View, sponsor: bytes, key_address: bytes, time_ms: int) -> Quota:
    """Find a sponsor's quota, if it is a member and the key may sign batches for it.

    Raises:
      Invalid: `UNKNOWN_SPONSOR`.
    """
    quota = rules.sponsor_quota(view, sponsor, time_ms)
    if quota is None:
        raise Invalid(
            InvalidCode.UNKNOWN_SPONSOR,
            "the batch's sponsor is no active member: only members bring transactions in",
            sponsor=sponsor,
        )
    if not may_act(view.get(Account, sponsor), sponsor, (key_address,), Purpose.SPONSOR):
        raise Invalid(
            InvalidCode.UNKNOWN_SPONSOR,
            "the key that signed the batch may not sponsor for this member",
            sponsor=sponsor,
            key=key_address,
        )
    return quota
