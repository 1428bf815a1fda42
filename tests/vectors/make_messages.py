"""Vectors of the message channel: a message and its acknowledgement, and every way to be bad."""

from __future__ import annotations

import hashlib

import msgspec
from tests.vectors import independent_channel
from tests.vectors.parts import MINUTE_MS, NETWORKS, START_MS, key

CHANNEL_KEY = hashlib.sha256(b"channel\0south").digest()
OTHER_CHANNEL_KEY = hashlib.sha256(b"channel\0north").digest()
EPHEMERAL = hashlib.sha256(b"ephemeral").digest()
SALT, ID = hashlib.sha256(b"salt").digest(), hashlib.sha256(b"id").digest()[:16]
CONTENT = b"12.50 MOP stands open since Tuesday"
encode = msgspec.msgpack.encode


def prefix(domain: str, network: str) -> bytes:
    return b"hansa\0" + domain.encode() + b"\0" + NETWORKS[network].genesis_hash


def header(network: str = "vectors", **changed) -> list:
    """The fields of a good header, some of them changed."""
    hash_name = NETWORKS[network].genesis.hash
    fields = {
        "version": 1,
        "sender": key("north", 1, hash_name).address,
        "recipient": key("small", 1, hash_name).address,
        "topic": "reconcile.case",
        "id": ID,
        "sequence": START_MS,
        "expires_ms": START_MS + MINUTE_MS,
        "channel_key": independent_channel.public_of(CHANNEL_KEY),
        "commitment": NETWORKS[network].digest(SALT + CONTENT),
    }
    return list((fields | changed).values())


def make(network: str = "vectors", *, suite: int = 1, content=CONTENT, sealed_as=None, **changed):
    """A message; `sealed_as` is the header under which it is encrypted, if not its own."""
    raw = encode(header(network, **changed))
    info = prefix("message", network) + (sealed_as or raw)
    to = independent_channel.public_of(CHANNEL_KEY)
    sealed = independent_channel.seal(SALT + content, to, info, EPHEMERAL)
    signer = key("north server", suite, NETWORKS[network].genesis.hash)
    signature = signer.sign(prefix("message", network) + encode([raw, sealed]))
    return [raw, sealed, suite, signer.public_key, signature]


def acknowledge(network: str = "vectors", **changed) -> bytes:
    version, sender, recipient, _, message_id, *_, commitment = header(network)
    fields = {
        "version": version,
        "recipient": recipient,
        "sender": sender,
        "id": message_id,
        "commitment": commitment,
        "time_ms": START_MS + 5,
    }
    body = encode(list((fields | changed).values()))
    signer = key("small server", 1, NETWORKS[network].genesis.hash)
    signature = signer.sign(prefix("acknowledgement", network) + body)
    return encode([body, 1, signer.public_key, signature])


def accept(name: str, network: str = "vectors", **changed) -> dict:
    message = make(network, **changed)
    signer = key("north server", message[2], NETWORKS[network].genesis.hash)
    return {
        "name": name,
        "pre": {"network": network, "channel_key": CHANNEL_KEY.hex()},
        "input": encode(message).hex(),
        "post": {
            "header": message[0].hex(),
            "signed_by": signer.address.hex(),
            "salt": SALT.hex(),
            "content": changed.get("content", CONTENT).hex(),
            "acknowledgement": acknowledge(network).hex() if not changed else None,
        },
    }


def refuse(name: str, raw: bytes, code: str, network: str = "vectors") -> dict:
    pre = {"network": network, "channel_key": CHANNEL_KEY.hex()}
    return {"name": name, "pre": pre, "input": raw.hex(), "code": code}


def replaced(at: int, value) -> bytes:
    """A good message with one of its parts replaced after it was signed."""
    message = make()
    message[at] = value
    return encode(message)


def flipped(at: int) -> bytes:
    part = make()[at]
    return replaced(at, part[:-1] + bytes([part[-1] ^ 1]))


def make_messages() -> list[dict]:
    """All cases, in the order of the checks."""
    good = encode(make())
    return [
        accept("a message and its acknowledgement"),
        accept("on a network of SM3", "vectors-sm3"),
        accept("without content", content=b"", commitment=NETWORKS["vectors"].digest(SALT)),
        accept("signed by a key of P-256", suite=2),
        refuse("no MessagePack", b"\xc1", "MALFORMED"),
        refuse("cut off", good[:-1], "MALFORMED"),
        refuse("bytes behind it", good + b"\0", "MALFORMED"),
        refuse("a longer form of the same value", b"\xdc\x00\x05" + good[1:], "NOT_CANONICAL"),
        refuse("of version 2", encode(make(version=2)), "UNSUPPORTED_VERSION"),
        refuse("a topic in upper case", encode(make(topic="Case")), "MALFORMED"),
        refuse("a topic that ends its line", encode(make(topic="case\n")), "MALFORMED"),
        refuse("an id of 15 bytes", encode(make(id=ID[1:])), "MALFORMED"),
        refuse("of a suite that is none", replaced(2, 9), "SUITE"),
        refuse("of no public key", replaced(3, bytes(32)), "PUBLIC_KEY"),
        refuse("another signature", flipped(4), "SIGNATURE"),
        refuse("another encryption", flipped(1), "SIGNATURE"),
        refuse("another recipient", replaced(0, encode(header(recipient=ID * 2))), "SIGNATURE"),
        refuse("another topic", replaced(0, encode(header(topic="other"))), "SIGNATURE"),
        refuse("a later end", replaced(0, encode(header(expires_ms=START_MS * 2))), "SIGNATURE"),
        refuse("of another network", encode(make("ed25519-only")), "SIGNATURE"),
        refuse(
            "taken over by another sender, who signs anew",
            encode(make(sender=ID * 2, sealed_as=encode(header()))),
            "MALFORMED",
        ),
        refuse("content of another commitment", encode(make(content=b"13.50")), "MALFORMED"),
    ]
