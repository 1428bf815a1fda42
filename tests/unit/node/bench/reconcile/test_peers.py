"""Others' software on the planted payments: judged by its pairs, absent or broken without harm."""

import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hansa.node.bench.reconcile.peers.measuring import (
    find_peers,
    judge_pairs,
    measure_peers,
    run_peer,
)
from hansa.node.bench.reconcile.planting import TRUTH, plant

COUNT = 20_000


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    (folder / "truth").mkdir()
    plant(COUNT, 3, folder, folder / "truth")
    return folder


@pytest.fixture(scope="module")
def right_pairs(planted):
    """All pairs that are right, by the truth."""
    query = f"""
    SELECT ours.row AS left_row, theirs.row AS right_row, ours.kind
    FROM '{planted}/truth/{TRUTH}' AS ours JOIN '{planted}/truth/{TRUTH}' AS theirs
      USING (kind, one)
    WHERE ours.is_left AND NOT theirs.is_left AND kind <> 'ambiguous'
    """  # noqa: S608 - our own folder
    return duckdb.sql(query).to_arrow_table()


def judge_table(table, planted, folder):
    pq.write_table(table, folder / "pairs.parquet")
    return judge_pairs(folder / "pairs.parquet", folder, planted / "truth")


def test_right_pairs_find_everything(planted, right_pairs, tmp_path):
    found = judge_table(right_pairs, planted, tmp_path)
    assert found["wrong"] == 0
    assert len(found["planted"]) == 8
    assert all(each["planted"] == each["found"] > 0 for each in found["planted"].values())


def test_no_pairs_find_what_has_no_partner(planted, right_pairs, tmp_path):
    found = judge_table(right_pairs.slice(0, 0), planted, tmp_path)["planted"]
    for kind, each in found.items():
        is_single = kind in {"missing_left", "missing_right", "ambiguous"}
        assert each["found"] == (each["planted"] if is_single else 0)


def test_a_copy_may_stay_single_and_a_part_may_not(planted, right_pairs, tmp_path):
    rows = right_pairs.to_pylist()
    for kind in ("duplicate", "split"):
        rows.remove(next(each for each in rows if each["kind"] == kind))
    found = judge_table(pa.Table.from_pylist(rows), planted, tmp_path)["planted"]
    assert found["duplicate"]["found"] == found["duplicate"]["planted"]
    assert found["split"]["found"] == found["split"]["planted"] - 1


def test_a_pair_of_two_cases_is_wrong_for_both(planted, right_pairs, tmp_path):
    rows = right_pairs.to_pylist()
    exact = next(each for each in rows if each["kind"] == "exact")
    near = next(each for each in rows if each["kind"] == "near")
    rows.append({**exact, "right_row": near["right_row"]})
    assert judge_table(pa.Table.from_pylist(rows), planted, tmp_path)["wrong"] == 2


def make_environment(folder, script):
    python = folder / "splink" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


def test_what_a_peer_prints_and_writes_is_told(planted, right_pairs, tmp_path):
    pq.write_table(right_pairs, tmp_path / "said.parquet")
    told = json.dumps({"version": "9.1", "seconds": 2.345, "peak_bytes": 7 << 20})
    script = f'test "$3" = splink && cp "{tmp_path}/said.parquet" "$6" && echo \'{told}\''
    python = make_environment(tmp_path, script)
    peers = find_peers(tmp_path)
    assert peers.pythons == {"splink": python}
    assert peers.missing.startswith("datacompy not in")
    found = run_peer("splink", python, planted, planted / "truth")
    assert found["wrong"] == 0
    assert (found["version"], found["seconds"], found["peak_mb"]) == ("9.1", 2.35, 7)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo one >&2; echo 'KeyError: two' >&2; exit 1", "KeyError: two"),
        ("echo no JSON", "Expecting value"),
        ("echo '{}'", "version"),
        ("exit 3", "exit status 3"),
    ],
)
def test_a_peer_that_fails_says_why(planted, tmp_path, script, told):
    python = make_environment(tmp_path, script)
    found = run_peer("splink", python, planted, planted / "truth")
    assert told in found["error"]


def test_without_environments_nothing_is_measured(tmp_path):
    peers = find_peers(tmp_path)
    assert measure_peers(peers, 10, 1) is None
    assert peers.missing == f"datacompy and splink not in {tmp_path}: `make peers` installs them"
