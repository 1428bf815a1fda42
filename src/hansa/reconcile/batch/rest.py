"""What a net pass leaves, in this process: columns that the later passes compare, in a fixed order.

Entries stand by their content, so that no pass can see in which order they came; of entries alike
in all of it the one with the smaller row stands first, and passes treat these as interchangeable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hansa.reconcile.batch.preparing import CHOSEN, NUMBERING, ROW, name_key
from hansa.reconcile.entries import NORMALISED, SCHEMA
from hansa.reconcile.matching.arrays import AMOUNT_MAX, Bools, Ints
from hansa.reconcile.rules.references import ReferenceForm

CONTENT = [name for name in SCHEMA.names if name not in NUMBERING]
"""Fields of which two entries must differ in one, to be told apart."""
SharedField = Literal["root", "reference", "batch"]
_SHARED = "shared"
_CODES_MAX = 1 << 62
NO_DAY = -(1 << 40)
"""Of an entry without any date: far from every day."""


class RestSide:
    """One side's entries that a net pass left; by place, in the fixed order."""

    def __init__(self, entries: pa.Table, form: ReferenceForm) -> None:
        """Put prepared entries, with what a net pass says of them, into the fixed order."""
        self._form = form
        order = [(name, "ascending") for name in [*CONTENT, ROW]]
        self.entries = entries.sort_by(order).combine_chunks()
        self.rows = self._read(ROW)
        self.amounts = self._read(name_key("amount_minor"))
        self.charges = self._read("charges_minor", 0)
        self.days = read_days(self.entries)
        self.classes = number([self.entries], CONTENT)[0]
        """Of interchangeable entries, the same number."""
        self.is_unmatched: Bools = np.ones(len(self), np.bool_)
        self._is_usable: Bools = np.abs(self.amounts) <= AMOUNT_MAX
        references = self.entries.column(name_key("reference"))
        self.has_reference: Bools = pc.not_equal(references, "").to_numpy()

    def __len__(self) -> int:
        return len(self.rows)

    def _read(self, name: str, missing: int | None = None) -> Ints:
        column = self.entries.column(name)
        return read_ints(column if missing is None else pc.fill_null(column, missing))

    def read_currency(self, place: int) -> str:
        """Read the currency of an entry."""
        return str(self.entries.column("currency")[place].as_py())

    def read_currencies(self, places: Ints) -> list[str]:
        """Read the currencies of entries."""
        currencies: list[str] = self.entries.column("currency").take(places).to_pylist()
        return currencies

    def read_shared(self, field: SharedField) -> pa.ChunkedArray:
        """Read by what several entries say that they belong together."""
        return self._roots if field == "root" else self.entries.column(name_key(field))

    @cached_property
    def _roots(self) -> pa.ChunkedArray:
        chosen = self.entries.column(CHOSEN).combine_chunks()
        is_parted = pa.array(np.zeros(len(self), np.bool_))
        for each in self._form.separators:
            is_parted = pc.or_(is_parted, pc.match_substring(chosen, each))
        # Of a reference without parts the root is itself, which the engine has written already.
        roots = map(self._form.write_root, chosen.filter(is_parted).to_pylist())
        whole = self.entries.column(name_key("reference")).combine_chunks()
        found = pc.replace_with_mask(whole, is_parted, pa.array(list(roots), pa.string()))
        return pa.chunked_array([found])

    @property
    def is_open(self) -> Bools:
        """Which entries a pass may match: amounts too large to add up stay breaks."""
        return self.is_unmatched & self._is_usable

    def find_open(self) -> Ints:
        """Find the places of entries that are open."""
        return np.flatnonzero(self.is_open)

    def take_open(self) -> pa.Table:
        """Take what nothing has matched, by `NORMALISED`, as it was before it was prepared."""
        left = self.entries.filter(pa.array(self.is_unmatched))
        return left.select(NORMALISED.names).cast(NORMALISED)

    def close(self, places: Iterable[int]) -> None:
        """Close entries that a pass has matched."""
        self.is_unmatched[list(places)] = False


class Rest(NamedTuple):
    """Both sides."""

    left: RestSide
    right: RestSide

    def number(self, names: Sequence[str]) -> list[Ints]:
        """Number entries of both sides from 1 by the comparable forms of these fields."""
        keys = [name_key(each) for each in names]
        return number([self.left.entries, self.right.entries], keys)

    def number_shared(
        self, names: Sequence[str], left: SharedField, right: SharedField
    ) -> list[Ints]:
        """Number entries likewise, also by one field of the left and one of the right side.

        The number is 0 where that field is empty.
        """
        keys = [name_key(each) for each in names]
        texts = self.left.read_shared(left), self.right.read_shared(right)
        tables = [
            side.entries.select(keys).append_column(_SHARED, text)
            for side, text in zip((self.left, self.right), texts, strict=True)
        ]
        numbers = number(tables, [*keys, _SHARED])
        return [
            np.where(pc.equal(text, "").to_numpy(), 0, each)
            for text, each in zip(texts, numbers, strict=True)
        ]


def number(tables: Sequence[pa.Table], names: Sequence[str]) -> list[Ints]:
    """Number the rows of tables from 1: those equal in the named columns get the same number."""
    codes = np.zeros(sum(len(each) for each in tables), np.int64)
    size = 1
    for name in names:
        chunks = [chunk for table in tables for chunk in table.column(name).chunks]
        column = pa.chunked_array(chunks, tables[0].schema.field(name).type).combine_chunks()
        encoded = column.dictionary_encode()
        # Null has no place among the values: it comes before them.
        indices = read_ints(pc.fill_null(encoded.indices.cast(pa.int64()), -1)) + 1
        values = len(encoded.dictionary) + 1
        if size * values > _CODES_MAX:
            codes, size = _rank(codes), len(codes)
        codes, size = codes * values + indices, size * values
    codes = _rank(codes)
    ends = np.cumsum([len(each) for each in tables])[:-1]
    return list(np.split(codes + 1, ends))


def _rank(codes: Ints) -> Ints:
    """Number codes from 0, in their order; it takes a sort, so only once they become too large."""
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def read_ints(column: pa.ChunkedArray | pa.Array) -> Ints:
    """Read a column of whole numbers that has no nulls."""
    numbers: Ints = column.to_numpy().astype(np.int64)
    return numbers


def read_days(entries: pa.Table) -> Ints:
    """Read value dates as days, booking dates where there is none, `NO_DAY` without both."""
    date = pc.coalesce(entries.column("value_date"), entries.column("booking_date"))
    return read_ints(pc.fill_null(date.cast(pa.int32()).cast(pa.int64()), NO_DAY))
