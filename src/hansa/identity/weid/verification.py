"""Verification of WeIdentity's credentials, with documents that the caller gives.

Whether an issuer was one for this kind of claim, and whether a credential was revoked, is on the
chain, and not known here.

Source: `verifyContent` of WeIdentity's Java SDK.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey
from hansa.identity.methods.documents import DidDocument, Relationship
from hansa.identity.weid.claims import SALT_LETTERS, Opened, open_claims
from hansa.identity.weid.credentials import (
    MULTI_SIGNED_CPT,
    SALT,
    SIGNATURE,
    WeidCredential,
    take_members,
)
from hansa.identity.weid.documents import read_key_url
from hansa.identity.weid.signatures import is_signed, read_signature
from hansa.identity.weid.thumbprints import (
    Thumbprint,
    Version,
    write_lite_thumbprints,
    write_multi_thumbprints,
    write_thumbprints,
)

_MILLISECONDS_MIN = 10**11
"""Dates from here on are in milliseconds: as seconds they would be in the year 5138."""


class VerifiedCredential(NamedTuple):
    """What a credential of WeIdentity says that its issuer signed."""

    cpt_id: int
    issuer: str
    key: str
    """The DID URL of the key that signed."""
    version: Version
    id: str
    """Empty where it is not signed: that of a multi-signed credential."""
    claims: Mapping[str, Any]
    """Those that are disclosed. Whether 22 was a number or text is not signed."""
    hidden: tuple[str, ...] = ()
    """JSON pointers to the others."""
    issued_ms: int | None = None
    """None where it is not signed; the same of the expiry."""
    expires_ms: int | None = None
    members: tuple[VerifiedCredential, ...] = ()
    """The credentials within a multi-signed one."""


def verify_weid_credential(
    credential: WeidCredential,
    documents: Mapping[str, DidDocument],
    now_ms: int,
    *,
    salt_letters: int = SALT_LETTERS,
) -> VerifiedCredential:
    """Verify a credential, and those within it.

    `documents` has those of all issuers, by their `id`. `salt_letters` is the length that the
    issuer's configuration gave salts (`salt.length`); other lengths are refused.

    Raises:
      Unsound: `SIGNATURE`, `DISCLOSURE`, `EXPIRED`, `NOT_YET_VALID`, `ISSUER`, `UNRESOLVED`,
        `KEY`, `UNSUPPORTED`, `MALFORMED`, `DUPLICATE`, `TOO_LARGE`.
    """
    check_dates(credential, now_ms)
    if credential.cpt_id == MULTI_SIGNED_CPT:
        return _verify_multi(credential, documents, now_ms, salt_letters)
    opened = _open(credential, salt_letters)
    writings = (
        write_lite_thumbprints(credential)
        if credential.is_lite
        else write_thumbprints(credential, opened)
    )
    key, signed = _find_signer(credential, documents, writings)
    return VerifiedCredential(
        credential.cpt_id,
        str(credential.issuer_weid),
        key,
        signed.version,
        credential.id,
        opened.disclosed,
        opened.hidden,
        _convert_to_ms(credential.issuance_date) if signed.has_issue_date else None,
        _convert_to_ms(credential.expiration_date),
    )


def check_dates(credential: WeidCredential, now_ms: int) -> None:
    """Check that a credential is valid at a moment, by what it says.

    Raises:
      Unsound: `NOT_YET_VALID` or `EXPIRED`.
    """
    if now_ms < _convert_to_ms(credential.issuance_date):
        raise Unsound(Fault.NOT_YET_VALID, f"the credential {credential.id!r:.60} is from later")
    if now_ms > _convert_to_ms(credential.expiration_date):
        raise Unsound(Fault.EXPIRED, f"the credential {credential.id!r:.60} has expired")


def _verify_multi(
    credential: WeidCredential,
    documents: Mapping[str, DidDocument],
    now_ms: int,
    salt_letters: int,
) -> VerifiedCredential:
    """Verify a multi-signed credential: its signature says nothing of its own id and dates."""
    members = take_members(credential)
    verified = tuple(
        verify_weid_credential(each, documents, now_ms, salt_letters=salt_letters)
        for each in members
    )
    writings = write_multi_thumbprints([(each, _open(each, salt_letters)) for each in members])
    key, signed = _find_signer(credential, documents, writings)
    issuer = str(credential.issuer_weid)
    return VerifiedCredential(
        credential.cpt_id, issuer, key, signed.version, "", {}, members=verified
    )


def _open(credential: WeidCredential, salt_letters: int) -> Opened:
    if credential.is_lite:
        return Opened(credential.claim, credential.claim, ())
    salt = credential.proof.get(SALT)
    if not isinstance(salt, dict):
        raise Unsound(Fault.MALFORMED, "the proof of the WeIdentity credential has no salts")
    return open_claims(credential.claim, salt, salt_letters)


def _find_signer(
    credential: WeidCredential,
    documents: Mapping[str, DidDocument],
    writings: Iterable[Thumbprint],
) -> tuple[str, Thumbprint]:
    """Find the key that signed, and by which rules."""
    signature = read_signature(credential.proof.get(SIGNATURE))
    keys = _list_keys(credential, documents)
    for thumbprint in writings:
        for url, key in keys:
            if is_signed(key, thumbprint, signature):
                return url, thumbprint
    raise Unsound(
        Fault.SIGNATURE,
        f"no key of {credential.issuer} signed the credential {credential.id!r:.60} as it stands, "
        "by the rules of any version",
    )


def _list_keys(
    credential: WeidCredential, documents: Mapping[str, DidDocument]
) -> list[tuple[str, PublicKey]]:
    """List the issuer's keys: that which the proof names, if the document has it, or all."""
    weid = credential.issuer_weid
    document = documents.get(str(weid))
    if document is None or document.id != str(weid):
        raise Unsound(Fault.UNRESOLVED, f"no document was given of the issuer {weid}")
    creator = credential.proof.get("creator")
    if isinstance(creator, str) and "#" in creator:
        try:
            url = read_key_url(creator, weid)
        except Unsound:
            raise Unsound(Fault.ISSUER, f"{creator:.120} is no key of the issuer {weid}") from None
        if url in document.keys:
            return _take_secp256k1([(url, document.find_key(url, Relationship.ASSERTION))])
    return _take_secp256k1(document.list_keys(Relationship.ASSERTION))


def _take_secp256k1(keys: Iterable[tuple[str, PublicKey]]) -> list[tuple[str, PublicKey]]:
    return [(url, key) for url, key in keys if key.kind is KeyKind.SECP256K1]


def _convert_to_ms(date: int) -> int:
    return date if date >= _MILLISECONDS_MIN else date * 1_000
