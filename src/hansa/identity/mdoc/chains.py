"""Chains of certificates: from the signer of a document to a root that the verifier trusts.

What is asked of each certificate is what keeps others than the issuer from signing. Revocation
lists are not read: nothing is fetched here.

Source: ISO/IEC 18013-5, section 9.3.3 and annex B.1; RFC 5280, section 6.1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID, NameOID

from hansa.identity.encoding.timestamp import write_timestamp
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.certificates import READ_ERRORS, find_key, load_certificate
from hansa.identity.keys.kinds import PublicKey

DOCUMENT_SIGNER = x509.ObjectIdentifier("1.0.18013.5.1.2")
"""The extended key usage of whoever signs mobile documents."""

_HASHES = frozenset({None, "sha256", "sha384", "sha512"})
"""What signatures of certificates may hash with; EdDSA names none."""
_KNOWN = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
    }
)
"""The extensions that may be critical: others may restrict in ways that are not known here."""


class DocumentSigner(NamedTuple):
    """Who signed a document."""

    key: PublicKey
    certificate: bytes | None = None
    """DER; none where the verifier knows the key itself."""
    country: str | None = None
    state: str | None = None
    not_before_ms: int = 0
    not_after_ms: int | float = math.inf

    def check_signing_time(self, signed_ms: int) -> None:
        """Refuse a document that was signed while the certificate did not hold.

        Raises:
          Unsound: `ISSUER`.
        """
        if not self.not_before_ms <= signed_ms <= self.not_after_ms:
            when = write_timestamp(signed_ms)
            raise Unsound(
                Fault.ISSUER, f"the certificate was not valid when the document was signed ({when})"
            )


class TrustedRoots:
    """The roots of issuing authorities (IACA) that a verifier trusts."""

    def __init__(self, roots: Iterable[bytes]) -> None:
        """Read the roots (DER).

        Raises:
          Unsound: `KEY`: a certificate that is not of a root.
        """
        self._roots = tuple(roots)
        for root in self._roots:
            _check_authority(_read_certificate(root), 0)

    def find_signer(self, chain: tuple[bytes, ...], time_ms: int) -> DocumentSigner:
        """Find who signed, if the chain (the signer's first) leads to a trusted root.

        Raises:
          Unsound: `ISSUER`; `KEY`: a certificate that cannot be used; `NOT_YET_VALID` or
            `EXPIRED`: one of them does not hold at `time_ms`.
        """
        if not chain:
            raise Unsound(Fault.ISSUER, "the document came without a certificate of its issuer")
        path, signer = _verify_path(chain, self._roots)
        for each in path:
            _check_time(_read_certificate(each), time_ms)
        return signer


def read_document_signer(certificate: bytes) -> DocumentSigner:
    """Read the certificate (DER) of whoever signs documents; whom it leads to is asked elsewhere.

    Raises:
      Unsound: `KEY`: it is not for documents, or cannot be read.
    """
    return _check_signer(_read_certificate(certificate))


def is_document_signer(certificate: bytes) -> bool:
    """Whether a certificate (DER) says that it is of who signs documents; raises `Unsound`."""
    return DOCUMENT_SIGNER.dotted_string in _read_certificate(certificate).purposes


class _Certificate(NamedTuple):
    """What is asked of a certificate, all read at once: the library reads late, and may raise."""

    der: bytes
    parsed: x509.Certificate
    name: str
    subject: x509.Name
    issuer: x509.Name
    hash_name: str | None
    key: PublicKey | None
    """None if it is of a kind that signs no documents here."""
    not_before_ms: int
    not_after_ms: int
    is_authority: bool
    path_length: int | None
    signs_documents: bool
    signs_certificates: bool
    purposes: frozenset[str]

    def find_name(self, oid: x509.ObjectIdentifier) -> str | None:
        values = [str(each.value) for each in self.subject.get_attributes_for_oid(oid)]
        return values[0] if len(values) == 1 else None


@lru_cache(maxsize=1_024)
def _verify_path(
    chain: tuple[bytes, ...], roots: tuple[bytes, ...]
) -> tuple[tuple[bytes, ...], DocumentSigner]:
    """Verify all that does not depend on the time; issuers repeat their chain."""
    if len(chain) > 1 and chain[-1] in roots:
        chain = chain[:-1]
    path = [_read_certificate(each) for each in chain]
    signer = _check_signer(path[0])
    for below, (subject, issuer) in enumerate(itertools.pairwise(path)):
        _check_authority(issuer, below)
        _check_issued(subject, issuer)
    root = _find_root(path[-1], roots)
    _check_authority(root, len(path) - 1)
    if root.find_name(NameOID.COUNTRY_NAME) != signer.country:
        raise Unsound(Fault.ISSUER, f"the certificate of {path[0].name} is of another country")
    return (*chain, root.der), signer


def _find_root(last: _Certificate, roots: tuple[bytes, ...]) -> _Certificate:
    """Find the trusted root that issued a certificate; several may have one name."""
    for each in roots:
        root = _read_certificate(each)
        if root.subject == last.issuer:
            try:
                _check_issued(last, root)
            except Unsound:
                continue
            return root
    raise Unsound(
        Fault.ISSUER, f"the certificate of {last.name} was issued by no authority that is trusted"
    )


def _check_issued(subject: _Certificate, issuer: _Certificate) -> None:
    is_issued = subject.hash_name in _HASHES
    try:
        subject.parsed.verify_directly_issued_by(issuer.parsed)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        is_issued = False
    if not is_issued:
        raise Unsound(
            Fault.ISSUER, f"the certificate of {subject.name} was not issued by {issuer.name}"
        )


def _check_authority(certificate: _Certificate, below: int) -> None:
    """Refuse an issuer that may not issue, or not with `below` others between it and the last."""
    if not certificate.is_authority or not certificate.signs_certificates:
        raise Unsound(Fault.KEY, f"{certificate.name} may not issue certificates")
    if certificate.path_length is not None and certificate.path_length < below:
        raise Unsound(
            Fault.KEY, f"{certificate.name} may issue no others that issue certificates themselves"
        )


def _check_signer(certificate: _Certificate) -> DocumentSigner:
    is_signer = certificate.signs_documents and DOCUMENT_SIGNER.dotted_string in (
        certificate.purposes
    )
    if certificate.is_authority or certificate.signs_certificates or not is_signer:
        raise Unsound(Fault.KEY, f"the certificate of {certificate.name} is not for documents")
    if certificate.key is None:
        raise Unsound(Fault.KEY, f"the key of {certificate.name} is of no kind that is known here")
    return DocumentSigner(
        certificate.key,
        certificate.der,
        certificate.find_name(NameOID.COUNTRY_NAME),
        certificate.find_name(NameOID.STATE_OR_PROVINCE_NAME),
        certificate.not_before_ms,
        certificate.not_after_ms,
    )


def _check_time(certificate: _Certificate, time_ms: int) -> None:
    if time_ms < certificate.not_before_ms:
        since = write_timestamp(certificate.not_before_ms)
        raise Unsound(Fault.NOT_YET_VALID, f"{certificate.name} is valid only from {since} on")
    if time_ms > certificate.not_after_ms:
        until = write_timestamp(certificate.not_after_ms)
        raise Unsound(Fault.EXPIRED, f"the certificate of {certificate.name} expired at {until}")


@lru_cache(maxsize=512)
def _read_certificate(der: bytes) -> _Certificate:
    """Read a certificate; the library raises only when its parts are asked for."""
    parsed = load_certificate(der)
    try:
        return _take_apart(der, parsed)
    except READ_ERRORS as error:
        raise Unsound(Fault.KEY, f"a certificate cannot be read: {str(error)[:128]}") from None


def _take_apart(der: bytes, parsed: x509.Certificate) -> _Certificate:
    found = {each.oid: each.value for each in parsed.extensions}
    strange = [each.oid for each in parsed.extensions if each.critical and each.oid not in _KNOWN]
    if strange:
        raise ValueError(f"its critical extension {strange[0].dotted_string} is not known here")
    constraints = found.get(ExtensionOID.BASIC_CONSTRAINTS)
    usage = found.get(ExtensionOID.KEY_USAGE)
    purposes = found.get(ExtensionOID.EXTENDED_KEY_USAGE)
    algorithm = parsed.signature_hash_algorithm
    return _Certificate(
        der,
        parsed,
        parsed.subject.rfc4514_string()[:128],
        parsed.subject,
        parsed.issuer,
        algorithm.name if algorithm else None,
        find_key(parsed),
        int(parsed.not_valid_before_utc.timestamp()) * 1_000,
        int(parsed.not_valid_after_utc.timestamp()) * 1_000,
        isinstance(constraints, x509.BasicConstraints) and constraints.ca,
        constraints.path_length if isinstance(constraints, x509.BasicConstraints) else None,
        isinstance(usage, x509.KeyUsage) and usage.digital_signature,
        isinstance(usage, x509.KeyUsage) and usage.key_cert_sign,
        frozenset(
            each.dotted_string
            for each in (purposes if isinstance(purposes, x509.ExtendedKeyUsage) else ())
        ),
    )
