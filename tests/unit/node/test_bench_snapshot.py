"""The benchmark of snapshots as people call it, for a moment: its figures add up."""

from __future__ import annotations

from tests.integration.network_process import run


def test_a_snapshot_is_made_and_restored_and_its_memory_told(capsys):
    found = run(capsys, "bench", "snapshot", "--rows", 2_000)
    smaller = found["smaller"]
    assert (found["rows"], smaller["rows"]) == (2_000, 200)
    assert found["bytes"] > 2_000 * 96
    for size in (found, smaller):
        assert min(size["make_s"], size["restore_s"], size["copy_s"]) >= 0
        assert size["make_peak_bytes"] > found["idle_peak_bytes"] > 1 << 20
        assert size["restore_peak_bytes"] > found["idle_peak_bytes"]
