"""Sample files of camt that others made: what each holds, checked against its XML by eye."""

from typing import NamedTuple

import pytest
from tests.camts import list_faults, read_all

from hansa.reconcile.entries import Kind

KINDS = {"052": Kind.REPORT, "053": Kind.STATEMENT, "054": Kind.NOTIFICATION}
UNDATED = ("missing", "Ntry/BookgDt")
COUNT = ("count", "Ntry/NtryDtls/Btch/NbOfTxs")
PARTS = ("parts", "Ntry/NtryDtls/TxDtls")
FOREIGN_ENTRY = ("currency", "Ntry/Amt@Ccy")
FOREIGN_BALANCE = ("currency", "Bal/Amt")
SEK = [(-200_000_00, "SEK")]
EUR = [(8_85, "EUR")]


class Sample(NamedTuple):
    """What a file holds: amounts by entry, balances by statement, findings with their lines."""

    amounts: list[tuple[int, str]]
    findings: list[tuple[int, str, str]]
    balances: list[tuple[int | None, int | None]] = [(None, None)]  # noqa: RUF012 - read only
    severity: str = "warning"


SAMPLES = {
    "camt052.v1": Sample(SEK, []),
    "camt052.v2.other-account": Sample(SEK, [(58, *COUNT)]),  # 20 are told, one is there
    "camt052.v2.with-account-name": Sample(SEK, [(17, *UNDATED)]),
    "camt052.v2": Sample(SEK, [(58, *COUNT)]),
    "camt052.v4": Sample(SEK, [(70, *FOREIGN_ENTRY)], [(None, 10_022_15)]),  # balance in CHF
    "camt052.v6.Amt-zero": Sample(SEK, [(70, *FOREIGN_ENTRY)], [(None, 10_022_15)]),
    "camt052.v6": Sample(SEK, [(70, *FOREIGN_ENTRY)], [(None, 10_022_15)]),
    "camt052.v8": Sample(SEK, []),
    "camt053.v2.all-balance-types": Sample(EUR, [], [(1_01, 4_04)]),
    "camt053.v2.five.decimals": Sample(EUR, [], [(18_15, 27_05)]),
    "camt053.v2.minimal.ultimate": Sample(EUR, [(60, *FOREIGN_BALANCE)], [(18_15, None)]),
    "camt053.v2.minimal": Sample(EUR, [(60, *FOREIGN_BALANCE)], [(18_15, None)]),
    "camt053.v2.multi.statement": Sample(
        [*EUR, (-7_00, "EUR")], [], [(18_15, 27_00), (27_00, 20_00)]
    ),
    "camt053.v2.with-account-name": Sample(EUR, []),
    "camt053.v2.with-party-ids": Sample(EUR, [(60, *FOREIGN_BALANCE)], [(18_15, None)]),
    "camt053.v2.wrong": Sample([], [(3, "missing", "Stmt")], [], "error"),
    "camt053.v3": Sample(  # its only transaction is 105.75
        EUR, [(110, f"{PARTS[0]}", f"{PARTS[1]}/Amt"), (80, *FOREIGN_BALANCE)], [(18_15, None)]
    ),
    "camt053.v4": Sample(EUR, [(80, *FOREIGN_BALANCE)], [(18_15, None)]),
    "camt053.v8": Sample(EUR, [(80, *FOREIGN_BALANCE)], [(18_15, None)]),
    "camt054.v2.with-account-name": Sample(SEK, [(17, *UNDATED)]),
    "camt054.v2": Sample(SEK, [(58, *PARTS)]),  # three transactions without amounts
    "camt054.v4": Sample(SEK, [(63, *COUNT), (63, *PARTS)]),  # in CHF, the entry in SEK
    "camt054.v8-with-UETR": Sample(SEK, [(16, *UNDATED)]),
    "camt054.v8-with-financial-institution": Sample(SEK, [(16, *UNDATED)]),
    "camt054.v8": Sample(SEK, [(63, *COUNT), (63, *PARTS)]),
    "camt53.only-Dt-with-DtTm": Sample([], [], [(5_442_09, None)]),
}


@pytest.fixture(scope="module")
def samples(datasets):
    return datasets / "recon" / "camt_genkgo"


def test_every_sample_is_listed(samples):
    files = {path.name.removeprefix("test__data__") for path in samples.iterdir()}
    assert files == {f"{name}.xml" for name in SAMPLES}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(samples, name):
    sample = SAMPLES[name]
    entries, statements, findings = read_all((samples / f"test__data__{name}.xml").read_bytes())
    assert [(each.amount_minor, each.currency) for each in entries] == sample.amounts
    assert [(each.opening_minor, each.closing_minor) for each in statements] == sample.balances
    assert list_faults(findings) == [
        (sample.severity, fault, line, field) for line, fault, field in sample.findings
    ]
    kind = KINDS[name.removeprefix("camt")[:3].replace("53.", "053")]
    assert {each.kind for each in statements} <= {kind}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("camt052.v1", {"reference": "FINP-0055-001", "code": "PAYM.0001.0003", "text": "Credit"}),
        ("camt052.v2", {"counterparty": "Company Name", "code": "XXXX+000+0000+000"}),
        ("camt052.v2.other-account", {"counterparty_account": "0000000000"}),
        (
            "camt052.v6",
            {
                "status": "pending",
                "reference": "UXC06140000015PI00001EE00001",
                "counterparty": "Example Creditor 6 - V1",
                "counterparty_account": "CH2401234004141414141",
                "original_currency": "USD",
                "original_minor": -4_10,
                "text": "Example Remittance - 6 - V1",
            },
        ),
        ("camt053.v2.minimal.ultimate", {"counterparty": "DEBTOR NAME NM", "booking_date": 16_435}),
        ("camt053.v8", {"reference": "MUELL/FINP/RA12345", "text": "4654654654654654"}),
        ("camt054.v8-with-UETR", {"transaction_id": "255ae394-9965-4438-ac86-f406feada396"}),
        ("camt054.v8-with-financial-institution", {"counterparty": "Example Creditor 3 - V1"}),
        (
            "camt054.v2",
            {"reference": "MUELL/FINP/RA12345", "bank_reference": "AAAASESS-FP-ACCR001"},
        ),
    ],
)
def test_fields_of_samples(samples, name, fields):
    (entry,) = read_all((samples / f"test__data__{name}.xml").read_bytes())[0]
    assert {field: getattr(entry, field) for field in fields} == fields
