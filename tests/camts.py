"""Documents of camt.053 and its kin for tests, as small or as odd as a test wants them."""

from __future__ import annotations

import io

from hansa.reconcile.entries import Entry, Finding, Statement
from hansa.reconcile.readers.camt import read_camt
from hansa.reconcile.readers.parts import read_entries

MESSAGES = {
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "053": ("BkToCstmrStmt", "Stmt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
ACCOUNT = "<Acct><Id><IBAN>DE02100100100006820101</IBAN></Id><Ccy>EUR</Ccy></Acct>"
ENTRY = (
    '<Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
    "<BookgDt><Dt>1970-01-02</Dt></BookgDt><ValDt><Dt>1970-01-03</Dt></ValDt></Ntry>"
)
READ = Entry("DE02100100100006820101", "EUR", 1234, 1, 2, line=3)
"""What `ENTRY` is on the third line of a document, where `make_document` puts it."""


def make_entry(inner: str = "", amount: str = "12.34", sign: str = "CRDT", head: str = "") -> str:
    """Make an entry with more in it: `head` before its status, `inner` at its end."""
    return (
        ENTRY.replace("12.34", amount)
        .replace("CRDT</CdtDbtInd>", f"{sign}</CdtDbtInd>{head}")
        .replace("</Ntry>", f"{inner}</Ntry>")
    )


def make_transaction(inner: str) -> str:
    return make_entry(f"<NtryDtls><TxDtls>{inner}</TxDtls></NtryDtls>")


def make_document(
    body: str, *, kind: str = "053", version: str = "08", head: str = ACCOUNT, number: str = "1"
) -> str:
    """Make a document of one statement: its head ends on the second line."""
    message, statement = MESSAGES[kind]
    namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="{namespace}"><{message}><GrpHdr><MsgId>M</MsgId></GrpHdr><{statement}>'
        f"<Id>S</Id><ElctrncSeqNb>{number}</ElctrncSeqNb>{head}\n{body}</{statement}></{message}>"
        "</Document>\n"
    )


def read_all(
    document: str | bytes, processes: int = 0
) -> tuple[list[Entry], list[Statement], list[Finding]]:
    """Read a document to its end."""
    data = document.encode() if isinstance(document, str) else document
    entries, statements, findings = [], [], []
    for part in read_camt(io.BytesIO(data), processes=processes):
        entries += read_entries(part.entries)
        statements += part.statements
        findings += part.findings
    return entries, statements, findings


def list_faults(findings: list[Finding]) -> list[tuple[str, str, int, str]]:
    """List findings without their words."""
    return [(each.severity.value, each.fault.value, each.line, each.field) for each in findings]
