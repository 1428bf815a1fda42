"""`hansa bench risk --quality`: how well fraud and listed names are told, on public data.

What is measured, and by which protocol, stands in docs/reference/risk-quality.md. Nothing here is
chosen by what it gives: shapes and features were chosen on other weeks than those measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from hansa.node.bench.machine import describe_machine
from hansa.node.bench.risk.own import PERSONS, measure_own
from hansa.node.bench.risk.published import measure_published
from hansa.risk.evaluation.amlsim import evaluate_amlsim
from hansa.risk.evaluation.bounds import (
    bound_card_precision,
    find_knowable,
    read_at_terminals,
)
from hansa.risk.evaluation.chances import measure_chances
from hansa.risk.evaluation.handbook import (
    WEEK,
    Quality,
    describe,
    list_folds,
    list_published_folds,
    measure,
)
from hansa.risk.evaluation.investigating import run_with_feedback
from hansa.risk.evaluation.metrics import Bools
from hansa.risk.evaluation.payments import Payments, read_payments
from hansa.risk.evaluation.prequential import (
    ALL_DAYS,
    Plan,
    average,
    run_folds,
    score_fold,
)
from hansa.risk.evaluation.sffsd import evaluate_sffsd
from hansa.risk.features.layout import DAY_MS
from hansa.risk.screening.evaluation import evaluate_screening

HANDBOOK = Path("risk", "fdh", "payments_2018-04_2018-08.parquet")
SFFSD = Path("risk", "s-ffsd", "S-FFSD.csv")
AMLSIM = Path("risk", "amlsim-20k")
LISTS = Path("risk", "sanctions-ofac-un")
FIXTURES = Path("risk", "yente-screening-fixtures")
SNAPML = Path("snapml", "bin", "python")
DIGITS = 4


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """What is measured."""

    datasets: Path = Path("../shared/data")
    """Folder of public data sets; what is not there is not measured."""
    peers: Path = Path(".tools/peers")
    """Folder of the environments of other software; likewise."""
    persons: int = PERSONS
    """In the simulated city; 0 leaves it out."""


def run_quality_bench(
    settings: QualitySettings, tell: Callable[[str], object] = lambda _: None
) -> dict[str, Any]:
    """Run the benchmark; returns the object that `--json` prints.

    Args:
      settings: what is measured.
      tell: is called with what is begun, for people.

    Raises:
      Invalid: a data set is there, but is not what it is said to be.
    """
    began = time.monotonic()
    missing: dict[str, str] = {}
    found: dict[str, Any] = {}
    for part, paths, keys in _PARTS:
        absent = [str(settings.datasets / each) for each in paths]
        absent = [each for each in absent if not Path(each).exists()]
        if absent:
            found |= dict.fromkeys(keys)
            missing |= dict.fromkeys(keys, f"not there: {', '.join(absent)}")
        else:
            found |= part(settings.datasets, tell)
    if settings.persons:
        python = settings.peers / SNAPML
        found |= measure_own(python if python.exists() else None, tell, persons=settings.persons)
    else:
        found["own_f1_ratio"] = None
    if found["own_f1_ratio"] is None:
        missing["own_f1_ratio"] = (
            f"snapml, or what it says, is not there: `make peers` puts it into {settings.peers}"
        )
    if found["protocol_a"] is None and "protocol_a" not in missing:
        missing["protocol_a"] = "scikit-learn and XGBoost are not installed"
    return {
        "name": "risk quality",
        "machine": describe_machine(),
        **found,
        "missing": missing,
        "seconds": round(time.monotonic() - began),
    }


def _measure_handbook(datasets: Path, tell: Callable[[str], object]) -> dict[str, Any]:
    """Measure all that the Handbook's payments are for."""
    tell("Handbook: reading, and describing each payment...")
    payments = read_payments(datasets / HANDBOOK)
    protocol_a = measure_published(payments, tell)
    rows = describe(payments)
    plan, folds = Plan(), list_folds()
    score_week = cache(lambda first_day: score_fold(payments, rows, first_day, plan))
    tell("Protocol B: a week of training, four folds...")
    weekly = average(
        [measure(week.scores, payments.take(week.test)) for week in map(score_week, folds)]
    )
    tell("Probabilities, fitted on earlier weeks...")
    chances = measure_chances(payments, folds, score_week)
    tell("Protocol B: all days before...")
    all_days = plan._replace(train_days=ALL_DAYS)
    full = average(run_folds(payments, rows, folds, all_days))
    tell("Protocol B: with an investigator, who looks at 100 cards a day...")
    looked = average(run_with_feedback(payments, folds, plan))
    tell("The Handbook's own test weeks...")
    own = list_published_folds(int(payments.days[-1]))
    tell("What can be known at all...")
    at_terminals = read_at_terminals(datasets / HANDBOOK)
    return {
        "protocol_a": protocol_a,
        "handbook_auc": round(weekly.auc, DIGITS),
        "handbook_ap": round(weekly.average_precision, DIGITS),
        "handbook_cp100": round(weekly.card_precision_100, DIGITS),
        "full_history_ap": round(full.average_precision, DIGITS),
        "feedback_cp100": round(looked.card_precision_100, DIGITS),
        "feedback": _tell(looked),
        "handbook_own_weeks": {
            "weeks": len(own),
            **_tell(average(run_folds(payments, rows, own, plan))),
            "full_history": _tell(average(run_folds(payments, rows, own, all_days))),
            "feedback": _tell(average(run_with_feedback(payments, own, plan))),
        },
        "handbook_bounds": {
            **_tell_bounds(payments, at_terminals, folds),
            "own_weeks": _tell_bounds(payments, at_terminals, own),
        },
        "calibration_slope": round(chances.slope, DIGITS),
        "top_calibration_error": round(chances.top_error, DIGITS),
    }


def _tell(quality: Quality) -> dict[str, float]:
    return {name: round(value, DIGITS) for name, value in quality._asdict().items()}


def _tell_bounds(
    payments: Payments, at_terminals: Bools, folds: Sequence[date]
) -> dict[str, float]:
    """Tell what CP@100 whoever knew all else would reach, by how soon verdicts are known."""
    knowable = {
        "verdicts_after_7_days": find_knowable(payments, at_terminals, WEEK * DAY_MS),
        "verdicts_after_a_day": find_knowable(payments, at_terminals, DAY_MS),
        "all_frauds": payments.is_fraud,
    }
    return {
        name: round(bound_card_precision(payments, each, folds), DIGITS)
        for name, each in knowable.items()
    }


def _measure_sffsd(datasets: Path, tell: Callable[[str], object]) -> dict[str, Any]:
    tell("S-FFSD: as GTAN splits it, and in order of time...")
    figures = evaluate_sffsd(datasets / SFFSD)
    return {name: round(value, DIGITS) for name, value in figures.items()}


def _measure_amlsim(datasets: Path, tell: Callable[[str], object]) -> dict[str, Any]:
    tell("AMLSim: accounts within a graph, and across graphs...")
    found = evaluate_amlsim(datasets / AMLSIM)
    mean = found.pop("amlsim_f1")
    return {"amlsim_f1": _round({"mean": mean, **found})}


def _round(figures: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _round(value) if isinstance(value, dict) else round(value, DIGITS)
        for name, value in figures.items()
    }


def _measure_screening(datasets: Path, tell: Callable[[str], object]) -> dict[str, Any]:
    tell("Screening: names that are listed, and 100,000 that are not...")
    found = evaluate_screening(datasets / LISTS, datasets / FIXTURES, time.perf_counter_ns)
    return _round(dict(found))


_PARTS = (
    (
        _measure_handbook,
        (HANDBOOK,),
        (
            "protocol_a",
            "handbook_auc",
            "handbook_ap",
            "handbook_cp100",
            "full_history_ap",
            "feedback_cp100",
            "feedback",
            "handbook_own_weeks",
            "handbook_bounds",
            "calibration_slope",
            "top_calibration_error",
        ),
    ),
    (
        _measure_sffsd,
        (SFFSD,),
        ("sffsd_auc", "sffsd_ap", "sffsd_ordered_auc", "sffsd_ordered_ap"),
    ),
    (_measure_amlsim, (AMLSIM,), ("amlsim_f1",)),
    (_measure_screening, (LISTS, FIXTURES), ("screening_recall", "screening_flagged")),
)
