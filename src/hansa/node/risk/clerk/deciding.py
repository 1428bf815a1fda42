"""Decisions on transactions: what is taken in of each, what is decided, and what is committed to.

A transaction may make several payments: each is described and decided on in the order of the calls,
and the highest verdict is the transaction's. All of a block of transactions is taken in and kept
together, in one write, before anybody is told: no attestation leaves that could not be opened.

For one thread at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode
from hansa.kernel.frame import read_end
from hansa.kernel.genesis import VALIDITY_MAX_MS, Network
from hansa.node.risk.clerk.format import KeptDecision, KeptHeld, KeptPayment
from hansa.node.risk.clerk.journal import Held, Journal
from hansa.node.risk.clerk.judging import (
    MAY_ANSWER,
    UNKNOWN_PPM,
    Answering,
    Described,
    ask,
    combine,
    find_highest,
    hash_rows,
)
from hansa.node.risk.clerk.memory import Memory
from hansa.node.risk.clerk.taking import Moment, Undecided, take_in
from hansa.node.risk.clerk.tallying import Tallied
from hansa.risk.decisions.commitment import (
    DECISION_LIFE_MAX_MS,
    REASONS_MAX,
    SALT_BYTES,
    DecisionRecord,
    commit_to,
    compute_commitment,
    decode_record,
)
from hansa.risk.decisions.deciding import NOT_SCORED, Decider, Decision
from hansa.risk.intake.describing import FEATURES_HASH
from hansa.risk.intake.intake import Intake, Told, begin_intake
from hansa.risk.verdicts import Verdict

RECENT_MAX: Final = 1 << 17
"""Decided transactions in memory, for who sends one again: 400 bytes each."""
SALTS_DRAWN: Final = 128
"""At once."""
_MINUTE_MS = 60_000


class Decided(NamedTuple):
    """What was decided on a transaction."""

    attestation: bytes | None
    """None where it is held."""
    held: Held | None
    is_taken: bool = False
    """Whether all of its payments were taken in."""


class Deciding:
    """Takes transactions in, decides, commits, and keeps all of it in the journal."""

    def __init__(  # noqa: PLR0913 - what it is made of, each given once
        self,
        network: Network,
        operator: bytes,
        journal: Journal,
        draw: Callable[[int], bytes],
        started_ms: int,
        *,
        zone_offset_ms: int = 0,
        forks: bool = False,
        recent_max: int = RECENT_MAX,
    ) -> None:
        """Go on from a journal.

        Args:
          network: whose transactions.
          operator: who decides.
          journal: open, and nobody else's.
          draw: source of chance for salts.
          started_ms: now, and no earlier than any decision in the journal: as `find_begin`.
          zone_offset_ms: what local time is ahead of UTC, for a journal that is new.
          forks: as `Memory` has it.
          recent_max: of so many transactions the decision is in memory, of others in the journal.
        """
        self._network = network
        self._operator = operator
        self.journal = journal
        self._draw = draw
        self._recent_max = recent_max
        self._salts: list[bytes] = []
        """Drawn, and not yet taken."""
        self.memory = Memory(journal, zone_offset_ms=zone_offset_ms, forks=forks)
        self._begun_ms = started_ms
        self._recent: dict[bytes, Decided] = {}
        self._ends: deque[tuple[int, bytes]] = deque()

    def prepare(self, deciders: Sequence[Decider]) -> None:
        """Take up what is remembered, and have all machine code ready.

        Where none is kept yet, as at a program's first start on a machine, it takes a minute to
        make; no payment is to wait for it.
        """
        self.memory.open()
        begin_intake().try_out()
        for decider in deciders:
            decider.prepare()

    def decide(self, asked: Sequence[Undecided], moment: Moment) -> list[Decided]:
        """Decide on transactions, in this order; on one that was decided before, as before.

        Raises:
          Unavailable: the journal cannot be read or written; nothing was taken in.
          Corrupt: it is damaged.
        """
        self._forget(moment.now_ms)
        new = self._leave_out_known(asked)
        if new:
            with self.memory.taking_in() as intake:
                self._decide_new(new, moment, intake)
            self.memory.save_if_large()
        return [self._recent[each.tx_id] for each in asked]

    def tell(self, numbers: Sequence[int], now_ms: int, *, is_fraud: bool) -> None:
        """Take in what payments turned out to be, by their numbers.

        Raises:
          Unavailable: the journal cannot be written; nothing was taken in.
        """
        with self.memory.taking_in() as intake:
            time_ms = max(now_ms, intake.now_ms)
            told = [Told(number, time_ms, is_fraud) for number in numbers]
            intake.take(told)
            self.memory.write(told)

    def let_through(
        self, held: Held, answering: Answering, moment: Moment
    ) -> tuple[DecisionRecord, bytes, Decided]:
        """Decide anew on what waited, as its customer or an officer answered for it.

        Returns:
          The decision, its salt, and the attestation; none of it is kept yet.

        Raises:
          Invalid: whom it is from or to was listed meanwhile, or no model decides any more, so that
            nobody may answer so.
        """
        kept = self.journal.find_decision(held.tx_id)
        if kept is None:
            raise Corrupt(f"the decision on {held.tx_id.hex()}, which waits, is not there")
        before = decode_record(kept.record)
        said = {"the decision says": before.verdict, "lists say": _find_listed(kept, moment)}
        said["without a model its amount says"] = _find_unscored(kept, moment)
        who, verdict = max(said.items(), key=lambda each: each[1])
        if answering not in MAY_ANSWER.get(verdict, ()):
            told = f"{who} {verdict.name.lower()} by now: it cannot be {answering.value}"
            raise Invalid(InvalidCode.ARGUMENTS, told)
        unscored = (NOT_SCORED,) if moment.decider.model is None else ()
        reasons = (f"answer.{answering.value}", *unscored, *before.reasons)
        reasons = tuple(dict.fromkeys(reasons))[:REASONS_MAX]
        row = hash_rows(kept.payments)
        until_ms = read_end(held.envelope) or moment.now_ms
        record = self._record((held.tx_id, until_ms), Verdict.ALLOW, reasons, row, moment)
        salt = self._take_salt()
        attestation = compute_commitment(self._network, record, salt)
        return record, salt, Decided(attestation, None, _is_taken(kept))

    def note(self, tx_id: bytes, decided: Decided, until_ms: int) -> None:
        """Note what was decided, for whoever sends the same transaction again."""
        self._recent[tx_id] = decided
        self._ends.append((until_ms, tx_id))

    def _forget(self, now_ms: int) -> None:
        while self._ends and (
            self._ends[0][0] < now_ms - VALIDITY_MAX_MS or len(self._ends) > self._recent_max
        ):
            end_ms, tx_id = self._ends.popleft()
            self._recent.pop(tx_id, None)
            # It may be sent again, also after the clock was put back: the file is asked of it.
            self._begun_ms = max(self._begun_ms, end_ms - VALIDITY_MAX_MS)

    def _leave_out_known(self, asked: Sequence[Undecided]) -> list[Undecided]:
        """Take up what was decided before; returns the others, each once.

        The file is asked only of those that can have been signed before this process began, of all
        at once: that takes 5 us each, a fifth of what deciding takes.
        """
        new: dict[bytes, Undecided] = {}
        for each in asked:
            if each.tx_id not in self._recent:
                new.setdefault(each.tx_id, each)
        end_ms = self._begun_ms + VALIDITY_MAX_MS
        old = [tx_id for tx_id, each in new.items() if each.until_ms <= end_ms]
        for tx_id in self.journal.find_decided(old) if old else ():
            self._take_up(new.pop(tx_id))
        return list(new.values())

    def _take_up(self, asked: Undecided) -> None:
        """Take up from the file what was decided on a transaction."""
        kept = self.journal.find_decision(asked.tx_id)
        assert kept is not None  # noqa: S101 - its name is there
        answer = self.journal.find_answer(asked.tx_id)
        raw, salt = kept.record, kept.salt
        if answer is not None and answer.record:
            raw, salt = answer.record, answer.salt
        record = decode_record(raw)
        if record.verdict is Verdict.ALLOW:
            attestation = compute_commitment(self._network, record, salt)
            known = Decided(attestation, None, _is_taken(kept))
        else:
            known = Decided(None, self.journal.find_held(asked.tx_id))
        self.note(asked.tx_id, known, asked.until_ms)

    def _decide_new(self, asked: Sequence[Undecided], moment: Moment, intake: Intake) -> None:
        described, decisions, events = take_in(asked, moment, intake)
        trial = moment.loaded.trying
        tried = None if trial is None else ask(trial, described)
        kept: list[tuple[bytes, KeptDecision]] = []
        held: list[tuple[KeptHeld, int]] = []
        found: list[tuple[Undecided, Decided]] = []
        came_out: list[tuple[Verdict, tuple[str, ...]]] = []
        begin = 0
        for each in asked:
            part = slice(begin, begin + len(each.payments))
            begin = part.stop
            record, decision = self._keep(
                each, described[part], decisions[part], tried and tried[part], moment
            )
            kept.append((each.tx_id, decision))
            came_out.append((record.verdict, record.reasons))
            if record.verdict is Verdict.ALLOW:
                attestation = commit_to(self._network, each.tx_id, decision.record, decision.salt)
                found.append((each, Decided(attestation, None, _is_taken(decision))))
                continue
            until_ms = _end_waiting(each, record.verdict, moment)
            kept_held = _keep_held(each, record.verdict, moment)
            held.append((kept_held, until_ms))
            waiting = Held(0, until_ms, True, *msgspec.structs.astuple(kept_held))  # noqa: FBT003
            found.append((each, Decided(None, waiting)))
        self.memory.write(events, kept, held, Tallied(moment.now_ms, came_out))
        for each, decided in found:
            self.note(each.tx_id, decided, each.until_ms)

    def _keep(
        self,
        asked: Undecided,
        described: Sequence[Described],
        decisions: Sequence[Decision],
        tried: Sequence[Decision] | None,
        moment: Moment,
    ) -> tuple[DecisionRecord, KeptDecision]:
        """Put together what is kept of one transaction."""
        payments = tuple(
            KeptPayment(
                *each.intended,
                each.number,
                each.is_remembered,
                each.packed,
                None if each.listed is None else (int(each.listed.verdict), each.listed.reason),
            )
            for each in described
        )
        verdict, reasons, trials = combine(decisions)
        row = hash_rows(payments)
        record = self._record((asked.tx_id, asked.until_ms), verdict, reasons, row, moment)
        decision = KeptDecision(
            encode(record),
            self._take_salt(),
            payments,
            find_highest(decisions),
            trials,
            moment.loaded.challenger_id,
            UNKNOWN_PPM if tried is None else find_highest(tried),
        )
        return record, decision

    def _take_salt(self) -> bytes:
        """Take a salt; they are drawn many at once, as each draw lets go of the interpreter."""
        if not self._salts:
            drawn = self._draw(SALT_BYTES * SALTS_DRAWN)
            places = range(0, len(drawn), SALT_BYTES)
            self._salts = [drawn[at : at + SALT_BYTES] for at in places]
        return self._salts.pop()

    def _record(
        self,
        transaction: tuple[bytes, int],
        verdict: Verdict,
        reasons: tuple[str, ...],
        row: bytes,
        moment: Moment,
    ) -> DecisionRecord:
        tx_id, until_ms = transaction
        return DecisionRecord(
            1,
            self._network.genesis_hash,
            tx_id,
            self._operator,
            moment.model_id,
            FEATURES_HASH,
            moment.loaded.policy_hash,
            verdict,
            reasons,
            row,
            moment.now_ms,
            min(until_ms, moment.now_ms + DECISION_LIFE_MAX_MS),
        )


def _is_taken(kept: KeptDecision) -> bool:
    return all(each.is_remembered for each in kept.payments)


def _find_listed(kept: KeptDecision, moment: Moment) -> Verdict:
    """Find the highest that lists say by now; of devices, which are not kept, nothing."""
    listed = [
        moment.loaded.find_listed(each.payer, each.payee, "", moment.now_ms)
        for each in kept.payments
    ]
    return max((each.verdict for each in listed if each is not None), default=Verdict.ALLOW)


def _find_unscored(kept: KeptDecision, moment: Moment) -> Verdict:
    """Find what amounts say where no model decides now, as of a payment that comes in."""
    from_minor = moment.loaded.policy.unscored.review_from_minor
    is_large = any(each.amount_minor >= from_minor for each in kept.payments)
    return Verdict.REVIEW if is_large and moment.decider.model is None else Verdict.ALLOW


def _end_waiting(asked: Undecided, verdict: Verdict, moment: Moment) -> int:
    """Compute until when something may be answered; what is blocked, by nobody."""
    waiting = moment.loaded.policy.waiting
    minutes = {
        Verdict.STEP_UP: waiting.step_up_minutes,
        Verdict.REVIEW: waiting.review_minutes,
    }.get(verdict)
    if minutes is None:
        return asked.until_ms
    return min(asked.until_ms, moment.now_ms + minutes * _MINUTE_MS)


def _keep_held(asked: Undecided, verdict: Verdict, moment: Moment) -> KeptHeld:
    """Put together what is kept of one that is held."""
    largest = max(asked.payments, key=lambda each: each.amount_minor)
    return KeptHeld(
        asked.tx_id,
        asked.envelope,
        moment.now_ms,
        int(verdict),
        largest.asset,
        largest.amount_minor,
    )
