"""Reconciliation: two parties post their entries as tags, and see what of them does not match.

Each entry is a tag and a hiding commitment. Equal tags match as they arrive, whichever comes first.
Of a window that both watermarks have passed, what is open are breaks; an entry that comes late
heals one, until both have stated the same result: then what is open goes into the next window, as
its party posts it again. Bucket tags say of breaks that they are near one another. What is near, or
matches by other rules, the parties work out between themselves; on record is that they came to the
same result. Units: entries.

Source: docs/concepts/reconciliation.md; watermarks as of the Dataflow model (VLDB 2015).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from hansa.contracts import members
from hansa.contracts.reconciliation import agreements, cases, windows
from hansa.contracts.reconciliation.agreements import Agreement
from hansa.contracts.reconciliation.windows import WINDOWS_AHEAD_MAX, Tag, WindowNumber
from hansa.contracts.reconciliation.windows import BucketCount as BucketCount
from hansa.contracts.reconciliation.windows import Code as Code
from hansa.contracts.reconciliation.windows import Progress as Progress
from hansa.contracts.reconciliation.windows import Side as Side
from hansa.contracts.reconciliation.windows import TagCount as TagCount
from hansa.contracts.reconciliation.windows import Tally as Tally
from hansa.contracts.reconciliation.windows import Window as Window
from hansa.contracts.reconciliation.windows import compute_chain as compute_chain
from hansa.contracts.reconciliation.windows import compute_statement as compute_statement
from hansa.kernel.authority import Account, Purpose
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.contract import NO_MONEY, Command, Event, Function, ListReads
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import RowId
from hansa.kernel.values import Address, Hash, NonNegative

NAME = "reconciliation"
VERSION = 1

ITEMS_MAX = 256
"""Of one command: with room to spare in an envelope of 16 KiB."""
BUCKETS_MAX = 6
"""Of one entry."""
BRACKETED_MAX = 96
HEALED_MAX = 128


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entry as it is posted."""

    tag: Tag
    commitment: Hash


class Bracketed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The buckets in which the open entries of a tag lie."""

    tag: Tag
    buckets: Annotated[tuple[Tag, ...], Meta(min_length=1, max_length=BUCKETS_MAX)]


class Closed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A window as it was when the second watermark passed it."""

    window: WindowNumber
    matched: NonNegative
    left_open: NonNegative
    right_open: NonNegative


class Post(Command, frozen=True, array_like=True):
    """Post entries of a window, also of one that is closed and not agreed yet."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class Advance(Command, frozen=True, array_like=True):
    """Say that all one knows of the windows below a number is posted."""

    agreement: Hash
    bank: Address
    window: WindowNumber


class Bracket(Command, frozen=True, array_like=True):
    """Post bucket tags of what is open in a closed window, of each tag once."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    items: Annotated[tuple[Bracketed, ...], Meta(min_length=1, max_length=BRACKETED_MAX)]


class Agree(Command, frozen=True, array_like=True):
    """State what came out of a closed window; with the other party's like statement it counts."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    left_entries: NonNegative
    """That were posted when the result was worked out."""
    right_entries: NonNegative
    result: Hash
    """A commitment: of a window with few entries the result itself could be guessed."""
    healed: Annotated[tuple[Hash, ...], Meta(max_length=HEALED_MAX)]
    """Cases whose breaks are matched in this window."""


class Sweep(Command, frozen=True, array_like=True):
    """Remove rows of a window after its time on record, the window's own last; anyone may."""

    agreement: Hash
    window: WindowNumber
    tags: Annotated[tuple[Tag, ...], Meta(max_length=ITEMS_MAX)]
    buckets: Annotated[tuple[Tag, ...], Meta(max_length=ITEMS_MAX)]


class Posted(Event, frozen=True, array_like=True):
    """Entries were posted."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    entries: NonNegative
    matched: NonNegative
    """How many of them found a partner."""
    is_closed: bool
    """Whether both watermarks had passed: then those that matched healed a break."""


class Advanced(Event, frozen=True, array_like=True):
    """A party's watermark advanced, and with it these windows were closed."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    closed: Annotated[tuple[Closed, ...], Meta(max_length=WINDOWS_AHEAD_MAX)]


class Near(Event, frozen=True, array_like=True):
    """Bucket tags were posted."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    tags: NonNegative
    near: NonNegative
    """How many of them share a bucket with what the other party posted so far."""


class Stated(Event, frozen=True, array_like=True):
    """A party stated what came out of a window."""

    agreement: Hash
    bank: Address
    window: WindowNumber
    result: Hash
    differs: bool
    """From what the other party stated."""


class Agreed(Event, frozen=True, array_like=True):
    """Both parties stated the same: the window is done with."""

    agreement: Hash
    window: WindowNumber
    result: Hash


class Swept(Event, frozen=True, array_like=True):
    """Rows of a window were removed."""

    agreement: Hash
    window: WindowNumber
    rows: NonNegative


def post(view: View, context: Context, command: Post) -> list[Event]:
    """Post entries; each matches if the other party has posted more of its tag.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement, own = _require_party(view, context, command)
    agreements.require_accepted(agreement)
    members.require_active(view, command.bank)
    progress = _get_progress(view, context, agreement)
    number = command.window
    if number >= _pick(progress, own)[0] + WINDOWS_AHEAD_MAX:
        raise Refused(Code.TOO_FAR_AHEAD, window=number, ahead_max=WINDOWS_AHEAD_MAX)
    if number < progress.agreed:
        raise Refused(Code.ALREADY_AGREED, window=number, following=progress.agreed)
    before = _get_window(view, context, agreement, number)
    is_closed = number < progress.closed
    # CHANGE
    _begin(view, progress, number)
    window = _count_entries(view, context, before, own, command.items)
    matched = window.matched - before.matched
    healed = before.healed + matched * is_closed
    view.put(msgspec.structs.replace(window, healed=healed))
    # TELL
    fields = (agreement.agreement, command.bank, number)
    return [Posted(NO_MONEY, *fields, len(command.items), matched, is_closed)]


def advance(view: View, context: Context, command: Advance) -> list[Event]:
    """Advance a party's watermark, which never goes back; after the end of an agreement, too.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement, own = _require_party(view, context, command)
    progress = _get_progress(view, context, agreement)
    before, others = _pick(progress, own)
    if command.window <= before:
        raise Refused(Code.NOT_FORWARD, following=before)
    if command.window > before + WINDOWS_AHEAD_MAX:
        raise Refused(Code.TOO_FAR_AHEAD, following=before, ahead_max=WINDOWS_AHEAD_MAX)
    advanced = _turn(progress, own, command.window, others)
    # CHANGE
    view.put(advanced)
    # TELL
    closed = [
        _tell_closed(_get_window(view, context, agreement, number))
        for number in range(progress.closed, advanced.closed)
    ]
    fields = (agreement.agreement, command.bank, command.window)
    return [Advanced(NO_MONEY, *fields, tuple(closed))]


def bracket(view: View, context: Context, command: Bracket) -> list[Event]:
    """Count the buckets of open tags, so that it shows which breaks are near one another.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement, own = _require_party(view, context, command)
    window = windows.require_closed(view, agreement.agreement, command.window)
    if window.agreed_ms:
        raise Refused(Code.ALREADY_AGREED, window=command.window)
    counts = _require_open(view, command, own)
    # CHANGE
    near = rows = 0
    for item, count in zip(command.items, counts, strict=True):
        ours, theirs = _pick(count, own)
        view.put(_turn(count, own, msgspec.structs.replace(ours, is_bracketed=True), theirs))
        is_near, new = _count_buckets(view, context, command, item.buckets, own)
        near, rows = near + is_near, rows + new
    view.put(msgspec.structs.replace(window, rows=window.rows + rows))
    # TELL
    fields = (agreement.agreement, command.bank, command.window)
    return [Near(NO_MONEY, *fields, len(command.items), near)]


def agree(view: View, context: Context, command: Agree) -> list[Event]:
    """State a result, as often as it takes; windows are agreed in their order.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    agreement, own = _require_party(view, context, command)
    progress = _get_progress(view, context, agreement)
    number = command.window
    if number > progress.agreed:
        raise Refused(Code.OUT_OF_ORDER, window=number, following=progress.agreed)
    if number >= progress.closed:
        raise Refused(Code.NOT_CLOSED, window=number)
    if number < progress.agreed:
        raise Refused(Code.ALREADY_AGREED, window=number, following=progress.agreed)
    window = _get_window(view, context, agreement, number)
    counts = (window.left.entries, window.right.entries)
    if (command.left_entries, command.right_entries) != counts:
        raise Refused(Code.OUT_OF_DATE, left_entries=counts[0], right_entries=counts[1])
    statement = compute_statement(counts, command.result, command.healed, context.digest)
    ours, theirs = _pick(window, own)
    is_agreed = theirs.statement == statement
    stated = _turn(window, own, msgspec.structs.replace(ours, statement=statement), theirs)
    # CHANGE
    _begin(view, progress, number)
    events: list[Event] = []
    if is_agreed:
        stated = msgspec.structs.replace(stated, agreed_ms=context.time_ms, result=command.result)
        windows.count_agreed(view, agreement.agreement)
        events = [
            Agreed(NO_MONEY, agreement.agreement, number, command.result),
            *cases.heal(view, context, agreement.agreement, command.healed),
        ]
    view.put(stated)
    # TELL
    differs = bool(theirs.statement) and not is_agreed
    fields = (agreement.agreement, command.bank, number, command.result)
    return [Stated(NO_MONEY, *fields, differs), *events]


def sweep(view: View, context: Context, command: Sweep) -> list[Event]:
    """Remove rows of a window that was agreed, or whose agreement is over, after its time.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    window = windows.find_window(view, command.agreement, command.window)
    if window is None:
        raise Refused(Code.UNKNOWN_WINDOW, window=command.window)
    agreement = agreements.get_known(view, command.agreement)
    if not agreements.is_over(agreement, context.time_ms):
        keep_ms = agreement.keep_days * DAY_MS
        if not window.agreed_ms or context.time_ms <= window.agreed_ms + keep_ms:
            raise Refused(Code.STILL_ON_RECORD, window=command.window)
    named: list[tuple[type[TagCount | BucketCount], bytes]]
    named = [(TagCount, tag) for tag in command.tags]
    named += [(BucketCount, bucket) for bucket in command.buckets]
    key = (command.agreement, command.window)
    present = {(kind, name) for kind, name in named if view.get(kind, *key, name) is not None}
    if len(present) < len(named):
        raise Refused(Code.UNKNOWN_TAG, window=command.window)
    # CHANGE
    for kind, name in named:
        view.delete(kind, *key, name)
    rows = window.rows - len(named)
    if rows:
        view.put(msgspec.structs.replace(window, rows=rows))
    else:
        view.delete(Window, *key)
        windows.count_row(view, command.agreement, -1)
    # TELL
    return [Swept(NO_MONEY, command.agreement, command.window, len(named))]


class _Place(IntEnum):
    """Which of the two parties one is."""

    LEFT = 0
    RIGHT = 1


class _Party(NamedTuple):
    """A party, as it stands in its agreement."""

    agreement: Agreement
    place: _Place


S = TypeVar("S", TagCount, BucketCount, Window, Progress)
"""A row with something of each party."""


def _require_party(
    view: View, context: Context, command: Post | Advance | Bracket | Agree
) -> _Party:
    """Get the agreement and whose side it is; what was posted is agreed on after its end, too."""
    agreement = agreements.require_party(
        view, context, command.agreement, command.bank, Purpose.ASSERT
    )
    agreements.require_accepted(agreement, may_be_ended=True)
    return _Party(agreement, _Place.LEFT if command.bank == agreement.left else _Place.RIGHT)


def _require_open(view: View, command: Bracket, own: _Place) -> list[TagCount]:
    """Get the tags whose buckets are posted; each is open on this side, and named once."""
    seen: set[bytes] = set()
    counts = []
    for item in command.items:
        count = windows.find_tag(view, command.agreement, command.window, item.tag)
        ours, theirs = (Tally(), Tally()) if count is None else _pick(count, own)
        is_open = ours.entries > theirs.entries and not ours.is_bracketed
        if count is None or not is_open or item.tag in seen:
            raise Refused(Code.NOT_OPEN, tag=item.tag)
        seen.add(item.tag)
        counts.append(count)
    return counts


def _count_entries(
    view: View, context: Context, window: Window, own: _Place, items: tuple[Item, ...]
) -> Window:
    """Count entries under their tags, and write these; returns the window's new figures."""
    key = (window.agreement, window.window)
    matched = rows = 0
    for item in items:
        count = view.get(TagCount, *key, item.tag)
        if count is None:
            count = TagCount(*key, item.tag, Tally(), Tally(), context.sponsor)
            rows += 1
        ours, theirs = _pick(count, own)
        chain = compute_chain(ours.chain, item.commitment, context.digest)
        matched += ours.entries < theirs.entries
        view.put(_turn(count, own, Tally(ours.entries + 1, chain, ours.is_bracketed), theirs))
    ours, theirs = _pick(window, own)
    entries = len(items)
    ours = msgspec.structs.replace(
        ours, entries=ours.entries + entries, open=ours.open + entries - matched
    )
    theirs = msgspec.structs.replace(theirs, open=theirs.open - matched)
    return msgspec.structs.replace(
        _turn(window, own, ours, theirs),
        matched=window.matched + matched,
        rows=window.rows + rows,
    )


def _count_buckets(
    view: View, context: Context, command: Bracket, buckets: tuple[bytes, ...], own: _Place
) -> tuple[bool, int]:
    """Count an open tag in its buckets.

    Returns:
      Whether the other party has something in one of them, and how many rows are new.
    """
    is_near, new = False, 0
    key = (command.agreement, command.window)
    for bucket in buckets:
        count = view.get(BucketCount, *key, bucket)
        if count is None:
            count = BucketCount(*key, bucket, 0, 0, context.sponsor)
            new += 1
        ours, theirs = _pick(count, own)
        is_near |= theirs > 0
        view.put(_turn(count, own, ours + 1, theirs))
    return is_near, new


def _pick(row: TagCount | BucketCount | Window | Progress, own: _Place) -> tuple[Any, Any]:
    """Pick of a row what is this party's, and what the other's."""
    return (row.left, row.right) if own is _Place.LEFT else (row.right, row.left)


def _turn(row: S, own: _Place, ours: object, theirs: object) -> S:
    """Put both parts back into a row, each on its side."""
    left, right = (ours, theirs) if own is _Place.LEFT else (theirs, ours)
    return msgspec.structs.replace(row, left=left, right=right)


def _get_progress(view: View, context: Context, agreement: Agreement) -> Progress:
    found = windows.find_progress(view, agreement.agreement)
    return found or Progress(agreement.agreement, context.sponsor)


def _begin(view: View, progress: Progress, number: int) -> None:
    """Count a window among what hangs on its agreement, if it is new."""
    if windows.find_window(view, progress.agreement, number) is None:
        view.put(msgspec.structs.replace(progress, rows=progress.rows + 1))


def _get_window(view: View, context: Context, agreement: Agreement, number: int) -> Window:
    found = windows.find_window(view, agreement.agreement, number)
    return found or Window(agreement.agreement, number, context.sponsor)


def _tell_closed(window: Window) -> Closed:
    return Closed(window.window, window.matched, window.left.open, window.right.open)


def _list_posted(command: Post) -> tuple[RowId, ...]:
    key = (command.agreement, command.window)
    return (
        (Account, command.bank),
        (Agreement, command.agreement),
        (Progress, command.agreement),
        (Window, *key),
        *((TagCount, *key, item.tag) for item in command.items),
    )


READS: dict[type[Command], ListReads] = {Post: _list_posted}

COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "post": (Post, post),
    "advance": (Advance, advance),
    "bracket": (Bracket, bracket),
    "agree": (Agree, agree),
    "sweep": (Sweep, sweep),
}
