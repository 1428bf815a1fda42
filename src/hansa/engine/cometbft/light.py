"""From what CometBFT's RPC answers to the documents that receipt files carry.

Nothing is believed: what is built here is verified with `kernel.light` before it is passed on.

Source: CometBFT v0.38, rpc/openapi/openapi.yaml: `/commit`, `/validators`.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from hansa.kernel.errors import Unavailable
from hansa.kernel.light.commit import CommitSignature, SignedHeader
from hansa.kernel.light.header import BlockId, ConsensusHeader, Moment, Parts
from hansa.kernel.light.validators import Validator, ValidatorSet

Answer = Mapping[str, Any]

_FOR_THE_BLOCK = 2
"""BlockIDFlagCommit; 1 is absent, 3 is a vote for no block."""

_ED25519 = "tendermint/PubKeyEd25519"
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z", re.ASCII)
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
_UNREADABLE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    Base64Error,
    msgspec.MsgspecError,
)


def read_signed_header(answer: Answer) -> SignedHeader:
    """Build the signed header of an answer to `/commit`: votes for the block, and no others.

    Raises:
      Unavailable: it is not what CometBFT v0.38 answers.
    """
    try:
        signed = answer["signed_header"]
        commit = signed["commit"]
        signatures = tuple(
            CommitSignature(index, _read_time(vote["timestamp"]), b64decode(vote["signature"]))
            for index, vote in enumerate(commit["signatures"])
            if vote["block_id_flag"] == _FOR_THE_BLOCK
        )
        found = SignedHeader(
            _read_header(signed["header"]),
            int(commit["round"]),
            _read_block(commit["block_id"]).parts,
            signatures,
        )
        return msgspec.convert(_to_plain(found), SignedHeader)
    except _UNREADABLE as error:
        raise _unreadable("commit", error) from None


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
    except _UNREADABLE as error:
        raise _unreadable("validators", error) from None


def _read_header(raw: Answer) -> ConsensusHeader:
    version = raw["version"]
    return ConsensusHeader(
        int(version["block"]),
        int(version.get("app", 0)),
        raw["chain_id"],
        int(raw["height"]),
        _read_time(raw["time"]),
        _read_block(raw["last_block_id"]),
        *(bytes.fromhex(raw[name]) for name in _HASHES),
    )


def _read_block(raw: Answer) -> BlockId:
    parts = raw["parts"]
    return BlockId(
        bytes.fromhex(raw["hash"]), Parts(int(parts["total"]), bytes.fromhex(parts["hash"]))
    )


def _read_time(text: str) -> Moment:
    """Read an RFC 3339 time as Go writes it: UTC, up to nine digits behind the point."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"the time {text!r}")
    whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    return Moment(int(whole.timestamp()), int((found[2] or "").ljust(9, "0")))


def _read_validator(raw: Answer) -> Validator:
    key = raw["pub_key"]
    if key["type"] != _ED25519:
        raise ValueError(f"a key of the type {key['type']}")
    return Validator(b64decode(key["value"]), int(raw["voting_power"]))


def _to_plain(document: SignedHeader | ValidatorSet) -> object:
    """Take a document apart, so that building it again checks its types and bounds."""
    return msgspec.to_builtins(document, builtin_types=(bytes,))


def _unreadable(what: str, error: Exception) -> Unavailable:
    return Unavailable(
        f"CometBFT answers /{what} in a way that this program cannot read: {error!r}. "
        "Is it version 0.38?"
    )
