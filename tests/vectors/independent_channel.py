"""Messages of the channel a second time, from docs/reference/channel.md and RFC 9180 alone.

HPKE is written out here from X25519, HMAC and ChaCha20-Poly1305, with a chosen ephemeral key, so
that vectors come out the same each time; Hansa's own code leaves all of it to its library.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEM = b"KEM" + (0x0020).to_bytes(2, "big")
HPKE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))


def extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    """LabeledExtract of RFC 9180, section 4."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + secret, hashlib.sha256)


def expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """LabeledExpand of RFC 9180, section 4; one block of HMAC is enough for all of these."""
    block = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\x01"
    return hmac.digest(key, block, hashlib.sha256)[:length]


def derive(shared: bytes, ephemeral: bytes, to: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of one message in base mode: sections 4.1 and 5.1."""
    prk = extract(KEM, b"", b"eae_prk", shared)
    secret = expand(KEM, prk, b"shared_secret", ephemeral + to, 32)
    context = b"\x00" + extract(HPKE, b"", b"psk_id_hash", b"")
    context += extract(HPKE, b"", b"info_hash", info)
    secret = extract(HPKE, secret, b"secret", b"")
    key = expand(HPKE, secret, b"key", context, 32)
    return key, expand(HPKE, secret, b"base_nonce", context, 12)


def public_of(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def exchange(private: bytes, public: bytes) -> bytes:
    pair = X25519PrivateKey.from_private_bytes(private)
    return pair.exchange(X25519PublicKey.from_public_bytes(public))


def seal(plain: bytes, to: bytes, info: bytes, ephemeral: bytes) -> bytes:
    """Seal with a chosen ephemeral private key."""
    public = public_of(ephemeral)
    key, nonce = derive(exchange(ephemeral, to), public, to, info)
    return public + ChaCha20Poly1305(key).encrypt(nonce, plain, b"")


def unseal(sealed: bytes, private: bytes, info: bytes) -> bytes:
    key, nonce = derive(exchange(private, sealed[:32]), sealed[:32], public_of(private), info)
    return ChaCha20Poly1305(key).decrypt(nonce, sealed[32:], b"")
