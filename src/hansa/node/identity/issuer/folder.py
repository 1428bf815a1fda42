"""The folder of an issuer: settings, keys, schemas and records; made once, then opened.

Source: docs/how-to/issue-credentials.md.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hansa.identity.keys.kinds import TRAITS, KeyKind
from hansa.identity.keys.signing import PrivateKey, generate_private_key
from hansa.identity.keys.store import STORE_BYTES_MAX, lock_keys, unlock_keys
from hansa.identity.methods.local import write_did_jwk
from hansa.kernel.errors import Invalid, InvalidCode, Unavailable
from hansa.node.identity.issuer.schemas import load_schema
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.identity.issuer.settings import Settings, load_settings
from hansa.node.identity.issuer.writing import Identity
from hansa.node.identity.records import RecordFile
from hansa.passphrases import DEFAULT_COST, ScryptCost
from hansa.sdk.files import read_file, write_file

SETTINGS, KEYS, RECORDS = "issuer.toml", "keys.json", "records.db"
SIGNING, ENCRYPTION = "signing", "encryption"
SCHEMA = "resident.schema.json"
CERTIFICATES_BYTES_MAX = 1 << 16
_TEMPLATES = Path(__file__).parent / "templates"

Draw = Callable[[int], bytes]


def create_folder(
    path: Path, *, url: str, name: str, passphrase: str, draw: Draw, cost: ScryptCost = DEFAULT_COST
) -> Settings:
    """Make the folder of an issuer, with new keys and the example of a resident's credential.

    Raises:
      Invalid: something is there already, or the settings cannot be.
      Unavailable: the disk refuses.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise _wrong(path, "it is not empty: name a new folder")
    except OSError as error:
        raise Unavailable(f"cannot make {path}: {error.strerror}", path=str(path)) from None
    template = Template((_TEMPLATES / SETTINGS).read_text())
    text = template.substitute(url=_quote(url), name=_quote(name))
    write_file(path / SETTINGS, text.encode())
    try:
        settings = load_settings(path / SETTINGS)
    except Invalid:
        (path / SETTINGS).unlink()
        raise
    write_file(path / SCHEMA, (_TEMPLATES / SCHEMA).read_bytes())
    keys = {each: generate_private_key(KeyKind.P256, draw) for each in (SIGNING, ENCRYPTION)}
    write_file(path / KEYS, lock_keys(keys, passphrase, draw, cost), mode=0o600)
    RecordFile.create(path / RECORDS, passphrase, draw, cost).close()
    return settings


def open_issuer(path: Path, passphrase: str, draw: Draw) -> IssuerService:
    """Open the folder of an issuer; close what is returned.

    Raises:
      NotFound: a file is missing.
      Invalid: a file is wrong, or the passphrase is.
      Corrupt: the records are damaged.
      Unavailable: the disk refuses.
    """
    settings = load_settings(path / SETTINGS)
    schemas = {
        each.id: load_schema(path / each.schema) for each in settings.credentials if each.schema
    }
    keys = unlock_keys(read_file(path / KEYS, STORE_BYTES_MAX), passphrase)
    missing = {SIGNING, ENCRYPTION} - keys.keys()
    if missing:
        raise _wrong(path / KEYS, f"it holds no key {missing.pop()!r}")
    identity = _identify(path, settings, keys[SIGNING])
    records = RecordFile.open(path / RECORDS, passphrase, draw)
    return IssuerService(settings, identity, keys[ENCRYPTION], schemas, records, draw)


def _identify(path: Path, settings: Settings, key: PrivateKey) -> Identity:
    if settings.certificates:
        chain = _read_chain(path / settings.certificates, key)
        return Identity(None, {"x5c": chain}, key)
    if settings.did:
        return Identity(settings.did, {"kid": settings.key_id}, key)
    did = write_did_jwk(key.public_key)
    return Identity(did, {"kid": f"{did}#0"}, key)


def _read_chain(path: Path, key: PrivateKey) -> list[str]:
    """Read a chain of certificates, as `x5c` has it, whose first is of this key."""
    raw = read_file(path, CERTIFICATES_BYTES_MAX)
    try:
        chain: list[Any] = x509.load_pem_x509_certificates(raw)
        public = chain[0].public_key()
    except ValueError as error:
        raise _wrong(path, f"it holds no certificates: {error}") from None
    is_own = isinstance(public, ec.EllipticCurvePublicKey) and (
        public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint) == key.public_key.data
    )
    if not is_own:
        kind = TRAITS[key.kind].algorithms[0]
        raise _wrong(path, f"its first certificate is not of the key {SIGNING!r} ({kind})")
    return [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in chain]


def _quote(text: str) -> str:
    """Write a text as TOML has it."""
    shown = "".join(
        letter if letter.isprintable() and letter not in '"\\' else f"\\U{ord(letter):08x}"
        for letter in text
    )
    return f'"{shown}"'


def _wrong(path: Path, why: str) -> Invalid:
    return Invalid(InvalidCode.MALFORMED, f"{path}: {why}", path=str(path))
