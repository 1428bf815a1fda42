"""Certificates of an issuing authority: its root, and those of its document signers.

Source: ISO/IEC 18013-5, annexes B.1.2 (root) and B.1.4 (document signer).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey
from hansa.identity.keys.points import CURVES
from hansa.identity.keys.signing import PrivateKey
from hansa.identity.mdoc.chains import DOCUMENT_SIGNER

_DAY_MS = 86_400_000
_END_MS = 253_402_300_800_000
"""The end of the year 9999."""
ROOT_DAYS_MAX = 20 * 366
SIGNER_DAYS_MAX = 457
SERIAL_BYTES = 20

_IssuingKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Subject(NamedTuple):
    """Whom a certificate names."""

    country: str
    """Two capital letters of ISO 3166-1."""
    common_name: str
    state: str | None = None


class Period(NamedTuple):
    """From when until when a certificate holds; milliseconds since 1970, seconds count."""

    not_before_ms: int
    not_after_ms: int


class Authority(NamedTuple):
    """An issuing authority with its root."""

    key: PrivateKey
    root: bytes
    """Certificate, DER."""


def create_authority(
    key: PrivateKey,
    subject: Subject,
    period: Period,
    *,
    contact_uri: str,
    revocations_uri: str,
    draw: Callable[[int], bytes],
) -> Authority:
    """Create the root of an issuing authority (IACA), for 20 years at most.

    Args:
      key: P-256, P-384 or Ed25519.
      subject: the authority.
      period: of the certificate.
      contact_uri: where the authority can be found.
      revocations_uri: where it publishes its revocation list.
      draw: gives that many random bytes.

    Raises:
      Unsound: `KEY`: a key that signs no certificates, or a name or period that is not allowed.
    """
    _check_period(period, ROOT_DAYS_MAX)
    contact, revocations = (
        x509.UniformResourceIdentifier(uri) for uri in _check_uris(contact_uri, revocations_uri)
    )
    point = x509.DistributionPoint([revocations], None, None, None)
    public_key = _load_public(key.public_key)
    name = _write_name(subject)
    builder = (
        _start(name, name, public_key, period, draw)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_write_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.IssuerAlternativeName([contact]), critical=False)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
    )
    return Authority(key, _sign(builder, key))


def create_signer_certificate(
    authority: Authority,
    key: PublicKey,
    subject: Subject,
    period: Period,
    draw: Callable[[int], bytes],
) -> bytes:
    """Certify a key that signs documents, for 457 days at most; the certificate is DER.

    Raises:
      Unsound: `KEY`: a key that signs no documents, a name or period that is not allowed, or
        another country than the authority's.
    """
    _check_period(period, SIGNER_DAYS_MAX)
    root = x509.load_der_x509_certificate(authority.root)
    countries = root.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
    if [str(each.value) for each in countries] != [subject.country]:
        raise _refused(f"the authority is of another country than {subject.country}")
    ends = root.not_valid_before_utc.timestamp(), root.not_valid_after_utc.timestamp()
    if not ends[0] * 1_000 <= period.not_before_ms < period.not_after_ms <= ends[1] * 1_000:
        raise _refused("the certificate of a signer must not outlive its authority's")
    public_key, issuer_key = _load_public(key), _load_public(authority.key.public_key)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    builder = (
        _start(_write_name(subject), root.subject, public_key, period, draw)
        .add_extension(issuer_id, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_write_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNER]), critical=True)
    )
    for oid in (ExtensionOID.ISSUER_ALTERNATIVE_NAME, ExtensionOID.CRL_DISTRIBUTION_POINTS):
        builder = builder.add_extension(
            root.extensions.get_extension_for_oid(oid).value, critical=False
        )
    return _sign(builder, authority.key)


def _start(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey,
    period: Period,
    draw: Callable[[int], bytes],
) -> x509.CertificateBuilder:
    """Begin a certificate; its number has 20 bytes and is above zero."""
    number = int.from_bytes(draw(SERIAL_BYTES), "big")
    serial = number >> 1 | 1 << (SERIAL_BYTES * 8 - 2)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(datetime.fromtimestamp(period.not_before_ms // 1_000, UTC))
        .not_valid_after(datetime.fromtimestamp(period.not_after_ms // 1_000, UTC))
    )


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> bytes:
    issuing = _load_private(key)
    if key.kind is KeyKind.ED25519:
        return builder.sign(issuing, None).public_bytes(Encoding.DER)
    algorithm = SHA256() if key.kind is KeyKind.P256 else SHA384()
    signed = builder.sign(issuing, algorithm, ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)


def _load_private(key: PrivateKey) -> _IssuingKey:
    if key.kind is KeyKind.ED25519:
        return ed25519.Ed25519PrivateKey.from_private_bytes(key.secret)
    if key.kind in {KeyKind.P256, KeyKind.P384}:
        return ec.derive_private_key(int.from_bytes(key.secret, "big"), CURVES[key.kind])
    raise _refused(f"keys of kind {key.kind.value} sign no certificates: use P-256 or P-384")


def _load_public(key: PublicKey) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    if key.kind is KeyKind.ED25519:
        return ed25519.Ed25519PublicKey.from_public_bytes(key.data)
    if key.kind in CURVES:
        return ec.EllipticCurvePublicKey.from_encoded_point(CURVES[key.kind], key.data)
    raise _refused(f"keys of kind {key.kind.value} sign no documents: use P-256 or P-384")


def _write_name(subject: Subject) -> x509.Name:
    parts = [(NameOID.COUNTRY_NAME, subject.country), (NameOID.COMMON_NAME, subject.common_name)]
    if subject.state is not None:
        parts.append((NameOID.STATE_OR_PROVINCE_NAME, subject.state))
    try:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    except ValueError as error:
        raise _refused(str(error)) from None


def _write_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _check_period(period: Period, days_max: int) -> None:
    is_ordered = 0 <= period.not_before_ms < period.not_after_ms < _END_MS
    if not is_ordered or period.not_after_ms - period.not_before_ms > days_max * _DAY_MS:
        raise _refused(f"a certificate of this kind is valid for a time of up to {days_max} days")


def _check_uris(*uris: str) -> tuple[str, ...]:
    if not all(uri.isascii() for uri in uris):
        raise _refused("an address has letters beyond ASCII: write them as RFC 3987 says")
    return uris


def _refused(why: str) -> Unsound:
    return Unsound(Fault.KEY, f"this certificate cannot be made: {why}")
