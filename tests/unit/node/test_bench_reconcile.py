"""The benchmark of reconciliation, small: all that is planted is found, and mistakes would be."""

import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hansa.node.bench.reconcile.planting import LABELS, LEFT, RIGHT, RULES, judge, plant
from hansa.node.bench.reconcile.running import ReconcileSettings, run_reconcile_bench
from hansa.reconcile.batch.job import Job, SideFiles, run_job

COUNT = 20_000


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    (folder / "truth").mkdir()
    plant(COUNT, 3, folder, folder / "truth")
    (folder / "rules.toml").write_text(RULES)
    sides = [SideFiles((folder / each,)) for each in (LEFT, RIGHT)]
    run_job(Job(*sides, folder / "rules.toml", threads=1), folder / "out")
    return folder


def test_all_that_is_planted_is_found(planted):
    found = judge(planted / "out", planted, planted / "truth")
    assert found["wrong"] == 0
    assert set(found["planted"]) == set(LABELS)
    assert all(each["planted"] == each["found"] > 0 for each in found["planted"].values())


def test_mistakes_are_counted(planted, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for each in ("matches", "breaks"):
        (out / f"{each}.parquet").write_bytes((planted / "out" / f"{each}.parquet").read_bytes())
    pairs = pq.read_table(planted / "out" / "pairs.parquet")
    rights = pairs.column("right_row").to_pylist()
    rights[0], rights[1] = rights[1], rights[0]
    mixed = pairs.set_column(1, "right_row", pa.array(rights, pa.int64()))
    pq.write_table(mixed, out / "pairs.parquet")
    assert judge(out, tmp_path, planted / "truth")["wrong"] == 2


def test_the_order_of_rows_changes_no_result(planted, tmp_path):
    for each in (LEFT, RIGHT):
        rows = pq.read_table(planted / each)
        order = list(range(len(rows)))
        random.Random(1).shuffle(order)
        pq.write_table(rows.take(order), tmp_path / each)
    sides = [SideFiles((tmp_path / each,)) for each in (LEFT, RIGHT)]
    found = run_job(Job(*sides, planted / "rules.toml", threads=2), tmp_path / "out")
    first = json.loads((planted / "out" / "manifest.json").read_text())
    assert found["result_sha256"] == first["result_sha256"]


def test_every_figure_is_measured(tmp_path):
    told = []
    settings = ReconcileSettings(1_000, 100_000, 1, tmp_path, tmp_path, stream=None)
    found = run_reconcile_bench(settings, told.append)
    assert len(told) == 5
    assert found["wrong"] == 0
    for name in ("seconds", "net_seconds", "ratio_to_net", "peak_mb", "camt_seconds"):
        assert found[name] > 0
    assert found["camt_entries"] > 100
    assert {found[f"splink_{name}"] for name in ("f1", "precision", "recall", "seconds")} == {None}
    assert found["peers"] is None
    assert "make peers" in found["peers_missing"]
