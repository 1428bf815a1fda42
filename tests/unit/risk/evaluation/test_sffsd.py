"""S-FFSD: GTAN's split to the payment, and no payment described by its own label or later ones."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from hansa.kernel.errors import Invalid
from hansa.risk.evaluation.sffsd import (
    FRAUD,
    SHAPE,
    UNLABELLED,
    Split,
    Table,
    describe,
    evaluate_sffsd,
    read_table,
    split_as_gtan,
    split_in_order,
)

SMALL = SHAPE._replace(trees=10)


@pytest.fixture(scope="module")
def table():
    chance = np.random.default_rng(4)
    parties = chance.integers(0, [60, 9, 5, 4], (1_203, 4))
    label = np.where(parties[:, 1] < 2, FRAUD, 0)
    label[chance.random(len(label)) < 0.5] = UNLABELLED
    return Table(parties, chance.integers(0, 10_000, len(label)), label)


def test_the_split_is_that_of_scikit_learn(table):
    split = split_as_gtan(table)
    both = train_test_split(
        np.arange(len(table.label)), stratify=table.label, test_size=0.225, random_state=2
    )
    wanted = [np.sort(part[table.label[part] != UNLABELLED]) for part in both]
    assert [part.tolist() for part in split] == [part.tolist() for part in wanted]


@pytest.mark.parametrize("is_ordered", [True, False])
def test_no_label_of_the_test_and_not_its_own_tells_of_a_payment(table, is_ordered):
    split = split_as_gtan(table)
    rows = describe(table, split.train, is_ordered=is_ordered, seed=0)
    others = table._replace(label=table.label.copy())
    others.label[split.test] = 1 - others.label[split.test]
    assert (describe(others, split.train, is_ordered=is_ordered, seed=0) == rows).all()
    one = split.train[100]
    others = table._replace(label=table.label.copy())
    others.label[one] = 1 - others.label[one]
    # The share of fraud in all of the training, which is added to each group, moves a little.
    assert (
        np.abs(describe(others, split.train, is_ordered=is_ordered, seed=0) - rows)[one].max()
        < 2_500
    )


def test_in_order_of_time_nothing_later_tells_of_a_payment(table):
    split = split_in_order(table)
    assert split.train.max() < split.test.min()
    rows = describe(table, split.train, is_ordered=True, seed=0)
    begin = int(split.train[-1]) + 1
    sooner = Table(*(column[: begin + 50] for column in table))
    assert (describe(sooner, split.train, is_ordered=True, seed=0) == rows[: begin + 50]).all()


def test_neighbours_are_told_of_as_they_are():
    parties = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 1, 1]])
    table = Table(parties, np.array([100, 200, 300, 401]), np.array([1, 2, 0, 1]))
    rows = describe(table, Split(np.array([0, 2]), np.array([3])).train, is_ordered=True, seed=0)
    # By source: two earlier payments of 200 on average; one of two labels is fraud; the neighbour
    # is one payment back, and is the nearest label: genuine, then fraud, then none.
    assert rows[3, 4:14].tolist() == [2, 201, 2, 1, 500_000, 1, 0, 1, 1, -1]


def test_a_file_of_another_form_is_refused(tmp_path):
    file = tmp_path / "other.csv"
    with pytest.raises(Invalid, match="needs the columns"):
        read_table(file)
    file.write_text("Time,Source\n1,2\n")
    with pytest.raises(Invalid, match="needs the columns"):
        read_table(file)
    file.write_text("Time,Source,Target,Amount,Location,Type,Labels\n1,a,b,1.5,c,d,3\n")
    with pytest.raises(Invalid, match="a label is not"):
        read_table(file)


@pytest.mark.data
def test_few_trees_already_pass_what_is_published(datasets):
    found = evaluate_sffsd(datasets / "risk" / "s-ffsd" / "S-FFSD.csv", shape=SMALL)
    assert found["sffsd_auc"] > 0.87
    assert found["sffsd_ap"] > 0.71
    assert 0.5 < found["sffsd_ordered_auc"] < found["sffsd_auc"]
