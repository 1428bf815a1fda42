"""A state store on the simulated disk: what is left of it after a crash is any of its flushes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.simulation.disk import SimulatedDisk, Table

from hansa.engine.store import NOTHING
from hansa.kernel.errors import Corrupt, Unavailable


class SimulatedStore:
    """Implements `hansa.engine.store.Store` as `StateStore` does, in one thread.

    A flush that nobody waits for ends at the next one, or by chance at a later write or step.
    """

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._rows: dict[bytes, bytes] = {}
        self._changed: dict[bytes, bytes | None] = {}
        self._flushing: Table | None = None
        self._failure: Unavailable | None = None
        self.height = self.pending_height = NOTHING
        for table in disk.tables:
            self._apply(table.rows)
            self.height = self.pending_height = table.height

    def get(self, key: bytes) -> bytes | None:
        return self._rows.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self._rows.get(key) for key in keys]

    def write(self, puts: Mapping[bytes, bytes | None], height: int) -> None:
        self._require_usable()
        if height <= self.pending_height:
            raise Corrupt(f"height {height} was to be written after {self.pending_height}")
        self._apply(puts)
        self._changed.update(puts)
        self.pending_height = height
        if self._disk.random.random() < 0.5:
            self._finish()

    def flush(self, *, wait: bool = True) -> None:
        self._require_usable()
        self._finish()
        self._require_usable()
        if self.pending_height > self.height:
            changed, self._changed = self._changed, {}
            self._flushing = Table(self.pending_height, changed)
            self._disk.step("flush begins", lambda: None)
            if wait:
                self._finish()
                self._require_usable()

    def fill(self, puts: Mapping[bytes, bytes | None]) -> None:
        self._require_usable()
        self._disk.step("fill", lambda: self._disk.tables.append(Table(self.height, dict(puts))))
        self._apply(puts)

    def advance(self, keys: int) -> None:
        if self._flushing is not None and self._disk.random.random() < 0.2:
            self._finish()

    def iterate_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted(item for item in self._rows.items() if item[0].startswith(prefix)))

    def close(self) -> None:
        self._finish()

    def put_table(self, table: Table) -> None:
        """Put a flush on the disk in one step."""
        self._disk.step(f"flush {table.height}", lambda: self._disk.tables.append(table))

    def _finish(self) -> None:
        table, self._flushing = self._flushing, None
        if table is None:
            return
        if self._disk.free_bytes() <= 0:
            self._failure = self._disk.refuse("the state store")
            return
        self.put_table(table)
        self.height = table.height

    def _require_usable(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _apply(self, puts: Mapping[bytes, bytes | None]) -> None:
        for key, value in puts.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
