"""What an issuer has decided and the ledger is to say: lists, statuses and anchors.

What is wanted is noted with the decision itself, and stays open until the ledger is known to say
it, so that neither a crash nor a node that is away loses anything. At most one transaction is
under way at a time. It is noted before it is sent, and then sent as it is until its outcome is
known: the same bytes count once. Places are those of the records, counted through all lists.

Source: docs/how-to/issue-credentials.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import msgspec

from hansa.contracts.identity import evidence, status
from hansa.contracts.identity.status import Bits, Status
from hansa.kernel.contract import Command
from hansa.node.identity.issuer.ledger.node import FoundList
from hansa.node.identity.issuer.writing import read_issued
from hansa.node.identity.records import RecordFile
from hansa.sdk.build import SignedTransaction

T = TypeVar("T")

CHANGES: Mapping[Status, type[status.Change]] = MappingProxyType(
    {
        Status.INVALID: status.Revoke,
        Status.SUSPENDED: status.Suspend,
        Status.VALID: status.Reinstate,
    }
)
"""By where a credential stands afterwards."""
_ONLY = 0
"""Number of what there is one of."""


class Matter(IntEnum):
    """Kinds of what is wanted; numbers of `RecordFile.put_wanted`, never to be changed."""

    LIST = 1
    """That a status list is there; by its number."""
    STATUS = 2
    """Where a credential stands; by its number in the records."""
    ANCHOR = 3
    """That a credential's hash is on record; likewise."""
    SUBMISSION = 4
    """The transaction that is under way."""
    TROUBLE = 5
    """Why nothing goes on, in words."""


class _List(msgspec.Struct, frozen=True, kw_only=True):
    height: int


class _Status(msgspec.Struct, frozen=True, kw_only=True):
    place: int
    wanted: Status
    known: Status = Status.VALID
    """What the ledger says, as of a height."""
    height: int = 0

    @property
    def is_open(self) -> bool:
        return self.wanted is not self.known


class _Anchor(msgspec.Struct, frozen=True, kw_only=True):
    digest: bytes
    height: int = 0


class Group(NamedTuple):
    """What goes into one transaction together."""

    matter: Matter
    list_number: int = 0
    status: Status = Status.VALID


class Batch(NamedTuple):
    """A command that is to be sent, and whose wants it meets."""

    group: Group
    numbers: tuple[int, ...]
    command: Command


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction under way."""

    envelope: bytes
    tx_id: bytes
    group: Group
    numbers: tuple[int, ...]


class Progress(NamedTuple):
    """How far something has come on its way to the ledger."""

    height: int
    """Of the block as of which the ledger says it; 0 while it is on its way."""
    why: str = ""
    """What keeps it from going on, if anything does."""

    def describe(self, what: str) -> str:
        """Say it in words; `what` is on its way.

        >>> Progress(12).describe("revocation"), Progress(0, "no node").describe("revocation")
        ('confirmed at height 12', 'revocation on its way (no node)')
        """
        if self.height:
            return f"confirmed at height {self.height}"
        return f"{what} on its way" + (f" ({self.why})" if self.why else "")


class Wants:
    """What one issuer wants, in its records. For one thread at a time.

    Args:
      records: of the issuer.
      issuer: its address on the ledger.
      length: places of each list.
    """

    def __init__(self, records: RecordFile, issuer: bytes, length: int) -> None:
        self._records = records
        self._issuer = issuer
        self._length = length
        self._lists = 0

    # --- deciding --------------------------------------------------------------------------------

    def want_status(self, number: int, place: int, wanted: Status) -> None:
        """Want a credential to stand so; what was wanted before and is not done is dropped."""
        found = self._get(Matter.STATUS, number, _Status) or _Status(place=place, wanted=wanted)
        self._put_status(number, msgspec.structs.replace(found, wanted=wanted))

    def want_anchor(self, number: int, digest: bytes) -> None:
        """Want the hash of a credential to be on record."""
        self._put(Matter.ANCHOR, number, _Anchor(digest=digest), is_open=True)

    def adopt(self) -> int:
        """Want what was decided before the issuer wrote to the ledger; returns how much it is."""
        with self._records.at_once():
            found = self._records.list_decided(Matter.STATUS)
            for number, place, wanted in found:
                self.want_status(number, place, Status(wanted))
        return len(found)

    # --- asking ----------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether the list is on the ledger in which the next credential gets its place."""
        return self._count_lists() >= self._find_list(self._records.count_issued())

    def get_progress(self, matter: Matter, number: int) -> Progress | None:
        """Get how far a credential's status or anchor has come; None if nothing had to be done."""
        if matter is Matter.ANCHOR:
            anchor = self._get(matter, number, _Anchor)
            return None if anchor is None else self._tell(anchor.height)
        found = self._get(Matter.STATUS, number, _Status)
        if found is None or not (found.is_open or found.height):
            return None
        return self._tell(0 if found.is_open else found.height)

    def get_submission(self) -> Submission | None:
        """Get the transaction under way, if there is one."""
        return self._get(Matter.SUBMISSION, _ONLY, Submission)

    def compose(self, skipped: Collection[Group]) -> Batch | None:
        """Compose what to send next: lists first, then statuses, then anchors; None if nothing."""
        return (
            self._compose_list(skipped)
            or self._compose_change(skipped)
            or self._compose_anchors(skipped)
        )

    # --- what became of it -----------------------------------------------------------------------

    def begin(self, batch: Batch, signed: SignedTransaction) -> Submission:
        """Note a transaction that is about to be sent."""
        submission = Submission(
            envelope=signed.envelope,
            tx_id=signed.tx_id,
            group=batch.group,
            numbers=batch.numbers,
        )
        self._put(Matter.SUBMISSION, _ONLY, submission, is_open=True)
        return submission

    def confirm(self, submission: Submission, height: int) -> None:
        """Note that a list was made, or hashes put on record, by a transaction in a block."""
        group = submission.group
        with self._records.at_once():
            self.drop(submission)
            if group.matter is Matter.LIST:
                self.confirm_list(group.list_number, height)
            elif group.matter is Matter.ANCHOR:
                self.confirm_anchors(submission.numbers, height)

    def drop(self, submission: Submission) -> None:
        """Note that a transaction is not under way any more; what it was for stays open."""
        with self._records.at_once():
            if self.get_submission() == submission:
                self._records.drop_wanted(Matter.SUBMISSION, _ONLY)

    def confirm_list(self, number: int, height: int) -> None:
        """Note that a list is on the ledger."""
        self._put(Matter.LIST, number, _List(height=height), is_open=False)

    def forget_list(self, number: int) -> None:
        """Note that a list is not on the ledger after all."""
        self._records.drop_wanted(Matter.LIST, number)
        self._lists = 0

    def confirm_anchors(self, numbers: Sequence[int], height: int) -> None:
        """Note that the hashes of credentials are on record."""
        with self._records.at_once():
            for number in numbers:
                anchor = self._get(Matter.ANCHOR, number, _Anchor)
                if anchor is not None:
                    done = msgspec.structs.replace(anchor, height=height)
                    self._put(Matter.ANCHOR, number, done, is_open=False)

    def list_digests(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """List the hashes of credentials by their numbers."""
        found = {number: self._get(Matter.ANCHOR, number, _Anchor) for number in numbers}
        return {number: each.digest for number, each in found.items() if each is not None}

    def learn_list(self, submission: Submission, found: FoundList | None, height: int) -> bool:
        """Take over what a list says, as is proved as of a height, after a transaction about it.

        What somebody has revoked there stays so: it is noted as revoked here, too. Returns whether
        the ledger says all that the transaction was for.
        """
        group = submission.group
        with self._records.at_once():
            self.drop(submission)
            if found is None:
                self.forget_list(group.list_number)
                return False
            self.confirm_list(group.list_number, height)
            # What was decided anew meanwhile may not be open, and yet have changed on the ledger.
            for number in {*submission.numbers, *dict(self._list_statuses())}:
                each = self._get(Matter.STATUS, number, _Status)
                if each is None or each.height > height:
                    continue
                its_list, index = self._locate(each.place)
                if its_list == group.list_number:
                    self._learn_status(number, each, Status(found.entries.get(index)), found)
            known = [self._get(Matter.STATUS, number, _Status) for number in submission.numbers]
        return all(each is not None and each.known is group.status for each in known)

    def learn_anchors(self, submission: Submission, numbers: Sequence[int], height: int) -> None:
        """Take over which of a transaction's hashes are on record, as is proved."""
        with self._records.at_once():
            self.drop(submission)
            self.confirm_anchors(numbers, height)

    def tell_trouble(self, why: str) -> None:
        """Note why nothing goes on; empty once it does."""
        if why != self._get_trouble():
            self._put(Matter.TROUBLE, _ONLY, why, is_open=False)

    # --- within ----------------------------------------------------------------------------------

    def _compose_list(self, skipped: Collection[Group]) -> Batch | None:
        # The next list is made while a quarter of a list's credentials are still to come.
        number = self._count_lists() + 1
        group = Group(Matter.LIST, number)
        ahead = self._records.count_issued() + self._length // 4
        if number > self._find_list(ahead) or group in skipped:
            return None
        command = status.CreateList(self._issuer, number, Bits.TWO, self._length)
        return Batch(group, (), command)

    def _compose_change(self, skipped: Collection[Group]) -> Batch | None:
        groups: dict[Group, dict[int, int]] = {}
        for number, found in self._list_statuses():
            list_number, index = self._locate(found.place)
            group = Group(Matter.STATUS, list_number, found.wanted)
            if group not in skipped:
                groups.setdefault(group, {})[index] = number
        for group, numbers in groups.items():
            indices = tuple(sorted(numbers)[: status.INDICES_MAX])
            command = CHANGES[group.status](self._issuer, group.list_number, indices)
            return Batch(group, tuple(numbers[each] for each in indices), command)
        return None

    def _compose_anchors(self, skipped: Collection[Group]) -> Batch | None:
        group = Group(Matter.ANCHOR)
        if group in skipped:
            return None
        found = self._records.list_wanted(Matter.ANCHOR, evidence.HASHES_MAX)
        if not found:
            return None
        digests = tuple(msgspec.json.decode(raw, type=_Anchor).digest for _, raw in found)
        command = evidence.NotariseMany(self._issuer, digests)
        return Batch(group, tuple(number for number, _ in found), command)

    def _list_statuses(self) -> list[tuple[int, _Status]]:
        found = self._records.list_wanted(Matter.STATUS)
        return [(number, msgspec.json.decode(raw, type=_Status)) for number, raw in found]

    def _know_status(self, number: int, known: Status, height: int) -> None:
        found = self._get(Matter.STATUS, number, _Status)
        if found is not None:
            self._put_status(number, msgspec.structs.replace(found, known=known, height=height))

    def _learn_status(self, number: int, each: _Status, known: Status, found: FoundList) -> None:
        if known is Status.INVALID and each.wanted is not Status.INVALID:
            for _, _, raw in self._records.list_issued(after=number - 1, limit=1):
                issued = msgspec.structs.replace(
                    read_issued(raw), revoked_s=found.row.updated_ms // 1_000, suspended_s=0
                )
                self._records.set_status(number, msgspec.json.encode(issued), Status.INVALID)
            self.want_status(number, each.place, Status.INVALID)
        self._know_status(number, known, found.height)

    def _put_status(self, number: int, found: _Status) -> None:
        self._put(Matter.STATUS, number, found, is_open=found.is_open)

    def _find_list(self, count: int) -> int:
        """Find the number of the list in which a credential gets its place, by how many are."""
        return count // (self._length * 3 // 4) + 1

    def _locate(self, place: int) -> tuple[int, int]:
        number, index = divmod(place, self._length)
        return number + 1, index

    def _count_lists(self) -> int:
        """Count the lists that are on the ledger, from the first without a gap."""
        while self._records.get_wanted(Matter.LIST, self._lists + 1) is not None:
            self._lists += 1
        return self._lists

    def _tell(self, height: int) -> Progress:
        return Progress(height, "" if height else self._get_trouble())

    def _get_trouble(self) -> str:
        return self._get(Matter.TROUBLE, _ONLY, str) or ""

    def _put(self, matter: Matter, number: int, value: object, *, is_open: bool) -> None:
        self._records.put_wanted(matter, number, msgspec.json.encode(value), is_open=is_open)

    def _get(self, matter: Matter, number: int, kind: type[T]) -> T | None:
        raw = self._records.get_wanted(matter, number)
        return None if raw is None else msgspec.json.decode(raw, type=kind)
