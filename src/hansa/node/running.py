"""A node as a process: from a data folder until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import uvloop
from msgspec.structs import replace

from hansa.contracts.members import Member
from hansa.engine.chain import Chain
from hansa.engine.cometbft.child.binary import find_binary
from hansa.engine.cometbft.child.process import BoundedLog
from hansa.engine.cometbft.engine import CometEngine
from hansa.engine.snapshots.keeping import Keeper, Retention
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.verification import PoolVerifier
from hansa.kernel.authority import Account, Purpose
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.kernel.machine.context import may_act
from hansa.kernel.rows import decode_row
from hansa.node.api.keys import KeyRing
from hansa.node.channel.opening import load_own_key, open_channel
from hansa.node.channel.service import MessageChannel
from hansa.node.home import NODE_KEY, SPONSOR_KEY, Home, open_chain
from hansa.node.joining.run import is_to_join, join_network
from hansa.node.network.asking import build_asker, choose_tls
from hansa.node.network.folders import NodeFolder
from hansa.node.network.peers import build_peer_rules
from hansa.node.network.preparing import prepare_cometbft
from hansa.node.reconcile.opening import build_pairs, load_signing_key, open_journals
from hansa.node.records import open_log
from hansa.node.risk.opening import open_risk
from hansa.node.service import Node, wall_clock_ms
from hansa.node.serving.serve import Server, serve
from hansa.node.settings import Settings, build_tls, load_settings
from hansa.sdk.files import require_private
from hansa.sdk.keys import ChannelKey, KeyPair

if TYPE_CHECKING:  # of an extra, which a node that does not reconcile need not have
    from hansa.node.reconcile.service import PairService
    from hansa.node.reconcile.store import JournalFile
    from hansa.node.risk.desk import RiskDesk

STOPPING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Started:
    """A node that answers."""

    url: str
    network: str
    genesis_hash: str
    height: int
    sponsor: str
    """Address of the member whose batches it signs."""

    def to_json(self) -> dict[str, object]:
        """Build the object that `--json` prints."""
        return {
            "url": self.url,
            "network": self.network,
            "genesis_hash": self.genesis_hash,
            "height": self.height,
            "sponsor": self.sponsor,
            "pid": os.getpid(),
        }


class _Keys(NamedTuple):
    """What the node signs and opens with, besides sealing."""

    sponsor: KeyPair
    channel: ChannelKey | None
    reconciliation: KeyPair | None


class _Own(NamedTuple):
    """What is the node's own member's."""

    sponsor: bytes
    key: KeyPair
    channel: MessageChannel | None
    reconciliation: tuple[KeyPair, JournalFile] | None
    risk: RiskDesk | None

    def build_pairs(self, node: Node) -> PairService | None:
        """Build what reconciles; None for a node that does not."""
        if self.channel is None or self.reconciliation is None:
            return None
        return build_pairs(node, self.sponsor, *self.reconciliation, self.channel)

    async def stop(self, pairs: PairService | None) -> None:
        """Stop what reconciles, then messages, then what decides, and close their files."""
        if pairs is not None:
            await pairs.stop()
        if self.channel is not None:
            await self.channel.stop()
        if self.reconciliation is not None:
            self.reconciliation[1].close()
        if self.risk is not None:
            await self.risk.stop()


def run_node(  # noqa: PLR0913 - the options of `hansa up`, by keyword
    path: Path,
    ask_passphrase: Callable[[], str],
    tell: Callable[[Started], None],
    *,
    host: str | None = None,
    port: int | None = None,
    rebuild: bool = False,
    retain_blocks: int | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> None:
    """Run the node of a data folder until SIGINT or SIGTERM; what was confirmed is durable.

    Args:
      path: the data folder.
      ask_passphrase: asked once all that needs no passphrase is in order.
      tell: called once the node answers.
      host: address to listen on, instead of that of the settings.
      port: the same for the port.
      rebuild: throw the state store away and make it anew from the log.
      retain_blocks: how many blocks are kept at least, instead of that of the settings.
      note: told in words how far a node is that joins a network.

    Raises:
      NotFound: there is no genesis, a key file is missing, or CometBFT where validators vote.
      Invalid: wrong passphrase, settings or keys, others may open a key, or the folder is a backup.
      Unavailable: the port is taken, another process has the folder, or the disk refuses.
      Corrupt: log or store are damaged; names the height.
    """
    home = Home(path)
    home.require_no_backup()
    network = home.load_network()
    settings, is_voted = load_settings(home.settings_path), network.genesis.is_voted
    settings = _override(settings, host, port, retain_blocks)
    build_tls(settings)
    if settings.tls.key:
        require_private(settings.find_path(settings.tls.key))
    if is_voted:
        find_binary()
        prepare_cometbft(home, network, settings)
    passphrase = ask_passphrase()
    sealer = None if is_voted else home.load_key(NODE_KEY, passphrase)
    keys = _load_keys(home, settings, passphrase)
    segment_bytes = settings.history.choose_segment_bytes()
    if is_voted and not _join_if_empty(home, network, settings, note):
        return
    chain = open_chain(home, sealer, rebuild=rebuild, segment_bytes=segment_bytes)
    own = _identify(home, settings, chain, keys, passphrase)
    uvloop.run(_run(home, settings, chain, own, tell))


def _identify(home: Home, settings: Settings, chain: Chain, keys: _Keys, passphrase: str) -> _Own:
    """Find whose node it is, open its journals and messages; closes the chain where that fails."""
    key = keys.sponsor
    with ExitStack() as stack:
        stack.callback(chain.close)
        sponsor = _choose_sponsor(chain, key.address, settings)
        reconciliation = None
        if keys.reconciliation is not None:
            signer = (sponsor, keys.reconciliation)
            journals = open_journals(home, settings, chain, signer, passphrase)
            stack.callback(journals.close)
            reconciliation = (keys.reconciliation, journals)
        risk = open_risk(home, settings, chain, sponsor, passphrase)
        if risk is not None:
            stack.callback(risk.close)
        channel = open_channel(home, settings, chain, (sponsor, key), keys.channel)
        stack.pop_all()
    return _Own(sponsor, key, channel, reconciliation, risk)


def _load_keys(home: Home, settings: Settings, passphrase: str) -> _Keys:
    sponsor_key = home.load_key(SPONSOR_KEY, passphrase)
    channel_key = load_own_key(home, passphrase)
    return _Keys(sponsor_key, channel_key, load_signing_key(settings, channel_key, passphrase))


def _join_if_empty(
    home: Home, network: Network, settings: Settings, note: Callable[[str], None]
) -> bool:
    """Join the network where a node is to; returns False where it was stopped before it had."""
    if not is_to_join(home, settings):
        return True
    if not uvloop.run(_join_until_stopped(home, network, settings, note)):
        return False
    prepare_cometbft(home, network, settings)
    return True


def find_sponsor(chain: Chain, key_address: bytes) -> bytes:
    """Find the member whose account lets a key sign batches.

    Raises:
      Invalid: there is none.
    """
    for _, raw in chain.iterate_rows(Member.TABLE):
        member = decode_row(Member, raw)
        account = chain.machine.state.load(Account, Account.key(member.address))
        if may_act(account, member.address, (key_address,), Purpose.SPONSOR):
            return member.address
    raise Invalid(
        InvalidCode.UNKNOWN_SPONSOR,
        f"the key file {SPONSOR_KEY}.json, {to_text(key_address)}, may sign batches for no member: "
        "put the member's server key there, or have its account name this one (accounts.rotate), "
        "with the purpose SPONSOR and the weight that the account's threshold asks for",
    )


def _choose_sponsor(chain: Chain, key_address: bytes, settings: Settings) -> bytes:
    """Find the node's member; believe the settings where the blocks so far do not tell.

    A batch in the name of a wrong one is refused by every node.
    """
    try:
        return find_sponsor(chain, key_address)
    except Invalid:
        if chain.network.genesis.is_voted and settings.cometbft.member:
            return from_text(settings.cometbft.member)
        raise


def _override(
    settings: Settings, host: str | None, port: int | None, retain_blocks: int | None
) -> Settings:
    listen = settings.listen
    listen = listen if host is None else replace(listen, host=host)
    listen = listen if port is None else replace(listen, port=port)
    if retain_blocks is not None:
        settings = replace(settings, history=replace(settings.history, retain_blocks=retain_blocks))
    return replace(settings, listen=listen)


async def _run(
    home: Home,
    settings: Settings,
    chain: Chain,
    own: _Own,
    tell: Callable[[Started], None],
) -> None:
    parent = os.getppid()
    with stopped_by_signals() as stopped:
        await _serve_until(stopped, home, settings, chain, own, tell)
        if stopped.is_set() and os.getppid() != parent:
            _tell_orphaned(NodeFolder(home.path.name, home, settings).log_path, parent)


def _tell_orphaned(log_path: Path, parent: int) -> None:
    """Say that what started the node has ended; in its log itself where nobody reads it for that.

    Who supervises nodes reads what they say, and they stop when it ends.
    """
    text = f"hansa: the node was stopped, as the process that started it ({parent}) has ended\n"
    try:
        os.write(2, text.encode())
    except OSError:
        log = BoundedLog(log_path)
        log.write(text.encode())
        log.close()


async def _join_until_stopped(
    home: Home, network: Network, settings: Settings, note: Callable[[str], None]
) -> bool:
    with stopped_by_signals() as stopped:
        return await is_done_first(join_network(home, network, settings, note), stopped)


async def is_done_first(work: Coroutine[Any, Any, object], stopped: asyncio.Event) -> bool:
    """Wait for work, which is given up where the node is to stop first; raises as the work."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return working.done()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


@contextmanager
def stopped_by_signals() -> Iterator[asyncio.Event]:
    """Have an event set by Ctrl-C and SIGTERM, for as long as this lasts."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in STOPPING:  # or they would go to a loop that is closed: uvloop keeps them
            loop.remove_signal_handler(number)


async def _serve_until(
    stopped: asyncio.Event,
    home: Home,
    settings: Settings,
    chain: Chain,
    own: _Own,
    tell: Callable[[Started], None],
) -> None:
    verifier = PoolVerifier(chain.network, settings.work.verifiers or os.cpu_count() or 1)
    keeper = build_keeper(home, settings, chain)
    engine = _build_voted_engine(home, settings, chain, verifier, keeper, own.sponsor)
    node = Node(chain, verifier, own.sponsor, own.key, engine=engine, keeper=keeper, risk=own.risk)
    node.start()
    server: Server | None = None
    pairs: PairService | None = None
    try:
        if own.risk is not None:
            await is_done_first(own.risk.start(node.desk.submit), stopped)  # it may take minutes
            if stopped.is_set():
                return
        pairs = own.build_pairs(node)
        keys = KeyRing(home.api_keys_path)
        server = await serve(node, settings, keys, own.channel, pairs, own.risk)
        await _await_ready(node, stopped)
        if own.channel is not None:
            await own.channel.start()
        if pairs is not None:
            pairs.start()
        genesis_hash = chain.network.genesis_hash.hex()
        network = chain.network.genesis.network
        height = chain.confirmed_height
        tell(Started(server.url, network, genesis_hash, height, to_text(own.sponsor)))
        await node.run_until(stopped)
    finally:
        if server is not None:
            await server.stop()
        await own.stop(pairs)
        await node.stop()


def _build_voted_engine(
    home: Home,
    settings: Settings,
    chain: Chain,
    verifier: PoolVerifier,
    keeper: Keeper | None,
    member: bytes,
) -> CometEngine | None:
    """Build the engine where validators vote; None where this node alone seals."""
    if not chain.network.genesis.is_voted:
        return None
    named = {bytes.fromhex(peer.partition("@")[0]) for peer in settings.cometbft.peers}
    return CometEngine(
        chain,
        verifier,
        wall_clock_ms,
        home.comet,
        find_binary(),
        build_peer_rules(chain, named),
        keeper,
        build_asker(chain, member, choose_tls(settings)),
        settings.cometbft.heartbeat_s * 1_000,
        settings.cometbft.peers,
    )


def build_keeper(home: Home, settings: Settings, chain: Chain) -> Keeper | None:
    """Build what makes snapshots and prunes the log; None where the settings want neither."""
    history = settings.history
    every = history.snapshot_every or history.retain_blocks
    if not every and not home.snapshots_path.is_dir():
        return None
    shelf = Shelf(FileStorage(home.snapshots_path))
    retention = Retention(every, history.snapshots, history.retain_blocks)
    return Keeper(chain, shelf, lambda: open_log(home.log_path), retention)


async def _await_ready(node: Node, stopped: asyncio.Event) -> None:
    """Wait until transactions are taken, unless the node is to stop first, or fails."""
    await is_done_first(node.engine.ready(), stopped)
    if node.engine.failure is not None:
        raise node.engine.failure
