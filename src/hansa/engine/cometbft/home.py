"""CometBFT's folder within a node's: where its files lie, its keys, and its signing state.

A key is 32 random bytes; CometBFT's files hold it in the clear, so they are for their owner alone.
The signing state says what a validator signed last. Whoever starts with an older one, or with none,
may sign a height twice, which other validators prove to everybody. So it is made once, together
with its key, and then belongs to CometBFT: nothing overwrites it, backs it up or restores it.

Source: CometBFT v0.38 `p2p/key.go`, `privval/file.go`, `crypto/ed25519`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from hansa.engine.storage import FileStorage, make_folder, sync_folder
from hansa.kernel.crypto.signatures import PRIVATE_KEY_BYTES, Suite, public_key_of
from hansa.kernel.encoding import DECODE_ERRORS
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.program import name_program

PRIVATE_TYPE = "tendermint/PrivKeyEd25519"
PUBLIC_TYPE = "tendermint/PubKeyEd25519"
SOCKET_PATH_BYTES_MAX = 107
"""Of a unix socket on Linux, unix(7)."""
SIGNING_STATE_NAME = "priv_validator_state.json"
_ADDRESS_BYTES = 20


@dataclass(frozen=True, slots=True)
class CometKey:
    """An Ed25519 key of CometBFT: of a node among its peers, or of a validator."""

    seed: bytes = field(repr=False)

    @staticmethod
    def generate() -> CometKey:
        """Make a new key."""
        return CometKey(secrets.token_bytes(PRIVATE_KEY_BYTES))

    @property
    def public_key(self) -> bytes:
        """Compute the 32 bytes of the public key."""
        return public_key_of(Suite.ED25519, self.seed)

    @property
    def address(self) -> bytes:
        """Compute the 20 bytes that name a node among its peers, or a validator in a commit."""
        return address_of_key(self.public_key)


def address_of_key(public_key: bytes) -> bytes:
    """Compute the 20 bytes by which CometBFT names a key."""
    return hashlib.sha256(public_key).digest()[:_ADDRESS_BYTES]


@dataclass(frozen=True, slots=True)
class CometHome:
    """Where everything of CometBFT lies, for one node."""

    path: Path

    @property
    def configuration_path(self) -> Path:
        """Its settings, written anew at each start."""
        return self.path / "config" / "config.toml"

    @property
    def genesis_path(self) -> Path:
        """Its genesis, which follows from ours."""
        return self.path / "config" / "genesis.json"

    @property
    def node_key_path(self) -> Path:
        """The key by which peers know the node."""
        return self.path / "config" / "node_key.json"

    @property
    def consensus_key_path(self) -> Path:
        """The key that signs votes."""
        return self.path / "config" / "priv_validator_key.json"

    @property
    def signing_state_path(self) -> Path:
        """What was signed last."""
        return self.path / "data" / SIGNING_STATE_NAME

    @property
    def rpc_path(self) -> Path:
        """The socket on which CometBFT answers."""
        return self.path / "rpc.sock"

    @property
    def abci_path(self) -> Path:
        """The socket on which we answer CometBFT."""
        return self.path / "abci.sock"

    @property
    def repeating_path(self) -> Path:
        """Is there while CometBFT fetches blocks again that our log has."""
        return self.path / "repeating"

    @property
    def standing_path(self) -> Path:
        """Says up to which empty block of CometBFT this node stands, on a quiet network."""
        return self.path / "standing.bin"

    @property
    def joining_path(self) -> Path:
        """Is there while the node begins from a snapshot: what lies here then is not whole."""
        return self.path / "joining"

    @property
    def relay_path(self) -> Path:
        """The socket on which CometBFT is shown what other members' nodes show, while it joins."""
        return self.path / "light.sock"

    def clear_blocks(self) -> None:
        """Remove all that CometBFT has fetched, and nothing of what was signed.

        Raises:
          Unavailable: the disk refuses.
        """
        folder = self.path / "data"
        fetched = [
            path
            for path in (folder.iterdir() if folder.is_dir() else ())
            if not path.name.startswith(SIGNING_STATE_NAME)
        ]
        for path in (*fetched, self.standing_path, self.repeating_path):
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise Unavailable(
                    f"cannot remove {path}: {error.strerror}", path=str(path)
                ) from None

    def has_blocks(self) -> bool:
        """Whether CometBFT has kept anything here since it was set up."""
        return (self.path / "data" / "state.db").is_dir()

    @property
    def log_path(self) -> Path:
        """What CometBFT says."""
        return self.path / "cometbft.log"

    def require_socket_paths(self) -> None:
        """Refuse a folder in which CometBFT can open no unix socket; raises `Invalid`.

        It tells its peers where it answers, and they take ASCII without tabs and nothing else.
        """
        for path in (self.rpc_path, self.abci_path, self.relay_path):
            text = str(path.absolute())
            length = len(os.fsencode(text))
            if length > SOCKET_PATH_BYTES_MAX:
                found = f"has {length} bytes, and the system allows {SOCKET_PATH_BYTES_MAX}"
                mend = "put the node into a folder nearer to the root"
            elif strange := next((each for each in text if not " " <= each <= "~"), ""):
                found = f"has the character {strange!a}, and CometBFT allows printable ASCII only"
                mend = "put the node into a folder whose path is without accents, tabs and the like"
            else:
                continue
            raise Invalid(
                InvalidCode.MALFORMED,
                f"the path of the socket {text} {found}: {mend}",
                path=str(path),
            )

    def make_folders(self) -> None:
        """Make the folders, for their owner alone; raises `Unavailable`."""
        for folder in (self.path, self.path / "config", self.path / "data"):
            make_folder(folder)

    def create_keys(self, node_key: CometKey, consensus_key: CometKey) -> None:
        """Write both keys and the signing state of a validator that never signed.

        Raises:
          Invalid: one of the files is there: nothing is overwritten.
          Unavailable: the disk refuses.
        """
        _require_free(self.node_key_path, self.consensus_key_path, self.signing_state_path)
        self.make_folders()
        self.create_node_key(node_key)
        self.create_consensus_key(consensus_key)

    def create_node_key(self, key: CometKey) -> None:
        """Write the key by which peers know the node; raises `Invalid` where there is one."""
        _require_free(self.node_key_path)
        _write_json(self.node_key_path, {"priv_key": _private(key)})

    def create_consensus_key(self, key: CometKey) -> None:
        """Write a validator's key where there is none, and the state that it signed nothing yet.

        Raises:
          Invalid: there is a key, or a signing state.
          Unavailable: the disk refuses.
        """
        _require_free(self.consensus_key_path, self.signing_state_path)
        _write_json(self.signing_state_path, {"height": "0", "round": 0, "step": 0})
        document = {
            "address": key.address.hex().upper(),
            "pub_key": public_document(key.public_key),
            "priv_key": _private(key),
        }
        _write_json(self.consensus_key_path, document)

    def put_aside_consensus_key(self) -> None:
        """Rename a consensus key and what it signed, if they are there, so that neither is used.

        They keep their folders and get the time into their names. Raises `Unavailable`.
        """
        _put_aside(self.consensus_key_path, self.signing_state_path)

    def put_aside_node_key(self) -> None:
        """Rename a node key, if it is there, as `put_aside_consensus_key` does."""
        _put_aside(self.node_key_path)

    def load_node_key(self) -> CometKey:
        """Load the key by which peers know the node.

        Raises:
          NotFound: there is none.
          Invalid: the file holds something else.
          Unavailable: it cannot be read.
        """
        return _load_key(self.node_key_path)

    def load_consensus_key(self) -> CometKey:
        """Load the key that signs votes; raises as `load_node_key`."""
        return _load_key(self.consensus_key_path)

    def read_signing_state(self) -> bytes:
        """Read what a validator signed last, without which it must not sign.

        Raises:
          NotFound: the signing state is missing.
          Unavailable: it cannot be read.
        """
        path = self.signing_state_path
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"{path} is missing: without knowing what its key signed last "
                "this node could sign a height twice, which proves it false to everybody. Make a "
                f"new consensus key with {name_program()} network key new --data "
                f"{self.path.parent}, which says how to publish it",
                path=str(path),
            ) from None
        except OSError as error:
            raise Unavailable(f"cannot read {path}: {error.strerror}", path=str(path)) from None


def public_document(public_key: bytes) -> dict[str, str]:
    """Build the JSON form of a public key."""
    return {"type": PUBLIC_TYPE, "value": base64.b64encode(public_key).decode()}


def _require_free(*paths: Path) -> None:
    """Refuse to write over a key, or over what one signed: they belong together."""
    for path in paths:
        if path.exists():
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{path} is there: neither keys of CometBFT nor what they signed are ever "
                "overwritten",
                path=str(path),
            )


def _put_aside(*paths: Path) -> None:
    ending = f".before-{time.time_ns()}"
    for path in paths:
        try:
            path.rename(path.with_name(path.name + ending))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unavailable(f"cannot rename {path}: {error.strerror}", path=str(path)) from None
        sync_folder(path.parent)


def _private(key: CometKey) -> dict[str, str]:
    value = base64.b64encode(key.seed + key.public_key).decode()
    return {"type": PRIVATE_TYPE, "value": value}


def _write_json(path: Path, document: dict[str, Any]) -> None:
    raw = msgspec.json.format(msgspec.json.encode(document), indent=2)
    FileStorage(path.parent).replace(path.name, raw)


def _load_key(path: Path) -> CometKey:
    try:
        found = msgspec.json.decode(path.read_bytes())["priv_key"]
        raw = base64.b64decode(found["value"], validate=True)
        key = CometKey(raw[:PRIVATE_KEY_BYTES])
        is_whole = found["type"] == PRIVATE_TYPE and raw == key.seed + key.public_key
    except FileNotFoundError:
        raise NotFound(
            f"there is no {path}: copy it from where it is kept, or make a new one with "
            f"{name_program()} network key new --data {path.parents[2]}",
            path=str(path),
        ) from None
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror}", path=str(path)) from None
    except (*DECODE_ERRORS, Invalid, KeyError):
        is_whole = False
    if not is_whole:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"{path} holds no Ed25519 key of CometBFT, or was changed: bring it back from where "
            f"its copy is kept, or make a new one with {name_program()} network key new --data "
            f"{path.parents[2]}",
            path=str(path),
        )
    return key
