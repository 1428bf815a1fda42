"""Contexts: pinned byte for byte, and processed as JSON-LD has it, or not at all."""

import hashlib
from pathlib import Path

import pytest
from tests.secured import CONTEXTS, V1, V2

import hansa.identity.data_integrity
from hansa.identity.data_integrity.contexts import CONTEXTS_MAX, load_pinned
from hansa.identity.faults import Fault, Unsound

FOLDER = Path(hansa.identity.data_integrity.__file__).parent / "pinned"
DIGESTS = {
    # VC Data Model 2.0, section B.1, and 1.1, section B.1
    "credentials-v2": "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734",
    "credentials-v1": "ab4ddd9a531758807a79a5b450510d61ae8d147eab966cc9a200c07095b0cdcc",
    # Data Integrity 1.0 and Controlled Identifiers 1.0
    "data-integrity-v2": "67f21e6e33a6c14e5ccfd2fc7865f7474fb71a04af7e94136cb399dfac8ae8f4",
    "multikey-v1": "ba2c182de2d92f7e47184bcca8fcf0beaee6d3986c527bf664c195bbc7c58597",
    # of no digest that a standard publishes; as @digitalbazaar/data-integrity-context 2.0.1 has it
    "data-integrity-v1": "b5d829bd09aa7c42abc6efa0c8ed7635313b5487f37ccfce3ecd149ca9418554",
}
A = "https://a.example/v1"
B = "https://b.example/v1"


def activate(context, *more):
    known = load_pinned().extend({A: {"@context": context}, B: {"@context": list(more)}})
    return known.activate([A, B] if more else [A])


def test_pinned_contexts_are_those_of_the_w3c():
    found = {each.stem: hashlib.sha256(each.read_bytes()).hexdigest() for each in FOLDER.iterdir()}
    assert found == DIGESTS


@pytest.mark.parametrize(
    "names",
    [
        None,
        [],
        {},
        {"@vocab": "https://x.example/"},
        [V2, {"@vocab": "https://x.example/"}],
        [V2, None],
        [V2, [V2]],
        [V2, V2],
        ["https://unknown.example/v1"],
        [V1, V2],  # each protects what the other defines otherwise
        [V2, *(f"https://{number}.example/" for number in range(CONTEXTS_MAX))],
        5,
    ],
)
def test_documents_name_pinned_contexts_and_nothing_else(names):
    with pytest.raises(Unsound) as caught:
        CONTEXTS.activate(names)
    assert caught.value.fault is Fault.CONTEXT


def test_a_pinned_context_cannot_be_replaced():
    with pytest.raises(Unsound, match="pinned already"):
        load_pinned().extend({V2: {"@context": {}}})


def test_terms_are_expanded_in_any_order():
    active = activate({"b": "a:b", "a": "https://a.example/#", "c": {"@id": "b", "@type": "a:t"}})
    assert active.terms["b"].iri == "https://a.example/#b"
    assert active.terms["c"].iri == "https://a.example/#b"
    assert active.terms["c"].coercion == "https://a.example/#t"


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        (None, "takes its meaning away"),
        ({"@id": None}, "takes its meaning away"),
        ("@graph", "another name of @graph"),
        ({"@id": "@type", "@container": "@set"}, "another name of @type"),
        ({"@reverse": "https://a.example/r"}, "@reverse, not known"),
        ({"@id": "https://a.example/r", "@nest": "n"}, "@nest, not known"),
        ({"@id": "https://a.example/r", "@language": "en"}, "@language, not known"),
        ({"@id": "https://a.example/r", "@container": "@language"}, "containers of kind @language"),
        ({"@id": "https://a.example/r", "@container": ["@graph", "@id"]}, "containers of kind"),
        ({"@id": "https://a.example/ r"}, "no absolute IRI"),
        ({"@id": "https://a.example/r", "@type": "t"}, ""),
    ],
)
def test_a_term_that_is_not_known_in_full_cannot_be_used(definition, why):
    if why:
        with pytest.raises(Unsound, match=why) as caught:
            activate({"term": definition}).find("term")
        assert caught.value.fault is Fault.CONTEXT
    else:
        assert activate({"term": definition}).find("term").coercion == ""


@pytest.mark.parametrize(
    "context",
    [
        {"@base": "https://a.example/"},
        {"@language": "en"},
        {"@import": "https://a.example/"},
        {"@vocab": "relative"},
        {"a": "b:x", "b": "a:x"},
        {"a": 5},
        {"a": {"@id": 5}},
        [5],
        ["https://unknown.example/"],
    ],
)
def test_a_context_that_says_more_than_is_known_is_refused(context):
    with pytest.raises(Unsound) as caught:
        activate(context)
    assert caught.value.fault is Fault.CONTEXT


def test_protected_terms_stay():
    own = {"@protected": True, "a": "https://a.example/a", "b": {"@id": "https://a.example/b"}}
    assert activate(own, {"a": "https://a.example/a"}).find("a").is_protected
    with pytest.raises(Unsound, match="protected term 'a'"):
        activate(own, {"a": "https://a.example/other"})
    with pytest.raises(Unsound, match="protected terms away"):
        activate(own, None)
    assert activate(
        {"a": "https://a.example/a"}, None, {"b": "https://b.example/b"}
    ).terms.keys() == {"b"}


def test_two_names_for_one_meaning_cannot_be_used():
    active = activate({"a": "https://a.example/a", "b": {"@id": "https://a.example/a"}})
    for name in "ab":
        with pytest.raises(Unsound, match="one of two terms"):
            active.find(name)
    active = activate({"@vocab": "https://a.example/", "b": "https://a.example/a"})
    assert active.find("b").iri == "https://a.example/a"
    assert active.find("c").iri == "https://a.example/c"
    with pytest.raises(Unsound, match="second name"):
        active.find("a")
    with pytest.raises(Unsound, match="by its term"):
        active.expand_type("https://a.example/a")
    assert active.expand_type("https://a.example/z") == "https://a.example/z"


def test_no_other_context_has_another_name_for_the_same():
    """Otherwise it could be put in the place of a signed document's own, names and all."""
    known = load_pinned().extend(
        {
            A: {"@context": {"fullName": "https://schema.org/name"}},
            B: {"@context": {"@vocab": "https://b.example/", "given": "https://b.example/a"}},
        }
    )
    for names, name in (([V2], "name"), ([A], "fullName"), ([B], "a"), ([B], "x/y"), ([B], "#x")):
        with pytest.raises(Unsound) as caught:
            known.activate(names).find(name)
        assert caught.value.fault is Fault.CONTEXT
    with pytest.raises(Unsound, match="begins like another"):
        known.extend({"https://c.example/v1": {"@context": {"@vocab": "https://b.example/x"}}})


@pytest.mark.parametrize(
    "text", ["", "a", "_:b", "ex:a", "https://a b", "urn:\u0085x>", "//a", "urn:a\n"]
)
def test_identifiers_are_absolute_and_no_prefix_changes_them(text):
    active = activate({"ex": "https://a.example/#", "_": "https://a.example/#"})
    with pytest.raises(Unsound) as caught:
        active.expand_id(text)
    assert caught.value.fault is Fault.CONTEXT
