"""Mappings: what they must say, and what is said of one that does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tabled import PLAIN, mapping_of

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.readers.tables.mapping import MAPPING_BYTES_MAX, parse_mapping


def test_a_mapping_says_which_columns_are_read():
    mapping = mapping_of(PLAIN + "[rows]\nskip = 2\n")
    assert mapping.wanted == ["account", "currency", "date", "amount", "reference"]
    assert mapping.find("reference") == ("reference",)
    assert mapping.find("text") == ()
    assert mapping.rows.skip == 2


BASE = '[columns]\naccount = "a"\nbooking_date = "d"\namount = "x"\n'
EUR = '[constants]\ncurrency = "EUR"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("]", "not TOML"),
        ("x = 1", "x"),
        (BASE, "currency is missing"),
        (BASE + '[constants]\ncurrency = "euro"', "three capital letters"),
        (BASE + EUR + 'account = "DE"', "both a column and a constant"),
        (BASE + EUR + 'colour = "red"', "has no 'colour'"),
        (BASE + 'colour = "c"\n' + EUR, "has no 'colour'"),
        (BASE + 'credit = "c"\n' + EUR, "one for credit and one for debit"),
        (BASE + 'indicator = "c"\n' + EUR, "listed under [indicator]"),
        (BASE + EUR + '[indicator]\ncredit = ["C"]', "no column is the indicator"),
        (
            BASE + 'indicator = "c"\n' + EUR + '[indicator]\ncredit = ["C"]\ndebit = ["C"]',
            "each word once",
        ),
        (BASE + 'indicator = "x"\n' + EUR + '[indicator]\ncredit = ["C"]', "twice"),
        (BASE + 'text = ["t", "t"]\n' + EUR, "twice"),
        (BASE + "text = []\n" + EUR, "one column"),
        (BASE + "text = 0\n" + EUR, "numbered from 1"),
        (BASE.replace('"x"', '["x", "y"]') + EUR, "one column"),
        (BASE.replace('booking_date = "d"\n', "") + EUR, "booking_date and value_date"),
        (BASE + EUR + '[amounts]\ndecimal = ","\nthousands = ","', "the same mark"),
        (BASE + EUR + '[amounts]\nunit = "minor"\ndecimal = ","', "minor units are whole"),
        (BASE + EUR + "[amounts]\nsign = 2", "sign"),
        (BASE + EUR + '[dates]\nformat = "%d"', "format must have"),
        (BASE + EUR + '[dates]\nzone = "Mars/Olympus"', "no time zone"),
        (BASE + EUR + "[rows]\nskip = -1", "skip"),
        (BASE + EUR + "[rows]\nfooter = 5000", "footer"),
        (BASE + EUR + '[rows]\ndelimiter = ""', "delimiter"),
        (BASE + EUR + '[rows]\ndelimiter = "\\n"', "rows:"),
        (BASE + EUR + '[rows]\nencoding = "klingon"', "no encoding"),
        (BASE + EUR + '[rows]\nencoding = "base64"', "no encoding"),
        (BASE + EUR + "[rows]\nheader = false", "no header"),
        (BASE + EUR + 'status = "lost"', "status is 'lost'"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said(text, told):
    with pytest.raises(Invalid) as caught:
        mapping_of(text)
    assert caught.value.code is InvalidCode.MALFORMED
    assert caught.value.message.startswith("map.toml")
    assert told in caught.value.message


@pytest.mark.parametrize("raw", [b"\xff", b"x = " + b"1" * 5_000, b"#" * (MAPPING_BYTES_MAX + 1)])
def test_bytes_that_are_no_mapping_are_refused(raw):
    with pytest.raises(Invalid):
        parse_mapping(raw, "map.toml")


@given(st.data())
def test_changed_mappings_are_read_or_refused(data):
    raw = bytearray((BASE + EUR + "[rows]\nskip = 3\nquote = '\"'\n").encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        mapping = parse_mapping(bytes(raw), "map.toml")
    except Invalid:
        return
    assert mapping.wanted
