"""`did:key` and `did:jwk`: identifiers that are a key, resolved without asking anybody.

Source: did:key method 0.9 (W3C CCG); did:jwk method (quartzjer/did-jwk).
"""

from __future__ import annotations

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.canonical_json import canonicalize
from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.jwk import read_jwk, write_jwk
from hansa.identity.keys.kinds import TRAITS, KeyKind, PublicKey
from hansa.identity.keys.multikey import read_multikey, write_multikey
from hansa.identity.methods.did import Did
from hansa.identity.methods.documents import DidDocument, Relationship

SIGNING_USES = (
    Relationship.AUTHENTICATION,
    Relationship.ASSERTION,
    Relationship.INVOCATION,
    Relationship.DELEGATION,
)
_JWK_FRAGMENT = "#0"


def write_did_key(key: PublicKey) -> str:
    """Write the did:key of a public key."""
    return f"did:key:{write_multikey(key)}"


def name_did_key_method(did: str) -> str:
    """Name the one verification method of a did:key, as `kid` and `verificationMethod` do."""
    return f"{did}#{did.removeprefix('did:key:')}"


def write_did_jwk(key: PublicKey) -> str:
    """Write the did:jwk of a public key."""
    return f"did:jwk:{encode_base64url(canonicalize(write_jwk(key)))}"


def resolve_did_key(did: Did) -> DidDocument:
    """Resolve a did:key. An Ed25519 key speaks for signing alone: no agreement key is derived.

    Raises:
      Unsound: `KEY`, `MALFORMED` or `TOO_LARGE`; `UNSUPPORTED`: not in base58.
    """
    if not did.id.startswith("z"):
        raise Unsound(Fault.UNSUPPORTED, "the key of a did:key is written in base58, after a z")
    key = read_multikey(did.id, f"the key of {did}")
    return _build(str(did), name_did_key_method(str(did)), key, _list_uses(key))


def resolve_did_jwk(did: Did) -> DidDocument:
    """Resolve a did:jwk; `use` in the key says whether it signs or agrees.

    Raises:
      Unsound: `KEY`, `MALFORMED`, `DUPLICATE` or `TOO_LARGE`.
    """
    what = f"the key of {str(did)[:80]}"
    jwk = decode_object(decode_base64url(did.id, what), what)
    key = read_jwk(jwk, what)
    uses = [
        use
        for use in _list_uses(key)
        if jwk.get("use") in (None, "enc" if use is Relationship.AGREEMENT else "sig")
    ]
    return _build(str(did), f"{did}{_JWK_FRAGMENT}", key, uses)


def _list_uses(key: PublicKey) -> list[Relationship]:
    if key.kind is KeyKind.BLS12_381_G2:
        return [Relationship.ASSERTION]
    return [*SIGNING_USES] if TRAITS[key.kind].algorithms else [Relationship.AGREEMENT]


def _build(did: str, url: str, key: PublicKey, uses: list[Relationship]) -> DidDocument:
    return DidDocument(did, {url: key}, dict.fromkeys(uses, (url,)))
