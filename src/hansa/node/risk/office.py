"""The office at a risk desk: what officers ask there and answer, in the terms of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hansa.contracts.risk.in_force import NO_MODEL
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import NotFound
from hansa.kernel.rows import Rows
from hansa.node.risk.clerk.format import KeptAnswer, KeptDecision, KeptPayment
from hansa.node.risk.clerk.journal import Held
from hansa.node.risk.clerk.judging import UNKNOWN_PPM, Answering
from hansa.node.risk.desk import RiskDesk
from hansa.node.risk.loading import Loaded
from hansa.node.risk.obstacles import find_obstacle
from hansa.node.risk.screening import Screening
from hansa.risk.decisions.commitment import DecisionRecord, decode_record
from hansa.risk.decisions.policy import Policy
from hansa.risk.intake.describing import FEATURES, FEATURES_HASH
from hansa.risk.lists.listings import FOREVER_MS
from hansa.risk.packing import unpack
from hansa.risk.screening.hits import CustomerHit
from hansa.risk.screening.screener import Agreement
from hansa.risk.verdicts import Verdict
from hansa.sdk.risk import desk_answers as told
from hansa.sdk.risk.answers import Basis

_VERDICTS: Final[dict[Verdict, told.VerdictName]] = {
    Verdict.ALLOW: "allow",
    Verdict.STEP_UP: "step_up",
    Verdict.REVIEW: "review",
    Verdict.BLOCK: "block",
}
_ANSWERS: Final[dict[Answering, told.AnswerName]] = {
    Answering.CONFIRMED: "confirmed",
    Answering.RELEASED: "released",
    Answering.REFUSED: "refused",
}

_AGREEMENTS: Final[dict[Agreement, told.AgreementName]] = {
    Agreement.AGREES: "agrees",
    Agreement.DIFFERS: "differs",
    Agreement.UNKNOWN: "unknown",
}


class RiskOffice:
    """Asks and answers at one desk."""

    def __init__(self, desk: RiskDesk, rows: Rows) -> None:
        """Open the office.

        Args:
          desk: which decides.
          rows: of the ledger, as of the last executed block.
        """
        self._desk = desk
        self._rows = rows

    async def tell_standing(self) -> told.RiskStanding:
        """Tell how decisions are made at present."""
        await self._desk.look()
        standing = self._desk.tell_standing()
        loaded = standing.loaded
        challenger = loaded.models.challenger
        obstacle = find_obstacle(
            self._rows, self._desk.operator, self._desk.registry, standing.loaded
        )
        return told.RiskStanding(
            operator=to_text(self._desk.operator),
            policy=loaded.policy_hash.hex(),
            policy_version=loaded.policy.version,
            rules=len(loaded.rules),
            listed=len(loaded.lists),
            merchants=len(loaded.merchants),
            screening=None
            if loaded.screening is None
            else _tell_screening(loaded, loaded.screening, self._desk.read_now_ms()),
            model=_tell_model(loaded.model_id),
            challenger=None if challenger is None else challenger.manifest.model_id.hex(),
            is_scored=obstacle is None,
            obstacle=None if obstacle is None else told.RiskObstacle(**obstacle._asdict()),
            in_force=[
                Basis(model=each.model.hex(), policy=each.policy.hex())
                for each in standing.in_force
            ],
            faults=list(standing.faults),
            waiting=standing.waiting,
            events=standing.events,
        )

    async def reload(self) -> told.RiskStanding:
        """Read policy, rules, lists and merchants anew; raises as `RiskDesk.reload`."""
        await self._desk.reload()
        return await self.tell_standing()

    def list_hits(self, after: int, limit: int) -> told.HitPage:
        """List customers whose names are hits, cleared or not, in the order of their file."""
        loaded, now_ms = self._desk.tell_standing().loaded, self._desk.read_now_ms()
        hits = () if loaded.screening is None else loaded.screening.hits
        end = after + limit
        return told.HitPage(
            hits=[_tell_hit(each, loaded.policy, now_ms) for each in hits[after:end]],
            next=end if end < len(hits) else None,
        )

    async def list_waiting(self, after: int, limit: int) -> told.HeldPage:
        """List what may be answered now, the oldest first; what is blocked, nobody answers."""
        held = await self._desk.list_waiting(after, limit)
        found = await self._describe(held)
        return told.HeldPage(
            transactions=[each for each in found if each.state == "waiting"],
            next=held[-1].place if len(held) == limit else None,
        )

    async def list_held(self, before: int, limit: int) -> told.HeldPage:
        """List what waits or waited, the newest first, with what became of it."""
        held = await self._desk.list_held(before, limit)
        return told.HeldPage(
            transactions=await self._describe(held),
            next=held[-1].place if len(held) == limit else None,
        )

    async def answer(self, tx_id: bytes, name: told.AnswerName, by: str) -> told.GivenAnswer:
        """Answer for a transaction that waits; the same again changes nothing.

        Raises:
          HansaError: as `RiskDesk.answer`.
        """
        try:
            answer = await self._desk.answer(tx_id, Answering(name), by)
        except NotFound:
            given = await self._desk.find_answer(tx_id)
            if given is None or (given.answer, given.by) != (name, by):
                raise
            answer = given
        return _tell_answer(tx_id, answer)

    async def get_decision(self, tx_id: bytes) -> told.RiskDecision:
        """Get all that is kept of a decision; raises `NotFound`."""
        kept = await self._desk.get_decision(tx_id)
        answer = await self._desk.find_answer(tx_id)
        record = decode_record(kept.record)
        return told.RiskDecision(
            tx_id=tx_id.hex(),
            **_tell_verdict(record, kept),
            model=_tell_model(record.model),
            policy=record.policy.hex(),
            decided_ms=record.decided_ms,
            expires_ms=record.expires_ms,
            document=kept.record.hex(),
            salt=kept.salt.hex(),
            trials=list(kept.trials),
            challenger=_tell_model(kept.challenger),
            challenger_ppm=_tell_ppm(kept.challenger_ppm),
            features=list(FEATURES) if record.features == FEATURES_HASH else [],
            payments=[_tell_decided(each) for each in kept.payments],
            answer=None if answer is None else _tell_answer(tx_id, answer),
        )

    async def get_verdict(self, tx_id: bytes) -> told.VerdictName:
        """Get what was decided on a transaction, in a word; raises `NotFound`."""
        kept = await self._desk.get_decision(tx_id)
        return _VERDICTS[decode_record(kept.record).verdict]

    async def label(self, tx_id: bytes, *, is_fraud: bool) -> told.Labelled:
        """Tell what a transaction turned out to be; raises as `RiskDesk.tell`."""
        count = await self._desk.tell(tx_id, is_fraud=is_fraud)
        return told.Labelled(tx_id=tx_id.hex(), payments=count)

    async def get_policy(self, policy: bytes) -> bytes:
        """Get the files of a policy that decided, as `hansa.node.risk.loading` has them.

        Raises:
          NotFound: nothing was decided here by it.
        """
        raw = await self._desk.find_basis(policy)
        if raw is None:
            raise NotFound("this node has decided by no such policy")
        return raw

    async def get_model(self, model: bytes) -> bytes:
        """Get a model file that is kept here; raises `NotFound`."""
        return await self._desk.get_model_file(model)

    async def _describe(self, held: Sequence[Held]) -> list[told.HeldTransaction]:
        now_ms = self._desk.read_now_ms()
        return [
            told.HeldTransaction(
                place=each.place,
                tx_id=each.tx_id.hex(),
                **_tell_verdict(decode_record(kept.record), kept),
                since_ms=each.taken_ms,
                until_ms=each.until_ms,
                state=_find_state(each, decode_record(kept.record).verdict, answer, now_ms),
                by=None if answer is None else answer.by,
                answered_ms=None if answer is None else answer.time_ms,
                payments=[told.HeldPayment(**_tell_payment(payment)) for payment in kept.payments],
            )
            for each, kept, answer in await self._desk.read_held(held)
        ]


def _tell_screening(loaded: Loaded, found: Screening, now_ms: int) -> told.ScreeningStanding:
    cleared = sum(each.is_cleared(now_ms) for each in found.hits)
    return told.ScreeningStanding(
        customers=found.customers,
        entries=found.entries,
        lists=found.lists_hash.hex(),
        lists_ms=found.lists_ms,
        findings=list(found.findings),
        left_out=found.left_out,
        hits=len(found.hits) - cleared,
        cleared=cleared,
        wallets=sum(now_ms >= each.review_from_ms for each in loaded.screened.values()),
    )


def _tell_hit(hit: CustomerHit, policy: Policy, now_ms: int) -> told.Hit:
    found, clearing = hit.found, hit.clearing
    verdict: told.VerdictName = "allow"
    if not hit.is_cleared(now_ms):
        verdict = "block" if found.score >= policy.screening.block_score else "review"
    return told.Hit(
        wallet=to_text(hit.wallet),
        name=hit.name,
        entry=found.entry,
        listed=found.name,
        kind=found.kind.value,
        is_weak=found.is_weak,
        score=found.score,
        born=_AGREEMENTS[found.born],
        country=_AGREEMENTS[found.country],
        programmes=list(found.programmes),
        verdict=verdict,
        cleared=None
        if clearing is None
        else told.ClearedHit(
            until_ms=None if clearing.until_ms == FOREVER_MS else clearing.until_ms,
            why=clearing.why,
            by=clearing.by or None,
        ),
    )


def _find_state(
    held: Held, verdict: Verdict, answer: KeptAnswer | None, now_ms: int
) -> told.HeldState:
    """Find what became of what was held; what is blocked never changes."""
    if answer is not None:
        return _name_answer(answer)
    if verdict is Verdict.BLOCK:
        return "blocked"
    return "waiting" if held.is_open and held.until_ms >= now_ms else "expired"


def _name_answer(answer: KeptAnswer) -> told.AnswerName:
    return _ANSWERS[Answering(answer.answer)]


def _tell_answer(tx_id: bytes, answer: KeptAnswer) -> told.GivenAnswer:
    return told.GivenAnswer(
        tx_id=tx_id.hex(),
        answer=_name_answer(answer),
        by=answer.by,
        time_ms=answer.time_ms,
        document=answer.record.hex() if answer.record else None,
        salt=answer.salt.hex() if answer.salt else None,
    )


def _tell_verdict(record: DecisionRecord, kept: KeptDecision) -> dict[str, Any]:
    return {
        "verdict": _VERDICTS[record.verdict],
        "reasons": list(record.reasons),
        "ppm": _tell_ppm(kept.ppm),
    }


def _tell_decided(payment: KeptPayment) -> told.DecidedPayment:
    return told.DecidedPayment(
        **_tell_payment(payment),
        number=payment.number if payment.number >= 0 else None,
        row=unpack(payment.row).tolist(),
    )


def _tell_payment(payment: KeptPayment) -> dict[str, Any]:
    listed = payment.listed
    return {
        "payer": to_text(payment.payer),
        "payee": to_text(payment.payee),
        "asset": payment.asset,
        "amount_minor": str(payment.amount_minor),
        "listed": None
        if listed is None
        else told.Listing(verdict=_VERDICTS[Verdict(listed[0])], reason=listed[1]),
    }


def _tell_ppm(ppm: int) -> int | None:
    return None if ppm == UNKNOWN_PPM else ppm


def _tell_model(model: bytes) -> str | None:
    return None if model == NO_MODEL else model.hex()
