"""Joining a network: before the node itself runs, its folder is filled from a snapshot.

    trust     snapshots that are offered, and the verified headers that name their last blocks
    relay     ... from there on CometBFT follows the validators by what members' nodes show
    join      ... and takes the snapshot from its peers, which must prove that very header

A mark lies in the folder from before the first change until all is there: what a process that died
left half joined is thrown away as a whole, but for keys and what was signed.

Source: docs/how-to/run-a-network.md, "One more node".
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.child.binary import find_binary
from hansa.engine.cometbft.configuration import StateSync
from hansa.engine.cometbft.joining import join
from hansa.engine.cometbft.trail import FILE_NAME as VOTES_NAME
from hansa.engine.log import BlockLog
from hansa.engine.snapshots.building import FillableStore
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import StateStore
from hansa.engine.verification import PoolVerifier
from hansa.kernel.encoding import encode
from hansa.kernel.errors import NotFound, Unavailable
from hansa.kernel.genesis import Network
from hansa.node.home import Home
from hansa.node.joining.relay import Relay
from hansa.node.joining.trust import Source, Trust, find_trusts, load_start, open_sources
from hansa.node.network.preparing import prepare_cometbft
from hansa.node.records import open_log
from hansa.node.settings import Settings

FOLLOW_S = 90
"""For the two heights behind a snapshot's: at least one comes with the heartbeat."""

Tell = Callable[[str], None]


def is_to_join(home: Home, settings: Settings) -> bool:
    """Whether a node has no blocks, and its settings name nodes to begin from.

    What a process that died left half joined is thrown away first.

    Raises:
      Unavailable: another process has the folder, or the disk refuses.
      Corrupt: the log is damaged.
    """
    if home.comet.joining_path.exists():
        clear_half_joined(home)
    return bool(settings.cometbft.join_from) and not _has_blocks(home)


def clear_half_joined(home: Home) -> None:
    """Throw away all that a node has begun with, and nothing of what it signed.

    Raises:
      Unavailable: another process has the folder, or the disk refuses.
    """
    storage = FileStorage(home.log_path)
    storage.lock()
    try:
        shelf = Shelf(FileStorage(home.snapshots_path))
        BlockLog.wipe(storage)
        StateStore.wipe(home.store_path)
        shelf.drop_all()
        shelf.end_joining()
        home.comet.clear_blocks()
        FileStorage(home.comet.path).remove(home.comet.joining_path.name)
    finally:
        storage.unlock()


async def join_network(home: Home, network: Network, settings: Settings, tell: Tell) -> None:
    """Fill a node's folder from the newest snapshot that others vouch for.

    Args:
      home: of a node without blocks (`is_to_join`).
      network: a voted one.
      settings: of the node.
      tell: told in words how far it is.

    Raises:
      NotFound: a key, CometBFT, or the checkpoint is missing.
      Invalid: the checkpoint is none, or the nodes that were asked show different things.
      Unavailable: nobody offers a snapshot that can be verified, no peer lets this node in, or the
        disk refuses.
    """
    start = load_start(settings, network)
    async with open_sources(settings, network) as sources:

        async def join_from(trust: Trust) -> None:
            await _join_from(home, network, settings, sources, trust, tell)

        trusts = await find_trusts(sources, network, start, tell)
        await join_from_any(trusts, join_from, lambda: clear_half_joined(home), tell)


async def join_from_any(
    trusts: Sequence[Trust],
    join_from: Callable[[Trust], Awaitable[None]],
    clear: Callable[[], None],
    tell: Tell,
) -> None:
    """Join from the first snapshot from which it can be done.

    A node may offer one, of a true block, that no peer has. So what it shows, though verified, must
    not keep this node from those of others.

    Args:
      trusts: at least one.
      join_from: joins from one of them.
      clear: throws away what was begun.
      tell: told why it was not that one.

    Raises:
      HansaError: what kept it from the last one, or the disk refuses.
    """
    *others, last = trusts
    for trust in others:
        try:
            await join_from(trust)
        except Unavailable as error:
            tell(
                f"not joining from the snapshot of block {trust.snapshot_height}: {error.message}; "
                "going on with that of another node"
            )
            clear()
        else:
            return
    await join_from(last)


async def _join_from(
    home: Home,
    network: Network,
    settings: Settings,
    sources: Sequence[Source],
    trust: Trust,
    tell: Tell,
) -> None:
    storage = FileStorage(home.log_path)
    storage.lock()
    try:
        tell(
            f"joining from the snapshot of block {trust.snapshot_height}: validators were "
            f"followed from CometBFT's height {trust.trail.start.height} to {trust.height}"
        )
        relay = Relay(sources, network, tell)
        for height in (trust.height - 1, trust.height, trust.height + 1):
            await relay.fetch(height, FOLLOW_S)
        async with relay.serving(home.comet.relay_path):
            await _take(home, network, settings, trust, storage, tell)
        FileStorage(home.comet.path).replace(VOTES_NAME, encode(trust.votes))
        FileStorage(home.comet.path).remove(home.comet.joining_path.name)
    finally:
        storage.unlock()


async def _take(
    home: Home,
    network: Network,
    settings: Settings,
    trust: Trust,
    storage: FileStorage,
    tell: Tell,
) -> None:
    """Have CometBFT find a snapshot, take it in, and execute a block behind it.

    `storage` is the log's, locked: whoever closes the log gives it back.
    """
    server = f"unix://{home.comet.relay_path.absolute()}"  # asks several nodes, and compares them
    state_sync = StateSync((server, server), trust.height, trust.hash)
    prepare_cometbft(home, network, settings, state_sync)
    FileStorage(home.comet.path).replace(home.comet.joining_path.name, b"")
    segment_bytes = settings.history.choose_segment_bytes()

    def open_empty() -> tuple[BlockLog, FillableStore]:
        BlockLog.wipe(storage)
        StateStore.wipe(home.store_path)
        store = StateStore.open(home.store_path)
        return BlockLog.open(storage, segment_bytes=segment_bytes), store

    def open_chain(log: BlockLog, store: FillableStore) -> Chain:
        return Chain.open(log, store, network, Registry(network.genesis), NobodySeals())

    peers = settings.cometbft.peers
    named = {bytes.fromhex(peer.partition("@")[0]) for peer in peers}
    verifier = PoolVerifier(network, settings.work.verifiers or os.cpu_count() or 1)
    try:
        await join(
            home.comet,
            find_binary(),
            Restorer(Shelf(FileStorage(home.snapshots_path)), network, open_empty),
            open_chain,
            verifier,
            named.__contains__,
            peers=peers,
            tell=tell,
        )
    finally:
        verifier.close()


def _has_blocks(home: Home) -> bool:
    with suppress(NotFound):
        reader = open_log(home.log_path)
        try:
            return reader.height_max >= 0
        finally:
            reader.close()
    return False
