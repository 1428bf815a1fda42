"""Proposals that a bank keeps of a case, its own and the other bank's, and how many at most."""

from __future__ import annotations

from hansa.kernel.encoding import encode
from hansa.reconcile.stream.journal import Journal
from hansa.reconcile.stream.proposals import Proposal, decode_proposal

PROPOSALS_MAX = 64
"""Kept of one case."""
RECEIVED_MAX = 32
"""Kept of one case when the next comes from the other bank, so that there is room for one's own."""
CASELESS_MAX = 1_024
"""Kept under an agreement when the next comes from the other bank, for what is no case yet."""
_PREFIX = "proposal/"


def keep_own(journal: Journal, terms: bytes, proposal: Proposal) -> None:
    """Keep a proposal of the bank itself, by its commitment, while there is room."""
    _keep(journal, terms, proposal, PROPOSALS_MAX)


def keep_received(journal: Journal, terms: bytes, proposal: Proposal, *, has_case: bool) -> None:
    """Keep a proposal of the other bank, by its commitment, while there is room.

    It may come before the case is opened; so the other bank could make cases up, without end.
    """
    if has_case or len(journal.list_names(_PREFIX)) < CASELESS_MAX:
        _keep(journal, terms, proposal, RECEIVED_MAX)


def list_kept(journal: Journal, case_id: bytes) -> list[Proposal]:
    """List what was proposed for a case."""
    raws = map(journal.get, journal.list_names(_name(case_id)))
    return [decode_proposal(raw) for raw in raws if raw is not None]


def _keep(journal: Journal, terms: bytes, proposal: Proposal, count_max: int) -> None:
    name = _name(proposal.case_id)
    if len(journal.list_names(name)) < count_max:
        journal.put(name + terms.hex(), encode(proposal))


def _name(case_id: bytes) -> str:
    return f"{_PREFIX}{case_id.hex()}/"
