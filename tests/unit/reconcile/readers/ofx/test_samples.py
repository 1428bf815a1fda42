"""Sample files of ofxparse: what each holds, checked by eye.

Source: https://github.com/jseutter/ofxparse, tests/fixtures (MIT). Those of `fail_nice` are
malformed on purpose; amounts of `fidelity-savings` were made unreadable by whoever blackened them.
"""

import pytest
from tests.bank_files import day, read_all

from hansa.reconcile.entries import Status
from hansa.reconcile.readers.ofx import read_ofx
from hansa.reconcile.readers.opening import HEAD_BYTES, Reading, find_format

NOTHING = ("warning", "missing", "OFX")
"""The file holds no statement."""
EXPECTED = {
    "account_listing_aggregation": ([], [(51, *NOTHING)]),
    "anzcc": ([("1234123412341234", "AUD", 1, -550, None, -12345)], []),
    "bank_medium": ([("12300 000012345678", "CAD", 3, -34527, None, 38234)], []),
    "bank_small": ([], [(11, *NOTHING)]),
    "checking": ([("1452687~7", "USD", 3, -5950, None, 10099)], []),
    "error_message": ([], [(26, "error", "missing", "STMTTRNRS/STATUS"), (29, *NOTHING)]),
    "fail_nice__date_missing": (
        [("192639749", "USD", 0, 0, None, 0)],
        [
            (33, "error", "missing", "STMTTRN"),  # no DTPOSTED
            (40, "error", "missing", "STMTTRN"),  # an empty one
            (48, "error", "field", "STMTTRN"),  # 31 February
        ],
    ),
    "fail_nice__decimal_error": (
        [("192639749", "CAD", 0, 0, None, 0)],
        [(34, "error", "field", "STMTTRN")],  # "$120"
    ),
    "fail_nice__empty_balance": (
        [("192639749", "CAD", 1, 12000, None, None)],
        [(38, "warning", "missing", "LEDGERBAL/BALAMT")],
    ),
    "fidelity-savings": (
        [("X0000001", "USD", 1, -150000, None, None)],
        [(line, "error", "field", "STMTTRN") for line in (63, 78, 93)],  # four decimals
    ),
    "fidelity": ([("01234567890", "USD", 17, -1052667, None, 1807398)], []),
    "investment_401k": (
        [("12345678.123456-01", "USD", 1, 0, None, None)],
        [(36, "warning", "ignored", "INVTRANLIST")],
    ),
    "investment_medium": (  # in USD, as its transactions say; the account is in CAD
        [("ABC123", "CAD", 3, 0, None, 100)],
        [(43, "warning", "currency", "STMTTRN/CURRENCY")],
    ),
    "multiple_accounts": (
        [("9100", "USD", 0, 0, None, 11100), ("9200", "USD", 0, 0, None, 22200)],
        [],
    ),
    "multiple_accounts2": (
        [("9100", "USD", 0, 0, None, 11100), ("9200", "USD", 0, 0, None, 22200)],
        [],
    ),
    "ofx-v102-empty-tags": (
        [("12345678", "AUD", 1, 1234, None, None)],
        [(23, "warning", "currency", "CURDEF"), (23, "warning", "missing", "LEDGERBAL/BALAMT")],
    ),
    "signon_fail": ([], [(11, "error", "missing", "SONRS/STATUS"), (11, *NOTHING)]),
    "signon_success": ([], [(11, *NOTHING)]),
    "signon_success_no_message": ([], [(11, *NOTHING)]),
    "suncorp": ([("123456789", "AUD", 1, -1685, None, 123412)], []),
    "td_ameritrade": ([("121212121", "USD", 0, 0, None, 0)], []),
    "tiaacref": (
        [("111A1111 22B222 33C333", "USD", 0, 0, None, 0)],
        [(11, "warning", "ignored", "INVTRANLIST")],
    ),
    "vanguard": ([("01234567890", "USD", 1, 0, None, None)], []),
    "vanguard401k": (
        [("0123456", "USD", 4, 0, None, None)],
        [(11, "warning", "ignored", "INVTRANLIST")],
    ),
}


def find_sample(datasets, name):
    return datasets / "recon" / "ofx_ofxparse" / f"tests__fixtures__{name}.ofx"


def test_every_sample_is_looked_at(datasets):
    folder = datasets / "recon" / "ofx_ofxparse"
    assert {path.name for path in folder.iterdir()} == {
        find_sample(datasets, name).name for name in EXPECTED
    }


@pytest.mark.parametrize("name", EXPECTED)
def test_samples_are_read(datasets, name):
    data = find_sample(datasets, name).read_bytes()
    assert find_format(data[:HEAD_BYTES], Reading()).name == "ofx"
    result = read_all(read_ofx, data)
    statements, findings = EXPECTED[name]
    assert result.summarize() == statements
    assert [
        (found.line, found.severity, found.fault, found.field) for found in result.findings
    ] == findings


def test_entries_of_samples(datasets):
    def read(name):
        return read_all(read_ofx, find_sample(datasets, name).read_bytes()).entries

    bald = read("bank_medium")[1]
    assert (bald.amount_minor, bald.code, bald.reference) == (-31667, "CHECK", "")
    assert bald.booking_date == day("2009-04-02")  # 12:20:17 in EST
    assert bald.bank_reference == "0000123456782009040200004"
    assert bald.counterparty == "Joe's Bald Hairstyles"
    assert bald.text == "MISCELLANEOUS PAYMENTS;Joe's Bald Hairstyles"

    (aldi,) = read("suncorp")
    assert aldi.counterparty == "EFTPOS WDL HANDYWAY ALDI STORE"
    assert aldi.text == "EFTPOS WDL HANDYWAY ALDI STORE GEELONG WEST VICAU"

    (moved,) = read("ofx-v102-empty-tags")
    assert (moved.currency, moved.code, moved.text) == ("AUD", "CREDIT", "CBA:Transfer")
    assert moved.booking_date == moved.value_date == day("2018-05-07")

    bought, *_, late_fee, interest = read("fidelity")
    assert (bought.amount_minor, bought.code, bought.charges_minor) == (-257145, "BUYSTOCK", 795)
    assert (bought.text, bought.booking_date) == ("YOU BOUGHT 458140100", day("2012-07-20"))
    assert (late_fee.amount_minor, late_fee.counterparty) == (-97, "LATE SETTLEMENT FEE")
    assert (interest.amount_minor, interest.counterparty) == (16, "INTEREST EARNED")

    assert [(entry.currency, entry.amount_minor) for entry in read("investment_medium")] == [
        ("USD", -365),
        ("USD", 335),
        ("USD", -365),
    ]
    for name in ("investment_401k", "vanguard", "vanguard401k"):  # funds from outside the account
        assert {entry.status for entry in read(name)} == {Status.INFORMATION}
