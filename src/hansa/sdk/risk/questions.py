"""Questions about risk control, each answered from rows of the ledger that a node proves.

Read as those of `hansa.sdk.identity.questions`; by anyone.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from hansa.contracts.risk import in_force, risk
from hansa.contracts.risk.in_force import Basis
from hansa.contracts.risk.risk import Model
from hansa.kernel.rows import Rows
from hansa.kernel.values import Address, Hash, NonNegative
from hansa.sdk.identity.questions import QUESTIONS_MAX


class FoundBasis(NamedTuple):
    """What the ledger says of a model, and of a moment."""

    model: Model | None
    """As it stands now; None where the operator never registered it."""
    bases: tuple[Basis, ...]
    """What was in force at the position."""


class BasisQuestion(msgspec.Struct, frozen=True, array_like=True, tag="basis", gc=False):
    """Where does an operator's model stand, and what was in force at a position?

    The rows on which it rests are those against which a decision is opened.
    """

    operator: Address
    model: Hash
    position: NonNegative
    """height × 2**20 + index of a transaction; the largest there can be, for now."""

    def read(self, rows: Rows) -> FoundBasis:
        """Get the model and the bases."""
        return FoundBasis(
            risk.find_model(rows, self.operator, self.model),
            in_force.find_in_force(rows, self.operator, self.position),
        )


Questions = Annotated[tuple[BasisQuestion, ...], Meta(min_length=1, max_length=QUESTIONS_MAX)]
