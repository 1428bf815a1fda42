"""Protocol A gives the published figures with the published models, from our features."""

from datetime import date

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

from hansa.kernel.errors import Invalid
from hansa.risk.evaluation.handbook import describe, run_protocol_a, select_handbook_features, split
from hansa.risk.evaluation.payments import read_payments

DAY = (date(2018, 6, 18) - date(1970, 1, 1)).days
XGBOOST = XGBClassifier(random_state=0, tree_method="exact", base_score=0.5, n_jobs=1)
TREE = DecisionTreeClassifier(random_state=0)
FOREST = RandomForestClassifier(random_state=0, n_jobs=1)


@pytest.fixture(scope="module")
def payments(datasets):
    everything = read_payments(datasets / "risk" / "fdh" / "payments_2018-04_2018-08.parquet")
    return everything.take((everything.days >= DAY) & (everything.days < DAY + 58))


@pytest.fixture(scope="module")
def rows(payments):
    return select_handbook_features(describe(payments))


@pytest.mark.data
@pytest.mark.parametrize(
    ("model", "published"),
    [
        (LogisticRegression(random_state=0), (0.871, 0.606, 0.291)),
        (DecisionTreeClassifier(max_depth=2, random_state=0), (0.763, 0.496, 0.241)),
        pytest.param(TREE, (0.788, 0.309, 0.243), marks=pytest.mark.soak),
        pytest.param(XGBOOST, (0.862, 0.639, 0.273), marks=pytest.mark.soak),
        pytest.param(FOREST, (0.867, 0.658, 0.287), marks=pytest.mark.soak),
    ],
)
def test_protocol_a_gives_what_is_published(payments, rows, model, published):
    def fit(trained, is_fraud):
        model.fit(trained, is_fraud)
        return lambda tested: model.predict_proba(tested)[:, 1]

    assert run_protocol_a(payments, rows, fit) == pytest.approx(published, abs=0.002)


@pytest.mark.data
def test_a_card_known_to_be_compromised_is_not_tested(payments):
    fold = split(payments, date(2018, 7, 25))
    trained, tested = payments.take(fold.train), payments.take(fold.test)
    assert (trained.days.min(), trained.days.max()) == (DAY + 37, DAY + 43)
    assert (tested.days.min(), tested.days.max()) == (DAY + 51, DAY + 57)
    assert not np.isin(tested.cards, trained.cards[trained.is_fraud]).any()


def test_a_file_that_holds_no_payments_is_said_to_be_none(tmp_path):
    other = tmp_path / "other.parquet"
    other.write_bytes(b"PAR1, or so it says")
    with pytest.raises(Invalid, match="is no table of payments"):
        read_payments(other)
