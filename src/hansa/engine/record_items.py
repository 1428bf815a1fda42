"""The items of a block record's batches: envelopes that have receipts, and what was dropped."""

from __future__ import annotations

from hansa.kernel.block import BlockRecord, Drop, Repeated
from hansa.kernel.errors import STATELESS_CODES, Corrupt, Invalid, InvalidCode, NotFound
from hansa.kernel.frame import decode_batch
from hansa.kernel.machine.execution import BlockResult


def group_dropped(record: BlockRecord, *, is_stateless: bool = False) -> list[dict[int, Invalid]]:
    """Group a block's dropped items by batch, as errors by item.

    Args:
      record: the block.
      is_stateless: only what the stateless checks dropped; execution finds the rest again.

    Raises:
      Corrupt: the block names a batch that it has not, or an unknown code.
    """
    groups: list[dict[int, Invalid]] = [{} for _ in record.batches]
    for drop in record.dropped:
        try:
            code, group = InvalidCode(drop.code), groups[drop.batch]
        except (ValueError, IndexError):
            raise Corrupt(
                f"the block drops item {drop.item} of batch {drop.batch} as {drop.code}: "
                "there is no such batch or code"
            ) from None
        if not is_stateless or code in STATELESS_CODES:
            group[drop.item] = Invalid(code, drop.message)
    return groups


def list_outcomes(record: BlockRecord, raw: bytes) -> list[tuple[bytes, int | Invalid]]:
    """List a batch's envelopes, each with the index of its receipt, or why it has none.

    Raises:
      NotFound: the block does not hold the batch.
    """
    place = 0
    for each, dropped in zip(record.batches, group_dropped(record), strict=True):
        items = decode_batch(each)[1].items
        if each != raw:
            place += len(items) - len(dropped)
            continue
        outcomes: list[tuple[bytes, int | Invalid]] = []
        for number, item in enumerate(items):
            error = dropped.get(number)
            outcomes.append((item.envelope, place if error is None else error))
            place += error is None
        return outcomes
    raise NotFound("the block does not hold the batch")


def find_envelope(record: BlockRecord, index: int) -> tuple[bytes, bytes, bytes | None]:
    """Find the envelope behind a block's receipt: (envelope, sponsor, attestation)."""
    for raw, dropped in zip(record.batches, group_dropped(record), strict=True):
        _, body = decode_batch(raw)
        kept = len(body.items) - len(dropped)
        if index >= kept:
            index -= kept
            continue
        for number, item in enumerate(body.items):
            if number not in dropped:
                if index == 0:
                    return item.envelope, body.sponsor, item.attestation
                index -= 1
    raise NotFound("the block has no transaction with this index", index=index)


def list_envelopes(record: BlockRecord) -> list[bytes]:
    """List the envelopes of a block that have receipts, in order."""
    return [
        item.envelope
        for raw, dropped in zip(record.batches, group_dropped(record), strict=True)
        for number, item in enumerate(decode_batch(raw)[1].items)
        if number not in dropped
    ]


def list_dropped(result: BlockResult) -> tuple[Drop, ...]:
    """List what of a block's batches got no receipt, and why."""
    drops = []
    for batch, outcomes in enumerate(result.outcomes):
        for item, outcome in enumerate(outcomes):
            if isinstance(outcome, Invalid):
                drops.append(Drop(batch, item, outcome.code.value, outcome.message))
            elif isinstance(outcome, Repeated):
                drops.append(
                    Drop(batch, item, InvalidCode.NONCE_USED.value, "a repeated transaction")
                )
    return tuple(drops)
