"""DIDs and DID URLs are read strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.did import Did, DidUrl, read_did, read_did_url


@pytest.mark.parametrize(
    ("text", "method", "specific"),
    [
        ("did:example:123", "example", "123"),
        ("did:web:example.com%3A3000:user:alice", "web", "example.com%3A3000:user:alice"),
        ("did:hansa:city:hansa1qq", "hansa", "city:hansa1qq"),
        ("did:a:::b", "a", "::b"),
    ],
)
def test_a_did_is_taken_apart(text, method, specific):
    did = read_did(text)
    assert did == Did(method, specific)
    assert str(did) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did",
        "did:",
        "did:web",
        "did:web:",
        "did::a",
        "DID:web:a",
        "did:Web:a",
        "did:web:a:",
        "did:web:a b",
        "did:web:a/b",
        "did:web:a%2",
        "did:web:a%zz",
        "did:web:ä",
        "urn:web:a",
        " did:web:a",
    ],
)
def test_what_is_no_did_is_refused(text):
    with pytest.raises(Unsound, match="no DID") as caught:
        read_did(text)
    assert caught.value.fault is Fault.MALFORMED


def test_a_did_url_is_taken_apart():
    found = read_did_url("did:web:a/b/c?versionTime=2026-01-01T00:00:00Z#key-1")
    assert found == DidUrl(Did("web", "a"), "b/c", "versionTime=2026-01-01T00:00:00Z", "key-1")
    assert read_did_url("did:web:a") == DidUrl(Did("web", "a"), "", "", "")


@pytest.mark.parametrize(
    "text", ["did:web:a#b#c", "did:web:a#ü", "did:web:a?x=%1", "#key-1", "did:web:a# "]
)
def test_what_is_no_did_url_is_refused(text):
    with pytest.raises(Unsound) as caught:
        read_did_url(text)
    assert caught.value.fault is Fault.MALFORMED


@pytest.mark.parametrize("read", [read_did, read_did_url])
def test_a_did_is_bounded(read):
    with pytest.raises(Unsound) as caught:
        read("did:web:" + "a" * 5_000)
    assert caught.value.fault is Fault.TOO_LARGE


@given(st.text("did:webkey#?/%20AZaz.-_", max_size=30).map("did:".__add__) | st.text(max_size=20))
def test_any_text_is_a_did_url_or_refused(text):
    try:
        found = read_did_url(text)
    except Unsound:
        return
    assert text.startswith(str(found.did))
