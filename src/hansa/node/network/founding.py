"""Founding a voted network: genesis, and for each member the folder of a node with its own keys.

    DIR/central-bank/   a node's folder, as `hansa.node.home` has it, and
        api.key         the API key of its own institution
        cometbft/       node key and consensus key, unencrypted, as CometBFT reads them
    DIR/operator-1/     …

The network's folder appears whole or not at all. Each node's folder is complete by itself, so that
it can be moved to the machine of its institution.

Source: docs/how-to/run-a-network.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hansa.contracts.members import Role
from hansa.engine.cometbft.home import CometKey
from hansa.engine.storage import FileStorage
from hansa.engine.whole_folder import making, require_free
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Genesis, GenesisNode, Limits, Network, decode_genesis
from hansa.node.api import rights
from hansa.node.api.keys import add_key
from hansa.node.description import MemberDescription, NetworkDescription
from hansa.node.founding import (
    DEFAULT_POLICY,
    MemberSpec,
    build_genesis,
    check_description,
    describe_member,
    name_members,
)
from hansa.node.home import CHANNEL_KEY, SPONSOR_KEY, Home, create_home
from hansa.node.network.places import Place
from hansa.node.network.voting import write_first_block
from hansa.sdk.keys import (
    DEFAULT_COST,
    SUITES,
    ChannelKey,
    KeyPair,
    ScryptCost,
    save_channel_key,
)

API_KEY_NAME = "api.key"
WEIGHT = 100
"""Voting power of each institution: all have the same."""
VALIDATORS_MAX = 50
BATCH_BYTES = 1 << 20
"""Of the largest batch: one fits into a block of 2 MB beside others (docs/performance.md)."""
_API_ROLES = {
    Role.CENTRAL_BANK: rights.Role.CENTRAL_BANK,
    Role.REGULATOR: rights.Role.REGULATOR,
    Role.OPERATOR: rights.Role.OPERATOR,
}
"""What an institution is to its own node, the first that applies; else a member."""


@dataclass(frozen=True, slots=True)
class FoundedNode:
    """The folder of one member's node."""

    name: str
    """Of the folder."""
    home: Home
    member: MemberSpec
    place: Place
    keys: Mapping[str, str]
    """Address by name of the key file, without `.json`."""

    def to_json(self) -> dict[str, object]:
        """Build the object that `--json` prints."""
        return {
            "folder": str(self.home.path),
            "member": to_text(self.member.officers[0]),
            "url": self.place.url,
            "peers_at": f"{self.place.host}:{self.place.peer_port}",
            "api_key_file": str(self.home.path / API_KEY_NAME),
            "keys": {
                name: {"file": str(self.home.key_path(name)), "address": address}
                for name, address in self.keys.items()
            },
        }


@dataclass(frozen=True, slots=True)
class FoundedNetwork:
    """What was made."""

    path: Path
    network: Network
    nodes: tuple[FoundedNode, ...]

    def to_json(self) -> dict[str, object]:
        """Build the object that `--json` prints."""
        return {
            "folder": str(self.path),
            "network": self.network.genesis.network,
            "genesis_hash": self.network.genesis_hash.hex(),
            "nodes": {node.name: node.to_json() for node in self.nodes},
        }


def describe_institutions(count: int, observers: int = 0) -> tuple[MemberDescription, ...]:
    """Describe so many institutions of equal weight: a central bank, operators, and a regulator.

    Observers come besides: departments whose nodes follow without a vote.

    >>> [member.name for member in describe_institutions(4, 1)]
    ['Central Bank', 'Operator 1', 'Operator 2', 'Regulator', 'Observer 1']
    >>> [member.roles for member in describe_institutions(1)][0] == ("central_bank", "operator")
    True
    """
    roles = (Role.CENTRAL_BANK,) if count > 1 else (Role.CENTRAL_BANK, Role.OPERATOR)
    regulators = 1 if count > 2 else 0  # noqa: PLR2004 - with two there is none
    return (
        MemberDescription("Central Bank", roles, 3, 2, WEIGHT),
        *(
            MemberDescription(f"Operator {number + 1}", (Role.OPERATOR,), 1, 1, WEIGHT)
            for number in range(count - 1 - regulators)
        ),
        *[MemberDescription("Regulator", (Role.REGULATOR,), 1, 1, WEIGHT)] * regulators,
        *(
            MemberDescription(f"Observer {number + 1}", (Role.DEPARTMENT,), 1, 1, 0)
            for number in range(observers)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A node that is to be made: its keys are there, its folder is not yet."""

    spec: MemberSpec
    place: Place
    keys: Mapping[str, KeyPair]
    channel_key: ChannelKey = field(default_factory=ChannelKey.generate)
    node_key: CometKey = field(default_factory=CometKey.generate)
    consensus_key: CometKey = field(default_factory=CometKey.generate)

    @property
    def peer_address(self) -> str:
        """Where other nodes find it."""
        return f"{self.node_key.address.hex()}@{self.place.host}:{self.place.peer_port}"

    def to_genesis(self) -> GenesisNode:
        """What genesis says of it; without a weight it follows and does not vote."""
        return GenesisNode(
            self.spec.officers[0],
            self.consensus_key.public_key if self.spec.weight else b"",
            (self.node_key.address,),
            self.channel_key.public_key,
            self.place.url,
        )


def found_voted_network(  # noqa: PLR0913 - what the command is given
    path: Path,
    description: NetworkDescription,
    places: Sequence[Place],
    passphrase: str,
    time_ms: int,
    *,
    cost: ScryptCost = DEFAULT_COST,
    note: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> FoundedNetwork:
    """Make keys, genesis and a node's folder for each member of a new network.

    Args:
      path: the network's folder; must not exist, or be empty.
      description: the network; each member with a weight votes, each other one's node follows.
      places: where the members' nodes answer, in the members' order.
      passphrase: of all key files.
      time_ms: ledger time of block 0.
      cost: of the key files' scrypt.
      note: told how many nodes' folders are made, and of how many.

    Raises:
      Invalid: the folder is not empty, no socket can be in its path, or the description is not a
        sound network.
      Unavailable: the disk refused.
    """
    require_free(path, may_be_empty=True)
    check_description(description)
    _require_votes(description)
    drafts = {
        slug: _draft(description, member, slug, place)
        for (slug, member), place in zip(
            name_members(description.members).items(), places, strict=True
        )
    }
    for slug in drafts:
        Home(path / slug).comet.require_socket_paths()
    genesis = _build(description, time_ms, list(drafts.values()))
    with making(path, may_be_empty=True) as folder:
        for done, (slug, draft) in enumerate(drafts.items()):
            note(done, len(drafts))
            peers = [other.peer_address for other in drafts.values() if other is not draft]
            _make_node(folder / slug, genesis, draft, peers, passphrase, time_ms, cost)
        note(len(drafts), len(drafts))
    made = tuple(_describe_made(path, slug, draft) for slug, draft in drafts.items())
    return FoundedNetwork(path, Network.of(genesis), made)


def _require_votes(description: NetworkDescription) -> None:
    if not any(member.weight for member in description.members):
        raise Invalid(
            InvalidCode.MALFORMED,
            "no member has a weight, so that nobody would vote on blocks: give at least one member "
            "a weight",
        )


def _describe_made(path: Path, slug: str, draft: _Draft) -> FoundedNode:
    keys = {name: key.address_text for name, key in draft.keys.items()}
    return FoundedNode(slug, Home(path / slug), draft.spec, draft.place, keys)


def _draft(
    description: NetworkDescription, member: MemberDescription, slug: str, place: Place
) -> _Draft:
    keys: dict[str, KeyPair] = {}

    def make_key(name: str) -> bytes:
        keys[name] = KeyPair.generate(SUITES[description.suite], hash_name=description.hash)
        return keys[name].address

    if member.server:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"the key of {member.name}'s server must be made here: leave it out",
        )
    spec = describe_member(member, slug, make_key)
    keys[SPONSOR_KEY] = keys.pop(f"{slug}-server")
    return _Draft(spec, place, keys)


def _build(description: NetworkDescription, time_ms: int, drafts: Sequence[_Draft]) -> Genesis:
    genesis = build_genesis(
        description.network,
        time_ms,
        [draft.spec for draft in drafts],
        nodes=[draft.to_genesis() for draft in drafts],
        policy={**DEFAULT_POLICY, **description.policy},
        assets=[(item.asset, item.currency, item.exponent) for item in description.assets],
        hash_name=description.hash,
        limits=Limits(batch_bytes=BATCH_BYTES),
    )
    return decode_genesis(genesis.encoded())


def _make_node(  # noqa: PLR0913 - what a folder is made of
    folder: Path,
    genesis: Genesis,
    draft: _Draft,
    peers: Sequence[str],
    passphrase: str,
    time_ms: int,
    cost: ScryptCost,
) -> None:
    own = NodeKeys(draft.keys, draft.channel_key, draft.node_key, draft.consensus_key)
    home = make_node_folder(
        folder, genesis, own, draft.place.write_settings(peers), passphrase, cost=cost
    )
    roles = [role for name, role in _API_ROLES.items() if name in draft.spec.roles]
    _, token = add_key(
        home.api_keys_path,
        name=draft.spec.name,
        role=roles[0] if roles else rights.Role.MEMBER,
        now_ms=time_ms,
        member=to_text(draft.spec.officers[0]),
    )
    FileStorage(folder).replace(API_KEY_NAME, f"{token}\n".encode())


class NodeKeys(NamedTuple):
    """The keys of a node of a voted network."""

    members: Mapping[str, KeyPair]
    """Of the member, by the name of the file; `sponsor` among them."""
    channel: ChannelKey
    node: CometKey
    consensus: CometKey


def make_node_folder(
    folder: Path,
    genesis: Genesis,
    keys: NodeKeys,
    settings: str,
    passphrase: str,
    *,
    cost: ScryptCost = DEFAULT_COST,
) -> Home:
    """Make the folder of one node of a voted network; raises as `create_home`."""
    home = create_home(folder, genesis, keys.members, passphrase, cost=cost)
    save_channel_key(home.key_path(CHANNEL_KEY), keys.channel, passphrase, cost=cost)
    home.comet.create_keys(keys.node, keys.consensus)
    write_first_block(home.comet, Network.of(genesis))
    FileStorage(folder).replace(home.settings_path.name, settings.encode())
    return home
