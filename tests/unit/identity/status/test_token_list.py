"""Token Status Lists: the draft's own, ours, and those that nobody should believe."""

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.disclosing import ISSUER, NOW_S, STRANGER

from hansa.contracts.identity.status import Bits, Status
from hansa.identity.cose.sign1 import sign_sign1
from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.encoding.cbor import CBORTag, decode_cbor, decode_map, encode_cbor
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.claims import LEEWAY_S
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.jwk import read_jwk
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.status.entries import (
    EXPANDED_BYTES_MAX,
    GZIP,
    ZLIB,
    Entries,
    compress,
    expand,
    pack_entries,
    read_bits,
    verify_status,
)
from hansa.identity.status.reference import StatusReference, read_status
from hansa.identity.status.token_list import (
    Publication,
    sign_cwt_list,
    sign_jwt_list,
    verify_cwt_list,
    verify_jwt_list,
)

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors" / "status_list" / "lists.json").read_text()
)
URI = "https://issuer.example.org/status/7"
PUBLICATION = Publication(uri=URI, issued_s=NOW_S, expires_s=NOW_S + 600, ttl_s=300)
LIST = pack_entries(Bits.TWO, 1_000, {7: Status.INVALID, 8: Status.SUSPENDED, 999: 3})
SIGN = {verify_jwt_list: sign_jwt_list, verify_cwt_list: sign_cwt_list}
FORMS = pytest.mark.parametrize("verify", SIGN, ids=["jwt", "cwt"])


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case["name"])


def pack(case):
    statuses = {int(index): status for index, status in case["statuses"].items()}
    return pack_entries(Bits(case["bits"]), case["length"], statuses)


@named(VECTORS["lists"])
def test_the_lists_of_the_draft_are_packed_and_compressed_alike(case):
    data = compress(pack(case).content, ZLIB)
    assert encode_base64url(data) == case["lst"]
    assert encode_cbor({"bits": case["bits"], "lst": data}).hex() == case["cbor"]


@named(VECTORS["lists"])
def test_the_lists_of_the_draft_are_read(case):
    content = expand(decode_base64url(case["lst"], "it"), ZLIB)
    entries = Entries(read_bits(case["bits"]), content)
    assert len(entries) == case["length"]
    for index, status in case["statuses"].items():
        assert entries.get(int(index)) == status
    assert entries == pack(case)
    assert expand(decode_cbor(bytes.fromhex(case["cbor"]), "it")["lst"], ZLIB) == content


def test_the_tokens_of_the_draft_verify():
    key, uri = read_jwk(VECTORS["key"]), "https://example.com/statuslists/1"
    as_jwt = verify_jwt_list(VECTORS["jwt"], key, uri, NOW_S)
    as_cwt = verify_cwt_list(bytes.fromhex(VECTORS["cwt"]), key, uri, NOW_S)
    assert as_jwt == as_cwt
    assert as_jwt[1:] == (1_686_920_170, 2_291_720_170, 43_200)
    assert as_jwt.entries == Entries(Bits.ONE, b"\xb9\xa3")


def test_a_token_in_cbor_names_its_list_as_one_in_json_does():
    _, _, payload, _ = decode_cbor(bytes.fromhex(VECTORS["referenced_cwt"]), "it").value
    status = decode_map(payload, "it")[65_535]
    expected = StatusReference("https://example.com/statuslists/1", 0)
    assert read_status({"status": status}) == expected


@FORMS
def test_a_list_is_signed_and_verified(verify):
    found = verify(SIGN[verify](ISSUER, LIST, PUBLICATION), ISSUER.public_key, URI, NOW_S)
    assert found == (LIST, NOW_S, NOW_S + 600, 300)
    assert [found.entries.get(index) for index in (6, 7, 8, 999)] == [0, 1, 2, 3]


@FORMS
def test_what_a_publication_leaves_out_is_not_there(verify):
    token = SIGN[verify](ISSUER, LIST, Publication(uri=URI, issued_s=NOW_S))
    assert verify(token, ISSUER.public_key, URI, NOW_S)[1:] == (NOW_S, None, None)


@FORMS
@pytest.mark.parametrize(
    ("key", "uri", "now_s", "fault"),
    [
        (STRANGER.public_key, URI, NOW_S, Fault.SIGNATURE),
        (load_private_key(KeyKind.P256, b"\x01" * 32).public_key, URI, NOW_S, Fault.ALGORITHM),
        (ISSUER.public_key, URI + "0", NOW_S, Fault.STATUS),
        (ISSUER.public_key, URI, NOW_S + 600 + LEEWAY_S, Fault.EXPIRED),
        (ISSUER.public_key, URI, NOW_S - LEEWAY_S - 1, Fault.NOT_YET_VALID),
    ],
)
def test_a_list_of_another_issuer_name_or_time_is_refused(verify, key, uri, now_s, fault):
    token = SIGN[verify](ISSUER, LIST, PUBLICATION)
    with pytest.raises(Unsound) as caught:
        verify(token, key, uri, now_s)
    assert caught.value.fault is fault


LST = encode_base64url(compress(b"\0", ZLIB))
CLAIMS = {"sub": URI, "iat": NOW_S, "status_list": {"bits": 1, "lst": LST}}


def refuse_jwt(claims, typ="statuslist+jwt"):
    token = sign_jws(ISSUER, {"typ": typ}, json.dumps(claims).encode())
    with pytest.raises(Unsound) as caught:
        verify_jwt_list(token, ISSUER.public_key, URI, NOW_S)
    return caught.value.fault


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sub": None}, Fault.STATUS),
        ({"iat": None}, Fault.MALFORMED),
        ({"iat": str(NOW_S)}, Fault.MALFORMED),
        ({"exp": "never"}, Fault.MALFORMED),
        ({"ttl": 0}, Fault.MALFORMED),
        ({"ttl": "1"}, Fault.MALFORMED),
        ({"status_list": None}, Fault.MALFORMED),
        ({"status_list": []}, Fault.MALFORMED),
        ({"status_list": {"bits": 1}}, Fault.MALFORMED),
        ({"status_list": {"lst": LST}}, Fault.MALFORMED),
        ({"status_list": {"bits": 3, "lst": LST}}, Fault.MALFORMED),
        ({"status_list": {"bits": True, "lst": LST}}, Fault.MALFORMED),
        ({"status_list": {"bits": 1.0, "lst": LST}}, Fault.MALFORMED),
        ({"status_list": {"bits": 1, "lst": 1}}, Fault.MALFORMED),
        ({"status_list": {"bits": 1, "lst": LST + "="}}, Fault.MALFORMED),
        ({"status_list": {"bits": 1, "lst": LST[:-4]}}, Fault.MALFORMED),
    ],
)
def test_a_list_that_is_not_as_the_draft_says_is_refused(changes, fault):
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    assert refuse_jwt(claims) is fault


@pytest.mark.parametrize("typ", ["JWT", "dc+sd-jwt", "statuslist+cwt", None])
def test_another_token_is_no_list(typ):
    assert refuse_jwt(CLAIMS, typ) is Fault.TYPE


@pytest.mark.parametrize(
    ("protected", "payload", "fault"),
    [
        ({}, {}, Fault.TYPE),
        ({16: "application/statuslist+jwt"}, {}, Fault.TYPE),
        ({16: 60}, {}, Fault.TYPE),
        ({16: "application/statuslist+cwt"}, {}, Fault.STATUS),
        ({16: "application/statuslist+cwt"}, [], Fault.MALFORMED),
        ({16: "application/statuslist+cwt"}, {2: URI}, Fault.MALFORMED),
        (
            {16: "application/statuslist+cwt"},
            {2: URI, 6: NOW_S, 65_533: {"bits": 1, "lst": "e"}},
            Fault.MALFORMED,
        ),
    ],
)
def test_another_token_in_cbor_is_no_list(protected, payload, fault):
    signed = sign_sign1(ISSUER, encode_cbor(payload), protected=protected)
    with pytest.raises(Unsound) as caught:
        verify_cwt_list(encode_cbor(CBORTag(18, signed)), ISSUER.public_key, URI, NOW_S)
    assert caught.value.fault is fault


def test_a_list_in_cbor_has_its_tag():
    tagged = decode_cbor(sign_cwt_list(ISSUER, LIST, PUBLICATION), "it")
    with pytest.raises(Unsound, match="no tag 18"):
        verify_cwt_list(encode_cbor(tagged.value), ISSUER.public_key, URI, NOW_S)


# --- entries ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fault"),
    [(1, Fault.REVOKED), (2, Fault.SUSPENDED), (3, Fault.STATUS), (0xFF, Fault.STATUS)],
)
def test_a_status_that_is_not_valid_is_a_fault(status, fault):
    verify_status(0)
    with pytest.raises(Unsound) as caught:
        verify_status(status)
    assert caught.value.fault is fault


@pytest.mark.parametrize("index", [-1, 1_000, 10**30])
def test_a_place_that_is_not_in_the_list_is_a_fault(index):
    with pytest.raises(Unsound) as caught:
        LIST.get(index)
    assert caught.value.fault is Fault.STATUS


@pytest.mark.parametrize("statuses", [{4: 0}, {-1: 0}, {0: 2}, {0: -1}])
def test_what_a_list_cannot_hold_is_not_packed(statuses):
    with pytest.raises(Unsound) as caught:
        pack_entries(Bits.ONE, 4, statuses)
    assert caught.value.fault is Fault.MALFORMED


@given(st.sampled_from(Bits), st.lists(st.integers(0, 255), min_size=1, max_size=40))
def test_what_is_packed_is_read(bits, statuses):
    statuses = [status % (1 << bits) for status in statuses]
    entries = pack_entries(bits, len(statuses), dict(enumerate(statuses)))
    assert [entries.get(index) for index in range(len(statuses))] == statuses


# --- compression --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [ZLIB, GZIP])
def test_a_bomb_is_not_set_off(form):
    bomb = zlib.compressobj(9, zlib.DEFLATED, form)
    data = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(17)) + bomb.flush()
    assert len(data) < 1 << 17
    with pytest.raises(Unsound, match="expands to over 16777216") as caught:
        expand(data, form)
    assert caught.value.fault is Fault.TOO_LARGE


@pytest.mark.parametrize("size", [EXPANDED_BYTES_MAX - 1, EXPANDED_BYTES_MAX])
def test_the_largest_list_is_expanded(size):
    assert len(expand(compress(bytes(size), ZLIB), ZLIB)) == size


def test_one_byte_more_is_not():
    with pytest.raises(Unsound):
        expand(compress(bytes(101), ZLIB), ZLIB, 100)


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"", ZLIB),
        (compress(b"abc", ZLIB)[:-1], ZLIB),
        (compress(b"abc", ZLIB)[:-4], ZLIB),
        (compress(b"abc", ZLIB) + b"x", ZLIB),
        (compress(b"abc", GZIP) * 2, GZIP),
        (compress(b"abc", GZIP), ZLIB),
        (compress(b"abc", ZLIB), GZIP),
        (zlib.compress(b"abc", wbits=-15), ZLIB),
        (compress(b"abc", ZLIB)[:-1] + b"\0", ZLIB),
    ],
)
def test_what_was_not_compressed_so_is_refused(data, form):
    with pytest.raises(Unsound) as caught:
        expand(data, form)
    assert caught.value.fault is Fault.MALFORMED


@given(st.binary(max_size=60), st.sampled_from([ZLIB, GZIP]))
def test_any_bytes_are_expanded_or_refused(data, form):
    for each in (data, compress(data, form), compress(b"abc", form)[:8] + data):
        try:
            content = expand(each, form, 50)
        except Unsound:
            continue
        assert len(content) <= 50


@given(st.binary(max_size=80) | st.text(max_size=60))
def test_any_token_is_a_list_or_refused(token):
    verify = verify_jwt_list if isinstance(token, str) else verify_cwt_list
    with pytest.raises(Unsound):
        verify(token, ISSUER.public_key, URI, NOW_S)
