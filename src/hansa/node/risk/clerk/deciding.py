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

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, Unavailable
from hansa.kernel.frame import read_end
from hansa.kernel.genesis import VALIDITY_MAX_MS, Network
from hansa.node.risk.clerk.format import KeptDecision, KeptHeld, KeptPayment
from hansa.node.risk.clerk.journal import Held, Journal
from hansa.node.risk.clerk.judging import (
    MAY_ANSWER,
    UNKNOWN_PPM,
    Answering,
    Described,
    Whole,
    ask,
    combine,
    decide_undescribed,
    find_highest,
    hash_rows,
)
from hansa.node.risk.clerk.memory import Memory, build_event
from hansa.node.risk.clerk.tallying import Tallied
from hansa.node.risk.loading import Loaded
from hansa.node.risk.reading import Intended
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
from hansa.risk.intake.intake import Intake, Taken, Told, begin_intake
from hansa.risk.packing import pack
from hansa.risk.verdicts import Verdict

RECENT_MAX: Final = 1 << 17
"""Decided transactions in memory, for who sends one again: 400 bytes each."""
SALTS_DRAWN: Final = 128
"""At once."""
_MINUTE_MS = 60_000


class Undecided(NamedTuple):
    """A transaction to be decided on; its signatures are checked."""

    tx_id: bytes
    envelope: bytes
    until_ms: int
    """The end of its validity."""
    device: str
    """Of its payer, as the operator's own systems know it; empty where they do not say."""
    payments: tuple[Intended, ...]
    """At least one."""
    nowhere: frozenset[bytes] = frozenset()
    """Payees that the ledger has not: what is paid to them is refused, and not remembered."""


class Decided(NamedTuple):
    """What was decided on a transaction."""

    attestation: bytes | None
    """None where it is held."""
    held: Held | None
    is_taken: bool = False
    """Whether all of its payments were taken in."""


class Moment(NamedTuple):
    """When, and by what, a block of transactions is decided."""

    now_ms: int
    """The operator's clock, and never before the newest block that it has seen."""
    loaded: Loaded
    is_scored: bool
    """Whether what the champion decides is in force on the ledger."""
    taken_ms: int
    """When transactions are taken in, by the clock that features go by."""

    @property
    def decider(self) -> Decider:
        """Who decides now."""
        return self.loaded.scoring if self.is_scored else self.loaded.unscored

    @property
    def model_id(self) -> bytes:
        """The hash of the model that decides now; all zero if none does."""
        return self.loaded.model_id if self.is_scored else NO_MODEL


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
        described, events = self._take_in(asked, moment, intake)
        decisions = ask(moment.decider, described)
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

    def _take_in(
        self, asked: Sequence[Undecided], moment: Moment, intake: Intake
    ) -> tuple[list[Described], list[Taken]]:
        """Take in what can be described, as payments or as attempts.

        Of each it is first found whether it would be held if it came alone: then it is an attempt.
        Then all are described again, as of the payments before them. What is held by that alone is
        remembered: it would have been let through a moment before.

        Returns:
          All payments in their order, and the events that were taken in.
        """
        placed = self._lay_out(asked, moment, intake)
        events = [event for _, event in placed if event is not None]
        first = intake.next_number
        try:
            looked = intake.look(events)
            are_attempts = _find_attempts(asked, placed, looked.rows, moment.decider)
            rows = intake.keep(looked, are_attempts)
        except (Unavailable, Invalid):  # scoring is down: amounts decide
            described = [each for each, _ in placed]
            return described, []
        for place, is_attempt in enumerate(are_attempts):
            if is_attempt:
                events[place] = events[place]._replace(is_attempt=True)
        return _fill(placed, first, rows, are_attempts), events

    def _lay_out(
        self, asked: Sequence[Undecided], moment: Moment, intake: Intake
    ) -> list[tuple[Described, Taken | None]]:
        """Lay payments out, not described yet, each with its event if there is to be one."""
        loaded, time_ms = moment.loaded, max(moment.taken_ms, intake.now_ms)
        placed: list[tuple[Described, Taken | None]] = []
        for each in asked:
            for intended in each.payments:
                event = None
                if intended.payee not in each.nowhere:
                    event = build_event(intended, each.device, time_ms, loaded.merchants)
                listed = loaded.find_listed(
                    intended.payer, intended.payee, each.device, moment.now_ms
                )
                placed.append((Described(intended, -1, False, None, b"", listed), event))  # noqa: FBT003
        return placed

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


def _fill(
    placed: Sequence[tuple[Described, Taken | None]],
    first: int,
    rows: Whole,
    are_attempts: Sequence[bool],
) -> list[Described]:
    """Fill in the rows of what has an event, the first of which has that number."""
    packed = pack(rows)
    described: list[Described] = []
    place = 0
    for each, event in placed:
        if event is None:
            described.append(each)
            continue
        is_remembered = not are_attempts[place]
        filled = (first + place, is_remembered, rows[place], packed[place])
        described.append(Described(each.intended, *filled, each.listed))
        place += 1
    return described


def _find_attempts(
    asked: Sequence[Undecided],
    placed: Sequence[tuple[Described, Taken | None]],
    rows: Whole,
    decider: Decider,
) -> list[bool]:
    """Find, for each event, whether its transaction is held."""
    taken = [each for each, event in placed if event is not None]
    listed = {place: each.listed for place, each in enumerate(taken) if each.listed is not None}
    are_held: list[bool] = decider.find_held(rows, listed).tolist()
    if len(placed) == len(asked):  # as nearly always: one payment each
        return are_held
    from_minor = decider.policy.unscored.review_from_minor
    are_attempts: list[bool] = []
    begin = place = 0
    for each in asked:
        part = placed[begin : begin + len(each.payments)]
        begin += len(part)
        count = sum(event is not None for _, event in part)
        is_held = any(are_held[place : place + count]) or any(
            decide_undescribed(one, from_minor).verdict is not Verdict.ALLOW
            for one, event in part
            if event is None
        )
        are_attempts += [is_held] * count
        place += count
    return are_attempts


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
