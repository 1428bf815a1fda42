"""A snapshot in a folder of its own, to be carried to where no node answers, and restored there.

    DIR/genesis.bin   of the network
    DIR/proof.bin     where validators vote: their votes, and the headers from the snapshot's to it
    DIR/…             manifest and chunks, as `hansa.engine.snapshots.shelf` has them

Source: docs/reference/snapshots.md, "Carried".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hansa.engine.backup import require_outside
from hansa.engine.chain import Chain
from hansa.engine.cometbft.rpc.client import CometRpc
from hansa.engine.cometbft.rpc.light import fetch_signed_header
from hansa.engine.cometbft.trail import FILE_NAME as VOTES_NAME
from hansa.engine.cometbft.trail import read_votes
from hansa.engine.log import BlockLog
from hansa.engine.snapshots.building import FillableStore
from hansa.engine.snapshots.format import Manifest, refuse
from hansa.engine.snapshots.making import make_snapshot
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage, make_folder
from hansa.engine.store import StateStore
from hansa.engine.whole_folder import making, require_folder, require_free
from hansa.kernel.block import decode_header
from hansa.kernel.encoding import Decoder, Document, encode
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.commit import SignedHeader
from hansa.kernel.light.trail import Checkpoint, Trail
from hansa.kernel.light.votes import Votes, check_hand_overs, check_votes
from hansa.node.home import GENESIS_BYTES_MAX, Home, open_chain_read_only, parse_genesis
from hansa.program import name_program
from hansa.sdk.files import read_file

PROOF_NAME = "proof.bin"
PROOF_BYTES_MAX = 8 << 20
COPY_AGAIN = "copy it again as a whole, or make another snapshot"

Progress = Callable[[int, int], None]


class Proof(Document, frozen=True, array_like=True):
    """What shows that validators signed the last block of a snapshot."""

    votes: Votes
    headers: tuple[bytes, ...]
    """Of the blocks behind it, up to the one that the votes are on; none if they are on itself."""


def _check_proof(proof: Proof) -> None:
    check_hand_overs(proof.votes)


_PROOFS: Decoder[Proof] = Decoder(Proof, "proof of a snapshot", _check_proof)


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot in a folder."""

    manifest: Manifest
    header_hash: bytes
    bytes: int
    """Of its chunks."""

    def to_json(self) -> dict[str, Any]:
        """Build the object that `--json` prints."""
        manifest = self.manifest
        return {
            "height": manifest.height,
            "first_height": manifest.first_height,
            "consensus_height": manifest.consensus_height,
            "header_hash": self.header_hash.hex(),
            "state_root": manifest.head.state_root.hex(),
            "chunks": len(manifest.chunks),
            "bytes": self.bytes,
            "hash": manifest.hash.hex(),
        }


@dataclass(frozen=True, slots=True)
class Restored:
    """What a snapshot became, and as of whom it is right."""

    kept: Kept
    trail: Trail | None
    """None where seals prove the last block."""


def list_kept(home: Home) -> list[Kept]:
    """List the snapshots of a node's folder, oldest first; its node may run.

    Raises:
      NotFound: there is no node.
      Corrupt: a manifest is damaged.
    """
    network = home.load_network()
    if not home.snapshots_path.is_dir():
        return []
    shelf = Shelf(FileStorage(home.snapshots_path, read_only=True))
    return [_describe(shelf, manifest, network) for manifest in shelf.list()]


def make_carried(home: Home, target: Path) -> Kept:
    """Make the snapshot of a node's newest checkpoint, in a folder to carry; the node may run.

    Raises:
      NotFound: there is no node, no block yet, or the log begins too late.
      Invalid: the folder is not empty, or lies inside the node's.
      Unavailable: the votes on the block are not at hand yet, or the disk refuses.
      Corrupt: log or store are damaged.
    """
    require_outside(home.path, target)
    require_free(target, may_be_empty=True)
    network = home.load_network()
    with ExitStack() as undo:
        chain = open_chain_read_only(home)
        undo.callback(chain.close)
        height = chain.store.pending_height
        proof = _find_proof(home, chain, height) if network.genesis.is_voted else None
        folder = undo.enter_context(making(target, may_be_empty=True, last=home.genesis_path.name))
        storage = FileStorage(folder)
        shelf = Shelf(storage)
        manifest = make_snapshot(shelf, chain.log, height, chain.iterate_rows(b""))
        if proof is not None:
            storage.replace(PROOF_NAME, encode(proof))
        storage.replace(home.genesis_path.name, home.read_genesis())
        return _describe(shelf, manifest, network)


def restore_carried(
    source: Path,
    target: Path,
    genesis_hash: bytes | None = None,
    start: Checkpoint | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Restored:
    """Make a node's folder of a snapshot that was carried; nothing of it is believed unproved.

    Args:
      source: the snapshot's folder.
      target: the folder to make; new or empty.
      genesis_hash: of the network that is meant.
      start: checkpoint from which validators are followed, which names the network, too.
      progress: told of chunks taken, of how many.

    Raises:
      NotFound: there is no snapshot.
      Invalid: it is of another network, or does not follow from what is trusted.
      Corrupt: a file of it is damaged.
      Unavailable: the disk refuses.
    """
    require_free(target, may_be_empty=True)
    carried = Home(source)
    require_folder(source, _name_made())
    if not carried.exists():
        raise _find_none(source)
    require_outside(source, target)
    raw = read_file(carried.genesis_path, GENESIS_BYTES_MAX)
    network = Network.of(parse_genesis(raw, carried.genesis_path))
    _require_trusted(source, network, genesis_hash, start)
    shelf = Shelf(FileStorage(source, read_only=True))
    manifest = _find_newest(shelf, source)
    header_hash = proof = trail = None
    if network.genesis.is_voted:
        proof = _read_proof(source)
        trail = _follow(network, manifest, proof, start)
        header_hash = network.digest(network.header_prefix + manifest.header)
    with making(target, may_be_empty=True, last=carried.genesis_path.name) as folder:
        home = Home(folder)
        make_folder(home.keys_path)
        _fill(home, network, shelf, manifest, header_hash, progress)
        if proof is not None and not proof.headers:
            home.comet.make_folders()
            FileStorage(home.comet.path).replace(VOTES_NAME, encode(proof.votes))
        FileStorage(folder).replace(home.genesis_path.name, raw)
    return Restored(_describe(shelf, manifest, network), trail)


def _require_trusted(
    source: Path, network: Network, genesis_hash: bytes | None, start: Checkpoint | None
) -> None:
    """Refuse a network that is not the one that is trusted."""
    trusted = genesis_hash if start is None else start.genesis_hash
    if trusted not in (None, network.genesis_hash):
        raise Invalid(
            InvalidCode.SIGNATURE,
            f"{source} is of another network: genesis {network.genesis_hash.hex()}",
            path=str(source),
        )
    if start is not None and not network.genesis.is_voted:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"{source} is of a sealed network, whose sealers genesis names: name that one, "
            "checkpoints are of networks whose validators vote",
        )


def _fill(
    home: Home,
    network: Network,
    shelf: Shelf,
    manifest: Manifest,
    header_hash: bytes | None,
    progress: Progress,
) -> None:
    def open_empty() -> tuple[BlockLog, FillableStore]:
        return BlockLog.open(FileStorage(home.log_path)), StateStore.open(home.store_path)

    restorer = Restorer(Shelf(FileStorage(home.snapshots_path)), network, open_empty)
    try:
        restorer.offer(manifest.encoded(), header_hash)
        for number, chunk in enumerate(shelf.iterate_chunks(manifest)):
            restorer.apply(number, chunk)
            progress(number + 1, len(manifest.chunks))
        log, store = restorer.finish()
    finally:
        restorer.close()
    store.close()
    log.close()


def _find_proof(home: Home, chain: Chain, height: int) -> Proof:
    """Find votes on a block, of CometBFT if the node runs, or those kept on a block behind it.

    The hand-overs that were kept lead to the votes that were kept, often past the block: then they
    do not lead to it, and those votes prove it through the headers between.
    """
    kept = read_votes(home.comet.path)
    if kept is None:
        raise Unavailable(
            f"there are no votes of validators in {home.comet.path}: let the node run until its "
            "blocks are voted on",
            path=str(home.comet.path),
        )
    first = chain.get_record(height)
    with suppress(Unavailable, Invalid):
        signed = asyncio.run(_ask_own(home, first.consensus_height + 1))
        votes = Votes(kept.hand_overs, signed)
        check_votes(chain.network, first.header, votes)
        return Proof(votes, ())
    headers = _list_headers(chain, height, kept)
    try:
        check_votes(chain.network, (first.header, *headers)[-1], kept)
    except Invalid as error:
        raise Unavailable(
            f"block {height} is not shown to be signed yet ({error.message}): let the node run for "
            "a minute, and try again"
        ) from None
    return Proof(kept, tuple(headers))


async def _ask_own(home: Home, height: int) -> SignedHeader:
    rpc = CometRpc(home.comet.rpc_path)
    try:
        return await fetch_signed_header(rpc, height)
    finally:
        await rpc.close()


def _list_headers(chain: Chain, height: int, votes: Votes) -> list[bytes]:
    """List the headers behind a block, up to the one that is voted on; none if there is none."""
    network, wanted = chain.network, votes.signed_header.header.app_hash
    headers: list[bytes] = []
    for record in chain.iterate_records(height):
        headers.append(record.header)
        if network.digest(network.header_prefix + record.header) == wanted:
            return headers[1:]
    return []


def _follow(network: Network, manifest: Manifest, proof: Proof, start: Checkpoint | None) -> Trail:
    """Follow headers from the snapshot's to the one that validators signed."""
    header = manifest.header
    for behind in proof.headers:
        digest = network.digest(network.header_prefix + header)
        if decode_header(behind).previous_hash != digest:
            raise refuse("the headers of its proof do not follow from its last block")
        header = behind
    return check_votes(network, header, proof.votes, start)


def _read_proof(source: Path) -> Proof:
    path = source / PROOF_NAME
    try:
        return _PROOFS.decode(read_file(path, PROOF_BYTES_MAX))
    except NotFound:
        message = f"the snapshot in {source} is not whole: {PROOF_NAME} is missing; {COPY_AGAIN}"
        raise NotFound(message, path=str(path)) from None
    except Invalid as error:
        message = f"{path} is damaged ({error.message}): {COPY_AGAIN}"
        raise Invalid(error.code, message, path=str(path)) from None


def _find_newest(shelf: Shelf, source: Path) -> Manifest:
    found = shelf.list()
    if not found:
        raise _find_none(source)
    return found[-1]


def _find_none(source: Path) -> NotFound:
    return NotFound(f"there is no snapshot in {source}: name {_name_made()}", path=str(source))


def _name_made() -> str:
    return f"the folder that {name_program()} snapshot make made"


def _describe(shelf: Shelf, manifest: Manifest, network: Network) -> Kept:
    header_hash = network.digest(network.header_prefix + manifest.header)
    return Kept(manifest, header_hash, shelf.measure(manifest))
