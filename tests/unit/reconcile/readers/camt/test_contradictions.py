"""What may stand once and stands twice: the same again is fine, something else is an error."""

import pytest
from tests.camts import ACCOUNT, ENTRY, READ, list_faults, make_document, make_entry, read_all

from hansa.reconcile.readers.camt.run import OFTEN

AMOUNT = '<Amt Ccy="EUR">12.34</Amt>'
TRANSACTION = "<NtryDtls><TxDtls><Refs><EndToEndId>A</EndToEndId></Refs></TxDtls></NtryDtls>"
OPENING = (
    "<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>"
    '<Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>1970-01-02</Dt></Dt></Bal>'
)


@pytest.mark.parametrize("often", [1, OFTEN + 2])
@pytest.mark.parametrize(
    ("once", "other", "field"),
    [
        (AMOUNT, '<Amt Ccy="EUR">999.00</Amt>', "Ntry/Amt"),
        (AMOUNT, '<Amt Ccy="USD">12.34</Amt>', "Ntry/Amt"),
        ("<CdtDbtInd>CRDT</CdtDbtInd>", "<CdtDbtInd>DBIT</CdtDbtInd>", "Ntry/CdtDbtInd"),
        ("<Sts><Cd>BOOK</Cd></Sts>", "<Sts><Cd>PDNG</Cd></Sts>", "Ntry/Sts"),
        ("<Sts><Cd>BOOK</Cd></Sts>", "<Sts>INFO</Sts>", "Ntry/Sts"),
        ("<BookgDt><Dt>1970-01-02</Dt>", "<Dt>1970-02-02</Dt>", "Ntry/BookgDt"),
        (
            "<ValDt><Dt>1970-01-03</Dt></ValDt>",
            "<ValDt><DtTm>1970-02-03T00:00:00</DtTm></ValDt>",
            "Ntry/ValDt",
        ),
        (
            "<EndToEndId>A</EndToEndId>",
            "<EndToEndId>B</EndToEndId>",
            "Ntry/NtryDtls/TxDtls/Refs/EndToEndId",
        ),
    ],
)
def test_an_entry_that_contradicts_itself_is_left_out(once, other, field, often):
    fine = ENTRY.replace("</Ntry>", f"{TRANSACTION}</Ntry>")
    same = (
        fine.replace(once, once + once) if once.endswith(f"</{once[1:].split('>')[0]}>") else fine
    )
    wrong = fine.replace(once, once + other)
    assert fine != wrong
    _, _, findings = read_all(make_document(fine + same))
    assert findings == []
    entries, (statement,), findings = read_all(make_document(f"{wrong}\n" * often + fine))
    assert entries == [READ._replace(reference="A", line=3 + often)]
    assert list_faults(findings) == [("error", "field", 3 + each, field) for each in range(often)]
    assert statement.entries == 1
    assert findings[0].raw == wrong


def test_what_may_stand_several_times_contradicts_nothing():
    transactions = "".join(
        f'<TxDtls><Refs><EndToEndId>{name}</EndToEndId></Refs><Amt Ccy="EUR">6.17</Amt>'
        f"<RmtInf><Ustrd>{name}</Ustrd><Ustrd>more</Ustrd></RmtInf></TxDtls>"
        for name in "AB"
    )
    entry = make_entry(f"<NtryDtls>{transactions}</NtryDtls>")
    entries, _, findings = read_all(make_document(entry, head=ACCOUNT + OPENING + OPENING))
    assert [(each.reference, each.text) for each in entries] == [("A", "A more"), ("B", "B more")]
    assert findings == []


@pytest.mark.parametrize(
    ("once", "other", "field", "account", "opening", "currency"),
    [
        (ACCOUNT, ACCOUNT.replace("DE02", "DE03"), "Acct/Id/IBAN", "", 100, "EUR"),
        (
            ACCOUNT,
            "<Acct><Id><Othr><Id>X</Id></Othr></Id></Acct>",
            "Acct/Id/Othr/Id",
            "",
            100,
            "EUR",
        ),
        ("<Ccy>EUR</Ccy>", "<Ccy>USD</Ccy>", "Acct/Ccy", READ.account, 100, "EUR"),
        (
            '<Amt Ccy="EUR">1.00</Amt>',
            '<Amt Ccy="EUR">55</Amt>',
            "Bal/Amt",
            READ.account,
            None,
            "EUR",
        ),
        ("<Cd>OPBD</Cd>", "<Cd>CLBD</Cd>", "Bal/Tp/CdOrPrtry/Cd", READ.account, None, "EUR"),
    ],
)
def test_a_statement_that_contradicts_itself_is_told(
    once, other, field, account, opening, currency
):
    head = (ACCOUNT + OPENING).replace(once, once + once)
    assert read_all(make_document(ENTRY, head=head))[2] == []
    head = (ACCOUNT + OPENING).replace(once, once + other)
    entries, (statement,), findings = read_all(make_document(ENTRY, head=head))
    assert list_faults(findings) == [("error", "field", 2, field)]
    assert (statement.account, statement.opening_minor) == (account, opening)
    assert statement.currency == currency
    assert entries == [READ._replace(account=account)]


def test_a_number_that_contradicts_itself_is_none():
    document = make_document(ENTRY).replace("<Elc", "<ElctrncSeqNb>7</ElctrncSeqNb><Elc")
    _, (statement,), findings = read_all(document)
    assert (statement.number, list_faults(findings)) == (
        None,
        [("error", "field", 2, "ElctrncSeqNb")],
    )
