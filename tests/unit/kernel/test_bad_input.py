"""Every bad input gets its own clear error and changes nothing but its sponsor's usage."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import sys
from pathlib import Path

import msgspec
import pytest
from tests.vectors.make_blocks import Nodes
from tests.vectors.parts import NETWORKS, START_MS, Forge
from tests.vectors.tally import Rules
from tests.world import key, make_genesis, open_world, pay

from hansa.contracts import governance
from hansa.contracts.actions import Action, ReinstateMember, SuspendMember
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.storage import FileStorage
from hansa.engine.verification import InlineVerifier
from hansa.kernel.block import decode_receipt
from hansa.kernel.crypto.signatures import Suite, compute_low_s, verify_many
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid
from hansa.kernel.genesis import Limits, Network
from hansa.kernel.machine.execution import Block, Machine
from hansa.kernel.machine.state import State
from hansa.kernel.transaction import (
    Signature,
    build_checked,
    build_envelope,
    check_batch,
    check_envelope,
)
from hansa.kernel.trees.state_tree import StateTree

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
MONEY = json.loads((VECTORS / "money/vectors.json").read_text())
ENVELOPES = json.loads((VECTORS / "envelopes/vectors.json").read_text())
BATCHES = json.loads((VECTORS / "batches/vectors.json").read_text())
NAMES = ("ann", "bob", "shop")
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = open_world(FileStorage(tmp_path_factory.mktemp("log")), make_genesis())
    world.fund(*NAMES)
    world.time_ms += 1_000
    world.apply()
    yield world
    world.chain.close()


def sign(world, names, calls) -> bytes:
    """Sign calls whose arguments are bytes, whatever they say."""
    world.nonces += 1
    keys = [key(name) for name in names]
    raw = [(contract, word, msgspec.Raw(bytes.fromhex(a))) for contract, word, a in calls]
    nonce = world.nonces.to_bytes(16, "big")
    body = encode((1, [each.address for each in keys], nonce, world.time_ms + 5_000, raw))
    message = world.network.tx_prefix + body
    signatures = [Signature(int(k.suite), k.public_key, k.sign(message)) for k in keys]
    return build_envelope(body, signatures)


def test_the_world_is_as_the_vectors_of_money_say(world):
    addresses = MONEY["pre"]["addresses"]
    assert {name: key(name).address.hex() for name in addresses} == addresses
    assert {name: list(world.balance(name)) for name in NAMES} == MONEY["pre"]["balances"]


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in MONEY["cases"]])
def test_money_that_must_not_move(world, case):
    world.time_ms += 1_000  # each block is a checkpoint, so what it wrote can be seen
    envelope = sign(world, case["input"]["signers"], case["input"]["calls"])
    (answer,) = world.send(envelope)
    assert answer.code == case["code"]
    assert isinstance(answer, Invalid) == ("." not in case["code"])
    if isinstance(answer, Invalid):
        assert answer.message
    else:
        assert answer.events == []
    result = world.results[-1]
    assert set(result.committed) == {b"su" + key("north").address}
    assert {name: list(world.balance(name)) for name in NAMES} == MONEY["pre"]["balances"]


class Bench:
    """A machine on the vectors' network, in memory."""

    def __init__(self, name: str) -> None:
        self.network = NETWORKS[name]
        rules = Rules(self.network.genesis)
        tree = StateTree(Nodes(), self.network.digest)
        self.machine = Machine(self.network, rules, State({}), tree)
        self.machine.apply_genesis()
        self.time_ms = START_MS

    def apply(self, raw: bytes):
        verdict = check_batch(raw, self.network, verify_many)
        checked = build_checked(raw, verdict, self.network)
        self.time_ms += 1_000
        height = self.machine.head.height + 1
        return self.machine.apply_block(Block(height, self.time_ms, [checked]))


def test_no_bad_envelope_changes_anything_on_a_real_machine():
    benches = {name: Bench(name) for name in NETWORKS}
    for case in ENVELOPES:
        if "code" not in case:
            continue
        bench = benches[case["pre"]["network"]]
        forge = Forge(bench.network)
        result = bench.apply(forge.batch(bytes.fromhex(case["input"])))
        assert result.outcomes[0][0].code.value == case["code"], case["name"]
        assert result.receipts == []
        assert set(result.committed) == {b"su" + forge.key("north").address}


def test_a_rejected_batch_does_not_reach_the_machine():
    for case in BATCHES:
        network = NETWORKS[case["pre"]["network"]]
        verdict = check_batch(bytes.fromhex(case["input"]), network, verify_many)
        assert (verdict.rejected is None) == ("post" in case), case["name"]
        if verdict.rejected is not None:
            assert verdict.ids == b""
            assert verdict.rejected.message


def test_a_verdict_on_rubbish_takes_less_than_the_rubbish():
    """It is kept while the batch waits, and nobody pays for it before it is in a block."""
    genesis = msgspec.structs.replace(NETWORKS["vectors"].genesis, limits=Limits())
    network = Network.of(genesis)
    forge = Forge(network)
    good = forge.envelope(forge.key("ann"))
    raw = forge.batch(*[b""] * (Limits().batch_items - 2), bytes([*good[:-1], good[-1] ^ 1]), good)
    verdict = check_batch(raw, network, verify_many)
    assert len(pickle.dumps(verdict)) < len(raw) / 3
    assert deep_bytes(verdict) < len(raw) / 2
    *bad, forged, last = build_checked(raw, verdict, network).items
    assert {error.code for error in bad} == {"MALFORMED"}
    assert deep_bytes(bad) < len(raw) * 3
    assert "alone" in bad[0].message
    assert forged.code == "SIGNATURE"
    assert last.tx_id + last.envelope_hash == check_envelope(good, network)[0]


def deep_bytes(value) -> int:
    """Bytes of memory of all that hangs on a value, each counted once."""
    seen, waiting, total = set(), [value], 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        total += sys.getsizeof(each)
        waiting += gc.get_referents(each)
    return total


def test_a_repetition_is_answered_by_the_first_receipt_and_another_body_by_an_error(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "shop")
    once = world.sign([key("ann")], pay("ann", "shop", 5, "1"))
    world.nonces -= 1
    other = world.sign([key("ann")], pay("ann", "shop", 6, "2"))

    async def submit():
        engine = EmbeddedEngine(
            world.chain, InlineVerifier(world.network), clock_ms=lambda: world.time_ms
        )
        engine.start()
        answers = [await engine.submit(world.batch(raw)) for raw in (once, once, other)]
        await engine.stop()
        return [answer for (answer,) in answers]

    first, again, refused = asyncio.run(submit())
    assert decode_receipt(first.receipt).code == ""
    assert again == first
    assert refused.error.code == "NONCE_USED"
    assert "nonce" in refused.error.message
    assert world.balance("ann") == (99_995, 0)
    world.chain.close()


def test_a_suspended_member_sponsors_nothing_until_it_is_reinstated(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "shop")
    south, bank = key("south").address, key("officer0").address
    codes = []
    for number, (kind, action) in enumerate(
        [("suspend_member", SuspendMember(south)), ("reinstate_member", ReinstateMember(south))], 1
    ):
        proposal = governance.Propose(bank, Action.of(kind, action))
        assert world.do(("officer0", "officer1"), proposal) == ""
        world.time_ms += 20 * DAY_MS
        assert world.do("shop", governance.Execute(number)) == ""
        payment = world.sign([key("ann")], pay("ann", "shop", 5, f"{number}"))
        (outcome,) = world.apply(world.batch(payment, sponsor="south")).outcomes[0]
        codes.append(outcome.code if isinstance(outcome, Invalid) else outcome)
    assert codes == ["UNKNOWN_SPONSOR", 0]
    assert world.balance("ann") == (99_995, 0)
    world.chain.close()


@pytest.mark.parametrize(
    ("sponsor", "signer"), [("stranger", "stranger"), ("north", "stranger"), ("north", "north")]
)
def test_strangers_put_nothing_into_the_log(tmp_path, sponsor, signer):
    """Who is no sponsor has no quota: what it sends must not even cost space on disk."""
    world = open_world(FileStorage(tmp_path), make_genesis())
    raw = world.batch(b"rubbish" * 1_000, sponsor=sponsor, key_name=signer)

    async def submit():
        engine = EmbeddedEngine(
            world.chain, InlineVerifier(world.network), clock_ms=lambda: world.time_ms
        )
        engine.start()
        with pytest.raises(Invalid) as refused:
            await engine.submit(raw)
        await engine.stop()
        return refused.value.code

    assert asyncio.run(submit()) == "UNKNOWN_SPONSOR"
    assert world.chain.head.height == 0
    world.chain.close()


@pytest.mark.parametrize("suite", [Suite.P256, Suite.SECP256K1])
def test_a_browsers_signature_with_a_high_s_is_refused_and_lowered_it_counts(tmp_path, suite):
    """Web browsers give r and s raw, s high half of the time; `compute_low_s` is what to do."""
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "shop")
    order = {
        Suite.P256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        Suite.SECP256K1: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    }[suite]
    phone = key("phone", int(suite))
    envelope = world.sign([phone], pay("ann", "shop", 5, "1"))
    body, [[_, public_key, signature]] = msgspec.msgpack.decode(envelope)
    high = signature[:32] + (order - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    refused, accepted = world.send(
        encode([body, [[int(suite), public_key, high]]]),
        encode([body, [[int(suite), public_key, compute_low_s(suite, high)]]]),
    )
    assert refused.code == "SIGNATURE"
    assert accepted.code == "kernel.NOT_AUTHORIZED"  # signed well, by a key that ann does not have
    world.chain.close()
