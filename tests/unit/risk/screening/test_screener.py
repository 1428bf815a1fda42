"""Hits are those of a slow search that looks at everything, however a name is put."""

import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.screened import score_slowly

from hansa.kernel.errors import Invalid
from hansa.risk.screening.entries import Alias, Days, Entry, Kind, build_list
from hansa.risk.screening.names import NAME_MAX, TOKENS_MAX, split_name
from hansa.risk.screening.screener import HITS_MAX, Agreement, Match, Screener

TRIES = settings(max_examples=500 if IS_SOAK else 40)
TOKENS = st.one_of(
    st.sampled_from(
        ["mohammed", "muhamad", "al", "j", "m", "ali", "smith", "ltd", "12", "hammamed"]
    ),
    st.text("aehmtdgk", min_size=1, max_size=9),
)
NAMES = st.lists(TOKENS, min_size=1, max_size=5).map(" ".join)


def enlist(*names):
    return build_list(
        Entry("UN", f"QDi.{number:03}", Kind.PERSON, name) for number, name in enumerate(names)
    )


KNOWN = Screener(
    build_list(
        [
            Entry("UN", "QDi.1", Kind.PERSON, "Muammar Mohammed Qadhafi", (Alias("Khadaffi"),)),
            Entry("UN", "QDi.2", Kind.PERSON, "José Ramírez", (), (Days(19700101, 19701231),)),
            Entry("OFAC-SDN", "7", Kind.PERSON, "RAMIREZ, Jose", (), (Days(19500303, 19500303),)),
            Entry("OFAC-SDN", "8", Kind.PERSON, "PONOMAREV, Vyacheslav", (), (), ("Russia",)),
            Entry("OFAC-SDN", "9", Kind.VESSEL, "TANKER 11", (Alias("SEA 7", is_weak=True),)),
            *(
                Entry("OFAC-CONS", str(number), Kind.ENTITY, f"COMPANY {chr(97 + number)}lt")
                for number in range(20)
            ),
        ]
    )
)


@TRIES
@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), NAMES, st.integers(1, 900_000))
def test_scores_are_those_of_a_search_that_looks_at_everything(names, asked, threshold):
    listed = enlist(*names)
    slow = score_slowly([entry.name for entry in listed.entries], asked)
    expected = {
        entry.id: score
        for entry, score in zip(listed.entries, slow, strict=True)
        if score >= threshold
    }
    screening = Screener(listed, threshold).screen(asked)
    assert {hit.entry.id: hit.score for hit in screening.hits} == expected


@TRIES
@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), NAMES, st.randoms())
def test_order_of_tokens_and_of_the_list_change_nothing(names, asked, chance):
    entries = list(enlist(*names).entries)
    tokens = asked.split()
    screening = Screener(build_list(entries), 1).screen(asked)
    chance.shuffle(entries)
    chance.shuffle(tokens)
    assert Screener(build_list(entries), 1).screen(", ".join(tokens).upper()) == screening


@given(st.sampled_from(["Muammar Qaddafi", "Jose Ramirez", "Vyacheslav Ponomarev"]), st.data())
@TRIES
def test_case_accents_and_apostrophes_change_nothing(name, data):
    odd = "".join(
        data.draw(st.sampled_from([letter, letter.upper(), letter + "\u0301", letter + "\u2019"]))
        for letter in name
    )
    assert KNOWN.screen(unicodedata.normalize("NFC", odd)) == KNOWN.screen(name)


@TRIES
@given(st.text())
def test_any_text_is_screened_or_refused(name):
    assume(len(name) <= NAME_MAX)
    if split_name(name):
        assert KNOWN.screen(name) == KNOWN.screen(name)
    else:
        with pytest.raises(Invalid, match="without a letter"):
            KNOWN.screen(name)


def test_a_hit_says_which_tokens_matched_and_what_was_left():
    (hit,) = Screener(KNOWN.listed, 400_000).screen("Muamar Qaddafi").hits
    assert hit.entry.id == "QDi.1"
    assert hit.matches == (Match("muamar", "muammar"), Match("qaddafi", "qadhafi"))
    assert (hit.asked_left, hit.listed_left) == ((), ("mohammed",))
    assert (hit.born, hit.country) == (Agreement.UNKNOWN, Agreement.UNKNOWN)


def test_other_scripts_are_romanised():
    assert KNOWN.screen("Вячеслав Пономарёв").hits[0].entry.id == "8"
    assert split_name("习近平 أسامة Χρήστος 김 Đặng") == [
        *("xi", "jin", "ping", "asama", "christos", "gim", "dang")
    ]
    assert split_name("Abdulrahman Mus?ab O\u2019Neill-Abdullah") == [
        *("abdul", "rahman", "musab", "oneill", "abdullah")
    ]


@pytest.mark.parametrize(
    "letter", list("\x00\x7f\u00ad\u061c\u200b\u200f\u202a\u2060\ufeff\U000e0061")
)
def test_what_nobody_sees_parts_no_word(letter):
    assert split_name(f"Qad{letter}hafi Пономар{letter}ёв\n") == ["qadhafi", "ponomarev"]


def test_dates_of_birth_and_countries_decide_between_equal_scores():
    def ids(**known):
        return [hit.entry.id for hit in KNOWN.screen("Jose Ramirez", **known).hits]

    assert ids() == ["7", "QDi.2"]
    assert ids(born=Days(19700606, 19700606)) == ["QDi.2", "7"]
    assert ids(born=Days(19500101, 19501231)) == ["7", "QDi.2"]
    hit = KNOWN.screen("Ponomarev, Vyacheslav", countries=["RUSSIA"]).hits[0]
    assert hit.country is Agreement.AGREES
    hit = KNOWN.screen("Ponomarev, Vyacheslav", countries=["Chad"]).hits[0]
    assert hit.country is Agreement.DIFFERS


def test_numbers_are_the_same_or_not():
    assert KNOWN.screen("Tanker 11").hits[0].name == "TANKER 11"
    assert not KNOWN.screen("Tanker 12").hits


def test_all_hits_are_counted_and_the_best_given():
    screener = Screener(KNOWN.listed, 1)
    screening = screener.screen("Company")
    assert (screening.hit_count, len(screening.hits)) == (20, HITS_MAX)
    assert screening.content_hash == KNOWN.listed.content_hash


@pytest.mark.parametrize("name", ["", "?!", "x" * (NAME_MAX + 1), "a " * (TOKENS_MAX + 1)])
def test_what_cannot_be_screened_is_refused_and_never_passed(name):
    with pytest.raises(Invalid):
        KNOWN.screen(name)
    with pytest.raises(Invalid, match="threshold"):
        Screener(KNOWN.listed, 0)
    with pytest.raises(Invalid, match="without a name"):
        Screener(enlist("?"))
