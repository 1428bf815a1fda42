"""A case as its page shows it: the break, what is proposed, who has signed, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hansa.contracts.reconciliation.cases import Case, Moved, State
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import NotFound
from hansa.kernel.trees.merkle import Digest
from hansa.node.console.reconciliation.breaks import BreakLine, build_ageing, read_break
from hansa.node.console.reconciliation.comparing import FieldLine, compare
from hansa.node.console.reconciliation.pairs import PairLine
from hansa.node.console.reconciliation.steps import Step
from hansa.node.console.reconciliation.words import ACTS
from hansa.node.reconcile.service import PairService
from hansa.reconcile.stream.proposals import Proposal


@dataclass(frozen=True, slots=True)
class ProposalLine:
    """One proposal, in words that only the two banks have."""

    proposal: Proposal
    terms: bytes
    """Commitment to it on the ledger."""
    bank: bytes | None
    """Who proposes it; None if no step that is known names it."""
    is_current: bool
    """Whether it is what stands on the ledger now."""
    is_disputed: bool
    """Whether it is why the case is disputed."""


@dataclass(frozen=True, slots=True)
class Act:
    """What may be done next."""

    text: str
    command: str
    """What an officer of this bank writes behind `hansa pair case`; empty if it is not its turn."""


@dataclass(frozen=True, slots=True)
class CasePage:
    """A break, and its case if there is one."""

    case_id: bytes
    line: BreakLine | None
    """None of a case whose break this node does not have any more."""
    case: Case | None
    fields: tuple[FieldLine, ...]
    proposals: tuple[ProposalLine, ...]
    """What stands first."""
    steps: tuple[Step, ...]
    """The newest first."""
    acts: tuple[Act, ...]
    is_open: bool
    """Whether the break is one as of the last window of which all is known."""


class Asked(NamedTuple):
    """What is asked about a case, and what is known of it already."""

    line: PairLine
    """The agreement."""
    case_id: bytes
    case: Case | None
    """As it stands on the ledger."""
    steps: Sequence[Step]
    """The newest first."""
    today: int
    """Day as of which it is as old as it is, from 1970-01-01."""
    digest: Digest
    """The network's hash."""


def read_case(pairs: PairService, asked: Asked) -> CasePage:
    """Read a break and its case.

    Raises:
      NotFound: there is neither.
    """
    view, case_id, case = asked.line.view, asked.case_id, asked.case
    found = pairs.find_break(view.agreement, case_id)
    if found is None and case is None:
        raise NotFound("this agreement has neither a break nor a case of this name")
    line = None
    if found is not None:
        line = read_break(view.pair, view.place, build_ageing(view.pair, asked.today), found)
    listed = pairs.list_proposals(view.agreement, case_id)
    proposals = [_read_proposal(each, asked) for each in listed]
    is_open = any(each.group.id == case_id for each in asked.line.open)
    return CasePage(
        case_id,
        line,
        case,
        tuple(compare(view.pair.book, line.sides)) if line else (),
        tuple(sorted(proposals, key=lambda each: (not each.is_current, each.terms))),
        tuple(asked.steps),
        tuple(_list_acts(case, pairs.bank, view.agreement, case_id)) if case or is_open else (),
        is_open,
    )


def _read_proposal(proposal: Proposal, asked: Asked) -> ProposalLine:
    case, terms = asked.case, proposal.compute_terms(asked.digest)
    moves = (each.event for each in asked.steps if isinstance(each.event, Moved))
    first = [event.bank for event in moves if event.terms == terms]
    current, disputed = (case.terms, case.disputed) if case else (ZERO_HASH, ZERO_HASH)
    return ProposalLine(
        proposal, terms, first[-1] if first else None, terms == current, terms == disputed
    )


def _list_acts(case: Case | None, bank: bytes, agreement: bytes, case_id: bytes) -> list[Act]:
    """List what may be done next, the step that is missing first."""
    state = State.OPEN if case is None else case.state
    is_proposer = case is not None and case.proposer == bank
    named = f"{agreement.hex()} {case_id.hex()}"
    return [
        Act(text, word.format(named) if word else "")
        for text, word in ACTS.get((state, is_proposer), ())
    ]
