"""WeIdentity's credentials (CredentialPojo), taken apart; nothing here says that one holds.

Members beside those that are signed are left out. The short form of a `lite1` credential is read
as the long one.

Source: CredentialPojo of WeIdentity's Java SDK, `fromJson` and `toJson`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.encoding.timestamp import read_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.weid.identifiers import WeId, read_weid

TYPE = "VerifiableCredential"
LITE = "lite1"
"""The type whose claims are signed as they stand, without salts."""
MULTI_SIGNED_CPT = 107
"""The kind of claim that holds other credentials, signed together."""
MEMBERS_MAX = 64
BYTES_MAX = 1 << 18
TYPES_MAX = 16
CREDENTIAL_LIST = "credentialList"
SIGNATURE = "signatureValue"
SALT = "salt"
CREATED = "created"
INT64_MAX = (1 << 63) - 1

_UNSUPPORTED_CPTS = (106, 108, 109)
_UNSUPPORTED_TYPE = "zkp"
_PROOF_TYPE = "Secp256k1"
_WHAT = "the WeIdentity credential"


class WeidCredential(NamedTuple):
    """A credential of WeIdentity, read."""

    context: str
    id: str
    cpt_id: int
    """The number of its kind of claim on the chain."""
    issuer: str
    issuance_date: int
    """In seconds, in early versions in milliseconds; the same of the expiry."""
    expiration_date: int
    claim: Mapping[str, Any]
    proof: Mapping[str, Any]
    types: tuple[str, ...]

    @property
    def is_lite(self) -> bool:
        """Whether its claims are signed as they stand."""
        return LITE in self.types

    @property
    def issuer_weid(self) -> WeId:
        """The issuer's DID, taken apart."""
        return read_weid(self.issuer)


def read_weid_credential(raw: bytes | str) -> WeidCredential:
    """Read a credential as WeIdentity's SDK or its REST service gives it.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`, `DUPLICATE`; `UNSUPPORTED`: a kind that is not known here.
    """
    return take_credential(decode_object(raw, _WHAT, BYTES_MAX))


def take_credential(value: object) -> WeidCredential:
    """Take a credential out of JSON that was read strictly.

    Raises:
      Unsound: `TOO_LARGE`, `MALFORMED`; `UNSUPPORTED`: a kind that is not known here.
    """
    if not isinstance(value, dict):
        raise _malformed("is no object")
    if value.get("type") == LITE:
        types: tuple[str, ...] = (TYPE, LITE)
        proof: Any = {SIGNATURE: value.get("proof"), "type": _PROOF_TYPE}
        context: Any = ""
    else:
        types, proof, context = (
            _read_types(value.get("type")),
            value.get("proof"),
            value.get("context"),
        )
    cpt_id, claim = value.get("cptId"), value.get("claim")
    if type(cpt_id) is not int or not 0 <= cpt_id <= INT64_MAX:
        raise _malformed("has no cptId, a number")
    if not isinstance(claim, dict) or not isinstance(proof, dict):
        raise _malformed("needs objects as claim and proof")
    read_weid(value.get("issuer"))
    credential = WeidCredential(
        _read_text(context, "context"),
        _read_text(value.get("id"), "id"),
        cpt_id,
        _read_text(value.get("issuer"), "issuer"),
        _read_date(value.get("issuanceDate"), "issuanceDate"),
        _read_date(value.get("expirationDate"), "expirationDate"),
        claim,
        _read_proof(proof),
        types,
    )
    _check_kind(credential)
    return credential


def take_members(credential: WeidCredential) -> list[WeidCredential]:
    """Take the credentials out of a multi-signed one, in the order in which they are hashed.

    Raises:
      Unsound: `MALFORMED`, `TOO_LARGE`, `UNSUPPORTED`; `DUPLICATE`: two have one id, of which
        WeIdentity hashed only the later.
    """
    salt = credential.proof.get(SALT)
    if isinstance(salt, dict) and isinstance(salt.get(CREDENTIAL_LIST), str):
        raise Unsound(
            Fault.UNSUPPORTED,
            f"{_WHAT} was signed together before 1.5, which hashed in an order that is not known",
        )
    found = credential.claim.get(CREDENTIAL_LIST)
    if not isinstance(found, list) or not found or len(credential.claim) != 1:
        raise _malformed(f"of CPT {MULTI_SIGNED_CPT} needs a {CREDENTIAL_LIST}, and nothing else")
    if len(found) > MEMBERS_MAX:
        raise Unsound(Fault.TOO_LARGE, f"{_WHAT} holds over {MEMBERS_MAX} credentials")
    members = {each.id: each for each in map(take_credential, found)}
    if len(members) < len(found):
        raise Unsound(Fault.DUPLICATE, f"{_WHAT} holds two credentials with one id")
    if any(each.is_lite or each.cpt_id == MULTI_SIGNED_CPT for each in members.values()):
        raise Unsound(
            Fault.UNSUPPORTED,
            f"{_WHAT} holds a lite or multi-signed one, whose own signature WeIdentity left out",
        )
    return [members[key] for key in sorted(members, key=lambda key: key.encode("utf-16-be"))]


def _check_kind(credential: WeidCredential) -> None:
    if _UNSUPPORTED_TYPE in credential.types or credential.cpt_id in _UNSUPPORTED_CPTS:
        raise Unsound(
            Fault.UNSUPPORTED,
            f"{_WHAT} is of type {'/'.join(credential.types)} and CPT {credential.cpt_id}: zero "
            "knowledge, old multi-signed and time-stamped ones are not read",
        )
    if credential.proof.get("type") != _PROOF_TYPE:
        raise Unsound(
            Fault.UNSUPPORTED,
            f"the proof of {_WHAT} is of type {credential.proof.get('type')!r:.40}: {_PROOF_TYPE} "
            "alone is verified, SM2 of chains with Chinese national cryptography is not",
        )
    if credential.is_lite and credential.cpt_id == MULTI_SIGNED_CPT:
        raise _malformed(f"is lite and of CPT {MULTI_SIGNED_CPT} at once")


def _read_types(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unsound(
            Fault.UNSUPPORTED,
            f"{_WHAT} has no list as type: credentials of before CredentialPojo are not read",
        )
    if not 0 < len(value) <= TYPES_MAX:
        raise _malformed(f"needs 1 to {TYPES_MAX} types")
    return tuple(value)


def _read_proof(proof: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read `created` as the SDK does; the rest stays as it is."""
    created = proof.get(CREATED)
    if isinstance(created, str) and "T" in created:
        return {**proof, CREATED: _read_date(created, "proof.created")}
    return proof


def _read_date(value: object, what: str) -> int:
    """Read a date: a number, or text as `toJson` writes it, to the second."""
    if isinstance(value, str):
        return read_timestamp(value, f"{what} of {_WHAT}") // 1_000
    if type(value) is not int or not 0 < value <= INT64_MAX:
        raise _malformed(f"has no {what}, a number above 0")
    return value


def _read_text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise _malformed(f"has no {what}, which is text")
    return value


def _malformed(what: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"{_WHAT} {what}")
