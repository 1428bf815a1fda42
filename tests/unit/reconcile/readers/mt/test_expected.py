"""What mt-940 expects of its own samples, field by field, and where we mean something else.

Its results of a file are one statement, of whose fields the last one counts, and all movements.
Each field that both have is compared by the function of its name below; `READS_OTHERWISE` has the
differences, each with its reason, checked against the file.

Source: https://github.com/wolph/mt940, `mt940_tests`, made without any of its later corrections.
"""

from __future__ import annotations

import json

import pytest
from tests.mt_files import day, read

from hansa.kernel.errors import Invalid

NO_REFERENCES = {"", "NONREF", "EREF"}
REFUSED = {"self-provided__invalid_statement"}
"""There no field is found by either; we say so."""
NO_SAMPLE = {"self-provided__transaction_details"}
"""Of which there is no file."""
NOTHING_EXPECTED = {"ASNB__mt940", "ASNB__mt940_with_spaces_for_entry_date", "citi__mt940"}
"""Files of which there are no results."""


def squeeze(text):
    """Without blanks: lines are joined by them in one way here, in another there."""
    return "".join((text or "").split())


def compare_amount(entry, told):
    minor = round(float(told["amount"]["amount"]) * 100)
    if told["status"] == "RC":
        return entry.amount_minor == -minor  # what it gave up since: a credit taken back goes out
    return entry.amount_minor == minor


def compare_status(entry, told):
    return entry.is_reversal == told["status"].startswith("R")


def compare_currency(entry, told):
    return entry.currency == told["currency"]


def compare_date(entry, told):
    return entry.value_date in {day(told["date"]), None}  # None: 30 February, which is cut to 29


def compare_entry_date(entry, told):
    return entry.booking_date == day(told["entry_date"])


def compare_id(entry, told):
    return entry.code.partition("+")[0] == told["id"].rstrip()


def compare_transaction_code(entry, told):
    return entry.code.partition("+")[2] == told["transaction_code"]


def compare_bank_reference(entry, told):
    expected = told["bank_reference"]
    return entry.bank_reference == ("" if expected in NO_REFERENCES else expected)


def compare_end_to_end_reference(entry, told):
    expected, mark, message = told["end_to_end_reference"].partition("MTLG:")
    if expected == "NONREF":
        return True  # ours is the next best, as of the field below
    is_message_kept = not mark or squeeze(message) in squeeze(entry.text)
    return squeeze(entry.reference) == squeeze(expected) and is_message_kept


def compare_customer_reference(entry, told):
    if told.get("end_to_end_reference", "NONREF") != "NONREF":
        return True  # ours has one reference, and that comes first
    expected, mark, message = told["customer_reference"].removeprefix("KREF+").partition("MTLG:")
    if expected.strip() in NO_REFERENCES:
        return True  # ours may stand in a form that it does not know
    is_message_kept = not mark or squeeze(message) in squeeze(entry.text)
    return squeeze(entry.reference) == squeeze(expected) and is_message_kept


def compare_purpose(entry, told):
    return squeeze(told["purpose"].replace("MTLG:", "")) in squeeze(entry.text)


def compare_additional_purpose(entry, told):
    return squeeze(told["additional_purpose"]) in squeeze(entry.text)


def compare_applicant_name(entry, told):
    return squeeze(entry.counterparty) == squeeze(told["applicant_name"])


def compare_applicant_iban(entry, told):
    return squeeze(entry.counterparty_account).endswith(squeeze(told["applicant_iban"]))


def compare_transaction_details(entry, told):
    """Words alone are the same; a form that it does not know is in our fields."""
    whole = squeeze(told["transaction_details"])
    if squeeze(entry.text) == whole:
        return True
    if whole.startswith("000>"):
        return squeeze(entry.text) in whole.replace(">21", "").replace(">22", "")
    parts = (entry.text, entry.counterparty, entry.counterparty_account)
    return bool(entry.counterparty) and all(squeeze(part) in whole for part in parts)


def compare_non_swift_text(entry, told):
    lines = [told.get(f"non_swift_{number:02}", "") for number in range(1, 15)]
    name = told.get("non_swift_15", "") + told.get("non_swift_16", "")
    return squeeze(entry.text) == squeeze("".join(lines)) and squeeze(
        entry.counterparty
    ) == squeeze(name)


NOT_OURS = {
    "transaction_reference": "compared with the statement below",
    "guessed_entry_date": "the entry date again",
    "extra_details": "what stands beside movements is text only if there is no other",
    "funds_code": "checked against the currency, not kept",
    "posting_text": "the kind of transaction in words, text only if there is no other",
    "prima_nota": "of the bank's own books",
    "return_debit_notes": "of the bank's own books",
    "applicant_bin": "with the account, where that is no IBAN",
    "additional_position_reference": "the mandate",
    "applicant_creditor_id": "the creditor's identification",
    "non_swift": "compared as its text",
}
"""Fields without a place in an entry."""

READS_OTHERWISE = {
    ("jejik__ing", 6, "transaction_details"): "it takes the bank's sums behind the closing balance "
    "for details of the last movement, and the end of the message with them",
    ("self-provided__multiline", 0, "transaction_details"): "the same with a text for the holder "
    "of the account",
    ("self-provided__multiline", 0, "applicant_iban"): "the IBAN stands in ?38, the account in ?31",
    ("self-provided__multiline", 1, "currency"): "it stands behind the end of the message, so that "
    "its currency is not known",
    ("self-provided__raiffeisen-cmi", 0, "transaction_details"): "the file is in CP852, which we "
    "are not told; with `encoding` it agrees",
}


def load(datasets):
    """All expected results, with the sample."""
    folder = datasets / "recon" / "mt940_wolph_expected"
    for path in sorted(folder.iterdir()):
        name = path.stem.removeprefix("mt940_tests__")
        samples = list((datasets / "recon" / "mt940_wolph").glob(f"{path.stem}.*"))
        yield name, samples, json.loads(path.read_text())


def test_every_result_has_a_sample_but_one(datasets):
    names = {name for name, samples, _ in load(datasets) if samples}
    assert {name for name, samples, _ in load(datasets) if not samples} == NO_SAMPLE
    there = {
        path.stem.removeprefix("mt940_tests__")
        for path in (datasets / "recon" / "mt940_wolph").iterdir()
    }
    assert there - names == NOTHING_EXPECTED
    assert len(names) == 51


def test_movements_are_as_expected(datasets):
    apart, compared = set(), 0
    for name, samples, expected in load(datasets):
        if name in NO_SAMPLE | REFUSED:
            continue
        entries = read(samples[0].read_bytes(), currency="XTS").entries
        assert len(entries) == len(expected["entries"]), name
        for index, (entry, told) in enumerate(zip(entries, expected["entries"], strict=True)):
            for field in told.keys() - NOT_OURS.keys():
                if field.startswith("non_swift_") and field != "non_swift_text":
                    continue
                compared += 1
                if not globals()[f"compare_{field}"](entry, told):
                    apart.add((name, index, field))
    assert apart == set(READS_OTHERWISE)
    assert compared > 2_000


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_has_no_field_is_refused(datasets, name):
    path = datasets / "recon" / "mt940_wolph" / f"mt940_tests__{name}.sta"
    with pytest.raises(Invalid):
        read(path.read_bytes())


def test_an_encoding_that_is_told_is_used(datasets):
    path = datasets / "recon" / "mt940_wolph" / "mt940_tests__self-provided__raiffeisen-cmi.sta"
    ours = read(path.read_bytes(), encoding="cp852")
    assert ours.entries[0].text.startswith("CAB18D1700041116 109876543210000012345678 HUNGARY")
    assert "UV, napi összevont utánvét" in ours.entries[0].text
    assert ours.faults() == [("warning", "missing", ":61:")]


# --- statements ---------------------------------------------------------------------------------

LAST_OTHERWISE = {
    ("betterplace__sepa_snippet_broken", "account_identification"): "the second :25: of a message "
    "counts there, and is a damaged :86:",
    ("betterplace__amount_formats", "final_opening_balance"): "the first of six counts here",
    ("self-provided__long_statement_number", "statement_number"): "ten digits are cut into two "
    "numbers there",
    ("self-provided__raphaelm", "final_closing_balance"): "it has no currency, for which three "
    "digits of its amount are taken there",
    ("self-provided__raphaelm", "intermediate_closing_balance"): "the same",
    ("self-provided__multiline", "account_identification"): "a movement behind the end of the "
    "message is a fragment here, of no account",
    ("self-provided__multiline", "transaction_reference"): "the same",
    ("self-provided__multiline", "statement_number"): "the same",
}


def test_statements_are_as_expected(datasets):
    """The last of each field, as there the last counts; balances are those of any statement."""
    apart, compared = set(), 0
    for name, samples, expected in load(datasets):
        if name in NO_SAMPLE | REFUSED:
            continue
        statements = read(samples[0].read_bytes(), currency="XTS").statements
        for field, told in expected["statement"].items():
            is_same = is_as_told(statements, field, told)
            compared += is_same is not None
            if is_same is False:
                apart.add((name, field))
    assert apart == set(LAST_OTHERWISE)
    assert compared > 150


def is_as_told(statements, field, told):
    """Whether it is the same; None if we have no such field."""
    last = statements[-1]
    if field == "account_identification":
        return last.account[:35] == told
    if field == "transaction_reference":
        return last.id == told
    if field == "statement_number":
        return (last.number or 0) == int(told)
    if field.endswith("ing_balance"):
        minor, date = round(float(told["amount"]["amount"]) * 100), day(told["date"])
        if "opening" in field:
            ours = {(each.opening_minor, each.from_date, each.currency) for each in statements}
        else:
            ours = {(each.closing_minor, each.to_date, each.currency) for each in statements}
        return (minor, date, told["amount"]["currency"]) in ours
    return None
