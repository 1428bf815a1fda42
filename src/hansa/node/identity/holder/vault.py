"""The file of a wallet: keys, credentials and history, encrypted as a whole, replaced as a whole.

A key for the contents lies in it under the passphrase, which is stretched once, however often they
change. Who works with a wallet has its folder alone (flock, which the system gives back if the
process dies), so that of two commands neither undoes what the other kept.

Source: docs/how-to/hold-credentials.md; RFC 7914 (scrypt); NIST SP 800-38D (GCM); flock(2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.wallet.holdings import HOLDINGS_MAX, Disclosure, Holding
from hansa.identity.wallet.receiving import Access, IssuerInfo, ServerInfo
from hansa.kernel.encoding import DECODE_ERRORS, encode, tell_fault
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, NotFound, Unavailable
from hansa.node.identity.alone import alone_in
from hansa.passphrases import (
    DEFAULT_COST,
    NONCE_BYTES,
    Locked,
    ScryptCost,
    check_cost,
    lock,
    unlock,
)
from hansa.program import name_program
from hansa.sdk.files import read_file, write_file

FILE = "wallet.hansa"
FILE_BYTES_MAX = 256 << 20
KEY_BYTES = 32
FORMAT: Literal["hansa-wallet"] = "hansa-wallet"
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700

Draw = Callable[[int], bytes]


class Kept(msgspec.Struct, frozen=True):
    """A credential with the private half of its key."""

    holding: Holding
    batch: str
    """Copies of one credential, each with a key of its own, have one."""
    key: PrivateKey | None


class Waiting(msgspec.Struct, frozen=True):
    """A credential that an issuer owes: it was not ready, or never arrived."""

    id: str
    issuer: IssuerInfo
    server: ServerInfo
    access: Access
    configuration_id: str
    keys: tuple[PrivateKey, ...]
    dpop: PrivateKey
    client_id: str
    since_ms: int
    transaction_id: str = ""
    """Under which the issuer keeps it; empty if it was never asked for, or did not answer."""


class Shown(msgspec.Struct, frozen=True):
    """What was shown, or was about to be when something ended it."""

    disclosure: Disclosure
    type: str
    answer_id: str
    """What was shown at once has one."""
    outcome: str = "unknown: the wallet was ended before the answer came"


class Contents(msgspec.Struct, frozen=True):
    """All that a wallet remembers."""

    kept: tuple[Kept, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    shown: tuple[Shown, ...] = ()

    @property
    def holdings(self) -> list[Holding]:
        """Its credentials, those shown least often first, so that copies wear evenly."""
        used = [each.disclosure.holding_id for each in self.shown]
        found = [each.holding for each in self.kept]
        return sorted(found, key=lambda holding: used.count(holding.id))

    def find(self, holding_id: str) -> Kept:
        """Find a credential; raises `NotFound`."""
        for each in self.kept:
            if each.holding.id == holding_id:
                return each
        raise NotFound(f"this wallet holds no credential {holding_id!r}")

    def group(self) -> dict[str, list[Kept]]:
        """Group credentials by the batch that they came in, oldest first."""
        found: dict[str, list[Kept]] = {}
        for each in self.kept:
            found.setdefault(each.batch, []).append(each)
        return found

    def drop(self, name: str) -> Contents:
        """Leave out a batch of credentials, with its keys, or what is waited for."""
        return msgspec.structs.replace(
            self,
            kept=tuple(each for each in self.kept if each.batch != name),
            waiting=tuple(each for each in self.waiting if each.id != name),
        )

    def find_signer(self, key: PublicKey) -> PrivateKey:
        """Find the private half of a key; raises `NotFound`."""
        for each in self.kept:
            if each.key is not None and each.key.public_key == key:
                return each.key
        raise NotFound("this wallet does not have the key of that credential")


class _File(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    format: Literal["hansa-wallet"]
    version: Literal[1]
    n: int
    r: int
    p: int
    salt: bytes
    key_nonce: bytes
    key_ciphertext: bytes
    """A key for the contents, under the passphrase."""
    nonce: bytes
    ciphertext: bytes
    checksum: bytes

    @property
    def locked_key(self) -> Locked:
        """The key for the contents as `lock` made it."""
        cost = ScryptCost(self.n, self.r, self.p)
        return Locked(cost, self.salt, self.key_nonce, self.key_ciphertext)


class Vault:
    """One open wallet; `contents` are what lies on the disk."""

    def __init__(self, folder: Path, key: bytes, locked_key: Locked, draw: Draw) -> None:
        """Work with the wallet in a folder, whose contents are under this key."""
        self._path = folder / FILE
        self._key = key
        self._locked_key = locked_key
        self._draw = draw
        self.contents = Contents()

    def load(self, file: bytes) -> None:
        """Read the contents of the file.

        Raises:
          Corrupt: it is damaged.
        """
        found = _parse(file, self._path)
        header = _write_header(found.locked_key.cost, found.salt)
        try:
            raw = AESGCM(self._key).decrypt(found.nonce, found.ciphertext, header)
            self.contents = msgspec.json.decode(raw, type=Contents)
        except InvalidTag:
            raise _damaged(self._path, "its parts do not fit together") from None
        except DECODE_ERRORS as error:
            raise _damaged(self._path, tell_fault(error)) from None

    def save(self, contents: Contents, *, is_new: bool = False) -> None:
        """Replace what is remembered, on the disk first.

        Raises:
          Invalid: the wallet is full.
          FileExistsError: it is to be new and is not.
          Unavailable: the disk refuses.
        """
        raw = msgspec.json.encode(contents)
        if len(contents.kept) > HOLDINGS_MAX or len(raw) > FILE_BYTES_MAX - 4_096:
            raise Invalid(InvalidCode.TOO_LARGE, "the wallet is full: delete what you need no more")
        cost, salt, key_nonce, key_ciphertext = self._locked_key
        nonce = self._draw(NONCE_BYTES)
        ciphertext = AESGCM(self._key).encrypt(nonce, raw, _write_header(cost, salt))
        parts = (*cost, salt, key_nonce, key_ciphertext, nonce, ciphertext)
        content = encode(_add_checksum(_File(FORMAT, 1, *parts, b"")))
        write_file(self._path, content, replace=not is_new, mode=PRIVATE_FILE)
        self.contents = contents

    def change(self, **changes: object) -> None:
        """Replace some of what is remembered."""
        self.save(msgspec.structs.replace(self.contents, **changes))


def create_vault(
    folder: Path, passphrase: str, draw: Draw, cost: ScryptCost = DEFAULT_COST
) -> None:
    """Make an empty wallet in a folder that may be new.

    Raises:
      Invalid: there is one already.
      Unavailable: the disk refuses.
    """
    try:
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"cannot make {folder}: {error.strerror}", path=str(folder)) from None
    key = draw(KEY_BYTES)
    locked = lock(key, passphrase, cost, lambda salt: _write_header(cost, salt), draw)
    try:
        Vault(folder, key, locked, draw).save(Contents(), is_new=True)
    except FileExistsError:
        raise Invalid(
            InvalidCode.MALFORMED, f"{folder} holds a wallet already: name another folder"
        ) from None


@contextmanager
def open_vault(folder: Path, passphrase: str, draw: Draw) -> Iterator[Vault]:
    """Open a wallet and keep others out of it meanwhile.

    Raises:
      NotFound: there is none.
      Invalid: the passphrase is wrong.
      Corrupt: the file is damaged.
      Unavailable: another command has it open, or the disk refuses.
    """
    missing = f"there is no wallet in {folder}: make one with `{name_program()} id wallet new`"
    taken = f"another command uses the wallet in {folder}: end it, or wait for it"
    with alone_in(folder, missing=missing, taken=taken):
        path = folder / FILE
        raw = read_file(path, FILE_BYTES_MAX)
        locked = _parse(raw, path).locked_key
        key = unlock(locked, passphrase, _write_header(locked.cost, locked.salt))
        vault = Vault(folder, key, locked, draw)
        vault.load(raw)
        yield vault


def _parse(raw: bytes, path: Path) -> _File:
    """Check everything that needs no passphrase."""
    try:
        found = msgspec.msgpack.decode(raw, type=_File)
        check_cost(found.locked_key.cost)
    except (*DECODE_ERRORS, Invalid) as error:
        raise _damaged(path, tell_fault(error)) from None
    is_sound = found.locked_key.is_sound(KEY_BYTES) and len(found.nonce) == NONCE_BYTES
    if not is_sound or found != _add_checksum(found):
        raise _damaged(path, "its checksum does not fit the rest")
    return found


def _add_checksum(file: _File) -> _File:
    """Add what tells damage from a wrong passphrase."""
    bare = msgspec.structs.replace(file, checksum=b"")
    return msgspec.structs.replace(bare, checksum=hashlib.sha256(encode(bare)).digest())


def _write_header(cost: ScryptCost, salt: bytes) -> bytes:
    """Encode what the cipher authenticates beside the contents."""
    return encode([FORMAT, 1, *cost, salt])


def _damaged(path: Path, why: str) -> Corrupt:
    return Corrupt(f"{path} is no wallet, or is damaged ({why}): put a copy back", path=str(path))
