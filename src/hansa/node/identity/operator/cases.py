"""Cases: what became of each request to lift a wallet, from the question to the lift's end.

A case is noted before anything is done about it, so that it does not matter after which step the
process is killed. What was shown stays in it, encrypted, for an auditor.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

from hansa.contracts.identity.tiers import Reason
from hansa.contracts.wallets import Category
from hansa.kernel.errors import NotFound
from hansa.node.identity.records import RecordFile

_KIND, _LIFTING = 1, 2
"""Of records: cases by their sessions; by wallets, the session of the case that lifts each."""
_NUMBER_BYTES = 7


class State(StrEnum):
    """Where a case stands."""

    ASKED = "asked"
    WANTED = "wanted"
    """Shown and accepted; the ledger is to lift the wallet."""
    LIFTED = "lifted"
    ENDING = "ending"
    """The ledger is to lower the wallet."""
    ENDED = "ended"
    REFUSED = "refused"
    """By the ledger, or it was too late."""


OPEN = frozenset({State.WANTED, State.ENDING})
"""In which something is to be brought to the ledger."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet that was asked to be lifted."""

    session_id: str
    wallet: str
    category: Category
    hash: str
    """The network's, by name."""
    asked_ms: int
    presented_until_ms: int
    state: State = State.ASKED
    presentation: str = ""
    nullifier: str = ""
    until_ms: int = 0
    issuer: str = ""
    status_uri: str = ""
    """Empty if the credential cannot be revoked."""
    status_index: int = 0
    checked_ms: int = 0
    """When the status was read last."""
    reason: Reason = Reason.REQUESTED
    """Of an end."""
    envelope: str = ""
    """Of the transaction that is under way, hexadecimal; empty for none."""
    tx_id: str = ""
    """Of that."""
    raised_tx_id: str = ""
    """Of the transaction that lifted the wallet."""
    why: str = ""
    """What is to be told, in words."""


class Cases:
    """The cases in one file of records."""

    def __init__(self, records: RecordFile) -> None:
        self._records = records

    def add(self, case: Case) -> None:
        """Note a new case."""
        self._put(case)

    def find(self, session_id: str) -> Case | None:
        """Find the case of a session."""
        raw = self._records.get_wanted(_KIND, _compute_number(session_id))
        return None if raw is None else msgspec.json.decode(raw, type=Case)

    def get(self, session_id: str) -> Case:
        """Get the case of a session.

        Raises:
          NotFound: there is none.
        """
        found = self.find(session_id)
        if found is None:
            raise NotFound("no wallet was asked to be lifted under this name")
        return found

    def list_open(self) -> list[Case]:
        """List for which something is to be brought to the ledger, oldest first."""
        return _read(self._records.list_wanted(_KIND))

    def list_lifting(self) -> list[str]:
        """List the sessions of the cases that lift a wallet now; the cases themselves are many."""
        return [raw.decode() for _, raw in self._records.list_wanted(_LIFTING)]

    def find_lifting(self, wallet: str) -> Case | None:
        """Find the case that lifts a wallet now."""
        raw = self._records.get_wanted(_LIFTING, _compute_number(wallet))
        return None if raw is None else self.find(raw.decode())

    def list_all(self) -> list[Case]:
        """List all, oldest first."""
        return _read(self._records.list_wanted(_KIND, with_closed=True))

    def change(self, seen: Case, **changes: object) -> Case | None:
        """Change a case, unless somebody has changed it since it was seen; returns it."""
        with self._records.at_once():
            if self.find(seen.session_id) != seen:
                return None
            case = msgspec.structs.replace(seen, **changes)
            self._put(case)
            return case

    def lift(self, seen: Case) -> Case | None:
        """Note that a wallet was lifted: what lifted it before has nothing to say any more."""
        with self._records.at_once():
            if self.find(seen.session_id) != seen:
                return None
            before = self.find_lifting(seen.wallet)
            for other in (*self.list_open(), *([before] if before else [])):
                is_lift = other.state in (State.LIFTED, State.ENDING)
                if other.wallet == seen.wallet and is_lift and not other.envelope:
                    self.change(other, state=State.ENDED, why="renewed by a later presentation")
            changes = {"raised_tx_id": seen.tx_id, "envelope": "", "tx_id": "", "why": ""}
            return self.change(seen, state=State.LIFTED, **changes)

    def sweep(self, before_ms: int) -> None:
        """Forget requests that nobody answered, once their time is over."""
        for case in self.list_all():
            if case.state is State.ASKED and case.presented_until_ms < before_ms:
                self._records.drop_wanted(_KIND, _compute_number(case.session_id))

    def _put(self, case: Case) -> None:
        raw = msgspec.json.encode(case)
        number = _compute_number(case.session_id)
        with self._records.at_once():
            self._records.put_wanted(_KIND, number, raw, is_open=case.state in OPEN)
            self._put_lifting(case)

    def _put_lifting(self, case: Case) -> None:
        place, session = _compute_number(case.wallet), case.session_id.encode()
        if case.state is State.LIFTED:
            self._records.put_wanted(_LIFTING, place, session, is_open=True)
        elif self._records.get_wanted(_LIFTING, place) == session:
            self._records.drop_wanted(_LIFTING, place)


def _compute_number(name: str) -> int:
    """Compute under which number a session or wallet is found."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:_NUMBER_BYTES], "big")


def _read(found: list[tuple[int, bytes]]) -> list[Case]:
    cases = [msgspec.json.decode(raw, type=Case) for _, raw in found]
    return sorted(cases, key=lambda case: (case.asked_ms, case.session_id))
