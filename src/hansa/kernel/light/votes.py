"""What shows that validators voted for a block of Hansa, on a network that has no sealer.

Whoever holds the genesis, or a checkpoint that was written later, follows the hand-overs to the
validators in force, who signed a header of CometBFT that names the block by its hash.

Source: docs/reference/light.md.
"""

from __future__ import annotations

from hansa.kernel.encoding import Decoder, Document
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Genesis, Network
from hansa.kernel.light.commit import SignedHeader
from hansa.kernel.light.header import Moment
from hansa.kernel.light.trail import Checkpoint, HandOver, Trail, verify_header
from hansa.kernel.light.validators import ValidatorSet, check_validators

VOTES_BYTES_MAX = 3 << 20
"""Of encoded votes: a receipt file has room for its other fields beside them."""

FIRST_HEIGHT = 1
"""Of CometBFT: it begins every chain there."""


class Votes(Document, frozen=True, array_like=True):
    """A signed header of CometBFT that names a block, and how its validators came to sign."""

    hand_overs: tuple[HandOver, ...]
    """From genesis on, in order; leaps where they do."""
    signed_header: SignedHeader
    """Its app_hash is the hash of the block's header."""


def check_hand_overs(votes: Votes) -> None:
    """Check what the types let through: sets that CometBFT does not make; raises `Invalid`."""
    for hand_over in votes.hand_overs:
        check_validators(hand_over.validators)


_DECODER: Decoder[Votes] = Decoder(Votes, "votes", check_hand_overs)


def decode_votes(raw: bytes, *, bytes_max: int | None = VOTES_BYTES_MAX) -> Votes:
    """Decode votes, as nodes answer and keep them.

    Args:
      raw: encoded.
      bytes_max: what they may have; None for those that one has written oneself.

    Raises:
      Invalid: they are none, or too large.
    """
    if bytes_max is not None and len(raw) > bytes_max:
        raise Invalid(InvalidCode.TOO_LARGE, f"votes have at most {bytes_max} bytes")
    return _DECODER.decode(raw)


def list_genesis_validators(genesis: Genesis) -> ValidatorSet:
    """List who votes on the first block: nodes with a consensus key, by their members' weights.

    Raises:
      Invalid: more of them, or more power, than CometBFT counts.
    """
    weights = {member.address: member.weight for member in genesis.members}
    return ValidatorSet.of(
        (node.consensus_key, weights[node.member])
        for node in genesis.nodes
        if node.consensus_key and weights[node.member]
    )


def begin(network: Network) -> Checkpoint:
    """Build the checkpoint that a genesis is, for whoever trusts it.

    Raises:
      Invalid: the network is not voted.
    """
    genesis = network.genesis
    if not genesis.is_voted:
        raise Invalid(
            InvalidCode.SIGNATURE,
            "this network is sealed: its genesis names sealers, and nobody votes on its blocks",
        )
    time = Moment.of_ms(genesis.time_ms)
    validators = list_genesis_validators(genesis)
    return Checkpoint(network.genesis_hash, FIRST_HEIGHT, time, validators)


def check_votes(
    network: Network, header: bytes, votes: Votes, start: Checkpoint | None = None
) -> Trail:
    """Check that more than 2/3 of the validators' power signed a block of Hansa.

    Args:
      network: of the genesis that is trusted, or that a checkpoint names.
      header: of the block, as it is encoded.
      votes: on it.
      start: the checkpoint that the verifier trusts; genesis where not given.

    Raises:
      Invalid: they did not, or for another block or network.
    """
    begun = begin(network)
    start = start or begun
    if start.genesis_hash != network.genesis_hash:
        raise Invalid(
            InvalidCode.SIGNATURE,
            f"the checkpoint is of another network: genesis {start.genesis_hash.hex()}",
            genesis_hash=start.genesis_hash,
        )
    signed = votes.signed_header
    if signed.header.app_hash != network.digest(network.header_prefix + header):
        height = signed.header.height
        raise Invalid(
            InvalidCode.SIGNATURE,
            f"CometBFT's header at height {height} does not name this block of Hansa",
            height=height,
        )
    return verify_header(start, votes.hand_overs, signed)
