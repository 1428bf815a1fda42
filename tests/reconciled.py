"""Entries of tests as one side of a reconciliation."""

import pyarrow as pa

from hansa.reconcile.entries import NORMALISED, SCHEMA
from hansa.reconcile.readers.parts import build_batch


def make_side(entries):
    """Make a side of entries, numbered in their order."""
    table = pa.Table.from_batches([build_batch(entries)], SCHEMA)
    zeros = pa.array([0] * len(entries), pa.int32())
    rows = pa.array(range(len(entries)), pa.int64())
    return table.append_column("source", zeros).append_column("row", rows).cast(NORMALISED)
