"""The Handbook's own models on its protocol A, beside the figures that it published of them.

They show that features, delays, splits and measures here are the Handbook's. The libraries are
those it used, which a node does not need: scikit-learn and XGBoost, where they are installed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from hansa.risk.evaluation.handbook import (
    Quality,
    describe,
    run_protocol_a,
    select_handbook_features,
)
from hansa.risk.evaluation.metrics import Bools, Floats
from hansa.risk.evaluation.payments import Payments

FIRST_DAY = (date(2018, 6, 18) - date(1970, 1, 1)).days
"""The Handbook's features know of nothing before."""
LAST_DAY = (date(2018, 8, 14) - date(1970, 1, 1)).days
PUBLISHED = {
    "logistic": Quality(0.871, 0.606, 0.291),
    "tree_of_depth_2": Quality(0.763, 0.496, 0.241),
    "tree": Quality(0.788, 0.309, 0.243),
    "forest": Quality(0.867, 0.658, 0.287),
    "xgboost": Quality(0.862, 0.639, 0.273),
}
_MODELS: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "logistic": ("sklearn.linear_model", "LogisticRegression", {}),
    "tree_of_depth_2": ("sklearn.tree", "DecisionTreeClassifier", {"max_depth": 2}),
    "tree": ("sklearn.tree", "DecisionTreeClassifier", {}),
    "forest": ("sklearn.ensemble", "RandomForestClassifier", {"n_jobs": 1}),
    "xgboost": (
        "xgboost",
        "XGBClassifier",
        {"tree_method": "exact", "base_score": 0.5, "n_jobs": 1},
    ),
}


def measure_published(payments: Payments, tell: Callable[[str], object]) -> dict[str, Any] | None:
    """Measure each model whose library is there; None if there is no library.

    Args:
      payments: from 18 June to 14 August 2018 at least.
      tell: is called with what is begun.

    Returns:
      By model `auc`, `average_precision`, `card_precision_100` and the same as `published`; and
      `largest_difference` between a figure and the published one.
    """
    taken = payments.take((payments.days >= FIRST_DAY) & (payments.days <= LAST_DAY))
    rows = select_handbook_features(describe(taken))
    found: dict[str, Any] = {}
    largest = 0.0
    for name, (module, kind, options) in _MODELS.items():
        try:
            model = getattr(importlib.import_module(module), kind)(random_state=0, **options)
        except ImportError:
            continue
        tell(f"Protocol A: {name}...")
        measured, published = run_protocol_a(taken, rows, _Fit(model)), PUBLISHED[name]
        largest = max(largest, *(abs(a - b) for a, b in zip(measured, published, strict=True)))
        found[name] = {
            **{key: round(value, 4) for key, value in measured._asdict().items()},
            "published": published._asdict(),
        }
    return {**found, "largest_difference": round(largest, 4)} if found else None


class _Fit:
    """Trains a model of either library, which name their methods alike."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - of a library that may be absent
        self.model = model

    def __call__(self, rows: Floats, is_fraud: Bools) -> Callable[[Floats], Floats]:
        self.model.fit(rows, is_fraud)
        return self._score

    def _score(self, rows: Floats) -> Floats:
        chances: Floats = self.model.predict_proba(rows)[:, 1]
        return chances
