"""Questions about reconciliation, each answered from rows of the ledger that a node proves.

Read as those of `hansa.sdk.identity.questions`; for the parties of an agreement, and for who may
read the whole ledger.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from hansa.contracts.reconciliation import agreements, cases, positions, windows
from hansa.contracts.reconciliation.agreements import Agreement
from hansa.contracts.reconciliation.cases import Case
from hansa.contracts.reconciliation.positions import Position
from hansa.contracts.reconciliation.windows import Progress, Tag, TagCount, Window, WindowNumber
from hansa.kernel.rows import Rows
from hansa.kernel.values import AssetCode, Hash
from hansa.sdk.identity.questions import QUESTIONS_MAX


class FoundAgreement(NamedTuple):
    """What the ledger says of an agreement; None where it says nothing."""

    row: Agreement | None
    progress: Progress | None
    """How far both parties are."""


class _Asked(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A question as it travels: an array that begins with its tag."""

    agreement: Hash


class AgreementQuestion(_Asked, frozen=True, array_like=True, tag="agreement"):
    """What do two parties agree on, and how far are they?"""

    def read(self, rows: Rows) -> FoundAgreement:
        """Get the agreement and its progress."""
        row = agreements.find_agreement(rows, self.agreement)
        return FoundAgreement(row, windows.find_progress(rows, self.agreement))


class WindowQuestion(_Asked, frozen=True, array_like=True, tag="window"):
    """What was posted in a window, and what did both state?"""

    window: WindowNumber

    def read(self, rows: Rows) -> Window | None:
        """Get the window's figures."""
        return windows.find_window(rows, self.agreement, self.window)


class TagQuestion(_Asked, frozen=True, array_like=True, tag="tag"):
    """What did both post under a tag?"""

    window: WindowNumber
    tag: Tag

    def read(self, rows: Rows) -> TagCount | None:
        """Get both counts, with the chains of commitments."""
        return windows.find_tag(rows, self.agreement, self.window, self.tag)


class CaseQuestion(_Asked, frozen=True, array_like=True, tag="case"):
    """Where does a case stand?"""

    case_id: Hash

    def read(self, rows: Rows) -> Case | None:
        """Get the case."""
        return cases.find_case(rows, self.agreement, self.case_id)


class PositionQuestion(_Asked, frozen=True, array_like=True, tag="position"):
    """What net position did both sign?"""

    window: WindowNumber
    asset: AssetCode

    def read(self, rows: Rows) -> Position | None:
        """Get the position."""
        return positions.find_position(rows, self.agreement, self.window, self.asset)


AnyQuestion = AgreementQuestion | WindowQuestion | TagQuestion | CaseQuestion | PositionQuestion

Questions = Annotated[tuple[AnyQuestion, ...], Meta(min_length=1, max_length=QUESTIONS_MAX)]
