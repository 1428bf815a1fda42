"""Holdings: the credentials of a wallet, what it showed of them to whom, and how it finds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from hansa.identity.dcql.matching import Candidate
from hansa.identity.encoding.base64url import decode_base64url
from hansa.identity.encoding.cbor_json import convert_to_json
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.mdoc.documents import Issued, decode_issued, decode_security_object
from hansa.identity.mdoc.security_object import SecurityObject
from hansa.identity.sd_jwt.credential import TYPE, read_types
from hansa.identity.sd_jwt.paths import Path
from hansa.identity.sd_jwt.presentation import open_issued, select_disclosures
from hansa.identity.sd_jwt.serialization import decode_sd_jwt
from hansa.identity.sd_jwt.verification import read_holder_key

HOLDINGS_MAX = 10_000
MDOC = "mso_mdoc"
_DOCUMENT = "the document"
_SECONDS_MAX = 1 << 40


class Holding(msgspec.Struct, frozen=True):
    """A credential in a wallet."""

    id: str
    format: str
    credential: str
    issuer: str
    """Where it came from: the credential issuer's identifier."""
    received_ms: int
    key: PublicKey | None
    """To which it is bound; the wallet has its private half."""
    display: tuple[dict[str, Any], ...] = ()


class Disclosure(msgspec.Struct, frozen=True):
    """What was shown once."""

    time_ms: int
    verifier: str
    """`client_id`, as the request was signed."""
    holding_id: str
    paths: tuple[Path, ...]
    transactions: tuple[str, ...] = ()
    """Transaction data that the holder authorised, base64url of JSON."""


def take_credential(
    credential: object,
    *,
    holding_id: str,
    issuer: str,
    received_ms: int,
    keys: dict[PublicKey, object],
    display: tuple[dict[str, Any], ...] = (),
) -> Holding:
    """Take an SD-JWT VC that an issuer sent, if it is bound to a key of this wallet or to none.

    Whether its issuer may issue it is the verifier's business; a holder sees what it says.

    Raises:
      Unsound: it is no SD-JWT VC, or bound to a key that this wallet does not have.
    """
    if not isinstance(credential, str):
        raise Unsound(Fault.UNSUPPORTED, "this wallet keeps credentials of the format SD-JWT VC")
    sd_jwt = decode_sd_jwt(credential)
    claims = open_issued(sd_jwt).claims
    if not isinstance(claims.get("vct"), str):
        raise Unsound(Fault.TYPE, "the credential does not say of what type it is (vct)")
    key = None
    if "cnf" in claims:
        key = read_holder_key(claims)
        if key not in keys:
            raise Unsound(Fault.BINDING, "the credential is bound to a key of somebody else")
    return Holding(holding_id, TYPE, credential, issuer, received_ms, key, display)


def take_document(
    credential: object,
    *,
    holding_id: str,
    issuer: str,
    received_ms: int,
    keys: dict[PublicKey, object],
    display: tuple[dict[str, Any], ...] = (),
) -> Holding:
    """Take a mobile document that an issuer sent, if it is bound to a key of this wallet.

    Raises:
      Unsound: it is no mobile document, or bound to a key that this wallet does not have.
    """
    if not isinstance(credential, str):
        raise Unsound(Fault.MALFORMED, "a mobile document is text in base64url")
    _, signed = _open_document(credential)
    if signed.device_key not in keys:
        raise Unsound(Fault.BINDING, "the document is bound to a key of somebody else")
    return Holding(holding_id, MDOC, credential, issuer, received_ms, signed.device_key, display)


def describe(holding: Holding) -> Candidate:
    """Describe a holding as a candidate for queries.

    Raises:
      Unsound: it is damaged.
    """
    if holding.format == MDOC:
        issued, signed = _open_document(holding.credential)
        claims = convert_to_json(issued.elements)
        return Candidate(holding.id, MDOC, frozenset([signed.doc_type]), claims, is_bound=True)
    claims = open_issued(decode_sd_jwt(holding.credential)).claims
    types = frozenset(read_types(claims))
    return Candidate(holding.id, holding.format, types, claims, holding.key is not None)


def find_expiry_ms(holding: Holding) -> int | None:
    """Find until when a holding says that it is valid; None for ever.

    Raises:
      Unsound: it is damaged.
    """
    if holding.format == MDOC:
        _, signed = _open_document(holding.credential)
        return signed.validity.valid_until_ms
    expires_s = open_issued(decode_sd_jwt(holding.credential)).claims.get("exp")
    if not isinstance(expires_s, int | float) or abs(expires_s) > _SECONDS_MAX:
        return None
    return int(expires_s * 1_000)


def show_claims(holding: Holding, paths: Iterable[Path]) -> dict[str, Any]:
    """Compute all that somebody sees to whom these paths are shown.

    Raises:
      Unsound: it is damaged, or does not have them.
    """
    if holding.format == MDOC:
        claims = describe(holding).claims
        shown: dict[str, Any] = {}
        for namespace, name in (path for path in paths if len(path) == 2):  # noqa: PLR2004
            shown.setdefault(str(namespace), {})[str(name)] = claims[str(namespace)][str(name)]
        return shown
    return open_issued(select_disclosures(decode_sd_jwt(holding.credential), paths)).claims


def _open_document(credential: str) -> tuple[Issued, SecurityObject]:
    issued = decode_issued(decode_base64url(credential, _DOCUMENT), _DOCUMENT)
    return issued, decode_security_object(issued.issuer_auth.payload or b"", _DOCUMENT)
