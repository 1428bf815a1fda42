"""An authority whose root a verifier trusts, and certificates under it."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from tests.unit.identity.verifier.playing import DAY_MS, NOW_MS, draw_from

from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.mdoc.certificates import (
    Period,
    Subject,
    create_authority,
    create_signer_certificate,
)

ROOT_KEY = load_private_key(KeyKind.P256, b"\x51" * 32)


def found_authority(now_ms=NOW_MS, key=ROOT_KEY):
    """Make the root of an authority for mobile documents."""
    return create_authority(
        key,
        Subject("MO", "City of Example"),
        Period(now_ms - 30 * DAY_MS, now_ms + 3_000 * DAY_MS),
        contact_uri="https://city.example",
        revocations_uri="https://city.example/crl",
        draw=draw_from(7_000),
    )


def certify(key, now_ms=NOW_MS, authority=None):
    """Certify a key that signs mobile documents."""
    return create_signer_certificate(
        authority or found_authority(now_ms),
        key.public_key,
        Subject("MO", "City of Example, documents"),
        Period(now_ms - 20 * DAY_MS, now_ms + 300 * DAY_MS),
        draw_from(8_000),
    )


def load(key):
    """Load a P-256 key as the library has it."""
    return ec.derive_private_key(int.from_bytes(key.secret, "big"), ec.SECP256R1())


def certify_names(key, names, now_ms=NOW_MS, root_key=ROOT_KEY, uses=()):
    """Certify a key for other things than documents, under the same root."""
    root = x509.load_der_x509_certificate(found_authority(now_ms, root_key).root)
    start = datetime.fromtimestamp(now_ms / 1_000, UTC) - timedelta(days=10)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an office")]))
        .issuer_name(root.subject)
        .public_key(load(key).public_key())
        .serial_number(77)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(load(root_key).public_key()),
            critical=False,
        )
    )
    if uses:
        listed = [x509.ObjectIdentifier(each) for each in uses]
        builder = builder.add_extension(x509.ExtendedKeyUsage(listed), critical=False)
    return builder.sign(load(root_key), hashes.SHA256()).public_bytes(Encoding.DER)
