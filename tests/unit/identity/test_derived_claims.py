"""Answers on ages, as an issuer states them."""

import pytest

from hansa.identity.derived_claims import AGES, compute_age_claims
from hansa.identity.faults import Fault, Unsound


@pytest.mark.parametrize(
    ("born", "on", "is_over"),
    [
        ("2008-11-29", "2026-11-28", False),
        ("2008-11-29", "2026-11-29", True),
        ("2008-11-29", "2026-12-01", True),
        ("2008-12-01", "2026-11-30", False),
        ("2008-02-29", "2026-02-28", False),
        ("2008-02-29", "2026-03-01", True),
        ("1900-01-01", "2026-11-29", True),
    ],
)
def test_an_age_is_reached_on_the_birthday(born, on, is_over):
    assert compute_age_claims(born, on, [18]) == {"age_equal_or_over_18": is_over}


def test_each_age_is_a_claim_of_its_own():
    claims = compute_age_claims("2006-01-31", "2026-11-29")
    assert claims == {f"age_equal_or_over_{age}": age <= 20 for age in AGES}


@pytest.mark.parametrize(
    ("born", "on", "ages"),
    [
        ("2008-1-1", "2026-11-29", [18]),
        ("20080101", "2026-11-29", [18]),
        ("2008-02-30", "2026-11-29", [18]),
        ("", "2026-11-29", [18]),
        (None, "2026-11-29", [18]),
        ("2008-01-01", "yesterday", [18]),
        ("2026-11-30", "2026-11-29", [18]),
        ("2008-01-01", "2026-11-29", [-1]),
        ("2008-01-01", "2026-11-29", [131]),
    ],
)
def test_what_is_no_birth_is_refused(born, on, ages):
    with pytest.raises(Unsound) as caught:
        compute_age_claims(born, on, ages)
    assert caught.value.fault is Fault.MALFORMED
