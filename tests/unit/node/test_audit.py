"""The audit finds every way in which receipts, headers and rows can disagree about money."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.played import Forger, make_folder, open_folder
from tests.world import ASSET, key, pay

from hansa.engine.record_items import list_envelopes
from hansa.kernel.errors import Corrupt, Invalid, NotFound
from hansa.kernel.receipt_file import build_receipt_file, verify_receipt_file
from hansa.node.audit import FINDINGS_MAX, AuditReport, audit, audit_folder
from hansa.node.home import Home
from hansa.node.records import iterate_records, open_log


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    return make_folder(tmp_path_factory.mktemp("audit") / "node")


@pytest.fixture
def forger(home) -> Forger:
    reader = open_log(home.log_path)
    try:
        return Forger(home.load_network(), list(iterate_records(reader)))
    finally:
        reader.close()


@pytest.fixture(scope="module")
def rows(home) -> dict[bytes, bytes]:
    with open_folder(home.path) as world:
        return dict(world.chain.iterate_rows(b""))


def look(forger: Forger) -> AuditReport:
    return audit(forger.records, forger.network)


def change_delta(name: str, place: int, value: object):
    """Change one field of the first delta of the first event of this name."""

    def change(receipt: list) -> bool:
        for event in receipt[4]:
            if event[1] == name and event[2][0]:
                delta = event[2][0][0]
                delta[place] = value(delta[place]) if callable(value) else value
                return True
        return False

    return change


# --- an honest chain ----------------------------------------------------------------------------


def test_an_honest_folder_passes(home):
    report = audit_folder(home.log_path, home.store_path, home.load_network())
    assert report.findings == []
    assert report.audit_ok
    assert report.supply_ok
    assert report.rows_height == report.height > 10
    assert report.describe_rows() == ""
    assert report.transactions > 20
    totals = report.assets[ASSET]
    assert totals["issued"] == totals["vault"] + totals["wallet"] + totals["held"] > 0
    found = json.loads(json.dumps(report.to_json()))
    assert found["audit_ok"] is found["supply_ok"] is True
    assert found["assets"][ASSET]["issued"] == str(totals["issued"])


def test_a_running_node_is_audited_beside_it(tmp_path):
    home = make_folder(tmp_path / "node")
    with open_folder(home.path) as world:
        for number in range(3):
            world.time_ms += 700
            assert world.do("ada", pay("ada", "shop", 1, f"live-{number}")) == ""
        report = audit_folder(home.log_path, home.store_path, world.network)
        assert report.findings == []
        assert report.height == world.chain.head.height
        assert report.rows_height < report.height
        assert f"blocks {report.rows_height + 1} to {report.height} " in report.describe_rows()
        assert "A node that runs, or was killed" in report.describe_rows()


def test_without_a_store_receipts_alone_are_audited(home, tmp_path):
    report = audit_folder(home.log_path, tmp_path / "none", home.load_network())
    assert report.audit_ok
    assert report.rows_height is None
    assert "no rows" in report.describe_rows()
    assert f"no store in {tmp_path / 'none'}" in report.describe_rows()
    assert "--data" not in report.describe_rows(), "it was given"


def test_no_log_is_said(tmp_path, home):
    with pytest.raises(NotFound):
        audit_folder(tmp_path / "log", tmp_path / "store", home.load_network())


def test_it_shares_no_code_with_the_contracts():
    code = "import hansa.node.audit, sys; sys.exit('hansa.contracts' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_it_says_how_far_it_is(forger):
    heights = []
    audit(forger.records, forger.network, progress=heights.append)
    assert heights == list(range(len(forger.records)))


# --- forged receipts, under right hashes and seals ----------------------------------------------

FORGERIES = {
    "an amount": (change_delta("Transferred", 3, lambda amount: amount - 1), "by its event"),
    "a balance": (change_delta("Transferred", 4, lambda balance: balance + 1), "by its event"),
    "another's money": (change_delta("Transferred", 1, bytes(32)), "falls below zero"),
    "a thread": (change_delta("Transferred", 5, 1), "as its change before"),
    "a ledger": (change_delta("Transferred", 0, "purse"), "there is no ledger 'purse'"),
    "an asset": (change_delta("Issued", 2, "MOPX"), "more than was issued"),
    "a delta that is none": (change_delta("Transferred", 3, "much"), "cannot be read"),
    "events of a refused one": (
        lambda receipt: receipt[1] == 0 and not receipt.__setitem__(1, 1),
        "refused has events",
    ),
    "a code of an accepted one": (
        lambda receipt: receipt[1] == 0 and not receipt.__setitem__(2, "payments.NO"),
        "status and code",
    ),
    "an id": (lambda receipt: not receipt.__setitem__(0, b"short"), "cannot be read"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_receipt_is_found(forger, name):
    change, expected = FORGERIES[name]
    forger.change_receipt(change)
    report = look(forger)
    assert not report.audit_ok
    assert any(expected in finding for finding in report.findings), report.findings


def test_money_from_nowhere_is_found_although_every_balance_follows(forger):
    """Drop the issue's leg of supply: every account still adds up by itself."""

    def change(receipt: list) -> bool:
        for event in receipt[4]:
            if event[1] == "Issued":
                event[2][0] = [delta for delta in event[2][0] if delta[0] != "issued"]
                return True
        return False

    forger.change_receipt(change)
    report = look(forger)
    assert report.finding_count == 1
    assert not report.supply_ok
    assert "more than was issued" in report.findings[0]


def test_a_transaction_that_counts_twice_is_found(forger):
    height = next(at for at, record in enumerate(forger.records) if len(record.receipts) > 5)
    receipts = forger.records[height].receipts
    forger.change(height, receipts=(*receipts[:-1], receipts[0]))
    assert any("was there before" in finding for finding in look(forger).findings)


def test_it_goes_on_after_findings_and_counts_what_it_does_not_keep(forger):
    for height in range(len(forger.records)):
        receipts = [
            msgspec.msgpack.encode([*msgspec.msgpack.decode(raw)[:4], [["x", "y", [[["z"]]]]] * 20])
            for raw in forger.records[height].receipts
        ]
        if receipts:
            forger.change(height, receipts=tuple(receipts) * 8)
    report = look(forger)
    assert report.blocks == len(forger.records)
    assert len(report.findings) == FINDINGS_MAX < report.finding_count


# --- headers ------------------------------------------------------------------------------------


def test_a_changed_receipt_does_not_have_the_root(forger):
    record = next(record for record in forger.records if record.receipts)
    at = forger.records.index(record)
    raw = bytearray(record.receipts[0])
    raw[5] ^= 1
    forger.records[at] = msgspec.structs.replace(
        record, receipts=(bytes(raw), *record.receipts[1:])
    )
    assert any("do not have the root" in finding for finding in look(forger).findings)


def test_a_missing_block_is_found(forger):
    del forger.records[4]
    findings = look(forger).findings
    assert any("blocks are missing" in finding for finding in findings)
    assert any("does not name the block before it" in finding for finding in findings)


@pytest.mark.parametrize("is_beside", [False, True])
def test_a_stranger_seals_nothing(forger, is_beside):
    """Nor beside a good seal: audit, verify and receipt files have one answer."""
    last = forger.records[-1]
    stranger = key("stranger")
    seal = (1, stranger.public_key, stranger.sign(forger.network.header_prefix + last.header))
    seals = (*last.signatures, seal) if is_beside else (seal,)
    last = forger.records[-1] = msgspec.structs.replace(last, signatures=seals)
    assert any("is not sealed" in finding for finding in look(forger).findings)
    receipt = build_receipt_file(forger.network, last, list_envelopes(last), 0)
    with pytest.raises(Invalid, match="not sealed"):
        verify_receipt_file(receipt)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"tx_count": 99}, "counts 99 transactions"),
        ({"time_ms": 1}, "older than the block before"),
        ({"height": 9}, "blocks are missing"),
    ],
)
def test_a_forged_header_is_found(forger, fields, expected):
    forger.change_header(5, **fields)
    assert any(expected in finding for finding in look(forger).findings)


def test_a_header_that_is_none_is_found(forger):
    forger.records[3] = msgspec.structs.replace(forger.records[3], header=b"\x90")
    assert any("block header" in finding for finding in look(forger).findings)


# --- rows ---------------------------------------------------------------------------------------


def look_at_rows(forger: Forger, rows: dict[bytes, bytes]) -> AuditReport:
    def iterate_rows(prefix: bytes):
        return sorted(item for item in rows.items() if item[0].startswith(prefix))

    return audit(forger.records, forger.network, iterate_rows)


@pytest.mark.parametrize(
    ("table", "place"), [(b"wb", 2), (b"wb", 3), (b"wb", 8), (b"cv", 2), (b"cv", 5), (b"cy", 5)]
)
def test_a_row_that_says_otherwise_is_found(forger, rows, table, place):
    assert look_at_rows(forger, rows).findings == []
    changed = dict(rows)
    at = next(row_key for row_key in sorted(rows) if row_key.startswith(table))
    fields = msgspec.msgpack.decode(changed[at])
    fields[place] += 1
    changed[at] = msgspec.msgpack.encode(fields)
    report = look_at_rows(forger, changed)
    assert report.finding_count == 1
    assert "the state's row says" in report.findings[0]


def test_a_missing_and_an_unreadable_row_are_found(forger, rows):
    first, second = sorted(row_key for row_key in rows if row_key.startswith(b"wb"))[:2]
    changed = {**rows, second: b"\x91\x01"}
    del changed[first]
    findings = look_at_rows(forger, changed).findings
    assert any("has no row" in finding for finding in findings)
    assert any("cannot be read" in finding for finding in findings)


def test_a_state_ahead_of_the_log_is_said(forger):
    report = audit(forger.records, forger.network, lambda _: (), rows_height=10_000)
    assert "does not confirm" in report.findings[0]


def test_a_damaged_log_is_corrupt_and_names_the_block(tmp_path):
    home = make_folder(tmp_path / "node")
    segment = next(Path(home.log_path).glob("blocks-*.log"))
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    segment.write_bytes(raw)
    with pytest.raises(Corrupt) as error:
        audit_folder(home.log_path, home.store_path, home.load_network())
    assert isinstance(error.value.facts["height"], int)
