"""Verifiers with a certificate: it must be theirs, be valid, and lead to a trusted root."""

import base64
import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.identity.verifier.playing import NOW_MS, RESIDENT

from hansa.identity.encoding.base64url import encode_base64url
from hansa.identity.faults import Fault, Unsound
from hansa.identity.jose.jws import sign_jws
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.wallet.requests import Invitation, KeyFinder, read_request

LEAF = load_private_key(KeyKind.P256, b"\x41" * 32)
ROOT = load_private_key(KeyKind.P256, b"\x42" * 32)
STRANGER = load_private_key(KeyKind.P256, b"\x43" * 32)
DAY = datetime(2026, 11, 1, tzinfo=UTC)


def private(key):
    return ec.derive_private_key(int.from_bytes(key.secret, "big"), ec.SECP256R1())


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
    return builder.sign(private(issuer_key), hashes.SHA256()).public_bytes(Encoding.DER)


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
