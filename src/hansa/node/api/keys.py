"""API keys: random secrets and client certificates, and whom they stand for.

DIR/api-keys.json holds one entry a key, with the SHA-256 of its 256 random bits: whoever reads
the file cannot use it. The node looks at the file's stamp at every request, so that what
`hansa key api revoke` writes counts at once.

Source: docs/reference/http-api.md; RFC 6750 (Bearer); RFC 8705 section 3.1 (thumbprint).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Meta

from hansa.engine.storage import FileStorage
from hansa.kernel.crypto.address import from_text, to_text
from hansa.kernel.encoding import DECODE_ERRORS, tell_fault
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.node.api.rights import GRANTED, MEMBER_ROLES, Right, Role, find_misgrant
from hansa.program import name_program
from hansa.regular_files import open_regular
from hansa.sdk.files import OTHERS, read_file

FILE_VERSION = 1
SECRET_BYTES = 32
ID_BYTES = 4
PREFIX = "hansa"
TOKEN_LETTERS_MAX = 128
NAME_LETTERS_MAX = 64
WALLETS_MAX = 1_000
CERTIFICATE_BYTES_MAX = 1 << 20
EXPIRES_MS_MAX = 253_402_300_799_999
"""The last moment of the year 9999: no later one can be written as a date."""

Hex32 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
KeyId = Annotated[str, Meta(pattern="^[0-9a-f]{8}$")]
AddressText = Annotated[str, Meta(pattern="^hansa1[02-9ac-hj-np-z]{58}$")]


class ApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One key; times in milliseconds of the wall clock, 0 for never."""

    id: KeyId
    name: Annotated[str, Meta(min_length=1, max_length=NAME_LETTERS_MAX)]
    role: Role
    secret_sha256: Hex32 | None = None
    certificate_sha256: Hex32 | None = None
    """Of a client certificate's DER form, in the place of a secret."""
    member: AddressText | None = None
    """The institution that an operator's, member's, central bank's or regulator's key is of."""
    wallets: Annotated[tuple[AddressText, ...], Meta(max_length=WALLETS_MAX)] = ()
    """A customer's own."""
    rights: Annotated[tuple[Right, ...], Meta(max_length=len(GRANTED))] = ()
    """Of an institution's key, those that no role gives; none where an older program made it."""
    created_ms: int
    expires_ms: int = 0
    revoked_ms: int = 0

    def is_usable(self, now_ms: int) -> bool:
        """Whether it is neither revoked nor expired."""
        return not self.revoked_ms and not 0 < self.expires_ms <= now_ms


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    keys: tuple[ApiKey, ...]


class KeyRing:
    """The keys of one node, as the file has them now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._by_id: dict[str, ApiKey] = {}
        self._by_certificate: dict[str, ApiKey] = {}

    def find_token(self, token: str) -> ApiKey | None:
        """Find the key that a caller shows; secrets are compared in constant time.

        Raises:
          Unavailable: the file cannot be read or is damaged; nobody is let in by an old one.
        """
        self._refresh()
        parts = _split_token(token)
        if parts is None:
            return None
        key_id, secret = parts
        key = self._by_id.get(key_id)
        expected = "" if key is None else key.secret_sha256 or ""
        is_same = hmac.compare_digest(expected, hashlib.sha256(secret).hexdigest())
        return key if is_same else None

    def find_id(self, key_id: str) -> ApiKey | None:
        """Find the key of an id, of a caller who has shown it before; raises as `find_token`."""
        self._refresh()
        return self._by_id.get(key_id)

    def find_certificate(self, der: bytes) -> ApiKey | None:
        """Find the key that a client certificate stands for; raises as `find_token`."""
        self._refresh()
        return self._by_certificate.get(hashlib.sha256(der).hexdigest())

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._by_id, self._by_certificate = None, {}, {}
            return
        except OSError as error:
            raise _unreadable(self._path, error) from None
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        if stamp == self._stamp:
            return
        try:
            keys = list_keys(self._path)
        except Invalid as error:
            # The caller is not to blame, and need not learn where the file is.
            raise Unavailable("the node cannot read its API keys: its operator must") from error
        self._by_id = {key.id: key for key in keys}
        self._by_certificate = {
            key.certificate_sha256: key for key in keys if key.certificate_sha256
        }
        self._stamp = stamp


def list_keys(path: Path) -> tuple[ApiKey, ...]:
    """List all keys, oldest first; none if there is no file.

    Raises:
      Invalid: the file is damaged, or others than its owner may open it.
      Unavailable: it cannot be read.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unreadable(path, error) from None
    if mode & OTHERS:
        raise Invalid(
            InvalidCode.MALFORMED,
            f"others may open the API keys {path}: run chmod 600 {path}",
            path=str(path),
        )
    try:
        file_ = msgspec.json.decode(raw, type=_KeyFile)
    except DECODE_ERRORS as error:
        raise _damaged(path, tell_fault(error)) from None
    if file_.version != FILE_VERSION:
        raise _damaged(path, f"version {file_.version}, this program reads {FILE_VERSION}")
    if len({key.id for key in file_.keys}) != len(file_.keys):
        raise _damaged(path, "two keys have one id")
    for key in file_.keys:
        fault = find_misgrant(key.role, key.rights)
        if fault:
            raise _damaged(path, f"{key.id}: {fault}")
    return file_.keys


def add_key(  # noqa: PLR0913 - what a key is, stated once, by keyword
    path: Path,
    *,
    name: str,
    role: Role,
    now_ms: int,
    member: str | None = None,
    wallets: Sequence[str] = (),
    rights: Sequence[Right] = (),
    expires_ms: int = 0,
    certificate: bytes | None = None,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[ApiKey, str]:
    """Add a key to the file.

    Args:
      path: of the file; made if it is missing.
      name: for people, who or what uses it.
      role: what it may do.
      now_ms: the wall clock.
      member: address of the institution; for the roles of institutions, and only for them.
      wallets: addresses of wallets; for customers, and only for them. One given twice counts once.
      rights: of `GRANTED`, for the roles of institutions; one given twice counts once.
      expires_ms: when it ends, at most `EXPIRES_MS_MAX`; 0 for never.
      certificate: DER form of a client certificate, which then stands in place of a secret.
      entropy: source of random bytes.

    Returns:
      The entry, and the token that the caller shows, which is not kept; empty for a certificate.

    Raises:
      Invalid: name, role, binding, rights or end do not fit, or the certificate has a key already.
      Unavailable: the disk refuses.
    """
    _check_name(name)
    with _locked(path):
        keys = list_keys(path)
        key_id = _choose_id(keys, entropy)
        token, proof = _make_proof(keys, key_id, certificate, entropy)
        key = _build_key(
            id=key_id,
            name=name,
            role=role,
            created_ms=now_ms,
            expires_ms=expires_ms,
            **_bind(role, member, wallets, rights),
            **proof,
        )
        _write(path, (*keys, key))
    return key, token


def _choose_id(keys: Sequence[ApiKey], entropy: Callable[[int], bytes]) -> str:
    used = {key.id for key in keys}
    key_id = entropy(ID_BYTES).hex()
    while key_id in used:
        key_id = entropy(ID_BYTES).hex()
    return key_id


def _build_key(**fields: object) -> ApiKey:
    try:
        key = msgspec.convert(fields, ApiKey)
    except msgspec.ValidationError as error:
        raise Invalid(InvalidCode.MALFORMED, f"this is no API key: {error}") from None
    if not 0 <= key.expires_ms <= EXPIRES_MS_MAX:
        raise Invalid(InvalidCode.MALFORMED, "a key ends before the year 10000, or never")
    return key


def _make_proof(
    keys: Sequence[ApiKey],
    key_id: str,
    certificate: bytes | None,
    entropy: Callable[[int], bytes],
) -> tuple[str, dict[str, str]]:
    """Make what a caller shows, and the field of the entry that knows it again."""
    if certificate is None:
        secret = entropy(SECRET_BYTES)
        text = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
        token = f"{PREFIX}-{key_id}-{text}"
        return token, {"secret_sha256": hashlib.sha256(secret).hexdigest()}
    fingerprint = hashlib.sha256(certificate).hexdigest()
    _require_new_certificate(keys, fingerprint)
    return "", {"certificate_sha256": fingerprint}


def read_certificate(path: Path) -> bytes:
    """Read a client certificate from a PEM file; returns its DER form.

    Raises:
      NotFound: there is no such file.
      Invalid: it holds no certificate.
      Unavailable: it cannot be read.
    """
    raw = read_file(path, CERTIFICATE_BYTES_MAX)
    try:
        return x509.load_pem_x509_certificate(raw).public_bytes(Encoding.DER)
    except ValueError as error:
        raise Invalid(InvalidCode.MALFORMED, f"{path} is no certificate in PEM: {error}") from None


def revoke_key(path: Path, key_id: str, now_ms: int) -> ApiKey:
    """Revoke a key; it stays in the file, so that its id is never used again.

    Raises:
      NotFound: there is no such key.
    """
    with _locked(path):
        keys = list_keys(path)
        for at, key in enumerate(keys):
            if key.id == key_id:
                revoked = msgspec.structs.replace(key, revoked_ms=key.revoked_ms or now_ms)
                _write(path, (*keys[:at], revoked, *keys[at + 1 :]))
                return revoked
    raise NotFound(
        f"there is no API key {key_id!r} in {path}: {name_program()} key api list shows them"
    )


def _bind(
    role: Role, member: str | None, wallets: Sequence[str], rights: Sequence[Right]
) -> dict[str, object]:
    """Bind a key to what its role needs, and to nothing else; raises `Invalid`."""
    if role is Role.ANYONE:
        raise Invalid(InvalidCode.MALFORMED, "anyone needs no API key")
    if (role in MEMBER_ROLES) != (member is not None):
        need = "needs the address of its institution" if member is None else "has no institution"
        raise Invalid(InvalidCode.MALFORMED, f"a key of role {role} {need}")
    if (role is Role.CUSTOMER) != bool(wallets):
        need = "has no wallets of its own" if wallets else "needs at least one wallet"
        raise Invalid(InvalidCode.MALFORMED, f"a key of role {role} {need}")
    fault = find_misgrant(role, rights)
    if fault:
        raise Invalid(InvalidCode.ARGUMENTS, fault)
    return {
        "rights": tuple(dict.fromkeys(rights)),
        "member": None if member is None else _rewrite(member),
        "wallets": tuple(dict.fromkeys(map(_rewrite, wallets))),
    }


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_LETTERS_MAX:
        fault = f"{len(name)} characters" if name.strip() else "nothing to read"
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"the name of the key has {fault}: say in 1 to {NAME_LETTERS_MAX} characters who or "
            "what will use it",
        )


def _rewrite(text: str) -> str:
    """Write an address in the one way the file knows; people may write it in upper case."""
    return to_text(from_text(text))


def _require_new_certificate(keys: Sequence[ApiKey], fingerprint: str) -> None:
    for key in keys:
        if key.certificate_sha256 == fingerprint:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"this certificate belongs to the API key {key.id} ({key.name}) already: "
                "issue a new certificate, a revoked one stays revoked",
            )


def _split_token(token: str) -> tuple[str, bytes] | None:
    """Split a token into id and secret; None if it is none."""
    prefix, _, rest = token.partition("-")
    key_id, _, text = rest.partition("-")
    if prefix != PREFIX or len(token) > TOKEN_LETTERS_MAX:
        return None
    try:
        secret = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return key_id, secret


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time change the file."""
    storage = FileStorage(path.parent)
    storage.lock()
    try:
        yield
    finally:
        storage.unlock()


def _write(path: Path, keys: Sequence[ApiKey]) -> None:
    raw = msgspec.json.format(msgspec.json.encode(_KeyFile(FILE_VERSION, tuple(keys))))
    FileStorage(path.parent).replace(path.name, raw + b"\n")


def _unreadable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"cannot read the API keys {path}: {error.strerror}", path=str(path))


def _damaged(path: Path, why: str) -> Invalid:
    return Invalid(
        InvalidCode.MALFORMED,
        f"the API keys {path} are damaged ({why}): restore the file, or remove it and make "
        f"new keys with {name_program()} key api new",
        path=str(path),
    )
