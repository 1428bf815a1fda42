"""References made comparable: as text, and as the same expression over a column.

All is about ASCII alone, so that every engine does the same; other letters stay as they are.

Source: docs/reference/reconciliation-rules.md, "References".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hansa.reconcile.rules.book import References

if TYPE_CHECKING:  # loads slowly, and whoever has few rows needs no engine
    from ibis.expr.types import StringValue

_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
_TO_UPPER = str.maketrans(_LOWER, _UPPER)
_SIGNS = r"[\x00-/:-@\[-`{-\x7f]+"
_ZEROS = "^0+"


class Step(NamedTuple):
    """What one pattern finds is left out; the patterns mean the same in RE2, Java and Python."""

    pattern: str


class ReferenceForm:
    """How references are made comparable."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._steps = list(self._list_steps())
        self._empty = [self._change(each) for each in references.empty]

    @property
    def separators(self) -> Sequence[str]:
        """What may stand between a root and the part that follows it."""
        return self._references.separators

    def _list_steps(self) -> list[Step]:
        asked = self._references
        steps = []
        if asked.prefixes:
            prefixes = "|".join(map(re.escape, asked.prefixes))
            prefixes = prefixes.translate(_TO_UPPER) if asked.ignore_case else prefixes
            steps.append(Step(f"^(?:{prefixes})"))
        if asked.letters_and_digits:
            steps.append(Step(_SIGNS))
        if asked.no_leading_zeros:
            steps.append(Step(_ZEROS))
        return steps

    def write(self, text: str) -> str:
        """Write a reference as it is compared.

        Example:
          >>> asked = References(ignore_case=True, prefixes=("EREF+",), empty=("NONREF",))
          >>> form = ReferenceForm(asked)
          >>> form.write("eref+Inv 7"), form.write("nonref")
          ('INV 7', '')
        """
        changed = self._change(text)
        return "" if changed in self._empty else changed

    def write_root(self, text: str) -> str:
        """Write what the parts of one payment share: all before the last separator.

        Example:
          >>> ReferenceForm(References(no_leading_zeros=True)).write_root("0042/2")
          '42'
        """
        return self.write(self._cut(text))

    def write_roots(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Write `write_root` of each text of a column."""
        separators = re.escape(self._references.separators)
        if separators:
            last = f"(?s)^(.+)[{separators}][^{separators}]*$"
            column = pc.replace_substring_regex(column, last, r"\1")
        if self._references.ignore_case:
            column = pc.ascii_upper(column)
        for step in self._steps:
            column = pc.replace_substring_regex(column, step.pattern, "")
        if self._empty:
            is_empty = pc.is_in(column, pa.array(self._empty, pa.string()))
            column = pc.if_else(is_empty, "", column)
        return column

    def _change(self, text: str) -> str:
        if self._references.ignore_case:
            text = text.translate(_TO_UPPER)
        return reduce(lambda left, step: re.sub(step.pattern, "", left), self._steps, text)

    def _cut(self, text: str) -> str:
        at = max((text.rfind(each) for each in self._references.separators), default=-1)
        return text if at <= 0 else text[:at]

    def express(self, column: StringValue) -> StringValue:
        """Express `write` over a column."""
        changed = column.translate(_LOWER, _UPPER) if self._references.ignore_case else column
        for step in self._steps:
            changed = changed.re_replace(step.pattern, "")
        if self._empty:
            changed = changed.isin(self._empty).ifelse("", changed)
        return changed
