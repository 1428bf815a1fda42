"""Answers of a node without a ledger that says what a test wants, for `make_genesis`."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
from aiohttp import web
from tests.world import key, make_genesis

from hansa.engine.chain import Chain
from hansa.kernel.genesis import Network
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.node.api.handlers.ledger import describe_seals
from hansa.node.service import wall_clock_ms

NETWORK = Network.of(make_genesis())
ZERO = "00" * 32
HASHES = (
    "hash",
    "previous_hash",
    "tx_root",
    "receipt_root",
    "write_set_hash",
    "state_root",
    "batch_root",
)
OTHER_ID = "ab" * 32
"""Of a transaction that nobody sent."""


def answer_json(status: int, found: object, **headers: str) -> web.Response:
    """Answer JSON."""
    return web.json_response(found, status=status, headers=headers)


def make_head(height: int) -> dict[str, Any]:
    """Make a header as the API tells of it."""
    numbers = {"height": height, "time_ms": 1, "tx_count": 0, "checkpoint_height": 0}
    return {**numbers, **dict.fromkeys(HASHES, ZERO)}


def make_status(clock_ms: int) -> dict[str, Any]:
    """Make the answer of `GET /v1/status`."""
    more = {"network": "test", "genesis_hash": ZERO, "clock_ms": clock_ms, "waiting": 0}
    return {**make_head(3), **more, "version": "x"}


def make_done(tx_id: str) -> dict[str, Any]:
    """Make what is told of a transaction that is confirmed."""
    return {"tx_id": tx_id, "status": "OK", "code": "", "height": 7, "index": 3}


def make_whole(tx_id: str) -> dict[str, Any]:
    """Make the answer of `GET /v1/transactions/ID`."""
    more = {"time_ms": 1, "facts": {}, "sponsor": key("north").address_text, "attestation": None}
    return {**make_done(tx_id), **more, "signers": [], "calls": [], "events": [], "changes": []}


def make_proof(chain: Chain, row_key: bytes) -> dict[str, Any]:
    """Make the answer of `GET /v1/proofs/...`."""
    found = chain.prove_row(row_key)
    return {
        "table": "",
        "height": 0,
        "key": found.key.hex(),
        "value": None if found.value is None else found.value.hex(),
        "path": [node.hex() for node in found.path],
        "header": found.header.hex(),
        "seals": [msgspec.to_builtins(seal) for seal in describe_seals(found.signatures)],
    }


def name_sent(body: bytes) -> str:
    """Name the transaction that somebody posted as JSON."""
    envelope = base64.b64decode(json.loads(body)["envelope"])
    return compute_tx_id(NETWORK, decode_envelope(envelope)[0].body).hex()


async def _genesis(_: web.Request) -> web.Response:
    return web.Response(body=NETWORK.genesis.encoded())


async def _status(_: web.Request) -> web.Response:
    return answer_json(200, make_status(wall_clock_ms()))


GENESIS = web.get("/v1/genesis", _genesis)
BASE = (GENESIS, web.get("/v1/status", _status))
