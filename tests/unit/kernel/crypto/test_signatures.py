"""Every suite against its vectors and against a second library."""

import hashlib
import json
from pathlib import Path

import pytest
from coincurve import PrivateKey as CoincurvePrivateKey
from coincurve import PublicKey as CoincurvePublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hansa.kernel.crypto.signatures import (
    SignatureCheck,
    Suite,
    check_public_key,
    compute_low_s,
    is_private_key,
    public_key_of,
    sign,
    verify_many,
)
from hansa.kernel.errors import Invalid, InvalidCode

VECTORS = Path(__file__).parents[3] / "vectors" / "signatures"
CURVES = {Suite.P256: ec.SECP256R1(), Suite.SECP256K1: ec.SECP256K1()}
HALF_ORDERS = {
    Suite.P256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2,
    Suite.SECP256K1: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2,
}


def load(name):
    cases = json.loads((VECTORS / name).read_text())
    return [pytest.param(case["input"], case.get("post"), id=case["name"]) for case in cases]


def check_of(fields):
    public_key, signature, message = (
        bytes.fromhex(fields[name]) for name in ("public_key", "signature", "message")
    )
    return SignatureCheck(fields["suite"], public_key, signature, message)


def samples():
    for index in range(20):
        seed = hashlib.sha256(b"ecdsa %d" % index).digest()
        yield seed, hashlib.shake_128(seed).digest(index * 11)


@pytest.mark.parametrize(("fields", "post"), load("verify.json"))
def test_verify(fields, post):
    assert verify_many([check_of(fields)]) == [post is not None]


@pytest.mark.parametrize(("fields", "post"), load("sign.json"))
def test_sign(fields, post):
    suite, message = fields["suite"], bytes.fromhex(fields["message"])
    private_key = bytes.fromhex(fields["private_key"])
    assert is_private_key(suite, private_key) == (post is not None)
    if post is None:
        for attempt in (
            lambda: sign(suite, private_key, message),
            lambda: public_key_of(suite, private_key),
        ):
            with pytest.raises(Invalid) as raised:
                attempt()
            assert raised.value.code in {InvalidCode.SUITE, InvalidCode.MALFORMED}
        return
    public_key, signature = bytes.fromhex(post["public_key"]), bytes.fromhex(post["signature"])
    assert public_key_of(suite, private_key) == public_key
    assert sign(suite, private_key, message) == signature
    assert verify_many([SignatureCheck(suite, public_key, signature, message)]) == [True]


@pytest.mark.parametrize(("fields", "post"), load("public_keys.json"))
def test_public_key(fields, post):
    suite, public_key = fields["suite"], bytes.fromhex(fields["public_key"])
    if post is None:
        with pytest.raises(Invalid) as raised:
            check_public_key(suite, public_key)
        assert raised.value.code == InvalidCode.PUBLIC_KEY
    else:
        check_public_key(suite, public_key)
        check_public_key(suite, public_key)


def test_verdicts_stand_in_the_order_of_the_checks():
    cases = json.loads((VECTORS / "verify.json").read_text())
    checks = [check_of(case["input"]) for case in cases]
    assert verify_many(checks) == ["post" in case for case in cases]
    assert verify_many(checks[::-1]) == ["post" in case for case in cases[::-1]]
    assert verify_many([]) == []


@pytest.mark.parametrize("suite", CURVES)
def test_our_ecdsa_signatures_verify_in_openssl(suite):
    for seed, message in samples():
        public_key, signature = public_key_of(suite, seed), sign(suite, seed, message)
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        point = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[suite], public_key)
        point.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
        assert s <= HALF_ORDERS[suite]


@pytest.mark.parametrize("suite", CURVES)
def test_openssl_signatures_verify_here_once_their_s_is_low(suite):
    were_high = 0
    for seed, message in samples():
        private_key = ec.derive_private_key(int.from_bytes(seed, "big"), CURVES[suite])
        public_key = private_key.public_key().public_bytes(
            Encoding.X962, PublicFormat.CompressedPoint
        )
        algorithm = ec.ECDSA(SHA256(), deterministic_signing=True)
        r, s = decode_dss_signature(private_key.sign(message, algorithm))
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        is_high = s > HALF_ORDERS[suite]
        were_high += is_high
        assert public_key == public_key_of(suite, seed)
        assert verify_many([SignatureCheck(suite, public_key, raw, message)]) == [not is_high]
        # RFC 6979 on both sides: after lowering s, the libraries agree to the byte.
        assert compute_low_s(suite, raw) == sign(suite, seed, message)
    assert 0 < were_high < 20


def test_secp256k1_agrees_with_coincurve_as_p256_does_with_openssl():
    for seed, message in samples():
        key = CoincurvePrivateKey(seed)
        r, s = decode_dss_signature(key.sign(message))
        assert key.public_key.format() == public_key_of(Suite.SECP256K1, seed)
        assert sign(Suite.SECP256K1, seed, message) == r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_low_s_is_for_ecdsa_and_for_64_bytes():
    with pytest.raises(Invalid) as raised:
        compute_low_s(Suite.ED25519, bytes(64))
    assert raised.value.code == InvalidCode.SUITE
    with pytest.raises(Invalid) as raised:
        compute_low_s(Suite.P256, bytes(63))
    assert raised.value.code == InvalidCode.SIGNATURE


def test_no_message_holds_a_private_key():
    private_key = b"\xab" * 31
    for suite in Suite:
        with pytest.raises(Invalid) as raised:
            sign(suite, private_key, b"")
        shown = f"{raised.value!r} {raised.value.facts!r}"
        assert "abab" not in shown
        assert "\\xab" not in shown


@pytest.mark.parametrize("suite", CURVES)
def test_the_libraries_differ_on_a_high_s_and_we_refuse_it(suite):
    """OpenSSL accepts both forms; libsecp256k1 and we accept the low one alone."""
    for seed, message in samples():
        public_key, low = public_key_of(suite, seed), sign(suite, seed, message)
        r, s = (int.from_bytes(half, "big") for half in (low[:32], low[32:]))
        order = 2 * HALF_ORDERS[suite] + 1
        der = encode_dss_signature(r, order - s)
        point = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[suite], public_key)
        point.verify(der, message, ec.ECDSA(SHA256()))
        high = low[:32] + (order - s).to_bytes(32, "big")
        assert verify_many([SignatureCheck(suite, public_key, high, message)]) == [False]
        assert compute_low_s(suite, high) == compute_low_s(suite, low) == low
        if suite == Suite.SECP256K1:
            assert not CoincurvePublicKey(public_key).verify(der, message)


def test_openssl_and_libsecp256k1_agree_on_every_low_s_vector():
    cases = json.loads((VECTORS / "verify.json").read_text())
    compared = 0
    for case in cases:
        suite, public_key, signature, message = check_of(case["input"])
        s = int.from_bytes(signature[32:], "big")
        if suite != Suite.SECP256K1 or len(signature) != 64 or s > HALF_ORDERS[suite]:
            continue
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), s)
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[suite], public_key)
            point.verify(der, message, ec.ECDSA(SHA256()))
            openssl = len(public_key) == 33
        except (InvalidSignature, ValueError):
            openssl = False
        assert openssl == ("post" in case), case["name"]
        compared += 1
    assert compared > 2
