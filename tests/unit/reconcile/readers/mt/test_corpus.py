"""Every sample file at hand, and what it deserves: read whole, read with findings, or refused.

Source: https://github.com/svenstaro/mt940-rs (`mt940_rs`) and https://github.com/wolph/mt940
(`mt940_wolph`), which took most of them from jejik, betterplace, cmxl and banks. Several are
malformed on purpose, or fragments of a field or two. Numbers were checked against the files by eye;
that no `:61:` and no `:20:` is left out is counted here again, without our reader.
"""

from __future__ import annotations

import re

import mt940
import pytest
from tests.mt_files import EPOCH, read

from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Kind
from hansa.reconcile.readers.mt import is_mt

PREFIXES = {"rs": "mt940_rs/tests__data__", "wolph": "mt940_wolph/mt940_tests__"}

NO_20 = ("warning", "missing", ":20:")
NO_25 = ("warning", "missing", ":25:")
NO_28 = ("warning", "missing", ":28:")
NO_OPENING = ("error", "missing", ":60F:")
NO_CLOSING = ("error", "missing", ":62F:")
AGAIN_25 = ("error", "structure", ":25:")
AGAIN_60 = ("error", "structure", ":60F:")
BARE_62M = ("warning", "currency", ":62M:")
BARE_62F = ("warning", "currency", ":62F:")
"""A balance without a currency."""
NO_CURRENCY = ("error", "currency", ":61:")
"""A fragment: a movement, and nothing that tells its currency."""
NO_REFERENCE = ("warning", "missing", ":61:")
FIELD_61 = ("warning", "field", ":61:")
"""30 February, an amount without a comma, a type that is none."""
COUNT = ("warning", "count", ":90D:")
BESIDE = ("warning", "ignored", "")
"""Words before the first field."""
ENCODING = ("warning", "encoding", "")

FILES = {
    "rs/mt940__full__abnamro__mt940.sta": (2, 4, []),
    "rs/mt940__full__betterplace__sepa_mt9401.sta": (26, 97, []),
    "rs/mt940__full__betterplace__sepa_snippet.sta": (2, 11, []),
    "rs/mt940__full__betterplace__sepa_snippet_broken.sta": (1, 1, [AGAIN_25]),
    "rs/mt940__full__betterplace__with_binary_character.sta": (2, 4, []),
    "rs/mt940__full__bugs__issue-51.sta": (1, 3, []),
    "rs/mt940__full__cmxl__mt940_1.sta": (1, 2, []),
    "rs/mt940__full__cmxl__mt940_2.sta": (1, 3, []),
    "rs/mt940__full__danskebank__MT940_DK_Example.sta": (15, 89, [BESIDE]),
    "rs/mt940__full__danskebank__MT940_FI_Example.sta": (1, 6, [BESIDE]),
    "rs/mt940__full__danskebank__MT940_NO_Example.sta": (13, 24, [BESIDE]),
    "rs/mt940__full__danskebank__MT940_SE_Example.sta": (12, 103, [BESIDE]),
    "rs/mt940__full__jejik__abnamro.sta": (2, 10, []),
    "rs/mt940__full__jejik__ing.sta": (1, 7, []),
    "rs/mt940__full__jejik__knab.sta": (2, 3, []),
    "rs/mt940__full__jejik__knab_broken.sta": (2, 3, [FIELD_61]),
    "rs/mt940__full__jejik__postfinance.sta": (2, 4, []),
    "rs/mt940__full__jejik__rabobank-iban.sta": (2, 4, []),
    "rs/mt940__full__jejik__sns.sta": (2, 2, []),
    "rs/mt940__full__mBank__mt940.sta": (1, 3, []),
    "rs/mt940__full__mBank__with_newline_in_tnr.sta": (1, 2, []),
    "rs/mt940__full__sparkasse__buxtehude.sta": (1, 3, []),
    "rs/mt940__special-cases__february_30.sta": (1, 1, [FIELD_61]),
    "rs/mt940__special-cases__incomplete_tag_61.sta": (1, 1, [NO_REFERENCE]),
    "rs/mt940__special-cases__invalid_statement.sta": None,
    "rs/mt940__special-cases__invalid_utf8.sta": (1, 7, [ENCODING, NO_REFERENCE]),
    "rs/mt940__special-cases__overly_long_details.sta": (1, 1, []),
    "rs/mt940__special-cases__unexpected_tag.sta": (1, 1, [NO_25]),
    "rs/mt940__special-cases__unknown_tag.sta": (1, 1, []),
    "rs/mt942__full__cmxl__mt942_1.sta": None,
    "rs/mt942__full__jejik__generic.sta": (2, 2, []),
    "rs/mt942__full__jejik__rabobank.sta": (4, 5, []),
    "rs/mt942__full__jejik__triodos.sta": (1, 2, []),
    "rs/mt942__full__mBank__mt942.sta": (1, 11, []),
    "rs/mt942__full__sberbank__171011_01234945.sta": (1, 3, []),
    "rs/mt942__special-cases__long_statement_number.sta": (1, 0, []),
    "rs/mt942__special-cases__mt942.sta": (1, 1, [FIELD_61, COUNT]),
    "rs/mt942__special-cases__raphaelm.sta": (
        3,
        9,
        [NO_REFERENCE, BARE_62M, NO_REFERENCE, BARE_62F, NO_REFERENCE, BARE_62F],
    ),
    "wolph/ASNB__mt940.txt": (31, 8, [NO_REFERENCE]),
    "wolph/ASNB__mt940_with_spaces_for_entry_date.txt": (31, 8, [NO_REFERENCE]),
    "wolph/betterplace__amount_formats.sta": (
        1,
        0,
        [AGAIN_60, AGAIN_60, AGAIN_60, AGAIN_60, AGAIN_60, NO_20, NO_CLOSING],
    ),
    "wolph/betterplace__currency_in_25.sta": (1, 0, [NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/betterplace__empty_86.sta": (1, 0, [NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/betterplace__empty_entry_date.sta": (1, 0, [NO_CURRENCY, NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/betterplace__empty_line.sta": (1, 0, [NO_25, NO_OPENING, NO_CLOSING]),
    "wolph/betterplace__missing_crlf_at_end.sta": (1, 0, [NO_20, NO_OPENING]),
    "wolph/betterplace__sepa_mt9401.sta": (26, 97, []),
    "wolph/betterplace__sepa_snippet.sta": (2, 11, []),
    "wolph/betterplace__sepa_snippet_broken.sta": (1, 1, [AGAIN_25]),
    "wolph/betterplace__with_binary_character.sta": (2, 4, []),
    "wolph/citi__mt940.txt": (1, 5, []),
    "wolph/cmxl__account_balance_credit.sta": (1, 0, [NO_20, NO_CLOSING]),
    "wolph/cmxl__account_balance_debit.sta": (1, 0, [NO_20, NO_CLOSING]),
    "wolph/cmxl__account_identification_iban.sta": (1, 0, [NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/cmxl__account_identification_legacy.sta": (1, 0, [NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/cmxl__available_balance.sta": (1, 0, [NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/cmxl__closing_balance.sta": (1, 0, [NO_20, NO_OPENING]),
    "wolph/cmxl__mt940.sta": (3, 16, []),
    "wolph/cmxl__reference.sta": (1, 0, [NO_25, NO_OPENING, NO_CLOSING]),
    "wolph/cmxl__statement_details.sta": (1, 0, [NO_CURRENCY, NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/cmxl__statement_line.sta": (1, 0, [NO_CURRENCY, NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/cmxl__statement_number.sta": (1, 0, [NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/jejik__abnamro.sta": (2, 10, []),
    "wolph/jejik__generic.sta": (2, 2, []),
    "wolph/jejik__ing.sta": (1, 7, []),
    "wolph/jejik__knab.sta": (2, 3, [FIELD_61]),
    "wolph/jejik__postfinance.sta": (2, 4, []),
    "wolph/jejik__rabobank-iban.sta": (2, 4, []),
    "wolph/jejik__rabobank.sta": (4, 5, []),
    "wolph/jejik__sns.sta": (2, 2, []),
    "wolph/jejik__triodos.sta": (1, 2, []),
    "wolph/mBank__mt940.sta": (1, 3, []),
    "wolph/mBank__mt942.sta": (1, 3, []),
    "wolph/mBank__with_newline_in_tnr.sta": (1, 2, []),
    "wolph/sberbank__171011_01234945.sta": (1, 3, []),
    "wolph/self-provided__account_identification.sta": (
        2,
        0,
        [NO_28, NO_OPENING, NO_CLOSING, NO_28, NO_OPENING, NO_CLOSING],
    ),
    "wolph/self-provided__details_60-63.sta": (1, 1, [NO_REFERENCE]),
    "wolph/self-provided__empty_non_swift.sta": (1, 0, [NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/self-provided__february_30.sta": (1, 1, [FIELD_61]),
    "wolph/self-provided__gv_codes.sta": (1, 2, [NO_REFERENCE, NO_CLOSING]),
    "wolph/self-provided__invalid_statement.sta": None,
    "wolph/self-provided__long_statement_number.sta": (1, 0, []),
    "wolph/self-provided__malformed_details.sta": (1, 1, [NO_REFERENCE]),
    "wolph/self-provided__mt942.sta": (1, 1, [FIELD_61, COUNT]),
    "wolph/self-provided__multiline.sta": (2, 1, [NO_CURRENCY, NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/self-provided__overly_long_details.sta": (1, 1, [NO_REFERENCE]),
    "wolph/self-provided__raiffeisen-cmi.sta": (1, 7, [ENCODING, NO_REFERENCE]),
    "wolph/self-provided__raphaelm.sta": (
        3,
        9,
        [NO_REFERENCE, BARE_62M, NO_REFERENCE, BARE_62F, NO_REFERENCE, BARE_62F],
    ),
    "wolph/self-provided__sparkassen.sta": (1, 0, [NO_CURRENCY, NO_20, NO_OPENING, NO_CLOSING]),
    "wolph/self-provided__transaction_details_wrapped.sta": (1, 1, [FIELD_61]),
    "wolph/self-provided__whitespace.sta": (1, 1, [NO_REFERENCE]),
    "wolph/self-provided__wrapped_timestamp.sta": (1, 1, [FIELD_61]),
}
"""By folder and name: statements, entries and findings in order; None of what is no MT940."""

REPORTS = {"rs/mt942__special-cases__mt942.sta", "wolph/mBank__mt942.sta"}
REPORTS |= {"wolph/self-provided__mt942.sta"}
"""Those that are MT942: the others of `mt942` have opening and closing balances, as MT940 has."""


def open_file(datasets, name):
    folder, _, rest = name.partition("/")
    return (datasets / "recon" / f"{PREFIXES[folder]}{rest}").read_bytes()


def test_no_file_is_left_out(datasets):
    there = {
        f"{folder}/{path.name.removeprefix(prefix.partition('/')[2])}"
        for folder, prefix in PREFIXES.items()
        for path in (datasets / "recon" / prefix.partition("/")[0]).iterdir()
    }
    assert there == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_or_refused_as_it_deserves(datasets, name):
    data, expected = open_file(datasets, name), FILES[name]
    if expected is None:
        assert not is_mt(data)
        with pytest.raises(Invalid):
            read(data)
        return
    statements, entries, findings = expected
    ours = read(data)
    assert is_mt(data[:4096])
    assert (len(ours.statements), len(ours.entries), ours.faults()) == expected
    lost = [found for found in ours.findings if (found.severity, found.field) == ("error", ":61:")]
    assert entries + len(lost) == len(re.findall(rb"(?m)^:61:", data))
    assert statements - findings.count(NO_20) == len(re.findall(rb"(?m)^:20:", data))
    kinds = {statement.kind for statement in ours.statements}
    assert kinds == {Kind.REPORT if name in REPORTS else Kind.STATEMENT}


DO_NOT_ADD_UP = {
    "rs/mt940__full__abnamro__mt940.sta": [0, 1],
    "rs/mt940__full__betterplace__sepa_snippet.sta": [1],
    "rs/mt940__full__betterplace__sepa_snippet_broken.sta": [0],
    "rs/mt940__full__bugs__issue-51.sta": [0],
    "rs/mt940__full__jejik__abnamro.sta": [0, 1],
    "rs/mt940__full__jejik__ing.sta": [0],
    "rs/mt940__full__jejik__knab.sta": [1],
    "rs/mt940__full__jejik__knab_broken.sta": [1],
    "rs/mt940__full__jejik__postfinance.sta": [1],
    "rs/mt940__full__mBank__with_newline_in_tnr.sta": [0],
    "rs/mt940__full__sparkasse__buxtehude.sta": [0],
    "rs/mt940__special-cases__incomplete_tag_61.sta": [0],
    "rs/mt940__special-cases__invalid_utf8.sta": [0],
    "rs/mt940__special-cases__overly_long_details.sta": [0],
    "rs/mt942__full__jejik__rabobank.sta": [0, 2],
    "rs/mt942__full__jejik__triodos.sta": [0],
    "wolph/betterplace__sepa_snippet.sta": [1],
    "wolph/betterplace__sepa_snippet_broken.sta": [0],
    "wolph/jejik__abnamro.sta": [0, 1],
    "wolph/jejik__ing.sta": [0],
    "wolph/jejik__knab.sta": [1],
    "wolph/jejik__postfinance.sta": [1],
    "wolph/jejik__rabobank.sta": [0, 2],
    "wolph/jejik__triodos.sta": [0],
    "wolph/mBank__with_newline_in_tnr.sta": [0],
    "wolph/self-provided__details_60-63.sta": [0],
    "wolph/self-provided__malformed_details.sta": [0],
    "wolph/self-provided__overly_long_details.sta": [0],
    "wolph/self-provided__raiffeisen-cmi.sta": [0],
    "wolph/self-provided__whitespace.sta": [0],
}
"""Whose samples were shortened or changed by those who published them; all others add up."""


def test_all_others_add_up(datasets):
    wrong = {}
    for name, expected in FILES.items():
        if expected is None:
            continue
        wrong[name] = [
            index
            for index, each in enumerate(read(open_file(datasets, name)).statements)
            if each.opening_minor is not None
            and each.closing_minor is not None
            and each.opening_minor + each.booked_minor != each.closing_minor
        ]
    assert {name: indexes for name, indexes in wrong.items() if indexes} == DO_NOT_ADD_UP


def test_blanks_cut_off_at_the_end_of_lines_make_no_difference(datasets):
    """Both repositories have the file, one with blanks at the ends of lines, one without."""
    name = "betterplace__sepa_mt9401.sta"
    left = read(open_file(datasets, f"rs/mt940__full__{name}")).entries
    right = read(open_file(datasets, f"wolph/{name}")).entries
    apart = [
        ours.line
        for ours, other in zip(left, right, strict=True)
        if ours._replace(line=0) != other._replace(line=0)
    ]
    assert apart == [443]  # of whose details mt940_rs lacks the last line


@pytest.mark.parametrize("name", [name for name, expected in FILES.items() if expected])
def test_another_reader_agrees(datasets, name):
    """Amounts, dates and references, movement by movement."""
    data = open_file(datasets, name)
    tags = {61: mt940.tags.StatementASNB()} if "ASNB" in name else None
    theirs = mt940.parse(data, tags=tags, options=mt940.Options.all())
    ours = read(data, currency="XTS").entries
    assert len(ours) == len(theirs)
    for entry, other in zip(ours, theirs, strict=True):
        told = other.data
        assert entry.amount_minor == told["amount"].amount * 100
        if entry.value_date is not None:
            assert entry.value_date == (told["date"] - EPOCH).days
        assert entry.booking_date == (told.get("entry_date", told["date"]) - EPOCH).days
        assert entry.code.partition("+")[0] == told["id"].rstrip()
        bank_reference = told.get("bank_reference") or ""
        assert entry.bank_reference == ("" if bank_reference == "NONREF" else bank_reference)
