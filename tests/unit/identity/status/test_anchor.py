"""The list that is served is the one on the ledger, or is found out."""

import pytest
from tests.disclosing import ISSUER, NOW_S
from tests.unit.contracts.harness import MINUTE_MS, Harness, make_address

from hansa.contracts.identity import status
from hansa.contracts.identity.status import Bits, CreateList, Revoke, Status, Suspend
from hansa.identity.faults import Fault, Unsound
from hansa.identity.status.anchor import join_chunks, verify_anchor
from hansa.identity.status.bitstring import (
    Bitstring,
    BitstringEntry,
    convert_entries,
    verify_bitstring_status,
)
from hansa.identity.status.entries import Entries, verify_status
from hansa.identity.status.token_list import Publication, sign_jwt_list, verify_jwt_list
from hansa.kernel.crypto.hashing import crypto_profile

OFFICE = make_address("office")
DIGEST = crypto_profile("sha256").digest
URI = "https://issuer.example.org/status/1"
REVOKED, SUSPENDED = (3, 9_000, 19_999), (4, 9_001)


@pytest.fixture(scope="module")
def ledger():
    """Return a row of three chunks, and the entries that they hold."""
    harness = Harness()
    harness.do(status.create_list, CreateList(OFFICE, 1, Bits.TWO, 20_000), "office")
    harness.pass_time(MINUTE_MS)
    harness.do(status.change, Revoke(OFFICE, 1, REVOKED), "office")
    harness.do(status.change, Suspend(OFFICE, 1, SUSPENDED), "office")
    harness.view.begin()
    row = status.get_list(harness.view, OFFICE, 1)
    entries = join_chunks(row, status.list_chunks(harness.view, OFFICE, 1))
    for index in (0, 5, *REVOKED, *SUSPENDED):
        harness.view.begin()
        assert entries.get(index) == status.get_status(harness.view, OFFICE, 1, index)
    return row, entries


def test_what_the_ledger_holds_is_what_a_verifier_reads(ledger):
    row, entries = ledger
    token = sign_jwt_list(ISSUER, entries, Publication(uri=URI, issued_s=NOW_S))
    served = verify_jwt_list(token, ISSUER.public_key, URI, NOW_S).entries
    verify_anchor(served, row, DIGEST)
    verify_status(served.get(5))
    for indices, fault in ((REVOKED, Fault.REVOKED), (SUSPENDED, Fault.SUSPENDED)):
        for index in indices:
            with pytest.raises(Unsound) as caught:
                verify_status(served.get(index))
            assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("wanted", "purpose", "indices"),
    [
        (Status.INVALID, "revocation", REVOKED),
        (Status.SUSPENDED, "suspension", SUSPENDED),
    ],
)
def test_bitstrings_say_the_same(ledger, wanted, purpose, indices):
    _, entries = ledger
    bitstring = Bitstring(convert_entries(entries, wanted), (purpose,), None)
    for index in range(20_000):
        entry = BitstringEntry(URI, index, purpose)
        if index in indices:
            with pytest.raises(Unsound):
                verify_bitstring_status(bitstring, entry)
        else:
            assert verify_bitstring_status(bitstring, entry) == 0


def test_a_list_that_was_changed_is_found_out(ledger):
    row, entries = ledger
    content = bytearray(entries.content)
    content[3] ^= 1
    for other in (
        Entries(Bits.TWO, bytes(content)),
        Entries(Bits.TWO, entries.content[:-1]),
        Entries(Bits.TWO, entries.content + b"\0"),
        Entries(Bits.ONE, entries.content),
        Entries(Bits.TWO, b""),
    ):
        with pytest.raises(Unsound) as caught:
            verify_anchor(other, row, DIGEST)
        assert caught.value.fault is Fault.STATUS
