"""Certificates: those that are made are believed; others in their place are not."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.identity.mdoc.parts import (
    AUTHORITY,
    CERTIFICATE,
    DAY_MS,
    ISSUER,
    NOW_MS,
    ROOTS,
    authority_of,
    certify,
    draw_from,
    key_of,
    read_pem,
)

from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind, load_public_key
from hansa.identity.mdoc.certificates import (
    Period,
    Subject,
    create_authority,
    create_signer_certificate,
)
from hansa.identity.mdoc.chains import DOCUMENT_SIGNER, TrustedRoots

EXAMPLE_MS = 1_704_067_200_000  # 2024-01-01
KEYS = {
    name: ec.derive_private_key(number, ec.SECP256R1()) for name, number in (("A", 7), ("B", 8))
}


def fault_of(call, *arguments, **options):
    with pytest.raises(Unsound) as caught:
        call(*arguments, **options)
    return caught.value.fault


def make(name, issuer, *, issuer_key=None, is_authority=False, path_length=None, **changes):
    """Make a certificate that may lack anything; extensions are left out by `None`."""
    key = KEYS.setdefault(name, ec.derive_private_key(len(KEYS) + 50, ec.SECP256R1()))
    names = [
        x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, country),
                x509.NameAttribute(NameOID.COMMON_NAME, each),
            ]
        )
        for each, country in ((name, changes.pop("country", "MO")), (issuer, "MO"))
    ]
    builder = x509.CertificateBuilder(
        issuer_name=names[1],
        subject_name=names[0],
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=datetime.fromtimestamp(NOW_MS / 1_000 - 9, UTC),
        not_valid_after=datetime.fromtimestamp(NOW_MS / 1_000 + 9, UTC),
    )
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    usage |= {"key_cert_sign": is_authority, "digital_signature": not is_authority}
    extensions = {
        "constraints": x509.BasicConstraints(is_authority, path_length),
        "usage": x509.KeyUsage(**usage | changes.pop("usage", {})),
        "purposes": None if is_authority else x509.ExtendedKeyUsage([DOCUMENT_SIGNER]),
    } | changes
    for extension in extensions.values():
        if extension is not None:
            builder = builder.add_extension(extension, critical=True)
    signed = builder.sign(KEYS[issuer_key or issuer], hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


def find(root, *chain, time_ms=NOW_MS):
    return TrustedRoots([root]).find_signer(chain, time_ms)


# --- what we make -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384, KeyKind.ED25519])
@pytest.mark.parametrize("signer_kind", [KeyKind.P256, KeyKind.P384, KeyKind.ED25519])
def test_a_signer_is_believed(kind, signer_kind):
    authority, issuer = authority_of(kind=kind), key_of("issuer", signer_kind)
    certificate = certify(authority, issuer)
    for chain in [(certificate,), (certificate, authority.root)]:
        signer = find(authority.root, *chain)
        assert (signer.key, signer.country, signer.state) == (issuer.public_key, "MO", "Macao")
    assert certify(authority, issuer) == certificate


def test_certificates_are_as_the_standard_has_them():
    root, signer = (x509.load_der_x509_certificate(each) for each in (AUTHORITY.root, CERTIFICATE))
    root.verify_directly_issued_by(root)
    signer.verify_directly_issued_by(root)
    for each in (root, signer):
        assert each.serial_number.bit_length() == 159
    criticality = [{e.oid: e.critical for e in each.extensions} for each in (root, signer)]
    shared = dict.fromkeys(
        (
            ExtensionOID.SUBJECT_KEY_IDENTIFIER,
            ExtensionOID.ISSUER_ALTERNATIVE_NAME,
            ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ),
        False,
    ) | {ExtensionOID.KEY_USAGE: True}
    assert criticality == [
        shared | {ExtensionOID.BASIC_CONSTRAINTS: True},
        shared
        | {ExtensionOID.EXTENDED_KEY_USAGE: True, ExtensionOID.AUTHORITY_KEY_IDENTIFIER: False},
    ]


@pytest.mark.parametrize("days", [0, -1, 458])
def test_a_signer_is_certified_for_a_time(days):
    period = Period(NOW_MS, NOW_MS + days * DAY_MS)
    assert fault_of(certify, AUTHORITY, ISSUER, period) is Fault.KEY


def test_a_signer_does_not_outlive_its_authority():
    before = Period(NOW_MS - 101 * DAY_MS, NOW_MS)
    after = Period(NOW_MS + 2_900 * DAY_MS, NOW_MS + 3_001 * DAY_MS)
    for period in (before, after):
        assert fault_of(certify, AUTHORITY, ISSUER, period) is Fault.KEY
    assert fault_of(certify, AUTHORITY, ISSUER, country="PT") is Fault.KEY


@pytest.mark.parametrize(
    "changes",
    [
        {"key": key_of("k", KeyKind.SECP256K1)},
        {"subject": Subject("Macao", "Office")},
        {"subject": Subject("MO", "")},
        {"period": Period(-1, 5)},
        {"period": Period(NOW_MS, NOW_MS + 8_000 * DAY_MS)},
        {"period": Period(10**18, 10**18 + 5)},
        {"contact_uri": "https://澳門.example"},
    ],
)
def test_a_root_that_is_not_allowed_is_not_made(changes):
    arguments = {
        "key": key_of("k"),
        "subject": Subject("MO", "Office"),
        "period": Period(NOW_MS, NOW_MS + DAY_MS),
        "contact_uri": "https://office.example",
        "revocations_uri": "https://office.example/crl",
        "draw": draw_from("number"),
    } | changes
    key, subject, period = (arguments.pop(name) for name in ("key", "subject", "period"))
    assert fault_of(create_authority, key, subject, period, **arguments) is Fault.KEY


def test_a_key_that_signs_nothing_is_not_certified():
    key = load_public_key(KeyKind.X25519, bytes(range(32)))
    period = Period(NOW_MS, NOW_MS + DAY_MS)
    fault = fault_of(
        create_signer_certificate, AUTHORITY, key, Subject("MO", "x"), period, draw_from("n")
    )
    assert fault is Fault.KEY


# --- what others made ---------------------------------------------------------------------------


def test_a_signer_that_others_certified_is_believed():
    root, signer = read_pem("isomdl_iaca_root_cert.pem"), read_pem("isomdl_iaca_signer.pem")
    assert find(root, signer, time_ms=EXAMPLE_MS).country == "US"
    assert fault_of(find, root, signer, time_ms=NOW_MS) is Fault.EXPIRED
    other = read_pem("owf_multipaz_iaca_p384.pem")
    assert fault_of(find, other, signer, time_ms=EXAMPLE_MS) is Fault.ISSUER


@pytest.mark.parametrize(
    "chain",
    [
        ("isomdl_incorrect_iaca_signer.pem",),
        ("isomdl_iaca_leaf_signer.pem", "isomdl_iaca_intermediate.pem"),
        ("isomdl_iaca_root_cert.pem",),
        ("owf_multipaz_ds_p384.pem",),
    ],
)
def test_certificates_of_others_in_the_place_of_a_signer_are_refused(chain):
    root = read_pem("isomdl_iaca_root_cert.pem")
    chain = [read_pem(name) for name in chain]
    assert fault_of(find, root, *chain, time_ms=EXAMPLE_MS) is Fault.KEY


def test_only_a_root_is_trusted():
    assert fault_of(TrustedRoots, [CERTIFICATE]) is Fault.KEY
    assert fault_of(TrustedRoots, [b"none"]) is Fault.KEY
    assert fault_of(find, AUTHORITY.root) is Fault.ISSUER
    assert fault_of(TrustedRoots([]).find_signer, (CERTIFICATE,), NOW_MS) is Fault.ISSUER


def test_one_of_two_roots_of_one_name_is_found():
    older = make("A", "A", is_authority=True)
    KEYS["newer"] = ec.derive_private_key(99, ec.SECP256R1())
    root = make("A", "A", issuer_key="newer", is_authority=True)  # not even signed by itself
    signer = make("S", "A")
    assert TrustedRoots([root, older]).find_signer((signer,), NOW_MS).certificate == signer


@pytest.mark.parametrize(
    ("days", "fault"), [(-31, Fault.NOT_YET_VALID), (301, Fault.EXPIRED), (0, None)]
)
def test_a_certificate_is_valid_for_a_time(days, fault):
    time_ms = NOW_MS + days * DAY_MS
    if fault:
        assert fault_of(ROOTS.find_signer, (CERTIFICATE,), time_ms) is fault
    else:
        ROOTS.find_signer((CERTIFICATE,), time_ms)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"constraints": None}, None),
        ({"is_authority": True}, Fault.KEY),
        ({"usage": {"digital_signature": False}}, Fault.KEY),
        ({"usage": {"key_cert_sign": True}}, Fault.KEY),
        ({"purposes": None}, Fault.KEY),
        (
            {"purposes": x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.0.18013.5.1.6")])},
            Fault.KEY,
        ),
        ({"strange": x509.OCSPNoCheck()}, Fault.KEY),
        ({"country": "PT"}, Fault.ISSUER),
        ({"issuer_key": "B"}, Fault.ISSUER),
    ],
)
def test_a_signer_is_certified_for_documents(change, fault):
    root, signer = make("A", "A", is_authority=True), make("S", "A", **change)
    if fault is None:
        assert find(root, signer).certificate == signer
    else:
        assert fault_of(find, root, signer) is fault


def test_an_authority_may_stand_between():
    root = make("A", "A", is_authority=True, path_length=1)
    middle = make("M", "A", is_authority=True, path_length=0)
    signer = make("S", "M")
    assert find(root, signer, middle).certificate == signer
    assert find(root, signer, middle, root).certificate == signer
    assert fault_of(find, root, signer) is Fault.ISSUER
    assert fault_of(find, root, middle, signer) is Fault.KEY
    assert fault_of(find, root, signer, middle, middle) is Fault.KEY


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"is_authority": False}, Fault.KEY),
        ({"usage": {"key_cert_sign": False}}, Fault.KEY),
        ({"issuer_key": "B"}, Fault.ISSUER),
    ],
)
def test_whoever_stands_between_is_an_authority(change, fault):
    root = make("A", "A", is_authority=True)
    middle = make("M", "A", **{"is_authority": True} | change)
    assert fault_of(find, root, make("S", "M"), middle) is fault


def test_a_path_is_as_long_as_its_authorities_allow():
    short = make("A", "A", is_authority=True, path_length=0)
    middle = make("M", "A", is_authority=True)
    assert fault_of(find, short, make("S", "M"), middle) is Fault.KEY
    root = make("A", "A", is_authority=True)
    low = make("L", "M", is_authority=True)
    assert find(root, make("S", "L"), low, middle)
    middle = make("M", "A", is_authority=True, path_length=0)
    assert fault_of(find, root, make("S", "L"), low, middle) is Fault.KEY


@given(st.integers(0, len(CERTIFICATE) * 8 - 1))
def test_a_flipped_bit_is_unsound(place):
    raw = bytearray(CERTIFICATE)
    raw[place // 8] ^= 1 << place % 8
    with pytest.raises(Unsound):
        ROOTS.find_signer((bytes(raw),), NOW_MS)


@given(
    st.lists(st.binary(max_size=64) | st.just(CERTIFICATE) | st.just(AUTHORITY.root), max_size=4)
)
def test_bytes_are_unsound(chain):
    try:
        signer = ROOTS.find_signer(tuple(chain), NOW_MS)
    except Unsound:
        return
    assert signer.certificate == CERTIFICATE == chain[0]


def test_a_large_certificate_is_refused():
    assert fault_of(find, AUTHORITY.root, bytes(20_000)) is Fault.TOO_LARGE
