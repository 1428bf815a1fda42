"""Mobile documents: what is issued is shown in part and verifies; whatever was changed does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.identity.mdoc.parts import (
    AUTHORITY,
    CERTIFICATE,
    DAY_MS,
    DEVICE,
    DOC_TYPE,
    DRAFT,
    ELEMENTS,
    ISSUED,
    ISSUER,
    NAMESPACE,
    NOW_MS,
    OTHER,
    ROOTS,
    TRANSCRIPT,
    authority_of,
    certify,
    issue,
    key_of,
    show,
)

from hansa.identity.cose.sign1 import sign_sign1
from hansa.identity.encoding.cbor import (
    CBORTag,
    decode_cbor,
    decode_map,
    encode_cbor,
    wrap_encoded,
)
from hansa.identity.faults import Fault, Unsound
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.mdoc.documents import decode_issued
from hansa.identity.mdoc.presenting import Selection, create_device_response
from hansa.identity.mdoc.security_object import (
    DIGESTS,
    SecurityObject,
    Validity,
    compute_digest,
    read_security_object,
    write_item,
    write_security_object,
)
from hansa.identity.mdoc.transcripts import (
    compute_device_authentication,
    create_redirect_transcript,
)
from hansa.identity.mdoc.verifying import verify_device_response, verify_issued


def verify(raw, trust=ROOTS, doc_type=DOC_TYPE, transcript=TRANSCRIPT, time_ms=NOW_MS):
    return verify_device_response(
        raw, trust, doc_type=doc_type, transcript=transcript, time_ms=time_ms
    )


def verify_alone(raw, trust=ROOTS, doc_type=DOC_TYPE, time_ms=NOW_MS):
    return verify_issued(raw, trust, doc_type=doc_type, time_ms=time_ms)


def fault_of(call, *arguments, **options):
    with pytest.raises(Unsound) as caught:
        call(*arguments, **options)
    return caught.value.fault


def change(raw, *path, to):
    """Set what stands at a path in encoded CBOR."""
    value = decode_cbor(raw, "it")
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to(place[path[-1]]) if callable(to) else to
    return encode_cbor(value)


def sign_object(signed, elements=(), signer=ISSUER):
    """Sign a security object as the issuer would, whatever it says; elements are encoded items."""
    raw = signed if isinstance(signed, bytes) else write_security_object(signed)
    auth = sign_sign1(signer, encode_cbor(wrap_encoded(raw)), unprotected={33: CERTIFICATE})
    return encode_cbor({"nameSpaces": {NAMESPACE: list(elements)}, "issuerAuth": auth})


def object_of(**changes):
    plain = SecurityObject(DOC_TYPE, "SHA-256", {}, DEVICE.public_key, DRAFT.validity)
    return plain._replace(**changes)


# --- what is sound ----------------------------------------------------------------------------


def test_a_document_is_verified_by_its_holder():
    verified = verify_alone(ISSUED)
    assert verified.elements == ELEMENTS
    assert verified.signed.device_key == DEVICE.public_key
    assert (verified.signed.validity, verified.signed.status) == (DRAFT.validity, DRAFT.status)
    assert (verified.issuer.key, verified.issuer.certificate) == (ISSUER.public_key, CERTIFICATE)
    assert (verified.issuer.country, verified.issuer.state) == ("MO", "Macao")


def test_only_what_is_selected_is_shown():
    raw = show(names={NAMESPACE: {"age_over_18", "portrait"}, OTHER: []})
    (presented,) = verify(raw)
    portrait = ELEMENTS[NAMESPACE]["portrait"]
    assert presented.elements == {NAMESPACE: {"age_over_18": True, "portrait": portrait}}
    assert b"Lei" not in raw
    assert b"Taipa" not in raw


def test_a_document_may_show_nothing_but_that_it_is_there():
    (presented,) = verify(show(names={}))
    assert presented.elements == {}
    assert presented.signed.doc_type == DOC_TYPE


@pytest.mark.parametrize("algorithm", DIGESTS)
@pytest.mark.parametrize("kind", [KeyKind.P256, KeyKind.P384, KeyKind.ED25519, KeyKind.SECP256K1])
def test_every_algorithm_verifies(algorithm, kind):
    issuer, device = key_of("issuer", kind), key_of("device", kind)
    chain = (certify(AUTHORITY, issuer),)
    issued = issue(
        signer=issuer, chain=chain, device_key=device.public_key, digest_algorithm=algorithm
    )
    for trust in (ROOTS, issuer.public_key):
        (presented,) = verify(show(issued, signer=device), trust)
        assert presented.elements[NAMESPACE]["given_name"] == "Ana"


def test_a_verifier_may_know_the_key_itself():
    issued = issue(chain=())
    (presented,) = verify(show(issued), ISSUER.public_key)
    assert presented.issuer.certificate is None
    assert fault_of(verify, show(issued)) is Fault.ISSUER
    assert fault_of(verify, show(issued), DEVICE.public_key) is Fault.SIGNATURE
    other = key_of("x", KeyKind.ED25519).public_key
    assert fault_of(verify, show(issued), other) is Fault.ALGORITHM


def test_several_documents_are_shown_at_once():
    selections = [Selection(ISSUED, {NAMESPACE: [name]}, DEVICE) for name in ELEMENTS[NAMESPACE]]
    presented = verify(create_device_response(selections, TRANSCRIPT))
    shown = {name for each in presented for name in each.elements[NAMESPACE]}
    assert shown == ELEMENTS[NAMESPACE].keys()


def test_digest_ids_do_not_tell_the_order_of_elements():
    def order_of(seed):
        items = decode_issued(issue(seed), "it").items[NAMESPACE]
        return [item.name for item in sorted(items)]

    assert len({tuple(order_of(str(seed))) for seed in range(8)}) > 1


def test_the_device_adds_what_the_issuer_allows():
    added = {NAMESPACE: {"amount_minor": 1250}}
    allowed = (
        issue(device_namespaces=frozenset([NAMESPACE])),
        issue(device_elements=frozenset([(NAMESPACE, "amount_minor"), (OTHER, "x")])),
    )
    for issued in allowed:
        (presented,) = verify(show(issued, device_elements=added))
        assert presented.device_elements == added
        assert "amount_minor" not in presented.elements[NAMESPACE]


# --- what the holder may not do ---------------------------------------------------------------


def test_the_device_adds_nothing_else():
    for issued in (
        ISSUED,
        issue(device_elements=frozenset([(NAMESPACE, "b"), (OTHER, "a")])),
        issue(device_namespaces=frozenset([OTHER])),
    ):
        added = {NAMESPACE: {"a": 1}}
        assert fault_of(show, issued, device_elements=added) is Fault.DISCLOSURE
    loose = show(issue(device_namespaces=frozenset([NAMESPACE])), device_elements=added)
    documents = decode_cbor(loose, "it")["documents"]
    strict = change(show(), "documents", 0, "deviceSigned", to=documents[0]["deviceSigned"])
    assert fault_of(verify, strict) is Fault.DISCLOSURE


def test_an_element_that_is_not_there_is_not_shown():
    assert fault_of(show, names={NAMESPACE: ["nickname"]}) is Fault.DISCLOSURE
    assert fault_of(show, names={"elsewhere": ["given_name"]}) is Fault.DISCLOSURE


def test_another_key_does_not_show_a_document():
    assert fault_of(show, signer=key_of("thief")) is Fault.BINDING


# --- what the verifier refuses ----------------------------------------------------------------


def verify_broken(raw):
    """Whoever carries an answer may withhold elements; all that is shown is as it was issued."""
    try:
        (presented,) = verify(raw)
    except Unsound:
        return
    assert presented.elements == {} or presented.elements == verify(show())[0].elements
    assert presented[1:] == verify(show())[0][1:]


@given(st.integers(0, 2**20))
def test_a_flipped_bit_changes_nothing_that_is_believed(place):
    raw = bytearray(show())
    place %= len(raw) * 8
    raw[place // 8] ^= 1 << place % 8
    verify_broken(bytes(raw))


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_a_flipped_byte_changes_nothing_that_is_believed(flip):
    raw = show()
    for place in range(len(raw)):
        verify_broken(raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :])


@given(st.binary(max_size=200))
def test_bytes_are_unsound(raw):
    for call in (verify, verify_alone, read_security_object):
        with pytest.raises(Unsound):
            call(raw, "it") if call is read_security_object else call(raw)


@pytest.mark.parametrize(
    "transcript",
    [
        create_redirect_transcript("x509_san_dns:shop.example", "another", "https://shop.example"),
        create_redirect_transcript("x509_san_dns:thief.example", "nonce", "https://shop.example"),
        create_redirect_transcript("x509_san_dns:shop.example", "nonce", "https://thief.example"),
        create_redirect_transcript(
            "x509_san_dns:shop.example", "nonce", "https://shop.example", bytes(32)
        ),
        b"",
    ],
)
def test_an_answer_to_another_request_is_refused(transcript):
    assert fault_of(verify, show(), transcript=transcript) is Fault.BINDING


def test_the_signature_of_another_device_is_refused():
    thief = key_of("thief")
    theirs = show(issue(device_key=thief.public_key), signer=thief)
    signed = decode_cbor(theirs, "it")["documents"][0]["deviceSigned"]
    stolen = change(show(), "documents", 0, "deviceSigned", to=signed)
    assert fault_of(verify, stolen) is Fault.BINDING


def test_another_type_is_refused():
    assert fault_of(verify, show(), doc_type="org.iso.18013.5.1.mDL") is Fault.TYPE
    renamed = change(show(), "documents", 0, "docType", to="org.iso.18013.5.1.mDL")
    assert fault_of(verify, renamed) is Fault.TYPE
    assert fault_of(verify, renamed, doc_type="org.iso.18013.5.1.mDL") is Fault.TYPE
    assert fault_of(verify_alone, ISSUED, doc_type="other") is Fault.TYPE


@pytest.mark.parametrize(
    ("time_ms", "fault"),
    [
        (DRAFT.validity.valid_from_ms - 1, Fault.NOT_YET_VALID),
        (DRAFT.validity.valid_from_ms, None),
        (DRAFT.validity.valid_until_ms, None),
        (DRAFT.validity.valid_until_ms + 1, Fault.EXPIRED),
    ],
)
def test_a_document_is_valid_for_a_time(time_ms, fault):
    if fault is None:
        verify(show(), time_ms=time_ms)
    else:
        assert fault_of(verify, show(), time_ms=time_ms) is fault


def test_an_element_of_another_document_is_refused():
    other = decode_cbor(issue("others", elements={NAMESPACE: {"age_over_18": True}}), "it")
    foreign = other["nameSpaces"][NAMESPACE]
    swapped = change(show(), "documents", 0, "issuerSigned", "nameSpaces", NAMESPACE, to=foreign)
    assert fault_of(verify, swapped) is Fault.DISCLOSURE


def test_an_element_stands_only_in_its_namespace():
    moved = change(ISSUED, "nameSpaces", to=lambda each: {NAMESPACE: each[OTHER]})
    assert fault_of(verify_alone, moved) is Fault.DISCLOSURE
    unknown = change(ISSUED, "nameSpaces", to=lambda each: {"elsewhere": each[OTHER]})
    assert fault_of(verify_alone, unknown) is Fault.DISCLOSURE


def test_an_element_stands_there_once():
    doubled = change(ISSUED, "nameSpaces", NAMESPACE, to=lambda items: [*items, items[0]])
    assert fault_of(verify_alone, doubled) is Fault.DUPLICATE
    first = write_item(0, bytes(16), "a", 1)
    for second in (write_item(1, bytes(16), "a", 2), write_item(0, bytes(16), "b", 2)):
        digests = {0: compute_digest("SHA-256", first), 1: compute_digest("SHA-256", second)}
        signed = object_of(digests={NAMESPACE: digests})
        raw = sign_object(signed, [wrap_encoded(first), wrap_encoded(second)])
        assert fault_of(verify_alone, raw) is Fault.DUPLICATE


@pytest.mark.parametrize("salt", [b"", bytes(15)])
def test_an_element_has_a_long_salt(salt):
    item = write_item(0, salt, "a", 1)
    signed = object_of(digests={NAMESPACE: {0: compute_digest("SHA-256", item)}})
    assert fault_of(verify_alone, sign_object(signed, [wrap_encoded(item)])) is Fault.MALFORMED


def test_a_digest_of_another_length_is_no_digest():
    item = write_item(0, bytes(16), "a", 1)
    for digest in (b"", compute_digest("SHA-256", item)[:16]):
        signed = object_of(digests={NAMESPACE: {0: digest}})
        raw = sign_object(signed, [wrap_encoded(item)])
        assert fault_of(verify_alone, raw) is Fault.DISCLOSURE


def test_another_issuer_does_not_sign():
    thief = key_of("thief")
    assert fault_of(verify_alone, issue(signer=thief)) is Fault.SIGNATURE
    their_office = authority_of("thief")
    chain = (certify(their_office, thief),)
    assert fault_of(verify_alone, issue(signer=thief, chain=chain)) is Fault.ISSUER
    chain = (*chain, their_office.root)
    assert fault_of(verify_alone, issue(signer=thief, chain=chain)) is Fault.ISSUER


def test_the_certificate_says_the_algorithm():
    other = key_of("issuer", KeyKind.ED25519)
    assert fault_of(verify_alone, issue(signer=other)) is Fault.ALGORITHM


def test_a_document_signed_before_its_certificate_is_refused():
    early = Validity(NOW_MS - 60 * DAY_MS, NOW_MS - DAY_MS, NOW_MS + DAY_MS)
    assert fault_of(verify_alone, issue(validity=early)) is Fault.ISSUER


def test_a_licence_belongs_to_the_country_of_its_certificate():
    namespace = "org.iso.18013.5.1"
    places = {"issuing_country": "MO", "issuing_jurisdiction": "Macao"}
    verify_alone(issue(elements={namespace: places}))
    for name in places:
        raw = issue(elements={namespace: places | {name: "PT"}})
        assert fault_of(verify_alone, raw) is Fault.ISSUER


OBJECT = decode_map(write_security_object(object_of(status=DRAFT.status)), "it")


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ({"version": "2.0"}, Fault.UNSUPPORTED),
        ({"version": None}, Fault.UNSUPPORTED),
        ({"docType": 1}, Fault.MALFORMED),
        ({"digestAlgorithm": "SHA-1"}, Fault.ALGORITHM),
        ({"digestAlgorithm": "sha256"}, Fault.ALGORITHM),
        ({"digestAlgorithm": []}, Fault.ALGORITHM),
        ({"valueDigests": []}, Fault.MALFORMED),
        ({"valueDigests": {1: {}}}, Fault.MALFORMED),
        ({"valueDigests": {NAMESPACE: []}}, Fault.MALFORMED),
        ({"valueDigests": {NAMESPACE: {"0": b""}}}, Fault.MALFORMED),
        ({"valueDigests": {NAMESPACE: {0: "digest"}}}, Fault.MALFORMED),
        ({"deviceKeyInfo": None}, Fault.MALFORMED),
        ({"deviceKeyInfo": {}}, Fault.KEY),
        ({"validityInfo": {}}, Fault.MALFORMED),
        ({"validityInfo": {"signed": "2026-01-01T00:00:00Z"}}, Fault.MALFORMED),
        ({"status": {}}, Fault.UNSUPPORTED),
        ({"status": {"identifier_list": {"id": b"1"}}}, Fault.UNSUPPORTED),
        ({"status": 1}, Fault.MALFORMED),
        ({"status": {"status_list": {"idx": -1, "uri": "u"}}}, Fault.MALFORMED),
        ({"status": {"status_list": {"idx": True, "uri": "u"}}}, Fault.MALFORMED),
        ({"status": {"status_list": {"idx": 1}}}, Fault.MALFORMED),
        ({"x": bytes(200_000)}, Fault.TOO_LARGE),
    ],
)
def test_a_security_object_that_is_not_as_it_should_be_is_refused(part, fault):
    raw = encode_cbor(OBJECT | part)
    assert fault_of(read_security_object, raw, "it") is fault
    assert fault_of(verify_alone, sign_object(raw)) is fault


@pytest.mark.parametrize(
    "rights",
    [
        1,
        {"nameSpaces": 1},
        {"nameSpaces": [1]},
        {"dataElements": 1},
        {"dataElements": ["a"]},
        {"dataElements": {1: ["a"]}},
        {"dataElements": {"a": "b"}},
        {"dataElements": {"a": [b"b"]}},
    ],
)
def test_rights_of_the_device_that_cannot_be_read_are_refused(rights):
    info = OBJECT["deviceKeyInfo"] | {"keyAuthorizations": rights}
    raw = encode_cbor(OBJECT | {"deviceKeyInfo": info})
    assert fault_of(read_security_object, raw, "it") is Fault.MALFORMED


@pytest.mark.parametrize("times", [(2, 1, 3), (1, 3, 2), (1, 2, 2)])
def test_times_follow_one_another(times):
    validity = Validity(*(NOW_MS + each * DAY_MS for each in times))
    assert fault_of(issue, validity=validity) is Fault.MALFORMED
    info = dict(
        zip(
            ("signed", "validFrom", "validUntil"),
            (CBORTag(0, f"2026-01-0{each}T00:00:00Z") for each in times),
            strict=True,
        )
    )
    raw = encode_cbor(OBJECT | {"validityInfo": info})
    assert fault_of(read_security_object, raw, "it") is Fault.MALFORMED


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("version",), "2.0", Fault.UNSUPPORTED),
        (("version",), None, Fault.UNSUPPORTED),
        (("status",), 10, Fault.MALFORMED),
        (("documents",), [], Fault.MALFORMED),
        (("documents",), {}, Fault.MALFORMED),
        (("documents",), [1], Fault.MALFORMED),
        (("documents",), [None] * 17, Fault.TOO_LARGE),
        (("documents", 0, "deviceSigned"), None, Fault.MALFORMED),
        (("documents", 0, "issuerSigned"), None, Fault.MALFORMED),
        (("documents", 0, "issuerSigned", "issuerAuth"), [], Fault.MALFORMED),
        (("documents", 0, "issuerSigned", "nameSpaces"), [], Fault.MALFORMED),
        (("documents", 0, "issuerSigned", "nameSpaces"), {"a": 1}, Fault.MALFORMED),
        (("documents", 0, "issuerSigned", "nameSpaces"), {1: []}, Fault.MALFORMED),
        (("documents", 0, "issuerSigned", "nameSpaces"), {"a": [b""]}, Fault.MALFORMED),
        (("documents", 0, "issuerSigned", "nameSpaces"), {"a": [1] * 600}, Fault.TOO_LARGE),
        (
            ("documents", 0, "issuerSigned", "nameSpaces"),
            {"a": [wrap_encoded(encode_cbor({"digestID": True, "random": bytes(16)}))]},
            Fault.MALFORMED,
        ),
        (
            ("documents", 0, "issuerSigned", "nameSpaces"),
            {"a": [wrap_encoded(encode_cbor({"digestID": 1, "random": bytes(16)}))]},
            Fault.MALFORMED,
        ),
        (("documents", 0, "deviceSigned", "deviceAuth"), {}, Fault.UNSUPPORTED),
        (("documents", 0, "deviceSigned", "deviceAuth"), {"deviceMac": []}, Fault.UNSUPPORTED),
        (
            ("documents", 0, "deviceSigned", "deviceAuth"),
            {"deviceSignature": []},
            Fault.MALFORMED,
        ),
        (("documents", 0, "deviceSigned", "nameSpaces"), {}, Fault.MALFORMED),
        (("documents", 0, "deviceSigned", "nameSpaces"), wrap_encoded(b"\xa0 "), Fault.BINDING),
    ],
)
def test_a_response_that_is_not_as_it_should_be_is_refused(path, value, fault):
    assert fault_of(verify, change(show(), *path, to=value)) is fault


@pytest.mark.parametrize("added", [{"a": 1}, {1: {}}, {NAMESPACE: {1: 1}}, {"a": {}, "b": []}])
def test_what_the_device_adds_is_read_strictly(added):
    issued = issue(device_namespaces=frozenset([NAMESPACE]))
    raw = show(issued, device_elements={NAMESPACE: {"a": 1}})
    signed = decode_cbor(raw, "it")["documents"][0]["deviceSigned"]
    raw_added = encode_cbor(added)
    content = compute_device_authentication(TRANSCRIPT, DOC_TYPE, raw_added)
    signed["nameSpaces"] = wrap_encoded(raw_added)
    signed["deviceAuth"] = {"deviceSignature": sign_sign1(DEVICE, content, is_detached=True)}
    broken = change(raw, "documents", 0, "deviceSigned", to=signed)
    assert fault_of(verify, broken) is Fault.MALFORMED


def test_an_attached_content_is_not_what_the_device_signed():
    attached = sign_sign1(DEVICE, b"something else")
    place = ("documents", 0, "deviceSigned", "deviceAuth", "deviceSignature")
    assert fault_of(verify, change(show(), *place, to=attached)) is Fault.MALFORMED
