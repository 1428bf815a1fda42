"""Contexts made at random: where a document is accepted, another reader finds the same statements.

And what that reader would drop is never accepted: each value stands in the statements.
"""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import IS_SOAK
from tests.secured import convert_elsewhere

from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.contexts import Contexts
from hansa.identity.data_integrity.quads import convert_document
from hansa.identity.faults import Unsound

URLS = ["https://one.example/v1", "https://two.example/v1"]
TERMS = ["a", "b", "c", "d", "T", "U"]
IRIS = {term: f"https://x.example/{term}" for term in [*TERMS, "w"]}
COERCIONS = [None, "@id", "@vocab", "@json", "@none", "https://x.example/date"]
CONTAINERS = [None, "@set", "@list", "@graph", ["@graph", "@set"]]
ALIASES = {"id": "@id", "type": "@type"}


def drop_none(mapping):
    return {name: value for name, value in mapping.items() if value is not None}


def definitions(scoped):
    return st.builds(
        lambda iri, coercion, container, context, protected: drop_none(
            {
                "@id": iri,
                "@type": coercion,
                "@container": container,
                "@protected": protected,
                **({} if context == "none" else {"@context": context}),
            }
        ),
        st.just("w"),
        st.sampled_from(COERCIONS),
        st.sampled_from(CONTAINERS),
        st.just("none") | scoped,
        st.sampled_from([None, None, True]),
    )


def contexts(scoped):
    def build(terms, protected, vocabulary):
        defined = {
            term: {**each, "@id": IRIS[term]} if isinstance(each, dict) else IRIS[term]
            for term, each in terms.items()
        }
        flags = {"@protected": protected, "@vocab": vocabulary}
        return drop_none(flags) | ALIASES | defined

    return st.builds(
        build,
        st.dictionaries(st.sampled_from(TERMS), definitions(scoped) | st.just("w"), max_size=5),
        st.sampled_from([None, None, True]),
        st.sampled_from([None, "https://v.example/"]),
    )


INNER = contexts(st.none())
OUTER = contexts(st.none() | INNER | contexts(INNER))
LEAVES = st.sampled_from(["x", "T", "a", "urn:x", 1, 2.5, False]) | st.builds(
    lambda value, extra: {"@value": value, **extra},
    st.sampled_from(["x", "y"]),
    st.sampled_from([{"@language": "en"}, {"@type": "https://x.example/other"}]),
)
THINGS = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from(["a", "b", "c", "d", "e"]),
        inner | st.lists(inner, min_size=1, max_size=2),
        max_size=3,
    ).flatmap(
        lambda members: st.sampled_from(
            [
                members,
                {**members, "type": "T"},
                {**members, "type": ["U"]},  # of two with contexts, Oxigraph forgets one
                {**members, "id": "urn:thing"},
            ]
        )
    ),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), THINGS, min_size=1, max_size=3)


def keep_scoped(context, terms):
    """Copy a context; only these of its terms, and of the contexts inside, keep one of their own.

    Where an object has a context by its type and another by its member, Oxigraph keeps the first
    in inner objects; jsonld.js and the standard do not.
    """
    if not isinstance(context, dict):
        return context
    return {
        name: {
            key: keep_scoped(each, terms) if key == "@context" else each
            for key, each in value.items()
            if key != "@context" or name in terms
        }
        if isinstance(value, dict)
        else value
        for name, value in context.items()
    }


@settings(
    max_examples=800 if IS_SOAK else 200,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
@given(
    OUTER, OUTER, st.sampled_from(["TU", "abcd"]), DOCUMENTS, st.sampled_from([None, "T", ["U"]])
)
def test_another_reader_agrees_on_contexts_of_all_kinds(one, two, scoped, members, types):
    """The same ones each time: a further fault of the other reader should not surprise anybody."""
    one, two = keep_scoped(one, scoped), keep_scoped(two, scoped)
    document = members | ({"type": types} if types else {})
    try:
        known = Contexts({URLS[0]: {"@context": one}, URLS[1]: {"@context": two}})
        quads = convert_document({"@context": URLS, **document}, known)
    except Unsound:
        return
    found = canonicalize_quads(quads).lines
    assert found == convert_elsewhere({"@context": [one, two], **document})
