"""What a net pass leaves, in this process: columns that the later passes compare, in a fixed order.

Entries stand by their content, so that no pass can see in which order they came; of entries alike
in all of it the one with the smaller row stands first, and passes treat these as interchangeable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
_CODES_MAX = 1 << 62
NO_DAY = -(1 << 40)
"""Of an entry without any date: far from every day."""


class RestSide:
    """One side's entries that a net pass left; by place, in the fixed order."""

    def __init__(self, entries: pa.Table, form: ReferenceForm) -> None:
        """Put prepared entries, with what a net pass says of them, into the fixed order."""
        self._form = form
        # Of one chunk each column is taken much more quickly than of several.
        whole = entries.combine_chunks()
        order = pc.sort_indices(whole, [(name, "ascending") for name in [*CONTENT, ROW]])
        self.entries = whole.take(order)
        self.rows = self._read(ROW)
        self.amounts = self._read(name_key("amount_minor"))
        self.charges = self._read("charges_minor", 0)
        self.days = read_days(self.entries)
        self.classes = _number_runs(self.entries, CONTENT)
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

    def read_keys(self, field: str) -> pa.ChunkedArray:
        """Read the comparable form of a field, or the `root` of references."""
        return self._roots if field == "root" else self.entries.column(name_key(field))

    @cached_property
    def _roots(self) -> pa.ChunkedArray:
        return self._form.write_roots(self.entries.column(CHOSEN))

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


class Rest:
    """Both sides."""

    def __init__(self, left: RestSide, right: RestSide) -> None:
        self.left = left
        self.right = right
        self._codes: dict[tuple[str, str], _Codes] = {}

    def __iter__(self) -> Iterator[RestSide]:
        return iter((self.left, self.right))

    def number(self, names: Sequence[str]) -> list[Ints]:
        """Number entries of both sides from 1 by the comparable forms of these fields."""
        return self._number([self._encode(each, each) for each in names])

    def number_shared(
        self, names: Sequence[str], left: SharedField, right: SharedField
    ) -> list[Ints]:
        """Number entries likewise, also by one field of the left and one of the right side.

        The number is 0 where that field is empty.
        """
        codes = [self._encode(each, each) for each in names]
        texts = self.left.read_keys(left), self.right.read_keys(right)
        codes.append(self._encode(left, right))
        numbers = self._number(codes)
        return [
            np.where(pc.equal(text, "").to_numpy(), 0, each)
            for text, each in zip(texts, numbers, strict=True)
        ]

    def _encode(self, left: str, right: str) -> _Codes:
        """Encode a column of each side, once."""
        if (left, right) not in self._codes:
            columns = self.left.read_keys(left), self.right.read_keys(right)
            self._codes[left, right] = _encode(columns)
        return self._codes[left, right]

    def _number(self, codes: Iterable[_Codes]) -> list[Ints]:
        return list(np.split(_combine(codes, len(self.left) + len(self.right)), [len(self.left)]))


class _Codes(NamedTuple):
    """A column as numbers: from 0, less than `size`; equal ones of equal values."""

    codes: Ints
    size: int


def number(tables: Sequence[pa.Table], names: Sequence[str]) -> list[Ints]:
    """Number the rows of tables from 1: those equal in the named columns get the same number."""
    codes = (_encode([table.column(name) for table in tables]) for name in names)
    ends = np.cumsum([len(each) for each in tables])
    return list(np.split(_combine(codes, int(ends[-1])), ends[:-1]))


def _encode(columns: Sequence[pa.ChunkedArray]) -> _Codes:
    """Encode the values of columns, one after the other."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    encoded = pa.chunked_array(chunks, columns[0].type).combine_chunks().dictionary_encode()
    # Null has no place among the values: it comes before them.
    indices = read_ints(pc.fill_null(encoded.indices.cast(pa.int64()), -1)) + 1
    return _Codes(indices, len(encoded.dictionary) + 1)


def _combine(columns: Iterable[_Codes], count: int) -> Ints:
    """Number rows from 1 by several columns."""
    codes, size = np.zeros(count, np.int64), 1
    for each in columns:
        if size * each.size > _CODES_MAX:
            codes, size = _rank(codes), count
        codes, size = codes * each.size + each.codes, size * each.size
    return _rank(codes) + 1


def _number_runs(table: pa.Table, names: Sequence[str]) -> Ints:
    """Number the rows of a table of one chunk from 1: a row like the one before has its number."""
    is_new = np.zeros(len(table), np.bool_)
    for name in names:
        column = table.column(name).combine_chunks()
        before, this = column.slice(0, max(len(column) - 1, 0)), column.slice(1)
        differs = pc.not_equal(before, this)
        if column.null_count:
            # What is compared with null is null, and yet only null is like it.
            is_one_null = pc.xor(before.is_null(), this.is_null())
            differs = pc.if_else(is_one_null, is_one_null, pc.fill_null(differs, fill_value=False))
        is_new[1:] |= differs.to_numpy(zero_copy_only=False)
    return np.cumsum(is_new) + 1


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
