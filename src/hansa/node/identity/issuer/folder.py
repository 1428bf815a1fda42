"""The folder of an issuer: settings, keys, schemas and records; made once, then opened.

Source: docs/how-to/issue-credentials.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hansa.identity.keys.multikey import write_multikey
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.methods.local import write_did_jwk
from hansa.node.identity.folders import (
    ENCRYPTION,
    SIGNING,
    Draw,
    load_contexts,
    open_records,
    read_chain,
    read_keys,
    write_secrets,
    write_settings,
    write_x5c,
)
from hansa.node.identity.issuer.formats.writing import Identity
from hansa.node.identity.issuer.schemas import load_schema
from hansa.node.identity.issuer.service import IssuerService
from hansa.node.identity.issuer.settings import Settings, load_settings
from hansa.passphrases import DEFAULT_COST, ScryptCost
from hansa.sdk.files import write_file

SETTINGS, SCHEMA = "issuer.toml", "resident.schema.json"
_TEMPLATES = Path(__file__).parent / "templates"
_KEYS = (SIGNING, ENCRYPTION)


class Made(NamedTuple):
    """A new issuer."""

    settings: Settings
    did: str
    """Who it is to verifiers, until its settings say otherwise."""
    key: str
    """What signs, as a multikey, to be put into a DID document."""


def create_folder(
    path: Path, *, url: str, name: str, passphrase: str, draw: Draw, cost: ScryptCost = DEFAULT_COST
) -> Made:
    """Make the folder of an issuer, with new keys and the example of a resident's credential.

    Raises:
      Invalid: something is there already, or the settings cannot be.
      Unavailable: the disk refuses.
    """
    write_settings(path, _TEMPLATES / SETTINGS, load_settings, url=url, name=name)
    write_file(path / SCHEMA, (_TEMPLATES / SCHEMA).read_bytes())
    keys = write_secrets(path, _KEYS, passphrase, draw, cost)
    public_key = keys[SIGNING].public_key
    settings = load_settings(path / SETTINGS)
    return Made(settings, write_did_jwk(public_key), write_multikey(public_key))


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
    signing, encryption = read_keys(path, _KEYS, passphrase)
    identity = _identify(path, settings, signing)
    records = open_records(path, (signing, encryption), passphrase, draw)
    return IssuerService(settings, identity, encryption, schemas, records, draw)


def _identify(path: Path, settings: Settings, key: PrivateKey) -> Identity:
    chain = read_chain(path / settings.certificates, key) if settings.certificates else ()
    contexts = load_contexts(path, settings.contexts)
    if settings.did:
        return Identity(settings.did, {"kid": settings.key_id}, key, chain, contexts)
    if chain:
        return Identity(None, {"x5c": write_x5c(chain)}, key, chain, contexts)
    did = write_did_jwk(key.public_key)
    return Identity(did, {"kid": f"{did}#0"}, key, (), contexts)
