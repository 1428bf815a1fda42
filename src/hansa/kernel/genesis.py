"""Genesis: what a network is before its first block, and the hash that names it.

Every signature covers the genesis hash, so nothing can be carried to another network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec

from hansa.kernel.authority import AccountKey
from hansa.kernel.crypto.hashing import CryptoProfile, Domain, crypto_profile, signing_prefix
from hansa.kernel.crypto.signatures import Suite, check_public_key
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.values import (
    Address,
    AssetCode,
    Hash,
    KeyOrNone,
    Name,
    NonNegative,
    PeerIds,
    Positive,
    TimeMs,
    Url,
)

GENESIS_VERSION = 1
CHANNEL_KEY_BYTES = 32
URL_SCHEMES = ("http://", "https://")
VALIDITY_MAX_MS = 15 * 60 * 1000
CHECKPOINT_INTERVAL_MS = 1000
TIME_MAX_MS = 4_102_444_800_000
"""Latest beginning of a network: the year 2100."""


class Limits(Document, frozen=True, array_like=True):
    """Bounds of the network, never reached by ordinary work."""

    envelope_bytes: Positive = 16_384
    batch_bytes: Positive = 4_194_304
    batch_items: Positive = 4_096
    signers: Positive = 16
    calls: Positive = 16
    reads: Positive = 4_096
    writes: Positive = 1_024
    events: Positive = 256


LIMITS_LEAST = Limits(512, 1_024, 1, 1, 1, 16, 8, 8)
"""What the kernel itself reads and writes for a block, and one small transaction, fit in these."""
BLOCK_ITEMS_MAX = 2**16
"""Of all batches of a block together. By it, and by the bytes of a block, which are those of the
largest batch or few more, the log can keep the block's record whatever became of its items: the
record lists a sixteenth of what positions tell apart, and has 256 MiB for 16 MiB of batches, with
receipts and reasons of some hundred bytes for each item beside what is copied from it. Bytes alone
bound little: four make an item. To turn this many away takes no longer than to execute a block of
the default limits that is full of payments: some seconds."""
LIMITS_MOST = Limits(2**20, 2**24, BLOCK_ITEMS_MAX, 256, 256, 2**20, 2**16, 2**16)
"""The largest batch fits in a block, alone."""
BATCH_FRAME_BYTES = 256
"""Of a batch around its one envelope, at most."""


class Sealer(Document, frozen=True, array_like=True):
    """A key that signs block headers of an embedded node."""

    suite: Positive
    public_key: bytes


class GenesisMember(Document, frozen=True, array_like=True):
    """An institution of the first hour, with the keys that govern its account."""

    address: Address
    name: Name
    roles: tuple[str, ...]
    weight: NonNegative
    """Voting power as a validator; 0 for none."""
    keys: tuple[AccountKey, ...]
    threshold: Positive


class GenesisAsset(Document, frozen=True, array_like=True):
    """An asset that exists from the start."""

    asset: AssetCode
    currency: str
    """ISO 4217 alphabetic code."""
    issuer: Address
    regime: str
    """`m0` or `deposit`."""
    exponent: NonNegative = 2


class GenesisPolicy(Document, frozen=True, array_like=True):
    """A policy value in force from the start."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=96)]
    values: tuple[int, ...]


class GenesisContract(Document, frozen=True, array_like=True):
    """A contract active from the start: version and hash of its source."""

    name: Name
    version: Positive
    source_hash: Hash


class GenesisNode(Document, frozen=True, array_like=True):
    """A node that a member runs from the start."""

    member: Address
    consensus_key: KeyOrNone
    """Ed25519; what it votes on blocks with. Empty for a node that only follows."""
    peers: PeerIds
    """Of the nodes that may connect in the member's name."""
    channel_key: KeyOrNone
    """X25519; to which other members encrypt their messages. Empty if it takes none."""
    url: Url
    """Where its API answers, `http://` or `https://`; empty if it is told to nobody."""


class Genesis(Document, frozen=True, array_like=True):
    """The document that all nodes of a network hold, byte for byte.

    A network is either sealed, by the keys in `sealers`, or voted: by the nodes of members that
    have a consensus key and a weight.
    """

    version: Positive
    network: Name
    time_ms: TimeMs
    hash: str
    suites: tuple[int, ...]
    limits: Limits
    sealers: tuple[Sealer, ...]
    members: tuple[GenesisMember, ...]
    assets: tuple[GenesisAsset, ...]
    policy: tuple[GenesisPolicy, ...]
    contracts: tuple[GenesisContract, ...]
    nodes: tuple[GenesisNode, ...] = ()

    @property
    def is_voted(self) -> bool:
        """Whether validators vote on blocks (CometBFT), instead of one node sealing them."""
        return not self.sealers

    @property
    def profile(self) -> CryptoProfile:
        """The network's hash."""
        return crypto_profile(self.hash)

    def encoded(self) -> bytes:
        """Encode canonically; these bytes are the file `genesis.bin`."""
        return encode(self)

    def compute_hash(self) -> bytes:
        """Compute the 32 bytes that name this network in every signature."""
        return self.profile.digest(b"hansa\x00genesis\x00" + self.encoded())


@dataclass(frozen=True, slots=True)
class Network:
    """What follows from genesis for every check: hashes, prefixes, limits. Built once."""

    genesis: Genesis
    genesis_hash: bytes
    digest: Callable[[bytes], bytes]
    tx_prefix: bytes
    batch_prefix: bytes
    header_prefix: bytes
    attestation_prefix: bytes

    @staticmethod
    def of(genesis: Genesis) -> Network:
        """Build the network that `genesis` describes."""
        genesis_hash = genesis.compute_hash()
        return Network(
            genesis,
            genesis_hash,
            genesis.profile.digest,
            signing_prefix(Domain.TX, genesis_hash),
            signing_prefix(Domain.BATCH, genesis_hash),
            signing_prefix(Domain.HEADER, genesis_hash),
            signing_prefix(Domain.ATTESTATION, genesis_hash),
        )

    @property
    def limits(self) -> Limits:
        """The network's bounds."""
        return self.genesis.limits


_DECODER: Decoder[Genesis] = Decoder(Genesis, "genesis")


def decode_genesis(raw: bytes) -> Genesis:
    """Decode and check a genesis document.

    Raises:
      Invalid: malformed, of an unknown version, hash or suite, neither sealed nor voted or both,
        with a key that could sign nothing, with an unsound node, of a time that the replay window
        cannot count to, or of limits under which no block could be made.
    """
    genesis = _DECODER.decode(raw)
    if genesis.version != GENESIS_VERSION:
        raise Invalid(
            InvalidCode.UNSUPPORTED_VERSION,
            f"genesis has version {genesis.version}: this program reads {GENESIS_VERSION}",
        )
    crypto_profile(genesis.hash)
    _check_engine(genesis)
    if genesis.time_ms > TIME_MAX_MS:
        raise Invalid(InvalidCode.MALFORMED, f"genesis begins after {TIME_MAX_MS} ms")
    _check_limits(genesis.limits)
    _check_keys(genesis)
    _check_nodes(genesis)
    return genesis


def check_node(
    consensus_key: bytes, peers: tuple[bytes, ...], channel_key: bytes, url: str
) -> None:
    """Check what a node says of itself, apart from what other nodes say.

    Raises:
      Invalid: `PUBLIC_KEY` for a consensus key that could sign nothing, else `MALFORMED`.
    """
    if consensus_key:
        check_public_key(Suite.ED25519, consensus_key)
    if len(channel_key) not in (0, CHANNEL_KEY_BYTES):
        raise Invalid(
            InvalidCode.MALFORMED, f"a channel key has {CHANNEL_KEY_BYTES} bytes, or is left empty"
        )
    if len(set(peers)) != len(peers):
        raise Invalid(InvalidCode.MALFORMED, "a node names a peer twice: name each once")
    if url and not (url.startswith(URL_SCHEMES) and _is_printable(url)):
        raise Invalid(
            InvalidCode.MALFORMED,
            "a node's url begins with http:// or https:// and is printable ASCII without blanks, "
            "or is left empty",
        )


def _is_printable(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)


def _check_engine(genesis: Genesis) -> None:
    """Refuse a network whose blocks nobody could sign, or two engines could."""
    weights = {member.address: member.weight for member in genesis.members}
    keyed = [node for node in genesis.nodes if node.consensus_key]
    if genesis.sealers and keyed:
        raise Invalid(
            InvalidCode.MALFORMED,
            "genesis names both sealers and consensus keys: a network is either sealed or voted",
        )
    if not genesis.sealers and not any(weights.get(node.member) for node in keyed):
        raise Invalid(
            InvalidCode.MALFORMED,
            "genesis names no sealer, and no node with a consensus key whose member has a weight: "
            "nobody could sign headers",
        )


def _check_limits(limits: Limits) -> None:
    for name in Limits.__struct_fields__:
        value, least, most = (getattr(each, name) for each in (limits, LIMITS_LEAST, LIMITS_MOST))
        if not least <= value <= most:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"genesis limits {name} to {value}: choose {least} to {most}",
                limit=name,
            )
    if limits.batch_bytes < limits.envelope_bytes + BATCH_FRAME_BYTES:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"genesis limits a batch to {limits.batch_bytes} bytes and an envelope in it to "
            f"{limits.envelope_bytes}: a batch needs {BATCH_FRAME_BYTES} more than its envelope",
            limit="batch_bytes",
        )


def _check_keys(genesis: Genesis) -> None:
    known = [int(suite) for suite in Suite]
    strange = [suite for suite in genesis.suites if suite not in known]
    if strange or not genesis.suites or len(set(genesis.suites)) < len(genesis.suites):
        raise Invalid(
            InvalidCode.SUITE,
            f"genesis allows the signature suites {list(genesis.suites)}: name at least one of "
            f"{known}, each once, and no other",
        )
    for sealer in genesis.sealers:
        check_public_key(sealer.suite, sealer.public_key)


def _check_nodes(genesis: Genesis) -> None:
    """Refuse an unsound node, one of a stranger, and what two nodes share."""
    members = {member.address for member in genesis.members}
    seen: set[tuple[str, bytes]] = set()
    for node in genesis.nodes:
        check_node(node.consensus_key, node.peers, node.channel_key, node.url)
        if node.member not in members:
            raise _wrong_node(node, "is of nobody who is a member")
        own = {("member", node.member), *(("peer", peer) for peer in node.peers)}
        if node.consensus_key:
            own.add(("key", node.consensus_key))
        if not seen.isdisjoint(own):
            raise _wrong_node(node, "shares member, consensus key or a peer with another")
        seen |= own


def _wrong_node(node: GenesisNode, what: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED, f"genesis' node of {node.member.hex()} {what}", member=node.member
    )
