"""Private keys at rest: some keys with names, encrypted under one passphrase.

Everything but the cost of scrypt is encrypted, names and public keys, too: a holder's keys would
otherwise tell which credentials belong together. Where the bytes are kept is the caller's.

Source: docs/reference/credentials.md, keys at rest; RFC 7914 (scrypt); NIST SP 800-38D (GCM).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, load_private_key
from hansa.kernel.encoding import DECODE_ERRORS, encode
from hansa.kernel.errors import HansaError
from hansa.passphrases import (
    DEFAULT_COST,
    Locked,
    LockedFile,
    ScryptCost,
    lock,
    unlock,
)
from hansa.shapes import tell_unread

FORMAT = "hansa-identity-keys"
STORE_BYTES_MAX = 4 << 20
"""Some 20,000 keys."""


class _Store(LockedFile, frozen=True, forbid_unknown_fields=True):
    """The JSON object of a store; byte strings are lower-case hex."""

    format: Literal["hansa-identity-keys"]
    version: Literal[1]


class _Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    name: str
    kind: KeyKind
    secret: bytes


def lock_keys(
    keys: Mapping[str, PrivateKey],
    passphrase: str,
    draw: Callable[[int], bytes],
    cost: ScryptCost = DEFAULT_COST,
) -> bytes:
    """Encrypt keys by their names; each call gives other bytes.

    Raises:
      Unsound: `TOO_LARGE`: too many keys for one store.
      Invalid: the passphrase is empty or no text, or scrypt does not have such a cost.
    """
    entries = [_Entry(name, key.kind, key.secret) for name, key in sorted(keys.items())]
    locked = lock(encode(entries), passphrase, cost, lambda salt: _write_header(cost, salt), draw)
    content = msgspec.json.format(msgspec.json.encode(_to_store(locked))) + b"\n"
    _check_size(content)
    return content


def unlock_keys(content: bytes, passphrase: str) -> dict[str, PrivateKey]:
    """Decrypt the keys of a store.

    Raises:
      Unsound: `TOO_LARGE`; `MALFORMED`: it is no store, or is damaged.
      Invalid: `UNAUTHENTICATED` for a wrong passphrase.
    """
    locked = _parse(content)
    raw = unlock(locked, passphrase, _write_header(locked.cost, locked.salt))
    try:
        entries = msgspec.msgpack.decode(raw, type=list[_Entry])
    except DECODE_ERRORS as error:
        raise _damaged(tell_unread(error)) from None
    return {entry.name: load_private_key(entry.kind, entry.secret) for entry in entries}


def _write_header(cost: ScryptCost, salt: bytes) -> bytes:
    """Encode what the cipher authenticates beside the keys."""
    return encode([FORMAT, 1, *cost, salt])


def _to_store(locked: Locked) -> _Store:
    return _Store(
        format="hansa-identity-keys",
        version=1,
        **locked.write_fields(_write_header(locked.cost, locked.salt)),
    )


def _parse(content: bytes) -> Locked:
    """Check everything that needs no passphrase."""
    _check_size(content)
    try:
        store = msgspec.json.decode(content, type=_Store)
        locked = store.read_locked()
    except (*DECODE_ERRORS, HansaError) as error:
        raise _damaged(tell_unread(error)) from None
    if not locked.is_sound() or store != _to_store(locked):
        raise _damaged("its checksum does not fit the rest")
    return locked


def _check_size(content: bytes) -> None:
    if len(content) > STORE_BYTES_MAX:
        raise Unsound(
            Fault.TOO_LARGE, f"a store of keys has {len(content)} bytes, over {STORE_BYTES_MAX}"
        )


def _damaged(why: str) -> Unsound:
    return Unsound(
        Fault.MALFORMED,
        f"this is no store of keys, or is damaged ({why}): restore it from a backup",
    )
