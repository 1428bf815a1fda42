"""S-FFSD's payments: which of those that are labelled are fraud, said from what is known around.

Two splits. GTAN's draws the test at random, so that a payment of the test stands between labelled
ones, some of them later. The other is in order of time: the last payments are tested, and each is
described by earlier ones and by labels of the training alone.

The share of frauds among payments that have a party in common is told to the trees as it would be
told of a payment of the test: without that payment's own part of the training. Otherwise they would
read a payment's own label out of it.

Source: Xiang et al., Semi-supervised credit card fraud detection via attribute-driven graph
representation (GTAN, 2023); https://github.com/AI4Risk/antifraud.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.risk.evaluation.metrics import compute_auc, compute_average_precision
from hansa.risk.models.training import Shape, train
from hansa.risk.models.trees import score_rows

GENUINE, FRAUD, UNLABELLED = 0, 1, 2
TEST_SHARE = 0.225
TEST_SEED = 2
SHAPE = Shape(
    trees=400, leaves=31, learning_rate=0.03, row_share=0.7, feature_share=0.4, rows_in_leaf_min=20
)
_COLUMNS = ("Time", "Source", "Target", "Amount", "Location", "Type", "Labels")
_SOURCE, _TARGET, _LOCATION, _TYPE = range(4)
_KEYS = (
    (_SOURCE,),
    (_TARGET,),
    (_LOCATION,),
    (_TYPE,),
    (_SOURCE, _TARGET),
    (_SOURCE, _LOCATION),
    (_TARGET, _LOCATION),
    (_TARGET, _TYPE),
    (_LOCATION, _TYPE),
    (_TARGET, _LOCATION, _TYPE),
)
"""What payments have in common that are held against one another."""
_PARTS = 20
"""Of the training, each described by the labels of the others."""
_NEAR = 3
"""How many labelled payments are told of, before and after."""
_PRIOR = 5
"""How many payments with the training's share of frauds are added to each group."""
_MILLION = 1_000_000
_NOTHING = -1

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Table(NamedTuple):
    """Payments in order of time."""

    parties: Whole
    """Source, target, location and type, numbered; shape (n, 4)."""
    amount_minor: Whole
    label: Whole
    """`GENUINE`, `FRAUD` or `UNLABELLED`."""


class Split(NamedTuple):
    """Labelled payments to train and to test, by their places, rising."""

    train: Whole
    test: Whole


def evaluate_sffsd(file: Path, *, shape: Shape = SHAPE, seed: int = 0) -> dict[str, float]:
    """Measure both splits.

    Args:
      file: `S-FFSD.csv`.
      shape: of the trees; what is reported has the usual one.
      seed: of parts and trees.

    Returns:
      `sffsd_auc` and `sffsd_ap` on GTAN's split, `sffsd_ordered_auc` and `sffsd_ordered_ap` on the
      one in order of time.

    Raises:
      Invalid: the file is not there, or is no such table.
    """
    table = read_table(file)
    figures = {}
    for name, split, is_ordered in (
        ("sffsd", split_as_gtan(table), False),
        ("sffsd_ordered", split_in_order(table), True),
    ):
        rows = describe(table, split.train, is_ordered=is_ordered, seed=seed)
        trees = train(rows[split.train], table.label[split.train] == FRAUD, shape, seed=seed)
        scores = np.zeros(len(split.test), np.int64)
        score_rows(trees, rows[split.test], scores)
        is_fraud = table.label[split.test] == FRAUD
        figures[f"{name}_auc"] = compute_auc(scores, is_fraud)
        figures[f"{name}_ap"] = compute_average_precision(scores, is_fraud)
    return figures


def read_table(file: Path) -> Table:
    """Read the payments.

    Raises:
      Invalid: the file is not there, or is no such table.
    """
    try:
        table = csv.read_csv(file)
        time, *parties, amount, place, kind, label = (
            table.column(name).to_numpy() for name in _COLUMNS
        )
        codes = [
            np.unique(each, return_inverse=True)[1].astype(np.int64)
            for each in (*parties, place, kind)
        ]
        read = Table(
            np.stack(codes, 1), np.rint(amount * 100).astype(np.int64), label.astype(np.int64)
        )
        is_such = bool((np.diff(time) >= 0).all()) and set(label.tolist()) <= {0, 1, 2}
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowInvalid) as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{file} is no table of payments: it needs the columns {', '.join(_COLUMNS)}",
        ) from error
    if not is_such:
        raise Invalid(InvalidCode.MALFORMED, f"{file}: times fall, or a label is not 0, 1 or 2")
    return read


def split_as_gtan(table: Table) -> Split:
    """Split as GTAN does: at random, with the same share of each label, those unlabelled included.

    It draws as scikit-learn's `train_test_split` with `stratify` does, from the same generator.
    """
    chance = np.random.RandomState(TEST_SEED)
    counts = np.bincount(table.label)
    tests = math.ceil(len(table.label) * TEST_SHARE)
    trains = _apportion(counts, len(table.label) - tests, chance)
    tested = _apportion(counts - trains, tests, chance)
    parts: tuple[list[Whole], list[Whole]] = ([], [])
    for label, (first, second) in enumerate(zip(trains, tested, strict=True)):
        drawn = np.flatnonzero(table.label == label)[chance.permutation(counts[label])]
        if label != UNLABELLED:
            parts[0].append(drawn[:first])
            parts[1].append(drawn[first : first + second])
    train_places, test_places = (np.sort(np.concatenate(part)) for part in parts)
    return Split(train_places, test_places)


def _apportion(counts: Whole, total: int, chance: np.random.RandomState) -> Whole:
    """Apportion a total by counts; what is left goes by the largest remainders, ties by chance."""
    exact = counts / counts.sum() * total
    shares = np.floor(exact)
    left = int(total - shares.sum())
    for remainder in np.unique(exact - shares)[::-1]:
        if left <= 0:
            break
        [equal] = np.nonzero(exact - np.floor(exact) == remainder)
        drawn = chance.choice(equal, size=min(len(equal), left), replace=False)
        shares[drawn] += 1
        left -= len(drawn)
    whole: Whole = shares.astype(np.int64)
    return whole


def split_in_order(table: Table) -> Split:
    """Split in order of time: of the labelled payments the last are tested, as many a share."""
    labelled = np.flatnonzero(table.label != UNLABELLED)
    trains = len(labelled) - int(len(labelled) * TEST_SHARE)
    return Split(labelled[:trains], labelled[trains:])


def describe(table: Table, trained: Whole, *, is_ordered: bool, seed: int) -> Whole:
    """Describe all payments by others and by labels of the training.

    Args:
      table: all payments.
      trained: whose labels are known, by their places, rising.
      is_ordered: each payment by earlier ones alone.
      seed: of the parts of the training.

    Returns:
      Shape (n, n_features).
    """
    n = len(table.label)
    known = np.full(n, _NOTHING, np.int64)
    known[trained] = table.label[trained]
    part = np.full(n, _NOTHING, np.int64)
    part[trained] = np.random.default_rng(seed).integers(0, _PARTS, len(trained))
    columns = [table.amount_minor, *table.parties[:, 1:].T]
    if not is_ordered:
        columns.append(np.arange(n))
    for key in _KEYS:
        told = _Group(_number(table.parties[:, key]), table.amount_minor, known)
        columns += told.describe_earlier() if is_ordered else told.describe_all(part)
    return np.stack(columns, 1)


def _number(columns: Whole) -> Whole:
    """Number rows by what stands in them: equal ones have the same number."""
    numbers = columns[:, 0]
    for column in columns.T[1:]:
        pairs = numbers * (column.max() + 1) + column
        numbers = np.unique(pairs, return_inverse=True)[1]
    return numbers


class _Group:
    """Payments in groups that have something in common, put in order of group and time."""

    def __init__(self, group: Whole, amount_minor: Whole, known: Whole) -> None:
        self.group, self.amount_minor, self.known = group, amount_minor, known
        n = len(group)
        self.order = np.argsort(group, kind="stable")
        in_order = group[self.order]
        self.begin = np.searchsorted(in_order, in_order, "left")
        self.end = np.searchsorted(in_order, in_order, "right")
        self.at = np.arange(n)
        self.is_known = known[self.order] != _NOTHING
        self.is_fraud = known[self.order] == FRAUD
        self.share = max(float((known == FRAUD).sum() / max((known >= 0).sum(), 1)), 1e-6)

    def describe_all(self, part: Whole) -> list[Whole]:
        """Describe each payment by all others of its group, before and after it."""
        count, total = np.bincount(self.group), np.zeros(self.group.max() + 1, np.int64)
        np.add.at(total, self.group, self.amount_minor)
        mean = total // np.maximum(count, 1)
        labelled, frauds = self._count_others(part)
        return [
            count[self.group],
            self.amount_minor - mean[self.group],
            *self._tell_share(labelled, frauds),
            *self._tell_gap(-1),
            *self._tell_gap(1),
            *self._tell_near(-1),
            *self._tell_near(1),
        ]

    def describe_earlier(self) -> list[Whole]:
        """Describe each payment by earlier ones of its group."""
        count = self.at - self.begin
        total = self._sum_before(self.amount_minor[self.order])
        mean = total // np.maximum(count, 1)
        labelled, frauds = self._sum_before(self.is_known), self._sum_before(self.is_fraud)
        return [
            self._put_back(count),
            self._put_back(self.amount_minor[self.order] - mean),
            *self._tell_share(self._put_back(labelled), self._put_back(frauds)),
            *self._tell_gap(-1),
            *self._tell_near(-1),
        ]

    def _put_back(self, in_order: Whole) -> Whole:
        placed = np.empty_like(in_order)
        placed[self.order] = in_order
        return placed

    def _sum_before(self, values: Whole | Flags) -> Whole:
        sums = np.append(0, np.cumsum(values, dtype=np.int64))
        before: Whole = sums[self.at] - sums[self.begin]
        return before

    def _count_others(self, part: Whole) -> tuple[Whole, Whole]:
        """Count labels and frauds of a payment's group, without the payment's own part."""
        groups = int(self.group.max()) + 1
        cells = self.group * (_PARTS + 1) + part + 1
        size = groups * (_PARTS + 1)
        is_known = self.known >= 0
        labelled = np.bincount(self.group[is_known], minlength=groups)[self.group]
        frauds = np.bincount(self.group[self.known == FRAUD], minlength=groups)[self.group]
        own = np.bincount(cells[is_known], minlength=size)[cells]
        own_frauds = np.bincount(cells[self.known == FRAUD], minlength=size)[cells]
        return labelled - own, frauds - own_frauds

    def _tell_share(self, labelled: Whole, frauds: Whole) -> list[Whole]:
        share = (frauds + self.share * _PRIOR) / (labelled + _PRIOR)
        return [labelled, frauds, (share * _MILLION).astype(np.int64)]

    def _tell_gap(self, step: int) -> list[Whole]:
        """Tell how far it is to the neighbour of the group, in payments."""
        place = self.at + step
        is_there = (place >= self.begin) & (place < self.end)
        other = self.order[np.clip(place, 0, len(place) - 1)]
        return [self._put_back(np.where(is_there, np.abs(other - self.order), _NOTHING))]

    def _tell_near(self, step: int) -> list[Whole]:
        """Tell the nearest labels of the group before or after, and how far the first is."""
        known = np.flatnonzero(self.is_known)
        seen = np.append(0, np.cumsum(self.is_known))
        nearest = seen[self.at] - 1 if step < 0 else seen[self.at + 1]
        told = []
        for number in range(_NEAR):
            index = nearest + step * number
            place = known[np.clip(index, 0, len(known) - 1)]
            is_there = (index >= 0) & (index < len(known))
            is_there &= (place >= self.begin) & (place < self.end)
            told.append(np.where(is_there, self.is_fraud[place], _NOTHING))
            if number == 0:
                distance = np.abs(self.order[place] - self.order)
                told.append(np.where(is_there, distance, _NOTHING))
        return [self._put_back(each) for each in told]
