"""Validators whose keys we hold: sets, headers of CometBFT, signatures, votes and hand-overs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
from tests.vectors.parts import NETWORKS, START_MS, key

from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.genesis import Genesis, GenesisNode, Network
from hansa.kernel.light.commit import CommitSignature, SignedHeader
from hansa.kernel.light.header import BlockId, ConsensusHeader, Moment, Parts, build_vote
from hansa.kernel.light.trail import HandOver, compute_chain_id
from hansa.kernel.light.validators import ValidatorSet

replace = msgspec.structs.replace
PARTS = Parts(1, hashlib.sha256(b"parts").digest())
FIRST = {"north": 4, "small": 3, "seldom": 3, "wrong": 2}
"""Power of each, as genesis has it; a change of power, a new validator and a new key follow."""
SECOND = {**FIRST, "north": 6}
THIRD = {"north": 6, "small": 3, "seldom": 3, "full": 5}
FOURTH = {"north later": 6, "small": 3, "seldom": 3, "full": 5}
SETS = (FIRST, SECOND, THIRD, FOURTH)
CHANGES = (20, 30, 31)
"""Heights of the last headers that the first three of them sign."""


def make_voted(network: str = "voted", hash_name: str = "sha256") -> Network:
    """A network whose members vote by the powers of `FIRST`; one more follows without a vote."""
    base: Genesis = NETWORKS["vectors" if hash_name == "sha256" else "vectors-sm3"].genesis
    members = tuple(
        replace(member, weight=FIRST.get(name, 0))
        for member, name in zip(base.members, (*FIRST, "full"), strict=True)
    )
    nodes = tuple(
        GenesisNode(member.address, key(f"{name} votes").public_key, (), b"", "")
        for member, name in zip(members, (*FIRST, "full"), strict=True)
    )
    return Network.of(replace(base, network=network, sealers=(), members=members, nodes=nodes))


def make_set(powers: Mapping[str, int]) -> ValidatorSet:
    return ValidatorSet.of(
        (key(f"{name} votes").public_key, power) for name, power in powers.items()
    )


def in_force(height: int) -> Mapping[str, int]:
    return SETS[sum(height > change for change in CHANGES)]


class Council:
    """The validators of a network, who sign what they are told to.

    Args:
      network: whose chain id they sign.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.chain_id = compute_chain_id(network.genesis_hash)

    def sign(
        self,
        height: int,
        app_hash: bytes = ZERO_HASH,
        *,
        signers: Iterable[str] | None = None,
        times: Mapping[str, Moment] | None = None,
        **changes: object,
    ) -> SignedHeader:
        """Sign the header of a height, by all who are in force then unless told otherwise.

        `times` are those that somebody's vote bears, whatever time it was given.
        """
        now, then = in_force(height), in_force(height + 1)
        validators = make_set(now)
        nothing = hashlib.sha256(b"").digest()
        time = Moment(START_MS // 1000 + height, height)
        last = BlockId(hashlib.sha256(b"block %d" % (height - 1)).digest(), PARTS)
        header = ConsensusHeader(
            11, 1, self.chain_id, height, time, last, nothing, nothing,
            validators.compute_hash(), make_set(then).compute_hash(), nothing,
            app_hash, nothing, nothing, validators.validators[0].address,
        )  # fmt: skip
        signed = SignedHeader(replace(header, **changes), height % 3, PARTS, ())
        return self.sign_again(signed, now, signers, times)

    def sign_again(
        self,
        signed: SignedHeader,
        now: Mapping[str, int],
        signers: Iterable[str] | None = None,
        times: Mapping[str, Moment] | None = None,
    ) -> SignedHeader:
        """Sign a header that was changed, or by others."""
        keys = {key(f"{name} votes").public_key: name for name in now}
        chosen = set(now if signers is None else signers)
        votes = []
        for index, validator in enumerate(make_set(now).validators):
            name = keys[validator.public_key]
            if name in chosen:
                time = Moment(signed.header.time.seconds, 1_000 * (index + 1))
                time = (times or {}).get(name, time)
                message = build_vote(signed.header, signed.round, signed.block, time)
                votes.append(CommitSignature(index, time, key(f"{name} votes").sign(message)))
        return replace(signed, signatures=tuple(votes))

    def list_hand_overs(self, to_height: int) -> tuple[HandOver, ...]:
        """List the hand-overs below a height."""
        return tuple(
            HandOver(self.sign(change), make_set(in_force(change + 1)))
            for change in CHANGES
            if change < to_height
        )
