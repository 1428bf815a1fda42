"""Frames: what is known of a batch before its envelopes are checked."""

from __future__ import annotations

import re
from typing import NamedTuple

from hansa.kernel.crypto.address import address_of
from hansa.kernel.genesis import VALIDITY_MAX_MS, Network
from hansa.kernel.quota import Claim
from hansa.kernel.transaction import VerifyMany, bad_batch_signature, open_batch, open_batch_body
from hansa.kernel.values import LATEST_MS


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
    ends = [end for item in body.items if (end := read_end(item.envelope)) is not None]
    claim = Claim(body.sponsor, key_address, size, len(body.items))
    return Frame(claim, min(ends, default=-1), max(ends, default=-1))


def read_end(envelope: bytes) -> int | None:
    """Read until when an envelope says to be valid, be it forged or not; None if it does not."""
    found = _find_end(envelope)
    if found is None:
        return None
    end = found[1]
    end_ms = int.from_bytes(end[len(end) > 1 :], "big")
    return end_ms if end_ms <= LATEST_MS else None
