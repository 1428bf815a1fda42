"""Issuers that are known by certificates: whose key signed, by roots that the verifier trusts.

A certificate that is for mobile documents (extended key usage) is held to ISO/IEC 18013-5, any
other to what holds on the web.

Source: RFC 5280, section 4.2.1.12 (extended key usage); RFC 7515, section 4.1.6; RFC 9360;
draft-ietf-oauth-sd-jwt-vc, section 2.5 (issuers by X.509); ISO/IEC 18013-5, section 9.3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.certificates import load_certificate
from hansa.identity.keys.kinds import PublicKey
from hansa.identity.keys.paths import list_names, list_uses, read_x5c, verify_path
from hansa.identity.mdoc.chains import TrustedRoots, is_document_signer

ISSUER_USES = frozenset(
    {
        "2.5.29.37.0",  # anything
        "1.3.6.1.5.5.7.3.1",  # a server on the web
        "1.3.6.1.5.5.7.3.2",  # a client on the web
        "1.3.6.1.5.5.7.3.36",  # who signs documents of any kind (RFC 9336)
    }
)
"""What a certificate of an issuer may be for, if it says; that of mobile documents' beside these.

An authority that certifies issuers certifies the readers of documents, too: none of them issues.
"""
_WHOSE = "the issuer"


class Certified(NamedTuple):
    """Who has a certificate that leads to a trusted root."""

    key: PublicKey
    hosts: tuple[str, ...]
    uris: tuple[str, ...]

    def is_named(self, name: str) -> bool:
        """Whether the certificate is made out for a URI, or for the host of an https address."""
        parts = urlsplit(name)
        is_host = parts.scheme == "https" and parts.netloc in self.hosts and parts.path in ("", "/")
        return name in self.uris or is_host


class Roots:
    """Roots that a verifier trusts for issuers."""

    def __init__(self, roots: Iterable[bytes]) -> None:
        """Read the roots (DER).

        Raises:
          Unsound: `KEY`: a certificate that is not of a root.
        """
        found = tuple(roots)
        self._documents = TrustedRoots(found)
        self._roots = [x509.load_der_x509_certificate(each) for each in found]

    def find(self, header: Mapping[str, Any], time_ms: int) -> Certified:
        """Find who signs, by the certificates in a header (`x5c`), as of a time.

        Raises:
          Unsound: `ISSUER`: they lead to no root here; `KEY`, `NOT_YET_VALID` or `EXPIRED`.
        """
        chain = read_x5c(header, "the credential")
        first = load_certificate(chain[0])
        hosts, uris = list_names(first)
        if is_document_signer(chain[0]):
            key = self._documents.find_signer(chain, time_ms).key
        else:
            uses = list_uses(first)
            if uses is not None and not uses & ISSUER_USES:
                raise Unsound(Fault.ISSUER, f"the certificate of {_WHOSE} is for something else")
            key = verify_path(chain, self._roots, time_ms, _WHOSE)
        return Certified(key, tuple(hosts), tuple(uris))


def is_certified(header: Mapping[str, Any]) -> bool:
    """Whether a header leads to the key by certificates, and by nothing else."""
    return "x5c" in header and "kid" not in header
