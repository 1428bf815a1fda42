"""The public benchmark: who is listed is found, however the name is put; hardly anybody else is."""

import pytest

from hansa.risk.screening.evaluation import (
    NEGATIVES,
    TREATED,
    UNTREATED,
    find_wanted,
    read_folder,
    read_names,
    run,
)
from hansa.risk.screening.screener import Screener

pytestmark = pytest.mark.data
NOT_LISTED = {"ANAS HASAN KHATTAB", "MUNIR AL QUBAYSI", "ABU MOHAMMED AL-JAWLANI"}
"""Whom the UN has taken off its list since the fixtures were made."""


@pytest.fixture(scope="module")
def screener(datasets):
    return Screener(read_folder(datasets / "risk" / "sanctions-ofac-un"))


@pytest.fixture(scope="module")
def fixtures(datasets):
    return datasets / "risk" / "yente-screening-fixtures"


def count():
    return 0


def test_all_that_are_listed_are_found_treated_and_untreated(screener, fixtures):
    untreated = read_names(fixtures / f"{UNTREATED}.csv")
    treated = read_names(fixtures / f"{TREATED}.csv")
    wanted = find_wanted(screener.listed, untreated, treated)
    missing = {name for name, ids in zip(untreated, wanted, strict=True) if not ids}
    assert missing == NOT_LISTED
    as_it_was = find_wanted(screener.listed, untreated, untreated)
    for names, ids in ((untreated[::4], as_it_was[::4]), (treated, wanted)):
        outcomes = run(screener, names, ids, count)
        found = [outcome.is_found for outcome in outcomes]
        assert found == [bool(each) for each in ids]


def test_of_others_hardly_any_is_flagged(screener, fixtures):
    names = [name for file in NEGATIVES for name in read_names(fixtures / f"{file}.csv")[1::25]]
    flagged = sum(outcome.is_hit for outcome in run(screener, names, (), count))
    assert len(names) == 4_000
    assert flagged <= 20
