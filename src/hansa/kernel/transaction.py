"""Envelopes and batches: what clients sign, what sponsors hand in, and the stateless checks.

The bytes as received are what is signed and hashed; nobody re-encodes. Everything here needs
only the network's genesis, so it runs in parallel, once per node and envelope.

Source: docs/reference/wire.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from hansa.kernel.crypto.address import address_of
from hansa.kernel.crypto.signatures import SignatureCheck, check_public_key
from hansa.kernel.encoding import Decoder, Document, check_plain, encode
from hansa.kernel.errors import Fact, Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.quota import Claim
from hansa.kernel.values import Address, Hash, Nonce, NonNegative, TimeMs

TRANSACTION_VERSION = 1
ID_BYTES = 64
_OF_SPONSOR: Final = -1
"""In the place of an item's index."""
"""Of each checked envelope: tx_id and envelope hash, 32 bytes each."""

VerifyMany = Callable[[Sequence[SignatureCheck]], list[bool]]


class Call(Document, frozen=True, array_like=True):
    """One command for one contract; `arguments` is an encoded array."""

    contract: str
    command: str
    arguments: msgspec.Raw


class Body(Document, frozen=True, array_like=True):
    """What the signers agree to; its calls succeed or fail together."""

    version: int
    signers: tuple[Address, ...]
    """Addresses of the signing keys, exactly these, in the order of the signatures."""
    nonce: Nonce
    valid_until_ms: TimeMs
    calls: tuple[Call, ...]


class _PlainCall(Document, frozen=True, array_like=True):
    contract: str
    command: str
    arguments: list[Any]


class _PlainBody(Document, frozen=True, array_like=True):
    version: NonNegative
    signers: tuple[Address, ...]
    nonce: Nonce
    valid_until_ms: TimeMs
    calls: tuple[_PlainCall, ...]


def _check_plain_arguments(body: _PlainBody) -> None:
    for call in body.calls:
        check_plain(call.arguments, "arguments")


class Signature(Document, frozen=True, array_like=True):
    """A signature with the suite and public key that made it."""

    suite: int
    public_key: bytes
    signature: bytes


class Envelope(Document, frozen=True, array_like=True):
    """A body, as bytes, and its signatures."""

    body: bytes
    signatures: tuple[Signature, ...]


class _CheckedParts(Document, frozen=True, array_like=True):
    """An envelope whose signatures were verified: they are not decoded again."""

    body: bytes
    signatures: msgspec.Raw


class BatchItem(Document, frozen=True, array_like=True):
    """An envelope, as bytes, and the sponsor's commitment to its risk decision, if any."""

    envelope: bytes
    attestation: Hash | None


class BatchBody(Document, frozen=True, array_like=True):
    """What a sponsor signs."""

    version: int
    sponsor: Address
    items: tuple[BatchItem, ...]


class Batch(Document, frozen=True, array_like=True):
    """What a member hands to be ordered: one signature over many envelopes."""

    body: bytes
    suite: int
    public_key: bytes
    signature: bytes

    def build_check(self, network: Network) -> SignatureCheck:
        """Build what must verify: the sponsor's signature over the body."""
        message = network.batch_prefix + self.body
        return SignatureCheck(self.suite, self.public_key, self.signature, message)


_find_count = re.compile(
    rb"(?:\x93|\xdc\x00\x03|\xdd\x00\x00\x00\x03)"
    rb"(?:[\x00-\x7f\xe0-\xff]|[\xcc\xd0].|[\xcd\xd1]..|[\xce\xd2].{4}|[\xcf\xd3].{8})"
    rb"(?:\xc4\x20|\xc5\x00\x20|\xc6\x00\x00\x00\x20).{32}"
    rb"([\x90-\x9f]|\xdc..|\xdd.{4})",
    re.DOTALL,
).match
"""As every batch body begins, up to the header of its items, in whatever form its parts are."""

_decode_envelope: Decoder[Envelope] = Decoder(Envelope, "envelope")
_decode_parts: Decoder[_CheckedParts] = Decoder(_CheckedParts, "envelope")
_decode_body: Decoder[Body] = Decoder(Body, "transaction body")
_decode_plain_body: Decoder[_PlainBody] = Decoder(
    _PlainBody, "transaction body", _check_plain_arguments
)
_decode_batch: Decoder[Batch] = Decoder(Batch, "batch")
_decode_batch_body: Decoder[BatchBody] = Decoder(BatchBody, "batch body")


class CheckedEnvelope(NamedTuple):
    """An envelope that passed all stateless checks."""

    body: Body
    tx_id: bytes
    envelope_hash: bytes
    attestation: bytes | None


class CheckedBatch(NamedTuple):
    """A batch that passed all stateless checks, with each item's outcome."""

    raw: bytes
    sponsor: bytes
    key_address: bytes
    """Address of the key that signed the batch; whether it may is asked at execution."""
    items: list[CheckedEnvelope | Invalid]
    sizes: list[int]
    """Bytes of each item's envelope."""

    @property
    def claim(self) -> Claim:
        """What it takes of its sponsor's quota."""
        return Claim(self.sponsor, self.key_address, sum(self.sizes), len(self.sizes))


class Verdict(NamedTuple):
    """What a verifying process answers about one batch: small, so that it travels cheaply."""

    ids: bytes
    """64 bytes an item: tx_id and envelope hash; zeros where invalid."""
    invalid: dict[int, Invalid]
    """Items that are invalid, by index."""
    rejected: Invalid | None
    """Why the batch as a whole is invalid, or None."""


def build_body(
    signers: Sequence[bytes],
    nonce: bytes,
    valid_until_ms: int,
    calls: Sequence[tuple[str, str, msgspec.Struct]],
) -> bytes:
    """Encode a body; what comes out is what must be signed behind the network's `tx` prefix."""
    return encode((TRANSACTION_VERSION, list(signers), nonce, valid_until_ms, calls))


def build_envelope(body: bytes, signatures: Sequence[Signature]) -> bytes:
    """Encode an envelope."""
    return encode((body, signatures))


def build_batch_body(sponsor: bytes, items: Sequence[tuple[bytes, bytes | None]]) -> bytes:
    """Encode a batch body of (envelope, attestation) pairs, to be signed by the sponsor."""
    return encode((TRANSACTION_VERSION, sponsor, items))


def build_batch(body: bytes, signature: Signature) -> bytes:
    """Encode a batch."""
    return encode((body, signature.suite, signature.public_key, signature.signature))


def decode_envelope(raw: bytes) -> tuple[Envelope, Body]:
    """Decode an envelope for reading, without checking signatures."""
    envelope = _decode_envelope.decode(raw)
    return envelope, _decode_body.decode(envelope.body)


def decode_batch(raw: bytes) -> tuple[Batch, BatchBody]:
    """Decode a batch that this node has checked before."""
    batch = _decode_batch.decode_trusted(raw)
    return batch, _decode_batch_body.decode_trusted(batch.body)


def compute_tx_id(network: Network, body: bytes) -> bytes:
    """Compute the id of the transaction with this body."""
    return network.digest(network.tx_prefix + body)


def check_envelope(raw: bytes, network: Network) -> tuple[bytes, list[SignatureCheck]]:
    """Check everything about an envelope but its signatures and what state decides.

    Returns:
      tx_id and envelope hash (64 bytes), and the signatures that must verify.

    Raises:
      Invalid: the first check that fails, in the order of `InvalidCode`.
    """
    limits = network.genesis.limits
    if len(raw) > limits.envelope_bytes:
        raise Invalid(
            InvalidCode.TOO_LARGE,
            f"envelope has {len(raw)} bytes: at most {limits.envelope_bytes} are accepted",
        )
    envelope = _decode_envelope.decode(raw)
    body = _decode_plain_body.decode(envelope.body)
    if body.version != TRANSACTION_VERSION:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"transaction has version {body.version}: this network reads {TRANSACTION_VERSION}",
        )
    _check_counts(body, network)
    message = network.tx_prefix + envelope.body
    checks = _check_signers(body.signers, envelope.signatures, network, message)
    return network.digest(message) + network.digest(raw), checks


def _check_counts(body: _PlainBody, network: Network) -> None:
    limits = network.genesis.limits
    counts = (
        ("signers", len(body.signers), limits.signers),
        ("calls", len(body.calls), limits.calls),
    )
    for what, count, count_max in counts:
        if not 1 <= count <= count_max:
            raise Invalid(
                InvalidCode.TOO_MANY,
                f"transaction has {count} {what}: between 1 and {count_max} are accepted",
                count=count,
            )
    if len(set(body.signers)) != len(body.signers):
        raise Invalid(InvalidCode.SIGNERS, "transaction names a signer twice: name each once")


def _check_signers(
    signers: tuple[bytes, ...],
    signatures: tuple[Signature, ...],
    network: Network,
    message: bytes,
) -> list[SignatureCheck]:
    """Check that the signatures are those of the signers, no more, no fewer, in order."""
    if len(signatures) != len(signers):
        raise Invalid(
            InvalidCode.SIGNERS,
            f"transaction names {len(signers)} signers but carries {len(signatures)} signatures: "
            "exactly one signature a signer, in the same order",
        )
    checks = []
    for number, (signer, signature) in enumerate(zip(signers, signatures, strict=True)):
        suite, public_key, value = signature.suite, signature.public_key, signature.signature
        if suite not in network.genesis.suites:
            raise Invalid(
                InvalidCode.SUITE,
                f"signature {number} has suite {suite}: this network allows "
                f"{list(network.genesis.suites)}",
            )
        check_public_key(suite, public_key)
        if address_of(suite, public_key, network.digest) != signer:
            raise Invalid(
                InvalidCode.SIGNERS,
                f"the key of signature {number} is not that of signer {number}: signatures stand "
                "in the order of the signers",
                signer=signer,
            )
        checks.append(SignatureCheck(suite, public_key, value, message))
    return checks


def check_batch(raw: bytes, network: Network, verify_many: VerifyMany) -> Verdict:
    """Check a batch and all its envelopes, signatures included; never raises for bad input.

    One bad envelope does not harm the others; a bad batch is rejected whole.
    """
    return check_batches([raw], network, verify_many)[0]


def check_batches(
    raws: Sequence[bytes], network: Network, verify_many: VerifyMany
) -> list[Verdict]:
    """Check batches as `check_batch` does, all their signatures in one go."""
    verdicts: list[Verdict] = []
    checks: list[SignatureCheck] = []
    owners: list[tuple[int, int]] = []
    for number, raw in enumerate(raws):
        try:
            verdict, needed = _check_unsigned(raw, network)
        except Invalid as error:
            verdicts.append(Verdict(b"", {}, error))
            continue
        verdicts.append(verdict)
        for index, check in needed:
            owners.append((number, index))
            checks.append(check)
    for (number, index), is_good in zip(owners, verify_many(checks), strict=True):
        if is_good:
            continue
        if index == _OF_SPONSOR:
            verdicts[number] = Verdict(b"", {}, bad_batch_signature())
        elif verdicts[number].rejected is None:
            verdicts[number].invalid[index] = bad_signature("a signature of the transaction")
    return verdicts


def _check_unsigned(
    raw: bytes, network: Network
) -> tuple[Verdict, list[tuple[int, SignatureCheck]]]:
    """Check all of a batch but its signatures, which are listed with the index of their item."""
    batch = open_batch(raw, network)
    needed = [(_OF_SPONSOR, batch.build_check(network))]
    try:
        body = open_batch_body(batch, network)
    except Invalid as error:  # told if the sponsor signed it
        return Verdict(b"", {}, error), needed
    ids: list[bytes] = []
    invalid: dict[int, Invalid] = {}
    for index, item in enumerate(body.items):
        try:
            found, checks = check_envelope(item.envelope, network)
        except Invalid as error:
            invalid[index] = error
            ids.append(bytes(ID_BYTES))
            continue
        ids.append(found)
        needed += [(index, check) for check in checks]
    return Verdict(b"".join(ids), invalid, None), needed


def bad_batch_signature() -> Invalid:
    """Build the error for a batch that its sponsor did not sign."""
    return bad_signature("the sponsor's signature of the batch")


def bad_signature(what: str) -> Invalid:
    """Build the error for a signature that does not verify."""
    return Invalid(
        InvalidCode.SIGNATURE,
        f"{what} does not verify: sign the exact bytes, for this network, with the named key",
    )


def open_batch(raw: bytes, network: Network) -> Batch:
    """Decode a batch that comes from anywhere, and check all that needs neither signature nor body.

    Raises:
      Invalid: the batch as a whole.
    """
    limits = network.genesis.limits
    if len(raw) > limits.batch_bytes:
        raise Invalid(
            InvalidCode.TOO_LARGE,
            f"batch has {len(raw)} bytes: at most {limits.batch_bytes} are accepted",
        )
    batch = _decode_batch.decode(raw)
    if batch.suite not in network.genesis.suites:
        raise Invalid(InvalidCode.SUITE, f"the batch is signed with suite {batch.suite}")
    check_public_key(batch.suite, batch.public_key)
    return batch


def open_batch_body(batch: Batch, network: Network) -> BatchBody:
    """Decode the body of a batch: of a stranger's once its signature was verified.

    Its items are counted before they are decoded: an item takes four bytes where it is sent, and a
    hundred times as much here.

    Raises:
      Invalid: the batch as a whole.
    """
    count, count_max = _count_items(batch.body), network.genesis.limits.batch_items
    if not 1 <= count <= count_max:
        raise Invalid(
            InvalidCode.TOO_MANY,
            f"batch has {count} items: between 1 and {count_max} are accepted",
        )
    body = _decode_batch_body.decode(batch.body)
    if body.version != TRANSACTION_VERSION:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"batch has version {body.version}: this network reads {TRANSACTION_VERSION}",
        )
    return body


def _count_items(body: bytes) -> int:
    """Read how many items a batch body says to have."""
    found = _find_count(body)
    if found is None:
        raise Invalid(
            InvalidCode.MALFORMED,
            "batch body cannot be decoded: it does not begin with a version, a sponsor and items",
        )
    count = found[1]
    return count[0] & 15 if len(count) == 1 else int.from_bytes(count[1:], "big")


def build_checked(raw: bytes, verdict: Verdict, network: Network) -> CheckedBatch:
    """Join a batch that was not rejected with its verdict.

    Raises:
      Invalid: the batch as a whole was rejected.
    """
    if verdict.rejected is not None:
        raise verdict.rejected
    batch, body = decode_batch(raw)
    ids, invalid = verdict.ids, verdict.invalid
    items: list[CheckedEnvelope | Invalid] = []
    decode, decode_body = _decode_parts.decode_trusted, _decode_body.decode_trusted
    for index, item in enumerate(body.items):
        if index in invalid:
            items.append(invalid[index])
            continue
        start = index * ID_BYTES
        items.append(
            CheckedEnvelope(
                decode_body(decode(item.envelope).body),
                ids[start : start + 32],
                ids[start + 32 : start + 64],
                item.attestation,
            )
        )
    key_address = address_of(batch.suite, batch.public_key, network.digest)
    sizes = [len(item.envelope) for item in body.items]
    return CheckedBatch(raw, body.sponsor, key_address, items, sizes)


def trust_batch(raw: bytes, network: Network, dropped: dict[int, Invalid]) -> Verdict:
    """Build the verdict of a batch that this node itself verified and logged before."""
    digest, prefix = network.digest, network.tx_prefix
    _, body = decode_batch(raw)
    decode = _decode_parts.decode_trusted
    ids = []
    for index, item in enumerate(body.items):
        if index in dropped:
            ids.append(bytes(ID_BYTES))
        else:
            ids.append(digest(prefix + decode(item.envelope).body) + digest(item.envelope))
    return Verdict(b"".join(ids), dropped, None)


def list_nonces(raw: bytes, dropped: Container[int]) -> list[tuple[bytes, bytes, int]]:
    """List (first signer, nonce, valid_until_ms) of a logged batch's items that got a receipt."""
    _, batch = decode_batch(raw)
    decode, decode_body = _decode_parts.decode_trusted, _decode_body.decode_trusted
    bodies = [
        decode_body(decode(item.envelope).body)
        for index, item in enumerate(batch.items)
        if index not in dropped
    ]
    return [(body.signers[0], body.nonce, body.valid_until_ms) for body in bodies]


def compute_attestation(network: Network, tx_id: bytes, salt: bytes, *decision: Fact) -> bytes:
    """Compute a sponsor's commitment to its risk decision for one transaction.

    `decision` is what the owner may open years later: model, policy version, verdict, expiry.
    """
    return network.digest(network.attestation_prefix + encode((tx_id, salt, decision)))
