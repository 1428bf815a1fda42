"""Bitstring Status Lists of an issuer: its lists once more, as credentials that it signs.

A list is signed by the kind of key that signs the credentials in it, so that it is the list of
their issuer.

Source: W3C Bitstring Status List 1.0, sections 2.2 and 3.1.
"""

from __future__ import annotations

from typing import Any

from hansa.contracts.identity.status import Status
from hansa.identity.data_integrity.contexts import load_pinned
from hansa.identity.data_integrity.proofs import Proof, add_proof
from hansa.identity.data_integrity.suites import ECDSA_RDFC, EDDSA_RDFC
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.status.bitstring import (
    REVOCATION,
    SUSPENSION,
    BitstringPublication,
    convert_entries,
    write_list_credential,
)
from hansa.identity.status.entries import Entries
from hansa.kernel.errors import NotFound
from hansa.node.identity.issuer.formats.vcdm import find_controller
from hansa.node.identity.issuer.keys import derive_ed25519
from hansa.node.identity.issuer.settings import CredentialFormat, CredentialKind, Settings

LIST_TTL_S = 300
"""How long verifiers may keep a status list."""
LIST_VALID_S = 3_600

_STATUSES = {REVOCATION: Status.INVALID, SUSPENSION: Status.SUSPENDED}
_SUITES = {KeyKind.P256: ECDSA_RDFC, KeyKind.ED25519: EDDSA_RDFC}


def sign_bitstring(
    settings: Settings, key: PrivateKey, entries: Entries, place: tuple[str, str, int], now_ms: int
) -> dict[str, Any]:
    """Sign a list as a credential.

    Args:
      settings: of the issuer.
      key: that signs its credentials, or from which those that do are derived.
      entries: of the list.
      place: kind of key, purpose and number of the list.
      now_ms: since when it is so.

    Raises:
      NotFound: nothing is signed so here.
    """
    kind, purpose, number = place
    signers = {each.kind.value: each for each in (key, derive_ed25519(key))}
    if kind not in signers or purpose not in _STATUSES:
        raise NotFound("there is no such status list")
    signer = signers[kind]
    who = find_controller(settings, _find_user(settings, signer.kind), signer.public_key)
    publication = BitstringPublication(
        uri=settings.lists.locate(number, kind, purpose),
        issuer=who.did,
        purpose=purpose,
        valid_from_ms=now_ms,
        valid_until_ms=now_ms + LIST_VALID_S * 1_000,
        ttl_ms=LIST_TTL_S * 1_000,
    )
    credential = write_list_credential(convert_entries(entries, _STATUSES[purpose]), publication)
    suite = _SUITES[signer.kind]
    proof = Proof(suite, who.method, created_ms=now_ms)
    return add_proof(credential, signer, proof, load_pinned())


def _find_user(settings: Settings, kind: KeyKind) -> CredentialKind | None:
    """Find a credential that such a key signs: it says how the issuer's DID names the key."""
    start = "eddsa-" if kind is KeyKind.ED25519 else "ecdsa-"
    for each in settings.credentials:
        if each.format is CredentialFormat.LDP and each.cryptosuite.startswith(start):
            return each
    return None
