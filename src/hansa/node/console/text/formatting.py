"""How values look to people: money, times, addresses, counts. Text only, no markup.

A minus is the sign U+2212, so that figures of one width line up; thousands are parted by commas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hansa.kernel.calendar import DAY_MS, MINUTE_MS, civil_date, format_iso

MINUS = "\N{MINUS SIGN}"
HOUR_MS = 3_600_000
ELLIPSIS = "…"
HEAD_LETTERS = 10
TAIL_LETTERS = 6

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))


def format_minor(amount_minor: int, exponent: int) -> str:
    """Write an amount of minor units in major ones.

    >>> format_minor(-123456789, 2)
    '−1,234,567.89'
    >>> format_minor(1500, 0)
    '1,500'
    """
    major, minor = divmod(abs(amount_minor), 10**exponent)
    sign = MINUS if amount_minor < 0 else ""
    return f"{sign}{major:,}" + (f".{minor:0{exponent}d}" if exponent else "")


def format_change(amount_minor: int, exponent: int) -> str:
    """Write an amount with its sign, also where it is a plus.

    >>> format_change(50, 2)
    '+0.50'
    """
    return ("+" if amount_minor > 0 else "") + format_minor(amount_minor, exponent)


def format_rate(per_second: float) -> str:
    """Write a rate: with a decimal only where it says something.

    >>> [format_rate(each) for each in (0, 0.25, 9.96, 2364.2)]
    ['0', '0.2', '10', '2,364']
    """
    if not per_second:
        return "0"
    text = f"{per_second:.1f}"
    return text if len(text) == len("0.0") else f"{per_second:,.0f}"


def format_round(value: int) -> str:
    r"""Write a round number of a scale, in words where digits would be many.

    >>> [format_round(each) for each in (500_000, 10_000_000, 2_500_000_000)]
    ['500,000', '10\xa0million', '2.5\xa0billion']
    """
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if value >= size and value * 10 % size == 0:
            return f"{value / size:,.1f}".removesuffix(".0") + f"\N{NO-BREAK SPACE}{word}"
    return f"{value:,}"


def format_share(part: int, whole: int) -> str:
    r"""Write a share in percent; less than a thousandth is said to be so.

    >>> [format_share(*each) for each in ((0, 7), (1, 3), (1, 10_000), (0, 0))]
    ['0\xa0%', '33.3\xa0%', '<\xa00.1\xa0%', '–']
    """
    if not whole:
        return "–"
    if 0 < 1_000 * part < whole:
        return "<\N{NO-BREAK SPACE}0.1\N{NO-BREAK SPACE}%"
    return f"{100 * part / whole:.1f}".removesuffix(".0") + "\N{NO-BREAK SPACE}%"


def format_moment(time_ms: int, offset_minutes: int) -> str:
    """Write a ledger time in the zone's civil time, to the second.

    >>> format_moment(1_522_574_645_999, 480)
    '1 Apr 2018, 17:24:05'
    """
    return f"{format_day(time_ms, offset_minutes)}, {format_clock(time_ms, offset_minutes)}"


def format_day(time_ms: int, offset_minutes: int) -> str:
    """Write the civil date of a ledger time, as `1 Apr 2018`."""
    year, month, day = civil_date(time_ms, offset_minutes)
    return f"{day} {_MONTHS[month - 1]} {year}"


def format_clock(time_ms: int, offset_minutes: int) -> str:
    """Write the time of day of a ledger time, as `17:24:05`."""
    seconds = (time_ms + offset_minutes * MINUTE_MS) // 1_000 % 86_400
    return f"{seconds // 3_600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def format_offset(offset_minutes: int) -> str:
    """Write a zone's offset, as `UTC+08:00`.

    >>> format_offset(-210)
    'UTC−03:30'
    """
    if offset_minutes == 0:
        return "UTC"
    hours, minutes = divmod(abs(offset_minutes), 60)
    return f"UTC{'+' if offset_minutes > 0 else MINUS}{hours:02d}:{minutes:02d}"


def format_duration(duration_ms: int) -> str:
    """Write a duration in its two largest units.

    >>> format_duration(90_000_000)
    '1 day 1 hour'
    >>> format_duration(0)
    'none'
    """
    if 0 < duration_ms < _UNITS[-1][1]:
        return f"{duration_ms} ms"
    words = []
    rest = duration_ms
    for name, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count:,} {name}{'' if count == 1 else 's'}")
    return " ".join(words[:2]) or "none"


def format_bytes(count: int) -> str:
    """Write a size in memory or on disk.

    >>> format_bytes(2_621_440)
    '2.5 MiB'
    """
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":  # noqa: PLR2004 - a kibi
            break
        size /= 1024
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"


def split_middle(text: str) -> tuple[str, str, str]:
    """Part a long identifier into what is shown, what is hidden, and what is shown behind it.

    >>> split_middle("abcd")
    ('abcd', '', '')
    """
    if len(text) <= HEAD_LETTERS + TAIL_LETTERS + 1:
        return text, "", ""
    return text[:HEAD_LETTERS], text[HEAD_LETTERS:-TAIL_LETTERS], text[-TAIL_LETTERS:]


def shorten(text: str) -> str:
    """Shorten a long identifier in its middle."""
    head, middle, tail = split_middle(text)
    return f"{head}{ELLIPSIS}{tail}" if middle else head


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of one asset."""

    amount_minor: int
    asset: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label below an axis."""

    text: str
    is_date: bool


@dataclass(frozen=True, slots=True)
class Format:
    """What formatting needs to know of a network: its zone, and the digits of its assets."""

    offset_minutes: int
    exponents: Mapping[str, int]

    def figure(self, amount_minor: int, asset: str) -> str:
        """Write an amount without the name of its asset."""
        return format_minor(amount_minor, self.exponents.get(asset, 0))

    def change(self, amount_minor: int, asset: str) -> str:
        """Write a change of a balance."""
        return format_change(amount_minor, self.exponents.get(asset, 0))

    def money(self, money: Money) -> str:
        """Write an amount and its asset, not parted at a line's end; minor units of an unknown."""
        if not money.asset:
            return f"{money.amount_minor:,}\N{NO-BREAK SPACE}minor units"
        return f"{self.figure(money.amount_minor, money.asset)}\N{NO-BREAK SPACE}{money.asset}"

    def moment(self, time_ms: int) -> str:
        """Write a ledger time in the zone's civil time."""
        return format_moment(time_ms, self.offset_minutes)

    def clock(self, time_ms: int) -> str:
        """Write the zone's time of day."""
        return format_clock(time_ms, self.offset_minutes)

    def ticks(self, times_ms: Sequence[int]) -> list[Tick]:
        """Write moments below an axis, as shortly as can be: a date where a new one begins."""
        span_ms = times_ms[-1] - times_ms[0] if times_ms else 0
        ticks = []
        last = ""
        for time_ms in times_ms:
            day = self.day(time_ms)[: -len(" 2018")]
            clock = self.clock(time_ms)[: None if span_ms < HOUR_MS else -len(":00")]
            is_date = span_ms > DAY_MS and day != last
            ticks.append(Tick(day if is_date else clock, is_date))
            last = day
        return ticks

    def day(self, time_ms: int) -> str:
        """Write the zone's civil date."""
        return format_day(time_ms, self.offset_minutes)

    def iso(self, time_ms: int) -> str:
        """Write a ledger time by ISO 8601, for machines and for titles."""
        return format_iso(time_ms, self.offset_minutes)

    @property
    def zone(self) -> str:
        """The zone's offset from UTC."""
        return format_offset(self.offset_minutes)
