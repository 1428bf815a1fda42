"""Examination of SD-JWT VCs.

Source: RFC 9901, section 7.3; OpenID4VP 1.0, appendix B.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import read_time_s, verify_times, verify_type
from hansa.identity.jose.jws import decode_jws
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
from hansa.identity.status.reference import read_status
from hansa.identity.verifier.examination import Asked, Examined, Steps
from hansa.identity.verifier.findings import Check
from hansa.identity.verifier.judgement import Judged, compute_anchor
from hansa.identity.verifier.registry import Registry

CREDENTIAL = "the credential"
HASH_NAMES = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}


async def examine(presented: object, asked: Asked, registry: Registry, now_ms: int) -> Examined:
    """Examine a presentation of an SD-JWT VC.

    Raises:
      Unavailable: the registry does not answer now.
    """
    steps = Steps(asked.subject)
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
    status = read_status(read.claims)
    judged = Judged(
        subject=asked.subject,
        format=TYPE,
        issuer=found.issuer,
        types=read.types,
        claims=read.claims,
        is_bound=asked.needs_binding,
        issued_ms=read.issued_ms,
        statuses=() if status is None else (status,),
        replaced_since_ms=found.replaced_since_ms,
        digest=compute_anchor(read.sd_jwt.jwts[0].encode()),
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
