"""Whether what a node knows of its own votes is older than votes of it that are at hand.

A signing state that was brought back from a copy looks like any other. But a header that this node
keeps, signed with its own key at a height that the state does not reach, proves that it is old.

Source: CometBFT v0.38, `privval/file.go`.
"""

from __future__ import annotations

import msgspec

from hansa.engine.cometbft.home import CometHome
from hansa.engine.cometbft.trail import read_votes
from hansa.kernel.crypto.signatures import SignatureCheck, Suite, verify_many
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.light.commit import SignedHeader
from hansa.kernel.light.header import build_vote
from hansa.program import name_program


class _State(msgspec.Struct):
    """What matters here of CometBFT's file."""

    height: str


def read_signed_height(home: CometHome) -> int:
    """Read the height of CometBFT that the node's key signed last; 0 for none.

    Raises:
      NotFound: the state is missing.
      Invalid: it is no state.
      Unavailable: it cannot be read.
    """
    raw, path = home.read_signing_state(), home.signing_state_path
    try:
        return int(msgspec.json.decode(raw, type=_State).height)
    except DECODE_ERRORS:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{path} does not say what was signed last: {_advise(home)}",
            path=str(path),
        ) from None


def require_newest_signing_state(home: CometHome) -> None:
    """Refuse a signing state that does not know of a vote of this node.

    Raises:
      NotFound: key or state are missing.
      Invalid: the state is older than a vote that lies here, or is no state.
      Corrupt: the votes that were kept are damaged.
      Unavailable: key, state or votes cannot be read.
    """
    height = read_signed_height(home)
    key, path = home.load_consensus_key(), home.signing_state_path
    votes = read_votes(home.path)
    signed = None if votes is None else votes.signed_header
    if signed is None or signed.header.height <= height or not _has_signed(signed, key.public_key):
        return
    raise Invalid(
        InvalidCode.MALFORMED,
        f"{path} ends at height {height}, but this node has voted at {signed.header.height}: it is "
        f"an old copy, with which a height could be signed twice. {_advise(home)}",
        path=str(path),
        height=signed.header.height,
    )


def _has_signed(signed: SignedHeader, public_key: bytes) -> bool:
    """Whether one of the signatures is of this key."""
    block = signed.block
    checks = [
        SignatureCheck(
            Suite.ED25519,
            public_key,
            each.signature,
            build_vote(signed.header, signed.round, block, each.time),
        )
        for each in signed.signatures
    ]
    return any(verify_many(checks))


def _advise(home: CometHome) -> str:
    return (
        f"Make a new consensus key with {name_program()} network key new --replace --data "
        f"{home.path.parent}, which says how to publish it"
    )
