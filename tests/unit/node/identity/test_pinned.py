"""Issuers that stand in a verifier's file, and their status lists, which are kept for minutes."""

import asyncio
import base64
import secrets

import pytest
from cryptography import x509
from tests.unit.identity.verifier.certifying import certify_names, found_authority
from tests.unit.identity.verifier.playing import NOW_MS

from hansa.contracts.identity.status import Bits
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import generate_private_key
from hansa.identity.methods.local import write_did_jwk
from hansa.identity.status.entries import pack_entries
from hansa.identity.status.reference import StatusReference
from hansa.identity.status.token_list import Publication, sign_jwt_list
from hansa.identity.verifier.certified import Roots
from hansa.identity.verifier.registry import INVALID, VALID
from hansa.node.identity.verifier.lists import LIST_KEPT_S
from hansa.node.identity.verifier.pinned import PinnedRegistry
from hansa.node.identity.verifier.settings import TrustedIssuer

KEY = generate_private_key(KeyKind.P256, secrets.token_bytes)
ISSUER = write_did_jwk(KEY.public_key)
URL = "https://issuer.example/status/1"
START_S = 1_795_953_600


class Office:
    """An issuer that serves one list, and a clock."""

    def __init__(self):
        self.now_s = START_S
        self.ahead_s = 0
        self.revoked = {}
        trusted = TrustedIssuer(
            id=ISSUER, name="City", types=("urn:r",), status="https://issuer.example/status/"
        )
        self.registry = PinnedRegistry([trusted], self.fetch, lambda: self.now_s * 1_000)

    async def fetch(self, uri):
        issued_s = self.now_s + self.ahead_s
        published = Publication(uri=uri, issued_s=issued_s, ttl_s=LIST_KEPT_S)
        return sign_jwt_list(KEY, pack_entries(Bits.ONE, 1_024, self.revoked), published)

    def ask(self, url=URL):
        return asyncio.run(self.registry.get_status(ISSUER, StatusReference(url, 7)))


def test_a_status_is_as_of_the_list_that_is_kept():
    office = Office()
    assert office.ask() == (VALID, START_S * 1_000)
    office.revoked = {7: INVALID}
    office.now_s += LIST_KEPT_S - 1
    assert office.ask() == (VALID, START_S * 1_000)
    office.now_s += 1
    assert office.ask() == (INVALID, office.now_s * 1_000)


def test_a_list_is_not_said_to_be_of_a_time_to_come():
    office = Office()
    office.ahead_s = 30
    assert office.ask() == (VALID, START_S * 1_000)


def test_a_list_elsewhere_is_not_fetched():
    with pytest.raises(Unsound) as caught:
        Office().ask("https://issuer.example.evil.example/status/1")
    assert caught.value.fault is Fault.STATUS


def find_certified(certificate, *issuers):
    """Find by a certificate alone, as of a mobile document."""
    trusted = [
        TrustedIssuer(id=each, name=each, types=("urn:r",), roots="roots.pem") for each in issuers
    ]
    roots = {"roots.pem": Roots([found_authority().root])}
    registry = PinnedRegistry(trusted, Office().fetch, lambda: NOW_MS, roots)
    header = {"x5c": [base64.b64encode(certificate).decode()]}
    return asyncio.run(registry.find_issuer_key(None, header, NOW_MS)).issuer


@pytest.mark.parametrize(
    ("use", "is_taken"),
    [
        ("1.3.6.1.5.5.7.3.1", True),
        ("1.3.6.1.5.5.7.3.36", True),
        ("1.0.18013.5.1.6", False),  # a reader of mobile documents
        ("1.0.18013.5.1.4", False),  # who signs lists of authorities
        ("1.3.6.1.5.5.7.3.8", False),  # who stamps times
    ],
)
def test_a_certificate_for_something_else_issues_nothing(use, is_taken):
    certificate = certify_names(KEY, [x509.DNSName("reader.example")], uses=(use,))
    if is_taken:
        assert find_certified(certificate, "city") == "city"
        return
    with pytest.raises(Unsound, match="for something else") as caught:
        find_certified(certificate, "city")
    assert caught.value.fault is Fault.ISSUER


def test_who_is_named_in_a_certificate_is_not_taken_for_another_under_the_same_root():
    town = certify_names(KEY, [x509.UniformResourceIdentifier("did:web:town.example")])
    assert find_certified(town, "city", "did:web:town.example") == "did:web:town.example"
    assert find_certified(town, "city") == "city"
