"""From what CometBFT's RPC answers to the documents that receipt files carry.

Nothing is believed: what is built here is verified with `kernel.light` before it is passed on.

Source: CometBFT v0.38, rpc/openapi/openapi.yaml: `/commit`, `/validators`, `/blockchain`,
`/status`.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Final

import msgspec

from hansa.engine.cometbft.rpc import answers
from hansa.engine.cometbft.rpc.answers import (
    FOR_THE_BLOCK,
    UNREADABLE,
    Answer,
    Rpc,
    read_time,
    unreadable,
)
from hansa.engine.ordering import LightBlock
from hansa.kernel.light.commit import CommitSignature, SignedHeader
from hansa.kernel.light.header import BlockId, ConsensusHeader, Parts
from hansa.kernel.light.validators import Validator, ValidatorSet

HEADERS_PER_ANSWER: Final = 20
"""Headers an answer, at most: CometBFT's own bound."""

_ED25519 = "tendermint/PubKeyEd25519"
_HASHES = (
    "last_commit_hash",
    "data_hash",
    "validators_hash",
    "next_validators_hash",
    "consensus_hash",
    "app_hash",
    "last_results_hash",
    "evidence_hash",
    "proposer_address",
)


def read_signed_header(answer: Answer) -> SignedHeader:
    """Build the signed header of an answer to `/commit`: votes for the block, and no others.

    Raises:
      Unavailable: it is not what CometBFT v0.38 answers.
    """
    try:
        signed = answer["signed_header"]
        commit = signed["commit"]
        votes = enumerate(commit["signatures"])
        meant = [_read_vote(*each) for each in votes if each[1]["block_id_flag"] == FOR_THE_BLOCK]
        found = SignedHeader(
            _read_header(signed["header"]),
            int(commit["round"]),
            _read_block(commit["block_id"]).parts,
            tuple(vote for vote in meant if vote is not None),
        )
        return msgspec.convert(_to_plain(found), SignedHeader)
    except UNREADABLE as error:
        raise unreadable("commit", repr(error)) from None


def read_validators(answer: Answer) -> ValidatorSet:
    """Build the set of an answer to `/validators` that holds all of them in one page.

    Raises:
      Unavailable: it is not what CometBFT v0.38 answers, or a page of several.
    """
    try:
        listed = answer["validators"]
        if len(listed) != int(answer["total"]):
            raise ValueError(f"{len(listed)} of {answer['total']} validators")
        found = ValidatorSet(tuple(_read_validator(each) for each in listed))
        return msgspec.convert(_to_plain(found), ValidatorSet)
    except UNREADABLE as error:
        raise unreadable("validators", repr(error)) from None


async def fetch_base(rpc: Rpc) -> int:
    """Fetch the lowest height that CometBFT has not dropped.

    Raises:
      Unavailable: CometBFT does not answer, or answers something else.
    """
    answer = await rpc.call("status")
    try:
        return int(answer["sync_info"]["earliest_block_height"])
    except UNREADABLE as error:
        raise unreadable("status", repr(error)) from None


async def fetch_signed_header(rpc: Rpc, height: int) -> SignedHeader:
    """Fetch the header of a height with its signatures.

    Raises:
      Unavailable: CometBFT has none, or answers something else.
    """
    found = read_signed_header(await rpc.call("commit", height=str(height)))
    if found.header.height != height:
        raise unreadable("commit", f"height {found.header.height} for {height}")
    return found


async def fetch_validators(rpc: Rpc, height: int) -> ValidatorSet:
    """Fetch who signs the header of a height.

    Raises:
      Unavailable: CometBFT does not know them, or answers something else.
    """
    return read_validators(await answers.fetch_validators(rpc, height))


async def fetch_light_block(rpc: Rpc, height: int) -> LightBlock:
    """Fetch what CometBFT's light client asks for of a height, as CometBFT answers it.

    Raises:
      Unavailable: CometBFT has it not yet, or not any more, or does not answer.
    """
    commit = await rpc.call("commit", height=str(height))
    validators = await answers.fetch_validators(rpc, height)
    return LightBlock(commit, validators)


async def fetch_headers(rpc: Rpc, first: int, last: int) -> list[ConsensusHeader]:
    """Fetch the headers of some heights, at most `HEADERS_PER_ANSWER`, in order.

    Those that CometBFT has dropped, or does not have yet, are left out.

    Raises:
      Unavailable: CometBFT does not answer, or answers something else.
    """
    answer = await rpc.call("blockchain", minHeight=str(first), maxHeight=str(last))
    try:
        metas = [meta for meta in answer["block_metas"] if meta is not None]
        found = [_read_header(meta["header"]) for meta in metas]
    except UNREADABLE as error:
        raise unreadable("blockchain", repr(error)) from None
    return sorted(
        (header for header in found if first <= header.height <= last),
        key=lambda header: header.height,
    )


def _read_header(raw: Answer) -> ConsensusHeader:
    version = raw["version"]
    return ConsensusHeader(
        int(version["block"]),
        int(version.get("app", 0)),
        raw["chain_id"],
        int(raw["height"]),
        read_time(raw["time"]),
        _read_block(raw["last_block_id"]),
        *(bytes.fromhex(raw[name]) for name in _HASHES),
    )


def _read_block(raw: Answer) -> BlockId:
    parts = raw["parts"]
    return BlockId(
        bytes.fromhex(raw["hash"]), Parts(int(parts["total"]), bytes.fromhex(parts["hash"]))
    )


def _read_vote(index: int, raw: Answer) -> CommitSignature | None:
    """Read one vote; None if its time or signature is none that a document holds.

    One such vote must not spoil the others: verification says whether they are enough.
    """
    time, signature = raw["timestamp"], raw["signature"]
    try:
        vote = CommitSignature(index, read_time(time), b64decode(signature))
        return msgspec.convert(_to_plain(vote), CommitSignature)
    except (ValueError, msgspec.MsgspecError):
        return None


def _read_validator(raw: Answer) -> Validator:
    key = raw["pub_key"]
    if key["type"] != _ED25519:
        raise ValueError(f"a key of the type {key['type']}")
    return Validator(b64decode(key["value"]), int(raw["voting_power"]))


def _to_plain(document: CommitSignature | SignedHeader | ValidatorSet) -> object:
    """Take a document apart, so that building it again checks its types and bounds."""
    return msgspec.to_builtins(document, builtin_types=(bytes,))
