"""Examination of a presentation: each step a finding, and what is left for judgement.

Source: RFC 9901, section 7.3; OpenID4VP 1.0, sections 8.6, 14.1 and appendix B.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.cbor import decode_map
from hansa.identity.encoding.cbor_json import convert_to_json
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import read_time_s, verify_times, verify_type
from hansa.identity.jose.jws import decode_jws
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.mdoc.documents import decode_security_object, read_issued
from hansa.identity.mdoc.security_object import Validity
from hansa.identity.mdoc.verifying import verify_device_response
from hansa.identity.sd_jwt.credential import TYPE, TYPES, check_claims, read_types
from hansa.identity.sd_jwt.disclosures import find_hash
from hansa.identity.sd_jwt.opening import open_claims
from hansa.identity.sd_jwt.serialization import SdJwt, decode_sd_jwt
from hansa.identity.sd_jwt.verification import (
    Challenge,
    read_holder_key,
    verify_audience,
    verify_binding,
    verify_issuer,
)
from hansa.identity.status.reference import StatusReference, read_status
from hansa.identity.verifier.findings import Check, Finding
from hansa.identity.verifier.judgement import Judged, compute_anchor
from hansa.identity.verifier.registry import IssuerKey, Registry

T = TypeVar("T")
CREDENTIAL = "the credential"
HASH_NAMES = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}


class Asked(NamedTuple):
    """What a presentation must answer."""

    subject: str
    """The id of the query."""
    challenge: Challenge
    needs_binding: bool
    transactions: tuple[str, ...]
    """Transaction data that this credential must authorise, as they stood in the request."""
    transcript: bytes
    """The session transcript that a mobile document's device signs."""


class Examined(NamedTuple):
    """What was found of one presentation; without `judged` there is nothing to go on with."""

    findings: list[Finding]
    judged: Judged | None


class _Steps:
    """Takes steps, and notes for each whether it holds."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.findings: list[Finding] = []

    def take(self, check: Check, text: str, step: Callable[[], T]) -> T | None:
        """Take a step and note its fault, or that it holds, in these words."""
        try:
            result = step()
        except Unsound as error:
            self.findings.append(Finding.of(self.subject, check, error))
            return None
        self.findings.append(Finding(self.subject, check, None, text))
        return result

    async def find_issuer(
        self, registry: Registry, issuer: str | None, header: Mapping[str, Any], time_ms: int
    ) -> IssuerKey | None:
        """Ask whose key it is; only that nobody knows it is a finding."""
        try:
            return await registry.find_issuer_key(issuer, header, time_ms)
        except Unsound as error:
            self.findings.append(Finding.of(self.subject, Check.ISSUER, error))
            return None


async def examine_sd_jwt(
    presented: object, asked: Asked, registry: Registry, now_ms: int
) -> Examined:
    """Examine a presentation of an SD-JWT VC.

    Raises:
      Unavailable: the registry does not answer now.
    """
    steps = _Steps(asked.subject)
    read = steps.take(
        Check.FORMAT, "it is a well-formed SD-JWT VC", lambda: _read_sd_jwt(presented)
    )
    if read is None:
        return Examined(steps.findings, None)
    issuer = read.claims.get("iss")
    found = await steps.find_issuer(registry, issuer, read.header, read.at(now_ms))
    if found is not None:
        text = f"{found.issuer} signed it, and nothing was changed"
        steps.take(Check.SIGNATURE, text, partial(verify_issuer, read.sd_jwt, found.key))
    now_s = now_ms // 1_000
    text = "it is valid now, and for this verifier"
    steps.take(Check.VALIDITY, text, partial(_check_validity, read, asked.challenge, now_s))
    binding = None
    if asked.needs_binding:
        binding = steps.take(
            Check.BINDING,
            "its holder presents it, here and now",
            partial(_verify_holder, read, asked.challenge, now_s),
        )
    if asked.transactions:
        steps.take(
            Check.TRANSACTION,
            "its holder agreed to the transaction",
            partial(_check_transactions, binding or {}, asked.transactions),
        )
    if found is None:
        return Examined(steps.findings, None)
    judged = Judged(
        subject=asked.subject,
        format=TYPE,
        issuer=found.issuer,
        types=read.types,
        claims=read.claims,
        is_bound=asked.needs_binding,
        issued_ms=read.issued_ms,
        status=read_status(read.claims),
        replaced_since_ms=found.replaced_since_ms,
        digest=compute_anchor(read.sd_jwt.jwts[0].encode()),
    )
    return Examined(steps.findings, judged)


async def examine_mdoc(
    presented: object, doc_type: str, asked: Asked, registry: Registry, now_ms: int
) -> Examined:
    """Examine a presentation of a mobile document: one document in a device response.

    Raises:
      Unavailable: the registry does not answer now.
    """
    steps = _Steps(asked.subject)
    read = steps.take(
        Check.FORMAT, "it is a well-formed mobile document", lambda: _read_mdoc(presented)
    )
    if read is None:
        return Examined(steps.findings, None)
    found = await steps.find_issuer(registry, None, read.header, read.validity.signed_ms)
    if found is None:
        return Examined(steps.findings, None)
    shown = steps.take(
        Check.SIGNATURE,
        f"{found.issuer} signed it, and its holder presents it now",
        lambda: _verify_mdoc(read, found.key, doc_type, asked, now_ms),
    )
    if asked.transactions:
        error = Unsound(Fault.UNSUPPORTED, "a mobile document authorises no transactions here")
        steps.findings.append(Finding.of(asked.subject, Check.TRANSACTION, error))
    if shown is None:
        return Examined(steps.findings, None)
    judged = Judged(
        subject=asked.subject,
        format="mso_mdoc",
        issuer=found.issuer,
        types=(doc_type,),
        claims=shown.claims,
        is_bound=True,
        issued_ms=read.validity.signed_ms,
        status=shown.status,
        replaced_since_ms=found.replaced_since_ms,
        digest=compute_anchor(read.signature),
    )
    return Examined(steps.findings, judged)


def _check_validity(read: _ReadSdJwt, challenge: Challenge, now_s: int) -> None:
    verify_times(read.claims, CREDENTIAL, now_s)
    verify_audience(read.claims, challenge)


def _verify_holder(read: _ReadSdJwt, challenge: Challenge, now_s: int) -> dict[str, Any]:
    key = read_holder_key(read.claims)
    return verify_binding(read.sd_jwt, key, read.algorithm, challenge, now_s)


class _ReadSdJwt(NamedTuple):
    sd_jwt: SdJwt
    header: Mapping[str, Any]
    claims: dict[str, Any]
    types: tuple[str, ...]
    algorithm: str
    issued_ms: int | None

    def at(self, now_ms: int) -> int:
        """The moment whose keys count."""
        return now_ms if self.issued_ms is None else min(self.issued_ms, now_ms)


def _read_sd_jwt(presented: object) -> _ReadSdJwt:
    if not isinstance(presented, str):
        raise Unsound(Fault.MALFORMED, "a presentation of an SD-JWT is text")
    sd_jwt = decode_sd_jwt(presented)
    jws = decode_jws(sd_jwt.jwts[0], CREDENTIAL)
    verify_type(jws.header, TYPES, CREDENTIAL)
    payload = jws.decode_claims(CREDENTIAL)
    claims, disclosed = open_claims(payload, sd_jwt.disclosures)
    check_claims(claims, disclosed)
    issued_s = read_time_s(claims, "iat", CREDENTIAL)
    issued_ms = None if issued_s is None else int(issued_s * 1_000)
    return _ReadSdJwt(sd_jwt, jws.header, claims, read_types(claims), find_hash(payload), issued_ms)


class _ReadMdoc(NamedTuple):
    raw: bytes
    header: Mapping[str, Any]
    signature: bytes
    """Of the issuer, over the digests of all elements."""
    validity: Validity


def _read_mdoc(presented: object) -> _ReadMdoc:
    if not isinstance(presented, str):
        raise Unsound(Fault.MALFORMED, "a presentation of a mobile document is text in base64url")
    raw = decode_base64url(presented, "the device response")
    documents = decode_map(raw, "the device response").get("documents")
    if not isinstance(documents, list) or len(documents) != 1 or not isinstance(documents[0], dict):
        raise Unsound(Fault.MALFORMED, "a presentation holds one document")
    what = "the document"
    auth = read_issued(documents[0].get("issuerSigned"), what).issuer_auth
    validity = decode_security_object(auth.payload or b"", what).validity
    chain = [base64.b64encode(each).decode() for each in auth.read_chain(what)]
    return _ReadMdoc(raw, {"x5c": chain}, auth.signature, validity)


class _ShownMdoc(NamedTuple):
    claims: dict[str, Any]
    """As JSON."""
    status: StatusReference | None


def _verify_mdoc(
    read: _ReadMdoc, key: PublicKey, doc_type: str, asked: Asked, now_ms: int
) -> _ShownMdoc:
    (shown,) = verify_device_response(
        read.raw, key, doc_type=doc_type, transcript=asked.transcript, time_ms=now_ms
    )
    return _ShownMdoc(convert_to_json(shown.elements), shown.signed.status)


def _check_transactions(binding: Mapping[str, Any], transactions: tuple[str, ...]) -> None:
    """Check that the holder signed the hashes of all transaction data that were sent.

    Source: OpenID4VP 1.0, appendix B.3.3.1.
    """
    name = binding.get("transaction_data_hashes_alg", "sha-256")
    hashes = binding.get("transaction_data_hashes")
    compute = HASH_NAMES.get(name) if isinstance(name, str) else None
    if compute is None or not isinstance(hashes, list):
        raise Unsound(Fault.BINDING, "the holder did not sign the transaction that was shown")
    expected = [encode_base64url(compute(each.encode()).digest()) for each in transactions]
    if hashes != expected:
        raise Unsound(Fault.BINDING, "the holder signed another transaction than was asked for")
