"""Two sides of a bank's books with planted cases, and the truth in a file that no job is given.

Most payments are booked alike on both sides. Of the others each is of one kind:

| kind | left | right |
|---|---|---|
| near | one entry | one, up to 5 minor units or 2 days off, or its reference mangled or missing |
| twin | two of one amount and day | two, a day later, told apart by their references alone |
| missing_left, missing_right | one, or none | none, or one |
| duplicate | one | two alike but for what the bank numbers them by |
| split | one | two to four parts, named by its reference |
| ambiguous | two of one amount and day | one without reference, which may be either |

Some exact ones are equal in all but their reference. Amounts of planted kinds are multiples of 100,
so that only what is planted can be mistaken.

Source: docs/performance.md.
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

import duckdb

from hansa.reconcile.batch.engines import MEMORY_MB, QUIET
from hansa.reconcile.batch.job import Job, SideFiles, run_job

PER_MILLION = {
    "near": 9_600,
    "twin": 400,
    "missing_left": 2_500,
    "missing_right": 2_500,
    "duplicate": 3_000,
    "split": 2_000,
    "ambiguous": 200,
}
"""How many payments of a million are of each kind; the rest is exact."""
EXACT = "exact"
LEFT, RIGHT, TRUTH = "left.parquet", "right.parquet", "truth.parquet"
RULES = """
name = "Planted"
sides = [{name = "ours"}, {name = "theirs", sign = -1}]

[[passes]]
name = "exact"
kind = "net"
on = ["account", "currency", "amount_minor", "value_date", "reference"]

[[passes]]
name = "near"
kind = "tolerance"
on = ["account", "currency"]
amount_minor = 5
days = 2

[[passes]]
name = "split"
kind = "parts"
on = ["account", "currency"]
"""
LABELS = {
    EXACT: [EXACT],
    "near": ["near"],
    "twin": ["near"],
    "missing_left": ["missing_left"],
    "missing_right": ["missing_right"],
    "duplicate": ["duplicate", EXACT],
    "split": ["split"],
    "ambiguous": ["ambiguous"],
}
"""Passes and classes of breaks in which the entries of a case must end."""

_PAYMENTS = """
CREATE TABLE payment AS
WITH drawn AS (
  SELECT i, hash(i, {seed}) % 1000000 AS draw, hash(i, {seed}, 'variant') AS variant,
    -- One in 2,000 has account, amount, sign and day of the payment before it.
    CASE WHEN hash(i, {seed}, 'like') % 2000 = 0 THEN greatest(i - 1, 0) ELSE i END AS origin
  FROM range({count}) AS numbers(i)
), kinds AS (
  SELECT *, CASE {cases} ELSE 'exact' END AS kind FROM drawn
)
SELECT i, kind, variant,
  'DE' || lpad((hash(origin, {seed}, 'account') % 400 * 7919)::VARCHAR, 20, '0') AS account,
  CASE WHEN hash(origin, {seed}, 'sign') % 2 = 0 THEN 1 ELSE -1 END
    * CASE WHEN kind = 'exact' THEN 100 + (hash(origin, {seed}, 'amount') % 5000000)::BIGINT
      ELSE 1000000000 + i * 100 END AS minor,
  DATE '2026-01-01' + (hash(origin, {seed}, 'day') % 90)::INTEGER AS day,
  'E2E' || lpad(to_hex(hash(i, {seed}, 'reference')), 16, '0') AS reference
FROM kinds
"""
_LEFT = """
SELECT i, kind, i * 2 AS one, account, minor, day, reference FROM payment
WHERE kind <> 'missing_left'
UNION ALL SELECT i, kind, CASE WHEN kind = 'twin' THEN i * 2 + 1 ELSE i * 2 END,
  account, minor, day, reference[:-2] || 'Z2' FROM payment WHERE kind IN ('twin', 'ambiguous')
"""
_RIGHT = """
SELECT i, kind, i * 2 AS one, account,
  minor + CASE WHEN kind = 'near' AND variant % 6 IN (0, 4)
    THEN (variant // 8 % 5)::BIGINT + 1 ELSE 0 END AS minor,
  day + CASE WHEN kind = 'near' AND variant % 6 IN (1, 4) THEN (variant // 8 % 2)::INTEGER + 1
    WHEN kind IN ('twin', 'ambiguous') THEN 1 ELSE 0 END AS day,
  CASE WHEN kind = 'ambiguous' OR (kind = 'near' AND variant % 6 = 2) THEN ''
    WHEN kind = 'near' AND variant % 6 = 3 THEN 'REF ' || lower(reference)
    WHEN kind = 'near' AND variant % 6 = 5 THEN reference[:10] ELSE reference END AS reference
FROM payment WHERE kind NOT IN ('missing_right', 'split')
UNION ALL SELECT i, kind, i * 2 + 1, account, minor, day + 1, reference[:-2] || 'Z2' FROM payment
WHERE kind = 'twin'
UNION ALL SELECT i, kind, i * 2, account, minor, day, reference FROM payment
WHERE kind = 'duplicate'
UNION ALL SELECT i, kind, i * 2, account,
  CASE WHEN part = parts THEN minor - minor // parts * (parts - 1) ELSE minor // parts END, day,
  reference || '/' || part
FROM (SELECT *, (2 + variant % 3)::BIGINT AS parts FROM payment WHERE kind = 'split') AS split,
  range(1, 5) AS numbers(part) WHERE part <= parts
"""
_ENTRIES = """
CREATE OR REPLACE TABLE side AS
SELECT *, row_number() OVER () - 1 AS row
FROM (FROM ({select}) ORDER BY hash(one, minor, reference, '{name}'))
"""
_COPY = """
COPY (
  SELECT account, 'EUR' AS currency, {sign} * minor AS amount_minor, day AS booking_date,
    day AS value_date, reference, '{name}' || lpad(row::VARCHAR, 12, '0') AS bank_reference,
    '' AS transaction_id, 'Payer ' || hash(i) % 100000 AS counterparty,
    '' AS counterparty_account, '' AS text, 'PMNT.RCDT.ESCT' AS code, '' AS batch,
    false AS is_reversal, 'booked' AS status, '' AS original_currency,
    NULL::BIGINT AS original_minor, NULL::BIGINT AS charges_minor, 0::INTEGER AS statement,
    row + 1 AS line, 0::INTEGER AS source, row
  FROM side ORDER BY row
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""
_KNOWN = """
INSERT INTO known SELECT {is_left}, row, kind, one FROM side
"""
_GOOD = """
CREATE TABLE good AS
SELECT left_row FROM '{result}/pairs.parquet'
JOIN (FROM '{truth}' WHERE is_left AND kind = 'exact') AS ours ON ours.row = left_row
JOIN (FROM '{truth}' WHERE NOT is_left AND kind = 'exact') AS theirs ON theirs.row = right_row
WHERE ours.one = theirs.one
"""
"""Exact payments that are paired with themselves: most of all, so that the rest is small."""
_COUNT = """
SELECT (SELECT count(*) FROM '{truth}' WHERE is_left AND kind = 'exact'),
  (SELECT count(*) FROM good)
"""
_JUDGE = """
WITH other AS (FROM '{result}/pairs.parquet' ANTI JOIN good USING (left_row)),
told AS (
  SELECT true AS is_left, left_row AS row, 'exact' AS label, 'p' || left_row AS part FROM other
  UNION ALL SELECT false, right_row, 'exact', 'p' || left_row FROM other
  UNION ALL SELECT side = 'ours', row, pass, 'm' || match FROM '{result}/matches.parquet'
  UNION ALL SELECT side = 'ours', row, class, 'b' || break FROM '{result}/breaks.parquet'
), known AS (SELECT * FROM '{truth}' JOIN told USING (is_left, row)),
parts AS (SELECT part, count(DISTINCT one) > 1 AS is_mixed FROM known GROUP BY part),
cases AS (
  SELECT kind, one, list_sort(list_distinct(list(label))) AS labels,
    count(DISTINCT part) AS parts, bool_or(is_mixed) AS is_mixed
  FROM known JOIN parts USING (part) WHERE kind <> 'exact' GROUP BY kind, one
)
SELECT kind, labels, parts, is_mixed, count(*) FROM cases GROUP BY ALL
"""


def plant(count: int, seed: int, folder: Path, truth: Path) -> dict[str, int]:
    """Plant `count` payments; returns how many there are of each kind.

    Args:
      count: of payments, each on both sides as a rule.
      seed: the same seed, the same payments.
      folder: gets both sides, as normalised entries in an order of their own.
      truth: folder for the kind of each entry, and the payment that it is of.
    """
    ends = accumulate(PER_MILLION.values())
    cases = " ".join(
        f"WHEN draw < {end} THEN '{kind}'" for kind, end in zip(PER_MILLION, ends, strict=True)
    )
    with open_engine(folder) as engine:
        engine.execute(_PAYMENTS.format(seed=seed, count=count, cases=cases))
        engine.execute("CREATE TABLE known (is_left BOOLEAN, row BIGINT, kind VARCHAR, one BIGINT)")
        for is_left, select, name, sign in ((True, _LEFT, LEFT, 1), (False, _RIGHT, RIGHT, -1)):
            engine.execute(_ENTRIES.format(select=select, name=name))
            engine.execute(_COPY.format(sign=sign, name=name[0].upper(), path=folder / name))
            engine.execute(_KNOWN.format(is_left=is_left))
        engine.execute(f"COPY known TO '{truth / TRUTH}' (FORMAT parquet)")
        found = engine.execute("SELECT kind, count(*) FROM payment GROUP BY kind").fetchall()
    return dict(sorted(found))


def reconcile_planted(folder: Path) -> None:
    """Reconcile both sides that are in a folder by `RULES`, into its folder `out`."""
    rules = folder / "rules.toml"
    rules.write_text(RULES)
    left, right = (SideFiles((folder / each,)) for each in (LEFT, RIGHT))
    run_job(Job(left, right, rules, with_report=False), folder / "out")


def judge(result: Path, folder: Path, truth: Path) -> dict[str, Any]:
    """Judge a result by the truth.

    Returns:
      `planted`: of each kind, how many cases there are, and how many ended as they must; `wrong`:
      how many did not, or hold entries of others.
    """
    places = {"result": result, "truth": truth / TRUTH}
    with open_engine(folder) as engine:
        engine.execute(_GOOD.format(**places))
        ((exact, good),) = engine.execute(_COUNT.format(**places)).fetchall()
        told = engine.execute(_JUDGE.format(**places)).fetchall()
    planted = {EXACT: {"planted": exact, "found": good}}
    wrong = exact - good
    for kind, labels, parts, is_mixed, count in told:
        each = planted.setdefault(kind, {"planted": 0, "found": 0})
        each["planted"] += count
        if labels == LABELS[kind] and parts == len(labels) and not is_mixed:
            each["found"] += count
        else:
            wrong += count
    return {"planted": dict(sorted(planted.items())), "wrong": wrong}


def open_engine(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with as much memory as a job gives it, and a folder for the rest."""
    engine = duckdb.connect(
        config={"memory_limit": f"{MEMORY_MB}MB", "temp_directory": str(folder / ".work")}
    )
    engine.execute(QUIET)
    return engine
