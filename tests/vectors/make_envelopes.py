"""Vectors of envelopes: good ones, and every way to be bad."""

from __future__ import annotations

import msgspec
from tests.vectors.parts import MINUTE_MS, NETWORKS, START_MS, Forge

from hansa.kernel.crypto.signatures import REFUSED_ED25519_KEYS
from hansa.kernel.encoding import encode
from hansa.kernel.genesis import Network

FORGE = Forge(NETWORKS["vectors"])
ANN, BOB, CAY = FORGE.key("ann"), FORGE.key("bob", 2), FORGE.key("cay", 3)
L = 2**252 + 27742317777372353535851937790883648493
ORDERS = {
    2: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    3: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}


def case(name: str, raw, code: str = "", *, network: str = "vectors", **post) -> dict:
    """One case: refused with `code`, or accepted with `post`."""
    found = {"name": name, "pre": {"network": network}, "input": raw.hex()}
    return found | ({"code": code} if code else {"post": post})


# --- envelopes ----------------------------------------------------------------------------------


def accept(name: str, raw: bytes, network: str = "vectors") -> dict:
    known: Network = NETWORKS[network]
    body = msgspec.msgpack.decode(raw)[0]
    return case(
        name,
        raw,
        network=network,
        tx_id=known.digest(known.tx_prefix + body).hex(),
        envelope_hash=known.digest(raw).hex(),
        signed_message=(known.tx_prefix + body).hex(),
    )


def pad(size: int) -> bytes:
    """An envelope of exactly this many bytes."""
    for length in range(size - 300, size):
        raw = FORGE.envelope(ANN, calls=[["tally", "add", [bytes(length)]]], nonce=bytes(16))
        if len(raw) == size:
            return raw
    raise AssertionError(size)


def nest(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def arguments(raw: bytes) -> bytes:
    """A signed envelope whose call has these bytes as its arguments."""
    body = encode(FORGE.fields(ANN, calls=[["tally", "add", []]]))
    return FORGE.seal(body[:-1] + raw, ANN)


def make_accepted() -> list[dict]:
    sm3 = Forge(NETWORKS["vectors-sm3"])
    extremes = [0, 127, 128, 2**63 - 1, 2**64 - 1, -1, -32, -33, -(2**63), None, True, "ä", b""]
    calls = [["tally", "add", [ANN.address, name, 5]] for name in ("a", "b", "c", "d")]
    return [
        accept("ed25519", FORGE.envelope(ANN)),
        accept("p256", FORGE.envelope(BOB)),
        accept("secp256k1", FORGE.envelope(CAY)),
        accept("three signers of three suites", FORGE.envelope(CAY, ANN, BOB)),
        accept("sm3", sm3.envelope(sm3.key("ann")), "vectors-sm3"),
        accept("sm3, two signers", sm3.envelope(sm3.key("bob", 2), sm3.key("ann")), "vectors-sm3"),
        accept("as many calls as genesis allows", FORGE.envelope(ANN, calls=calls)),
        accept(
            "as many signers as genesis allows",
            FORGE.envelope(*[FORGE.key(f"signer {number}") for number in range(4)]),
        ),
        accept("as many bytes as genesis allows", pad(4_096)),
        accept("an unknown contract", FORGE.envelope(ANN, calls=[["", "x", []]])),
        accept("arguments of all kinds", FORGE.envelope(ANN, calls=[["t", "c", extremes]])),
        accept(
            "arguments nested as deep as may be",
            FORGE.envelope(ANN, calls=[["t", "c", nest(8)]]),
        ),
        accept(
            "long text and bytes", FORGE.envelope(ANN, calls=[["t" * 300, "c" * 40, ["x" * 256]]])
        ),
        accept("the earliest validity", FORGE.envelope(ANN, valid_until_ms=0)),
        accept("the latest validity", FORGE.envelope(ANN, valid_until_ms=2**53)),
    ]


def make_malformed() -> list[dict]:
    good = FORGE.envelope(ANN)
    body, signatures = msgspec.msgpack.decode(good)
    suite, public_key, signature = signatures[0]
    fields = FORGE.fields(ANN)
    inputs = {
        "nothing": b"",
        "a byte that MessagePack does not use": b"\xc1",
        "random bytes": bytes(range(200, 256)),
        "cut short": good[:-1],
        "a trailing byte": good + b"\0",
        "twice": good + good,
        "a map": encode({0: body, 1: signatures}),
        "a body alone": encode([body]),
        "a third field": encode([body, signatures, None]),
        "the body as text": encode(["body", signatures]),
        "no body": encode([b"", signatures]),
        "no signatures": encode([body, None]),
        "a signature of two fields": encode([body, [[suite, public_key]]]),
        "a signature of four fields": encode([body, [[suite, public_key, signature, 0]]]),
        "the suite as text": encode([body, [["ed25519", public_key, signature]]]),
        "the suite as a fraction": encode([body, [[1.0, public_key, signature]]]),
        "the key as text": encode([body, [[suite, "key", signature]]]),
        "an array that claims 4,294,967,295 items": b"\x92\xc4\x00\xdd\xff\xff\xff\xff",
        "bytes that claim 4,294,967,295 bytes": b"\x92\xc6\xff\xff\xff\xff",
        "a thousand nested arrays": b"\x91" * 3_000,
        "an extension as body": b"\x92\xd6\x01abcd\x90",
    }
    bodies = {
        "a body that is a map": {1: 2},
        "a body of four fields": fields[:4],
        "a body of six fields": [*fields, None],
        "a negative version": [-1, *fields[1:]],
        "a version over 2^63 - 1": [2**63, *fields[1:]],
        "a signer of 31 bytes": [1, [bytes(31)], *fields[2:]],
        "a signer as text": [1, ["ann"], *fields[2:]],
        "a nonce of 15 bytes": [*fields[:2], bytes(15), *fields[3:]],
        "a nonce of 17 bytes": [*fields[:2], bytes(17), *fields[3:]],
        "a negative validity": [*fields[:3], -1, fields[4]],
        "a validity over 2^53": [*fields[:3], 2**53 + 1, fields[4]],
        "a validity as text": [*fields[:3], "1700000000000", fields[4]],
        "a call of two fields": [*fields[:4], [["tally", "fail"]]],
        "a call of four fields": [*fields[:4], [["tally", "fail", [], 0]]],
        "a contract that is bytes": [*fields[:4], [[b"tally", "fail", []]]],
        "no arguments": [*fields[:4], [["tally", "fail", None]]],
        "arguments that are a map": [*fields[:4], [["tally", "fail", {}]]],
        "arguments with a float": [*fields[:4], [["tally", "add", [ANN.address, "x", 5.5]]]],
        "arguments with a map": [*fields[:4], [["tally", "fail", [{1: 1}]]]],
        "arguments nested too deep": [*fields[:4], [["tally", "fail", nest(9)]]],
        "arguments nested nearly a thousand deep": [*fields[:4], [["tally", "fail", nest(900)]]],
    }
    raws = {
        "arguments nested two thousand deep": b"\x91" * 2_000 + b"\x90",
        "arguments with a float of 32 bits": b"\x91\xca\x3f\x80\x00\x00",
        "arguments with not-a-number": b"\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
        "arguments with a map that has a key twice": b"\x91\x82\x01\x01\x01\x02",
        "arguments with a map whose key is an array": b"\x91\x81\x91\x01\x01",
        "arguments with an extension": b"\x91\xd4\x05\x00",
        "arguments with a time": b"\x91\xd6\xff\x00\x00\x00\x01",
        "arguments with text that is not UTF-8": b"\x91\xa1\xff",
        "arguments with half of a surrogate pair": b"\x91\xa3\xed\xa0\x80",
        "arguments with an overlong NUL": b"\x91\xa2\xc0\x80",
    }
    cases = [case(name, raw, "MALFORMED") for name, raw in inputs.items()]
    cases += [case(name, FORGE.seal(encode(v), ANN), "MALFORMED") for name, v in bodies.items()]
    return cases + [case(name, arguments(raw), "MALFORMED") for name, raw in raws.items()]


def make_not_canonical() -> list[dict]:
    good = FORGE.envelope(ANN)
    body, signatures = msgspec.msgpack.decode(good)
    rest = encode(signatures)
    wide_suite = encode([body, []])[:-1] + b"\x91\x93\xcc\x01" + encode(signatures[0])[2:]
    inputs = {
        "the envelope's array in 16 bits": b"\xdc\x00\x02" + good[1:],
        "the envelope's array in 32 bits": b"\xdd\x00\x00\x00\x02" + good[1:],
        "the body's length in 16 bits": b"\x92\xc5\x00" + bytes([len(body)]) + body + rest,
        "the suite in 8 bits": wide_suite,
    }
    bodies = {
        "the body's array in 16 bits": b"\xdc\x00\x05" + body[1:],
        "the version in 8 bits": body.replace(b"\x95\x01", b"\x95\xcc\x01", 1),
        "the version as signed 8 bits": body.replace(b"\x95\x01", b"\x95\xd0\x01", 1),
        "the version in 64 bits": body.replace(b"\x95\x01", b"\x95\xcf" + bytes(7) + b"\x01", 1),
        "the nonce's length in 16 bits": body.replace(b"\xc4\x10", b"\xc5\x00\x10", 1),
        "the contract's length in 8 bits": body.replace(b"\xa5tally", b"\xd9\x05tally", 1),
        "the contract's length in 16 bits": body.replace(b"\xa5tally", b"\xda\x00\x05tally", 1),
    }
    raws = {
        "arguments' array in 16 bits": b"\xdc\x00\x00",
        "an argument of 5 in 8 bits": b"\x91\xcc\x05",
        "an argument of 5 in signed 8 bits": b"\x91\xd0\x05",
        "an argument of 5 in 16 bits": b"\x91\xcd\x00\x05",
        "an argument of 5 in 64 bits": b"\x91\xcf" + bytes(7) + b"\x05",
        "an argument of -1 in 8 bits": b"\x91\xd0\xff",
        "an argument of -1 in 64 bits": b"\x91\xd3" + b"\xff" * 8,
        "an argument of 200 in signed 16 bits": b"\x91\xd1\x00\xc8",
        "text of one letter with a length in 32 bits": b"\x91\xdb\x00\x00\x00\x01a",
        "bytes with a length in 32 bits": b"\x91\xc6\x00\x00\x00\x01a",
    }
    cases = [case(name, raw, "NOT_CANONICAL") for name, raw in inputs.items()]
    cases += [case(n, FORGE.seal(raw, ANN), "NOT_CANONICAL") for n, raw in bodies.items()]
    return cases + [case(name, arguments(raw), "NOT_CANONICAL") for name, raw in raws.items()]


def make_counts() -> list[dict]:
    call = ["tally", "fail", []]
    many = [FORGE.key(f"signer {number}") for number in range(5)]
    return [
        case("a byte more than genesis allows", pad(4_097), "TOO_LARGE"),
        case("version 0", FORGE.envelope(ANN, version=0), "UNSUPPORTED_VERSION"),
        case("version 2", FORGE.envelope(ANN, version=2), "UNSUPPORTED_VERSION"),
        case("no signer", FORGE.seal(encode(FORGE.fields())), "TOO_MANY"),
        case("too many signers", FORGE.envelope(*many), "TOO_MANY"),
        case("no call", FORGE.envelope(ANN, calls=[]), "TOO_MANY"),
        case("too many calls", FORGE.envelope(ANN, calls=[call] * 5), "TOO_MANY"),
    ]


# --- signers, keys and signatures ---------------------------------------------------------------


def make_signers() -> list[dict]:
    body = encode(FORGE.fields(ANN, BOB))
    ann, bob, cay = (FORGE.sign(each, body) for each in (ANN, BOB, CAY))
    alone = encode(FORGE.fields(ANN))
    signatures = {
        "no signature": [],
        "the second signature stripped": [ann],
        "the first signature stripped": [bob],
        "a surplus signature": [ann, bob, cay],
        "signatures in another order": [bob, ann],
        "one signature twice": [ann, ann],
        "another's signature in place of one": [ann, cay],
    }
    cases = [case(name, encode([body, each]), "SIGNERS") for name, each in signatures.items()]
    twice = FORGE.envelope(ANN, ANN)
    other = encode([alone, [FORGE.sign(FORGE.key("bob"), alone)]])
    suites = {"0": 0, "9": 9, "-1": -1, "2^64 - 1": 2**64 - 1}
    value = FORGE.sign(ANN, alone)
    cases += [
        case("a signer named twice", twice, "SIGNERS"),
        case("signed by another key than the signer's", other, "SIGNERS"),
    ]
    cases += [
        case(f"suite {name}", encode([alone, [[suite, *value[1:]]]]), "SUITE")
        for name, suite in suites.items()
    ]
    only = Forge(NETWORKS["ed25519-only"])
    raw = only.envelope(only.key("bob", 2))
    return [
        *cases,
        case("a suite that genesis does not allow", raw, "SUITE", network="ed25519-only"),
    ]


def claim(suite: int, public_key: bytes, signature: bytes = bytes(64)) -> bytes:
    """An envelope whose signer is the address of this key, good or bad."""
    prefix = b"hansa\0address\0" + bytes([suite])
    address = FORGE.network.digest(prefix + public_key)
    body = encode(FORGE.fields(ANN, signers=[address]))
    return encode([body, [[suite, public_key, signature]]])


def make_keys() -> list[dict]:
    cases = [
        case(f"ed25519 key {public_key.hex()}", claim(1, public_key), "PUBLIC_KEY")
        for public_key in sorted(REFUSED_ED25519_KEYS)
    ]
    for suite, name, bad_x in ((2, "p256", b"\xff" * 32), (3, "secp256k1", b"\xff" * 32)):
        owner = FORGE.key("bob", suite)
        point = _uncompress(suite, owner.public_key)
        off_curve = next(
            each
            for each in (b"\x02" + number.to_bytes(32, "big") for number in range(1, 99))
            if not _is_point(suite, each)
        )
        bad = {
            "uncompressed": point,
            "hybrid": bytes([6 | point[-1] & 1]) + point[1:],
            "x at or above the field's prime": b"\x02" + bad_x,
            "off the curve": off_curve,
            "the point at infinity": b"\0",
            "32 bytes": owner.public_key[1:],
            "a wrong first byte": b"\x05" + owner.public_key[1:],
        }
        cases += [
            case(f"{name} key, {why}", claim(suite, each), "PUBLIC_KEY")
            for why, each in bad.items()
        ]
    short = {"31 bytes": ANN.public_key[:31], "33 bytes": ANN.public_key + b"\0", "no bytes": b""}
    return cases + [
        case(f"ed25519 key of {why}", claim(1, each), "PUBLIC_KEY") for why, each in short.items()
    ]


def _curve(suite: int):
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - two functions' own

    return ec, ec.SECP256R1() if suite == 2 else ec.SECP256K1()


def _uncompress(suite: int, public_key: bytes) -> bytes:
    ec, curve = _curve(suite)
    numbers = ec.EllipticCurvePublicKey.from_encoded_point(curve, public_key).public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def _is_point(suite: int, public_key: bytes) -> bool:
    ec, curve = _curve(suite)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, public_key)
    except ValueError:
        return False
    return True


def make_forged() -> list[dict]:
    body = encode(FORGE.fields(ANN))
    other_body = encode(FORGE.fields(ANN, valid_until_ms=START_MS + 2 * MINUTE_MS))
    suite, public_key, signature = FORGE.sign(ANN, body)
    other_network = NETWORKS["ed25519-only"]
    s = int.from_bytes(signature[32:], "little")
    prefixes = {
        "no prefix": b"",
        "the prefix of batches": FORGE.network.batch_prefix,
        "the prefix of headers": FORGE.network.header_prefix,
        "another network's prefix": other_network.tx_prefix,
    }
    signatures = {
        "of another body": FORGE.sign(ANN, other_body)[2],
        "with R changed": bytes([signature[0] ^ 1]) + signature[1:],
        "with S changed": signature[:40] + bytes([signature[40] ^ 1]) + signature[41:],
        "with S + L": signature[:32] + (s + L).to_bytes(32, "little"),
        "with S = 0": signature[:32] + bytes(32),
        "of zeros": bytes(64),
        "of 63 bytes": signature[:63],
        "of 65 bytes": signature + b"\0",
        "of no bytes": b"",
        **{f"behind {name}": FORGE.sign(ANN, body, each)[2] for name, each in prefixes.items()},
    }
    cases = [
        case(f"a signature {name}", encode([body, [[suite, public_key, each]]]), "SIGNATURE")
        for name, each in signatures.items()
    ]
    pair = encode(FORGE.fields(ANN, BOB))
    forged = [FORGE.sign(ANN, pair), [*FORGE.sign(BOB, pair)[:2], bytes(63) + b"\1"]]
    cases.append(case("a second signature that is forged", encode([pair, forged]), "SIGNATURE"))
    y = (2).to_bytes(32, "little")  # of no point
    cases.append(case("an ed25519 key without a point", claim(1, y), "SIGNATURE"))
    for owner, name in ((BOB, "p256"), (CAY, "secp256k1")):
        cases += _forge_ecdsa(owner, name)
    return cases


def _forge_ecdsa(owner, name: str) -> list[dict]:
    from cryptography.hazmat.primitives.asymmetric.utils import (  # noqa: PLC0415 - only here
        encode_dss_signature,
    )

    body = encode(FORGE.fields(owner))
    suite, public_key, signature = FORGE.sign(owner, body)
    r, s = signature[:32], int.from_bytes(signature[32:], "big")
    order = ORDERS[suite]
    raw = {
        "with a high s": r + (order - s).to_bytes(32, "big"),
        "with r = 0": bytes(32) + signature[32:],
        "with s = 0": r + bytes(32),
        "with r = order": order.to_bytes(32, "big") + signature[32:],
        "with r changed": bytes([r[0] ^ 1]) + signature[1:],
        "in DER": encode_dss_signature(int.from_bytes(r, "big"), s),
    }
    return [
        case(f"a {name} signature {why}", encode([body, [[suite, public_key, each]]]), "SIGNATURE")
        for why, each in raw.items()
    ]


def make_pairs() -> list[dict]:
    """Two faults at once: which code is told."""
    body = encode(FORGE.fields(ANN))
    value = FORGE.sign(ANN, body)
    float_and_wide = FORGE.seal(
        encode(FORGE.fields(ANN, calls=[["t", "c", []]]))[:-1] + b"\x92\xcc\x05\xca\0\0\0\0", ANN
    )
    wide_version = FORGE.seal(
        encode(FORGE.fields(ANN, version=2)).replace(b"\x95\x02", b"\x95\xcc\x02", 1), ANN
    )
    five = [FORGE.key(f"signer {number}") for number in range(5)]
    doubled = FORGE.fields(ANN, ANN, calls=[])
    bad_key = encode([body, [[1, bytes(32), bytes(64)]]])
    return [
        case("too large and malformed", b"\xc1" * 4_097, "TOO_LARGE"),
        case("a float and a wide integer", float_and_wide, "MALFORMED"),
        case("a wide integer and another version", wide_version, "NOT_CANONICAL"),
        case(
            "another version and too many signers",
            FORGE.envelope(*five, version=3),
            "UNSUPPORTED_VERSION",
        ),
        case(
            "a float and too many signers",
            FORGE.envelope(*five, calls=[["t", "c", [1.5]]]),
            "MALFORMED",
        ),
        case("no call and a signer named twice", FORGE.seal(encode(doubled), ANN, ANN), "TOO_MANY"),
        case(
            "a missing signature and an unknown suite",
            encode([encode(FORGE.fields(ANN, BOB)), [[9, *value[1:]]]]),
            "SIGNERS",
        ),
        case(
            "an unknown suite and a bad key", encode([body, [[9, bytes(32), bytes(64)]]]), "SUITE"
        ),
        case("a bad key and not the signer's", bad_key, "PUBLIC_KEY"),
        case(
            "not the signer's key and a bad signature",
            encode([body, [[1, FORGE.key("bob").public_key, bytes(64)]]]),
            "SIGNERS",
        ),
    ]


def make_envelopes() -> list[dict]:
    return [
        *make_accepted(),
        *make_counts(),
        *make_malformed(),
        *make_not_canonical(),
        *make_signers(),
        *make_keys(),
        *make_forged(),
        *make_pairs(),
    ]
