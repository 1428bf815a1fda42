"""Certificates of verifiers, and of authorities above them; the same ones each time."""

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key

LEAF = load_private_key(KeyKind.P256, b"\x41" * 32)
ROOT = load_private_key(KeyKind.P256, b"\x42" * 32)
STRANGER = load_private_key(KeyKind.P256, b"\x43" * 32)
DAY = datetime(2026, 11, 1, tzinfo=UTC)


def private(key):
    return ec.derive_private_key(int.from_bytes(key.secret, "big"), ec.SECP256R1())


def _sign(builder, key):
    signed = builder.sign(private(key), hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.DER)


def certify(name, key, issuer_name, issuer_key, *, is_authority, host=None, days=90, within=None):
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer_name)]))
        .public_key(private(key).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
        .not_valid_before(DAY)
        .not_valid_after(DAY + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(private(issuer_key).public_key()),
            critical=False,
        )
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(private(key).public_key()), critical=False
        )
    )
    if is_authority:
        usage = dict.fromkeys(
            [
                "digital_signature",
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ],
            False,
        )
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, **usage), critical=True)
    if within:
        limits = x509.NameConstraints([x509.DNSName(within)], None)
        builder = builder.add_extension(limits, critical=True)
    if host:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=False)
    return _sign(builder, issuer_key)


ROOT_DER = certify("root", ROOT, "root", ROOT, is_authority=True)
OTHER_ROOT_DER = certify("root", STRANGER, "root", STRANGER, is_authority=True)
LEAF_DER = certify("bank", LEAF, "root", ROOT, is_authority=False, host="bank.example")
OLD_DER = certify("bank", LEAF, "root", ROOT, is_authority=False, host="bank.example", days=3)
AUTHORITY_DER = certify("middle", LEAF, "root", ROOT, is_authority=True, host="bank.example")
WILD_DER = certify("wild", LEAF, "root", ROOT, is_authority=False, host="*.example")
LIMITED_DER = certify("limited", STRANGER, "root", ROOT, is_authority=True, within="gov.example")
LIMITED_LEAF_DER = certify(
    "bank", LEAF, "limited", STRANGER, is_authority=False, host="bank.example"
)
