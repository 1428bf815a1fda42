"""A seeded camt.053 of any size, and how fast and in how much memory it is read."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from hansa.node.bench.usage import list_descendants, measure_resident_bytes
from hansa.reconcile.readers.camt import read_camt

ACCOUNT = "DE02100100100006820101"
OPENING_MINOR = 10_000_000_00
FIRST_DAY_MAX = 28
SAMPLE_S = 0.02
"""Between two looks at the memory."""
_DIGITS = 18
"""Of numbers that are known only at the end, filled up with noughts."""
_NAMES = (
    "Müller Handel GmbH",
    "Jansen & Zn BV",
    "Rossi Forniture SpA",
    "Novák s.r.o.",
    "City Water",
)
_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr>\
<MsgId>M{seed}</MsgId><CreDtTm>2026-11-30T06:00:00+01:00</CreDtTm></GrpHdr><Stmt><Id>S{seed}</Id>\
<ElctrncSeqNb>{seed}</ElctrncSeqNb><CreDtTm>2026-11-30T06:00:00+01:00</CreDtTm><FrToDt><FrDtTm>\
2026-11-01T00:00:00+01:00</FrDtTm><ToDtTm>2026-11-30T00:00:00+01:00</ToDtTm></FrToDt><Acct><Id>\
<IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct><Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>\
<Amt Ccy="EUR">{opening}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-01</Dt></Dt></Bal><Bal>\
<Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{closing}</Amt><CdtDbtInd>{sign}\
</CdtDbtInd><Dt><Dt>2026-11-30</Dt></Dt></Bal><TxsSummry><TtlNtries><NbOfNtries>{entries}\
</NbOfNtries></TtlNtries></TxsSummry>
"""
_TAIL = "</Stmt></BkToCstmrStmt></Document>\n"


class Written(NamedTuple):
    """What a made file holds."""

    entries: int
    """`Ntry` elements."""
    rows: int
    """With each transaction of a batch as one."""
    booked_minor: int
    size: int
    """Bytes."""


class Measured(NamedTuple):
    """What reading a file took."""

    seconds: float
    peak_mb: float
    """Resident memory of all processes together, megabytes; pages that they share count in each."""
    processor_s: float
    rows: int


def write_camt(path: Path, size: int, seed: int = 1) -> Written:
    """Write a camt.053.001.08 of about `size` bytes, as a bank's would look; the same every time.

    Entries are some 720 bytes: transfers in and out, direct debits, cards, batches, reversals and
    payments in other currencies, with unstructured and structured remittance.
    """
    source = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    entries = rows = booked = 0
    with path.open("wb") as file:
        file.write(_make_head(seed, 0, 0))
        while file.tell() < size:
            for text, minor, count in _make_entries(source, entries):
                file.write(text.encode())
                entries += 1
                rows += count
                booked += minor
        file.write(_TAIL.encode())
        written = file.tell()
        file.seek(0)
        file.write(_make_head(seed, entries, OPENING_MINOR + booked))
    return Written(entries, rows, booked, written)


def _make_head(seed: int, entries: int, closing_minor: int) -> bytes:
    return _HEAD.format(
        seed=seed,
        account=ACCOUNT,
        opening=_write_amount(OPENING_MINOR),
        closing=_write_amount(abs(closing_minor)).zfill(_DIGITS),
        sign="DBIT" if closing_minor < 0 else "CRDT",
        entries=str(entries).zfill(_DIGITS - 3),
    ).encode()


def _make_entries(source: random.Random, first: int) -> Iterator[tuple[str, int, int]]:
    """Make a hundred entries: text, amount, rows."""
    for number in range(first, first + 100):
        minor = source.randrange(1, 5_000_00)
        sign = source.choice((1, -1))
        parts = source.randrange(2, 6) if source.random() < 0.01 else 1  # noqa: PLR2004 - a hundredth
        shares = [minor] * parts
        details = "".join(_make_transaction(source, number, share, sign) for share in shares)
        day = f"2026-11-{source.randrange(1, FIRST_DAY_MAX):02}"
        reversal = "<RvslInd>true</RvslInd>" if source.random() < 0.01 else ""  # noqa: PLR2004
        family = "RCDT" if sign > 0 else "ICDT"
        text = (
            f'<Ntry><NtryRef>{number}</NtryRef><Amt Ccy="EUR">{_write_amount(sum(shares))}</Amt>'
            f"<CdtDbtInd>{'CRDT' if sign > 0 else 'DBIT'}</CdtDbtInd>{reversal}<Sts><Cd>BOOK</Cd>"
            f"</Sts><BookgDt><Dt>{day}</Dt></BookgDt><ValDt><Dt>{day}</Dt></ValDt><AcctSvcrRef>"
            f"{number:016}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>{family}</Cd>"
            "<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls>"
            f"{details}</NtryDtls></Ntry>\n"
        )
        yield text, sign * sum(shares), parts


def _make_transaction(source: random.Random, number: int, minor: int, sign: int) -> str:
    kind = source.random()
    amount = _write_amount(minor)
    name = source.choice(_NAMES).replace("&", "&amp;")
    side = "Dbtr" if sign > 0 else "Cdtr"
    reference = f"E2E-{source.randrange(10**12):012}" if kind < 0.9 else "NOTPROVIDED"  # noqa: PLR2004
    if source.random() < 0.3:  # noqa: PLR2004 - some banks write no UETR
        uetr = f"<UETR>{source.randrange(16**8):08x}-0000-4000-8000-{number:012x}</UETR>"
    else:
        uetr = ""
    if source.random() < 0.2:  # noqa: PLR2004 - a fifth by a creditor's reference
        remittance = (
            "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp><Ref>"
            f"RF{source.randrange(10**18):018}</Ref></CdtrRefInf></Strd>"
        )
    else:
        remittance = f"<Ustrd>Invoice {source.randrange(10**6)} of November, with thanks</Ustrd>"
    return (
        f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId>{uetr}</Refs>"
        f'<Amt Ccy="EUR">{amount}</Amt>{_make_foreign(source, minor)}<RltdPties><{side}><Pty><Nm>'
        f"{name}</Nm></Pty></{side}><{side}Acct><Id><IBAN>DE{source.randrange(10**20):020}</IBAN>"
        f"</Id></{side}Acct></RltdPties><RmtInf>{remittance}</RmtInf></TxDtls>"
    )


def _make_foreign(source: random.Random, minor: int) -> str:
    """Make what a payment in another currency says, of a fiftieth of them."""
    if source.random() >= 0.02:  # noqa: PLR2004
        return ""
    return (
        f'<AmtDtls><InstdAmt><Amt Ccy="USD">{_write_amount(minor * 11 // 10)}</Amt></InstdAmt>'
        "</AmtDtls>"
    )


def _write_amount(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def measure_camt(path: Path) -> Measured:
    """Measure how a file is read, in a process of its own with those that it starts."""
    ours, theirs = multiprocessing.Pipe()
    reader = multiprocessing.get_context("spawn").Process(target=_read, args=(theirs, path))
    reader.start()
    theirs.close()
    peak = 0
    while not ours.poll(SAMPLE_S):
        peak = max(peak, measure_resident_bytes(list_descendants([reader.pid or 0])))
    seconds, processor_s, rows = ours.recv()
    reader.join()
    return Measured(seconds, peak / 1e6, processor_s, rows)


def _read(connection: Connection, path: Path) -> None:
    begun, rows = time.perf_counter(), 0
    with path.open("rb") as file:
        for part in read_camt(file):
            rows += part.entries.num_rows
    seconds = time.perf_counter() - begun
    used = os.times()
    processor_s = used.user + used.system + used.children_user + used.children_system
    connection.send((seconds, processor_s, rows))
