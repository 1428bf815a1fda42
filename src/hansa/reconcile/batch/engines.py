"""Engines that hold more rows than Python can: the same expressions on DuckDB and on Spark.

DuckDB works in this process, within a bound of memory beyond which it uses a folder on the disk;
Spark is for what one machine cannot hold. Both get tables of Parquet files and give such files, or
few rows to this process.

Source: https://ibis-project.org/backends.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.duckdb import Backend as DuckDbBackend
from ibis.expr.types import Table

from hansa.kernel.errors import Unavailable

if TYPE_CHECKING:
    from ibis.backends.pyspark import Backend as SparkBackend

MEMORY_MB = 3_000
QUIET = "SET enable_progress_bar = false"
"""DuckDB writes its bar even where there is no terminal."""
SPARK_MASTER = "SPARK_MASTER"
"""Variable that names the cluster, as `spark://host:7077`."""
PARTS_PER_CORE = 4
_SPARK_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an amount that overflows is an error, not another amount
}


class Engine(Protocol):
    """What passes ask of an engine."""

    def read(self, path: Path) -> Table:
        """Read a Parquet file, or a folder of them, as a table."""

    def add(self, rows: pa.Table) -> Table:
        """Add rows of this process as a table."""

    def keep(self, table: Table) -> Table:
        """Compute a table once, and keep it until it is let go, or the engine is closed."""

    def keep_within(self, table: Table, rows_max: int) -> Table | None:
        """Compute a table once and keep it, unless it has more rows than that."""

    def let_go(self) -> None:
        """Let go of all that is kept or was added: these tables are no more."""

    def write(self, table: Table, path: Path) -> int:
        """Write a table as a Parquet file, or a folder of them; returns how many rows it has."""

    def part(self, table: Table, column: str, folder: Path) -> None:
        """Write a table as a folder of folders, `column=value` for each value of a column."""

    def fetch(self, table: Table) -> pa.Table:
        """Fetch rows into this process, which must have room for them."""


class DuckDb:
    """DuckDB in this process."""

    def __init__(self, connection: DuckDbBackend) -> None:
        self._connection = connection
        self._kept: list[str] = []

    def read(self, path: Path) -> Table:
        """Read a Parquet file, or a folder of them, as a table."""
        return self._connection.read_parquet(str(path))

    def add(self, rows: pa.Table) -> Table:
        """Add rows of this process as a table."""
        # As files are read: an engine forgets that a column has no nulls.
        schema = pa.schema([pa.field(each.name, each.type) for each in rows.schema])
        return self.keep(ibis.memtable(rows.cast(schema)))

    def keep(self, table: Table) -> Table:
        """Compute a table once, and keep it until it is let go, or the engine is closed."""
        name = ibis.util.gen_name("kept")
        self._kept.append(name)
        return self._connection.create_table(name, table, temp=True)

    def keep_within(self, table: Table, rows_max: int) -> Table | None:
        """Compute a table once and keep it, unless it has more rows than that."""
        kept = self.keep(table.limit(rows_max + 1))
        if self.fetch(kept.count().as_table())[0][0].as_py() <= rows_max:
            return kept
        self._drop(self._kept.pop())
        return None

    def let_go(self) -> None:
        """Let go of all that is kept or was added: these tables are no more."""
        for name in self._kept:
            self._drop(name)
        self._kept.clear()

    def _drop(self, name: str) -> None:
        self._connection.raw_sql(f"DROP TABLE {name}")

    def write(self, table: Table, path: Path) -> int:
        """Write a table as a Parquet file; returns how many rows it has."""
        self._connection.to_parquet(table, path, compression="zstd")
        return int(pq.read_metadata(path).num_rows)

    def part(self, table: Table, column: str, folder: Path) -> None:
        """Write a table as a folder of folders, `column=value` for each value of a column."""
        self._connection.to_parquet(table, folder, compression="zstd", partition_by=column)

    def fetch(self, table: Table) -> pa.Table:
        """Fetch rows into this process, which must have room for them."""
        return self._connection.to_pyarrow(table)


@contextmanager
def opened_duckdb(
    folder: Path, *, threads: int | None = None, memory_mb: int = MEMORY_MB
) -> Iterator[DuckDb]:
    """Open DuckDB for a run.

    Args:
      folder: for what does not fit into memory.
      threads: how many cores it takes; all if left out.
      memory_mb: most that it keeps in memory.
    """
    settings = {
        "memory_limit": f"{memory_mb}MB",
        "temp_directory": str(folder),
        "preserve_insertion_order": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if threads is not None:
        settings["threads"] = str(threads)
    connection = ibis.duckdb.connect(":memory:", **settings)
    connection.raw_sql(QUIET)
    try:
        yield DuckDb(connection)
    finally:
        connection.disconnect()


class Spark:
    """Spark, on this machine or on a cluster."""

    def __init__(self, connection: SparkBackend, folder: Path) -> None:
        """Use a folder, which all of the cluster's machines can reach, for what is kept."""
        self._connection = connection
        self._folder = folder
        self._kept: list[Path] = []

    def read(self, path: Path) -> Table:
        """Read a Parquet file, or a folder of them, as a table."""
        # A folder may hold what was written here: folders in their turn.
        return self._connection.read_parquet(str(path), recursiveFileLookup=True)

    def add(self, rows: pa.Table) -> Table:
        """Add rows of this process as a table."""
        path = self._name("rows")
        path.mkdir()
        pq.write_table(rows, path / "rows.parquet")
        return self.read(path)

    def keep(self, table: Table) -> Table:
        """Compute a table once, and keep it in the folder."""
        path = self._name("kept")
        self.write(table, path)
        return self.read(path)

    def keep_within(self, table: Table, rows_max: int) -> Table | None:
        """Compute a table once and keep it, unless it has more rows than that."""
        # Computed twice: what a limit lets through would be written by one of all machines.
        count = self.fetch(table.limit(rows_max + 1).count().as_table())[0][0].as_py()
        return self.keep(table) if count <= rows_max else None

    def _name(self, kind: str) -> Path:
        path: Path = self._folder / ibis.util.gen_name(kind)
        self._kept.append(path)
        return path

    def let_go(self) -> None:
        """Let go of all that is kept or was added: these tables are no more."""
        for path in self._kept:
            shutil.rmtree(path)
        self._kept.clear()

    def write(self, table: Table, path: Path) -> int:
        """Write a table as a folder of Parquet files; returns how many rows it has."""
        self._connection.to_parquet(table, str(path))
        return sum(pq.read_metadata(each).num_rows for each in path.glob("*.parquet"))

    def part(self, table: Table, column: str, folder: Path) -> None:
        """Write a table as a folder of folders, `column=value` for each value of a column."""
        self._connection.to_parquet(table, str(folder), partitionBy=column)

    def fetch(self, table: Table) -> pa.Table:
        """Fetch rows into this process, which must have room for them."""
        return self._connection.to_pyarrow(table)


@contextmanager
def opened_spark(
    folder: Path, *, threads: int | None = None, memory_mb: int = MEMORY_MB
) -> Iterator[Spark]:
    """Open Spark for a run: on this machine, unless `SPARK_MASTER` names a cluster.

    Args:
      folder: for what is kept; on a cluster, one that all its machines can reach.
      threads: how many cores it takes on this machine; all if left out.
      memory_mb: of the program that drives it.

    Raises:
      Unavailable: Spark, or the Java 17 that it needs, is not installed.
    """
    try:
        from pyspark.errors import PySparkRuntimeError  # noqa: PLC0415 - an extra
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError:
        raise Unavailable(
            "Spark is not installed: pip install 'hansa[reconcile,spark]', and Java 17"
        ) from None
    cores = threads or os.cpu_count() or 1
    settings = {**_SPARK_SETTINGS, "spark.driver.memory": f"{memory_mb}m"}
    master = os.environ.get(SPARK_MASTER)
    if not master:
        # A cluster's own number of parts is for many machines.
        settings["spark.sql.shuffle.partitions"] = str(PARTS_PER_CORE * cores)
    builder = SparkSession.builder.appName("hansa reconcile").master(master or f"local[{cores}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise Unavailable(f"Spark does not start; it needs Java 17 or newer: {error}") from None
    try:
        session.sparkContext.setLogLevel("ERROR")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of versions of pandas
            yield Spark(ibis.pyspark.connect(session), folder)
    finally:
        session.stop()
