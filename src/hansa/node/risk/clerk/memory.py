"""What a clerk remembers of payments, and the journal that all of it can be had from anew.

Payments come in by two ways: those that are decided on, at once; and those that the ledger's blocks
show and that were not decided on here, once they are confirmed. Blocks can be read again, so what
they showed is written with whatever is written next, and forgotten if that fails: then they are
asked for again, from the last one on that the journal has.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, NamedTuple

from hansa.kernel.block import Receipt, decode_receipt
from hansa.kernel.errors import Corrupt, Unavailable
from hansa.node.risk.clerk.journal import Event, Journal
from hansa.node.risk.clerk.remembering import Writing
from hansa.node.risk.reading import Intended, find_paid
from hansa.risk.events import NOBODY
from hansa.risk.features.layout import AMOUNT_MAX
from hansa.risk.intake.intake import Intake, Taken, begin_intake, load_intake

REMEMBERED_EVENTS: Final = 200_000
"""After so many it is kept what is remembered: taking them in anew takes some seconds."""
BYTES_PER_EVENT: Final = 500
"""Of what is remembered for each event since, at most, before it is kept: a large bank's memory is
of gigabytes, and as much is written each time."""
UNWRITTEN_MAX: Final = 4_096
"""Payments that blocks showed and that are not in the journal yet; more are written at once."""
NAMES_HASHED: Final = 1 << 16
"""So many names that were hashed last are not hashed again; 200 bytes each."""

_LOG = logging.getLogger("hansa.risk")


class Shown(NamedTuple):
    """A confirmed block, as far as it was not decided on here."""

    height: int
    taken_ms: int
    """When its payments are taken in, by the clock that features go by."""
    receipts: tuple[bytes, ...]
    """Of transactions that may have been decided on elsewhere."""


class Memory:
    """What is remembered; for one thread at a time."""

    def __init__(
        self,
        journal: Journal,
        *,
        zone_offset_ms: int = 0,
        remembered_events: int = REMEMBERED_EVENTS,
        forks: bool = False,
    ) -> None:
        """Go on from a journal.

        Args:
          journal: open, and nobody else's.
          zone_offset_ms: what local time is ahead of UTC, for a journal that is new.
          remembered_events: after so many, at least, it is kept what is remembered.
          forks: whether a fork of this process writes that meanwhile, as `Writing.begin` asks.
        """
        self._journal = journal
        self._zone_offset_ms = zone_offset_ms
        self._remembered_events = remembered_events
        self._intake: Intake | None = None
        self._kept_events = 0
        """So many events what is kept of the memory has."""
        self._tried_events = 0
        """So many there were when it was tried last to keep it."""
        self._unwritten: list[Taken] = []
        self._height = journal.height
        self._is_full = False
        """Whether there was no room for what the last block showed."""
        self._writing = Writing() if forks else None
        journal.remembered.clear()

    @property
    def height(self) -> int:
        """The block up to which blocks were taken in; -1 if none was."""
        return self._height

    def open(self) -> Intake:
        """Open what is remembered: as it was kept, and what was taken in since, taken in anew."""
        if self._intake is None:
            self._journal.begin(self._zone_offset_ms)
            self._intake, self._kept_events = restore(self._journal)
        return self._intake

    @contextmanager
    def taking_in(self) -> Iterator[Intake]:
        """Take events in; where anything fails, forget them: they are not in the journal."""
        try:
            yield self.open()
        except BaseException:
            self._intake = None
            self._unwritten.clear()
            self._height = self._journal.height
            raise

    def write(self, events: Sequence[Event], *kept: Any) -> None:  # noqa: ANN401 - handed on
        """Write what was taken in, behind what blocks showed before; as `Journal.write`."""
        self._journal.write([*self._unwritten, *events], *kept, height=self._height)
        self._unwritten.clear()

    def see(self, since: int, blocks: Sequence[Shown], merchants: Mapping[bytes, str]) -> int:
        """Take in what confirmed blocks paid that was not decided on here.

        Args:
          since: the height up to which whoever shows them holds blocks to be seen; if that is not
            so, as where what was not written was forgotten, nothing is done.
          blocks: that follow, in their order.
          merchants: by the address of a wallet.

        Returns:
          The height of the last block that was taken in.

        Raises:
          Unavailable: the journal cannot be written; blocks are to be shown again.
        """
        with self.taking_in() as intake:
            for block in blocks if since == self._height else ():
                self._take_shown(block, intake, merchants)
                self._height = block.height
            if len(self._unwritten) >= UNWRITTEN_MAX:
                self.write(())
        self.save_if_large()
        return self._height

    def go_back(self, height: int) -> int:
        """Take blocks behind a height for others than were taken in, as after the ledger was lost.

        Returns:
          The height.

        Raises:
          Unavailable: the journal cannot be written.
        """
        self._height = height
        with self.taking_in():
            self.write(())
        return height

    def save_if_large(self) -> None:
        """Keep what is remembered if much came since; if that fails, when as much came again."""
        with self._telling():
            self._note_written()
        since = self._journal.event_count - max(self._kept_events, self._tried_events)
        if since < max(self._remembered_events, self.open().size_bytes // BYTES_PER_EVENT):
            return
        self._tried_events = self._journal.event_count
        with self._telling():
            if self._writing is None:
                self.save()
            elif not self._writing.is_under_way:
                self._write_unwritten()
                events = self._journal.event_count
                self._writing.begin(self._prepare_to_save(self.open()), events)

    def save(self) -> None:
        """Keep what is remembered, so that a start takes nothing in anew.

        Raises:
          Unavailable: the journal cannot be written, or the file.
        """
        if self._writing is not None:
            self._writing.stop()
            self._journal.remembered.clear()
        if self._intake is None:
            return
        self._write_unwritten()
        if self._kept_events < self._journal.event_count:
            try:
                self._prepare_to_save(self._intake)(lambda: True)
            except OSError as error:
                raise Unavailable(str(error.strerror)) from None
            self._kept_events = self._journal.event_count

    def _prepare_to_save(self, intake: Intake) -> Callable[[Callable[[], bool]], None]:
        """Look up what the journal has to say of it, which a fork cannot ask."""
        file, stamp = self._journal.remembered, self._journal.find_stamp(self._journal.event_count)
        assert stamp is not None  # noqa: S101 - it is of all events that are there
        return lambda may_go_on: file.write(intake.save(), stamp, may_go_on)

    def _write_unwritten(self) -> None:
        if self._unwritten or self._height != self._journal.height:
            with self.taking_in():
                self.write(())

    def _note_written(self) -> None:
        try:
            kept = None if self._writing is None else self._writing.look()
        except Unavailable:
            self._journal.remembered.clear()  # of gigabytes, if it was killed
            raise
        if kept is not None:
            self._kept_events = kept

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell why it is not kept, as on a disk with room for payments, and for no more."""
        try:
            yield
        except (Unavailable, OSError) as error:
            told = error.message if isinstance(error, Unavailable) else error.strerror
            _LOG.warning("what is remembered of payments could not be kept: %s", told)

    def _take_shown(self, block: Shown, intake: Intake, merchants: Mapping[bytes, str]) -> None:
        receipts = [decode_receipt(raw) for raw in block.receipts]
        decided = self._journal.find_decided([receipt.tx_id for receipt in receipts])
        time_ms = max(block.taken_ms, intake.now_ms)
        events = [
            event._replace(attempt=attempt)
            for receipt in receipts
            for paid, attempt in self._leave_out_taken(receipt, is_decided=receipt.tx_id in decided)
            if (event := build_event(paid, "", time_ms, merchants)) is not None
        ]
        try:
            intake.take(events)
        except Unavailable as error:  # more than a node can remember
            if not self._is_full:
                _LOG.warning("what others paid is not taken in: %s", error.message)
            self._is_full = True
            return
        self._is_full = False
        self._unwritten += events

    def _leave_out_taken(self, receipt: Receipt, *, is_decided: bool) -> list[tuple[Intended, int]]:
        """Leave out what was taken in when it was decided on; of the rest, number what was tried.

        Of a transaction that was decided on that is not all of it where others' payments are in it,
        too, where a payee's wallet was opened meanwhile, or where it was let through later.
        """
        paid = find_paid(receipt)
        kept = self._journal.find_decision(receipt.tx_id) if paid and is_decided else None
        tried: list[tuple[Intended, int]] = []
        for each in () if kept is None else kept.payments:
            intended = Intended(each.payer, each.payee, each.asset, each.amount_minor)
            if each.number >= 0 and intended in paid:
                paid.remove(intended)
                if not each.is_remembered:
                    tried.append((intended, each.number))
        return [*tried, *((each, NOBODY) for each in paid)]


def build_event(
    paid: Intended, device: str, time_ms: int, merchants: Mapping[bytes, str]
) -> Taken | None:
    """Build the event of a payment that is taken in; None for one that cannot be described."""
    if paid.payer == paid.payee or not 0 < paid.amount_minor <= AMOUNT_MAX:
        return None
    merchant = merchants.get(paid.payee)
    return Taken(
        time_ms,
        hash_wallet(paid.payer, paid.asset),
        hash_wallet(paid.payee, paid.asset),
        paid.amount_minor,
        _hash("device", device.encode()) if device else None,
        None if merchant is None else _hash("merchant", merchant.encode()),
    )


def restore(journal: Journal) -> tuple[Intake, int]:
    """Take in again what a journal holds, beginning with what is remembered of it.

    Returns:
      What goes on from there, and of how many events there was something remembered.

    Raises:
      Corrupt: the journal is damaged.
      Unavailable: it cannot be read.
    """
    intake, start = begin_intake(zone_offset_ms=journal.zone_offset_ms), 0
    try:
        remembered = journal.load_remembered()
        if remembered is not None:
            *kept, start = remembered
            del remembered  # it may be gigabytes, and whoever reads it lets go of them
            intake = load_intake(kept.pop())
    except Corrupt as error:  # or of another version of the program
        _LOG.warning("all payments are taken in anew: %s", error.message)
    for block in journal.iterate_events(start):
        intake.take(block)
    return intake, start


@lru_cache(NAMES_HASHED)
def _hash(kind: str, name: bytes) -> bytes:
    return hashlib.sha256(kind.encode() + b"\0" + name).digest()


@lru_cache(NAMES_HASHED)
def hash_wallet(address: bytes, asset: str) -> bytes:
    """Name a wallet's money of one asset: habits in one are none in another."""
    return hashlib.sha256(b"wallet\0" + asset.encode() + b"\0" + address).digest()
