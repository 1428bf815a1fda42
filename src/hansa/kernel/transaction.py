"""Envelopes and batches: what clients sign, what sponsors hand in, and the stateless checks.

The bytes as received are what is signed and hashed; nobody re-encodes. Everything here needs
only the network's genesis, so it runs in parallel, once per node and envelope.

Source: docs/reference/wire.md.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import msgspec

from hansa.kernel.crypto.address import address_of
from hansa.kernel.crypto.signatures import (
    SignatureCheck,
    VerifyMany,
    bad_signature,
    check_public_key,
)
from hansa.kernel.encoding import Decoder, Document, check_plain, encode
from hansa.kernel.errors import Fact, Invalid, InvalidCode
from hansa.kernel.frame import bad_batch_signature, decode_batch, open_batch, open_batch_body
from hansa.kernel.genesis import Network
from hansa.kernel.quota import Claim
from hansa.kernel.values import TRANSACTION_VERSION, Address, Nonce, NonNegative, TimeMs

ID_BYTES = 64
"""Of each checked envelope: tx_id and envelope hash, 32 bytes each."""
_OF_SPONSOR: Final = -1
"""In the place of an item's index."""
_CODES = tuple(InvalidCode)
_NUMBERS = {code: number for number, code in enumerate(_CODES, start=1)}


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


_decode_envelope: Decoder[Envelope] = Decoder(Envelope, "envelope")
_decode_parts: Decoder[_CheckedParts] = Decoder(_CheckedParts, "envelope")
_decode_body: Decoder[Body] = Decoder(Body, "transaction body")
_decode_plain_body: Decoder[_PlainBody] = Decoder(
    _PlainBody, "transaction body", _check_plain_arguments
)


class CheckedEnvelope(msgspec.Struct, frozen=True, gc=False):
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
    """What a verifying process answers about one batch.

    It travels, and is kept while the batch waits, which nobody has paid for yet: so an item that is
    invalid takes a byte, and what is wrong with it is not told.
    """

    ids: bytes
    """64 bytes an item that is good: tx_id and envelope hash."""
    codes: bytes
    """A byte an item: 0 if it is good, else the place of its code in `InvalidCode`, from 1 on."""
    rejected: Invalid | None
    """Why the batch as a whole is invalid, or None."""

    @classmethod
    def of_good(cls, ids: Sequence[bytes]) -> Self:
        """Build the verdict of a batch whose items are all good, each with its 64 bytes."""
        return cls(b"".join(ids), bytes(len(ids)), None)


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
    signers, calls = len(body.signers), len(body.calls)
    if not 1 <= signers <= limits.signers:
        raise _build_too_many("signers", signers, limits.signers)
    if not 1 <= calls <= limits.calls:
        raise _build_too_many("calls", calls, limits.calls)
    if signers > 1 and len(set(body.signers)) != signers:
        raise Invalid(InvalidCode.SIGNERS, "transaction names a signer twice: name each once")


def _build_too_many(what: str, count: int, count_max: int) -> Invalid:
    return Invalid(
        InvalidCode.TOO_MANY,
        f"transaction has {count} {what}: between 1 and {count_max} are accepted",
        count=count,
    )


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
    drafts = [_Draft() for _ in raws]
    checks: list[SignatureCheck] = []
    owners: list[tuple[_Draft, int]] = []
    for draft, raw in zip(drafts, raws, strict=True):
        indices, needed = draft.check(raw, network)
        owners += [(draft, index) for index in indices]
        checks += needed
    for (draft, index), is_good in zip(owners, verify_many(checks), strict=True):
        if not is_good:
            draft.refuse_signature(index)
    return [draft.finish() for draft in drafts]


class _Draft:
    """What is known of a batch while its signatures are verified."""

    __slots__ = ("_items", "_rejected")

    def __init__(self) -> None:
        self._items: list[bytes | InvalidCode] = []
        self._rejected: Invalid | None = None

    def check(self, raw: bytes, network: Network) -> tuple[list[int], list[SignatureCheck]]:
        """Check all of a batch but signatures; returns those, behind the indices of their items."""
        indices: list[int] = []
        needed: list[SignatureCheck] = []
        try:
            batch = open_batch(raw, network)
            needed.append(batch.build_check(network))
            indices.append(_OF_SPONSOR)
            body = open_batch_body(batch, network)
        except Invalid as error:  # of the body: told if the sponsor signed it
            self._rejected = error
            return indices, needed
        for index, item in enumerate(body.items):
            try:
                ids, checks = check_envelope(item.envelope, network)
            except Invalid as error:
                self._items.append(error.code)
                continue
            self._items.append(ids)
            indices += [index] * len(checks)
            needed += checks
        return indices, needed

    def refuse_signature(self, index: int) -> None:
        """Refuse the item, or the batch, whose signature does not verify."""
        if index == _OF_SPONSOR:
            self._rejected = bad_batch_signature()
        else:
            self._items[index] = InvalidCode.SIGNATURE

    def finish(self) -> Verdict:
        """Put down what was found."""
        if self._rejected is not None:
            return Verdict(b"", b"", self._rejected)
        ids = [item for item in self._items if isinstance(item, bytes)]
        codes = [0 if isinstance(item, bytes) else _NUMBERS[item] for item in self._items]
        return Verdict(b"".join(ids), bytes(codes), None)


def build_checked(raw: bytes, verdict: Verdict, network: Network) -> CheckedBatch:
    """Join a batch that was not rejected with its verdict.

    Raises:
      Invalid: the batch as a whole was rejected.
    """
    if verdict.rejected is not None:
        raise verdict.rejected
    batch, body = decode_batch(raw)
    ids, start = verdict.ids, 0
    errors: dict[int, Invalid] = {}
    """One of a kind: where there is one there may be thousands."""
    items: list[CheckedEnvelope | Invalid] = []
    decode, decode_body = _decode_parts.decode_trusted, _decode_body.decode_trusted
    for item, number in zip(body.items, verdict.codes, strict=True):
        if number:
            items.append(errors.get(number) or errors.setdefault(number, _tell_invalid(number)))
            continue
        items.append(
            CheckedEnvelope(
                decode_body(decode(item.envelope).body),
                ids[start : start + 32],
                ids[start + 32 : start + 64],
                item.attestation,
            )
        )
        start += ID_BYTES
    key_address = address_of(batch.suite, batch.public_key, network.digest)
    sizes = [len(item.envelope) for item in body.items]
    return CheckedBatch(raw, body.sponsor, key_address, items, sizes)


def _tell_invalid(number: int) -> Invalid:
    code = _CODES[number - 1]
    if code is InvalidCode.SIGNATURE:
        return bad_signature("a signature of the transaction")
    return Invalid(
        code, f"the transaction is invalid ({code}): sent alone, not in a batch, it is told why"
    )


def trust_batch(raw: bytes, network: Network, dropped: Mapping[int, Invalid]) -> Verdict:
    """Build the verdict of a batch that this node itself verified and logged before."""
    digest, prefix = network.digest, network.tx_prefix
    _, body = decode_batch(raw)
    decode = _decode_parts.decode_trusted
    ids = [
        digest(prefix + decode(item.envelope).body) + digest(item.envelope)
        for index, item in enumerate(body.items)
        if index not in dropped
    ]
    numbers = {index: _NUMBERS[error.code] for index, error in dropped.items()}
    codes = bytes(numbers.get(index, 0) for index in range(len(body.items)))
    return Verdict(b"".join(ids), codes, None)


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
