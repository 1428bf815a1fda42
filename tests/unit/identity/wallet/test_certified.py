"""Verifiers with a certificate: it must be theirs, be valid, and lead to a trusted root."""

import base64
import hashlib
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.identity.verifier.playing import NOW_MS, RESIDENT
from tests.unit.identity.wallet.certifying import (
    AUTHORITY_DER,
    LEAF,
    LEAF_DER,
    LIMITED_DER,
    LIMITED_LEAF_DER,
    OLD_DER,
    OTHER_ROOT_DER,
    ROOT,
    ROOT_DER,
    STRANGER,
    WILD_DER,
)

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import sign_jws
from hansa.identity.wallet.requests import Invitation, KeyFinder, read_request

STRANGE_DER = LEAF_DER.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07", 1)


def name(der):
    return f"x509_hash:{encode_base64url(hashlib.sha256(der).digest())}"


HASH = name(LEAF_DER)
HOST = "x509_san_dns:bank.example"


def read(client_id, chain, *, roots=(ROOT_DER,), key=LEAF, uri="https://bank.example/answer"):
    told = {
        "client_id": client_id,
        "response_type": "vp_token",
        "response_mode": "direct_post",
        "response_uri": uri,
        "nonce": "n",
        "dcql_query": RESIDENT,
    }
    shown = [base64.b64encode(each).decode() for each in chain] if chain is not None else None
    header = {"typ": "oauth-authz-req+jwt", "x5c": shown}
    token = sign_jws(key, header, msgspec.json.encode(told))
    invitation = Invitation(client_id, "https://bank.example/request", uses_post=False)

    def resolve(kid):
        raise Unsound(Fault.UNRESOLVED, kid)

    return read_request(token, invitation, "", KeyFinder(resolve, roots, NOW_MS), NOW_MS)


@pytest.mark.parametrize("client_id", [HASH, HOST])
@pytest.mark.parametrize("chain", [[LEAF_DER], [LEAF_DER, ROOT_DER]])
def test_a_verifier_with_a_certificate_is_known(client_id, chain):
    assert read(client_id, chain).client_id == client_id


@pytest.mark.parametrize(
    ("client_id", "how", "fault"),
    [
        (HASH, {"chain": [OLD_DER]}, Fault.ISSUER),
        (HOST, {"chain": [OLD_DER]}, Fault.ISSUER),
        ("x509_san_dns:evil.example", {"chain": [LEAF_DER]}, Fault.ISSUER),
        ("x509_san_dns:", {"chain": [LEAF_DER]}, Fault.ISSUER),
        (HOST, {"chain": [LEAF_DER], "roots": [OTHER_ROOT_DER]}, Fault.ISSUER),
        (HOST, {"chain": [LEAF_DER], "roots": []}, Fault.ISSUER),
        (HOST, {"chain": [ROOT_DER]}, Fault.ISSUER),
        (HOST, {"chain": [LEAF_DER], "key": STRANGER}, Fault.SIGNATURE),
        (HOST, {"chain": [LEAF_DER], "uri": "https://evil.example/answer"}, Fault.ISSUER),
        (HOST, {"chain": [LEAF_DER], "uri": "https://bank.example@evil.example/"}, Fault.MALFORMED),
        (HOST, {"chain": [LEAF_DER], "uri": "https://[bank.example"}, Fault.MALFORMED),
        (HOST, {"chain": [LEAF_DER], "uri": "https://bank.example:99999/"}, Fault.MALFORMED),
        (HOST, {"chain": [LEAF_DER], "uri": "https://bank.example/\r\nx: y"}, Fault.MALFORMED),
        (
            "x509_san_dns:*.example",
            {"chain": [WILD_DER], "uri": "https://*.example/"},
            Fault.MALFORMED,
        ),
        (HOST, {"chain": [AUTHORITY_DER]}, Fault.ISSUER),
        (name(ROOT_DER), {"chain": [ROOT_DER], "key": ROOT}, Fault.ISSUER),
        (HOST, {"chain": [LIMITED_LEAF_DER, LIMITED_DER]}, Fault.ISSUER),
        (name(STRANGE_DER), {"chain": [STRANGE_DER]}, Fault.KEY),
        (HOST, {"chain": [STRANGE_DER]}, Fault.KEY),
        (HOST, {"chain": [LEAF_DER, b"x"]}, Fault.KEY),
        (HOST, {"chain": []}, Fault.KEY),
        (HOST, {"chain": None}, Fault.KEY),
        (HOST, {"chain": [LEAF_DER] * 7}, Fault.KEY),
        (HOST, {"chain": [b"x"]}, Fault.KEY),
    ],
)
def test_a_certificate_that_is_not_its_own_valid_and_trusted_is_refused(client_id, how, fault):
    with pytest.raises(Unsound) as caught:
        read(client_id, **how)
    assert caught.value.fault is fault


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.lists(st.tuples(st.integers(0, len(LEAF_DER) - 1), st.integers(0, 255)), max_size=3))
def test_a_changed_certificate_is_refused_and_breaks_nothing(changes):
    changed = bytearray(LEAF_DER)
    for place, byte in changes:
        changed[place] = byte
    der = bytes(changed)
    for client_id in (HOST, name(der)):
        if der != LEAF_DER:
            with suppress(Unsound):
                read(client_id, [der])
