"""What WeIdentity signed: the text of a credential, which its versions wrote in three ways.

| version     | claims in the text | `proof` | signature              |
|-------------|--------------------|---------|------------------------|
| up to 1.6.1 | as text of JSON    | null    | v, r, s; hashed twice  |
| 1.6.2       | as JSON            | null    | v, r, s; hashed twice  |
| from 1.6.3  | as JSON            | none    | r, s, v; hashed once   |

A `lite1` credential was always signed as from 1.6.3; its claims stand there unhashed, and its issue
date only from 1.7.0.

Source: `getCredentialThumbprintWithoutSig`, `getLiteCredentialThumbprintWithoutSig`,
`getCredentialPojoHash` and `sign` of WeIdentity's Java SDK, 1.4.0 to 3.1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from hansa.identity.weid.claims import Opened
from hansa.identity.weid.credentials import LITE, SALT, WeidCredential
from hansa.identity.weid.hashing import hash_text
from hansa.identity.weid.java_text import write_json


class Version(StrEnum):
    """By which version's rules something was signed."""

    FIRST = "up to 1.6.1"
    SECOND = "1.6.2"
    THIRD = "from 1.6.3"


class Thumbprint(NamedTuple):
    """A text that an issuer may have signed."""

    text: str
    version: Version
    is_old_signature: bool
    """v before r and s, over the hash of the hash."""
    has_issue_date: bool = True


def write_thumbprints(credential: WeidCredential, opened: Opened) -> Iterator[Thumbprint]:
    """Write what the issuer signed by each version's rules, the newest first."""
    for version in reversed(Version):
        members = _write_members(credential, opened.hashed, version)
        if version is not Version.THIRD:
            members["proof"] = None
        yield Thumbprint(write_json(members), version, version is not Version.THIRD)


def write_lite_thumbprints(credential: WeidCredential) -> Iterator[Thumbprint]:
    """Write what the issuer of a lite credential signed by each version's rules."""
    for version in reversed(Version):
        members = _write_members(credential, credential.claim, version)
        members["type"] = LITE
        del members["context"]
        if version is Version.THIRD:
            yield Thumbprint(write_json(members), version, is_old_signature=False)
        del members["issuanceDate"]
        text = write_json(members)
        yield Thumbprint(text, version, is_old_signature=False, has_issue_date=False)


def write_multi_thumbprints(
    members: list[tuple[WeidCredential, Opened]],
) -> Iterator[Thumbprint]:
    """Write what who signs several credentials together signed: their hashes, and nothing else."""
    for version in reversed(Version):
        text = "".join(hash_credential(each, opened, version) for each, opened in members)
        yield Thumbprint(text, version, version is not Version.THIRD, has_issue_date=False)


def hash_credential(credential: WeidCredential, opened: Opened, version: Version) -> str:
    """Hash a credential with its proof: the hash that WeIdentity keeps on the chain as evidence."""
    members = _write_members(credential, opened.hashed, version)
    members["proof"] = {**credential.proof, SALT: None}
    return hash_text(write_json(members))


def _write_members(credential: WeidCredential, claim: object, version: Version) -> dict[str, Any]:
    return {
        "claim": write_json(claim) if version is Version.FIRST else claim,
        "context": credential.context,
        "cptId": credential.cpt_id,
        "expirationDate": credential.expiration_date,
        "id": credential.id,
        "issuanceDate": credential.issuance_date,
        "issuer": credential.issuer,
        "type": credential.types,
    }
