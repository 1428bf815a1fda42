"""A pair as one of its banks sees it: what is to be done next, by journal and ledger.

    entries -> journal -> posts -> watermark --+
                                               v
    the other's entries -> ledger -> closed window -> disclosures -> outcome -> statement
                                               ^                         |
                                               +---- what is open <------+

Nothing that counts is remembered between two steps but in the journal: how far things are says the
ledger. So it does not matter after which step the process is killed, or how often one is taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import Enum
from typing import TypeVar

from hansa.contracts.currency import Asset
from hansa.contracts.reconciliation import positions
from hansa.contracts.reconciliation.agreements import Agreement, State
from hansa.contracts.reconciliation.positions import Position, Settle, Sign
from hansa.contracts.reconciliation.reconciliation import (
    BRACKETED_MAX,
    ITEMS_MAX,
    Advance,
    Agree,
    Bracket,
    Bracketed,
    Item,
    Post,
    compute_statement,
)
from hansa.contracts.reconciliation.windows import (
    WINDOW_LATEST,
    WINDOWS_AHEAD_MAX,
    Code,
    Progress,
    Side,
    TagCount,
    Window,
)
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode, Refused, Unavailable
from hansa.kernel.rows import Row
from hansa.reconcile.entries import Entry
from hansa.reconcile.stream.adding import Added, Origin, count_added, note_added
from hansa.reconcile.stream.closing import (
    NetAmount,
    Outcome,
    close_window,
    decode_outcome,
    seal_result,
)
from hansa.reconcile.stream.disclosure import (
    Basis,
    Disclosure,
    Shown,
    ShownTag,
    build_disclosures,
    check_disclosure,
    decode_disclosure,
    join_parts,
    split_tallies,
)
from hansa.reconcile.stream.entries import Tagged, Tagger, compute_commitment, read_entry
from hansa.reconcile.stream.journal import Journal, Posting
from hansa.reconcile.stream.ledger import HEALING_WINDOWS, Ledger, find_healed, find_written_off
from hansa.reconcile.stream.posted import list_late, list_posted, sum_even
from hansa.reconcile.stream.terms import Pair, Place, Use

R = TypeVar("R", bound=Row)

TAGS_AT_ONCE = 4_096
"""Rows of tags that are asked for together."""
_NOTHING = Side()
_PASSED = {
    Code.OUT_OF_DATE,
    Code.ALREADY_AGREED,
    Code.NOT_FORWARD,
    Code.NOT_OPEN,
    positions.Code.ALREADY_SIGNED_BY_BOTH,
}
"""Refusals that say that the ledger went on meanwhile: it is read anew."""


class Step(Enum):
    """What a step did."""

    DONE = "done"
    """There may be more to do at once."""
    WAITING = "waiting"
    """For the other bank, or for time."""


class PairStream:
    """Takes one bank's steps under one agreement; one step at a time.

    Args:
      pair: the agreement.
      place: which party the bank is.
      journal: of the bank, for this agreement.
      ledger: as it acts for the bank.
      send: hands a disclosure over to the other bank.
      draw_salt: `draw_salt(window, number)` returns 32 bytes that nobody else knows, for the same
        arguments the same.
    """

    def __init__(
        self,
        pair: Pair,
        place: Place,
        journal: Journal,
        ledger: Ledger,
        send: Callable[[Disclosure], Awaitable[object]],
        draw_salt: Callable[[int, int], bytes],
    ) -> None:
        self._pair = pair
        self._place = place
        self._bank = pair.get_bank(place)
        self._journal = journal
        self._ledger = ledger
        self._send = send
        self._draw_salt = draw_salt
        self._tagger = Tagger(pair, place)
        self._looked_at: tuple[int, Basis] = (-1, (0, 0))
        """Of what the next two are: looking at all tags of a window takes most of closing it."""
        self._uneven: list[bytes] = []
        self._unbracketed: list[bytes] = []
        """Of these, what is open on this side, and may have no bucket tags yet."""
        self._computed: tuple[int, Basis] = (-1, (0, 0))
        """Of what an outcome was computed last, by this process."""
        self._unsound: tuple[int, Basis, str] = (-1, (0, 0), "")
        """What does not hold of all that the other bank has shown, so that it is checked once."""

    @property
    def pair(self) -> Pair:
        """The agreement."""
        return self._pair

    async def add(self, entries: Iterable[Entry], origin: Origin | None = None) -> Added:
        """Add entries of the bank; each goes into the window of its day, or the next still open.

        Entries with no origin are added as often as this is called: two that say the same may be
        two movements.

        Raises:
          Invalid: a text or an amount of one is too large, or some of its origin are missing before
            them; then none is taken.
        """
        progress = await self._get_progress()
        repeated = 0 if origin is None else count_added(self._journal, origin)
        count = 0
        first = progress.agreed + self._is_closing(progress.agreed)
        tagged, left_out = [], 0
        for count, each in enumerate(map(self._tagger.place, entries), 1):
            if count <= repeated:
                continue
            window = max(first, self._tagger.find_window(each))
            found = self._tagger.tag(each, window)
            if found is None:
                left_out += 1
            else:
                tagged.append(found)
        if count > repeated:
            record = None if origin is None else note_added(origin, count)
            self._journal.add(tagged, record)
        return Added(len(tagged), left_out, min(repeated, count))

    def _is_closing(self, window: int) -> bool:
        """Whether both banks have shown what is open: with another entry they would begin anew."""
        get = self._journal.get
        is_shown = get(_name_showed(window)) and self._journal.list_names(_name_shown(window))
        return bool(is_shown or get(_name_outcome(window)))

    def complete(self, window: int) -> None:
        """Say that all entries of the windows below a number are added."""
        if window > self.completed:
            self._journal.put("completed", window.to_bytes(8, "big"))

    @property
    def completed(self) -> int:
        """Of the windows below this number all entries are added."""
        return int.from_bytes(self._journal.get("completed") or b"", "big")

    async def receive(self, disclosure: Disclosure) -> None:
        """Take a part of what the other bank shows; the same again changes nothing.

        Raises:
          Invalid: it is in more parts than the other bank has entries there.
          Unavailable: the window is not closed yet, as far as is known here.
        """
        window = disclosure.window
        progress = await self._get_progress()
        if window < progress.agreed:
            return
        [row] = await self._ledger.find(Window, [(self._pair.agreement, window)])
        if row is None or window >= progress.closed:
            raise Unavailable(f"window {window} is not closed here yet")
        if disclosure.parts > 1 + (row.left, row.right)[self._place.other].entries:
            raise Invalid(InvalidCode.ARGUMENTS, "it is in more parts than there are entries")
        self._unsound = (-1, (0, 0), "")
        name = f"{_name_shown(window)}{disclosure.part:05}"
        self._journal.put(name, encode(disclosure))

    async def step(self) -> Step:
        """Do what is to be done next.

        Raises:
          Invalid: what the other bank shows does not hold.
          Refused: a rule says no to what the bank does.
          Unavailable: the ledger cannot be reached.
        """
        await self._ledger.find_out()
        progress = await self._get_progress()
        try:
            is_done = (
                await self._finish(progress)
                or await self._post(progress, self.completed)
                or await self._advance(progress)
                or await self._sign(progress)
                or await self._close(progress)
                or await self._post(progress)  # last, so that no window that is over waits for it
            )
        except Refused as error:
            if error.code not in _PASSED:
                raise
            is_done = True
        return Step.DONE if is_done else Step.WAITING

    def find_outcome(self, window: int) -> Outcome | None:
        """Find what came out of a window, agreed or not yet; None if it is not closed."""
        raw = self._journal.get(_name_outcome(window))
        return None if raw is None else decode_outcome(raw)

    def open_position(self, net: NetAmount, window: int) -> Settle:
        """Build what opens the commitment to a net position."""
        # What comes in, by the left bank's books, the right one owes.
        is_owed = net.net_minor > 0
        payer = self._pair.get_bank(Place.RIGHT if is_owed else Place.LEFT)
        key = (self._pair.agreement, window, net.currency)
        salt = self._pair.seal(Use.POSITION, encode(key))
        return Settle(*key, payer, abs(net.net_minor), salt)

    async def _finish(self, progress: Progress) -> bool:
        """Finish a window that both have agreed on: what is open goes into the next one.

        But for what both wrote off before they agreed, as the ledger's times say, alike to both.
        """
        window = min(self._journal.list_windows(), default=progress.agreed)
        if window >= progress.agreed:
            return False
        outcome = self.find_outcome(window)
        open_entries = []
        # By what was agreed on: the ledger may have swept the window meanwhile.
        posted = 0 if outcome is None else outcome.basis[self._place]
        if outcome is not None:
            done_with = await find_written_off(self._pair, self._ledger, outcome)
            open_entries = outcome.list_open(self._place, done_with)
        open_entries += [each.tagged.entry for each in list_late(self._journal, window, posted)]
        carried = self._carry(open_entries, progress.agreed)
        self._journal.finish(window, carried, self._list_done_with(window))
        return True

    def _list_done_with(self, window: int) -> list[str]:
        return [_name_showed(window), *self._journal.list_names(_name_shown(window))]

    def _carry(self, entries: Iterable[bytes], window: int) -> list[Tagged]:
        tagged = (self._tagger.tag(read_entry(each), window) for each in entries)
        return [each for each in tagged if each is not None]

    async def _post(self, progress: Progress, end: int = WINDOW_LATEST) -> bool:
        """Post the next entries of the first window that has some, of those below a number.

        None once the agreement has ended: what is posted by then is brought to its end.
        """
        [agreement] = await self._ledger.find(Agreement, [(self._pair.agreement,)])
        if agreement is None or agreement.state is not State.IN_FORCE:
            return False
        end = min(end, self._own_watermark(progress) + WINDOWS_AHEAD_MAX)
        for window in self._journal.list_windows():
            if window >= end:
                break
            posted = (await self._find_own(window)).entries
            entries = self._journal.list_postings(window, posted, ITEMS_MAX)
            if entries:
                items = tuple(self._commit(window, each) for each in entries)
                await self._ledger.submit(Post(self._pair.agreement, self._bank, window, items))
                return True
        return False

    def _commit(self, window: int, posting: Posting) -> Item:
        salt = self._draw_salt(window, posting.number)
        commitment = compute_commitment(self._pair, salt, posting.tagged.entry)
        return Item(posting.tagged.tag, commitment)

    async def _advance(self, progress: Progress) -> bool:
        """Advance the watermark as far as all is added; it is posted, as `_post` was before."""
        own = self._own_watermark(progress)
        window = min(self.completed, own + WINDOWS_AHEAD_MAX)
        if window <= own:
            return False
        await self._ledger.submit(Advance(self._pair.agreement, self._bank, window))
        return True

    async def _sign(self, progress: Progress) -> bool:
        """Sign the net positions of windows that are agreed, one after the other."""
        signed = int.from_bytes(self._journal.get("signed") or b"", "big")
        for window in range(signed, progress.agreed):
            outcome = self.find_outcome(window)
            for net in outcome.nets if outcome else ():
                if await self._sign_net(net, window):
                    return True
            for name in self._list_done_with(window):  # of one without entries of this bank, too
                self._journal.put(name, None)
            self._journal.put("signed", (window + 1).to_bytes(8, "big"))
        return False

    async def _sign_net(self, net: NetAmount, window: int) -> bool:
        """Sign a net position, if it is to be signed, still can be, and is not yet."""
        if net.currency not in self._pair.terms.assets:
            return False
        agreement = self._pair.agreement
        [asset] = await self._ledger.find(Asset, [(net.currency,)])
        [position] = await self._ledger.find(Position, [(agreement, window, net.currency)])
        [row] = await self._ledger.find(Window, [(agreement, window)])
        opening = self.open_position(net, window)
        commitment = positions.compute_commitment(opening, self._pair.digest)
        signed = (position.left, position.right) if position else (b"", b"")
        if asset is None or row is None or signed[self._place] == commitment:
            return False
        await self._ledger.submit(Sign(agreement, self._bank, window, net.currency, commitment))
        return True

    async def _close(self, progress: Progress) -> bool:
        """Bring the first window that is not agreed towards its end, once it is closed."""
        window = progress.agreed
        if window >= progress.closed:
            return False
        [found] = await self._ledger.find(Window, [(self._pair.agreement, window)])
        row = found or Window(self._pair.agreement, window, b"")
        basis = (row.left.entries, row.right.entries)
        outcome = self.find_outcome(window)
        # Where results differ, an earlier version of this program may have computed this one.
        is_old = self._computed != (window, basis) and row.left.statement and row.right.statement
        if outcome is None or outcome.basis != basis or is_old:
            if row.left.open or row.right.open:
                await self._look(window, basis)
                if await self._bracket(window) or await self._show(window, basis):
                    return True
            outcome = await self._compute(row, basis)
        return outcome is not None and await self._state(outcome, self._own(row))

    async def _look(self, window: int, basis: Basis) -> None:
        """Look at all tags of a window, once for all that is posted by now."""
        if self._looked_at == (window, basis):
            return
        found = await self._find_tags(window, self._journal.list_tags(window))
        uneven = {tag: row for tag, row in found.items() if row.left.entries != row.right.entries}
        self._uneven = sorted(uneven)
        self._unbracketed = [tag for tag in self._uneven if self._is_unbracketed(uneven[tag])]
        self._looked_at = (window, basis)

    def _is_unbracketed(self, count: TagCount) -> bool:
        _, own, other = split_tallies(count, self._place)
        return own.entries > other.entries and not own.is_bracketed

    async def _find_tags(self, window: int, tags: Sequence[bytes]) -> dict[bytes, TagCount]:
        found: dict[bytes, TagCount] = {}
        for start in range(0, len(tags), TAGS_AT_ONCE):
            part = tags[start : start + TAGS_AT_ONCE]
            keys = [(self._pair.agreement, window, tag) for tag in part]
            rows = await self._ledger.find(TagCount, keys)
            found |= {row.tag: row for row in rows if row is not None}
        return found

    async def _bracket(self, window: int) -> bool:
        """Post bucket tags of what is open on this side, of which none are posted yet."""
        while tags := self._unbracketed[:BRACKETED_MAX]:
            found = await self._find_tags(window, tags)
            items = self._bucket(window, [tag for tag in tags if self._is_unbracketed(found[tag])])
            if items:
                agreement = self._pair.agreement
                await self._ledger.submit(Bracket(agreement, self._bank, window, tuple(items)))
            del self._unbracketed[:BRACKETED_MAX]
            if items:
                return True
        return False

    def _bucket(self, window: int, tags: Sequence[bytes]) -> list[Bracketed]:
        """Make the bucket tags of some tags; none if the rules have no tolerance pass."""
        first: dict[bytes, bytes] = {}
        for _, tagged in self._journal.list_tagged(window, tags):
            first.setdefault(tagged.tag, tagged.entry)
        buckets = {tag: self._tagger.list_buckets(read_entry(first[tag]), window) for tag in tags}
        return [Bracketed(tag, tuple(buckets[tag])) for tag in tags if buckets[tag]]

    async def _show(self, window: int, basis: Basis) -> bool:
        """Show the other bank what does not match, once for all that is posted by now.

        Also where that is nothing, since the other one waits for it.
        """
        name, marker = _name_showed(window), encode(basis)
        if self._journal.get(name) == marker:
            return False
        entries: dict[bytes, list[Shown]] = {}
        listed = list_posted(self._journal, window, basis[self._place], self._uneven)
        for number, tagged in listed:
            shown = Shown(self._draw_salt(window, number), tagged.entry)
            entries.setdefault(tagged.tag, []).append(shown)
        tags = [ShownTag(tag, tuple(entries[tag])) for tag in sorted(entries)]
        for each in build_disclosures(self._pair, window, basis, tags):
            await self._send(each)
        self._journal.put(name, marker)
        return True

    async def _compute(self, row: Window, basis: Basis) -> Outcome | None:
        """Compute what comes out; None while the other bank has not shown all."""
        window, theirs = row.window, list[bytes]()
        counts: dict[bytes, TagCount] = {}
        if row.left.open or row.right.open:
            shown = self._gather_shown(window, basis)
            if shown is None:
                return None
            counts = await self._find_tags(window, self._uneven)
            theirs = await self._check(row, basis, shown, counts)
        posted = basis[self._place]
        listed = list_posted(self._journal, window, posted, counts)
        ours = [each.tagged.entry for each in listed]
        even = sum_even(self._journal, window, posted, counts)
        sides = (ours, theirs) if self._place is Place.LEFT else (theirs, ours)
        outcome = await asyncio.to_thread(close_window, self._pair, window, basis, even, sides)
        self._journal.put(_name_outcome(window), encode(outcome))
        self._computed = (window, basis)
        return outcome

    async def _check(
        self, row: Window, basis: Basis, shown: Sequence[ShownTag], counts: dict[bytes, TagCount]
    ) -> list[bytes]:
        """Check what the other bank shows; returns its entries."""
        others = [each.tag for each in shown if each.tag not in counts]
        found = counts | await self._find_tags(row.window, others)
        try:
            return check_disclosure(self._pair, self._place, row, shown, found)
        except Invalid as error:
            self._unsound = (row.window, basis, error.message)
            raise

    def _gather_shown(self, window: int, basis: Basis) -> list[ShownTag] | None:
        """Gather what the other bank shows; None until all parts have come."""
        *of, fault = self._unsound
        if of == [window, basis]:
            raise Invalid(InvalidCode.ARGUMENTS, fault)
        names = self._journal.list_names(_name_shown(window))
        if not names or len(names) < self._read_part(names[0]).parts:
            return None
        parts = [each for name in names if (each := self._read_part(name)).basis == basis]
        return join_parts([each for each in parts if each.parts == parts[0].parts])

    def _read_part(self, name: str) -> Disclosure:
        return decode_disclosure(self._journal.get(name) or b"")

    async def _state(self, outcome: Outcome, own: Side) -> bool:
        """State an outcome, unless that is done."""
        result = seal_result(self._pair, outcome)
        windows = range(max(0, outcome.window - HEALING_WINDOWS), outcome.window)
        before = [each for number in windows if (each := self.find_outcome(number))]
        healed = await find_healed(self._pair, self._ledger, before, outcome)
        if own.statement == compute_statement(outcome.basis, result, healed, self._pair.digest):
            return False
        said = (outcome.window, *outcome.basis, result, healed)
        await self._ledger.submit(Agree(self._pair.agreement, self._bank, *said))
        return True

    async def _get_progress(self) -> Progress:
        [found] = await self._ledger.find(Progress, [(self._pair.agreement,)])
        return found or Progress(self._pair.agreement, b"")

    async def _find_own(self, window: int) -> Side:
        [row] = await self._ledger.find(Window, [(self._pair.agreement, window)])
        return self._own(row)

    def _own(self, row: Window | None) -> Side:
        return _NOTHING if row is None else (row.left, row.right)[self._place]

    def _own_watermark(self, progress: Progress) -> int:
        return (progress.left, progress.right)[self._place]


def _name_outcome(window: int) -> str:
    return f"outcome/{window:08}"


def _name_showed(window: int) -> str:
    return f"showed/{window:08}"


def _name_shown(window: int) -> str:
    return f"shown/{window:08}/"
