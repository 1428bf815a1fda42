"""Founding: a new network from a short description, and the data folder of its first node.

A description names members and how many officers' keys to make for each, or the addresses of keys
that their owners made elsewhere. Nothing is overwritten: the folder appears whole, its chain begun,
or not at all.

Source: docs/reference/cli.md; docs/how-to/run-a-node.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from hansa.contracts.members import Role
from hansa.contracts.registry import list_genesis_contracts
from hansa.engine.backup import GENESIS_NAME
from hansa.engine.storage import FileStorage
from hansa.engine.whole_folder import making, require_free
from hansa.kernel.authority import ALL_PURPOSES, Account, AccountKey, Purpose
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.crypto.signatures import Suite
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import (
    GENESIS_VERSION,
    Genesis,
    GenesisAsset,
    GenesisMember,
    GenesisNode,
    GenesisPolicy,
    Limits,
    Network,
    Sealer,
)
from hansa.kernel.machine.context import may_act
from hansa.node.description import DEFAULT_ASSETS, MemberDescription, NetworkDescription
from hansa.node.home import (
    CHANNEL_KEY,
    GENESIS_BYTES_MAX,
    NODE_KEY,
    SPONSOR_KEY,
    Home,
    create_home,
    open_chain,
    parse_genesis,
)
from hansa.program import name_program
from hansa.sdk.arguments import is_unicode
from hansa.sdk.files import read_file
from hansa.sdk.keys import (
    DEFAULT_COST,
    SUITES,
    ChannelKey,
    KeyPair,
    ScryptCost,
    load_key,
    save_channel_key,
)

DEFAULT_POLICY: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "zone.offset_minutes": (480,),
        "wallet.limits.1": (0, 0, 0, 0),
        "wallet.limits.2": (50_000_000, 5_000_000, 10_000_000, 0),
        "wallet.limits.3": (2_000_000, 500_000, 1_000_000, 0),
        "wallet.limits.4": (1_000_000, 200_000, 500_000, 5_000_000),
        "payments.attestation_from_minor": (0,),
        "payments.refund_days": (365,),
        "payments.hold_days_max": (30,),
        "sponsor.quota": (2**40, 2**32, 1_000_000, 2**32),
    }
)
"""Policy of a new network unless it says otherwise; amounts in minor units of two digits.

Source: the e-CNY's wallet categories (PBoC white paper 2021, section 3.2): balance, single, day.
"""


@dataclass(frozen=True, slots=True)
class MemberSpec:
    """An institution of a new network; its address is that of its first officer's key."""

    name: str
    roles: tuple[str, ...]
    officers: tuple[bytes, ...]
    """Addresses of the officers' keys: all purposes but sponsoring."""
    server: bytes | None = None
    """Address of the key on its server, which signs batches and nothing else."""
    threshold: int = 1
    """How many officers must sign together."""
    weight: int = 0
    """Voting power; above 0 it is a validator, too."""


def build_genesis(  # noqa: PLR0913 - everything a network is, stated once, by keyword
    network: str,
    time_ms: int,
    members: Sequence[MemberSpec],
    *,
    sealer: KeyPair | None = None,
    nodes: Sequence[GenesisNode] = (),
    policy: Mapping[str, tuple[int, ...]] = DEFAULT_POLICY,
    assets: Sequence[tuple[str, str, int]] = DEFAULT_ASSETS,
    hash_name: str = "sha256",
    limits: Limits | None = None,
) -> Genesis:
    """Build the genesis of a network whose headers one node seals, or on which nodes vote.

    Args:
      network: its name.
      time_ms: ledger time of block 0.
      members: exactly one central bank, and at least one member with a weight.
      sealer: the one node's key; only its public half goes in. None where nodes vote.
      nodes: of the members, with the keys that vote.
      policy: values in force from the start; see `contracts.policy`.
      assets: (asset, currency, exponent) each, M0, issued by the central bank.
      hash_name: of the crypto profile, `sha256` or `sm3`.
      limits: bounds of blocks and transactions.

    Raises:
      Invalid: there is not exactly one central bank.
    """
    banks = [member for member in members if "central_bank" in member.roles]
    if len(banks) != 1:
        text = f"a network has one central bank, this one {len(banks)}"
        raise Invalid(InvalidCode.MALFORMED, text)
    issuer = banks[0].officers[0]
    return Genesis(
        version=GENESIS_VERSION,
        network=network,
        time_ms=time_ms,
        hash=hash_name,
        suites=tuple(int(suite) for suite in Suite),
        limits=limits or Limits(),
        sealers=(Sealer(int(sealer.suite), sealer.public_key),) if sealer else (),
        members=tuple(_found_member(member) for member in members),
        assets=tuple(
            GenesisAsset(asset, currency, issuer, "m0", exponent)
            for asset, currency, exponent in assets
        ),
        policy=tuple(GenesisPolicy(key, tuple(policy[key])) for key in sorted(policy)),
        contracts=list_genesis_contracts(),
        nodes=tuple(nodes),
    )


def _found_member(spec: MemberSpec) -> GenesisMember:
    officer = int(ALL_PURPOSES & ~Purpose.SPONSOR) if spec.server else int(ALL_PURPOSES)
    keys = [AccountKey(address, officer) for address in spec.officers]
    if spec.server is not None:
        keys.append(AccountKey(spec.server, int(Purpose.SPONSOR), spec.threshold))
    roles = set(spec.roles) | ({"validator"} if spec.weight else set())
    return GenesisMember(
        spec.officers[0],
        spec.name,
        tuple(sorted(roles)),
        spec.weight,
        tuple(keys),
        spec.threshold,
    )


class NodeKeys(NamedTuple):
    """The keys that are made with a node's folder."""

    pairs: Mapping[str, KeyPair]
    """By the name of the file."""
    channel: ChannelKey


@dataclass(frozen=True, slots=True)
class Founded:
    """What was made."""

    home: Home
    network: Network
    sponsor: bytes
    """Address of the member whose batches this node signs."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Address by name of the key file, without `.json`."""

    def to_json(self) -> dict[str, object]:
        """Build the object that `--json` prints."""
        genesis = self.network.genesis
        return {
            "folder": str(self.home.path),
            "network": genesis.network,
            "genesis_hash": self.network.genesis_hash.hex(),
            "hash": genesis.hash,
            "sponsor": to_text(self.sponsor),
            "members": {member.name: to_text(member.address) for member in genesis.members},
            "assets": [asset.asset for asset in genesis.assets],
            "keys": {
                name: {"file": str(self.home.key_path(name)), "address": address}
                for name, address in self.keys.items()
            },
        }


def found_network(
    path: Path,
    description: NetworkDescription,
    passphrase: str,
    time_ms: int,
    *,
    settings: str = "",
    cost: ScryptCost = DEFAULT_COST,
) -> Founded:
    """Make keys, genesis and the data folder of a new network's node, and begin its chain.

    Args:
      path: the folder; must not exist, or be empty.
      description: the network.
      passphrase: of all key files.
      time_ms: ledger time of block 0.
      settings: text of `node.toml`; none is written if empty.
      cost: of the key files' scrypt.

    Raises:
      Invalid: the folder is not empty, or the description is not a sound network.
      Unavailable: the disk refused.
    """
    require_free(path, may_be_empty=True)
    check_description(description)
    keys: dict[str, KeyPair] = {}
    suite = SUITES[description.suite]

    def make_key(name: str) -> bytes:
        keys[name] = KeyPair.generate(suite, hash_name=description.hash)
        return keys[name].address

    make_key(NODE_KEY)
    specs = [
        describe_member(member, slug, make_key)
        for slug, member in name_members(description.members).items()
    ]
    sponsor = _choose_sponsor(description)
    server = f"{_slug_of(sponsor.name)}-server"
    if server not in keys:
        raise _unsound(f"the key of {sponsor.name}'s server must be made here: leave it out")
    keys[SPONSOR_KEY] = keys.pop(server)
    address = specs[description.members.index(sponsor)].officers[0]
    own = NodeKeys(keys, ChannelKey.generate())
    node = GenesisNode(address, b"", (), own.channel.public_key, "")
    genesis = _build(description, time_ms, specs, keys[NODE_KEY], node)
    return _make(path, genesis, own, passphrase, address, settings, cost)


def _build(
    description: NetworkDescription,
    time_ms: int,
    specs: Sequence[MemberSpec],
    sealer: KeyPair,
    node: GenesisNode,
) -> Genesis:
    return build_genesis(
        description.network,
        time_ms,
        specs,
        sealer=sealer,
        nodes=(node,),
        policy={**DEFAULT_POLICY, **description.policy},
        assets=[(item.asset, item.currency, item.exponent) for item in description.assets],
        hash_name=description.hash,
    )


def join_network(
    path: Path,
    genesis_path: Path,
    key_paths: Mapping[str, Path],
    passphrase: str,
    *,
    settings: str = "",
    cost: ScryptCost = DEFAULT_COST,
) -> Founded:
    """Make the data folder of a node of an existing network, from its genesis and its keys.

    Args:
      path: the folder; must not exist, or be empty.
      genesis_path: the network's document.
      key_paths: key files by name: `node`, which genesis lets seal blocks, and `sponsor`.
      passphrase: opens the key files, and closes their copies.
      settings: text of `node.toml`; none is written if empty.
      cost: of the copies' scrypt.

    Raises:
      Invalid: the folder is not empty, or the keys are not of this network.
      NotFound: a file is missing.
    """
    require_free(path, may_be_empty=True)
    genesis = parse_genesis(read_file(genesis_path, GENESIS_BYTES_MAX), genesis_path)
    if genesis.is_voted:
        raise _unsound(
            f"{genesis_path} is of a network whose nodes vote: make one more of them with "
            f"{name_program()} network node new"
        )
    keys = {name: load_key(file, passphrase) for name, file in key_paths.items()}
    sponsor = find_sponsor(genesis, keys[SPONSOR_KEY].address)
    own = NodeKeys(keys, ChannelKey.generate())
    return _make(path, genesis, own, passphrase, sponsor, settings, cost)


def find_sponsor(genesis: Genesis, key_address: bytes) -> bytes:
    """Find the member for which a key signs batches; raises `Invalid` if there is none."""
    for member in genesis.members:
        found = Account(member.address, member.keys, member.threshold) if member.keys else None
        if may_act(found, member.address, (key_address,), Purpose.SPONSOR):
            return member.address
    for member in genesis.members:
        if any(key.address == key_address for key in member.keys):
            raise _unsound(
                f"{to_text(key_address)} is a key of {member.name}, but none that signs batches: "
                "name the key of its server"
            )
    raise _unsound(f"{to_text(key_address)} is a key of none of the members that genesis names")


def _make(  # noqa: PLR0913 - what a folder is made of
    path: Path,
    genesis: Genesis,
    keys: NodeKeys,
    passphrase: str,
    sponsor: bytes,
    settings: str,
    cost: ScryptCost,
) -> Founded:
    with making(path, may_be_empty=True, last=GENESIS_NAME) as folder:
        home = create_home(folder, genesis, keys.pairs, passphrase, cost=cost)
        save_channel_key(home.key_path(CHANNEL_KEY), keys.channel, passphrase, cost=cost)
        if settings:
            FileStorage(folder).replace(home.settings_path.name, settings.encode())
        open_chain(home, keys.pairs[NODE_KEY]).close()
    addresses = {name: key.address_text for name, key in keys.pairs.items()}
    return Founded(Home(path), Network.of(genesis), sponsor, addresses)


def describe_member(
    member: MemberDescription, slug: str, make_key: Callable[[str], bytes]
) -> MemberSpec:
    """Turn a description into addresses, making the keys that it leaves to us.

    Args:
      member: the description.
      slug: what the names of its keys begin with.
      make_key: makes the key of this name, and returns its address.

    Raises:
      Invalid: it has fewer officers than must sign together, or an address is none.
    """
    if isinstance(member.officers, int):
        names = [f"{slug}-officer-{number + 1}" for number in range(member.officers)]
        officers = tuple(make_key(name) for name in names)
    else:
        officers = tuple(from_text(text) for text in member.officers)
    if not 1 <= member.threshold <= len(officers):
        raise _unsound(
            f"{member.name} has {len(officers)} officers, of whom {member.threshold} cannot sign"
        )
    server = from_text(member.server) if member.server else make_key(f"{slug}-server")
    roles = tuple(role.value for role in member.roles)
    return MemberSpec(member.name, roles, officers, server, member.threshold, member.weight)


def name_members(members: tuple[MemberDescription, ...]) -> dict[str, MemberDescription]:
    """Give each member the name that its files begin with; raises `Invalid` if it has none."""
    named: dict[str, MemberDescription] = {}
    for member in members:
        slug = _slug_of(member.name)
        if not slug or slug in named or slug in {NODE_KEY, SPONSOR_KEY}:
            raise _unsound(
                f"member name {member.name!r}: give each member a name of its own, with letters "
                "or digits of ASCII, from which its key files are named"
            )
        named[slug] = member
    return named


def _slug_of(name: str) -> str:
    letters = [letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower()]
    return "-".join(part for part in "".join(letters).split("-") if part)


def _choose_sponsor(description: NetworkDescription) -> MemberDescription:
    """Choose the member whose node this is."""
    members = description.members
    if description.sponsor:
        for member in members:
            if member.name == description.sponsor:
                return member
        raise _unsound(f"sponsor {description.sponsor!r} is none of the members")
    operators = [member for member in members if Role.OPERATOR in member.roles]
    if not members:
        raise _unsound("it has no members: it needs a central bank at least")
    return (operators or list(members))[0]


def check_description(description: NetworkDescription) -> None:
    """Refuse texts that are none, and assets that cannot be; raises `Invalid`."""
    _check_texts(description)
    _check_assets(description)


def _check_texts(description: NetworkDescription) -> None:
    texts = [description.network, *(member.name for member in description.members)]
    texts += [item.asset for item in description.assets]
    for text in texts:
        if not is_unicode(text):
            raise _unsound(f"{text!a} is no text")


def _check_assets(description: NetworkDescription) -> None:
    names = [item.asset for item in description.assets]
    if len(set(names)) != len(names):
        raise _unsound("an asset is named twice")
    for item in description.assets:
        if len(item.currency) != 3 or not item.currency.isascii() or not item.currency.isupper():  # noqa: PLR2004 - ISO 4217
            raise _unsound(f"asset {item.asset}: {item.currency!r} is no currency code of ISO 4217")


def _unsound(message: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, message)
