"""The benchmark of reconciling as entries arrive, small, and what it plants."""

from itertools import islice

from hansa.node.bench.reconcile.arriving import plant_arrivals
from hansa.node.bench.reconcile.streaming import StreamSettings, measure_stream


def test_rate_and_delay_are_measured_and_all_breaks_seen(tmp_path):
    settings = StreamSettings(
        windows=1, payments=40, paced_windows=1, window_s=0.05, rate_per_s=800, processes=0
    )
    found = measure_stream(tmp_path, settings)
    assert found["stream_wrong"] == 0
    assert 0 < found["break_p50_ms"] <= found["break_p99_ms"] < found["break_since_came_p99_ms"]
    assert found["stream_entries"] >= 79
    assert found["stream_breaks"] >= 1
    assert found["stream_per_s"] > 0


def test_what_is_missing_comes_late_and_what_is_double_stays():
    *_, last = islice(plant_arrivals(2_000, 1), 10)
    assert last.breaks < last.still
    counts = [{}, {}]
    for arrivals in islice(plant_arrivals(2_000, 1), 10):
        for of_side, side in zip(counts, arrivals.sides, strict=True):
            for entry in side:
                root = entry.reference.partition("/")[0]
                of_side[root] = of_side.get(root, 0) + entry.amount_minor
    left, right = counts
    uneven = {name for name in left | right if abs(left.get(name, 0) + right.get(name, 0)) > 5}
    assert uneven == last.still
