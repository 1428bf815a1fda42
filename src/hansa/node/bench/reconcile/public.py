"""A public data set of payments seen from two sides, reconciled whole and judged by its truth.

The job gets neither the truth nor the identifier, which is the same on both sides of a true pair;
rows are shuffled. Amounts are doubles of pounds, all of whole pence; dates are days; texts are cut
off after 15 letters. There is no account and no currency: the mapping writes one account and GBP.

Source: transactions_origin and transactions_destination of Splink's data sets, MIT,
https://github.com/moj-analytical-services/splink_datasets; precision, recall and F1 as its
documentation defines them, by pairs.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from hansa.node.bench.apart import measure_apart
from hansa.reconcile.batch.job import Job, SideFiles, run_job
from hansa.reconcile.batch.results import MATCHES, PAIRS
from hansa.reconcile.matching.arrays import Ints
from hansa.reconcile.readers.opening import Reading
from hansa.reconcile.readers.tables.mapping import parse_mapping

FOLDER = Path("recon", "splink_transactions")
SIDES = ("origin", "destination")
TRUTH = "ground_truth"
HIDDEN = (TRUTH, "unique_id")
MAPPING = b"""
columns = {value_date = "transaction_date", amount = "amount", text = "memo"}
constants = {account = "all", currency = "GBP"}
"""
RULES = """
name = "Payments seen from two sides"
sides = [{name = "origin"}, {name = "destination"}]
references = {fields = ["text"]}

[[passes]]
name = "exact"
kind = "net"
on = ["currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "evidence"
kind = "score"
on = ["currency"]
days_before = 3
days_after = 31
threshold_millibits = -5000             # nearly every entry has a partner
compare = [
  {field = "amount_minor"},
  {field = "date"},
  {field = "text"},
  {field = "text", measure = "beginning"},
]
"""


class Scored(NamedTuple):
    """How well the pairs that were told agree with the true ones."""

    precision: float
    """Of the pairs that were told, how many are true."""
    recall: float
    """Of the true pairs, how many were told."""
    f1: float
    """Twice the product of both by their sum."""
    seconds: float
    """Of the whole job."""


def score_public(datasets: Path, seed: int, folder: Path, rules: str = RULES) -> Scored | None:
    """Reconcile the data set, in a process of its own, and score the result; None if it is absent.

    Args:
      datasets: folder that may have it.
      seed: by which rows are shuffled.
      folder: an empty one, for what is made.
      rules: rule file of the job.
    """
    files = [datasets / FOLDER / f"transactions_{each}.parquet" for each in SIDES]
    if not all(each.is_file() for each in files):
        return None
    source = np.random.default_rng(seed)
    truth = [
        _hide(file, source, folder / f"{name}.parquet")
        for file, name in zip(files, SIDES, strict=True)
    ]
    (folder / "rules.toml").write_text(rules)
    job = measure_apart(_reconcile, folder)
    left, right = _read_pairs(folder / "out")
    true = int((truth[0][left] == truth[1][right]).sum())
    precision = true / max(left.size, 1)
    recall = true / np.intersect1d(truth[0], truth[1]).size
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return Scored(precision, recall, f1, job.seconds)


def _hide(file: Path, source: np.random.Generator, path: Path) -> Ints:
    """Write a side with its rows shuffled and without what would tell the truth; returns that."""
    table = pq.read_table(file)
    table = table.take(source.permutation(table.num_rows))
    pq.write_table(table.drop_columns(list(HIDDEN)), path)
    truth: Ints = table[TRUTH].to_numpy().astype(np.int64)
    return truth


def _reconcile(folder: Path) -> None:
    reading = Reading(parse_mapping(MAPPING, "mapping"))
    left, right = (SideFiles((folder / f"{each}.parquet",), reading) for each in SIDES)
    run_job(Job(left, right, folder / "rules.toml"), folder / "out")


def _read_pairs(result: Path) -> tuple[Ints, Ints]:
    """Read the rows of all pairs that a result tells."""
    pairs = pq.read_table(result / PAIRS)
    matches = pq.read_table(result / MATCHES, columns=["match", "side", "row"])
    sides = matches["side"].to_numpy()
    rows, numbers = matches["row"].to_numpy(), matches["match"].to_numpy()
    ours, theirs = (
        rows[sides == side][np.argsort(numbers[sides == side], kind="stable")] for side in SIDES
    )
    return (
        np.concatenate([pairs["left_row"].to_numpy(), ours]).astype(np.int64),
        np.concatenate([pairs["right_row"].to_numpy(), theirs]).astype(np.int64),
    )
