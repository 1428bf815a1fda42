"""From a set of validators that one trusts, forward through hand-overs to those of a later height.

A set stays in force until the next hand-over; headers between need not be shown. A hand-over is
a header that the set in force signed, and that names the hash of the next one. Or it is a leap: a
header that a later set signed, with more than two thirds of the power of the set in force as well.

Source: docs/reference/light.md; CometBFT v0.38, light/verifier.go (VerifyAdjacent, and
VerifyNonAdjacent, which is content with a third).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile

from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.light.commit import SignedHeader, Tally, compute_shared_power, verify_commit
from hansa.kernel.light.header import Moment
from hansa.kernel.light.validators import ValidatorSet, check_validators
from hansa.kernel.values import Hash, NonNegative, Positive

CHECKPOINT_FORMAT = "hansa-checkpoint"
CHECKPOINT_VERSION = 1
CHECKPOINT_BYTES_MAX = 16_384
CHECKSUM_BYTES = 32


class HandOver(Document, frozen=True, array_like=True):
    """The last header that one set signed, and the set that signs from the next height on.

    Or, as a leap, any header, and the very set that signed it.
    """

    signed_header: SignedHeader
    validators: ValidatorSet

    @property
    def is_leap(self) -> bool:
        """Whether the validators are those who signed the header."""
        return self.signed_header.header.validators_hash == self.validators.compute_hash()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a verifier knows: who signs on this network from a height of CometBFT on."""

    genesis_hash: bytes
    height: int
    """Of CometBFT, the first at which these validators are known to sign."""
    time: Moment
    """Of the newest header that was verified by then; at first that of genesis."""
    validators: ValidatorSet

    @property
    def chain_id(self) -> str:
        """The network's name in CometBFT's signatures."""
        return compute_chain_id(self.genesis_hash)


@dataclass(frozen=True, slots=True)
class Trail:
    """A header that was verified, and how it was reached."""

    start: Checkpoint
    end: Checkpoint
    """At the header's own height: whoever keeps it needs no earlier hand-over again."""
    hand_overs: int
    """How many were followed from `start` to `end`."""
    signed_header: SignedHeader
    tally: Tally


class _CheckpointFile(Document, frozen=True, array_like=True):
    format: str
    version: NonNegative
    genesis_hash: Hash
    height: Positive
    time: Moment
    validators: ValidatorSet
    checksum: Hash
    """SHA-256 of all bytes before it: what its keeper trusts is not verified by anything else."""


def _check_set(document: HandOver | _CheckpointFile) -> None:
    check_validators(document.validators)


_HAND_OVERS: Decoder[HandOver] = Decoder(HandOver, "hand-over", _check_set)
_CHECKPOINTS: Decoder[_CheckpointFile] = Decoder(_CheckpointFile, "checkpoint", _check_set)
decode_hand_over = _HAND_OVERS.decode


def compute_chain_id(genesis_hash: bytes) -> str:
    """Compute the network's name in CometBFT, so that a signature belongs to one genesis."""
    return "hansa-" + genesis_hash.hex()[:40]


def follow(start: Checkpoint, hand_overs: Sequence[HandOver]) -> Checkpoint:
    """Follow all hand-overs, in order; returns who signs after the last one.

    Raises:
      Invalid: one of them was not signed by the set then in force, or names another next set.
    """
    now = start
    for hand_over in hand_overs:
        if hand_over.is_leap:
            now = _leap(now, hand_over)
            continue
        _verify_header(now, hand_over.signed_header)
        header = hand_over.signed_header.header
        if header.next_validators_hash != hand_over.validators.compute_hash():
            raise _bad_hand_over(header.height, "hands over to other validators than those with it")
        now = Checkpoint(start.genesis_hash, header.height + 1, header.time, hand_over.validators)
    return now


def verify_header(
    start: Checkpoint, hand_overs: Sequence[HandOver], signed_header: SignedHeader
) -> Trail:
    """Verify a header from a checkpoint on, through hand-overs.

    Args:
      start: what the verifier trusts.
      hand_overs: in order; those from before `start` are passed over.
      signed_header: signed by the validators in force behind the last hand-over.

    Raises:
      Invalid: anything is not signed by more than 2/3 of the power in force at its height.
    """
    later = list(
        dropwhile(lambda each: each.signed_header.header.height < start.height, hand_overs)
    )
    now = follow(start, later)
    tally = _verify_header(now, signed_header)
    header = signed_header.header
    end = Checkpoint(start.genesis_hash, header.height, header.time, now.validators)
    return Trail(start, end, len(later), signed_header, tally)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Encode a checkpoint as a file to be kept."""
    file = _CheckpointFile(
        CHECKPOINT_FORMAT,
        CHECKPOINT_VERSION,
        checkpoint.genesis_hash,
        checkpoint.height,
        checkpoint.time,
        checkpoint.validators,
        bytes(CHECKSUM_BYTES),
    )
    content = encode(file)[:-CHECKSUM_BYTES]
    return content + hashlib.sha256(content).digest()


def decode_checkpoint(raw: bytes) -> Checkpoint:
    """Decode a checkpoint's file, which its keeper trusts.

    Raises:
      Invalid: it is none, or of a version to come.
    """
    if len(raw) > CHECKPOINT_BYTES_MAX:
        raise Invalid(
            InvalidCode.TOO_LARGE, f"a checkpoint has at most {CHECKPOINT_BYTES_MAX} bytes"
        )
    file = _CHECKPOINTS.decode(raw)
    if file.format != CHECKPOINT_FORMAT:
        raise Invalid(InvalidCode.MALFORMED, "this is no checkpoint")
    if file.version != CHECKPOINT_VERSION:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"the checkpoint has version {file.version}: this program reads {CHECKPOINT_VERSION}",
        )
    if hashlib.sha256(raw[:-CHECKSUM_BYTES]).digest() != file.checksum:
        raise Invalid(
            InvalidCode.MALFORMED, "the checkpoint was changed or damaged: its checksum differs"
        )
    return Checkpoint(file.genesis_hash, file.height, file.time, file.validators)


def _leap(now: Checkpoint, hand_over: HandOver) -> Checkpoint:
    """Go on from a later header; more than 2/3 of the power known so far must have signed it, too.

    That is what a hand-over takes, so whoever could forge a leap could forge hand-overs as well.
    """
    signed, validators = hand_over.signed_header, hand_over.validators
    header = signed.header
    there = Checkpoint(now.genesis_hash, header.height, header.time, validators)
    _require_later(now, header.height)
    _verify_header(there, signed)
    shared, power = compute_shared_power(signed, validators, now.validators), now.validators.power
    if 3 * shared <= 2 * power:
        raise Invalid(
            InvalidCode.SIGNATURE,
            f"CometBFT's header at height {header.height} is signed with a power of {shared} of "
            f"the {power} known at height {now.height}: more than two thirds are needed, or the "
            "hand-overs between",
            height=header.height,
        )
    return there


def _verify_header(now: Checkpoint, signed_header: SignedHeader) -> Tally:
    _require_later(now, signed_header.header.height)
    return verify_commit(signed_header, now.validators, now.chain_id)


def _require_later(now: Checkpoint, height: int) -> None:
    if height < now.height:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"CometBFT's header at height {height} is from before the validators known at height "
            f"{now.height}: start from an earlier checkpoint, or from genesis",
            height=height,
        )


def _bad_hand_over(height: int, why: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED, f"CometBFT's header at height {height} {why}", height=height
    )
