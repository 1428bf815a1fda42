"""Vectors of risk decisions: their commitments, and what openings find."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.vectors.parts import MINUTE_MS, NETWORKS, START_MS, key

from hansa.contracts.risk.in_force import NO_MODEL, Basis, InForce, PastInForce
from hansa.contracts.risk.risk import Model, State
from hansa.kernel.encoding import encode
from hansa.kernel.rows import Row
from hansa.risk.decisions.commitment import (
    CLOCK_AHEAD_MAX_MS,
    DECISION_LIFE_MAX_MS,
    DECISION_VERSION,
    Claim,
    DecisionRecord,
    compute_commitment,
)
from hansa.risk.verdicts import Verdict

NORTH, SMALL = key("north").address, key("small").address
OFFICERS = (key("ann").address, key("bob").address)
CHAMPION, LATER, TRIED, UNKNOWN, RULES, STRICTER = (bytes([number]) * 32 for number in range(1, 7))
TX, OTHER_TX = bytes([21]) * 32, bytes([22]) * 32
FEATURES, ROW, SALT = bytes([31]) * 32, bytes([32]) * 32, bytes(range(32))
BEGUN, SWAPPING, STOPPED = (height << 20 for height in (5, 10, 20))
"""Positions at which: the champion came in force; the later one, beside it; the champion was
suspended."""
STOPPED_MS = START_MS + 20_000


def make_rows() -> list[list[str]]:
    """What the ledger has of the operator's models in the end, as pairs of key and row."""
    return [[row.row_key().hex(), encode(row).hex()] for row in _build_rows()]


def _build_rows() -> list[Row]:
    first, second = Basis(CHAMPION, RULES), Basis(LATER, STRICTER)
    alone = Basis(NO_MODEL, STRICTER)
    approved = (State.APPROVED, START_MS, OFFICERS)
    return [
        Model(NORTH, CHAMPION, State.SUSPENDED, STOPPED_MS, OFFICERS, STOPPED_MS),
        Model(NORTH, LATER, *approved),
        Model(NORTH, TRIED, *approved),
        PastInForce(NORTH, 1, (first,), BEGUN, SWAPPING, START_MS + 5_000),
        PastInForce(NORTH, 2, (alone, first, second), SWAPPING, STOPPED, START_MS + 10_000),
        InForce(NORTH, (alone, second), 3, STOPPED, STOPPED_MS),
    ]


def make_decision(network: str = "vectors", **changes: Any) -> DecisionRecord:
    decided_ms = START_MS + 10_500
    good = DecisionRecord(
        DECISION_VERSION,
        NETWORKS[network].genesis_hash,
        TX,
        NORTH,
        CHAMPION,
        FEATURES,
        RULES,
        Verdict.ALLOW,
        ("known_payee", "usual_amount"),
        ROW,
        decided_ms,
        decided_ms + MINUTE_MS,
    )
    return msgspec.structs.replace(good, **changes)


def make_risk() -> list[dict]:
    """Decisions as they are opened, each with the claim that fails, if one does."""
    late = make_decision().expires_ms
    ages = {"decided_ms": START_MS, "expires_ms": START_MS + DECISION_LIFE_MAX_MS}
    ahead_ms = START_MS + 11_000 + CLOCK_AHEAD_MAX_MS
    ahead = {"decided_ms": ahead_ms, "expires_ms": ahead_ms + 1}
    later = {"model": LATER, "policy": STRICTER}
    alone = {"model": NO_MODEL, "policy": STRICTER}
    north: dict[str, Any] = {}
    cases = [
        _make("a decision", None, north),
        _make("on SM3", None, north, network="vectors-sm3"),
        _make("without reasons", None, {"reasons": ()}),
        _make("by the model that came in beside it", None, later),
        _make("by that one, once the other is stopped", None, later, height=20, index=1),
        _make("by a policy alone", None, alone),
        _make("executed in its last moment", None, north, time_ms=late),
        _make("that counts as long as any may", None, ages),
        _make("by a clock that is ahead", None, ahead),
        _make("of a payment without an attestation", Claim.ATTESTED, north, attested=False),
        _make("of another network", Claim.NETWORK, {"genesis_hash": bytes(32)}),
        _make("forged: the verdict", Claim.COMMITMENT, north, shown={"verdict": Verdict.BLOCK}),
        _make("forged: the model", Claim.COMMITMENT, north, shown=later),
        _make("opened with another salt", Claim.COMMITMENT, north, salt=bytes(32)),
        _make("replayed on another payment", Claim.TRANSACTION, {"tx_id": OTHER_TX}),
        _make("by another operator", Claim.OPERATOR, {"operator": SMALL}),
        _make("that blocks", Claim.VERDICT, {"verdict": Verdict.BLOCK}),
        _make("that waits for an officer", Claim.VERDICT, {"verdict": Verdict.REVIEW}),
        _make("that counts too long", Claim.TERM, ages | {"decided_ms": START_MS - 1}),
        _make("that ends before it begins", Claim.TERM, {"decided_ms": late + 1}),
        _make("decided later", Claim.TERM, ahead | {"decided_ms": ahead_ms + 1}),
        _make("expired at execution", Claim.EXPIRY, north, time_ms=late + 1),
        _make("that took a model", Claim.SCORED, alone, is_model_needed=True),
        _make("by another policy alone", Claim.POLICY_IN_FORCE, alone | {"policy": RULES}),
        _make("by a model that nobody registered", Claim.MODEL_KNOWN, {"model": UNKNOWN}),
        _make("by a suspended model", Claim.MODEL_NOT_SUSPENDED, north, height=20, index=0),
        _make("before its model came in", Claim.MODEL_IN_FORCE, later, height=9, index=2**20 - 1),
        _make("before any model came in", Claim.MODEL_IN_FORCE, north, height=4, index=0),
        _make("by a model on trial", Claim.MODEL_IN_FORCE, {"model": TRIED}),
        _make("under another policy", Claim.POLICY_IN_FORCE, {"policy": STRICTER}),
    ]
    return [*cases, *_make_malformed()]


def _make(
    name: str,
    claim: Claim | None,
    changes: dict[str, Any],
    *,
    shown: dict[str, Any] | None = None,
    network: str = "vectors",
    salt: bytes = SALT,
    attested: bool = True,
    height: int = 10,
    index: int = 0,
    time_ms: int = 0,
    is_model_needed: bool = False,
) -> dict:
    """Make a case: a decision that was committed to, and what is shown of it."""
    decision = make_decision(network, **changes)
    commitment = compute_commitment(NETWORKS[network], decision, SALT)
    case: dict[str, Any] = {
        "name": name,
        "pre": {"network": network},
        "input": {
            "decision": encode(msgspec.structs.replace(decision, **(shown or {}))).hex(),
            "salt": salt.hex(),
            "tx_id": TX.hex(),
            "sponsor": NORTH.hex(),
            "attestation": commitment.hex() if attested else None,
            "position": (height << 20) + index,
            "is_model_needed": is_model_needed,
            "time_ms": time_ms or START_MS + height * 1_000 + 1_000,
        },
    }
    return case | ({"post": {}} if claim is None else {"code": claim.value})


def _make_malformed() -> list[dict]:
    """Documents that are none; they are refused before anything is held against the ledger."""
    good = _make("", None, {})
    raw = bytes.fromhex(good["input"]["decision"])
    fields = msgspec.msgpack.decode(raw)
    texts = {
        "a byte too many": ("MALFORMED", raw + b"\x00"),
        "a field missing": ("MALFORMED", encode(fields[:-1])),
        "another version": ("MALFORMED", encode([2, *fields[1:]])),
        "a verdict that there is not": ("MALFORMED", encode([*fields[:7], 4, *fields[8:]])),
        "a longer encoding of its version": ("NOT_CANONICAL", raw[:1] + b"\xcc\x01" + raw[2:]),
        "65 reasons": ("MALFORMED", encode([*fields[:8], ["x"] * 65, *fields[9:]])),
    }
    cases = [
        {
            "name": name,
            "pre": good["pre"],
            "input": good["input"] | {"decision": text.hex()},
            "code": code,
        }
        for name, (code, text) in texts.items()
    ]
    short = good["input"] | {"salt": SALT[:31].hex()}
    return [
        *cases,
        {"name": "a short salt", "pre": good["pre"], "input": short, "code": "MALFORMED"},
    ]
