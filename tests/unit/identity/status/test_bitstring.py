"""Bitstring Status Lists: made of the ledger's entries, and read from strangers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.disclosing import ISSUER, NOW_S

from hansa.contracts.identity.status import Bits
from hansa.identity.data_integrity.contexts import load_pinned
from hansa.identity.data_integrity.credentials import verify_credential
from hansa.identity.data_integrity.proofs import Proof, add_proof
from hansa.identity.encoding.multibase import BASE58, BASE64URL, decode_multibase, encode_multibase
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import LEEWAY_S
from hansa.identity.methods.did import read_did
from hansa.identity.methods.local import name_did_key_method, resolve_did_key, write_did_key
from hansa.identity.status.bitstring import (
    ENTRIES_MIN,
    Bitstring,
    BitstringEntry,
    BitstringPublication,
    convert_entries,
    get_bitstring_status,
    read_entries,
    read_list_credential,
    verify_bitstring_status,
    write_entry,
    write_list_credential,
)
from hansa.identity.status.entries import GZIP, Entries, compress, expand, pack_entries

URI = "https://issuer.example.org/status/3"
EMPTY = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"
"""The list that the specification shows, in which nothing is set."""
NOW_MS = NOW_S * 1_000
ENTRY = BitstringEntry(URI, 94_567, "revocation")
PUBLICATION = BitstringPublication(
    uri=URI,
    issuer="did:example:12345",
    purpose="revocation",
    valid_from_ms=NOW_MS,
    valid_until_ms=NOW_MS + 600_000,
    ttl_ms=300_000,
)


def marked(*indices):
    """Make a bitstring in which some bits are set, by their definition."""
    content = bytearray(ENTRIES_MIN // 8)
    for index in indices:
        content[index // 8] |= 0x80 >> index % 8
    return bytes(content)


def refuse(use, *arguments):
    with pytest.raises(Unsound) as caught:
        use(*arguments)
    return caught.value.fault


def test_the_list_of_the_specification_is_read():
    credential = write_list_credential(marked(), PUBLICATION)
    credential["credentialSubject"]["encodedList"] = EMPTY
    bitstring = read_list_credential(credential, URI, NOW_MS)
    assert bitstring.content == bytes(16_384)
    assert verify_bitstring_status(bitstring, ENTRY) == 0


def test_a_list_is_written_as_the_specification_shows_it():
    credential = write_list_credential(marked(), PUBLICATION)
    encoded = credential["credentialSubject"].pop("encodedList")
    assert expand(decode_multibase(encoded, "it"), GZIP) == bytes(16_384)
    assert credential == {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": URI,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": "did:example:12345",
        "validFrom": "2023-11-14T22:13:20Z",
        "validUntil": "2023-11-14T22:23:20Z",
        "credentialSubject": {
            "id": f"{URI}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "ttl": 300_000,
        },
    }


@pytest.mark.parametrize("index", [0, 1, 7, 8, 94_567, ENTRIES_MIN - 1])
def test_a_credential_whose_bit_is_set_is_revoked(index):
    credential = write_list_credential(marked(index), PUBLICATION)
    bitstring = read_list_credential(credential, URI, NOW_MS)
    assert bitstring.ttl_ms == 300_000
    entry = BitstringEntry(URI, index, "revocation")
    assert refuse(verify_bitstring_status, bitstring, entry) is Fault.REVOKED
    other = BitstringEntry(URI, index ^ 1, "revocation")
    assert verify_bitstring_status(bitstring, other) == 0


@pytest.mark.parametrize(
    ("purpose", "fault"),
    [
        ("revocation", Fault.REVOKED),
        ("suspension", Fault.SUSPENDED),
        ("anything", Fault.STATUS),
        ("refresh", None),
        ("message", None),
    ],
)
def test_the_purpose_says_what_a_bit_means(purpose, fault):
    bitstring = Bitstring(marked(5), (purpose,), None)
    entry = BitstringEntry(URI, 5, purpose)
    if fault is None:
        assert verify_bitstring_status(bitstring, entry) == 1
    else:
        assert refuse(verify_bitstring_status, bitstring, entry) is fault


def test_a_list_for_another_purpose_says_nothing():
    bitstring = Bitstring(marked(5), ("suspension", "message"), None)
    assert refuse(get_bitstring_status, bitstring, ENTRY) is Fault.STATUS


@pytest.mark.parametrize("index", [ENTRIES_MIN, 10**11])
def test_a_place_beyond_the_list_is_a_fault(index):
    bitstring = Bitstring(marked(), ("revocation",), None)
    entry = BitstringEntry(URI, index, "revocation")
    assert refuse(get_bitstring_status, bitstring, entry) is Fault.STATUS


def test_a_list_that_is_too_short_is_a_fault():
    short = marked()[:-1]
    assert refuse(get_bitstring_status, Bitstring(short, ("revocation",), None), ENTRY) is (
        Fault.STATUS
    )
    assert refuse(write_list_credential, short, PUBLICATION) is Fault.MALFORMED
    two = BitstringEntry(URI, 5, "message", 2)
    assert refuse(get_bitstring_status, Bitstring(marked(), ("message",), None), two) is (
        Fault.STATUS
    )


@given(st.integers(1, 8), st.lists(st.integers(0, 255), min_size=1, max_size=20))
def test_entries_of_several_bits_are_read_from_the_left(size, values):
    values = [value % (1 << size) for value in values]
    text = "".join(f"{value:0{size}b}" for value in values).ljust(ENTRIES_MIN * size, "0")
    content = int(text, 2).to_bytes(ENTRIES_MIN * size // 8, "big")
    bitstring = Bitstring(content, ("message",), None)
    for index, value in enumerate(values):
        assert get_bitstring_status(bitstring, BitstringEntry(URI, index, "message", size)) == value


@given(
    st.sampled_from(Bits),
    st.dictionaries(st.integers(0, 999), st.integers(0, 255), max_size=20),
    st.integers(1, 3),
)
def test_the_entries_of_the_ledger_become_bitstrings(bits, statuses, wanted):
    statuses = {index: status % (1 << bits) for index, status in statuses.items()}
    entries = pack_entries(bits, 1_000, statuses)
    expected = marked(*(index for index, status in statuses.items() if status == wanted))
    assert convert_entries(entries, wanted) == expected


def test_a_long_list_becomes_a_long_bitstring():
    entries = Entries(Bits.TWO, bytes(2**18 - 1) + b"\x40")
    content = convert_entries(entries, 1)
    assert (len(content), content[-1]) == (2**17, 1)


@pytest.mark.parametrize("suite", ["eddsa-rdfc-2022", "eddsa-jcs-2022"])
def test_a_list_is_a_credential_whose_proof_verifies(suite):
    issuer = write_did_key(ISSUER.public_key)

    def find_key(method, purpose):
        return resolve_did_key(read_did(issuer)).find_key(method, purpose)

    credential = write_list_credential(marked(7), structs.replace(PUBLICATION, issuer=issuer))
    credential["credentialStatus"] = write_entry(ENTRY)
    proof = Proof(suite, name_did_key_method(issuer))
    signed = add_proof(credential, ISSUER, proof, load_pinned())
    found = verify_credential(signed, load_pinned(), NOW_MS, find_key).document
    assert read_list_credential(found, URI, NOW_MS).content == marked(7)
    assert read_entries(found) == [ENTRY]


# --- what strangers write -----------------------------------------------------------------------


def test_entries_are_written_and_read():
    written = write_entry(ENTRY)
    assert read_entries({"credentialStatus": written}) == [ENTRY]
    other = BitstringEntry(URI, 3, "suspension")
    found = {"credentialStatus": [written, {"type": "Other"}, write_entry(other)]}
    assert read_entries(found) == [ENTRY, other]
    assert read_entries({}) == []


def test_entries_of_several_bits_have_a_message_for_each_value():
    messages = [{"status": hex(value), "message": "x"} for value in range(4)]
    written = write_entry(ENTRY) | {"statusSize": 2, "statusMessage": messages}
    assert read_entries({"credentialStatus": written})[0].size == 2


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"statusPurpose": None}, Fault.MALFORMED),
        ({"statusListCredential": None}, Fault.MALFORMED),
        ({"statusListCredential": ""}, Fault.MALFORMED),
        ({"statusListIndex": 7}, Fault.MALFORMED),
        ({"statusListIndex": "-7"}, Fault.MALFORMED),
        ({"statusListIndex": "७"}, Fault.MALFORMED),
        ({"statusListIndex": ""}, Fault.MALFORMED),
        ({"statusListIndex": "9" * 5_000}, Fault.MALFORMED),
        ({"statusSize": 0}, Fault.MALFORMED),
        ({"statusSize": "1"}, Fault.MALFORMED),
        ({"statusSize": True}, Fault.MALFORMED),
        ({"statusSize": 2}, Fault.MALFORMED),
        ({"statusSize": 9}, Fault.UNSUPPORTED),
        ({"statusSize": 10**9}, Fault.UNSUPPORTED),
        ({"statusMessage": []}, Fault.MALFORMED),
        ({"statusMessage": [1, 2]}, Fault.MALFORMED),
        ({"statusMessage": [{"status": "0x0"}, {"status": "0x1"}]}, Fault.MALFORMED),
    ],
)
def test_an_entry_that_is_none_is_refused(changes, fault):
    assert refuse(read_entries, {"credentialStatus": write_entry(ENTRY) | changes}) is fault


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ("x", Fault.MALFORMED),
        ([1], Fault.MALFORMED),
        ([write_entry(ENTRY)] * 17, Fault.TOO_LARGE),
    ],
)
def test_statuses_that_are_none_are_refused(status, fault):
    assert refuse(read_entries, {"credentialStatus": status}) is fault


def with_list(**changes):
    credential = write_list_credential(marked(), PUBLICATION)
    subject = credential["credentialSubject"] | changes
    return credential | {"credentialSubject": subject}


BOMB = encode_multibase(compress(bytes(1 << 25), GZIP), BASE64URL)


@pytest.mark.parametrize(
    ("credential", "fault"),
    [
        ({}, Fault.TYPE),
        (with_list() | {"type": ["VerifiableCredential"]}, Fault.TYPE),
        (with_list() | {"id": "https://other.example.org"}, Fault.STATUS),
        (with_list() | {"validFrom": 7}, Fault.MALFORMED),
        (with_list() | {"validUntil": "tomorrow"}, Fault.MALFORMED),
        (with_list() | {"credentialSubject": []}, Fault.MALFORMED),
        (with_list(type="Other"), Fault.MALFORMED),
        (with_list(ttl="1"), Fault.MALFORMED),
        (with_list(ttl=-1), Fault.MALFORMED),
        (with_list(statusPurpose=None), Fault.MALFORMED),
        (with_list(statusPurpose=[]), Fault.MALFORMED),
        (with_list(statusPurpose=[1]), Fault.MALFORMED),
        (with_list(encodedList=None), Fault.MALFORMED),
        (with_list(encodedList=EMPTY[1:]), Fault.MALFORMED),
        (with_list(encodedList=EMPTY + "="), Fault.MALFORMED),
        (with_list(encodedList=encode_multibase(b"abc", BASE58)), Fault.MALFORMED),
        (with_list(encodedList="uabc"), Fault.MALFORMED),
        (with_list(encodedList=BOMB), Fault.TOO_LARGE),
    ],
)
def test_a_list_that_is_none_is_refused(credential, fault):
    assert refuse(read_list_credential, credential, URI, NOW_MS) is fault


@pytest.mark.parametrize(
    ("now_ms", "fault"),
    [
        (NOW_MS - LEEWAY_S * 1_000 - 1, Fault.NOT_YET_VALID),
        (NOW_MS + 600_000 + LEEWAY_S * 1_000, Fault.EXPIRED),
    ],
)
def test_a_list_of_another_time_is_refused(now_ms, fault):
    assert refuse(read_list_credential, with_list(), URI, now_ms) is fault


NAMES = ["id", "type", "validFrom", "credentialSubject", "credentialStatus", "statusPurpose",
         "statusListIndex", "statusListCredential", "statusSize", "encodedList", "ttl"]  # fmt: skip
LEAVES = st.sampled_from([None, 1, "x", EMPTY, URI, "BitstringStatusListEntry",
                          "BitstringStatusListCredential", "BitstringStatusList"])  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_credential_is_read_or_refused(credential):
    for use in (read_entries, lambda each: read_list_credential(each, URI, NOW_MS)):
        try:
            use(credential)
        except Unsound:
            continue
