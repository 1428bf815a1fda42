"""Engines that hold more rows than Python can: the same expressions on DuckDB and on Spark.

DuckDB works in this process, within a bound of memory beyond which it uses a folder on the disk;
Spark is for what one machine cannot hold. Both get tables of Parquet files and give such files, or
few rows to this process.

Source: https://ibis-project.org/backends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend as DuckDbBackend
from ibis.expr.types import Table

MEMORY_MB = 3_000


class Engine(Protocol):
    """What passes ask of an engine."""

    def read(self, path: Path) -> Table:
        """Read a Parquet file, or a folder of them, as a table."""

    def add(self, rows: pa.Table) -> Table:
        """Add rows of this process as a table."""

    def keep(self, table: Table) -> Table:
        """Compute a table once, and keep it until the engine is closed."""

    def write(self, table: Table, path: Path) -> None:
        """Write a table as a Parquet file, or a folder of them."""

    def fetch(self, table: Table) -> pa.Table:
        """Fetch rows into this process, which must have room for them."""


class DuckDb:
    """DuckDB in this process."""

    def __init__(self, connection: DuckDbBackend) -> None:
        self._connection = connection

    def read(self, path: Path) -> Table:
        """Read a Parquet file, or a folder of them, as a table."""
        return self._connection.read_parquet(str(path))

    def add(self, rows: pa.Table) -> Table:
        """Add rows of this process as a table."""
        # As files are read: an engine forgets that a column has no nulls.
        schema = pa.schema([pa.field(each.name, each.type) for each in rows.schema])
        return self.keep(ibis.memtable(rows.cast(schema)))

    def keep(self, table: Table) -> Table:
        """Compute a table once, and keep it until the engine is closed."""
        return self._connection.create_table(ibis.util.gen_name("kept"), table, temp=True)

    def write(self, table: Table, path: Path) -> None:
        """Write a table as a Parquet file."""
        self._connection.to_parquet(table, path, compression="zstd")

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
    try:
        yield DuckDb(connection)
    finally:
        connection.disconnect()
