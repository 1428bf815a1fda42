"""Routes of the HTTP API and the server that carries them.

Amounts are decimal strings of minor units: browsers lose integers above 2**53. Errors are
RFC 9457 problem documents whose `type` names the code.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from hansa.contracts.balances import Balance
from hansa.contracts.currency import Asset
from hansa.contracts.members import Member
from hansa.contracts.wallets import Wallet
from hansa.engine.chain import find_envelope
from hansa.engine.embedded import Answer
from hansa.kernel.authority import AuthorityCode
from hansa.kernel.block import Header, Status, decode_header, decode_receipt
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Refused, Unavailable
from hansa.kernel.state import decode_row
from hansa.kernel.transaction import decode_envelope
from hansa.node.api.access import Access
from hansa.node.api.keys import KeyRing
from hansa.node.console.guard import Access as ConsoleAccess
from hansa.node.console.pages import add_console
from hansa.node.service import Node, wall_clock_ms
from hansa.node.settings import Settings

ITEMS_MAX = 1_000
BLOCKS_PER_PAGE = 50
EVENT_WAIT_S = 15.0
ID_DIGITS = 64
NODE_KEY = web.AppKey("node", Node)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(
    node: Node, settings: Settings | None = None, keys: KeyRing | None = None
) -> web.Application:
    """Create the application that serves one node: API and console.

    Args:
      node: what is served.
      settings: who may ask for what, and how much; the defaults where not given.
      keys: the API keys; None for a node without any.
    """
    settings = settings or Settings()
    access = Access(node.chain, settings, keys, wall_clock_ms)
    app = web.Application(client_max_size=settings.limits.body_bytes, middlewares=[_problems])
    app[NODE_KEY] = node
    app.router.add_post("/v1/transactions", _post_transactions)
    app.router.add_get("/v1/transactions/{tx_id}", _get_transaction)
    app.router.add_get("/v1/blocks", _get_blocks)
    app.router.add_get("/v1/blocks/{height}", _get_block)
    app.router.add_get("/v1/wallets/{address}", _get_wallet)
    app.router.add_get("/v1/members", _get_members)
    app.router.add_get("/v1/status", _get_status)
    app.router.add_get("/v1/genesis", _get_genesis)
    app.router.add_get("/v1/events", _stream_events)
    app.router.add_get("/healthz", _get_health)
    guard = ConsoleAccess(hosts=settings.host_names, may_read=access.may_read_everything)
    add_console(app, node, guard)
    return app


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except HansaError as error:
        status, code = _map_error(error)
        headers = {"Retry-After": "1"} if isinstance(error, Unavailable) else {}
        return _problem(status, code, error.message, headers)
    except web.HTTPException as error:
        return _problem(error.status, error.reason.upper().replace(" ", "_"), error.reason, {})


def _map_error(error: HansaError) -> tuple[int, str]:
    if isinstance(error, Invalid):
        if error.code is InvalidCode.UNAUTHENTICATED:
            return 401, error.code.value
        return (413 if error.code is InvalidCode.TOO_LARGE else 400), error.code.value
    if isinstance(error, NotFound):
        return 404, "NOT_FOUND"
    if isinstance(error, Refused):
        return 409, error.code.value
    return 503, "UNAVAILABLE"


def _problem(status: int, code: str, detail: str, headers: dict[str, str]) -> web.Response:
    body = {"type": f"/docs/errors#{code}", "title": code, "status": status, "detail": detail}
    return web.json_response(
        body, status=status, headers=headers, content_type="application/problem+json"
    )


async def _post_transactions(request: web.Request) -> web.Response:
    """Take one envelope, many, or a signed batch; answers once all are confirmed."""
    node = request.app[NODE_KEY]
    if request.content_type == "application/msgpack":
        return await _post_msgpack(node, await request.read())
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid(InvalidCode.MALFORMED, "the body is not JSON") from None
    if isinstance(body, dict) and "transactions" in body:
        items = body["transactions"]
        if not isinstance(items, list) or not 0 < len(items) <= ITEMS_MAX:
            raise Invalid(
                InvalidCode.TOO_MANY, f"transactions must be an array of 1 to {ITEMS_MAX} items"
            )
        envelopes = [_read_item(item) for item in items]
        answers = await asyncio.gather(*(node.desk.submit(*item) for item in envelopes))
        return web.json_response({"results": [_describe_answer(answer) for answer in answers]})
    answer = await node.desk.submit(*_read_item(body))
    if answer.error is not None:
        raise answer.error
    found = _describe_answer(answer)
    if found["status"] == Status.OK.name:
        return web.json_response(found)
    is_permission = found["code"] in set(AuthorityCode)
    return web.json_response(found, status=403 if is_permission else 409)


async def _post_msgpack(node: Node, raw: bytes) -> web.Response:
    """Take a signed batch, as bytes; answers an array of (receipt, height, index, code)."""
    answers = await node.engine.submit(raw)
    rows = [
        (None, 0, 0, answer.error.code.value)
        if answer.error
        else (answer.receipt, answer.height, answer.place, "")
        for answer in answers
    ]
    return web.Response(body=msgspec.msgpack.encode(rows), content_type="application/msgpack")


def _read_item(item: object) -> tuple[bytes, bytes | None]:
    if not isinstance(item, dict) or not isinstance(item.get("envelope"), str):
        raise Invalid(InvalidCode.MALFORMED, 'a transaction is an object with "envelope" in base64')
    attestation = item.get("attestation")
    try:
        envelope = base64.b64decode(item["envelope"], validate=True)
        commitment = None if attestation is None else bytes.fromhex(attestation)
    except (binascii.Error, ValueError, TypeError):
        raise Invalid(
            InvalidCode.MALFORMED, "envelope must be base64, attestation hexadecimal text"
        ) from None
    return envelope, commitment


def _describe_answer(answer: Answer) -> dict[str, Any]:
    if answer.error is not None:
        return {"error": {"title": answer.error.code.value, "detail": answer.error.message}}
    receipt = decode_receipt(answer.receipt)
    return {
        "tx_id": receipt.tx_id.hex(),
        "status": receipt.status.name,
        "code": receipt.code,
        "height": answer.height,
        "index": answer.place,
    }


async def _get_transaction(request: web.Request) -> web.Response:
    chain = request.app[NODE_KEY].chain
    tx_id = _read_hex(request.match_info["tx_id"])
    height, index = chain.find_position(tx_id)
    record = chain.get_record(height)
    envelope, sponsor, _ = find_envelope(record, index)
    _, body = decode_envelope(envelope)
    receipt = decode_receipt(record.receipts[index])
    return web.json_response(
        {
            "tx_id": tx_id.hex(),
            "height": height,
            "index": index,
            "status": receipt.status.name,
            "code": receipt.code,
            "facts": {name: str(fact) for name, fact in dict(record.facts).get(index, ())},
            "signers": [to_text(signer) for signer in body.signers],
            "sponsor": to_text(sponsor),
            "calls": [f"{call.contract}.{call.command}" for call in body.calls],
            "changes": [
                {
                    "ledger": ledger,
                    "owner": to_text(owner),
                    "asset": asset,
                    "amount_minor": str(amount),
                    "balance_minor": str(balance),
                }
                for event in receipt.events
                for ledger, owner, asset, amount, balance, _ in event[2][0]
            ],
        }
    )


async def _get_blocks(request: web.Request) -> web.Response:
    chain = request.app[NODE_KEY].chain
    top = chain.confirmed_height
    heights = range(top, max(-1, top - BLOCKS_PER_PAGE), -1)
    return web.json_response({"blocks": [_describe_header(chain.get_header(h)) for h in heights]})


async def _get_block(request: web.Request) -> web.Response:
    chain = request.app[NODE_KEY].chain
    text = request.match_info["height"]
    if not text.isascii() or not text.isdigit() or len(text) > len(str(2**53)):
        raise Invalid(InvalidCode.MALFORMED, f"{text!r} is no height")
    record = chain.get_record(int(text))
    found = _describe_header(decode_header(record.header))
    found["transactions"] = [decode_receipt(raw).tx_id.hex() for raw in record.receipts]
    return web.json_response(found)


async def _get_wallet(request: web.Request) -> web.Response:
    chain = request.app[NODE_KEY].chain
    address = from_text(request.match_info["address"])
    wallet = chain.machine.state.load(Wallet, Wallet.key(address))
    if wallet is None:
        raise NotFound("there is no wallet with this address")
    state = chain.machine.state
    assets = [decode_row(Asset, raw).asset for _, raw in chain.iterate_rows(Asset.TABLE)]
    found = [state.load(Balance, Balance.key(address, asset)) for asset in assets]
    balances = [balance for balance in found if balance is not None]
    return web.json_response(
        {
            "wallet": to_text(address),
            "operator": to_text(wallet.operator),
            "category": wallet.category.name,
            "is_closed": wallet.closed,
            "is_frozen": wallet.self_frozen or bool(wallet.authority),
            "balances": [
                {
                    "asset": balance.asset,
                    "available_minor": str(balance.available_minor),
                    "held_minor": str(balance.held_minor),
                }
                for balance in balances
            ],
        }
    )


async def _get_members(request: web.Request) -> web.Response:
    chain = request.app[NODE_KEY].chain
    members = [decode_row(Member, raw) for _, raw in chain.iterate_rows(Member.TABLE)]
    return web.json_response(
        {
            "members": [
                {
                    "address": to_text(member.address),
                    "name": member.name,
                    "roles": [str(role) for role in member.roles],
                    "is_suspended": member.suspended,
                }
                for member in members
            ]
        }
    )


async def _get_status(request: web.Request) -> web.Response:
    node = request.app[NODE_KEY]
    found = _describe_header(node.chain.get_header(node.chain.confirmed_height))
    found["network"] = node.chain.network.genesis.network
    found["genesis_hash"] = node.chain.network.genesis_hash.hex()
    found["clock_ms"] = wall_clock_ms()
    found["waiting"] = node.engine.queued
    return web.json_response(found)


async def _get_genesis(request: web.Request) -> web.Response:
    body = request.app[NODE_KEY].chain.network.genesis.encoded()
    return web.Response(body=body, content_type="application/msgpack")


async def _get_health(request: web.Request) -> web.Response:
    failure = request.app[NODE_KEY].engine.failure
    if failure is not None:
        raise Unavailable(f"the engine has stopped: {failure.message}")
    return web.json_response({"status": "ok"})


async def _stream_events(request: web.Request) -> web.StreamResponse:
    """Stream confirmed blocks as server-sent events, from any height on, resuming by its id."""
    node = request.app[NODE_KEY]
    text = request.headers.get("Last-Event-ID")
    start = request.query.get("from_height", str(node.chain.confirmed_height))
    text = start if text is None else str(int(text) + 1) if text.isdigit() else text
    if not text.isascii() or not text.isdigit():
        raise Invalid(InvalidCode.MALFORMED, f"{text!r} is no height to begin with")
    height = int(text)
    response = web.StreamResponse(headers={"Cache-Control": "no-store"})
    response.content_type = "text/event-stream"
    await response.prepare(request)
    while True:
        if await node.wait_for_block(height, EVENT_WAIT_S):
            data = json.dumps(_describe_header(node.chain.get_header(height)))
            await response.write(f"id: {height}\nevent: block\ndata: {data}\n\n".encode())
            height += 1
        else:
            await response.write(b": still here\n\n")


def _describe_header(header: Header) -> dict[str, Any]:
    return {
        "height": header.height,
        "time_ms": header.time_ms,
        "tx_count": header.tx_count,
        "previous_hash": header.previous_hash.hex(),
        "checkpoint_height": header.checkpoint_height,
        "state_root": header.state_root.hex(),
    }


def _read_hex(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != ID_DIGITS or not found:
        raise Invalid(InvalidCode.MALFORMED, "a transaction id has 64 hexadecimal digits")
    return found
