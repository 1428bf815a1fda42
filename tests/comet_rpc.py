"""A CometBFT that answers from memory, with headers that validators whose keys we hold signed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tests.vectors.voting import Council, in_force, make_set

from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.commit import SignedHeader
from hansa.kernel.light.header import BlockId, ConsensusHeader, Moment

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - written with its own Z
HASHES = (
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


class FakeRpc:
    """The RPC of a node of a network whose validators are those of `voting`.

    Args:
      network: of the node.
      height: of the newest block.
      app_hashes: of some heights; the others' are zero.
    """

    def __init__(
        self, network: Network, height: int, app_hashes: Mapping[int, bytes] | None = None
    ) -> None:
        self.council = Council(network)
        self.height = height
        self.base = 1
        self.app_hashes = dict(app_hashes or {})
        self.asked: list[str] = []
        self.is_down = False
        self.changes: dict[int, dict[str, Any]] = {}
        """Of the headers of some heights: what is not as it should be."""
        self.late: dict[int, int] = {}
        """How often the header of a height is asked for in vain, until it is signed."""

    async def call(self, method: str, **params: str) -> Mapping[str, Any]:
        if self.is_down:
            raise Unavailable("CometBFT does not answer")
        self.asked.append(method)
        assert all(type(value) is str for value in params.values())
        return getattr(self, f"answer_{method}")(**params)

    def sign(self, height: int) -> SignedHeader:
        if self.late.get(height, 0):
            self.late[height] -= 1
            raise Unavailable(f"height {height} must be less than or equal to {self.height}")
        if not self.base <= height <= self.height:
            raise Unavailable(f"height {height} is not available, lowest height is {self.base}")
        changes = self.changes.get(height, {})
        return self.council.sign(height, self.app_hashes.get(height, bytes(32)), **changes)

    def answer_status(self) -> Mapping[str, Any]:
        return {"sync_info": {"earliest_block_height": str(self.base)}}

    def answer_commit(self, height: str) -> Mapping[str, Any]:
        return write_signed_header(self.sign(int(height)))

    def answer_validators(self, height: str, page: str, per_page: str) -> Mapping[str, Any]:
        found = make_set(in_force(int(height))).validators
        first = (int(page) - 1) * int(per_page)
        shown = found[first : first + int(per_page)]
        return {"validators": [write_validator(each) for each in shown], "total": str(len(found))}

    def answer_blockchain(self, minHeight: str, maxHeight: str) -> Mapping[str, Any]:  # noqa: N803
        first, last = max(int(minHeight), self.base), min(int(maxHeight), self.height)
        if first > last:
            raise Unavailable(f"min height {first} can't be greater than max height {last}")
        heights = range(last, max(first, last - 19) - 1, -1)
        return {"block_metas": [{"header": write_header(self.sign(at).header)} for at in heights]}


def write_header(header: ConsensusHeader) -> dict[str, Any]:
    return {
        "version": {"block": str(header.block_version), "app": str(header.app_version)},
        "chain_id": header.chain_id,
        "height": str(header.height),
        "time": write_time(header.time),
        "last_block_id": write_block(header.last_block),
        **{name: getattr(header, name).hex().upper() for name in HASHES},
    }


def write_signed_header(signed: SignedHeader) -> dict[str, Any]:
    votes: list[dict[str, Any]] = [{"block_id_flag": 1}] * 4
    for vote in signed.signatures:
        votes[vote.index] = {
            "block_id_flag": 2,
            "timestamp": write_time(vote.time),
            "signature": b64encode(vote.signature).decode(),
        }
    commit = {
        "height": str(signed.header.height),
        "round": signed.round,
        "block_id": write_block(signed.block),
        "signatures": votes,
    }
    return {"signed_header": {"header": write_header(signed.header), "commit": commit}}


def write_validator(validator) -> dict[str, Any]:
    key = {
        "type": "tendermint/PubKeyEd25519",
        "value": b64encode(validator.public_key).decode(),
    }
    return {"pub_key": key, "voting_power": str(validator.power)}


def write_block(block: BlockId) -> dict[str, Any]:
    parts = {"total": block.parts.total, "hash": block.parts.hash.hex().upper()}
    return {"hash": block.hash.hex().upper(), "parts": parts}


def write_time(moment: Moment) -> str:
    whole = (EPOCH + timedelta(seconds=moment.seconds)).isoformat()
    digits = f"{moment.nanoseconds:09}".rstrip("0")
    return f"{whole}.{digits}Z" if digits else f"{whole}Z"
