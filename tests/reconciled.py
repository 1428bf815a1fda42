"""Entries of tests as one side of a reconciliation."""

import pyarrow as pa
import pyarrow.parquet as pq

from hansa.reconcile.batch.job import Job, SideFiles, run_job
from hansa.reconcile.entries import NORMALISED, SCHEMA
from hansa.reconcile.readers.parts import build_batch


def make_side(entries):
    """Make a side of entries, numbered in their order."""
    table = pa.Table.from_batches([build_batch(entries)], SCHEMA)
    zeros = pa.array([0] * len(entries), pa.int32())
    rows = pa.array(range(len(entries)), pa.int64())
    return table.append_column("source", zeros).append_column("row", rows).cast(NORMALISED)


RULES = r"""
name = "Nostro <b>& vostro</b> \u202e"
sides = [{name = "books"}, {name = "bank", sign = -1}]

[breaks]
ageing_days = [1, 5]
priorities = [{priority = 1, over_minor = 5_000_00}, {priority = 2, over_days = 6}]

[[passes]]
name = "exact"
kind = "net"
on = ["currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "near"
kind = "tolerance"
on = ["currency"]
amount_minor = 5
days = 3
"""
"""What comes in on the first side goes out on the second."""


def run_sides(folder, left, right, *, rules=RULES, **more):
    """Run a job over entries of two sides; gives the folder with its result."""
    (folder / "rules.toml").write_text(rules)
    sides = []
    for name, entries in (("left", left), ("right", right)):
        pq.write_table(make_side(entries), folder / f"{name}.parquet")
        sides.append(SideFiles((folder / f"{name}.parquet",)))
    run_job(Job(*sides, folder / "rules.toml", threads=1, **more), folder / "out")
    return folder / "out"
