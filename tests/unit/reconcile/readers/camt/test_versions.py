"""Versions of camt of which the schema is at hand: what is valid by it is read right.

The schemas of ISO 20022 are made of few things: sequences and choices of elements, and texts with
patterns, lengths and lists of values. Checking a small document by these takes no library.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from tests.camts import MESSAGES, list_faults, read_all

from hansa.reconcile.entries import Entry, Kind, Statement

XS = "{http://www.w3.org/2001/XMLSchema}"
IBAN = "DE02100100100006820101"
OTHER = "FR7630006000011234567890189"
UETR = "8a562c67-ca16-48ba-b074-65581be6f001"
KINDS = {"052": Kind.REPORT, "053": Kind.STATEMENT, "054": Kind.NOTIFICATION}
SCHEMAS = [("052", "08"), ("053", "08"), ("053", "12"), ("054", "08"), ("054", "12")]
BALANCE = (
    '<Bal><Tp><CdOrPrtry><Cd>{}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{}</Amt>'
    "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>1970-01-02</Dt></Dt></Bal>"
)
CODE = (
    "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{}</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
)
SINGLE = (
    '<Ntry><NtryRef>N1</NtryRef><Amt Ccy="EUR">100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
    "<RvslInd>false</RvslInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>1970-01-02</Dt></BookgDt>"
    "<ValDt><DtTm>1970-01-03T08:00:00+01:00</DtTm></ValDt><AcctSvcrRef>B1</AcctSvcrRef>"
    f"{CODE.format('RCDT')}<NtryDtls><TxDtls><Refs><InstrId>I1</InstrId>"
    f"<EndToEndId>E1</EndToEndId><UETR>{UETR}</UETR></Refs>"
    '<Amt Ccy="EUR">100.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><AmtDtls><InstdAmt>'
    '<Amt Ccy="USD">110.00</Amt></InstdAmt></AmtDtls><Chrgs><Rcrd><Amt Ccy="EUR">0.50</Amt>'
    "<CdtDbtInd>DBIT</CdtDbtInd></Rcrd></Chrgs><RltdPties><Dbtr><Pty><Nm>Bob</Nm></Pty></Dbtr>"
    f"<DbtrAcct><Id><IBAN>{OTHER}</IBAN></Id></DbtrAcct><Cdtr><Pty><Nm>Own</Nm></Pty></Cdtr>"
    "</RltdPties><RmtInf><Ustrd>Invoice 7</Ustrd><Strd><CdtrRefInf><Ref>RF18539007547034</Ref>"
    "</CdtrRefInf></Strd></RmtInf></TxDtls></NtryDtls></Ntry>"
)
BATCH = (
    '<Ntry><Amt Ccy="EUR">30.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><RvslInd>true</RvslInd>'
    f"<Sts><Cd>PDNG</Cd></Sts><BookgDt><Dt>1970-01-03</Dt></BookgDt>{CODE.format('ICDT')}"
    "<NtryDtls><Btch><PmtInfId>P</PmtInfId><NbOfTxs>2</NbOfTxs></Btch>"
    + "".join(
        f'<TxDtls><Refs><EndToEndId>{name}</EndToEndId></Refs><Amt Ccy="EUR">{amount}</Amt>'
        "<CdtDbtInd>DBIT</CdtDbtInd></TxDtls>"
        for name, amount in (("E2", "10.00"), ("E3", "20.00"))
    )
    + "</NtryDtls></Ntry>"
)


class Schema:
    """What a schema allows, as far as ISO 20022 uses it; anything else fails the test."""

    def __init__(self, text: str) -> None:
        root = ET.fromstring(text)  # noqa: S314 - of the datasets
        self.namespace = f"{{{root.attrib['targetNamespace']}}}"
        self.types = {each.get("name"): each for each in root if each.tag != f"{XS}element"}
        (self.root,) = (each for each in root if each.tag == f"{XS}element")

    def check(self, text: str) -> None:
        element = ET.fromstring(text)  # noqa: S314 - made here
        assert element.tag == self.namespace + self.root.get("name")
        self._check(element, self.root.get("type"), "")

    def _check(self, element: ET.Element, kind: str, path: str) -> None:
        if kind.startswith("xs:"):
            return
        declared = self.types[kind]
        if declared.tag == f"{XS}simpleType":
            self._check_text(element.text or "", declared, path)
            assert (len(element), element.attrib) == (0, {}), path
            return
        (model,) = declared
        if model.tag == f"{XS}simpleContent":
            (extension,) = model
            self._check_text(element.text or "", self.types[extension.get("base")], path)
            for attribute in extension:
                value = element.attrib[attribute.get("name")]
                self._check_text(value, self.types[attribute.get("type")], path)
            return
        assert model.tag in {f"{XS}sequence", f"{XS}choice"}, path
        assert not (element.text or "").strip(), path
        names = "".join(f"{each.tag.removeprefix(self.namespace)} " for each in element)
        particles = [
            f"(?:{each.attrib['name']} ){{{each.get('minOccurs', '1')},{_find_most(each)}}}"
            for each in model
        ]
        pattern = ("|" if model.tag == f"{XS}choice" else "").join(particles)
        assert re.fullmatch(pattern, names), f"{path}: {names} is not {pattern}"
        kinds = {each.attrib["name"]: each.attrib["type"] for each in model}
        for child in element:
            name = child.tag.removeprefix(self.namespace)
            self._check(child, kinds[name], f"{path}/{name}")

    def _check_text(self, text: str, declared: ET.Element, path: str) -> None:
        (restriction,) = declared
        values = [each.get("value") for each in restriction if each.tag == f"{XS}enumeration"]
        assert not values or text in values, f"{path}: {text}"
        for each in restriction:
            name, value = each.tag.removeprefix(XS), each.get("value")
            assert name != "pattern" or re.fullmatch(value, text), f"{path}: {text}"
            assert name != "maxLength" or len(text) <= int(value), f"{path}: {text}"
            assert name != "minLength" or len(text) >= int(value), f"{path}: {text}"


def _find_most(particle: ET.Element) -> str:
    return particle.get("maxOccurs", "1").replace("unbounded", "")


def make_message(kind: str, version: str) -> str:
    message, statement = MESSAGES[kind]
    balances = BALANCE.format("OPBD", "1.00") + BALANCE.format("CLBD", "101.00")
    pages = "<PgNb>2</PgNb><LastPgInd>true</LastPgInd>"
    return (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"><{message}>'
        "<GrpHdr><MsgId>M</MsgId><CreDtTm>1970-01-03T00:00:00Z</CreDtTm></GrpHdr>"
        f"<{statement}><Id>S</Id><{statement}Pgntn>{pages}</{statement}Pgntn>"
        "<ElctrncSeqNb>7</ElctrncSeqNb><CreDtTm>1970-01-03T00:00:00Z</CreDtTm>"
        "<FrToDt><FrDtTm>1970-01-02T00:00:00</FrDtTm><ToDtTm>1970-01-03T23:59:59</ToDtTm></FrToDt>"
        f"<Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{'' if kind == '054' else balances}<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries>"
        "<Sum>130.00</Sum><TtlNetNtry><Amt>70.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry>"
        "</TtlNtries><TtlCdtNtries><NbOfNtries>1</NbOfNtries><Sum>100.00</Sum></TtlCdtNtries>"
        f"</TxsSummry>\n{SINGLE}\n{BATCH}</{statement}></{message}></Document>"
    )


@pytest.mark.parametrize(("kind", "version"), SCHEMAS)
def test_what_is_valid_by_the_schema_is_read(datasets, kind, version):
    schema = datasets / "iso20022_xsd" / f"camt.{kind}.001.{version}.xsd"
    message = make_message(kind, version)
    checked = Schema(schema.read_text())
    checked.check(message)
    with pytest.raises(AssertionError, match="CdtDbtInd"):
        checked.check(message.replace("<CdtDbtInd>CRDT</CdtDbtInd>", "", 1))
    entries, statements, findings = read_all(message)
    single = Entry(
        IBAN,
        "EUR",
        100_00,
        1,
        2,
        reference="E1",
        bank_reference="B1",
        transaction_id=UETR,
        counterparty="Bob",
        counterparty_account=OTHER,
        text="Invoice 7 RF18539007547034",
        code="PMNT.RCDT.ESCT",
        original_currency="USD",
        original_minor=110_00,
        charges_minor=50,
        line=2,
    )
    part = Entry(
        IBAN,
        "EUR",
        -10_00,
        2,
        None,
        reference="E2",
        code="PMNT.ICDT.ESCT",
        batch="P",
        is_reversal=True,
        status="pending",
        line=3,
    )
    assert entries == [single, part, part._replace(amount_minor=-20_00, reference="E3")]
    opening, closing = (None, None) if kind == "054" else (1_00, 101_00)
    assert statements == [
        Statement(KINDS[kind], IBAN, "EUR", "S", 7, 2, 1, 2, opening, closing, 3, 100_00, 1)
    ]
    assert list_faults(findings) == []
