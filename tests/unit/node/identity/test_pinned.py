"""Issuers that stand in a verifier's file, and their status lists, which are kept for minutes."""

import asyncio
import secrets

import pytest

from hansa.contracts.identity.status import Bits
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import generate_private_key
from hansa.identity.methods.local import write_did_jwk
from hansa.identity.status.entries import pack_entries
from hansa.identity.status.reference import StatusReference
from hansa.identity.status.token_list import Publication, sign_jwt_list
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
