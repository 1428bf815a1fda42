"""Moments as credentials and logs write them, in milliseconds since 1970.

Source: RFC 3339, section 5.6; XML Schema 1.1, dateTimeStamp (a time zone is required).
"""

from __future__ import annotations

from datetime import UTC, datetime

from hansa.identity.faults import Fault, Unsound

_LETTERS_MAX = 40
_DIGITS = frozenset("0123456789")
_SHAPE = "0000-00-00T00:00:00"


def read_timestamp(text: object, what: str) -> int:
    """Read a moment with its time zone, to the millisecond; what is finer is cut off.

    Raises:
      Unsound: `MALFORMED`.
    """
    if not isinstance(text, str) or not _is_shaped(text):
        raise _malformed(what)
    whole, fraction, zone = _take_apart(text)
    try:
        # In UTC, or a zone could lead out of the years in which moments are written.
        moment = datetime.fromisoformat(whole + zone).astimezone(UTC)
        seconds = round((moment - datetime.fromtimestamp(0, UTC)).total_seconds())
    except (ValueError, OverflowError):
        raise _malformed(what) from None
    return seconds * 1_000 + int(fraction[:3].ljust(3, "0"))


def write_timestamp(time_ms: int) -> str:
    """Write a moment in UTC, to the second."""
    moment = datetime.fromtimestamp(time_ms // 1_000, UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _is_shaped(text: str) -> bool:
    head = text[: len(_SHAPE)]
    return len(_SHAPE) < len(text) <= _LETTERS_MAX and all(
        letter in _DIGITS if shape == "0" else letter == shape
        for letter, shape in zip(head, _SHAPE, strict=True)
    )


def _take_apart(text: str) -> tuple[str, str, str]:
    """Return date and time, the digits of the fraction, and the zone in ISO form."""
    whole, rest = text[: len(_SHAPE)], text[len(_SHAPE) :]
    fraction = ""
    if rest.startswith("."):
        zone = rest[1:].lstrip("0123456789")
        fraction = rest[1 : len(rest) - len(zone)]
        rest = zone if fraction else "."
    is_offset = len(rest) == len("+00:00") and rest[0] in "+-" and rest[3] == ":"
    if rest != "Z" and not (is_offset and _DIGITS.issuperset(rest[1:3] + rest[4:])):
        return "", fraction, ""
    return whole, fraction, "+00:00" if rest == "Z" else rest


def _malformed(what: str) -> Unsound:
    return Unsound(
        Fault.MALFORMED, f"{what} is no moment with a time zone, as 2026-11-29T12:00:00Z is"
    )
