"""Sample files of two open readers of BAI2: what each holds, checked by eye.

Source: https://github.com/moov-io/bai2 (`bai2_moov`) and https://github.com/ministryofjustice/bai2
(`bai2_moj`), both Apache-2.0 or MIT.
"""

import pytest
from tests.bank_files import day, read_all

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.reconcile.readers.bai2 import read_bai2
from hansa.reconcile.readers.opening import HEAD_BYTES, Reading, find_format

MOJ, MOOV = "bai2_moj/tests__data__", "bai2_moov/test__testdata__"
TOTALS_OF_GSBI = [
    ("warning", "count", 22, "49/total"),
    ("warning", "count", 22, "49/records"),
    ("warning", "count", 5, "03/100"),
    ("warning", "count", 5, "03/400"),
]


def end_of_gsbi(account: int, group: int) -> list[tuple[str, str, int, str]]:
    """What the trailers of these two files say is wrong at every level but the empty accounts."""
    return [
        ("warning", "count", account, "49/total"),
        ("warning", "count", account, "49/records"),
        ("warning", "count", 23, "03/100"),
        ("warning", "count", 23, "03/400"),
        ("warning", "count", group, "98/total"),
        ("warning", "count", group, "98/records"),
        ("warning", "count", group, "98/accounts"),
        ("warning", "count", group + 1, "99/total"),
        ("warning", "count", group + 1, "99/records"),
    ]


EXPECTED = {
    f"{MOJ}account_trailer_amount_blank_example.bai2": (
        [("12345", "USD", 0, 0, None, None), ("54321", "USD", 0, 0, None, None)],
        [],
    ),
    f"{MOJ}citi_example.bai2": ([("77777777", "GBP", 1, 1, 10000, 10000)], []),
    f"{MOJ}nwb_example.bai2": ([("88888888 600004", "GBP", 5, -2676, 36521, 33845)], []),
    f"{MOJ}svb_us_example.bai2": (
        [
            ("1234567890", "USD", 1, 490196, 34726979, 35217175),
            ("1234567890", "USD", 1, 905800, 35217175, 36122975),
        ],
        [],
    ),
    f"{MOOV}sample1.txt": (
        [("10200123456", "CAD", 11, 0, None, None), ("10200123456", "CAD", 6, 0, None, None)],
        [],
    ),
    f"{MOOV}sample2.txt": (  # the example of the specification, which tells some entries alone
        [
            ("0123456789", "USD", 1, 450000, 4350000, None),
            ("9876543210", "USD", 1, 500000, -500000, None),
            ("4589761203", "USD", 2, 30000000, 10000000, None),
            ("0975312468", "USD", 0, 0, 500000, None),
            ("7890654321", "USD", 0, 0, 800000, None),
        ],
        [
            ("warning", "count", 7, "03/100"),
            ("warning", "count", 7, "03/400"),
            ("warning", "count", 14, "03/400"),
            ("warning", "count", 14, "03/100"),
            ("warning", "duplicate", 26, "02/status"),
        ],
    ),
    f"{MOOV}sample3.txt": (
        [
            ("1111111", "USD", 6, -100, -3500, -3600),
            ("1111111", "USD", 0, 0, 0, 0),
            ("1111111", "USD", 0, 0, 0, 0),
            ("1111111", "USD", 2, -30703, -55703, -86406),
            ("1111111", "USD", 0, 0, 98547, 98547),
            ("1111111", "USD", 0, 0, 0, 0),
            ("1111111", "USD", 0, 0, 0, 0),
            ("11111111", "USD", 6, -14951, 625266, 610315),
            ("11111111", "USD", 4, -5624, -73135, -78759),
            ("11111111", "USD", 8, 31673, -4078, 27595),
            *[("11111111", "USD", 0, 0, 0, 0)] * 5,
        ],
        [("warning", "structure", 19, "16")],
    ),
    f"{MOOV}sample4-continuations-newline-delimited.txt": (
        [
            ("107049924", "USD", 0, 0, None, None),
            ("107049932", "USD", 3, -845150, None, None),
            ("104108339", "USD", 14, -29903174, 159581194, 159381194),
            ("260000033037", "USD", 0, 0, None, None),
            ("280000010657", "USD", 0, 0, None, None),
        ],
        [*TOTALS_OF_GSBI, *end_of_gsbi(110, 115)],
    ),
    f"{MOOV}sample5-issue113.txt": (
        [
            ("107049924", "USD", 0, 0, None, None),
            ("107049932", "USD", 3, -845150, None, None),
            ("104108339", "USD", 17, 3767634752, 159581194, 159381194),
            ("260000033037", "USD", 0, 0, None, None),
            ("280000010657", "USD", 0, 0, None, None),
        ],
        [
            *TOTALS_OF_GSBI,
            ("warning", "structure", 63, "16"),  # "88:EREF", with a colon for the comma
            *end_of_gsbi(118, 123),
        ],
    ),
}
NO_BAI2 = [f"{MOOV}errors__sample-parseError.txt"]
"""Begins with record 00, and ends there."""


def test_every_sample_is_looked_at(datasets):
    folder = datasets / "recon"
    found = {path.relative_to(folder).as_posix() for path in folder.glob("bai2_*/*")}
    assert found == {*EXPECTED, *NO_BAI2}


@pytest.mark.parametrize("name", EXPECTED)
def test_samples_are_read(datasets, name):
    data = (datasets / "recon" / name).read_bytes()
    assert find_format(data[:HEAD_BYTES], Reading()).name == "bai2"
    result = read_all(read_bai2, data)
    statements, findings = EXPECTED[name]
    assert result.summarize() == statements
    assert result.tell() == findings


@pytest.mark.parametrize("name", NO_BAI2)
def test_what_is_none_is_refused(datasets, name):
    with pytest.raises(Invalid) as caught:
        read_all(read_bai2, (datasets / "recon" / name).read_bytes())
    assert caught.value.code is InvalidCode.MALFORMED


def test_entries_of_samples(datasets):
    citi = read_all(read_bai2, (datasets / "recon" / f"{MOJ}citi_example.bai2").read_bytes())
    (entry,) = citi.entries
    assert (entry.amount_minor, entry.code) == (1, "191")
    assert entry.booking_date == entry.value_date == day("2015-07-15")
    assert (entry.bank_reference, entry.reference) == ("1234567890", "RP12312312312312")
    assert entry.text.startswith("FR:FP SIP INCOMING ENDT:20150715 TRID:RP12312312312312 PY:RP1")
    assert entry.text.endswith(
        "OB:111111 BUCKINGHAM PALACE OB3:BARCLAYS BANK PLC BO:11111111 BO1:DOE JO"
    )

    gsbi = read_all(read_bai2, (datasets / "recon" / f"{MOOV}sample5-issue113.txt").read_bytes())
    reject = gsbi.entries[1]
    assert (reject.amount_minor, reject.code, reject.is_reversal) == (143500, "261", True)
    assert (reject.reference, reject.bank_reference) == ("GSQ4FBGFDGWGKY", "SB2322600000404")
    assert (reject.counterparty, reject.counterparty_account) == ("SAMPLE INC", "101152046")
    wire = next(entry for entry in gsbi.entries if entry.amount_minor == -30000000)
    assert wire.counterparty == "TEST AND COMPANY"
    assert '"08/18/23 Invoice - Sample"' in wire.text
