"""A second implementation, written from docs/reference alone, against the same vectors."""

from __future__ import annotations

import ast
import base64
import hmac
import json
from hashlib import sha256
from pathlib import Path

import pytest
from tests.vectors import (
    independent,
    independent_evidence,
    independent_light,
    independent_machine,
    independent_receipt,
    independent_snapshot,
)

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def load(name: str):
    return json.loads((VECTORS / name).read_text())


NETWORKS = {
    name: independent.Network(bytes.fromhex(raw))
    for name, raw in load("genesis/networks.json").items()
}


def cases(name: str):
    return [pytest.param(case, id=case["name"]) for case in load(name)]


def network_of(case) -> independent.Network:
    return NETWORKS[case["pre"]["network"]]


def code_of(function, *arguments) -> str:
    with pytest.raises(independent.Bad) as bad:
        function(*arguments)
    return bad.value.code


@pytest.mark.parametrize(
    "module",
    [
        independent,
        independent_evidence,
        independent_light,
        independent_machine,
        independent_receipt,
        independent_snapshot,
    ],
)
def test_it_imports_nothing_of_hansa(module):
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert imported <= {
        "__future__",
        "base64",
        "binascii",
        "cryptography",
        "dataclasses",
        "hashlib",
        "itertools",
        "json",
        "tests",
    }


@pytest.mark.parametrize("case", cases("genesis/vectors.json"))
def test_genesis(case):
    raw = bytes.fromhex(case["input"])
    if "post" not in case:
        assert code_of(independent_receipt.check_genesis, raw) == case["code"]
        return
    network, post = independent_receipt.check_genesis(raw), case["post"]
    assert independent.pack(network.document) == raw
    assert network.genesis_hash.hex() == post["genesis_hash"]
    for domain in ("tx", "batch", "header", "attestation"):
        assert network.prefix(domain).hex() == post[f"{domain}_prefix"]


@pytest.mark.parametrize("case", cases("envelopes/vectors.json"))
def test_envelopes(case):
    raw, network = bytes.fromhex(case["input"]), network_of(case)
    if "post" not in case:
        assert code_of(independent.check_envelope, network, raw) == case["code"]
        return
    found, post = independent.check_envelope(network, raw), case["post"]
    assert (found.tx_id.hex(), found.hash.hex()) == (post["tx_id"], post["envelope_hash"])
    body = independent.unpack(raw)[0]
    assert (network.prefix("tx") + body).hex() == post["signed_message"]


@pytest.mark.parametrize("case", cases("batches/vectors.json"))
def test_batches(case):
    raw, network = bytes.fromhex(case["input"]), network_of(case)
    if "post" not in case:
        assert code_of(independent.check_batch, network, raw) == case["code"]
        return
    batch, post = independent.check_batch(network, raw), case["post"]
    assert (batch.sponsor.hex(), batch.key_address.hex()) == (post["sponsor"], post["key_address"])
    assert [
        {"code": item}
        if isinstance(item, str)
        else {"tx_id": item.tx_id.hex(), "envelope_hash": item.hash.hex()}
        for item in batch.items
    ] == post["items"]
    items = independent.unpack(independent.unpack(raw)[0])[2]
    assert [independent.find_end(envelope) for envelope, _ in items] == post["ends_ms"]


@pytest.mark.parametrize("case", cases("tiers/vectors.json"))
def test_tiers(case):
    """From docs/reference/credentials.md, Tiers, without a line of Hansa's."""
    given, network = case["input"], network_of(case)
    wallet, operator = bytes.fromhex(given["wallet"]), bytes.fromhex(given["operator"])
    named = b"hansa\x00pairwise-subject\x00" + operator + given["person"].encode()
    subject = letters(hmac.digest(bytes.fromhex(given["secret"]), named, "sha256"))
    wanted = bytes([given["category"]]) + given["expires_ms"].to_bytes(8, "big")
    nullified = bytes([given["category"]]) + subject.encode()
    shown = network.prefix("presentation") + given["presentation"].encode()
    assert case["post"] == {
        "pairwise_subject": subject,
        "nullifier": network.digest(network.prefix("nullifier") + nullified).hex(),
        "nonce": letters(
            network.digest(network.prefix("presentation-nonce") + wallet + operator + wanted)
        ),
        "presentation_hash": network.digest(shown).hex(),
    }


@pytest.mark.parametrize("case", cases("risk_commitment/vectors.json"))
def test_commitments_of_risk_decisions(case):
    """From docs/reference/risk-decisions.md; one that was forged is another."""
    if case.get("code", "").isupper() or case["input"]["attestation"] is None:
        return
    given, network = case["input"], network_of(case)
    raw, salt = bytes.fromhex(given["decision"]), bytes.fromhex(given["salt"])
    tx_id = independent.unpack(raw)[2]
    hidden = b"\x93\xc4\x20" + tx_id + b"\xc4\x20" + salt + b"\x91\xc5" + len(raw).to_bytes(2) + raw
    found = network.digest(network.prefix("attestation") + hidden).hex()
    assert (found == given["attestation"]) is (case.get("code") != "commitment")


def letters(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("case", cases("possession/vectors.json"))
def test_possession(case):
    given = {name: bytes.fromhex(value) for name, value in case["input"].items()}
    message = network_of(case).prefix("possession") + given["member"] + given["public_key"]
    try:
        independent.check_key(1, given["public_key"])
        is_proof = independent.verifies(1, given["public_key"], given["signature"], message)
    except independent.Bad:
        is_proof = False
    assert is_proof is ("post" in case)
    if is_proof:
        assert message.hex() == case["post"]["signed_message"]
        assert sha256(given["public_key"]).hexdigest()[:40] == case["post"]["peer"]


def check_votes(case) -> int:
    network = independent_receipt.check_genesis(bytes.fromhex(case["pre"]["genesis"]))
    header, votes = (bytes.fromhex(case["input"][name]) for name in ("header", "votes"))
    checkpoint = case["pre"]["checkpoint"]
    return independent_light.check_votes(
        network,
        header,
        independent.read(independent_light.VOTES, votes),
        None if checkpoint is None else bytes.fromhex(checkpoint),
    )


@pytest.mark.parametrize("case", cases("light/votes.json"))
def test_votes(case):
    if "post" not in case:
        assert code_of(check_votes, case) == case["code"]
        return
    assert check_votes(case) == case["post"]["height"]
    votes = independent.unpack(bytes.fromhex(case["input"]["votes"]))
    assert independent_light.header_hash(votes[1][0]).hex() == case["post"]["block_hash"]


@pytest.mark.parametrize("case", cases("attestations/vectors.json"))
def test_attestations(case):
    network, given = network_of(case), case["input"]
    decision = independent.unpack(bytes.fromhex(given["decision"]))
    ids = [bytes.fromhex(given[name]) for name in ("tx_id", "salt")]
    packed = independent.pack([*ids, decision])
    found = network.digest(network.prefix("attestation") + packed)
    assert found.hex() == case["post"]["attestation"]


@pytest.mark.parametrize("case", cases("headers/vectors.json"))
def test_headers(case):
    raw, network = bytes.fromhex(case["input"]), network_of(case)
    if "post" not in case:
        assert code_of(independent.read, independent.HEADER, raw) == case["code"]
        return
    post = case["post"]
    fields = independent.read(independent.HEADER, raw)
    assert [v.hex() if isinstance(v, bytes) else v for v in fields] == post["fields"]
    assert network.header_hash(raw).hex() == post["hash"]
    suite, *seal = post["seal"]
    key, signature = map(bytes.fromhex, seal)
    assert independent.verifies(suite, key, signature, network.prefix("header") + raw)


def test_roots_of_lists_and_states():
    for case in load("merkle/vectors.json"):
        network = network_with_hash(case["hash"])
        leaves = [bytes.fromhex(leaf) for leaf in case["pre"]["leaves"]]
        assert network.list_root(leaves).hex() == case["post"]["root"]
    for case in load("state_tree/vectors.json"):
        network = network_with_hash(case["hash"])
        entries = sorted(
            (bytes.fromhex(key), bytes.fromhex(value))
            for key, value in case["pre"]["entries"].items()
        )
        assert network.node(entries, 0)[0].hex() == case["pre"]["root"]


def network_with_hash(name: str) -> independent.Network:
    return NETWORKS["vectors" if name == "sha256" else "vectors-sm3"]


@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_a_stream_executes_to_the_recorded_headers_and_receipts(name):
    stream = load(f"streams/{name}.json")
    network = network_of(stream)
    machine = independent_machine.Machine(network)
    for block in stream["blocks"]:
        given, post = block["input"], block["post"]
        if given["height"] == 0:
            header, receipts, _ = machine.apply_genesis()
            outcomes = []
        else:
            batches = [bytes.fromhex(raw) for raw in given["batches"]]
            header, receipts, _, outcomes = machine.apply(
                given["height"], given["time_ms"], batches
            )
        assert outcomes == post["outcomes"], given["height"]
        assert [raw.hex() for raw in receipts] == post["receipts"]
        assert header.hex() == post["header"]
        assert network.header_hash(header).hex() == post["header_hash"]
    rows = {
        key.hex(): independent.pack(row).hex()
        for key, row in sorted(machine.rows.committed.items())
    }
    assert rows == stream["post"]["rows"]
    assert (
        network.state_root({bytes.fromhex(k): bytes.fromhex(v) for k, v in rows.items()}).hex()
        in (stream["blocks"][-1]["post"]["header"])
    )


@pytest.mark.parametrize("case", cases("receipts/vectors.json"))
def test_receipt_files(case):
    raw = bytes.fromhex(case["input"])
    if "post" not in case:
        assert code_of(independent_receipt.verify, raw) == case["code"]
        return
    assert independent_receipt.verify(raw) == case["post"]
    assert independent_receipt.verify(raw, bytes.fromhex(case["post"]["genesis_hash"]))
    assert code_of(independent_receipt.verify, raw, bytes(32)) == "SIGNATURE"


@pytest.mark.parametrize("case", cases("evidence/vectors.json"))
def test_evidence_files(case):
    raw = case["input"].encode()
    if "post" not in case:
        assert code_of(independent_evidence.verify, raw) == case["code"]
        return
    assert independent_evidence.verify(raw) == case["post"]
    assert independent_evidence.verify(raw, network_of(case).genesis_hash)
    assert code_of(independent_evidence.verify, raw, bytes(32)) == "SIGNATURE"


@pytest.mark.parametrize("case", cases("snapshots/vectors.json"))
def test_snapshots(case):
    trusted = case["pre"]["header_hash"]
    arguments = (
        bytes.fromhex(case["pre"]["genesis"]),
        bytes.fromhex(case["input"]["manifest"]),
        [bytes.fromhex(chunk) for chunk in case["input"]["chunks"]],
        trusted and bytes.fromhex(trusted),
    )
    if "post" in case:
        assert independent_snapshot.read_snapshot(*arguments) == case["post"]
    else:
        assert code_of(independent_snapshot.read_snapshot, *arguments)
