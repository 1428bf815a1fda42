"""A header with the signatures that committed it, and whether they are enough.

Source: CometBFT v0.38, types/validation.go; docs/reference/light.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from hansa.kernel.crypto.signatures import SIGNATURE_BYTES, SignatureCheck, Suite, verify_many
from hansa.kernel.encoding import Decoder, Document
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.light.header import (
    BLOCK_VERSION,
    BlockId,
    ConsensusHeader,
    Count,
    Moment,
    Parts,
    build_vote,
)
from hansa.kernel.light.validators import VALIDATORS_MAX, ValidatorSet


class CommitSignature(Document, frozen=True, array_like=True):
    """One validator's signature for the block; those for another or for none are left out."""

    index: Annotated[int, Meta(ge=0, le=VALIDATORS_MAX - 1)]
    """Of the validator in its set."""
    time: Moment
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class SignedHeader(Document, frozen=True, array_like=True):
    """A header of CometBFT and the signatures for its block, by rising index."""

    header: ConsensusHeader
    round: Count
    parts: Parts
    """Of the block: signed together with the header's hash."""
    signatures: Annotated[tuple[CommitSignature, ...], Meta(max_length=VALIDATORS_MAX)]

    @property
    def block(self) -> BlockId:
        """What was voted for."""
        return BlockId(self.header.compute_hash(), self.parts)


@dataclass(frozen=True, slots=True)
class Tally:
    """Who signed a header, of how many."""

    signers: int
    validators: int
    power_signed: int
    power: int


_DECODER: Decoder[SignedHeader] = Decoder(SignedHeader, "signed header")
decode_signed_header = _DECODER.decode


def verify_commit(signed: SignedHeader, validators: ValidatorSet, chain_id: str) -> Tally:
    """Verify that more than 2/3 of the power of `validators` signed this header's block.

    A bad signature beside enough good ones is refused, too: whoever passed them on has added it.

    Args:
      signed: the header, with its signatures.
      validators: the set in force at that height, known from before.
      chain_id: of the network that is meant; it is part of each signature.

    Raises:
      Invalid: `UNSUPPORTED_VERSION`, or `MALFORMED` for signatures out of order, or `SIGNATURE`.
    """
    header = signed.header
    if header.block_version != BLOCK_VERSION:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"CometBFT's block has version {header.block_version}: this program reads "
            f"{BLOCK_VERSION}",
        )
    if header.chain_id != chain_id:
        raise _unsigned(signed, f"is of the network {header.chain_id}, not of {chain_id}")
    if header.validators_hash != validators.compute_hash():
        raise _unsigned(signed, "is not of the validators in force then: a hand-over is missing")
    indexes = [each.index for each in signed.signatures]
    if indexes != sorted(set(indexes)) or indexes[-1:] >= [len(validators.validators)]:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"the signatures at CometBFT's height {header.height} are not of a validator each, "
            "in the order of the set",
        )
    if not all(verify_many(_list_checks(signed, validators))):
        raise _unsigned(signed, "bears a signature that does not verify")
    power_signed = sum(validators.validators[index].power for index in indexes)
    if 3 * power_signed <= 2 * validators.power:
        raise _unsigned(
            signed,
            f"is signed with a power of {power_signed} of {validators.power}: "
            "more than two thirds are needed",
        )
    return Tally(len(indexes), len(validators.validators), power_signed, validators.power)


def compute_shared_power(
    signed: SignedHeader, validators: ValidatorSet, known: ValidatorSet
) -> int:
    """Compute the power, in a set known from before, of those who signed this header.

    Args:
      signed: a header whose commit was verified.
      validators: the set in force at its height, in which its signatures are counted.
      known: another set, of an earlier height.
    """
    keys = {validators.validators[each.index].public_key for each in signed.signatures}
    return sum(each.power for each in known.validators if each.public_key in keys)


def drop_unverified(signed: SignedHeader, validators: ValidatorSet) -> SignedHeader:
    """Leave out each signature that is of no validator of the set, or does not verify.

    For whoever gets a commit of which only a part was verified, such as CometBFT itself where it
    begins from a snapshot: it looks at no more signatures than are enough.
    """
    count = len(validators.validators)
    known = replace(
        signed, signatures=tuple(each for each in signed.signatures if each.index < count)
    )
    verdicts = verify_many(_list_checks(known, validators))
    good = [each for each, is_good in zip(known.signatures, verdicts, strict=True) if is_good]
    return replace(known, signatures=tuple(good))


def _list_checks(signed: SignedHeader, validators: ValidatorSet) -> list[SignatureCheck]:
    block = signed.block
    return [
        SignatureCheck(
            Suite.ED25519,
            validators.validators[each.index].public_key,
            each.signature,
            build_vote(signed.header, signed.round, block, each.time),
        )
        for each in signed.signatures
    ]


def _unsigned(signed: SignedHeader, why: str) -> Invalid:
    height = signed.header.height
    return Invalid(
        InvalidCode.SIGNATURE, f"CometBFT's header at height {height} {why}", height=height
    )
