"""What opens an attestation, and which claim of a decision fails where it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.mixed_risk import add_officer
from tests.vectors.parts import NETWORKS
from tests.world import MINUTE_MS, key, make_genesis, open_world, pay

from hansa.contracts.risk import risk
from hansa.contracts.risk.in_force import Basis
from hansa.engine.record_items import find_envelope
from hansa.engine.storage import FileStorage
from hansa.kernel.block import compute_position, decode_header, decode_receipt
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid
from hansa.kernel.machine.state import Reader
from hansa.kernel.rows import decode_row
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.risk.decisions.commitment import (
    DECISION_VERSION,
    Claim,
    DecisionRecord,
    Executed,
    compute_commitment,
    open_commitment,
)
from hansa.risk.verdicts import Verdict
from hansa.sdk.build import sign_batch

FOLDER = Path(__file__).parents[3] / "vectors" / "risk_commitment"
CASES = json.loads((FOLDER / "vectors.json").read_text())
ROWS = {
    bytes.fromhex(packed): bytes.fromhex(raw)
    for packed, raw in json.loads((FOLDER / "rows.json").read_text())
}


class HeldRows:
    """Rows as the cases have them."""

    def get(self, row_type, *key):
        raw = ROWS.get(row_type.key(*key))
        return None if raw is None else decode_row(row_type, raw)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_openings(case):
    given = case["input"]
    attestation = given["attestation"] and bytes.fromhex(given["attestation"])
    executed = Executed(
        bytes.fromhex(given["tx_id"]),
        bytes.fromhex(given["sponsor"]),
        attestation,
        given["position"],
        given["time_ms"],
        given["is_model_needed"],
    )
    network, rows = NETWORKS[case["pre"]["network"]], HeldRows()
    shown = bytes.fromhex(given["decision"]), bytes.fromhex(given["salt"])
    if case.get("code", "").isupper():
        with pytest.raises(Invalid) as refusal:
            open_commitment(network, rows, executed, *shown)
        assert refusal.value.code == case["code"]
        return
    opening = open_commitment(network, rows, executed, *shown)
    assert [fault.claim for fault in opening.faults] == ([] if "post" in case else [case["code"]])
    assert opening.is_sound is ("post" in case)
    assert all(len(fault.words) > 20 for fault in opening.faults)


def test_every_claim_fails_in_a_case():
    assert {case.get("code") for case in CASES} >= set(Claim)


def test_all_that_is_wrong_is_told():
    """A decision of another transaction, operator and model, blocked, expired."""
    case = next(case for case in CASES if case["name"] == "by a model that nobody registered")
    given = case["input"]
    executed = Executed(
        bytes(32), bytes(32), bytes.fromhex(given["attestation"]), 0, 2 * given["time_ms"]
    )
    network, rows = NETWORKS["vectors"], HeldRows()
    shown = bytes.fromhex(given["decision"]), bytes.fromhex(given["salt"])
    opening = open_commitment(network, rows, executed, *shown)
    claims = [Claim.TRANSACTION, Claim.OPERATOR, Claim.EXPIRY, Claim.MODEL_KNOWN]
    assert [fault.claim for fault in opening.faults] == claims


def test_a_payment_on_a_ledger_is_opened_from_its_block(tmp_path):
    """Decided, attested and executed; opened from the record, and from the rows as they are now."""
    world = open_world(FileStorage(tmp_path), make_genesis({"payments.model_from_minor": (100,)}))
    world.fund("ann", "shop", amount_minor=10_000)
    north, model, rules = key("north").address, bytes([1]) * 32, bytes([2]) * 32
    assert world.do("north", add_officer("north"), risk.Propose(north, model)) == ""
    basis = Basis(model, rules)
    assert world.do("north officer", risk.Approve(north, model)) == ""
    assert world.do(("north", "north officer"), risk.Declare(north, (basis,))) == ""
    envelope = world.sign([key("ann")], pay("ann", "shop", 100, "a"))
    network, salt = world.network, bytes(range(32))
    tx_id = compute_tx_id(network, decode_envelope(envelope)[0].body)
    decision = DecisionRecord(
        DECISION_VERSION,
        *(network.genesis_hash, tx_id, north, model, bytes(32), rules, Verdict.ALLOW, ()),
        bytes(32),
        world.time_ms,
        world.time_ms + MINUTE_MS,
    )
    commitment = compute_commitment(network, decision, salt)
    world.apply(sign_batch(network, north, key("north server"), [(envelope, commitment)]))
    assert world.do("north officer", risk.Suspend(north, model)) == ""
    record = list(world.chain.iterate_records(0))[-2]
    header = decode_header(record.header)
    _, sponsor, attestation = find_envelope(record, 0)
    assert decode_receipt(record.receipts[0]).code == ""
    position = compute_position(header.height, 0)
    executed = Executed(tx_id, sponsor, attestation, position, header.time_ms)
    rows = Reader(world.chain.machine.state)
    assert open_commitment(network, rows, executed, encode(decision), salt).is_sound
    later = replace(executed, position=compute_position(header.height + 1, 0))
    (fault,) = open_commitment(network, rows, later, encode(decision), salt).faults
    assert fault.claim is Claim.MODEL_NOT_SUSPENDED
    world.chain.close()
