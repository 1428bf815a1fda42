"""The planted payments by others' software: a program that runs in an environment of theirs.

    python program.py datacompy|splink LEFT RIGHT PAIRS

It writes the rows of all pairs as Parquet, and prints what that took. Nothing of Hansa is imported,
as nothing of it is installed there. Settings are our choice: all fields that our rules use are
given, amounts of the right side turned.

**datacompy**: Polars, its faster half; joined on account, currency and reference, the one key that
tells payments apart; tolerances of 5 minor units and 2 days, as in our rules (days are numbers, for
which alone it has tolerances); case and blanks do not count. A pair is two rows that were joined
and agree in all columns. Copies of a row are joined one by one, and what is left over stays single.

**Splink**: DuckDB, with the memory and threads it takes by itself; references in capitals without
marks, an empty one is none. Candidates have one account and amount, or references that begin with
the same 10 letters: all planted pairs are among them. Compared are the amount (equal, 5 minor units
apart), the day (equal, 2 days apart), the reference (equal, alike by Jaro-Winkler at 0.95 and 0.85)
and the account. How likely a pair is at all comes from equal references and amounts, *u* from ten
million pairs at random, *m* by expectation maximisation, once where references are equal and once
where account and amount are. Pairs of 0.5 and more become clusters by single best links, with one
row of the left side at most, several of the right where a payment was split, and none in a tie.

Source: docs/performance.md, "Reconciliation beside others"; Splink's documentation, "Getting
started" and "Clustering"; datacompy's, "Polars usage".
"""

from __future__ import annotations

import json
import logging
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

KEYS = ["account", "currency", "reference"]
AMOUNT_MINOR, DAYS = 5, 2
"""Tolerances."""
SEED = 1
PAIRS_AT_RANDOM = 1e7
"""Ten times what Splink takes by itself, with which the pairs it finds depend on the seed."""
RECALL = 0.95
"""Of pairs, how many have the same reference and amount: Splink asks for a guess."""
PROBABILITY_MIN = 0.5
_SIDE = """
CREATE TABLE {name} AS SELECT row AS unique_id, account, {sign} * amount_minor AS amount_minor,
  value_date,
  nullif(upper(regexp_replace(reference, '[^A-Za-z0-9/]', '', 'g')), '') AS reference
FROM '{path}'
"""
_PAIRS = """
COPY (
  SELECT ours.unique_id AS left_row, theirs.unique_id AS right_row
  FROM {clusters} AS ours JOIN {clusters} AS theirs USING (cluster_id)
  WHERE ours.source_dataset = 'ours' AND theirs.source_dataset = 'theirs'
) TO '{pairs}' (FORMAT parquet)
"""


def join_by_datacompy(left: str, right: str, pairs: str) -> None:
    """Join two files of entries by datacompy, and write the rows of all pairs."""
    polars = import_module("polars")
    tolerances = {"amount_minor": AMOUNT_MINOR, "value_date": DAYS}
    sides = []
    for path, name, sign in ((left, "left_row", 1), (right, "right_row", -1)):
        table = polars.read_parquet(path, columns=[*KEYS, *tolerances, "row"])
        amount = polars.col("amount_minor") * sign
        day = polars.col("value_date").to_physical()
        sides.append(table.with_columns(amount, day).rename({"row": name}))
    compare = import_module("datacompy").PolarsCompare
    found = compare(*sides, KEYS, abs_tol=tolerances, ignore_spaces=True, ignore_case=True)
    agrees = polars.all_horizontal([f"{name}_match" for name in tolerances])
    # What one side alone has is named after that side, too.
    rows = {"left_row": "left_row_df1", "right_row": "right_row_df2"}
    found.intersect_rows.filter(agrees).select(
        [polars.col(theirs).alias(name) for name, theirs in rows.items()]
    ).write_parquet(pairs)


def link_by_splink(left: str, right: str, pairs: str) -> None:
    """Link two files of entries by Splink, and write the rows of all pairs."""
    splink = import_module("splink")
    connection = import_module("duckdb").connect()
    for name, path, sign in (("ours", left, 1), ("theirs", right, -1)):
        connection.execute(_SIDE.format(name=name, path=path, sign=sign))
    engine = splink.DuckDBAPI(connection)
    sides = [engine.register(name, dataset_display_name=name) for name in ("ours", "theirs")]
    same_amount = splink.block_on("account", "amount_minor")
    settings = splink.SettingsCreator(
        link_type="link_only",
        comparisons=_list_comparisons(),
        blocking_rules_to_generate_predictions=[
            splink.block_on("substr(reference, 1, 10)"),
            same_amount,
        ],
        retain_matching_columns=False,
    )
    linker = splink.Linker(sides, settings, log_level=logging.ERROR)
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [splink.block_on("reference", "amount_minor")], recall=RECALL
    )
    training.estimate_u_using_random_sampling(max_pairs=PAIRS_AT_RANDOM, seed=SEED)
    for rule in (splink.block_on("reference"), same_amount):
        training.estimate_parameters_using_expectation_maximisation(rule)
    predicted = linker.inference.predict(threshold_match_probability=PROBABILITY_MIN)
    clusters = linker.clustering.cluster_using_single_best_links(
        predicted,
        duplicate_free_datasets=["ours"],
        threshold_match_probability=PROBABILITY_MIN,
        ties_method="drop",
    )
    connection.execute(_PAIRS.format(clusters=clusters.physical_name, pairs=pairs))


def _list_comparisons() -> list[Any]:
    comparison = import_module("splink.comparison_library")
    level = import_module("splink.comparison_level_library")
    amount = comparison.CustomComparison(
        output_column_name="amount_minor",
        comparison_levels=[
            level.NullLevel("amount_minor"),
            level.ExactMatchLevel("amount_minor"),
            level.AbsoluteDifferenceLevel("amount_minor", AMOUNT_MINOR),
            level.ElseLevel(),
        ],
    )
    day = comparison.AbsoluteDateDifferenceAtThresholds(
        "value_date", input_is_string=False, metrics="day", thresholds=DAYS
    )
    return [
        amount,
        day,
        comparison.JaroWinklerAtThresholds("reference", [0.95, 0.85]),
        comparison.ExactMatch("account"),
    ]


PEERS = {"datacompy": join_by_datacompy, "splink": link_by_splink}


def main(name: str, left: str, right: str, pairs: str) -> None:
    """Run one of them, and print its version, the seconds and the peak of memory as JSON."""
    import_module(name)
    begun = time.monotonic()
    PEERS[name](left, right, pairs)
    seconds = time.monotonic() - begun
    status = Path("/proc/self/status").read_text()
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    told = {"version": version(name), "seconds": seconds, "peak_bytes": int(peak) << 10}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
