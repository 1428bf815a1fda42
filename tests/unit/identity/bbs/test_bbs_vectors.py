"""BBS against the fixtures of its draft: every value byte for byte, every wrong one refused."""

import json
from pathlib import Path

import pytest
from py_arkworks_bls12381 import G1Point

from hansa.identity.bbs.ciphersuites import BBS_SHA_256, BBS_SHAKE_256, SCALAR_HASH_BYTES
from hansa.identity.bbs.generators import get_generators
from hansa.identity.bbs.proofs import Shown, create_proof, verify_proof
from hansa.identity.bbs.secret_keys import derive_secret_key, load_secret_key
from hansa.identity.bbs.signatures import Signed, sign, verify_signed
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey

FOLDER = Path(__file__).resolve().parents[3] / "vectors" / "bbs"
SUITES = {"sha": BBS_SHA_256, "shake": BBS_SHAKE_256}
SEED = "332e313431353932363533353839373933323338343632363433333833323739"
"""Of the mocked randomness of all proofs."""


def read(suite, name):
    return json.loads((FOLDER / f"bls12-381-{suite}-256" / f"{name}.json").read_text())


def list_cases(kind):
    return [
        pytest.param(suite, f"{kind}/{path.stem}", id=f"{suite}-{path.stem}")
        for suite in SUITES
        for path in sorted((FOLDER / f"bls12-381-{suite}-256" / kind).iterdir())
    ]


def unhex(texts):
    return [bytes.fromhex(text) for text in texts]


def mock_draw(suite, count):
    """Draw what the draft's mocked generator gives, 48 bytes a scalar."""
    tag = suite.api_id + b"MOCK_RANDOM_SCALARS_DST_"
    data = suite.expand_message(bytes.fromhex(SEED), tag, SCALAR_HASH_BYTES * count)
    parts = iter(range(0, len(data), SCALAR_HASH_BYTES))

    def draw(length):
        start = next(parts)
        return data[start : start + length]

    return draw


@pytest.mark.parametrize("name", SUITES)
def test_generators(name):
    case = read(name, "generators")
    generators = get_generators(SUITES[name], 10)
    assert SUITES[name].base_point.to_compressed_bytes().hex() == case["P1"]
    assert generators.encoded.hex() == case["Q1"] + "".join(case["MsgGenerators"])
    assert [each.to_compressed_bytes().hex() for each in generators.points[1:]] == case[
        "MsgGenerators"
    ]


def test_hashing_to_points_agrees_with_the_library_where_it_knows_the_suite():
    ours = BBS_SHA_256.hash_to_point(b"message", b"SIG_GENERATOR_DST_")
    tag = BBS_SHA_256.api_id + b"SIG_GENERATOR_DST_"
    assert ours == G1Point.hash_to_curve(b"message", tag)


@pytest.mark.parametrize("name", SUITES)
def test_keys(name):
    case, suite = read(name, "keypair"), SUITES[name]
    assert bytes.fromhex(case["keyDst"]) == suite.api_id + b"KEYGEN_DST_"
    key = derive_secret_key(suite, *unhex([case["keyMaterial"], case["keyInfo"]]))
    assert key.secret.hex() == case["keyPair"]["secretKey"]
    assert key.public_key.data.hex() == case["keyPair"]["publicKey"]


@pytest.mark.parametrize("name", SUITES)
def test_hashes_to_scalars(name):
    case, suite = read(name, "h2s"), SUITES[name]
    scalar = suite.hash_to_scalar(bytes.fromhex(case["message"]), b"H2S_")
    assert scalar.to_be_bytes().hex() == case["scalar"]
    for each in read(name, "MapMessageToScalarAsHash")["cases"]:
        scalar = suite.map_message(bytes.fromhex(each["message"]))
        assert scalar.to_be_bytes().hex() == each["scalar"]


@pytest.mark.parametrize("name", SUITES)
def test_the_mocked_randomness(name):
    case = read(name, "mockedRng")
    assert case["seed"] == SEED
    draw = mock_draw(SUITES[name], case["count"])
    order = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
    for expected in case["mockedScalars"]:
        scalar = int.from_bytes(draw(SCALAR_HASH_BYTES), "big") % order
        assert scalar.to_bytes(32, "big").hex() == expected


@pytest.mark.parametrize(("name", "path"), list_cases("signature"))
def test_signatures(name, path):
    case, suite = read(name, path), SUITES[name]
    pair, messages = case["signerKeyPair"], unhex(case["messages"])
    header, signature = unhex([case["header"], case["signature"]])
    public_key = PublicKey(KeyKind.BLS12_381_G2, bytes.fromhex(pair["publicKey"]))
    signed = Signed(public_key, header, messages, signature)
    if not case["result"]["valid"]:
        with pytest.raises(Unsound) as caught:
            verify_signed(suite, signed)
        assert caught.value.fault is Fault.SIGNATURE
        return
    verify_signed(suite, signed)
    key = load_secret_key(bytes.fromhex(pair["secretKey"]))
    assert key.public_key == public_key
    assert sign(suite, key, header, messages) == signature


@pytest.mark.parametrize(("name", "path"), list_cases("proof"))
def test_proofs(name, path):
    case, suite = read(name, path), SUITES[name]
    header, presented, proof = unhex([case["header"], case["presentationHeader"], case["proof"]])
    public_key = PublicKey(KeyKind.BLS12_381_G2, bytes.fromhex(case["signerPublicKey"]))
    messages = unhex(case["messages"])
    disclosed = {index: messages[index] for index in case["disclosedIndexes"]}
    shown = Shown(public_key, header, presented, disclosed)
    if not case["result"]["valid"]:
        with pytest.raises(Unsound) as caught:
            verify_proof(suite, shown, proof)
        assert caught.value.fault is Fault.SIGNATURE
        return
    verify_proof(suite, shown, proof)
    signed = Signed(public_key, header, messages, bytes.fromhex(case["signature"]))
    draw = mock_draw(suite, 5 + len(messages) - len(disclosed))
    assert create_proof(suite, signed, case["disclosedIndexes"], presented, draw) == proof
