"""Derived claims: answers that an issuer gives beforehand, so that nobody must ask for the fact.

Who must show that it is over 18 would otherwise show its day of birth. The issuer states for some
ages whether the person has reached them, each as a claim of its own, and the holder discloses the
one that is asked for. It proves nothing about other ages, and needs no proof over numbers.

Source: ISO/IEC 18013-5, section 7.2.5 (age attestation); EUDI PID rule book (`age_equal_or_over`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from hansa.identity.faults import Fault, Unsound

AGES = (14, 16, 18, 21, 65)
"""Those that are asked for most."""
_AGE_MAX = 130


def compute_age_claims(
    birth_date: str, on_date: str, ages: Iterable[int] = AGES
) -> dict[str, bool]:
    """Compute which ages somebody has reached: `age_equal_or_over_18` and the like.

    Both dates are written as 2026-11-29. Whoever was born on 29 February reaches an age on
    1 March, where there is no such day. True stays true; false may turn true on a birthday, so a
    credential with such claims is issued anew by then.

    Raises:
      Unsound: `MALFORMED`: no date, a birth after that day, or an age outside 0 to 130.

    >>> compute_age_claims("2008-11-30", "2026-11-29", ages=(16, 18))
    {'age_equal_or_over_16': True, 'age_equal_or_over_18': False}
    """
    born, on = _read_date(birth_date), _read_date(on_date)
    years = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
    wanted = sorted(set(ages))
    if years < 0 or any(not 0 <= age <= _AGE_MAX for age in wanted):
        raise Unsound(
            Fault.MALFORMED, f"ages are from 0 to {_AGE_MAX}, of somebody who is born by {on_date}"
        )
    return {f"age_equal_or_over_{age}": years >= age for age in wanted}


def _read_date(text: object) -> date:
    try:
        found = date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise Unsound(Fault.MALFORMED, f"{text!r:.32} is no date: write it as 2026-11-29")
    return found
