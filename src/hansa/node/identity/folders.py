"""What the folders of issuers and verifiers have in common: made once, keys, certificates.

The records remember to which keys they belong: with another folder's, a service would go by
another's name, and nobody would notice before a credential was believed that should not be.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hansa.identity.data_integrity.contexts import Contexts, load_pinned
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Unsound
from hansa.identity.keys.certificates import READ_ERRORS
from hansa.identity.keys.jwk import compute_thumbprint
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey, generate_private_key
from hansa.identity.keys.store import STORE_BYTES_MAX, lock_keys, unlock_keys
from hansa.kernel.errors import Invalid, Unavailable
from hansa.node.identity.alone import alone_in
from hansa.node.identity.records import RecordFile
from hansa.node.identity.settings import wrong
from hansa.passphrases import DEFAULT_COST, ScryptCost
from hansa.sdk.files import read_file, write_file

KEYS, RECORDS = "keys.json", "records.db"
SIGNING, ENCRYPTION = "signing", "encryption"
CERTIFICATES_BYTES_MAX = 1 << 16
ROOTS_BYTES_MAX = CONTEXT_BYTES_MAX = 1 << 20

Draw = Callable[[int], bytes]


def write_settings(
    path: Path, template: Path, load: Callable[[Path], object], **names: str
) -> None:
    """Make an empty folder, with the settings that a template gives.

    Raises:
      Invalid: something is there already, or such settings cannot be.
      Unavailable: the disk refuses.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_empty = not any(path.iterdir())
    except OSError as error:
        raise Unavailable(f"cannot make {path}: {error.strerror}", path=str(path)) from None
    if not is_empty:
        raise wrong(path, "it is not empty: name a new folder")
    write_beside(path / template.name, template, load, **names)


def write_beside(place: Path, template: Path, load: Callable[[Path], object], **names: str) -> None:
    """Write a file of settings that a template gives.

    Raises:
      Invalid: such settings cannot be; the file is not left.
      Unavailable: the disk refuses.
    """
    quoted = {name: _quote(value) for name, value in names.items()}
    write_file(place, Template(template.read_text()).substitute(quoted).encode())
    try:
        load(place)
    except Invalid:
        place.unlink()
        raise


@contextmanager
def serving_alone(path: Path) -> Iterator[None]:
    """Be the one process that serves a folder; commands beside it go on working.

    Raises:
      NotFound: there is no such folder.
      Unavailable: another process serves it, or the disk refuses.
    """
    missing = f"there is no folder {path}: make one with the word new"
    taken = f"another process serves {path} already: end that one, or serve another folder"
    with alone_in(path, missing=missing, taken=taken):
        yield


def write_secrets(
    path: Path,
    names: Iterable[str],
    passphrase: str,
    draw: Draw,
    cost: ScryptCost = DEFAULT_COST,
) -> dict[str, PrivateKey]:
    """Make new keys and an empty file of records in a folder; returns the keys.

    Raises:
      Invalid: the passphrase is empty or no text.
      Unavailable: the disk refuses.
    """
    keys = {each: generate_private_key(KeyKind.P256, draw) for each in names}
    write_file(path / KEYS, lock_keys(keys, passphrase, draw, cost), mode=0o600)
    records = RecordFile.create(path / RECORDS, passphrase, draw, cost)
    records.bind(_compute_owner(keys.values()))
    records.close()
    return keys


def read_keys(path: Path, names: Iterable[str], passphrase: str) -> list[PrivateKey]:
    """Read keys of a folder by their names.

    Raises:
      NotFound: there is no such file.
      Invalid: it is wrong, or the passphrase is.
      Unavailable: it cannot be read.
    """
    place = path / KEYS
    keys = unlock_keys(read_file(place, STORE_BYTES_MAX), passphrase)
    for name in names:
        if name not in keys:
            raise wrong(place, f"it holds no key {name!r}")
    return [keys[name] for name in names]


def open_records(path: Path, keys: Iterable[PrivateKey], passphrase: str, draw: Draw) -> RecordFile:
    """Open the records of a folder; close what is returned.

    Raises:
      NotFound: there is no such file.
      Invalid: they were made with other keys, or with another passphrase.
      Corrupt: they are damaged.
      Unavailable: the disk refuses.
    """
    records = RecordFile.open(path / RECORDS, passphrase, draw)
    try:
        if not records.bind(_compute_owner(keys)):
            raise wrong(
                path / KEYS,
                f"these are not the keys with which {path / RECORDS} was made, and so would act "
                "in another's name: put back the file that belongs to this folder",
            )
    except BaseException:
        records.close()
        raise
    return records


def read_chain(path: Path, key: PrivateKey) -> tuple[bytes, ...]:
    """Read a chain of certificates (PEM) as DER, whose first is of this key.

    Raises:
      NotFound: there is no such file.
      Invalid: it holds no certificates, or those of another key.
      Unavailable: it cannot be read.
    """
    raw = read_file(path, CERTIFICATES_BYTES_MAX)
    try:
        chain = x509.load_pem_x509_certificates(raw)
        public = chain[0].public_key()
    except ValueError as error:
        raise wrong(path, f"it holds no certificates: {error}") from None
    is_own = isinstance(public, ec.EllipticCurvePublicKey) and (
        public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint) == key.public_key.data
    )
    if not is_own:
        raise wrong(path, f"its first certificate is not of the key {SIGNING!r}")
    return tuple(each.public_bytes(Encoding.DER) for each in chain)


def load_contexts(folder: Path, files: Mapping[str, str]) -> Contexts:
    """Load JSON-LD contexts, by URL, from files of a folder, beside those of the W3C.

    Raises:
      NotFound: there is no such file.
      Invalid: it is no context that can be used.
      Unavailable: it cannot be read.
    """
    found = {}
    try:
        for url, name in files.items():
            raw = read_file(folder / name, CONTEXT_BYTES_MAX)
            found[url] = decode_object(raw, name, CONTEXT_BYTES_MAX)
        return load_pinned().extend(found) if found else load_pinned()
    except Unsound as error:
        raise wrong(folder, f"contexts: {error.message}") from None


def read_roots(path: Path) -> list[bytes]:
    """Read certificates (PEM) that somebody trusts, as DER.

    Raises:
      NotFound: there is no such file.
      Invalid: it holds none.
      Unavailable: it cannot be read.
    """
    raw = read_file(path, ROOTS_BYTES_MAX)
    try:
        found = x509.load_pem_x509_certificates(raw[:ROOTS_BYTES_MAX])
        return [each.public_bytes(Encoding.DER) for each in found]
    except READ_ERRORS as error:
        raise wrong(path, f"it holds no certificates: {error}") from None


def write_x5c(chain: Iterable[bytes]) -> list[str]:
    """Write a chain as `x5c` has it."""
    return [base64.b64encode(each).decode() for each in chain]


def _compute_owner(keys: Iterable[PrivateKey]) -> bytes:
    """Compute what tells the keys of one folder from those of others."""
    thumbprints = " ".join(compute_thumbprint(each.public_key) for each in keys)
    return hashlib.sha256(thumbprints.encode()).digest()


def _quote(text: str) -> str:
    """Write a text as TOML has it."""
    shown = "".join(
        letter if letter.isprintable() and letter not in '"\\' else f"\\U{ord(letter):08x}"
        for letter in text
    )
    return f'"{shown}"'
