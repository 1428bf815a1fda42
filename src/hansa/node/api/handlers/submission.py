"""POST /v1/transactions: one envelope, many, or a sponsor's signed batch.

The path of a single payment is kept lean: its body is decoded straight into a typed value and
the answer is encoded from one. Who stops waiting takes nothing back: the transaction is in the
line, and its id says later what became of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from hansa.engine.ordering import Answer
from hansa.kernel.block import PlainFact, Receipt, Status, decode_receipt
from hansa.kernel.crypto.address import to_text
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Corrupt, HansaError, Invalid, InvalidCode, Unavailable
from hansa.kernel.frame import open_batch, open_batch_body
from hansa.kernel.genesis import Network
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.node.api.codes import TOLD_BY_FACTS, describe_refusal
from hansa.node.api.problems import PERMISSION_CODES, build_problem
from hansa.node.api.rights import Right, Role
from hansa.node.api.routes import (
    JSON,
    MSGPACK,
    Api,
    Call,
    Parameter,
    Route,
    encode_json,
    read_charged,
    require_media_type,
)
from hansa.node.settings import Sponsored
from hansa.node.sponsor.desk import Unsponsored
from hansa.sdk.answers import ItemError, ItemResult, ManyResults, TransactionResult

ACCEPTED = 202
BYTES_PER_COST = {MSGPACK: 256, JSON: 1_024}
"""Of a body, by its type. A small payment in a batch, whose items are not counted before it is
verified, has about 256; as JSON it has less than 1,024, and costs nothing beyond its request."""
REPEATED_COST = 4
"""What a repetition counts for beyond its 1: its first receipt is read from its block."""
STATUS_NAMES = {status: status.name for status in Status}

WaitMs = Annotated[int, Meta(ge=0, le=600_000)]
Commitment = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
DeviceText = Annotated[str, Meta(max_length=200)]


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transaction to be brought into a block."""

    envelope: bytes
    attestation: Commitment | None = None
    """The sponsor's commitment to its risk decision, 32 bytes in hexadecimal."""
    device: DeviceText | None = None
    """On which it was signed, as the operator's own systems name it; goes to risk control alone."""


class Submissions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Many; the envelopes of one signer keep their order."""

    transactions: Annotated[list[Submission], Meta(min_length=1)]


class _Either(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    envelope: bytes | UnsetType = UNSET
    attestation: Commitment | None = None
    device: DeviceText | None = None
    transactions: list[Submission] | UnsetType = UNSET


_decode = msgspec.json.Decoder(_Either).decode
_encode_msgpack = msgspec.msgpack.Encoder().encode


async def post_transactions(api: Api, call: Call, wait_ms: int | None) -> web.Response:
    """Take one envelope, many, or a signed batch."""
    begun = time.perf_counter()
    limits = api.settings.limits
    wait_s = (limits.wait_ms if wait_ms is None else min(wait_ms, limits.wait_ms)) / 1000
    kind = require_media_type(call.request, JSON, MSGPACK)
    raw, cost = await read_charged(api, call, BYTES_PER_COST[kind])
    if kind == MSGPACK:
        response = await _post_batch(api, call, raw, wait_s)
    else:
        found = _decode_body(raw)
        if found.transactions is UNSET and found.envelope is not UNSET:
            response = await _post_one(api, call, found, wait_s)
        elif found.envelope is UNSET and found.transactions is not UNSET:
            response = await _post_many(api, call, found.transactions, wait_s, cost)
        else:
            raise Invalid(InvalidCode.MALFORMED, "the body has either an envelope or transactions")
    api.meters.note_submission(time.perf_counter() - begun)
    return response


def _decode_body(raw: bytes) -> _Either:
    try:
        return _decode(raw)
    except DECODE_ERRORS as error:
        raise Invalid(
            InvalidCode.MALFORMED,
            f'{tell_fault(error)}: send {{"envelope": BASE64}} or {{"transactions": [...]}} as '
            "JSON",
        ) from None


def _require_own_word(api: Api, call: Call, items: Sequence[_Either | Submission]) -> None:
    """Refuse attestations but by those keys of the sponsor that were made to hand in its word.

    Raises:
      Invalid: `UNAUTHENTICATED`: nobody is known to send it.
      Denied: it is another key.
    """
    principal = call.principal
    is_own = principal.member == api.node.member and principal.may(Right.RISK_ATTEST)
    if is_own or all(each.attestation is None for each in items):
        return
    whose = to_text(api.node.member)
    if principal.role is Role.ANYONE:
        raise Invalid(
            InvalidCode.UNAUTHENTICATED,
            f"an attestation is the word of {whose} on its own decision: leave it out, or send a "
            f"key of that institution with the right {Right.RISK_ATTEST} as Authorization: Bearer "
            "KEY",
        )
    raise api.access.deny(
        principal,
        f"the word of {whose} on its decisions: its own keys made with --right "
        f"{Right.RISK_ATTEST} do",
    )


async def _post_one(api: Api, call: Call, item: _Either, wait_s: float) -> web.Response:
    envelope = item.envelope
    assert envelope is not UNSET  # noqa: S101 - the caller has looked
    _require_own_word(api, call, (item,))
    newest = api.node.chain.head.height
    done = api.node.desk.enqueue(
        envelope,
        _read_commitment(item.attestation),
        is_strangers=_is_strangers(api, call),
        device=item.device or "",
    )
    await asyncio.wait([done], timeout=wait_s)
    if not done.done():
        done.add_done_callback(lambda done: _charge_late(api, call, done, newest))
        pending = TransactionResult(
            tx_id=_find_id(api.node.chain.network, envelope), status="PENDING"
        )
        return web.Response(status=ACCEPTED, body=encode_json(pending), content_type=JSON)
    answer = done.result()
    if answer.error is not None:
        api.add_cost(call, api.settings.limits.refused_cost)
        raise answer.error
    if answer.height <= newest:
        api.add_cost(call, REPEATED_COST)
    receipt = decode_receipt(answer.receipt)
    found = TransactionResult(
        tx_id=receipt.tx_id.hex(),
        status=STATUS_NAMES[receipt.status],  # type: ignore[arg-type]
        code=receipt.code,
        height=answer.height,
        index=answer.place,
    )
    if receipt.status is Status.OK:
        return web.Response(body=encode_json(found), content_type=JSON)
    api.add_cost(call, api.settings.limits.refused_cost)
    return build_problem(
        403 if receipt.code in PERMISSION_CODES else 409,
        receipt.code,
        f"{describe_refusal(receipt.code, _find_facts(api, call, receipt, answer))} The "
        "transaction changed nothing; its receipt is on the ledger, and answers the same envelope "
        "for ever: to try again, sign it anew.",
        found,
    )


def _find_facts(api: Api, call: Call, receipt: Receipt, answer: Answer) -> dict[str, PlainFact]:
    """Find the facts of a refusal in its block, where they tell more than its code."""
    if receipt.code not in TOLD_BY_FACTS:
        return {}
    record = api.read_record(call, answer.height)
    return dict(dict(record.facts).get(answer.place, ()))


async def _post_many(
    api: Api, call: Call, items: list[Submission], wait_s: float, charged: int
) -> web.Response:
    items_max = api.settings.limits.items
    if not items:
        raise Invalid(
            InvalidCode.TOO_MANY, f"the list is empty: send 1 to {items_max} transactions at a time"
        )
    if len(items) > items_max:
        raise Invalid(
            InvalidCode.TOO_MANY,
            f"{len(items)} transactions are too many: send 1 to {items_max} at a time",
        )
    _require_own_word(api, call, items)
    api.add_cost(call, len(items) - 1 - charged)
    is_strangers = _is_strangers(api, call)
    newest = api.node.chain.head.height
    waiting = [_enqueue(api, item, is_strangers=is_strangers) for item in items]
    await asyncio.wait(waiting, timeout=wait_s)
    network = api.node.chain.network
    results = [
        _describe(done, item.envelope, network) for done, item in zip(waiting, items, strict=True)
    ]
    refused = repeated = 0
    for done, result in zip(waiting, results, strict=True):
        if not done.done():
            done.add_done_callback(lambda done: _charge_late(api, call, done, newest))
        elif not done.cancelled() and done.exception() is None:
            refused += result.status != "OK"
            repeated += result.height is not UNSET and result.height <= newest
    api.add_cost(call, refused * api.settings.limits.refused_cost + repeated * REPEATED_COST)
    is_pending = any(result.status == "PENDING" for result in results)
    return web.Response(
        status=ACCEPTED if is_pending else 200,
        body=encode_json(ManyResults(results=results)),
        content_type=JSON,
    )


def _is_strangers(api: Api, call: Call) -> bool:
    """Whether what a caller sends must be signed by a customer or a member."""
    is_limited = api.settings.access.sponsor_for is Sponsored.CUSTOMERS
    return is_limited and call.principal.role is Role.ANYONE


def _enqueue(api: Api, item: Submission, *, is_strangers: bool) -> asyncio.Future[Answer]:
    """Put one of many in the line; where that is full, what is returned has failed."""
    try:
        commitment = _read_commitment(item.attestation)
        return api.node.desk.enqueue(
            item.envelope, commitment, is_strangers=is_strangers, device=item.device or ""
        )
    except Unavailable as error:
        failed: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        return failed


def _describe(done: asyncio.Future[Answer], envelope: bytes, network: Network) -> ItemResult:
    """Describe what became of one of many."""
    if not done.done():
        try:
            return ItemResult(tx_id=_find_id(network, envelope), status="PENDING")
        except Invalid as error:
            return _describe_error(error.code.value, error)
    if done.cancelled():
        return ItemResult(error=ItemError(title="UNAVAILABLE", detail="the node is stopping"))
    failure = done.exception()
    if isinstance(failure, Unsponsored):
        return _describe_error(InvalidCode.UNKNOWN_SPONSOR.value, failure)
    if isinstance(failure, HansaError):
        return _describe_error("UNAVAILABLE", failure)
    answer = done.result()
    if answer.error is not None:
        return _describe_error(answer.error.code.value, answer.error)
    receipt = decode_receipt(answer.receipt)
    return ItemResult(
        tx_id=receipt.tx_id.hex(),
        status=STATUS_NAMES[receipt.status],  # type: ignore[arg-type]
        code=receipt.code,
        height=answer.height,
        index=answer.place,
    )


def _describe_error(title: str, error: HansaError) -> ItemResult:
    return ItemResult(error=ItemError(title=title, detail=error.message))


async def _post_batch(api: Api, call: Call, raw: bytes, wait_s: float) -> web.Response:
    """Take a signed batch, as bytes; answers an array of (receipt, height, index, code).

    After `wait_s`, an array of the ids instead, with status 202.
    """
    newest = api.node.chain.head.height
    task = asyncio.create_task(api.node.engine.submit(raw))
    task.add_done_callback(lambda task: _charge_repeated(api, call, task, newest))
    done, _ = await asyncio.wait([task], timeout=wait_s)
    if not done:
        task.add_done_callback(lambda task: _note_outcome(api, task))
        ids = _find_ids(api.node.chain.network, raw)
        return web.Response(status=ACCEPTED, body=_encode_msgpack(ids), content_type=MSGPACK)
    rows = [
        (None, 0, 0, answer.error.code.value)
        if answer.error
        else (answer.receipt, answer.height, answer.place, "")
        for answer in task.result()
    ]
    return web.Response(body=_encode_msgpack(rows), content_type=MSGPACK)


def _charge_late(api: Api, call: Call, done: asyncio.Future[Answer], newest: int) -> None:
    """Charge for a transaction whose answer nobody waited for as for any other."""
    if done.cancelled() or done.exception() is not None:
        return
    answer = done.result()
    cost = REPEATED_COST if answer.error is None and answer.height <= newest else 0
    if answer.error is not None or decode_receipt(answer.receipt).status is not Status.OK:
        cost += api.settings.limits.refused_cost
    api.add_cost(call, cost)


def _charge_repeated(api: Api, call: Call, task: asyncio.Task[list[Answer]], newest: int) -> None:
    """Charge for the blocks that were read to answer for a batch, also where nobody waits."""
    if not task.cancelled() and task.exception() is None:
        read = {answer.height for answer in task.result() if 0 < answer.height <= newest}
        api.add_cost(call, len(read) * REPEATED_COST)


def _note_outcome(api: Api, task: asyncio.Task[list[Answer]]) -> None:
    """Take note of an error for which nobody waits any more; damage stops the node all the same."""
    error = None if task.cancelled() else task.exception()
    if isinstance(error, Corrupt):
        api.node.engine.fail(error)


def _find_ids(network: Network, raw: bytes) -> list[bytes | None]:
    """Find the ids of a batch's items, nil for one that is no envelope; raises `Invalid`."""
    ids: list[bytes | None] = []
    for item in open_batch_body(open_batch(raw, network), network).items:
        try:
            envelope, _ = decode_envelope(item.envelope)
        except Invalid:
            ids.append(None)
        else:
            ids.append(compute_tx_id(network, envelope.body))
    return ids


def _find_id(network: Network, envelope: bytes) -> str:
    return compute_tx_id(network, decode_envelope(envelope)[0].body).hex()


def _read_commitment(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


ROUTES = (
    Route(
        "POST",
        "/v1/transactions",
        post_transactions,
        Right.SUBMIT,
        "Send one transaction, many, or a signed batch, and wait for receipts.",
        TransactionResult,
        parameters=(
            Parameter("wait_ms", WaitMs, "Longest wait; then 202 with what to ask for later."),
        ),
        bodies=((JSON, Submission), (JSON, Submissions), (MSGPACK, bytes)),
        also=(
            (200, JSON, ManyResults),
            (200, MSGPACK, bytes),
            (ACCEPTED, JSON, TransactionResult),
            (ACCEPTED, JSON, ManyResults),
            (ACCEPTED, MSGPACK, bytes),
        ),
        errors=(403, 408, 409, 413, 415),
    ),
)
