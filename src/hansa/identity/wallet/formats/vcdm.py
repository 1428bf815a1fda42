"""What holding W3C credentials has in common, however they are secured.

A credential is bound to a key by the DID of its subject: did:key or did:jwk.

Source: W3C Verifiable Credentials Data Model 2.0, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hansa.identity.data_integrity.credentials import CREDENTIAL_TYPE, Credential
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.methods.did import read_did
from hansa.identity.methods.documents import Relationship
from hansa.identity.methods.local import (
    name_did_key_method,
    resolve_did_jwk,
    resolve_did_key,
)
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.wallet.formats.holding import Read

_RESOLVE = {"key": resolve_did_key, "jwk": resolve_did_jwk}
_WHOLE = f"https://www.w3.org/2018/credentials#{CREDENTIAL_TYPE}"


def read_holder(credential: Credential) -> str:
    """Read the DID of whom a credential speaks; empty if it has none.

    Raises:
      Unsound: `BINDING`: it speaks of several.
    """
    found = {str(each.get("id", "")) for each in credential.subjects}
    if len(found) > 1:
        raise Unsound(Fault.BINDING, "the credential speaks of several subjects")
    return found.pop()


def name_method(holder: str) -> str:
    """Name the key of a holder's DID."""
    return name_did_key_method(holder) if holder.startswith("did:key:") else f"{holder}#0"


def describe(credential: Credential, names: frozenset[str] = frozenset()) -> Read:
    """Describe a credential; `names` are further ones of its types.

    Raises:
      Unsound: it is bound to a key that nobody can find out.
    """
    holder = read_holder(credential)
    own = [each for each in credential.types if each != CREDENTIAL_TYPE]
    claims = {name: each for name, each in credential.document.items() if name != "proof"}
    return Read(
        own[-1] if own else CREDENTIAL_TYPE,
        frozenset(credential.types) | names | {_WHOLE},
        claims,
        _find_key(holder) if holder else None,
        credential.valid_until_ms,
    )


def list_all(document: Mapping[str, Any]) -> tuple[Path, ...]:
    """List everything of a document that can only be shown as a whole."""
    return tuple((name,) for name in document if name not in ("@context", "proof"))


def _find_key(holder: str) -> PublicKey:
    did = read_did(holder)
    resolve = _RESOLVE.get(did.method)
    if resolve is None:
        raise Unsound(
            Fault.BINDING,
            f"the credential is bound to {holder[:80]}: this wallet has did:key and did:jwk",
        )
    for _, key in resolve(did).list_keys(Relationship.AUTHENTICATION):
        return key
    raise Unsound(Fault.BINDING, f"the credential is bound to {holder[:80]}, which signs nothing")
