"""A certificate authority for tests of TLS."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)


@dataclass
class Authority:
    """A certificate authority, and the certificates that it signs, in a folder."""

    folder: Path

    def __post_init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        names = "digital_signature content_commitment key_encipherment data_encipherment"
        others = dict.fromkeys((*names.split(), *["key_agreement", "crl_sign"]), False)
        usage = x509.KeyUsage(
            key_cert_sign=True, encipher_only=False, decipher_only=False, **others
        )
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = (
            self._begin(self._name, self._key.public_key())
            .add_extension(constraints, critical=True)
            .add_extension(usage, critical=True)
            .add_extension(identifier, critical=False)
        )
        self._write("ca", self._key, builder.sign(self._key, hashes.SHA256()))

    def issue(self, name, *, is_server=False):
        """Issue NAME.crt and NAME.key."""
        key_ = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = ExtendedKeyUsageOID.SERVER_AUTH if is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._begin(subject, key_.public_key()).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if is_server:
            names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
            builder = builder.add_extension(names, critical=False)
        self._write(name, key_, builder.sign(self._key, hashes.SHA256()))

    def certify(self, name, public_key):
        """Certify a key that somebody else has."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return self._begin(subject, public_key).sign(self._key, hashes.SHA256())

    def _begin(self, subject, public_key):
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )

    def _write(self, name, key_, certificate):
        encoding = serialization.Encoding.PEM
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(encoding))
        private = key_.private_bytes(
            encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.folder / f"{name}.key").write_bytes(private)
        (self.folder / f"{name}.key").chmod(0o600)
