"""COSE keys and signatures: what others signed verifies; whoever asks for less is refused."""

import tracemalloc
from pathlib import Path

import pytest
from cbor2 import CBORTag
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.cose.keys import ALGORITHMS, read_cose_key, write_cose_key
from hansa.identity.cose.sign1 import CHAIN_MAX, Sign1, read_sign1, sign_sign1, verify_sign1
from hansa.identity.encoding.cbor import decode_cbor, encode_cbor
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import TRAITS, KeyKind, load_public_key
from hansa.identity.keys.signing import load_private_key

VICAL = Path(__file__).parents[3] / "vectors/cose/vical.cbor"
KEYS = {kind: load_private_key(kind, b"\x07" * TRAITS[kind].private_bytes) for kind in ALGORITHMS}
KEY = KEYS[KeyKind.P256]

# RFC 8152, appendix C.2.1, signed by the P-256 key "11"; and the first key of appendix C.7.1.
RFC_KEY = load_private_key(
    KeyKind.P256, bytes.fromhex("57c92077664146e876760c9520d054aa93c3afb04e306705db6090308507b4d3")
)
RFC_COSE_KEY = bytes.fromhex(
    "a40102200121582065eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d"
    "2258201e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c"
)
RFC_SIGN1 = bytes.fromhex(
    "d28443a10126a10442313154546869732069732074686520636f6e74656e742e"
    "58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e"
    "2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36"
)


def reread(value):
    return read_sign1(decode_cbor(encode_cbor(value), "it"), "it")


def changed(value, place, part):
    return [*value[:place], part, *value[place + 1 :]]


def fault_of(call, *arguments):
    with pytest.raises(Unsound) as caught:
        call(*arguments)
    return caught.value.fault


def test_the_example_of_the_rfc_verifies():
    sign1 = read_sign1(decode_cbor(RFC_SIGN1, "it"), "it")
    assert sign1.unprotected == {4: b"11"}
    assert verify_sign1(sign1, RFC_KEY.public_key, "it") == b"This is the content."
    key = read_cose_key(decode_cbor(RFC_COSE_KEY, "it"))
    assert encode_cbor(write_cose_key(key)) == RFC_COSE_KEY


def test_a_list_that_an_authority_signed_verifies():
    sign1 = read_sign1(decode_cbor(VICAL.read_bytes(), "the list"), "the list")
    signer = x509.load_der_x509_certificate(sign1.read_chain("the list")[0])
    point = signer.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    key = load_public_key(KeyKind.P256, point)
    assert b"AAMVA" in verify_sign1(sign1, key, "the list")
    assert fault_of(verify_sign1, sign1, KEY.public_key, "the list") is Fault.SIGNATURE


@pytest.mark.parametrize("is_detached", [False, True])
@pytest.mark.parametrize("kind", ALGORITHMS)
def test_what_is_signed_verifies(kind, is_detached):
    value = sign_sign1(
        KEYS[kind], b"content", protected={4: b"k"}, unprotected={33: b"c"}, is_detached=is_detached
    )
    sign1 = reread(value)
    assert (sign1.protected[4], sign1.read_chain("it")) == (b"k", (b"c",))
    detached = b"content" if is_detached else None
    assert verify_sign1(sign1, KEYS[kind].public_key, "it", detached) == b"content"
    other = None if is_detached else b"content"
    key = KEYS[kind].public_key
    assert fault_of(verify_sign1, sign1, key, "it", other) is Fault.MALFORMED


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_the_other_number_of_an_algorithm_is_accepted_too(kind):
    header = encode_cbor({1: ALGORITHMS[kind][-1]})
    signature = KEYS[kind].sign(encode_cbor(["Signature1", header, b"", b"content"]))
    verify_sign1(reread([header, {}, b"content", signature]), KEYS[kind].public_key, "it")


@pytest.mark.parametrize("signed_by", ALGORITHMS)
@pytest.mark.parametrize("kind", ALGORITHMS)
def test_the_key_says_the_algorithm(signed_by, kind):
    sign1 = reread(sign_sign1(KEYS[signed_by], b"content"))
    if kind is not signed_by:
        assert fault_of(verify_sign1, sign1, KEYS[kind].public_key, "it") is Fault.ALGORITHM


def test_an_empty_content_is_a_content():
    assert verify_sign1(reread(sign_sign1(KEY, b"")), KEY.public_key, "it") == b""


@given(st.integers(0, 2**16))
def test_a_flipped_bit_is_unsound(place):
    raw = bytearray(encode_cbor(sign_sign1(KEY, b"content")))
    place %= len(raw) * 8
    raw[place // 8] ^= 1 << place % 8
    with pytest.raises(Unsound):
        verify_sign1(read_sign1(decode_cbor(bytes(raw), "it"), "it"), KEY.public_key, "it")


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ({}, Fault.ALGORITHM),
        ({1: 5}, Fault.ALGORITHM),  # a symmetric one
        ({1: -37}, Fault.ALGORITHM),  # RSA
        ({1: "ES256"}, Fault.ALGORITHM),
        ({1: [-7]}, Fault.ALGORITHM),
        ({1: -7.0}, Fault.ALGORITHM),
        ({1: None}, Fault.ALGORITHM),
        ({1: -7, 2: [1]}, Fault.CRITICAL),
        ({1: -7, 2: []}, Fault.CRITICAL),
        ({1: -7} | {f"{n}": n for n in range(40)}, Fault.TOO_LARGE),
        ({1: -7, "x": bytes(40_000)}, Fault.TOO_LARGE),
        ([], Fault.MALFORMED),
        (None, Fault.ALGORITHM),
    ],
)
def test_a_header_that_asks_for_less_is_refused(header, fault):
    raw = b"" if header is None else encode_cbor(header)
    assert fault_of(read_sign1, [raw, {}, b"content", bytes(64)], "it") is fault


@pytest.mark.parametrize("label", [1, 2, 4])
def test_a_header_that_must_be_protected_is_refused_elsewhere(label):
    value = sign_sign1(KEY, b"content", protected={4: b"k"}, unprotected={label: -7})
    assert fault_of(reread, value) is Fault.MALFORMED


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        [b"", {}, b""],
        CBORTag(17, [b"", {}, b"", b""]),
        CBORTag(18, []),
        *(changed([b"", {}, b"", b""], place, 1) for place in range(4)),
        changed([b"", {}, b"", b""], 3, None),
    ],
)
def test_what_is_no_sign1_is_refused(value):
    assert fault_of(read_sign1, value, "it") in {Fault.MALFORMED, Fault.ALGORITHM}


@pytest.mark.parametrize(
    ("chain", "fault"),
    [("text", Fault.MALFORMED), ([b"c", 1], Fault.MALFORMED), ([b"c"] * 7, Fault.TOO_LARGE)],
)
def test_a_chain_is_a_few_certificates(chain, fault):
    sign1 = reread(sign_sign1(KEY, b"content", unprotected={33: chain}))
    assert fault_of(Sign1.read_chain, sign1, "it") is fault
    assert reread(sign_sign1(KEY, b"content")).read_chain("it") == ()
    full = reread(sign_sign1(KEY, b"content", unprotected={33: [b"c"] * CHAIN_MAX}))
    assert len(full.read_chain("it")) == CHAIN_MAX


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_keys_are_written_and_read(kind):
    key = KEYS[kind].public_key
    value = decode_cbor(encode_cbor(write_cose_key(key)), "it")
    assert read_cose_key(value) == key
    assert read_cose_key(value | {3: ALGORITHMS[kind][0], 2: b"name"}) == key
    if kind is not KeyKind.ED25519:
        is_odd = bool(value[-3][-1] & 1)
        assert read_cose_key(value | {-3: is_odd}) == key
        assert read_cose_key(value | {-3: not is_odd}) != key


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({1: 1}, Fault.KEY),
        ({1: 4}, Fault.KEY),
        ({1: True}, Fault.KEY),
        ({1: [2]}, Fault.KEY),
        ({-1: 3}, Fault.KEY),
        ({-1: 2}, Fault.KEY),
        ({-1: {}}, Fault.KEY),
        ({-2: b"short"}, Fault.KEY),
        ({-2: 7}, Fault.KEY),
        ({-2: bytes(32)}, Fault.KEY),
        ({-2: b"\xff" * 32, -3: True}, Fault.KEY),
        ({-3: None}, Fault.KEY),
        ({-3: bytes(32)}, Fault.KEY),
        ({-4: bytes(32)}, Fault.KEY),
        ({3: -8}, Fault.ALGORITHM),
        ({n: n for n in range(10, 30)}, Fault.KEY),
    ],
)
def test_what_is_no_key_is_refused(change, fault):
    assert fault_of(read_cose_key, write_cose_key(KEY.public_key) | change) is fault
    assert fault_of(read_cose_key, list(change)) is Fault.KEY


def test_keys_that_sign_nothing_are_not_written():
    key = load_public_key(KeyKind.X25519, bytes(range(32)))
    assert fault_of(write_cose_key, key) is Fault.KEY


@given(st.binary(max_size=96))
def test_bytes_are_read_or_unsound(raw):
    for read in (read_sign1, read_cose_key):
        with pytest.raises(Unsound):
            read(decode_cbor(raw, "it"), "it")


def test_long_headers_of_strangers_are_not_kept_in_memory():
    tracemalloc.start()
    try:
        for number in range(2):  # each is 2 MB once it is read
            raw = encode_cbor({1: -7, "n": number, "x": [{}] * 30_000})
            read_sign1([raw, {}, b"", b""], "it")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000
