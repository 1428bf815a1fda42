"""The benchmark of quality says of each figure what it is, or why there is none."""

from hansa.node.bench.risk.quality import QualitySettings, run_quality_bench

KEYS = {
    "protocol_a",
    "handbook_auc",
    "handbook_ap",
    "handbook_cp100",
    "full_history_ap",
    "feedback_cp100",
    "feedback",
    "handbook_own_weeks",
    "handbook_bounds",
    "sffsd_auc",
    "sffsd_ap",
    "sffsd_ordered_auc",
    "sffsd_ordered_ap",
    "amlsim_f1",
    "own_f1_ratio",
    "screening_recall",
    "screening_flagged",
    "calibration_slope",
    "top_calibration_error",
}


def test_without_data_every_figure_is_null_and_says_which_file_is_missing(tmp_path):
    found = run_quality_bench(QualitySettings(tmp_path, tmp_path, persons=0))
    assert {key: found[key] for key in KEYS} == dict.fromkeys(KEYS)
    assert set(found["missing"]) == KEYS
    assert "make peers" in found["missing"]["own_f1_ratio"]
    assert "S-FFSD.csv" in found["missing"]["sffsd_ap"]
