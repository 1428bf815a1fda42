"""Streams: events as they happen, from any height on; whole blocks, and what they begin from.

A stream reads one block at a time and waits for its reader, so it holds no more than a block in
memory. Rights are asked again at every block: a revoked key ends its streams, too.

Source: WHATWG HTML, section 9.2 (server-sent events); docs/reference/http-api.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from hansa.engine.record_items import list_envelopes
from hansa.engine.snapshots.format import Manifest
from hansa.engine.snapshots.shelf import Shelf
from hansa.kernel.block import BlockRecord, Receipt, decode_header, decode_receipt
from hansa.kernel.errors import Corrupt, HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.transaction import decode_envelope
from hansa.node.api.handlers.accounts import Delta, describe_delta, iterate_deltas, may_read_owner
from hansa.node.api.handlers.ledger import describe_header
from hansa.node.api.rights import Principal, Right, Role
from hansa.node.api.routes import (
    BYTES,
    EVENT_STREAM,
    RECEIPTS_PER_TURN,
    Api,
    Call,
    HeightNumber,
    Parameter,
    Route,
    encode_json,
    name_caller,
)
from hansa.node.connections import KEPT_SHARE
from hansa.node.limiter import TooMany
from hansa.sdk import answers

EVENT_WAIT_S = 15.0
"""After which a quiet stream says that it is still there."""
LENGTH_BYTES = 4
STALL_S = 60.0
"""A reader that takes nothing for so long is cut off."""


async def stream_events(
    api: Api, call: Call, from_height: int | None, last_event_id: int | None
) -> web.StreamResponse:
    """Stream confirmed blocks, each after those of its transactions that the caller may read."""
    top = api.node.chain.confirmed_height
    height = top if from_height is None else from_height
    if last_event_id is not None:
        height = last_event_id + 1
    _require_begun(height, top)
    api.node.chain.log.require_kept(height)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    response.content_type = EVENT_STREAM
    async with _counted(api, call):
        await response.prepare(call.request)
        await _tell_blocks(api, call, response, height)
    return response


async def _tell_blocks(
    api: Api, call: Call, response: web.StreamResponse, from_height: int
) -> None:
    """Tell of blocks until the caller may not hear of one."""
    height = from_height
    while True:
        if not await api.node.wait_for_block(height, EVENT_WAIT_S):
            await _send(call, response, b": still here\n\n")
            continue
        try:
            principal = api.access.identify(call.request)
            events = await _describe_block(api, principal, height)
        except HansaError as error:
            _break_off(api, call, error)
            return
        await _send(call, response, events)
        height += 1


def _require_begun(height: int, top: int) -> None:
    """Refuse to begin above the block that comes next."""
    if height > top + 1:
        raise Invalid(
            InvalidCode.MALFORMED, f"the newest block is {top}: begin at {top + 1} or before"
        )


async def _describe_block(api: Api, principal: Principal, height: int) -> bytes:
    """Write a block's events; the id comes last, so that whoever resumes misses none."""
    events: list[bytes] = []
    if principal.may(Right.LEDGER) or principal.may(Right.CUSTOMERS) or principal.wallets:
        record = api.node.get_record(height)
        events = [
            b"event: transaction\ndata: " + encode_json(event) + b"\n\n"
            async for event in _iterate_readable(api, principal, record)
        ]
    header = describe_header(api.node.chain, api.node.get_header(height))
    return b"".join(events) + b"id: %d\nevent: block\ndata: %b\n\n" % (height, encode_json(header))


async def _iterate_readable(
    api: Api, principal: Principal, record: BlockRecord
) -> AsyncIterator[answers.TransactionEvent]:
    """Iterate the transactions that touch what the caller may read, with those changes alone."""
    height = decode_header(record.header).height
    sees_all = principal.may(Right.LEDGER)
    sought = None if sees_all or principal.may(Right.CUSTOMERS) else principal.wallets
    envelopes = list_envelopes(record)
    for index, (raw, envelope) in enumerate(zip(record.receipts, envelopes, strict=True)):
        if index % RECEIPTS_PER_TURN == 0:
            await asyncio.sleep(0)
        if sought is not None and not any(key in raw or key in envelope for key in sought):
            continue
        receipt = decode_receipt(raw)
        deltas = [delta for delta in iterate_deltas(receipt) if _concerns(api, principal, delta)]
        if deltas or sees_all or _is_signer(api, principal, envelope):
            yield _describe_event(receipt, height, index, deltas)


def _concerns(api: Api, principal: Principal, delta: Delta) -> bool:
    """Whether a change is shown; what is issued is public, but makes nobody's transaction."""
    is_public = delta.ledger == "issued" and not principal.may(Right.LEDGER)
    return not is_public and may_read_owner(api, principal, delta)


def _is_signer(api: Api, principal: Principal, envelope: bytes) -> bool:
    """Whether the caller, or a wallet that it may read, signed: also what was refused is told."""
    _, body = decode_envelope(envelope)
    return any(
        signer == principal.member or api.access.may_read_wallet(principal, signer)
        for signer in body.signers
    )


def _describe_event(
    receipt: Receipt, height: int, index: int, deltas: list[Delta]
) -> answers.TransactionEvent:
    return answers.TransactionEvent(
        tx_id=receipt.tx_id.hex(),
        height=height,
        index=index,
        status=receipt.status.name,  # type: ignore[arg-type]
        code=receipt.code,
        changes=[describe_delta(delta, is_readable=True) for delta in deltas],
    )


async def stream_records(
    api: Api, call: Call, from_height: int, to_height: int | None
) -> web.StreamResponse:
    """Stream confirmed blocks as the log keeps them: 4-byte length, big endian, and record."""
    top = api.node.chain.confirmed_height
    if to_height is not None and from_height > to_height:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"from_height {from_height} is above to_height {to_height}: begin at it or below",
        )
    _require_begun(from_height, top)
    last = top if to_height is None else min(to_height, top)
    log = api.node.chain.log
    log.require_kept(from_height)
    return await _stream_frames(api, call, map(log.read, range(from_height, last + 1)))


async def stream_base(api: Api, call: Call) -> web.StreamResponse:
    """Stream the snapshot that makes up for the blocks that are not kept, framed as blocks are.

    Its manifest comes first, then its chunks.
    """
    lowest = api.node.chain.log.height_min
    if lowest == 0:
        raise NotFound("this node keeps all blocks: begin from genesis")
    shelf = None if api.node.keeper is None else api.node.keeper.shelf
    bases = [each for each in (shelf.list() if shelf else ()) if each.height + 1 >= lowest]
    if shelf is None or not bases:
        raise Unavailable(
            f"this node keeps no block below {lowest}, and no snapshot from before: ask another one"
        )
    return await _stream_frames(api, call, _iterate_base(shelf, bases[0]))


def _iterate_base(shelf: Shelf, manifest: Manifest) -> Iterator[bytes]:
    yield manifest.encoded()
    for number in range(len(manifest.chunks)):
        yield shelf.load_chunk(manifest.height, number)


async def _stream_frames(api: Api, call: Call, frames: Iterator[bytes]) -> web.StreamResponse:
    """Stream parts of the whole ledger: 4-byte length, big endian, and what it is of."""
    response = web.StreamResponse(headers={"Cache-Control": "no-store"})
    response.content_type = BYTES
    async with _counted(api, call):
        await response.prepare(call.request)
        while True:
            try:
                api.access.require(api.access.identify(call.request), Right.LEDGER)
                raw = next(frames, None)
            except HansaError as error:
                _break_off(api, call, error)
                return response
            if raw is None:
                break
            await _send(call, response, len(raw).to_bytes(LENGTH_BYTES, "big") + raw)
            await asyncio.sleep(0)
        await response.write_eof()
    return response


def _break_off(api: Api, call: Call, error: HansaError) -> None:
    """Cut a stream off so that it does not look complete: its status is sent already.

    Whoever asks again is told why.
    """
    if isinstance(error, Corrupt):
        api.node.engine.fail(error)
    if call.request.transport is not None:
        call.request.transport.abort()


@asynccontextmanager
async def _counted(api: Api, call: Call) -> AsyncIterator[None]:
    """Count a stream while it is open, so that it can be ended; refuse one too many.

    Whose reader has gone away simply ends.
    """
    limits, caller = api.settings.limits, name_caller(call)
    if len(api.streams) >= limits.streams:
        raise Unavailable(f"{limits.streams} streams are open already: try again later")
    strangers_max = limits.streams - limits.streams // KEPT_SHARE
    is_known = call.principal.role is not Role.ANYONE
    if not is_known and sum(not known for _, known in api.streams.values()) >= strangers_max:
        raise Unavailable(f"{strangers_max} streams without a key are open already: try later")
    if sum(name == caller for name, _ in api.streams.values()) >= limits.streams_each:
        raise TooMany(EVENT_WAIT_S, f"you have {limits.streams_each} streams open: end one first")
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a handler runs in a task
    api.streams[task] = caller, is_known
    try:
        with suppress(ConnectionError):
            yield
    finally:
        del api.streams[task]


async def _send(call: Call, response: web.StreamResponse, data: bytes) -> None:
    """Send a part of a stream, as fast as its reader takes it; cuts off one that has stalled."""
    try:
        async with asyncio.timeout(STALL_S):
            await response.write(data)
    except TimeoutError:
        if call.request.transport is not None:
            call.request.transport.abort()
        raise ConnectionResetError("the reader of a stream takes nothing") from None


async def end_streams(api: Api) -> None:
    """End all streams, as the server stops."""
    for task in list(api.streams):
        task.cancel()


ROUTES = (
    Route(
        "GET",
        "/v1/events",
        stream_events,
        Right.PUBLIC,
        "Server-sent events: `block` for everybody, `transaction` for those who may read it.",
        EVENT_STREAM,
        parameters=(
            Parameter("from_height", HeightNumber, "First block; the newest where not given."),
            Parameter("Last-Event-ID", HeightNumber, "Resume after this block.", "header"),
        ),
        is_stream=True,
    ),
    Route(
        "GET",
        "/v1/records",
        stream_records,
        Right.LEDGER,
        "Whole blocks as the log keeps them, each behind its length in 4 bytes, big endian.",
        BYTES,
        parameters=(
            Parameter("from_height", HeightNumber, "First block.", default=0),
            Parameter("to_height", HeightNumber, "Last block; the newest where not given."),
        ),
        errors=(403, 404),
        is_stream=True,
    ),
    Route(
        "GET",
        "/v1/base",
        stream_base,
        Right.LEDGER,
        "The snapshot from which a node's blocks begin: manifest and chunks, framed as blocks are.",
        BYTES,
        errors=(403, 404),
        is_stream=True,
    ),
)
