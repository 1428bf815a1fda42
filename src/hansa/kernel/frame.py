"""Batches as frames of envelopes: their documents, and what is known before envelopes are checked.

Source: docs/reference/wire.md.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hansa.kernel.crypto.address import address_of
from hansa.kernel.crypto.signatures import (
    SignatureCheck,
    VerifyMany,
    bad_signature,
    check_public_key,
)
from hansa.kernel.encoding import Decoder, Document
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.quota import Claim
from hansa.kernel.values import LATEST_MS, TRANSACTION_VERSION, Address, Hash


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

_decode_batch: Decoder[Batch] = Decoder(Batch, "batch")
_decode_batch_body: Decoder[BatchBody] = Decoder(BatchBody, "batch body")


class Frame(NamedTuple):
    """What is known of a batch before its envelopes are checked; small, so that it is kept."""

    claim: Claim
    last_end_ms: int
    """Of the envelopes that say until when they are valid, the latest end; -1 if none does."""


_find_end = re.compile(
    rb"\x92 (?:\xc4.|\xc5..|\xc6.{4})"  # the envelope's array, and the header of the body's bytes
    rb"\x95 \x01"  # the body's array, and the version
    rb"(?:[\x90-\x9f]|\xdc..) (?:\xc4\x20.{32})*"  # signers
    rb"\xc4\x10.{16}"  # nonce
    rb"(\xcf.{8}|\xce.{4}|\xcd..|\xcc.|[\x00-\x7f])",  # valid_until_ms
    re.DOTALL | re.VERBOSE,
).match
"""As every good envelope begins. Nothing behind the end is looked at: whether what stands there can
be decoded at all depends on the room on the stack, and what a block may hold must not."""


def decode_batch(raw: bytes) -> tuple[Batch, BatchBody]:
    """Decode a batch that this node has checked before."""
    batch = _decode_batch.decode_trusted(raw)
    return batch, _decode_batch_body.decode_trusted(batch.body)


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


def bad_batch_signature() -> Invalid:
    """Build the error for a batch that its sponsor did not sign."""
    return bad_signature("the sponsor's signature of the batch")


def check_frame(raw: bytes, network: Network, verify_many: VerifyMany) -> Frame:
    """Check a batch but not its envelopes: whether it can be read, and its sponsor's signature.

    Costs one signature and some hashing of what nobody signed; a microsecond and a half an envelope
    of what somebody did. So whoever passes batches on can turn strangers away at once.

    Raises:
      Invalid: the batch as a whole.
    """
    batch = open_batch(raw, network)
    if verify_many([batch.build_check(network)]) != [True]:
        raise bad_batch_signature()
    body = open_batch_body(batch, network)
    key_address = address_of(batch.suite, batch.public_key, network.digest)
    size = sum(len(item.envelope) for item in body.items)
    claim = Claim(body.sponsor, key_address, size, len(body.items))
    return Frame(claim, read_last_end(body))


def read_last_end(body: BatchBody) -> int:
    """Read the latest end that an envelope of a batch says; -1 if none does."""
    ends = [end for item in body.items if (end := read_end(item.envelope)) is not None]
    return max(ends, default=-1)


def read_end(envelope: bytes) -> int | None:
    """Read until when an envelope says to be valid, be it forged or not; None if it does not."""
    found = _find_end(envelope)
    if found is None:
        return None
    end = found[1]
    end_ms = int.from_bytes(end[len(end) > 1 :], "big")
    return end_ms if end_ms <= LATEST_MS else None
