"""Vectors of batches: what sponsors hand in, and until when its items say to be valid."""

from __future__ import annotations

import msgspec
from tests.vectors.make_envelopes import ANN, BOB, FORGE, case
from tests.vectors.parts import NETWORKS, START_MS, Forge

from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid
from hansa.kernel.frame import decode_batch, read_end
from hansa.kernel.transaction import build_checked, check_batch


def make_batches() -> list[dict]:
    good, bad = FORGE.envelope(ANN), b"\xc1"
    attested = [FORGE.envelope(BOB), bytes(range(32))]
    other = Forge(NETWORKS["ed25519-only"])
    forged = bytearray(FORGE.envelope(ANN))
    forged[-1] ^= 1
    mixed = (good, bad, attested, bytes(forged), FORGE.envelope(ANN, ANN))
    cases = [
        _accept("one envelope", FORGE.batch(good)),
        _accept("an attestation", FORGE.batch(attested)),
        _accept("one bad envelope does not harm the others", FORGE.batch(*mixed)),
        _accept("signed by a p256 key", _sign_batch(BOB, FORGE.batch_body(good))),
        _accept("ends of envelopes that are none", FORGE.batch(*_begin_envelopes())),
        _accept("one envelope twice", FORGE.batch(good, good)),
        _accept("as many items as genesis allows", FORGE.batch(*[bad] * 64)),
    ]
    refused = {
        "no item": ("TOO_MANY", FORGE.batch()),
        "too many items": ("TOO_MANY", FORGE.batch(*[bad] * 65)),
        "too many bytes": ("TOO_LARGE", FORGE.batch(bytes(65_536))),
        "too many items of no form": (
            "TOO_MANY",
            _sign_batch(ANN, FORGE.batch_body(*[bad] * 65)[:39] + b"\xc1" * 65),
        ),
        "too many items, counted in 32 bits": (
            "TOO_MANY",
            _sign_batch(ANN, b"\xdc\x00\x03\x01\xc5\x00\x20" + bytes(32) + b"\xdd\0\0\0\x41"),
        ),
        "too many items, not signed": (
            "SIGNATURE",
            encode([FORGE.batch_body(*[bad] * 65), 1, ANN.public_key, bytes(64)]),
        ),
        "a body that is no body, not signed": (
            "SIGNATURE",
            encode([b"\x90", 1, ANN.public_key, bytes(64)]),
        ),
        "too many items in a body of four": (
            "MALFORMED",
            _sign_batch(ANN, b"\x94" + FORGE.batch_body(*[bad] * 65)[1:] + b"\0"),
        ),
        "another version": ("UNSUPPORTED_VERSION", FORGE.batch(good, version=2)),
        "a sponsor of 31 bytes": ("MALFORMED", _sign_batch(ANN, encode([1, bytes(31), []]))),
        "an attestation of 31 bytes": ("MALFORMED", FORGE.batch([good, bytes(31)])),
        "an attestation of 33 bytes": ("MALFORMED", FORGE.batch([good, bytes(33)])),
        "an attestation of no bytes": ("MALFORMED", FORGE.batch([good, b""])),
        "an attestation as text": ("MALFORMED", FORGE.batch([good, "a" * 32])),
        "an item of one field": ("MALFORMED", FORGE.batch([good])),
        "an item of three fields": ("MALFORMED", FORGE.batch([good, None, None])),
        "nothing": ("MALFORMED", b""),
        "a trailing byte": ("MALFORMED", FORGE.batch(good) + b"\0"),
        "a body that is no body": ("MALFORMED", _sign_batch(ANN, b"\x90")),
        "nested arrays for items": ("MALFORMED", _sign_batch(ANN, b"\x93\x01" + b"\x91" * 3_000)),
        "a wide version": (
            "NOT_CANONICAL",
            _sign_batch(ANN, FORGE.batch_body(good).replace(b"\x93\x01", b"\x93\xcc\x01", 1)),
        ),
        "an array in 16 bits": ("NOT_CANONICAL", b"\xdc\x00\x04" + FORGE.batch(good)[1:]),
        "an unknown suite": ("SUITE", encode([FORGE.batch_body(good), 9, bytes(32), bytes(64)])),
        "a suite not allowed": (
            "SUITE",
            _sign_batch(other.key("bob", 2), other.batch_body(good), other),
        ),
        "a key of small order": (
            "PUBLIC_KEY",
            encode([FORGE.batch_body(good), 1, bytes(32), bytes(64)]),
        ),
        "a forged signature": (
            "SIGNATURE",
            encode([FORGE.batch_body(good), 1, ANN.public_key, bytes(64)]),
        ),
        "signed behind the prefix of transactions": (
            "SIGNATURE",
            encode([FORGE.batch_body(good), *FORGE.sign(ANN, FORGE.batch_body(good))]),
        ),
        "signed for another network": ("SIGNATURE", other.batch(good)),
    }
    for name, (code, raw) in refused.items():
        network = "ed25519-only" if name == "a suite not allowed" else "vectors"
        cases.append(case(name, raw, code, network=network))
    return cases


def _begin_envelopes() -> list[bytes]:
    """Rubbish of which some begins as an envelope does, up to the end of its validity."""
    end = b"\xcf" + START_MS.to_bytes(8, "big")
    nonce = b"\xc4\x10" + bytes(16)
    ann = b"\xc4\x20" + ANN.address
    deep = b"\x91" * 980
    bodies = [
        b"\x95\x01\x91" + ann + nonce + end,
        b"\x95\x01\x91" + ann + nonce + end + deep + b"\x90",
        b"\x95\x01\x91" + ann + nonce + end + deep * 2,
        b"\x95\x01\x90" + nonce + end,
        b"\x95\x01\xdc\x00\x02" + ann + ann + nonce + end,
        *(
            b"\x95\x01\x91" + ann + nonce + each
            for each in (
                b"\x07",
                b"\xcc\xff",
                b"\xcd\x01\x00",
                b"\xce\x01\x00\x00\x00",
                b"\xcf\x00\x20" + bytes(6),
                b"\xcf\x00\x20" + bytes(5) + b"\x01",
                b"\xd3" + START_MS.to_bytes(8, "big"),
                b"\xff",
                end[:-1],
                b"",
            )
        ),
        b"\x95\x02\x91" + ann + nonce + end,
        b"\x95\xcc\x01\x91" + ann + nonce + end,
        b"\x94\x01\x91" + ann + nonce + end,
        b"\x95\x01" + ann + nonce + end,
        b"\x95\x01" + deep + nonce + end,
        b"\x95\x01\x91" + ann[:-1] + nonce + end,
        b"\x95\x01\x91" + ann + b"\xc4\x0f" + bytes(15) + end,
    ]
    heads = [b"\x92\xc4\x00", b"\x92\xc6\x00\x00\x00\x00"]
    others = [head + bodies[0] for head in (*heads, b"\x93\xc4\x00", b"\x92\xd9\x00", b"\x92")]
    return [*(b"\x92\xc5\xff\xff" + body for body in bodies), *others]


def _sign_batch(signer, body: bytes, forge: Forge = FORGE) -> bytes:
    return encode([body, *forge.sign(signer, body, forge.network.batch_prefix)])


def _accept(name: str, raw: bytes) -> dict:
    network = FORGE.network
    batch = build_checked(raw, check_batch(raw, network, verify_many), network)
    items = [
        {"code": item.code.value}
        if isinstance(item, Invalid)
        else {"tx_id": item.tx_id.hex(), "envelope_hash": item.envelope_hash.hex()}
        for item in batch.items
    ]
    body = msgspec.msgpack.decode(raw)[0]
    return case(
        name,
        raw,
        sponsor=batch.sponsor.hex(),
        key_address=batch.key_address.hex(),
        signed_message=(network.batch_prefix + body).hex(),
        items=items,
        ends_ms=[read_end(item.envelope) for item in decode_batch(raw)[1].items],
    )
