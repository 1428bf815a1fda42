"""Windows: what two parties posted of some days, tag by tag, and how far each of them is.

Part of the contract `reconciliation`, kept apart for reading; it has no commands of its own. A tag
is a keyed hash under the pair's key: who has not the key learns of an entry only that it is there.
Both parties make the same tag of the same movement, so entries match by counting them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Refused
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows
from hansa.kernel.trees.merkle import Digest
from hansa.kernel.values import Address, Hash, NonNegative, TimeMs

TAG_BYTES = 16
WINDOWS_AHEAD_MAX = 16
"""How far before its own watermark a party may post, and in one step advance it."""
WINDOW_LATEST = 2**24

Tag = Annotated[bytes, Meta(min_length=TAG_BYTES, max_length=TAG_BYTES)]
WindowNumber = Annotated[int, Meta(ge=0, le=WINDOW_LATEST)]
"""Window n is of the days from `from_day` + n × `window_days` on."""


class Code(StrEnum):
    """Refusals, in order of precedence."""

    UNKNOWN_WINDOW = "reconciliation.UNKNOWN_WINDOW"
    STILL_ON_RECORD = "reconciliation.STILL_ON_RECORD"
    NOT_FORWARD = "reconciliation.NOT_FORWARD"
    TOO_FAR_AHEAD = "reconciliation.TOO_FAR_AHEAD"
    OUT_OF_ORDER = "reconciliation.OUT_OF_ORDER"
    NOT_CLOSED = "reconciliation.NOT_CLOSED"
    ALREADY_AGREED = "reconciliation.ALREADY_AGREED"
    OUT_OF_DATE = "reconciliation.OUT_OF_DATE"
    NOT_OPEN = "reconciliation.NOT_OPEN"
    UNKNOWN_TAG = "reconciliation.UNKNOWN_TAG"


class Tally(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Entries that one party posted under a tag."""

    entries: NonNegative = 0
    chain: Hash = ZERO_HASH
    """Hash of the chain before and the next entry's commitment, entry by entry."""
    is_bracketed: bool = False
    """Whether its bucket tags are posted."""


class TagCount(Row, frozen=True, array_like=True):
    """What both parties posted under a tag; as many of both match, the others are open."""

    TABLE: ClassVar[bytes] = b"rt"
    KEY: ClassVar[tuple[str, ...]] = ("agreement", "window", "tag")
    CACHED: ClassVar[bool] = False
    CHARGED_TO: ClassVar[str] = "sponsor"

    agreement: Hash
    window: WindowNumber
    tag: Tag
    left: Tally
    right: Tally
    sponsor: Address
    """Who brought the first in, and is charged for this row until it is swept."""


class BucketCount(Row, frozen=True, array_like=True):
    """How many open entries of each party lie in a bucket of amounts or days."""

    TABLE: ClassVar[bytes] = b"rb"
    KEY: ClassVar[tuple[str, ...]] = ("agreement", "window", "bucket")
    CACHED: ClassVar[bool] = False
    CHARGED_TO: ClassVar[str] = "sponsor"

    agreement: Hash
    window: WindowNumber
    bucket: Tag
    left: NonNegative
    right: NonNegative
    sponsor: Address


class Side(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one party posted in a window."""

    entries: NonNegative = 0
    open: NonNegative = 0
    """Without a partner; breaks, once the window is closed."""
    statement: bytes = b""
    """Hash of the result that it states; empty if it has stated none."""
    cases: NonNegative = 0
    """Cases that it opened for the window's breaks."""


class Window(Row, frozen=True, array_like=True):
    """A window in figures."""

    TABLE: ClassVar[bytes] = b"rw"
    KEY: ClassVar[tuple[str, ...]] = ("agreement", "window")
    CHARGED_TO: ClassVar[str] = "sponsor"

    agreement: Hash
    window: WindowNumber
    sponsor: Address
    left: Side = Side()
    right: Side = Side()
    matched: NonNegative = 0
    """Pairs of entries with equal tags."""
    healed: NonNegative = 0
    """Those of them that came after the window was closed: so many breaks are none any more."""
    rows: NonNegative = 0
    """Rows of tags and buckets that are still on record."""
    agreed_ms: TimeMs = 0
    """When both had stated the same result; 0 until then."""
    result: bytes = b""
    """What both stated, a commitment; empty until then."""


class Progress(Row, frozen=True, array_like=True):
    """How far two parties are: numbers of the first window not yet complete, and not yet agreed."""

    TABLE: ClassVar[bytes] = b"rp"
    KEY: ClassVar[tuple[str, ...]] = ("agreement",)
    CHARGED_TO: ClassVar[str] = "sponsor"

    agreement: Hash
    sponsor: Address
    left: WindowNumber = 0
    """The left party's watermark: of the windows below it has posted all it knows."""
    right: WindowNumber = 0
    agreed: WindowNumber = 0
    rows: NonNegative = 0
    """Rows of windows, cases and positions that hang on the agreement, and are swept before it."""

    @property
    def closed(self) -> int:
        """Windows below this number are closed: what is open in them are breaks."""
        return min(self.left, self.right)


def compute_chain(chain: bytes, commitment: bytes, digest: Digest) -> bytes:
    """Compute the chain of a party's commitments under a tag, with one more at its end."""
    return digest(b"hansa\x00commitments\x00" + chain + commitment)


def compute_statement(
    counts: tuple[int, int], result: bytes, healed: tuple[bytes, ...], digest: Digest
) -> bytes:
    """Compute what is compared of two parties' statements: also of which entries they are.

    Args:
      counts: entries that the left party and the right one had posted.
      result: the commitment to what came out.
      healed: cases whose breaks are matched.
      digest: the network's hash.
    """
    return digest(b"hansa\x00statement\x00" + encode((*counts, result, healed)))


def find_progress(rows: Rows, agreement: bytes) -> Progress | None:
    """Find how far the parties of an agreement are; None if they have not begun."""
    return rows.get(Progress, agreement)


def find_window(rows: Rows, agreement: bytes, window: int) -> Window | None:
    """Find a window's figures; None if nothing was posted in it, or if it was swept."""
    return rows.get(Window, agreement, window)


def find_tag(rows: Rows, agreement: bytes, window: int, tag: bytes) -> TagCount | None:
    """Find what was posted under a tag."""
    return rows.get(TagCount, agreement, window, tag)


def find_bucket(rows: Rows, agreement: bytes, window: int, bucket: bytes) -> BucketCount | None:
    """Find how many open entries lie in a bucket."""
    return rows.get(BucketCount, agreement, window, bucket)


def require_closed(rows: Rows, agreement: bytes, window: int) -> Window:
    """Get a window that both watermarks have passed.

    Raises:
      Refused: `UNKNOWN_WINDOW` or `NOT_CLOSED`.
    """
    found = find_window(rows, agreement, window)
    if found is None:
        raise Refused(Code.UNKNOWN_WINDOW, window=window)
    progress = find_progress(rows, agreement)
    if progress is None or window >= progress.closed:
        raise Refused(Code.NOT_CLOSED, window=window)
    return found


def count_case(view: View, window: Window, *, is_left: bool) -> None:
    """Count a case that a party opens for a break of this window; for `cases`, which checks it."""
    side = window.left if is_left else window.right
    side = msgspec.structs.replace(side, cases=side.cases + 1)
    place = {"left" if is_left else "right": side}
    view.put(msgspec.structs.replace(window, **place))


def count_agreed(view: View, agreement: bytes) -> None:
    """Count the first window that was not agreed as agreed."""
    progress = find_progress(view, agreement)
    assert progress is not None  # noqa: S101 - both watermarks have passed the window
    view.put(msgspec.structs.replace(progress, agreed=progress.agreed + 1))


def count_row(view: View, agreement: bytes, change: int) -> None:
    """Count a row that is hung on an agreement (1), or removed (-1); for whom it belongs to."""
    progress = find_progress(view, agreement)
    assert progress is not None  # noqa: S101 - nothing hangs on an agreement before a window does
    view.put(msgspec.structs.replace(progress, rows=progress.rows + change))


def remove_progress(view: View, agreement: bytes) -> None:
    """Remove how far the parties were; for `agreements`, once nothing hangs on it any more."""
    if find_progress(view, agreement) is not None:
        view.delete(Progress, agreement)
