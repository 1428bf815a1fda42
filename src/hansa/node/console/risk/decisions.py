"""A decision explained: what was decided and why, what was committed to, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hansa.contracts.risk import in_force
from hansa.contracts.risk.in_force import NO_MODEL
from hansa.engine.record_items import find_envelope
from hansa.kernel.block import compute_position, decode_header
from hansa.kernel.errors import NotFound
from hansa.node.console.reading import Reader
from hansa.node.console.risk.pictures import Picture, draw
from hansa.node.console.risk.queue import tell_fate
from hansa.node.console.risk.reasons import Reason, explain_reasons, read_book
from hansa.node.console.risk.surroundings import Surroundings, read_surroundings
from hansa.node.console.risk.values import Value, find_catalogue, read_values
from hansa.node.console.text.formatting import Money
from hansa.node.risk.clerk.format import KeptAnswer, KeptDecision, KeptPayment
from hansa.node.risk.clerk.journal import Held
from hansa.node.risk.desk import RiskDesk
from hansa.risk.decisions.commitment import (
    DecisionRecord,
    Executed,
    Fault,
    compute_commitment,
    decode_record,
    open_commitment,
)
from hansa.risk.packing import unpack


@dataclass(frozen=True, slots=True)
class Commitment:
    """What was committed to, and what the ledger has of it."""

    attestation: bytes
    """As it is computed from document and salt."""
    record: DecisionRecord
    """The decision that was attested to: the last one."""
    executed: Executed | None
    """None if the transaction is not confirmed on the ledger."""
    faults: tuple[Fault, ...]
    """Claims of the decision that do not hold there."""


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """One decision."""

    tx_id: bytes
    record: DecisionRecord
    """As it was decided at first."""
    kept: KeptDecision
    reasons: tuple[Reason, ...]
    trials: tuple[Reason, ...]
    """Of rules on trial, which decided nothing."""
    held: Held | None
    answer: KeptAnswer | None
    fate: str
    """A key of `words.FATES`."""
    commitment: Commitment | None
    """None where nothing was attested to."""
    shown: int
    """Which of the payments is shown in full."""
    values: tuple[Value, ...]
    """All features of that payment; none where it was not described, or they are lost."""
    around: Surroundings
    picture: Picture
    label: bool | None
    """Whether that payment turned out to be fraud; None if nobody told."""

    @property
    def payment(self) -> KeptPayment:
        """The payment that is shown in full."""
        return self.kept.payments[self.shown]

    @property
    def paid(self) -> Money:
        """How much that is."""
        return Money(self.payment.amount_minor, self.payment.asset)


async def read_decision(
    reader: Reader,
    desk: RiskDesk,
    tx_id: bytes,
    number: int,
    may_read: Callable[[bytes], bool],
) -> DecisionPage:
    """Read a decision.

    Args:
      reader: of the chain.
      desk: of this node.
      tx_id: of the transaction.
      number: which of its payments to show in full.
      may_read: whether whoever looks may read a wallet.

    Raises:
      NotFound: this node decided on no such transaction.
    """
    kept = await desk.get_decision(tx_id)
    record = decode_record(kept.record)
    answer, held = await desk.find_answer(tx_id), await desk.find_held(tx_id)
    rules = read_book(await desk.find_basis(record.policy))
    catalogue = find_catalogue(record.features, await desk.find_basis(record.features))
    formats = reader.get_format()
    shown = min(number, len(kept.payments) - 1)
    payment = kept.payments[shown]
    is_waiting = any(each.tx_id == tx_id for each in desk.list_open())
    parties = (payment.payer, payment.payee, payment.asset, payment.amount_minor)
    around = await read_surroundings(reader, parties, tx_id, record.decided_ms, may_read)
    labels: Mapping[int, bool] = {}
    if payment.number >= 0:
        labels = await desk.list_labels(payment.number, payment.number + 1)
    return DecisionPage(
        tx_id,
        record,
        kept,
        tuple(explain_reasons(record.reasons, rules, kept.payments, catalogue, formats)),
        tuple(explain_reasons(kept.trials, rules, kept.payments, catalogue, formats)),
        held,
        answer,
        tell_fate(reader, tx_id, held, answer, is_waiting=is_waiting),
        _read_commitment(reader, kept, answer),
        shown,
        tuple(read_values(unpack(payment.row).tolist(), catalogue, payment.asset, formats)),
        around,
        draw(around),
        labels.get(payment.number),
    )


def _read_commitment(
    reader: Reader, kept: KeptDecision, answer: KeptAnswer | None
) -> Commitment | None:
    raw, salt = kept.record, kept.salt
    if answer is not None and answer.record:
        raw, salt = answer.record, answer.salt
    record = decode_record(raw)
    network = reader.chain.network
    if record.verdict:
        return None
    executed = _find_executed(reader, kept, record.tx_id)
    faults: tuple[Fault, ...] = ()
    if executed is not None:
        faults = open_commitment(network, reader.rows, executed, raw, salt).faults
    return Commitment(compute_commitment(network, record, salt), record, executed, faults)


def _find_executed(reader: Reader, kept: KeptDecision, tx_id: bytes) -> Executed | None:
    """Find what the ledger has of a transaction; None if it is not confirmed there."""
    try:
        height, index = reader.chain.find_position(tx_id)
    except NotFound:
        return None
    if height > reader.chain.confirmed_height:
        return None
    record = reader.get_record(height)
    _, sponsor, attestation = find_envelope(record, index)
    time_ms = decode_header(record.header).time_ms
    is_model_needed = any(
        in_force.is_model_needed(reader.rows, each.asset, each.amount_minor, time_ms)
        for each in kept.payments
    )
    position = compute_position(height, index)
    return Executed(tx_id, sponsor, attestation, position, time_ms, is_model_needed)


def is_scored(record: DecisionRecord) -> bool:
    """Whether a model had a part in a decision."""
    return record.model != NO_MODEL
