"""The clerk: decides, and keeps and reads the journal, as the risk desk asks.

What it is asked and what it answers can be handed to another process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from hansa.contracts.risk.in_force import Basis
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Unavailable
from hansa.kernel.frame import read_end
from hansa.kernel.genesis import VALIDITY_MAX_MS
from hansa.node.risk.clerk.deciding import Decided, Deciding
from hansa.node.risk.clerk.format import KeptAnswer, KeptDecision
from hansa.node.risk.clerk.journal import NEWEST, Held, Journal
from hansa.node.risk.clerk.judging import Answering
from hansa.node.risk.clerk.memory import Shown
from hansa.node.risk.clerk.taking import Moment, Undecided
from hansa.node.risk.loading import Loaded, RiskFolder, Sources
from hansa.node.risk.registry import Roles
from hansa.risk.catalogue import encode_features
from hansa.risk.intake.describing import CATALOGUE, FEATURES_HASH

P = ParamSpec("P")
T = TypeVar("T")

HELD_READ = 64
"""Read at once at a start."""

_LOG = logging.getLogger("hansa.risk")


class When(NamedTuple):
    """When something is decided, as the node knows it."""

    now_ms: int
    """The operator's clock, and never before the newest block that it has seen."""
    taken_ms: int
    """When transactions are taken in, by the clock that features go by."""
    in_force: tuple[Basis, ...]
    """What the ledger has in force for the operator."""


class Done(NamedTuple):
    """What came of transactions that were to be decided on."""

    decided: list[Decided]
    """Of each, in their order."""
    events: int
    """How many payments and labels were taken in so far."""
    roles: Roles
    """Which models have roles, by which it was decided."""


class Clerk:
    """Decides by what is in the operator's folder; for one thread at a time."""

    def __init__(self, deciding: Deciding, folder: RiskFolder) -> None:
        """Begin to decide at once.

        Args:
          deciding: over a journal that is open, and closed with the clerk.
          folder: of the operator; nobody else's.
        """
        self._deciding = deciding
        self._folder = folder
        self.journal = deciding.journal

    def prepare(self) -> int:
        """Take up what is remembered, and have all machine code ready.

        Returns:
          How many payments and labels were taken in so far.

        Raises:
          Corrupt: the journal is damaged.
          Unavailable: it cannot be written.
        """
        self._deciding.prepare(self._folder.loaded.deciders)
        self._put_to_use(self._folder.loaded)
        return self.count_events()

    def put(self, sources: Sources) -> None:
        """Keep what decisions rest on, for as long as they are; then decide by it, not before.

        Raises:
          Invalid: something is wrong in it.
          Unavailable: the journal cannot be written; what decided before decides on.
        """
        self._put_to_use(self._folder.load(sources))

    def decide(self, asked: Sequence[Undecided], when: When) -> Done:
        """Decide on transactions in their order; raises as `Deciding.decide`."""
        decided = self._deciding.decide(asked, self._read_moment(when))
        return Done(decided, self.count_events(), self._folder.registry.roles)

    def answer(self, held: Held, answering: Answering, by: str, when: When) -> KeptAnswer:
        """Keep what was answered for a transaction that waits; decide anew if it is let through.

        Returns:
          What counts: this, or what was answered before, as by another officer just now, or when
          a clerk ended before it could tell.

        Raises:
          Invalid: whom it is from or to was listed meanwhile, so that nobody may answer so.
          Unavailable: the journal cannot be written.
        """
        given = self.journal.find_answer(held.tx_id)
        if given is not None:
            return given
        raw, salt = b"", b""
        decided = Decided(None, held._replace(is_open=False))
        if answering is not Answering.REFUSED:
            moment = self._read_moment(when)
            record, salt, decided = self._deciding.let_through(held, answering, moment)
            raw = encode(record)
        answer = KeptAnswer(answering.value, by, when.now_ms, raw, salt)
        self.journal.close_held(held.tx_id, answer)
        # Also that it was refused: else it would wait anew once it is sent again.
        self._deciding.note(held.tx_id, decided, read_end(held.envelope) or 0)
        return answer

    def tell(self, numbers: Sequence[int], now_ms: int, *, is_fraud: bool) -> int:
        """Take in what payments turned out to be; the same again changes nothing.

        Returns:
          How many payments and labels were taken in so far.

        Raises:
          HansaError: as `Deciding.tell`.
        """
        known = self.journal.list_labels(min(numbers), max(numbers) + 1)
        new = [number for number in numbers if known.get(number) is not is_fraud]
        if new:
            self._deciding.tell(new, now_ms, is_fraud=is_fraud)
        return self.count_events()

    def get_height(self) -> int:
        """Get the height of the block up to which blocks were taken in; -1 if none was."""
        return self._deciding.memory.height

    def go_back(self, height: int) -> int:
        """Take blocks behind a height for others than were taken in; as `Memory.go_back`."""
        return self._deciding.memory.go_back(height)

    def see(self, since: int, blocks: Sequence[Shown]) -> int:
        """Take in what confirmed blocks paid that was not decided on here; as `Memory.see`."""
        return self._deciding.memory.see(since, blocks, self._folder.loaded.merchants)

    def read_held(self, held: Sequence[Held]) -> list[tuple[Held, KeptDecision, KeptAnswer | None]]:
        """Read the decisions on what was held, and what became of each."""
        found = []
        for each in held:
            kept = self.journal.find_decision(each.tx_id)
            if kept is None:
                raise Corrupt(f"the decision on {each.tx_id.hex()}, which was held, is not there")
            found.append((each, kept, self.journal.find_answer(each.tx_id)))
        return found

    def list_let_through(self, now_ms: int) -> list[Held]:
        """List what was let through and is valid still: a node may end before it is in a block."""
        found: list[Held] = []
        place = NEWEST
        while some := self.journal.list_held(place, HELD_READ):
            for held in some:
                if held.taken_ms < now_ms - VALIDITY_MAX_MS:
                    return found
                answer = self.journal.find_answer(held.tx_id)
                is_over = (read_end(held.envelope) or 0) < now_ms
                if answer is not None and answer.record and not is_over:
                    found.append(held)
            place = some[-1].place
        return found

    def read(
        self, query: Callable[Concatenate[Journal, P], T], /, *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Ask the journal."""
        return query(self.journal, *arguments, **named)

    def count_events(self) -> int:
        """Count the payments and labels that were taken in."""
        return self.journal.event_count

    def close(self) -> None:
        """Keep what is remembered, and close the journal."""
        try:
            self._deciding.memory.save()
        except Unavailable as error:  # then the next start takes in anew what came since
            _LOG.warning("what is remembered of payments could not be kept: %s", error.message)
        finally:
            self.journal.close()

    def _put_to_use(self, loaded: Loaded) -> None:
        self.journal.put_basis(loaded.policy_hash, encode(loaded.files))
        self.journal.put_basis(FEATURES_HASH, encode_features(CATALOGUE))
        self._folder.put(loaded)

    def _read_moment(self, when: When) -> Moment:
        """Look whether other models have roles now, and whether the champion may decide."""
        self._folder.refresh()
        loaded = self._folder.loaded
        return Moment(when.now_ms, loaded, loaded.is_scored(when.in_force), when.taken_ms)
