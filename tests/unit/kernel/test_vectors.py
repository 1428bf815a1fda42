"""The kernel against its vectors, read from JSON alone; and the files against their maker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.vectors.generate import FAMILIES, render
from tests.vectors.make_blocks import Nodes
from tests.vectors.tally import Rules

from hansa.kernel.authority import Account, Purpose
from hansa.kernel.block import Repeated, decode_header, decode_receipt
from hansa.kernel.crypto.hashing import crypto_profile
from hansa.kernel.crypto.possession import KeyProof, is_proven
from hansa.kernel.crypto.signatures import SignatureCheck, verify_many
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode, Refused
from hansa.kernel.frame import check_frame
from hansa.kernel.genesis import Network, decode_genesis
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.execution import Block, Machine
from hansa.kernel.machine.nonces import ReplayWindow
from hansa.kernel.machine.state import State, View
from hansa.kernel.rows import Row
from hansa.kernel.transaction import (
    build_checked,
    check_batch,
    check_envelope,
    compute_attestation,
    compute_tx_id,
    decode_envelope,
)
from hansa.kernel.trees.state_tree import StateTree

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def load(name: str):
    return json.loads((VECTORS / name).read_text())


def cases(name: str):
    return [pytest.param(case, id=case["name"]) for case in load(name)]


NETWORKS = {
    name: Network.of(decode_genesis(bytes.fromhex(raw)))
    for name, raw in load("genesis/networks.json").items()
}


def network_of(case) -> Network:
    return NETWORKS[case["pre"]["network"]]


def code_of(function, *arguments) -> str:
    with pytest.raises(Invalid) as error:
        function(*arguments)
    assert error.value.message
    return error.value.code.value


@pytest.mark.parametrize("name", FAMILIES)
def test_the_files_are_what_their_maker_makes(name):
    assert (VECTORS / name).read_text() == render(name), "run python -m tests.vectors.generate"


@pytest.mark.parametrize("case", cases("genesis/vectors.json"))
def test_genesis(case):
    raw = bytes.fromhex(case["input"])
    if "post" not in case:
        assert code_of(decode_genesis, raw) == case["code"]
        return
    network = Network.of(decode_genesis(raw))
    assert network.genesis.encoded() == raw
    assert network.genesis.hash == case["post"].pop("hash")
    for name, value in case["post"].items():
        assert getattr(network, name).hex() == value


def check_signed(raw: bytes, network: Network) -> bytes:
    """All stateless checks, signatures included; returns both ids."""
    ids, checks = check_envelope(raw, network)
    if not all(verify_many(checks)):
        raise Invalid(InvalidCode.SIGNATURE, "a signature does not verify")
    return ids


@pytest.mark.parametrize("case", cases("envelopes/vectors.json"))
def test_envelopes(case):
    raw, network = bytes.fromhex(case["input"]), network_of(case)
    if "post" not in case:
        assert code_of(check_signed, raw, network) == case["code"]
        return
    post = case["post"]
    assert check_signed(raw, network).hex() == post["tx_id"] + post["envelope_hash"]
    envelope, _ = decode_envelope(raw)
    assert (network.tx_prefix + envelope.body).hex() == post["signed_message"]
    assert compute_tx_id(network, envelope.body).hex() == post["tx_id"]
    assert encode(envelope) == raw


@pytest.mark.parametrize("case", cases("batches/vectors.json"))
def test_batches(case):
    raw, network = bytes.fromhex(case["input"]), network_of(case)
    verdict = check_batch(raw, network, verify_many)
    if "post" not in case:
        assert code_of(build_checked, raw, verdict, network) == case["code"]
        return
    batch, post = build_checked(raw, verdict, network), case["post"]
    assert (batch.sponsor.hex(), batch.key_address.hex()) == (post["sponsor"], post["key_address"])
    assert [
        {"code": item.code.value}
        if isinstance(item, Invalid)
        else {"tx_id": item.tx_id.hex(), "envelope_hash": item.envelope_hash.hex()}
        for item in batch.items
    ] == post["items"]
    ends = [end for end in post["ends_ms"] if end is not None]
    frame = check_frame(raw, network, verify_many)
    assert frame.last_end_ms == max(ends, default=-1)


def test_every_refused_envelope_harms_no_other_of_its_batch():
    """All bad envelopes of a network in batches with one good one, each told by its own code."""
    from tests.vectors.parts import Forge  # noqa: PLC0415 - makes batches here, no vectors

    network = NETWORKS["vectors"]
    forge = Forge(network)
    good = forge.envelope(forge.key("ann"))
    listed = [
        case
        for case in load("envelopes/vectors.json")
        if "code" in case and network_of(case) is network
    ]
    for start in range(0, len(listed), 8):
        chunk = listed[start : start + 8]
        raw = forge.batch(*[bytes.fromhex(case["input"]) for case in chunk], good)
        items = build_checked(raw, check_batch(raw, network, verify_many), network).items
        assert [item.code.value for item in items[:-1]] == [case["code"] for case in chunk]
        assert not isinstance(items[-1], Invalid)


@pytest.mark.parametrize("case", cases("attestations/vectors.json"))
def test_attestations(case):
    import msgspec  # noqa: PLC0415 - only here

    given = {name: bytes.fromhex(value) for name, value in case["input"].items()}
    decision = msgspec.msgpack.decode(given["decision"])
    found = compute_attestation(network_of(case), given["tx_id"], given["salt"], *decision)
    assert found.hex() == case["post"]["attestation"]


@pytest.mark.parametrize("case", cases("possession/vectors.json"))
def test_possession(case):
    given = {name: bytes.fromhex(value) for name, value in case["input"].items()}
    proof = KeyProof(given["public_key"], given["signature"])
    assert is_proven(proof, network_of(case).genesis_hash, given["member"]) is ("post" in case)
    if "post" in case:
        assert proof.peer.hex() == case["post"]["peer"]


@pytest.mark.parametrize("case", cases("headers/vectors.json"))
def test_headers(case):
    raw, network = bytes.fromhex(case["input"]), network_of(case)
    if "post" not in case:
        assert code_of(decode_header, raw) == case["code"]
        return
    header, post = decode_header(raw), case["post"]
    assert header.encoded() == raw
    fields = [getattr(header, name) for name in header.__struct_fields__]
    shown = [value.hex() if isinstance(value, bytes) else value for value in fields]
    assert shown == post["fields"]
    message = network.header_prefix + raw
    assert network.digest(message).hex() == post["hash"]
    suite, public_key, signature = post["seal"]
    check = SignatureCheck(suite, bytes.fromhex(public_key), bytes.fromhex(signature), message)
    assert verify_many([check]) == [True]


@pytest.mark.parametrize("case", cases("receipts/encodings.json"))
def test_receipts(case):
    raw = bytes.fromhex(case["input"])
    if "post" not in case:
        assert code_of(decode_receipt, raw) == case["code"]
        return
    receipt = decode_receipt(raw)
    assert encode(receipt) == raw
    assert {"status": receipt.status, "code": receipt.code} == case["post"]


@pytest.mark.parametrize("case", cases("accounts/rows.json"))
def test_rows(case):
    post = case["post"]
    if "row" not in post:
        parts = [bytes.fromhex(p) if len(str(p)) == 64 else p for p in case["input"]]
        assert Row.key(*parts).hex() == post["key"]
    elif post["key"].startswith(b"ac".hex()):
        from hansa.kernel.rows import decode_row  # noqa: PLC0415 - only here

        row = decode_row(Account, bytes.fromhex(post["row"]))
        assert (row.row_key().hex(), encode(row).hex()) == (post["key"], post["row"])


@pytest.mark.parametrize("case", cases("accounts/authority.json"))
def test_authority(case):
    given, row = case["input"], case["pre"]["row"]
    address = bytes.fromhex(given["address"])
    rows = {} if row is None else {Account.key(address): bytes.fromhex(row)}
    view = View(State(rows), 9, 9)
    context = Context(
        view,
        genesis_hash=bytes(32),
        digest=crypto_profile("sha256").digest,
        height=1,
        time_ms=1,
        position=1 << 20,
        tx_id=bytes(32),
        signers=tuple(map(bytes.fromhex, given["signers"])),
        sponsor=address,
        attestation=None,
    )
    code = ""
    try:
        context.require(address, Purpose(given["purpose"]), given["amount_minor"])
    except Refused as refusal:
        code = refusal.code.value
    assert code == case.get("code", "")
    assert ("post" in case) == (code == "")


def test_nonces():
    window = ReplayWindow(NETWORKS["vectors"].digest)
    for case in load("nonces/vectors.json"):
        given = case["input"]
        signer, nonce = bytes.fromhex(given["signer"]), bytes.fromhex(given["nonce"])
        is_new = window.add(signer, nonce, given["valid_until_ms"], given["time_ms"])
        assert is_new == case["post"]["is_new"], case["name"]


class Replay:
    """A machine of its own that executes a recorded stream; `is_forgetful` keeps no caches."""

    def __init__(self, network: Network, *, is_forgetful: bool = False) -> None:
        self.network = network
        self.rows: dict[bytes, bytes] = {}
        bounds = ({"rows_max": 0}, {"cache_nodes": 2}) if is_forgetful else ({}, {})
        state = State(self.rows, **bounds[0])
        tree = StateTree(Nodes(), network.digest, **bounds[1])
        self.machine = Machine(network, Rules(network.genesis), state, tree)

    def execute(self, given):
        if given["height"] == 0:
            result = self.machine.apply_genesis()
        else:
            raws = map(bytes.fromhex, given["batches"])
            checked = [
                build_checked(raw, check_batch(raw, self.network, verify_many), self.network)
                for raw in raws
            ]
            result = self.machine.apply_block(Block(given["height"], given["time_ms"], checked))
        for key, row in (result.committed or {}).items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        return result


def tell(outcome) -> int | str:
    if isinstance(outcome, Invalid):
        return outcome.code.value
    return "repeated " + outcome.tx_id.hex() if isinstance(outcome, Repeated) else outcome


@pytest.mark.parametrize("is_forgetful", [False, True])
@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_a_stream_executes_to_the_recorded_headers_and_receipts(name, is_forgetful):
    stream = load(f"streams/{name}.json")
    replay = Replay(network_of(stream), is_forgetful=is_forgetful)
    for block in stream["blocks"]:
        result, post = replay.execute(block["input"]), block["post"]
        assert [[tell(each) for each in batch] for batch in result.outcomes] == post["outcomes"]
        assert [raw.hex() for raw in result.receipts] == post["receipts"]
        assert result.header.encoded().hex() == post["header"]
        assert result.header_hash.hex() == post["header_hash"]
        assert len(result.failures) == post["failures"]
    rows = {key.hex(): row.hex() for key, row in sorted(replay.rows.items())}
    assert rows == stream["post"]["rows"]


def test_the_streams_hold_every_outcome_of_execution():
    """So that no code of execution goes without a vector."""
    for name in ("sha256", "sm3"):
        blocks = [block["post"] for block in load(f"streams/{name}.json")["blocks"]]
        outcomes = {each for post in blocks for batch in post["outcomes"] for each in batch}
        codes = {each.partition(" ")[0] for each in outcomes if isinstance(each, str)}
        assert codes == {
            "AMOUNT",
            "ARGUMENTS",
            "EXPIRED",
            "MALFORMED",
            "QUOTA",
            "TOO_FAR_AHEAD",
            "UNKNOWN_SPONSOR",
            "repeated",
        }
        receipts = [
            decode_receipt(bytes.fromhex(raw)) for post in blocks for raw in post["receipts"]
        ]
        assert {receipt.code for receipt in receipts} == {
            "",
            "kernel.FAILED",
            "kernel.KEY_TOO_LONG",
            "kernel.NOT_AUTHORIZED",
            "kernel.OVER_KEY_LIMIT",
            "kernel.TOO_MANY_EVENTS",
            "kernel.TOO_MANY_READS",
            "kernel.TOO_MANY_ROWS",
            "kernel.TOO_MANY_WRITES",
            "kernel.UNKNOWN_COMMAND",
            "tally.FULL",
            "tally.UNKNOWN",
        }
