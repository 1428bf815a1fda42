"""Proof that a member holds a key of CometBFT that it names: the key signs network, member and key.

    prefix(possession) + member (32 bytes) + public key (32 bytes), signed by Ed25519

Both keys of CometBFT sign other things too, and no signature may pass for one of another kind.

- A **consensus key** signs votes, proposals and extensions of votes, each a protobuf message behind
  its length (`protoio.MarshalDelimited`). Ours cannot be one: its first byte, `h`, would say that
  104 bytes follow, and 112 do; the second, `a`, would begin a twelfth field, and none has more than
  seven. Nor can one of CometBFT's begin with our `hansa`, whatever application or peers put in it.
- A **node key** signs challenges of exactly 32 bytes. Ours has 113.

Source: CometBFT v0.38, `types/canonical.go`, `types/vote.go`, `p2p/conn/secret_connection.go`;
docs/reference/contracts.md, `nodes`.
"""

from __future__ import annotations

import msgspec

from hansa.kernel.crypto.hashing import Domain, crypto_profile, signing_prefix
from hansa.kernel.crypto.signatures import SignatureCheck, Suite, public_key_of, sign, verify_many
from hansa.kernel.values import Hash, Signature

PEER_BYTES = 20
_SHA256 = crypto_profile("sha256").digest
"""CometBFT's, whatever the network's hash is."""


class KeyProof(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An Ed25519 key, and its signature that it is a member's."""

    public_key: Hash
    signature: Signature

    @property
    def peer(self) -> bytes:
        """The 20 bytes by which CometBFT knows a node with this key."""
        return _SHA256(self.public_key)[:PEER_BYTES]


def prove_possession(genesis_hash: bytes, member: bytes, private_key: bytes) -> KeyProof:
    """Sign that an Ed25519 key is the member's, on one network."""
    public_key = public_key_of(Suite.ED25519, private_key)
    message = _build_message(genesis_hash, member, public_key)
    return KeyProof(public_key, sign(Suite.ED25519, private_key, message))


def is_proven(proof: KeyProof, genesis_hash: bytes, member: bytes) -> bool:
    """Whether the key itself has signed that it is the member's, on one network."""
    message = _build_message(genesis_hash, member, proof.public_key)
    check = SignatureCheck(Suite.ED25519, proof.public_key, proof.signature, message)
    return verify_many([check]) == [True]


def _build_message(genesis_hash: bytes, member: bytes, public_key: bytes) -> bytes:
    return signing_prefix(Domain.POSSESSION, genesis_hash) + member + public_key
