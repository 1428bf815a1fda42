"""A node's data folder: genesis, keys, block log and state store, and how a chain opens in it.

DIR/genesis.bin     the network's document, byte for byte
DIR/keys/*.json     encrypted key files: `node` seals headers, `sponsor` signs batches
DIR/log/            the block log, the truth
DIR/store/          the state store, which the log can make anew
DIR/snapshots/      snapshots, of a node that makes them, joined from one, or prunes its log
DIR/cometbft/       CometBFT's folder, where nodes vote (`hansa.engine.cometbft.home`)
DIR/node.toml       settings (`hansa.node.settings`)
DIR/risk/           what decides on payments, and what was decided (`hansa.node.risk`)
DIR/api-keys.json   hashed API keys (`hansa.node.api.keys`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hansa.contracts.registry import Registry
from hansa.engine.backup import (
    GENESIS_NAME,
    KEYS_NAME,
    LOG_NAME,
    SNAPSHOTS_NAME,
    BackupReport,
    Progress,
    backup,
    require_no_backup,
    restore,
)
from hansa.engine.chain import Chain, NobodySeals, Seal
from hansa.engine.chain import Sealer as Sealing
from hansa.engine.cometbft.home import CometHome
from hansa.engine.cometbft.trail import FILE_NAME as VOTES_NAME
from hansa.engine.cometbft.trail import HAND_OVERS_NAME
from hansa.engine.log import SEGMENT_BYTES, BlockLog, BlockReader
from hansa.engine.overlaid_store import OverlaidStore
from hansa.engine.snapshots.beginning import build_base, find_base, open_shelf
from hansa.engine.snapshots.carried import require_not_carried
from hansa.engine.snapshots.restoring import clear_joining
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage, make_folder
from hansa.engine.store import MemoryStore, StateStore, Store
from hansa.engine.whole_folder import require_folder
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.genesis import (
    Genesis,
    Network,
    decode_genesis,
)
from hansa.program import name_program
from hansa.sdk.files import read_file
from hansa.sdk.keys import DEFAULT_COST, KeyPair, ScryptCost, load_key, save_key

GENESIS_BYTES_MAX = 16 << 20
NODE_KEY = "node"
SPONSOR_KEY = "sponsor"
CHANNEL_KEY = "channel"
DECISIONS = "decisions.db"
"""The file of what was decided on payments, in the folder of risk control."""
_DECIDING = ("*.toml", "*.csv", "sanctions/*", "models/roles.json", "models/*.model")
"""What decides on payments, as `hansa.node.risk` reads it from its folder."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything of one node lies."""

    path: Path

    @property
    def genesis_path(self) -> Path:
        """The genesis document."""
        return self.path / GENESIS_NAME

    @property
    def log_path(self) -> Path:
        """The folder of the block log."""
        return self.path / LOG_NAME

    @property
    def store_path(self) -> Path:
        """The folder of the state store."""
        return self.path / "store"

    @property
    def snapshots_path(self) -> Path:
        """The folder of snapshots, which may be missing."""
        return self.path / SNAPSHOTS_NAME

    @property
    def keys_path(self) -> Path:
        """The folder of key files."""
        return self.path / KEYS_NAME

    @property
    def comet(self) -> CometHome:
        """CometBFT's folder, of a node of a voted network."""
        return CometHome(self.path / "cometbft")

    @property
    def settings_path(self) -> Path:
        """The settings, which may be missing."""
        return self.path / "node.toml"

    @property
    def api_keys_path(self) -> Path:
        """The hashed API keys, which may be missing."""
        return self.path / "api-keys.json"

    @property
    def messages_path(self) -> Path:
        """The file of messages between members, which may be missing."""
        return self.path / "messages.db"

    @property
    def journals_path(self) -> Path:
        """The file of what the node reconciles, which may be missing."""
        return self.path / "journals.db"

    @property
    def risk_path(self) -> Path:
        """The folder of what decides on payments, which may be missing."""
        return self.path / "risk"

    @property
    def decisions_path(self) -> Path:
        """The file of what the node decided on payments, which may be missing."""
        return self.risk_path / DECISIONS

    def require_no_backup(self) -> None:
        """Refuse to write here if this is a backup or snapshot, or in one; raises `Invalid`."""
        require_no_backup(self.path)

    def list_small_files(self, *, with_keys: bool) -> list[str]:
        """List what a backup takes along beside genesis and log, by path within the folder."""
        keys, risk = self.keys_path, self.risk_path
        names = sorted(path.name for path in keys.glob("*.json")) if with_keys else []
        deciding = sorted(
            path for pattern in _DECIDING for path in risk.glob(pattern) if path.is_file()
        )
        return [
            self.settings_path.name,
            self.api_keys_path.name,
            *(f"{self.comet.path.name}/{name}" for name in (VOTES_NAME, HAND_OVERS_NAME)),
            *(f"{keys.name}/{name}" for name in names),
            *(path.relative_to(self.path).as_posix() for path in deciding),
        ]

    def exists(self) -> bool:
        """Whether a node was set up here."""
        return self.genesis_path.is_file()

    def find_node_within(self) -> Path | None:
        """Find a node's folder in this one, as where it is a network's."""
        return min((path.parent for path in self.path.glob(f"*/{GENESIS_NAME}")), default=None)

    def read_genesis(self) -> bytes:
        """Read the genesis document as it lies on disk.

        Raises:
          NotFound: no node was set up here.
          Invalid: folder or document are something else.
          Unavailable: it cannot be read.
        """
        require_folder(self.path, "a node's data folder")
        require_not_carried(self.path)
        try:
            return read_file(self.genesis_path, GENESIS_BYTES_MAX)
        except NotFound:
            if (inner := self.find_node_within()) is not None:
                raise NotFound(
                    f"{self.path} is no node's folder, but nodes lie in it: name one of them, as "
                    f"{inner}",
                    path=str(self.path),
                ) from None
            raise NotFound(
                f"there is no genesis.bin in {self.path}: set a node up with {name_program()} "
                "init, or name another folder with --data",
                path=str(self.path),
            ) from None

    def load_network(self) -> Network:
        """Load the network that this node belongs to."""
        return Network.of(parse_genesis(self.read_genesis(), self.genesis_path))

    def load_key(self, name: str, passphrase: str) -> KeyPair:
        """Load and decrypt a key of this node; raises `NotFound` or `Invalid`."""
        return load_key(self.key_path(name), passphrase)

    def key_path(self, name: str) -> Path:
        """Where the key of this name lies."""
        return self.keys_path / f"{name}.json"


def parse_genesis(raw: bytes, path: Path) -> Genesis:
    """Parse a genesis document; `path` names it in errors.

    Raises:
      Invalid: it is none, or was changed.
    """
    try:
        return decode_genesis(raw)
    except Invalid as error:
        message = f"{path} is no genesis document, or is damaged: {error.message}"
        raise Invalid(error.code, message, **{**error.facts, "path": str(path)}) from None


def create_home(
    path: Path | str,
    genesis: Genesis,
    keys: Mapping[str, KeyPair],
    passphrase: str,
    *,
    cost: ScryptCost = DEFAULT_COST,
) -> Home:
    """Set up a data folder; `genesis.bin` is written last, so half a folder is none.

    Args:
      path: the folder; may exist without a node in it.
      genesis: the network.
      keys: by name, without `.json`; `node` and `sponsor` are what `hansa up` uses.
      passphrase: of all key files.
      cost: of the key files' scrypt.

    Raises:
      Invalid: there is a node already, or a key file, or the place belongs to a backup.
      Unavailable: the disk refused.
    """
    home = Home(Path(path))
    home.require_no_backup()
    if home.exists():
        raise Invalid(
            InvalidCode.MALFORMED, f"{home.path} holds a node already", path=str(home.path)
        )
    for folder in (home.path, home.keys_path):
        make_folder(folder)
    for name, key in keys.items():
        save_key(home.key_path(name), key, passphrase, cost=cost)
    FileStorage(home.path).replace(home.genesis_path.name, genesis.encoded())
    return home


def backup_home(
    home: Home, target: Path, *, with_keys: bool = False, progress: Progress | None = None
) -> BackupReport:
    """Back a data folder up, whether its node runs or not; checks every block it copies.

    Args:
      home: the data folder.
      target: the backup's folder; must not exist, nor lie in the data folder or in a backup.
      with_keys: whether to take the (encrypted) key files along.
      progress: called with the heights copied and to be copied.

    Raises:
      HansaError: as `hansa.engine.backup.backup`.
    """
    home.read_genesis()  # which says what is wrong with what was named
    files = home.list_small_files(with_keys=with_keys)
    paths = (home.journals_path, home.decisions_path)
    databases = [path.relative_to(home.path).as_posix() for path in paths]
    return backup(home.path, target, files, databases, progress=progress)


def restore_home(archive: Path, target: Path) -> BackupReport:
    """Restore a backup into a new data folder; opening that brings the state up from the log.

    Where keys are not part of the backup, their folder is there for them, empty.

    Raises:
      HansaError: as `hansa.engine.backup.restore`.
    """
    return restore(archive, target, [Home(target).keys_path.name])


@dataclass(frozen=True, slots=True)
class KeySealer:
    """Signs headers with the node's key."""

    key: KeyPair

    def seal(self, message: bytes) -> tuple[Seal, ...]:
        """Sign with it."""
        return ((int(self.key.suite), self.key.public_key, self.key.sign(message)),)


class _NoSealer:
    """Stands where a chain is only read."""

    def seal(self, message: bytes) -> tuple[Seal, ...]:
        raise Unavailable(f"this chain is open for reading: {len(message)} bytes were not signed")


def open_chain(
    home: Home,
    sealer: KeyPair | None,
    *,
    rebuild: bool = False,
    segment_bytes: int = SEGMENT_BYTES,
) -> Chain:
    """Open the chain for writing, begin it if there is none, execute what the store lacks.

    Args:
      home: the data folder.
      sealer: the node's key; None where validators vote.
      rebuild: throw the store away first and make it anew from the log.
      segment_bytes: how large the log's files become.

    Raises:
      Invalid: the folder is a backup, or the key seals no block of this network.
      Unavailable: another process has the folder, or the disk refuses.
      Corrupt: log or store are damaged; a damaged store can be rebuilt.
    """
    home.require_no_backup()
    network = home.load_network()
    seal = _require_sealer(network, sealer)
    storage = FileStorage(home.log_path)
    storage.lock()
    store: StateStore | None = None
    log: BlockLog | None = None
    try:
        if home.snapshots_path.is_dir():
            shelf = Shelf(FileStorage(home.snapshots_path))
            clear_joining(shelf, storage, lambda: StateStore.wipe(home.store_path))
        if rebuild:
            StateStore.wipe(home.store_path)
        store = StateStore.open(home.store_path)
        trusted_height = store.height if store.height >= 0 else None
        log = BlockLog.open(storage, trusted_height=trusted_height, segment_bytes=segment_bytes)
        if log.height_min > 0 and store.height < 0:
            store.close()
            store = None
            store = build_store(home, network, log.height_min)
    except BaseException:
        if store is not None:
            store.close()
        if log is not None:
            log.close()
        storage.unlock()
        raise
    return _open(log, store, network, seal)


def build_store(home: Home, network: Network, log_begins: int) -> StateStore:
    """Build the store of a pruned log, as of the newest snapshot that is kept.

    Raises:
      Corrupt: there is none, or it is damaged.
    """
    shelf = open_shelf(home.snapshots_path, log_begins)
    base = find_base(shelf, log_begins, newest=True)
    StateStore.wipe(home.store_path)  # what a process that died left half built
    store = StateStore.open(home.store_path)
    try:
        build_base(shelf, base, network, store)
    except BaseException:
        store.close()
        raise
    return store


def _require_sealer(network: Network, sealer: KeyPair | None) -> KeySealer | NobodySeals:
    named = [(item.suite, item.public_key) for item in network.genesis.sealers]
    if sealer is None and network.genesis.is_voted:
        return NobodySeals()
    if sealer is None or (int(sealer.suite), sealer.public_key) not in named:
        raise Invalid(
            InvalidCode.UNAUTHENTICATED,
            "the node's key is none of the sealers that genesis names: it could sign no block",
        )
    return KeySealer(sealer)


def open_chain_read_only(home: Home) -> Chain:
    """Open the chain beside the process that writes it, as of the last confirmed block.

    The store is read as of its last flush; what was confirmed since is executed in memory.

    Raises:
      NotFound: there is no chain yet.
      Corrupt: log or store are damaged.
    """
    network = home.load_network()
    store: Store
    try:
        store = OverlaidStore(StateStore.open_read_only(home.store_path))
    except NotFound:
        store = MemoryStore()
    reader = BlockReader.open(FileStorage(home.log_path, read_only=True))
    if reader.height_max < 0:
        reader.close()
        store.close()
        raise NotFound(f"there is no block in {home.log_path} yet", path=str(home.log_path))
    # A chain that is only read calls nothing of the log that a reader lacks.
    return _open(cast("BlockLog", reader), store, network, _NoSealer())


def _open(log: BlockLog, store: Store, network: Network, sealer: Sealing) -> Chain:
    try:
        return Chain.open(log, store, network, Registry(network.genesis), sealer)
    except BaseException:
        log.close()
        store.close()
        raise
