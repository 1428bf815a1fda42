"""The message format: what is signed, what is encrypted, and what acknowledges it.

    header    [version, sender, recipient, topic, id, sequence, expires_ms, channel_key, commitment]
    sealed    HPKE(recipient's channel key, info = prefix(message) + header) of salt + content
    message   [header, sealed, suite, public_key, signature over prefix(message) + [header, sealed]]

The header is in the clear and stands in the encryption's `info`, so what was sealed by one sender,
for one recipient, topic, id and time opens under nothing else. The commitment H(salt + content)
lets both sides prove later what was sent, and tells an observer nothing.

Source: RFC 9180 (HPKE, base mode); docs/reference/channel.md.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from msgspec.structs import asdict

from hansa.kernel.crypto.address import address_of
from hansa.kernel.crypto.hashing import Domain, signing_prefix
from hansa.kernel.crypto.signatures import SignatureCheck, check_public_key, verify_many
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.messages import Topic
from hansa.kernel.values import Address, Hash, Nonce, NonNegative, Positive, TimeMs
from hansa.sdk.keys import ChannelKey, KeyPair

VERSION = 1
MESSAGE_BYTES_MAX = 1 << 20
CONTENT_BYTES_MAX = MESSAGE_BYTES_MAX - 1_024
"""What is left for content beside header, signature and encryption."""
VALID_FOR_MOST_MS = 30 * 86_400_000
SALT_BYTES = 32
ID_BYTES = 16
ACKNOWLEDGEMENT_BYTES_MAX = 1_024

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class Header(Document, frozen=True, array_like=True):
    """What everybody on the way may read, and nobody may change."""

    version: NonNegative
    sender: Address
    """The member that sends; not the key."""
    recipient: Address
    topic: Topic
    id: Nonce
    sequence: Positive
    """Grows from message to message of one sender, recipient and topic; may leave numbers out."""
    expires_ms: TimeMs
    """From then on it is refused, by the recipient's clock."""
    channel_key: Hash
    """The recipient's, to which it is encrypted."""
    commitment: Hash
    """H(salt + content)."""


class Message(Document, frozen=True, array_like=True):
    """A message as it travels."""

    header: bytes
    sealed: bytes
    suite: NonNegative
    public_key: bytes
    signature: bytes


class AcknowledgementBody(Document, frozen=True, array_like=True):
    """What a recipient acknowledges: it has this content durably."""

    version: NonNegative
    recipient: Address
    """The member that acknowledges."""
    sender: Address
    id: Nonce
    commitment: Hash
    time_ms: TimeMs
    """When, by the recipient's clock."""


class Acknowledgement(Document, frozen=True, array_like=True):
    """An acknowledgement as it travels; signed over prefix(acknowledgement) + body."""

    body: bytes
    suite: NonNegative
    public_key: bytes
    signature: bytes


_decode_header: Decoder[Header] = Decoder(Header, "message header")
_decode_message: Decoder[Message] = Decoder(Message, "message")
_decode_body: Decoder[AcknowledgementBody] = Decoder(AcknowledgementBody, "acknowledgement body")
_decode_acknowledgement: Decoder[Acknowledgement] = Decoder(Acknowledgement, "acknowledgement")


def compute_commitment(network: Network, salt: bytes, content: bytes) -> bytes:
    """Compute what commits a sender to content and tells nobody else about it."""
    return network.digest(salt + content)


def seal_message(
    network: Network, key: KeyPair, header: Header, salt: bytes, content: bytes
) -> bytes:
    """Encrypt content to the header's channel key, and sign.

    Raises:
      Invalid: `PUBLIC_KEY` if nothing can be encrypted to the channel key.
    """
    prefix, raw = signing_prefix(Domain.MESSAGE, network.genesis_hash), encode(header)
    try:
        to = X25519PublicKey.from_public_bytes(header.channel_key)
        sealed = _SUITE.encrypt(salt + content, to, prefix + raw)
    except ValueError:
        raise Invalid(
            InvalidCode.PUBLIC_KEY, "the recipient's channel key is no key of X25519"
        ) from None
    signature = key.sign(prefix + encode([raw, sealed]))
    return encode(Message(raw, sealed, int(key.suite), key.public_key, signature))


def decode_message(raw: bytes) -> tuple[Message, Header]:
    """Decode a message; nothing of it is believed yet.

    Raises:
      Invalid: `TOO_LARGE`, `MALFORMED`, `NOT_CANONICAL` or `UNSUPPORTED_VERSION`.
    """
    if len(raw) > MESSAGE_BYTES_MAX:
        raise Invalid(
            InvalidCode.TOO_LARGE, f"a message has at most {MESSAGE_BYTES_MAX} bytes: split it"
        )
    message = _decode_message.decode(raw)
    header = _decode_header.decode(message.header)
    _check_version(header.version, "message")
    return message, header


def check_signature(network: Network, message: Message) -> bytes:
    """Check a message's signature; returns the address of the key that made it.

    Raises:
      Invalid: `SUITE`, `PUBLIC_KEY` or `SIGNATURE`.
    """
    signed = encode([message.header, message.sealed])
    prefix = signing_prefix(Domain.MESSAGE, network.genesis_hash)
    return _check(network, message, prefix + signed, "message")


def open_message(
    network: Network, message: Message, header: Header, key: ChannelKey
) -> tuple[bytes, bytes]:
    """Decrypt a message; returns salt and content.

    Raises:
      Invalid: `MALFORMED`: it does not open under this key and header, or is not what its
        commitment says.
    """
    prefix = signing_prefix(Domain.MESSAGE, network.genesis_hash)
    private = X25519PrivateKey.from_private_bytes(key.private_key)
    try:
        opened = _SUITE.decrypt(message.sealed, private, prefix + message.header)
    except (InvalidTag, ValueError):
        raise Invalid(
            InvalidCode.MALFORMED,
            "the message does not open: it was sealed for another key, or with another header",
        ) from None
    salt, content = opened[:SALT_BYTES], opened[SALT_BYTES:]
    if len(salt) < SALT_BYTES or compute_commitment(network, salt, content) != header.commitment:
        raise Invalid(InvalidCode.MALFORMED, "the content is not the one of the commitment")
    return salt, content


def acknowledge(network: Network, key: KeyPair, header: Header, time_ms: int) -> bytes:
    """Sign that the recipient of a message has it durably."""
    body = encode(
        AcknowledgementBody(
            VERSION, header.recipient, header.sender, header.id, header.commitment, time_ms
        )
    )
    prefix = signing_prefix(Domain.ACKNOWLEDGEMENT, network.genesis_hash)
    signature = key.sign(prefix + body)
    return encode(Acknowledgement(body, int(key.suite), key.public_key, signature))


def check_acknowledgement(network: Network, raw: bytes, expected: AcknowledgementBody) -> bytes:
    """Check that an answer acknowledges a message; returns the address of the key that signed.

    Args:
      network: of both.
      raw: the answer.
      expected: what must stand in it; its time is not compared.

    Raises:
      Invalid: it is none, or one of another message.
    """
    found = _decode_acknowledgement.decode(raw)
    body = _decode_body.decode(found.body)
    _check_version(body.version, "acknowledgement")
    if asdict(body) | {"time_ms": 0} != asdict(expected) | {"time_ms": 0}:
        raise Invalid(InvalidCode.MALFORMED, "the acknowledgement is one of another message")
    prefix = signing_prefix(Domain.ACKNOWLEDGEMENT, network.genesis_hash)
    return _check(network, found, prefix + found.body, "acknowledgement")


def _check(network: Network, signed: Message | Acknowledgement, message: bytes, what: str) -> bytes:
    if signed.suite not in network.genesis.suites:
        raise Invalid(InvalidCode.SUITE, f"genesis allows no signature suite {signed.suite}")
    check_public_key(signed.suite, signed.public_key)
    check = SignatureCheck(signed.suite, signed.public_key, signed.signature, message)
    if not all(verify_many([check])):
        raise Invalid(
            InvalidCode.SIGNATURE,
            f"the {what}'s signature does not verify: it was changed, or is of another network",
        )
    return address_of(signed.suite, signed.public_key, network.digest)


def _check_version(version: int, what: str) -> None:
    if version != VERSION:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"the {what} has version {version}: this program reads {VERSION}",
        )
