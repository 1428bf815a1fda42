"""Claims of tokens that say when, and for whom, a token counts. Times are seconds since 1970.

Source: RFC 7519, section 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hansa.identity.faults import Fault, Unsound

TIME_S_MAX = 2**53
"""As far as JSON counts exactly (RFC 7493, section 2.2): what is beyond is no time."""
LEEWAY_S = 60
"""By how much clocks may differ."""
_SHOWN_LETTERS_MAX = 80


def read_time_s(claims: Mapping[str, Any], name: str, what: str) -> float | None:
    """Read a time of a token's claims, or nothing if it is not there.

    Raises:
      Unsound: `MALFORMED`: it is no number, or one with which nobody should reckon.
    """
    value = claims.get(name)
    is_truth = isinstance(value, bool)
    if isinstance(value, int | float) and not is_truth and abs(value) <= TIME_S_MAX:
        return value
    if name in claims:
        raise Unsound(Fault.MALFORMED, f"{name} of {what} is no number of seconds")
    return None


def verify_times(
    claims: Mapping[str, Any], what: str, now_s: int, leeway_s: int = LEEWAY_S
) -> None:
    """Verify that a token counts now: issued (`iat`), begun (`nbf`) and not over (`exp`).

    Raises:
      Unsound: `MALFORMED`, `NOT_YET_VALID` or `EXPIRED`.
    """
    for name in ("iat", "nbf"):
        begins_s = read_time_s(claims, name, what)
        if begins_s is not None and begins_s > now_s + leeway_s:
            raise Unsound(
                Fault.NOT_YET_VALID, f"{what} counts from {begins_s} on ({name}); it is {now_s}"
            )
    ends_s = read_time_s(claims, "exp", what)
    if ends_s is not None and ends_s <= now_s - leeway_s:
        raise Unsound(Fault.EXPIRED, f"{what} counted until {ends_s} (exp); it is {now_s}")


def verify_type(header: Mapping[str, Any], types: tuple[str, ...], what: str) -> None:
    """Verify that a token says it is of one of these types, so that none passes for another.

    Source: RFC 7515, section 4.1.9; RFC 8725, section 3.11.

    Raises:
      Unsound: `TYPE`.
    """
    found = header.get("typ")
    name = found.lower().removeprefix("application/") if type(found) is str else None
    if name not in types:
        raise Unsound(
            Fault.TYPE,
            f"{what} has the type {show_claim(found)}: it must be {' or '.join(types)}",
        )


def show_claim(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Write a stranger's claim for people, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN_LETTERS_MAX else f"{text[:_SHOWN_LETTERS_MAX]}…"
