"""New keys of CometBFT: where they, or what they signed, are lost or damaged; for one more node.

An old consensus key is put aside and not used again: what it signed last may not be known. The new
one votes, and a new peer is let in, once its member has published it.

Source: docs/how-to/run-a-network.md; docs/reference/contracts.md, `nodes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hansa.contracts.members import Member, compute_power
from hansa.contracts.nodes import KeyProofs, Node, Publish
from hansa.engine.backup import GENESIS_NAME
from hansa.engine.cometbft.home import CometKey
from hansa.engine.cometbft.signing import require_newest_signing_state
from hansa.engine.storage import FileStorage
from hansa.engine.whole_folder import making, require_free
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.crypto.possession import prove_possession
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.genesis import Genesis, GenesisNode, Network
from hansa.kernel.light.trail import encode_checkpoint
from hansa.node import founding, running
from hansa.node.home import (
    CHANNEL_KEY,
    GENESIS_BYTES_MAX,
    SPONSOR_KEY,
    Home,
    open_chain_read_only,
    parse_genesis,
)
from hansa.node.joining.checkpoints import load_checkpoint
from hansa.node.network.founding import NodeKeys, make_node_folder
from hansa.node.network.peers import find_suspension
from hansa.node.network.places import Place, find_place
from hansa.node.network.stopping import find_owner
from hansa.node.settings import Settings, check_list, load_settings, parse_settings
from hansa.sdk.files import read_file
from hansa.sdk.keys import (
    DEFAULT_COST,
    FILE_BYTES_MAX,
    ChannelKey,
    ScryptCost,
    load_key,
    load_public_channel_key,
)

CHECKPOINT_NAME = "checkpoint.bin"


class _Sponsor(msgspec.Struct):
    """Of the member's key file, what tells the member."""

    address: str


_decode_sponsor = msgspec.json.Decoder(_Sponsor).decode


@dataclass(frozen=True, slots=True)
class Renewed:
    """What was made, and what the member publishes for it to count."""

    publish: Publish
    is_new_node_key: bool
    is_new_consensus_key: bool


def describe_publish(command: Publish) -> dict[str, object]:
    """Build the arguments of `nodes.publish`, as `hansa tx send` takes them."""
    return {
        "member": to_text(command.member),
        "consensus_key": command.consensus_key.hex(),
        "peers": [peer.hex() for peer in command.peers],
        "channel_key": command.channel_key.hex(),
        "url": command.url,
        "proofs": [
            {"public_key": proof.public_key.hex(), "signature": proof.signature.hex()}
            for proof in command.proofs
        ],
    }


def renew_keys(home: Home, *, replace: bool = False) -> Renewed:
    """Make those keys anew that are lost or damaged; what is left of them is put aside.

    A consensus key is lost, too, with what it signed last. One that knows it goes on.

    Args:
      home: of a node of a voted network; the node does not run.
      replace: the consensus key also where it knows what it signed.

    Raises:
      NotFound: there is no node, or no `sponsor.json` from which its member is known.
      Invalid: the network has no votes, the node's key is of no member, or nothing is lost and
        `replace` was not asked for.
      Corrupt: the votes that were kept are damaged.
      Unavailable: the node runs, or the disk refuses.
    """
    home.require_no_backup()
    network = home.load_network()
    if not network.genesis.is_voted:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"the network of {home.path} is sealed by one node's key: nobody votes, and there is "
            "no consensus key",
        )
    if (pid := find_owner(home.log_path)) is not None:
        raise Unavailable(f"the node in {home.path} runs as process {pid}: stop it first", pid=pid)
    published = find_published(home, network).node
    comet = home.comet
    is_node_key_lost = _is_lost(comet.load_node_key)
    is_consensus_key_lost = replace or _is_lost(lambda: require_newest_signing_state(comet))
    if not (is_node_key_lost or is_consensus_key_lost):
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{comet.consensus_key_path} is there and knows what it signed: it needs no other; to "
            "have one all the same, ask with --replace",
        )
    comet.make_folders()
    if is_node_key_lost:
        comet.put_aside_node_key()
        comet.create_node_key(CometKey.generate())
        published = msgspec.structs.replace(published, peers=())
    if is_consensus_key_lost:
        comet.put_aside_consensus_key()
        comet.create_consensus_key(CometKey.generate())
    publish = _build_publish(network, published, comet.load_consensus_key(), comet.load_node_key())
    return Renewed(publish, is_node_key_lost, is_consensus_key_lost)


def _is_lost(load: Callable[[], object]) -> bool:
    """Whether something is not there, or is damaged, or is no safe thing to vote with."""
    try:
        load()
    except (Invalid, NotFound):
        return True
    return False


def _build_publish(
    network: Network, published: Node, consensus_key: CometKey, node_key: CometKey
) -> Publish:
    """Build what a member publishes whose node has these keys now, the rest as it was."""
    others = (peer for peer in published.peers if peer != node_key.address)
    return Publish(
        published.member,
        consensus_key.public_key,
        (node_key.address, *others),
        published.channel_key,
        published.url,
        prove_keys(network, published.member, consensus_key, node_key),
    )


def prove_keys(network: Network, member: bytes, *keys: CometKey) -> KeyProofs:
    """Prove that a member holds keys of CometBFT, as `nodes.publish` takes it."""
    genesis_hash = network.genesis_hash
    return tuple(prove_possession(genesis_hash, member, key.seed) for key in keys)


@dataclass(frozen=True, slots=True)
class Published:
    """What a member has published last of its node."""

    node: Node
    has_blocks: bool
    """Whether blocks tell it, rather than genesis alone."""
    may_vote: bool
    """Whether the member has voting power, or may have: nothing is known of it here."""
    suspension: str = ""
    """That the member is suspended, in words; empty if it is not."""
    mismatch: str = ""
    """Why the server's key signs batches for no member, in words: then the settings name it."""


def build_own_publish(home: Home, network: Network, published: Published) -> Publish:
    """Build what a member publishes for the ledger to name the keys in this folder.

    The consensus key of a member without voting power is named only where it has named one before.
    A new peer without blocks takes the place of the node before, as `add_node` has it.

    Raises:
      HansaError: a key is missing or damaged.
    """
    before, path = published.node, home.key_path(CHANNEL_KEY)
    channel_key = load_public_channel_key(path) if path.exists() else b""
    settings = load_settings(home.settings_path)
    if not network.genesis.is_voted:
        url = _find_url(before, settings) if before.url else ""
        return Publish(before.member, b"", before.peers, channel_key, url)
    node_key, consensus_key = home.comet.load_node_key(), home.comet.load_consensus_key()
    if not published.has_blocks and node_key.address not in before.peers:
        before = msgspec.structs.replace(before, peers=(), url="")
    url = _find_url(before, settings)
    before = msgspec.structs.replace(before, channel_key=channel_key, url=url)
    found = _build_publish(network, before, consensus_key, node_key)
    if published.may_vote or before.consensus_key:
        return found
    proofs = prove_keys(network, before.member, node_key)
    return msgspec.structs.replace(found, consensus_key=b"", proofs=proofs)


def _find_url(published: Node, settings: Settings) -> str:
    """Find where a node answers: as published, but by TLS if it speaks that now.

    A new node answers where its settings say; a member that has a node and told no url tells none.
    """
    if not published.url:
        return "" if published.peers else find_place(settings).url
    scheme, _, rest = published.url.partition("://")
    if scheme == "https" or not settings.tls.certificate:
        return published.url
    names = settings.listen.public_names
    if not names or rest.partition("/")[0].rpartition(":")[0] in names:
        return f"https://{rest}"
    return f"https://{names[0]}:{settings.listen.port}"


def find_published(home: Home, network: Network, ledger: Home | None = None) -> Published:
    """Find what the node's member has published last.

    Args:
      home: of the node.
      network: of which it is.
      ledger: of the node whose blocks tell it; None for the node's own.

    Raises:
      NotFound: there is no `sponsor.json` from which its member is known.
      Invalid: it is no key, or, with the code `UNKNOWN_SPONSOR`, one of no member.
      Corrupt: log or store are damaged.
    """
    address = _read_address(home.key_path(SPONSOR_KEY))
    named = load_settings(home.settings_path).cometbft.member if network.genesis.is_voted else ""
    try:
        chain = open_chain_read_only(ledger or home)
    except NotFound:  # no block yet: what genesis says is all there is
        member, _ = _believe(named, lambda: founding.find_sponsor(network.genesis, address))
        nodes = {node.member: node for node in network.genesis.nodes}
        found = nodes.get(member) or GenesisNode(member, b"", (), b"", "")
        keys = (found.consensus_key, found.peers, found.channel_key)
        node = Node(member, *keys, found.url, since_height=0)
        powers = {each.address: each.weight for each in network.genesis.members}
        may_vote = member not in nodes or powers[member] > 0
        return Published(node, has_blocks=False, may_vote=may_vote)
    try:
        member, mismatch = _believe(named, lambda: running.find_sponsor(chain, address))
        load = chain.machine.state.load
        row = load(Node, Node.key(member)) or Node(member, b"", (), b"", "", since_height=0)
        known = load(Member, Member.key(member))
        may_vote = known is None or compute_power(known) > 0
        suspension = find_suspension(chain, member)
        return Published(
            row, has_blocks=True, may_vote=may_vote, suspension=suspension, mismatch=mismatch
        )
    finally:
        chain.close()


def _read_address(path: Path) -> bytes:
    """Read whose key a file holds, without opening it; raises `NotFound` or `Invalid`."""
    try:
        return from_text(_decode_sponsor(read_file(path, FILE_BYTES_MAX)).address)
    except NotFound:
        raise NotFound(
            f"there is no {path}, from which the node's member is known: put it there first",
            path=str(path),
        ) from None
    except DECODE_ERRORS:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{path} is no key file: copy it from where it is kept",
            path=str(path),
        ) from None


def _believe(named: str, find: Callable[[], bytes]) -> tuple[bytes, str]:
    """Find a member; believe the settings, which name one, where the blocks so far do not tell.

    Returns the member, and in words why it was not found.
    """
    try:
        return find(), ""
    except Invalid as error:
        if named:
            return from_text(named), error.message
        raise Invalid(InvalidCode.UNKNOWN_SPONSOR, error.message) from None


@dataclass(frozen=True, slots=True)
class Source:
    """From which files a node is made."""

    genesis: Path
    sponsor_key: Path
    """With which the member's server signs batches."""
    member: bytes | None = None
    """The member's address; None for the one to which genesis gives the sponsor key."""
    join_from: Sequence[str] = ()
    """Where nodes answer from whose snapshots it begins; none for genesis."""
    checkpoint: Path | None = None
    """From which validators are followed there; None for genesis."""


def add_node(
    path: Path,
    source: Source,
    place: Place,
    peers: Sequence[str],
    passphrase: str,
    *,
    cost: ScryptCost = DEFAULT_COST,
) -> Publish:
    """Make a node's folder with new keys; returns what its member publishes.

    Args:
      path: the folder; must not exist, or be empty.
      source: genesis and the member's server key.
      place: where it answers.
      peers: nodes to stay connected to, `id@host:port`.
      passphrase: opens the sponsor key, and closes its copy and the new keys.
      cost: of the key files' scrypt.

    Raises:
      NotFound: a file is missing.
      Invalid: the folder is not empty or no socket can be in its path, the files do not belong
        together, a peer is none, or a checkpoint is named for a node that begins at genesis.
      Unavailable: the disk refuses.
    """
    require_free(path, may_be_empty=True)
    Home(path).comet.require_socket_paths()
    check_list("--peer", "cometbft.peers", peers)
    check_list("--from", "cometbft.join_from", source.join_from)
    genesis = _read_voted(source.genesis)
    named = "" if source.member is None else to_text(source.member)
    checkpoint = _read_checkpoint(source, Network.of(genesis))
    settings = place.write_settings(
        peers,
        member=named,
        join_from=source.join_from,
        checkpoint=CHECKPOINT_NAME if checkpoint else "",
    )
    parse_settings(settings.encode(), Home(path).settings_path)
    sponsor_key = load_key(source.sponsor_key, passphrase)
    member = _choose_member(genesis, sponsor_key.address, source.member)
    keys = NodeKeys(
        {SPONSOR_KEY: sponsor_key}, ChannelKey.generate(), CometKey.generate(), CometKey.generate()
    )
    with making(path, may_be_empty=True, last=GENESIS_NAME) as folder:
        make_node_folder(folder, genesis, keys, settings, passphrase, cost=cost)
        if checkpoint:
            FileStorage(folder).replace(CHECKPOINT_NAME, checkpoint)
    node = Node(member, b"", (), keys.channel.public_key, place.url, since_height=0)
    return _build_publish(Network.of(genesis), node, keys.consensus, keys.node)


def _choose_member(genesis: Genesis, key_address: bytes, named: bytes | None) -> bytes:
    """Choose whose node it is: the member named, unless genesis gives the key to another."""
    is_known = any(key.address == key_address for each in genesis.members for key in each.keys)
    if not is_known:
        if named is not None:
            return named
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"the sponsor key, {to_text(key_address)}, is of none of the members that genesis "
            "names: for a member that was admitted later say --member ADDRESS, else name the key "
            "of the member's server",
        )
    found = founding.find_sponsor(genesis, key_address)
    if named not in (None, found):
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"genesis gives the sponsor key to {to_text(found)}, not to {to_text(named)}: name "
            "the key of that member's server",
        )
    return found


def _read_voted(path: Path) -> Genesis:
    """Read the genesis of a network whose nodes vote."""
    genesis = parse_genesis(read_file(path, GENESIS_BYTES_MAX), path)
    if not genesis.is_voted:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{path} is of a network that one node seals: no other node follows it",
            path=str(path),
        )
    return genesis


def _read_checkpoint(source: Source, network: Network) -> bytes:
    """Read the checkpoint that is named, once it is known to be one; nothing if none is."""
    if source.checkpoint is None:
        return b""
    if not source.join_from:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            "a checkpoint goes with nodes to join by: name them with --from, or leave it out, and "
            "the node fetches all blocks",
        )
    return encode_checkpoint(load_checkpoint(source.checkpoint, network))
