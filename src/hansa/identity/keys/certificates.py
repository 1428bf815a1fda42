"""Certificates as strangers send them: read whole at once, since the library reads late."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, PublicKey, load_public_key
from hansa.identity.keys.points import CURVES

CERTIFICATE_BYTES_MAX = 16_384
READ_ERRORS = (
    ValueError,
    TypeError,
    UserWarning,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for a certificate; warnings, where they are made errors."""


def load_certificate(der: bytes) -> x509.Certificate:
    """Load a certificate of version 3 that the library can read to its end.

    Raises:
      Unsound: `TOO_LARGE` or `KEY`.
    """
    if len(der) > CERTIFICATE_BYTES_MAX:
        raise Unsound(
            Fault.TOO_LARGE, f"a certificate has {len(der)} bytes, over {CERTIFICATE_BYTES_MAX}"
        )
    try:
        found = x509.load_der_x509_certificate(der)
        _ = found.public_key(), found.extensions, found.subject, found.issuer
        _ = found.not_valid_before_utc, found.not_valid_after_utc
        if found.version is not x509.Version.v3 or found.serial_number <= 0:
            raise ValueError("its version is not 3, or its serial number not above zero")
    except READ_ERRORS as error:
        raise Unsound(Fault.KEY, f"a certificate cannot be read: {_tell(error)}") from None
    return found


def find_key(certificate: x509.Certificate) -> PublicKey | None:
    """Find the key of a certificate; None if it is of a kind that signs nothing here."""
    key = certificate.public_key()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return load_public_key(KeyKind.ED25519, key.public_bytes_raw())
    if isinstance(key, ec.EllipticCurvePublicKey):
        for kind, curve in CURVES.items():
            if key.curve.name == curve.name:
                point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
                return load_public_key(kind, point)
    return None


def _tell(error: Exception) -> str:
    """Tell what the library found, or, where it shows its insides, what was expected."""
    text = str(error)
    return "it is no X.509 certificate in DER" if "ParseError" in text else text[:128]
