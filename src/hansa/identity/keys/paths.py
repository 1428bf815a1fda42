"""Paths of certificates: from one that signs to a root that is trusted, as on the web.

Source: RFC 5280, section 6.1.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.x509.verification import (
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.certificates import READ_ERRORS, find_key, load_certificate
from hansa.identity.keys.kinds import PublicKey

CHAIN_MAX = 6


def read_x5c(header: Mapping[str, Any], what: str) -> tuple[bytes, ...]:
    """Read the certificates (DER) in the header of a token, which must have some.

    Raises:
      Unsound: `KEY`.
    """
    chain = header.get("x5c")
    if not isinstance(chain, list) or not 0 < len(chain) <= CHAIN_MAX:
        raise Unsound(Fault.KEY, f"{what} must carry 1 to {CHAIN_MAX} certificates (x5c)")
    try:
        return tuple(base64.b64decode(each, validate=True) for each in chain)
    except (ValueError, TypeError):
        raise Unsound(Fault.KEY, f"a certificate of {what} is no base64") from None


def verify_path(
    chain: Sequence[bytes], roots: Sequence[x509.Certificate], time_ms: int, whose: str
) -> PublicKey:
    """Verify that a chain (DER, the signer's first) leads to a root; returns the signer's key.

    `whose` names the signer in messages.

    Raises:
      Unsound: `ISSUER`: it does not, not now, or the first certificate is an authority's; `KEY`:
        one cannot be read, or its key is of no kind that signs here.
    """
    first, *others = map(load_certificate, chain)
    if first.issuer == first.subject or not _may_sign(first):
        raise Unsound(Fault.ISSUER, f"the certificate of {whose} is an authority's")
    try:
        verifier = (
            PolicyBuilder()
            .store(Store(list(roots)))
            .time(datetime.fromtimestamp(time_ms / 1_000, UTC))
            .extension_policies(
                ca_policy=ExtensionPolicy.webpki_defaults_ca(),
                ee_policy=ExtensionPolicy.permit_all(),
            )
            .build_client_verifier()
        )
        verifier.verify(first, others)
    except (VerificationError, *READ_ERRORS):
        raise Unsound(
            Fault.ISSUER, f"the certificate of {whose} leads to no root that is trusted"
        ) from None
    return read_key(first, whose)


def read_key(certificate: x509.Certificate, whose: str) -> PublicKey:
    """Read the key of a certificate.

    Raises:
      Unsound: `KEY`: of a kind that signs nothing here.
    """
    key = find_key(certificate)
    if key is None:
        raise Unsound(
            Fault.KEY, f"the key of the certificate of {whose} is of no kind that is known"
        )
    return key


def list_uses(certificate: x509.Certificate) -> frozenset[str] | None:
    """List for what a certificate is (extended key usage); None where it does not say."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return frozenset(each.dotted_string for each in found)


def list_names(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    """List the domains, and the URIs, for which a certificate is made out."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return [], []
    hosts = [str(each) for each in found.get_values_for_type(x509.DNSName)]
    uris = [str(each) for each in found.get_values_for_type(x509.UniformResourceIdentifier)]
    return hosts, uris


def _may_sign(certificate: x509.Certificate) -> bool:
    """Whether a certificate is for signing, and not for issuing others."""
    found = {each.oid: each.value for each in certificate.extensions}
    constraints = found.get(x509.BasicConstraints.oid)
    usage = found.get(x509.KeyUsage.oid)
    is_authority = isinstance(constraints, x509.BasicConstraints) and constraints.ca
    return not is_authority and (not isinstance(usage, x509.KeyUsage) or usage.digital_signature)
