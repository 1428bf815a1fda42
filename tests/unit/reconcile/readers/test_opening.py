"""Opening: formats are told by how files begin; gzip is seen through, within bounds."""

import gzip
import io
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.camts import ENTRY, READ, make_document
from tests.tabled import HEADER, PLAIN, gather, mapping_of

from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.reconcile.checks import check_statements, place_statements
from hansa.reconcile.entries import Fault, Severity
from hansa.reconcile.readers.opening import FREE_BYTES, Opened, Reading, open_statements

ROW = "A,EUR,2026-04-03,7,r\n"
TABLE = (HEADER + ROW).encode()


def reading():
    return Reading(mapping_of(PLAIN))


def write(folder, raw, name="file"):
    path = folder / name
    path.write_bytes(raw)
    return path


def read(path):
    return gather(open_statements(path, reading()))


def test_a_table_is_read_with_its_mapping_only(tmp_path):
    path = write(tmp_path, TABLE)
    assert len(read(path)[0]) == 1
    with pytest.raises(Invalid, match="give a mapping") as caught:
        list(open_statements(path))
    assert str(path) in caught.value.message


def test_what_is_no_regular_file_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(Invalid, match=f"{path} is not a file but {what}: name a file"):
            list(open_statements(path))


def test_parquet_is_told_by_its_head(tmp_path):
    columns = {"account": ["A"], "currency": ["EUR"], "date": ["2026-04-03"], "amount": [7]}
    target = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns | {"reference": ["r"]}), target)
    path = write(tmp_path, target.getvalue())
    assert read(path)[0][0].amount_minor == 700
    with Opened(path, reading()) as opened:
        assert opened.format.name == "parquet"
    with pytest.raises(Invalid, match="mapping"):
        list(open_statements(path))
    with pytest.raises(Invalid, match="unpack it"):
        read(write(tmp_path, gzip.compress(target.getvalue()), "file.gz"))


MT940 = b""":20:1
:25:DE02
:28C:1/1
:60F:C260403EUR1,00
:61:2604030403C2,00NTRFR1//B1
:86:thanks
:62F:C260403EUR3,00
"""


def test_formats_are_told_apart_whatever_the_name(tmp_path):
    for name, raw in {"a.xml": MT940, "b.gz": gzip.compress(MT940)}.items():
        with Opened(write(tmp_path, raw, name), reading()) as opened:
            assert opened.format.name == "mt"
            (entry,), (statement,), findings = gather(opened.iterate())
        assert (entry.amount_minor, statement.closing_minor, findings) == (200, 300, [])


def test_camt_is_told_by_its_head(tmp_path):
    raw = make_document(ENTRY).encode("utf-16")
    with Opened(write(tmp_path, gzip.compress(raw), "a.txt"), reading()) as opened:
        assert opened.format.name == "camt"
        (entry,), (statement,), findings = gather(opened.iterate())
    assert (entry, statement.entries, findings) == (READ, 1, [])


def test_gzip_is_seen_through(tmp_path):
    path = write(tmp_path, gzip.compress(TABLE) + gzip.compress(ROW.encode()))
    assert [entry.line for entry in read(path)[0]] == [2, 3]


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_gzip_is_read_as_far_as_it_goes(tmp_path, damage):
    packed = bytearray(gzip.compress(TABLE) + gzip.compress(ROW.encode() * 10))
    if damage == "cut":
        del packed[-10:]
    else:
        packed[-8] ^= 1  # of the checksum
    entries, _, findings = read(write(tmp_path, bytes(packed)))
    assert entries
    assert (findings[-1].severity, findings[-1].fault) == (Severity.ERROR, Fault.STRUCTURE)
    assert "damaged or cut off" in findings[-1].text


def test_a_bomb_is_refused(tmp_path):
    bomb = gzip.compress(TABLE + b"x" * (FREE_BYTES + (1 << 20)))
    with pytest.raises(Invalid, match="times its size"):
        read(write(tmp_path, bomb))


@pytest.mark.parametrize(
    ("raw", "told"),
    [(b"", "empty"), (b"PK\x03\x04rest", "ZIP"), (gzip.compress(b""), "empty")],
)
def test_what_is_no_statement_is_refused(tmp_path, raw, told):
    with pytest.raises(Invalid, match=told) as caught:
        read(write(tmp_path, raw))
    assert caught.value.code is InvalidCode.MALFORMED


def test_files_that_are_not_there_or_are_none_are_told(tmp_path):
    with pytest.raises(NotFound):
        read(tmp_path / "nowhere")
    with pytest.raises(Invalid, match="not a file but a folder"):
        read(tmp_path)


BALANCE_WITHOUT_AMOUNT = b"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
<BkToCstmrStmt><Stmt><Id>1</Id><Acct><Id><IBAN>DE02</IBAN></Id></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><CdtDbtInd>CRDT</CdtDbtInd></Bal>
</Stmt></BkToCstmrStmt></Document>"""


def test_a_balance_without_its_amount_is_told(tmp_path):
    _, (statement,), findings = read(write(tmp_path, BALANCE_WITHOUT_AMOUNT))
    assert statement.opening_minor is None
    assert "Bal/Amt" in [finding.field for finding in findings]


PIECES = [b"\0", b"9" * 30, b"\xff", b"<", b"&", b"\n:61:", b"-", b"<Ntry>", b"16,", b"/", b""]
SAMPLES = ("camt_genkgo", "mt940_rs", "mt940_wolph", "bai2_moov", "bai2_moj", "ofx_ofxparse")


@pytest.mark.data
@settings(suppress_health_check=list(HealthCheck), max_examples=300)
@given(st.data())
def test_changed_sample_files_raise_nothing_but_invalid(datasets, tmp_path, data):
    folder = data.draw(st.sampled_from(SAMPLES))
    paths = sorted(path for path in (datasets / "recon" / folder).iterdir() if path.stat().st_size)
    raw = bytearray(data.draw(st.sampled_from(paths)).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw)))
        raw[at : at + data.draw(st.integers(0, 40))] = data.draw(st.sampled_from(PIECES))
    path = write(tmp_path, bytes(raw))
    try:
        entries, statements, findings = gather(open_statements(path))
    except Invalid:
        return
    errors = [each.line for each in findings if each.severity is Severity.ERROR]
    told = check_statements(place_statements(0, statements, errors))
    assert all(each.finding.text for each in told)
    assert all(entry.amount_minor is not None for entry in entries)


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "form", "none"),
    [
        ("mt940_rs", "mt", {"special-cases__invalid_statement.sta", "full__cmxl__mt942_1.sta"}),
        ("mt940_wolph", "mt", {"self-provided__invalid_statement.sta"}),
        ("bai2_moov", "bai2", {"errors__sample-parseError.txt"}),
        ("bai2_moj", "bai2", set()),
    ],
)
def test_sample_files_are_told_by_their_heads(datasets, folder, form, none):
    """Those that are told to be none are empty, or hold words alone."""
    paths = sorted((datasets / "recon" / folder).iterdir())
    assert paths
    for path in paths:
        if any(path.name.endswith(name) for name in none):
            with pytest.raises(Invalid):
                Opened(path)
            continue
        with Opened(path) as opened:
            assert opened.format.name == form
