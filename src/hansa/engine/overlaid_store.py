"""A state store that is only read, with what came since in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hansa.engine.store import StateStore
from hansa.kernel.errors import Corrupt


class OverlaidStore:
    """A store whose changes stay in memory, over one that is read only."""

    def __init__(self, under: StateStore) -> None:
        self._under = under
        self._over: dict[bytes, bytes | None] = {}
        self._pending_height = under.height

    @property
    def height(self) -> int:
        """The height of what lies under it."""
        return self._under.height

    @property
    def pending_height(self) -> int:
        """The height of the last `write`."""
        return self._pending_height

    def get(self, key: bytes) -> bytes | None:
        """The value last written; `None` if there is none."""
        return self._over[key] if key in self._over else self._under.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """One value or `None` per key, in the order of the keys."""
        return [self.get(key) for key in keys]

    def write(self, puts: Mapping[bytes, bytes | None], height: int) -> None:
        """Take the changes up to `height` into memory; `None` deletes."""
        if height <= self._pending_height:
            raise Corrupt(
                f"the store stands at {self._pending_height}, not below {height}", height=height
            )
        self._over.update(puts)
        self._pending_height = height

    def flush(self, *, wait: bool = True) -> None:
        """Keep everything in memory; the disk is another process's."""

    def advance(self, keys: int) -> None:
        """Nothing is left to be done."""

    def iterate_prefix(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values in the order of the keys."""
        fresh = sorted(
            (item for item in self._over.items() if item[0].startswith(prefix)), reverse=True
        )
        for key, value in self._under.iterate_prefix(prefix):
            while fresh and fresh[-1][0] < key:
                added = fresh.pop()
                if added[1] is not None:
                    yield added[0], added[1]
            if key not in self._over:
                yield key, value
        for key, changed in reversed(fresh):
            if changed is not None:
                yield key, changed

    def close(self) -> None:
        """Let go of what lies under it."""
        self._under.close()
