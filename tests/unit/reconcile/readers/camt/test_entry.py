"""Fields of entries, one by one."""

import pytest
from tests.camts import READ, list_faults, make_document, make_entry, make_transaction, read_all

from hansa.reconcile.entries import Status


def read_one(entry: str, **options):
    entries, _, findings = read_all(make_document(entry, **options))
    assert findings == []
    (only,) = entries
    return only


def fault_of(entry: str, **options):
    """Read an entry that is left out: its faults."""
    entries, statements, findings = read_all(make_document(entry, **options))
    assert entries == []
    assert statements[0].entries == 0
    assert findings[0].raw.startswith("<Ntry")
    return [each[1:] for each in list_faults(findings)]


def test_the_least_of_an_entry():
    assert read_one(make_entry()) == READ


@pytest.mark.parametrize(
    ("sign", "reversal", "minor", "is_reversal"),
    [
        ("CRDT", "", 1234, False),
        ("DBIT", "", -1234, False),
        ("CRDT", "<RvslInd>true</RvslInd>", 1234, True),  # what had been paid out comes back
        ("DBIT", "<RvslInd>1</RvslInd>", -1234, True),
        ("DBIT", "<RvslInd>false</RvslInd>", -1234, False),
    ],
)
def test_the_sign_is_that_of_where_the_money_went_now(sign, reversal, minor, is_reversal):
    entry = read_one(make_entry(sign=sign, head=reversal))
    assert (entry.amount_minor, entry.is_reversal) == (minor, is_reversal)


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("<Sts>BOOK</Sts>", Status.BOOKED),
        ("<Sts>PDNG</Sts>", Status.PENDING),
        ("<Sts><Cd>INFO</Cd></Sts>", Status.INFORMATION),
        ("<Sts><Cd>FUTR</Cd></Sts>", Status.PENDING),
        ("<Sts> BOOK\n</Sts>", Status.BOOKED),
    ],
)
def test_statuses_old_and_new(status, read):
    entry = make_entry().replace("<Sts><Cd>BOOK</Cd></Sts>", status)
    assert read_one(entry).status is read


@pytest.mark.parametrize(
    ("status", "kind", "taken", "fault"),
    [
        ("", "053", Status.BOOKED, "missing"),
        ("<Sts><Prtry>OK</Prtry></Sts>", "053", Status.BOOKED, "field"),
        ("<Sts>???</Sts>", "052", Status.INFORMATION, "field"),
    ],
)
def test_a_status_that_is_none_is_told(status, kind, taken, fault):
    entry = make_entry().replace("<Sts><Cd>BOOK</Cd></Sts>", status)
    entries, _, findings = read_all(make_document(entry, kind=kind))
    assert entries[0].status is taken
    assert list_faults(findings) == [("warning", fault, 3, "Ntry/Sts")]


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.3", "EUR", 1230),
        ("12", "EUR", 1200),
        ("12.34000", "EUR", 1234),
        (" 12.34 ", "EUR", 1234),
        ("+1.00", "EUR", 100),
        (".5", "EUR", 50),
        ("1234", "JPY", 1234),
        ("1.234", "KWD", 1234),
        ("92233720368547758.07", "EUR", 2**63 - 1),
    ],
)
def test_amounts(amount, currency, minor):
    entry = make_entry(amount=amount).replace('"EUR"', f'"{currency}"')
    head = "<Acct><Id><IBAN>DE02100100100006820101</IBAN></Id></Acct>"
    assert read_one(entry, head=head) == READ._replace(amount_minor=minor, currency=currency)


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "12.345",
        "-1.00",
        "1,00",
        "1.000,00",
        "1,000.00",
        "1e3",
        "NaN",
        "0x10",
        "1_0",
        "\u0661.\u0660\u0660",
        "92233720368547758.08",
        "9" * 60,
    ],
)
def test_what_is_no_amount_leaves_the_entry_out(amount):
    assert fault_of(make_entry(amount=amount)) == [("field", 3, "Ntry/Amt")]


def test_fields_without_which_there_is_no_entry():
    whole = make_entry()
    assert fault_of(whole.replace('<Amt Ccy="EUR">12.34</Amt>', "")) == [("missing", 3, "Ntry/Amt")]
    assert fault_of(whole.replace("CRDT", "CR")) == [("field", 3, "Ntry/CdtDbtInd")]
    assert fault_of(whole.replace("<CdtDbtInd>CRDT</CdtDbtInd>", "")) == [
        ("missing", 3, "Ntry/CdtDbtInd")
    ]
    assert fault_of(whole.replace('"EUR"', '"Euro"')) == [("currency", 3, "Ntry/Amt@Ccy")]
    assert fault_of(whole.replace("1970-01-02", "1970-02-30")) == [("field", 3, "Ntry/BookgDt")]
    assert fault_of(whole.replace("1970-01-03", "3.1.1970")) == [("field", 3, "Ntry/ValDt")]
    assert fault_of(make_entry(head="<RvslInd>perhaps</RvslInd>")) == [("field", 3, "Ntry/RvslInd")]
    assert fault_of("<Ntry/>") == [("missing", 3, "Ntry/CdtDbtInd")]


def test_an_amount_without_currency_is_in_the_accounts():
    entry = make_entry().replace(' Ccy="EUR"', "")
    assert read_one(entry) == READ
    no_currency = "<Acct><Id><IBAN>DE02100100100006820101</IBAN></Id></Acct>"
    assert fault_of(entry, head=no_currency) == [("currency", 3, "Ntry/Amt@Ccy")]


def test_dates_are_those_that_are_written():
    entry = make_entry().replace("<Dt>1970-01-02</Dt>", "<DtTm>1970-01-05T23:59:00-11:00</DtTm>")
    read = read_one(entry)
    assert (read.booking_date, read.booked_at_s) == (4, 5 * 86_400 - 60)
    assert read.booked_offset_minutes == -660
    assert read_one(entry.replace("23:59:00-11:00", "00:00:00")).booked_at_s is None


def test_an_entry_without_any_date_is_told():
    entry = make_entry().replace("<BookgDt><Dt>1970-01-02</Dt></BookgDt>", "")
    assert read_one(entry).booking_date is None
    entry = entry.replace("<ValDt><Dt>1970-01-03</Dt></ValDt>", "")
    entries, _, findings = read_all(make_document(entry))
    assert entries == [READ._replace(booking_date=None, value_date=None)]
    assert list_faults(findings) == [("warning", "missing", 3, "Ntry/BookgDt")]


def test_another_currency_than_the_accounts_is_told_and_kept():
    entries, _, findings = read_all(make_document(make_entry().replace('"EUR"', '"USD"')))
    assert entries == [READ._replace(currency="USD")]
    assert list_faults(findings) == [("warning", "currency", 3, "Ntry/Amt@Ccy")]


@pytest.mark.parametrize(
    ("inner", "fields"),
    [
        ("<Refs><EndToEndId>E</EndToEndId></Refs>", {"reference": "E"}),
        ("<Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>", {}),
        ("<Refs><TxId>T</TxId></Refs>", {"transaction_id": "T"}),
        ("<Refs><TxId>NOTPROVIDED</TxId></Refs>", {}),
        ("<Refs><TxId>T</TxId><UETR>U</UETR></Refs>", {"transaction_id": "U"}),
        ("<Refs><AcctSvcrRef>A</AcctSvcrRef></Refs>", {"bank_reference": "A"}),
        ("<Refs><InstrId>I</InstrId></Refs>", {}),  # of who paid, as no one else knows it
        ("<RmtInf><Ustrd>a</Ustrd><Ustrd>b  \n c</Ustrd></RmtInf>", {"text": "a b c"}),
        (
            (
                "<RmtInf><Ustrd>a</Ustrd><Strd><RfrdDocInf><Nb>7</Nb></RfrdDocInf><CdtrRefInf>"
                "<Ref>RF1</Ref></CdtrRefInf><AddtlRmtInf>z</AddtlRmtInf></Strd></RmtInf>"
            ),
            {"text": "a 7 RF1 z"},
        ),
        (
            "<RmtInf><Strd><CdtrRefInf><CdtrRef>R</CdtrRef></CdtrRefInf></Strd></RmtInf>",
            {"text": "R"},
        ),
        ("<AddtlTxInf>x &amp; y</AddtlTxInf>", {"text": "x & y"}),
        ("<BkTxCd><Prtry><Cd>166</Cd></Prtry></BkTxCd>", {"code": "166"}),
        (
            (
                "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly>"
                "</Domn><Prtry><Cd>166</Cd></Prtry></BkTxCd>"
            ),
            {"code": "PMNT.RCDT.ESCT"},
        ),
        (
            '<AmtDtls><InstdAmt><Amt Ccy="USD">15.00</Amt></InstdAmt></AmtDtls>',
            {"original_currency": "USD", "original_minor": 1500},
        ),
        ('<AmtDtls><InstdAmt><Amt Ccy="EUR">15.00</Amt></InstdAmt></AmtDtls>', {}),
        (
            (
                '<Chrgs><Rcrd><Amt Ccy="EUR">0.30</Amt><CdtDbtInd>DBIT</CdtDbtInd></Rcrd><Rcrd>'
                '<Amt Ccy="EUR">0.10</Amt><CdtDbtInd>CRDT</CdtDbtInd></Rcrd></Chrgs>'
            ),
            {"charges_minor": 20},
        ),
        (
            '<Chrgs><TtlChrgsAndTaxAmt Ccy="EUR">0.31</TtlChrgsAndTaxAmt></Chrgs>',
            {"charges_minor": 31},
        ),
        ('<Chrgs><Amt Ccy="USD">0.31</Amt></Chrgs>', {}),
    ],
)
def test_fields_of_a_transaction(inner, fields):
    assert read_one(make_transaction(inner)) == READ._replace(**fields)


def test_fields_of_the_entry_stand_in_for_those_of_its_transaction():
    entry = make_transaction("<Refs/>").replace(
        "<NtryDtls>",
        "<AcctSvcrRef>A</AcctSvcrRef><BkTxCd><Prtry><Cd>1</Cd></Prtry></BkTxCd><NtryDtls>",
    )
    entry = entry.replace("</Ntry>", "<AddtlNtryInf>i</AddtlNtryInf></Ntry>")
    assert read_one(entry) == READ._replace(bank_reference="A", code="1", text="i")


def test_what_goes_out_has_its_instruction_where_it_has_no_other_reference():
    refs = "<Refs><InstrId>I</InstrId><EndToEndId>NOTPROVIDED</EndToEndId></Refs>"
    entry = make_transaction(refs).replace("CRDT", "DBIT")
    assert read_one(entry).reference == "I"


PARTIES = (
    "<RltdPties><Dbtr>{0}D{1}</Dbtr><DbtrAcct><Id><IBAN>{2}</IBAN></Id></DbtrAcct>"
    "<Cdtr>{0}C{1}</Cdtr><CdtrAcct><Id><Othr><Id>{3}</Id></Othr></Id></CdtrAcct></RltdPties>"
)
OLD, NEW = ("<Nm>", "</Nm>"), ("<Pty><Nm>", "</Nm></Pty>")
OWN = READ.account


@pytest.mark.parametrize("layout", [OLD, NEW])
@pytest.mark.parametrize(
    ("sign", "reversal", "accounts", "counterparty"),
    [
        ("CRDT", "", ("X", OWN), ("D", "X")),
        ("DBIT", "", (OWN, "Y"), ("C", "Y")),
        ("CRDT", "<RvslInd>true</RvslInd>", (OWN, "Y"), ("C", "Y")),  # as they were at first
        ("CRDT", "", (OWN, "Y"), ("C", "Y")),  # a return that names them as they were
        ("DBIT", "", (OWN, OWN), ("C", OWN)),
    ],
)
def test_the_counterparty_is_the_other_side(layout, sign, reversal, accounts, counterparty):
    inner = f"<NtryDtls><TxDtls>{PARTIES.format(*layout, *accounts)}</TxDtls></NtryDtls>"
    entry = read_one(make_entry(inner, sign=sign, head=reversal))
    assert (entry.counterparty, entry.counterparty_account) == counterparty


def test_an_ultimate_party_or_an_agent_names_the_counterparty_if_no_other_does():
    ultimate = "<RltdPties><UltmtDbtr><Nm>U</Nm></UltmtDbtr></RltdPties>"
    assert read_one(make_transaction(ultimate)).counterparty == "U"
    agent = "<RltdPties><Dbtr><Agt><FinInstnId><Nm>B</Nm></FinInstnId></Agt></Dbtr></RltdPties>"
    assert read_one(make_transaction(agent)).counterparty == "B"


def make_batch(*amounts: str, sign: str = "CRDT", told: str = "") -> str:
    details = "".join(
        f'<TxDtls><Refs><EndToEndId>E{number}</EndToEndId></Refs><Amt Ccy="EUR">{amount}</Amt>'
        f"<CdtDbtInd>{sign}</CdtDbtInd><AddtlTxInf>same</AddtlTxInf></TxDtls>"
        for number, amount in enumerate(amounts)
    )
    batch = f"<Btch><PmtInfId>P</PmtInfId>{told}</Btch>"
    return make_entry(f"<NtryDtls>{batch}{details}</NtryDtls>")


def test_transactions_that_add_up_are_entries_of_their_batch():
    entries, statements, findings = read_all(make_document(make_batch("12.00", "0.34")))
    same = READ._replace(text="same", batch="P")
    assert entries == [
        same._replace(amount_minor=1200, reference="E0"),
        same._replace(amount_minor=34, reference="E1"),
    ]
    assert findings == []
    assert (statements[0].entries, statements[0].booked_minor) == (2, 1234)


def test_the_banks_reference_names_a_batch_first_and_its_line_if_nothing_does():
    batch = make_batch("12.00", "0.34")
    with_reference = batch.replace("<NtryDtls>", "<AcctSvcrRef>A</AcctSvcrRef><NtryDtls>")
    assert {each.batch for each in read_all(make_document(with_reference))[0]} == {"A"}
    nameless = batch.replace("<PmtInfId>P</PmtInfId>", "")
    assert {each.batch for each in read_all(make_document(nameless))[0]} == {"line 3"}


@pytest.mark.parametrize(
    "batch",
    [
        make_batch("12.00", "0.35"),
        make_batch("12.00", "0.34", sign="DBIT"),
        make_batch("12.00", "x"),
        make_batch("12.00", "0.34").replace('<Amt Ccy="EUR">0', '<Amt Ccy="USD">0'),
    ],
)
def test_a_batch_that_does_not_add_up_stands_whole(batch):
    entries, _, findings = read_all(make_document(batch))
    # its own reference, of the batch, and what all transactions agree on
    assert [each._replace(original_currency="", original_minor=None) for each in entries] == [
        READ._replace(reference="P", text="same")
    ]
    assert list_faults(findings) == [("warning", "parts", 3, "Ntry/NtryDtls/TxDtls")]


def test_an_only_transaction_of_another_amount_is_told_unless_charges_explain_it():
    other = make_transaction('<Amt Ccy="EUR">12.50</Amt>')
    entries, _, findings = read_all(make_document(other))
    assert entries == [READ]
    assert list_faults(findings) == [("warning", "parts", 3, "Ntry/NtryDtls/TxDtls/Amt")]
    charged = '<Amt Ccy="EUR">12.50</Amt><Chrgs><Amt Ccy="EUR">0.16</Amt></Chrgs>'
    assert read_one(make_transaction(charged)) == READ._replace(charges_minor=16)


def test_a_batch_says_how_many_transactions_it_has():
    told = "<NbOfTxs>{}</NbOfTxs>"
    _, _, findings = read_all(make_document(make_batch("12.00", "0.34", told=told.format(2))))
    assert findings == []
    _, _, findings = read_all(make_document(make_batch("12.00", "0.34", told=told.format(3))))
    assert list_faults(findings) == [("warning", "count", 3, "Ntry/NtryDtls/Btch/NbOfTxs")]


def test_an_amount_beside_the_entrys_that_cannot_be_read_is_left_out():
    inner = '<AmtDtls><InstdAmt><Amt Ccy="USD">1.999</Amt></InstdAmt></AmtDtls>'
    entries, _, findings = read_all(make_document(make_transaction(inner)))
    assert entries == [READ]
    assert list_faults(findings) == [("warning", "field", 3, "Ntry/AmtDtls")]


def test_version_01_has_transactions_right_in_the_entry():
    entry = make_entry("<TxDtls><Refs><EndToEndId>E</EndToEndId></Refs></TxDtls>")
    assert read_one(entry, version="01") == READ._replace(reference="E")
