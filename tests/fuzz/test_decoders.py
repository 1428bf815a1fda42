"""Whatever bytes a decoder meets, nothing comes out but a value or an error of ours.

The two implementations of the wire are also thrown the same bytes: they must say the same.
`HANSA_SOAK=1` tries fifty times as many examples.
"""

from __future__ import annotations

import os

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.grammar import MESSAGE_PACK, inputs, read_seeds, spoilt
from tests.vectors import independent, independent_light, independent_receipt
from tests.vectors.parts import NETWORKS, Forge

from hansa.contracts.registry import build_contracts
from hansa.engine.record_items import group_dropped
from hansa.kernel.block import decode_header, decode_receipt, decode_record
from hansa.kernel.contract import decode_arguments
from hansa.kernel.crypto.address import decode_bech32m, encode_bech32m, from_text, to_text
from hansa.kernel.crypto.signatures import SignatureCheck, check_public_key, verify_many
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, HansaError, Invalid
from hansa.kernel.frame import check_frame, decode_batch
from hansa.kernel.genesis import Network, decode_genesis
from hansa.kernel.light.trail import decode_checkpoint, encode_checkpoint
from hansa.kernel.light.votes import decode_votes
from hansa.kernel.receipt_file import verify_receipt_file
from hansa.kernel.transaction import build_checked, check_batch, check_envelope, decode_envelope
from hansa.kernel.trees.merkle import compute_root_from_path
from hansa.kernel.trees.state_tree import verify_proof
from hansa.sdk.keys import ScryptCost, load_key, save_key

IS_SOAK = os.environ.get("HANSA_SOAK", "") == "1"
EXAMPLES = hypothesis.settings(max_examples=4_000 if IS_SOAK else 60)
FEWER = hypothesis.settings(max_examples=2_000 if IS_SOAK else 25)
NETWORK = NETWORKS["vectors"]
OTHER = independent.Network(NETWORK.genesis.encoded())

ENVELOPES = read_seeds("envelopes/vectors.json")
BATCHES = read_seeds("batches/vectors.json", "streams/sha256.json")
GENESIS = read_seeds("genesis/vectors.json")
BLOCKS = read_seeds("headers/vectors.json", "receipts/encodings.json", "streams/sha256.json")
FILES = read_seeds("receipts/vectors.json")
VOTES = read_seeds("light/votes.json")
COMMANDS = [
    (contract, word) for contract in build_contracts().values() for word in contract.commands
]


def ours(function, *arguments):
    """Call it; an error of ours is returned, any other gets out and fails the test."""
    try:
        return function(*arguments)
    except HansaError as error:
        return error


def theirs(function, *arguments):
    """Call the second implementation; a refusal is returned as its code."""
    try:
        return function(*arguments)
    except independent.Bad as bad:
        return bad.code


@EXAMPLES
@given(inputs(ENVELOPES))
def test_an_envelope_is_checked_alike_by_both_implementations(raw):
    found = ours(check_envelope, raw, NETWORK)
    ours(decode_envelope, raw)
    if isinstance(found, Invalid):
        code = found.code.value
    else:
        code = "" if all(verify_many(found[1])) else "SIGNATURE"
    other = theirs(independent.check_envelope, OTHER, raw)
    assert code == (other if isinstance(other, str) else "")
    if not code:
        assert found[0] == other.tx_id + other.hash


@EXAMPLES
@given(MESSAGE_PACK, st.booleans())
def test_arguments_are_judged_alike_by_both_implementations(raw, is_array):
    """Signed properly, so that only what the arguments are is asked."""
    forge = Forge(NETWORK)
    ann = forge.key("ann")
    arguments = b"\x91" + raw if is_array else raw
    body = encode(forge.fields(ann, calls=[["tally", "add", []]]))[:-1] + arguments
    envelope = forge.seal(body, ann)
    found = ours(check_envelope, envelope, NETWORK)
    other = theirs(independent.check_envelope, OTHER, envelope)
    assert isinstance(other, str) == isinstance(found, Invalid)
    if isinstance(other, str):
        assert found.code.value == other


@EXAMPLES
@given(inputs(BATCHES))
def test_a_batch_is_checked_alike_by_both_implementations(raw):
    verdict = check_batch(raw, NETWORK, verify_many)
    found = ours(build_checked, raw, verdict, NETWORK)
    other = theirs(independent.check_batch, OTHER, raw)
    frame = ours(check_frame, raw, NETWORK, verify_many)
    if isinstance(other, str):
        assert found.code.value == frame.code.value == other
        return
    assert frame.claim == found.claim
    ends = [item.body.valid_until_ms for item in found.items if not isinstance(item, Invalid)]
    assert all(end <= frame.last_end_ms for end in ends)
    theirs_ms = [independent.find_end(item.envelope) for item in decode_batch(raw)[1].items]
    said = [end for end in theirs_ms if end is not None]
    assert frame.last_end_ms == max(said, default=-1)
    codes = [item.code.value if isinstance(item, Invalid) else "" for item in found.items]
    assert codes == [item if isinstance(item, str) else "" for item in other.items]


@EXAMPLES
@given(inputs(GENESIS))
def test_a_genesis(raw):
    found = ours(decode_genesis, raw)
    if not isinstance(found, HansaError):
        assert found.encoded() == raw
        assert len(Network.of(found).genesis_hash) == 32


@EXAMPLES
@given(inputs(BLOCKS))
def test_headers_and_receipts(raw):
    for decode in (decode_header, decode_receipt):
        found = ours(decode, raw)
        assert isinstance(found, Invalid) or encode(found) == raw


@FEWER
@given(inputs(BLOCKS), st.lists(MESSAGE_PACK | st.just(b"\x90"), min_size=5, max_size=5))
def test_block_records(raw, fields):
    """A log's checksum holds, yet what it holds is none of ours: that is `Corrupt`."""
    for each in (raw, b"\x96" + encode(raw) + b"".join(fields)):
        found = ours(decode_record, each)
        if isinstance(found, HansaError):
            assert isinstance(found, Corrupt)
        else:
            assert isinstance(ours(group_dropped, found), Corrupt | list)


@EXAMPLES
@given(inputs(FILES))
def test_receipt_files(raw):
    found = ours(verify_receipt_file, raw)
    assert isinstance(found, Invalid) or raw in FILES
    other = theirs(independent_receipt.verify, raw)
    assert isinstance(other, str) == isinstance(found, Invalid)


@EXAMPLES
@given(inputs(VOTES))
def test_votes_are_read_alike_by_both_implementations(raw):
    found = ours(decode_votes, raw)
    other = theirs(independent.read, independent_light.VOTES, raw)
    if isinstance(other, str):
        assert found.code.value == other
    else:
        assert encode(found) == raw


@EXAMPLES
@given(inputs(VOTES))
def test_checkpoints_are_read_alike_by_both_implementations(raw):
    found = ours(decode_checkpoint, raw)
    other = theirs(independent_light.read_checkpoint, raw)
    if isinstance(other, str):
        assert found.code.value == other
    else:
        assert encode_checkpoint(found) == raw


@FEWER
@given(st.data())
def test_arguments_of_every_command(data):
    contract, word = data.draw(st.sampled_from(COMMANDS))
    entry = contract.commands[word]
    count = len(entry.command.__struct_fields__)
    fields = data.draw(st.lists(MESSAGE_PACK, min_size=count, max_size=count))
    raw = data.draw(st.sampled_from([bytes([0x90 | count]) + b"".join(fields), b"".join(fields)]))
    found = ours(decode_arguments, contract, word, entry, raw)
    assert isinstance(found, Invalid | entry.command)


@EXAMPLES
@given(st.integers(-1, 4), st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=9))
def test_keys_and_signatures(suite, public_key, signature, message):
    ours(check_public_key, suite, public_key)
    (verdict,) = verify_many([SignatureCheck(suite, public_key, signature, message)])
    assert verdict is False


TEXTS = st.text(max_size=100) | st.binary(min_size=32, max_size=32).map(to_text)


@EXAMPLES
@given(TEXTS, st.integers(0, 63), st.characters())
def test_addresses_as_text(text, at, letter):
    for each in (text, text[:at] + letter + text[at + 1 :]):
        found = ours(from_text, each)
        if isinstance(found, bytes):
            assert to_text(found) in (each, each.lower())
        decoded = ours(decode_bech32m, each)
        if not isinstance(decoded, HansaError):
            assert encode_bech32m(*decoded) in (each, each.lower())


HASHES = st.sampled_from([bytes(32), b"\1" * 32, b"", bytes(31)]) | st.binary(max_size=33)


@EXAMPLES
@given(HASHES, HASHES, HASHES | st.none(), st.lists(st.binary(max_size=700), max_size=4))
def test_proofs(root, key, value, proof):
    ours(verify_proof, root, key, value, proof, NETWORK.digest)
    if proof:
        ours(verify_proof, NETWORK.digest(proof[0]), key, value, proof, NETWORK.digest)


@EXAMPLES
@given(st.integers(-1, 2**70), st.integers(-1, 2**70), st.lists(HASHES, max_size=70))
def test_paths(index, count, path):
    found = ours(compute_root_from_path, b"leaf", index, count, path, NETWORK.digest)
    assert isinstance(found, Invalid) or len(found) == 32


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "key.json"
    save_key(path, Forge(NETWORK).key("ann"), "passphrase", cost=ScryptCost(2, 1, 1))
    return path, path.read_bytes()


JSON_TOKENS = [
    b"1e999",
    b"-1",
    b"NaN",
    b"[" * 2_000,
    b'"\\ud800"',
    b'"\xff"',
    b"18446744073709551616",
]


@EXAMPLES
@given(st.data())
def test_key_files(key_file, data):
    path, good = key_file
    mutated = data.draw(st.one_of(st.binary(max_size=300), spoilt([good])))
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from([b'"n":', b'"version":', b'"salt":', b'"suite":']))
        token = data.draw(st.sampled_from(JSON_TOKENS))
        start = good.index(name) + len(name)
        mutated = good[:start] + token + good[good.index(b"\n", start) - 1 :]
    path.write_bytes(mutated)
    found = ours(load_key, path, "passphrase")
    assert isinstance(found, HansaError) or found == Forge(NETWORK).key("ann")
