"""Frames: what is known of a batch before its envelopes are checked."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from hansa.kernel.crypto.address import address_of
from hansa.kernel.crypto.signatures import SignatureCheck
from hansa.kernel.encoding import DECODE_ERRORS, Document
from hansa.kernel.genesis import VALIDITY_MAX_MS, Network
from hansa.kernel.quota import Claim
from hansa.kernel.transaction import VerifyMany, bad_batch_signature, open_batch
from hansa.kernel.values import TimeMs


class Frame(NamedTuple):
    """What is known of a batch before its envelopes are checked; small, so that it is kept."""

    claim: Claim
    first_end_ms: int
    """Of the envelopes that say until when they are valid, the earliest end; else -1."""
    last_end_ms: int
    """The latest end; -1 if none says it."""

    def is_over(self, time_ms: int) -> bool:
        """Whether none of its envelopes says to be valid at a ledger time or later."""
        return self.last_end_ms < time_ms

    def is_early(self, time_ms: int) -> bool:
        """Whether all of its envelopes end further ahead of a ledger time than is accepted."""
        return self.first_end_ms > time_ms + VALIDITY_MAX_MS


class _Parts(Document, frozen=True, array_like=True):
    """An envelope of which only the body is read."""

    body: bytes
    signatures: msgspec.Raw


class _End(Document, frozen=True, array_like=True):
    """A body of which only the end of its validity is read."""

    version: msgspec.Raw
    signers: msgspec.Raw
    nonce: msgspec.Raw
    valid_until_ms: TimeMs
    calls: msgspec.Raw


_decode_parts = msgspec.msgpack.Decoder(_Parts).decode
_decode_end = msgspec.msgpack.Decoder(_End).decode


def check_frame(raw: bytes, network: Network, verify_many: VerifyMany) -> Frame:
    """Check a batch but not its envelopes: whether it can be read, and its sponsor's signature.

    Costs one signature and half a microsecond an envelope, so that whoever passes batches on can
    turn strangers away at once.

    Raises:
      Invalid: the batch as a whole.
    """
    batch, body = open_batch(raw, network)
    message = network.batch_prefix + batch.body
    check = SignatureCheck(batch.suite, batch.public_key, batch.signature, message)
    if verify_many([check]) != [True]:
        raise bad_batch_signature()
    key_address = address_of(batch.suite, batch.public_key, network.digest)
    size = sum(len(item.envelope) for item in body.items)
    ends = [end for item in body.items if (end := _read_end(item.envelope)) is not None]
    claim = Claim(body.sponsor, key_address, size, len(body.items))
    return Frame(claim, min(ends, default=-1), max(ends, default=-1))


def _read_end(envelope: bytes) -> int | None:
    """Read until when an envelope says to be valid, be it forged or not; None if it cannot."""
    try:
        return _decode_end(_decode_parts(envelope).body).valid_until_ms
    except DECODE_ERRORS:
        return None
