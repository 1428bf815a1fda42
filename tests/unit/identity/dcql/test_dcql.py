"""Queries are read strictly; what answers them shows as little as it can."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.dcql.matching import Candidate, find_gaps, list_asked, match, select
from hansa.identity.dcql.queries import read_query, write_query
from hansa.identity.faults import Fault, Unsound

VECTORS = Path(__file__).parents[3] / "vectors" / "dcql"
NAMES = sorted(path.stem for path in VECTORS.glob("*.json"))
IDENTITY = "https://credentials.example.com/identity_credential"
REWARDS = "https://company.example/company_rewards"


def example(name):
    return read_query(json.loads((VECTORS / f"{name}.json").read_text()))


def held(name, vct, claims, *, is_bound=True, form="dc+sd-jwt"):
    return Candidate(name, form, frozenset({vct}), claims, is_bound)


def query_of(*claims, **more):
    credential = {"id": "c", "format": "dc+sd-jwt", "meta": {"vct_values": [IDENTITY]}} | more
    if claims:
        credential["claims"] = list(claims)
    return read_query({"credentials": [credential]})


PERSON = held(
    "person",
    IDENTITY,
    {
        "given_name": "Mei",
        "family_name": "Doe",
        "postal_code": "90210",
        "date_of_birth": "1999-01-01",
        "adult": True,
        "number": 1,
        "address": {"street_address": "1 Main", "locality": "M"},
        "degrees": [{"type": "BSc"}, {"type": "MSc"}],
    },
)


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_the_specification_are_read_and_written(name):
    value = json.loads((VECTORS / f"{name}.json").read_text())
    assert write_query(read_query(value)) == value


def test_a_credential_with_all_claims_answers():
    query = query_of({"path": ["given_name"]}, {"path": ["address", "locality"]})
    found = select(query, [PERSON])
    assert found.matches["c"].paths == (("given_name",), ("address", "locality"))
    assert found.missing == ()


def test_of_the_combinations_that_would_do_the_smallest_is_shown():
    found = select(example("claims_alternatives"), [PERSON])
    assert [path[0] for path in found.matches["pid"].paths] == [
        "family_name",
        "postal_code",
        "date_of_birth",
    ]


def test_of_equal_combinations_the_verifiers_first_is_shown():
    claims = [{"id": "a", "path": ["family_name"]}, {"id": "b", "path": ["given_name"]}]
    found = select(query_of(*claims, claim_sets=[["b"], ["a"]]), [PERSON])
    assert found.matches["c"].paths == (("given_name",),)


def test_without_claims_nothing_is_shown():
    assert select(query_of(), [PERSON]).matches["c"].paths == ()


def test_a_missing_claim_or_another_value_answers_nothing():
    person = PERSON._replace(claims=PERSON.claims | {"address": {"street_address": "1 Main"}})
    assert set(select(example("value_matching_simple"), [person]).matches) == {"my_credential"}
    for change in ({"family_name": "Roe"}, {"postal_code": 90210}, {"address": {}}):
        other = person._replace(claims=person.claims | change)
        found = select(example("value_matching_simple"), [other])
        assert found.matches == {}
        assert found.missing == ("no credentials for my_credential",)


@pytest.mark.parametrize(
    ("path", "values", "is_met"),
    [
        (["adult"], [True], True),
        (["adult"], [1], False),
        (["number"], [1], True),
        (["number"], [True], False),
        (["number"], ["1"], False),
        (["degrees", None, "type"], ["MSc"], True),
        (["degrees", 0, "type"], ["MSc"], False),
        (["degrees", 1], None, True),
        (["degrees", 2], None, False),
        (["degrees", "type"], None, False),
        (["given_name", 0], None, False),
        (["address", None], None, False),
        (["nothing"], None, False),
    ],
)
def test_paths_and_values_match_as_written(path, values, is_met):
    claim = {"path": path} | ({"values": values} if values else {})
    assert bool(select(query_of(claim), [PERSON]).matches) is is_met


def test_the_credential_that_shows_less_is_taken():
    claims = [{"id": "a", "path": ["x"]}, {"id": "b", "path": ["y"]}]
    query = query_of(*claims, claim_sets=[["a", "b"], ["a"]])
    more = held("more", IDENTITY, {"y": 1, "x": 1})
    less = held("less", IDENTITY, {"x": 1})
    assert select(query, [more, less]).matches["c"].candidate == more
    assert len(select(query, [more, less]).matches["c"].paths) == 1


def test_sets_of_credentials_are_alternatives():
    query = example("credentials_alternatives")
    reduced = held(
        "r1",
        "https://credentials.example.com/reduced_identity_credential",
        {"family_name": "D", "given_name": "M"},
    )
    residence = held(
        "r2",
        "https://cred.example/residence_credential",
        {"postal_code": "1", "locality": "l", "region": "r"},
    )
    rewards = held("rewards", REWARDS, {"rewards_number": 1})
    found = select(query, [reduced, residence, rewards])
    assert set(found.matches) == {"pid_reduced_cred_1", "pid_reduced_cred_2"}
    found = select(query, [reduced, rewards])
    assert found.matches == {}
    assert found.missing == (
        "no credentials for pid or other_pid or pid_reduced_cred_1 and pid_reduced_cred_2",
    )


def test_an_mdoc_answers_by_namespace_and_document_type():
    licence = held(
        "mdl",
        "org.iso.18013.5.1.mDL",
        {"org.iso.18013.5.1": {"given_name": "M", "family_name": "D", "portrait": "p"}},
        form="mso_mdoc",
    )
    found = select(example("complex_mdoc"), [licence])
    assert set(found.matches) == {"mdl-id"}
    assert len(found.matches["mdl-id"].paths) == 3


def test_types_of_a_credential_with_contexts_are_alternatives_of_sets():
    types = {"type_values": [["VerifiableCredential", "Diploma"], ["Other"]]}
    query = query_of(format="ldp_vc", meta=types)
    diploma = Candidate(
        "d", "ldp_vc", frozenset({"VerifiableCredential", "Diploma", "More"}), {}, is_bound=True
    )
    assert select(query, [diploma]).matches
    assert not select(query, [diploma._replace(types=frozenset({"Diploma"}))]).matches


@pytest.mark.parametrize(
    "meta",
    [
        {"vct_values": "x"},
        {"vct_values": [1, {}]},
        {"doctype_value": ["x"]},
        {"doctype_value": {}},
        {"type_values": "x"},
        {"type_values": [[]]},
        {"type_values": [1]},
    ],
)
def test_odd_types_match_nothing(meta):
    assert not select(query_of(meta=meta), [PERSON]).matches


def test_format_and_binding_count():
    assert not select(query_of(format="mso_mdoc"), [PERSON]).matches
    assert select(query_of(format="vc+sd-jwt"), [PERSON]).matches
    unbound = PERSON._replace(is_bound=False)
    assert not select(query_of(), [unbound]).matches
    assert select(query_of(require_cryptographic_holder_binding=False), [unbound]).matches


CREDENTIAL = {"id": "c", "format": "dc+sd-jwt", "meta": {}}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, Fault.MALFORMED),
        ([], Fault.MALFORMED),
        ({}, Fault.MALFORMED),
        ({"credentials": []}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL] * 2}, Fault.DUPLICATE),
        ({"credentials": [CREDENTIAL | {"id": ""}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"id": "a b"}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"id": "a\n"}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"meta": None}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"claims": []}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"claims": [{"path": []}]}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"claims": [{"path": [-1]}]}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"claims": [{"path": [1.5]}]}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"claims": [{"path": ["a"]}] * 2}]}, Fault.DUPLICATE),
        (
            {
                "credentials": [
                    CREDENTIAL
                    | {"claims": [{"id": "a", "path": ["a"]}, {"id": "a", "path": ["b"]}]}
                ]
            },
            Fault.DUPLICATE,
        ),
        ({"credentials": [CREDENTIAL | {"claim_sets": [["a"]]}]}, Fault.MALFORMED),
        (
            {"credentials": [CREDENTIAL | {"claims": [{"path": ["a"]}], "claim_sets": [["a"]]}]},
            Fault.MALFORMED,
        ),
        ({"credentials": [CREDENTIAL], "credential_sets": []}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL], "credential_sets": [{"options": []}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL], "credential_sets": [{"options": [["x"]]}]}, Fault.MALFORMED),
        ({"credentials": [CREDENTIAL | {"id": str(n)} for n in range(17)]}, Fault.MALFORMED),
    ],
)
def test_an_unsound_query_is_refused(value, fault):
    with pytest.raises(Unsound) as caught:
        read_query(value)
    assert caught.value.fault is fault


def test_what_is_not_known_is_ignored():
    query = read_query({"credentials": [CREDENTIAL | {"new": 1}], "newer": 2})
    assert query.credentials[0].id == "c"


def test_a_verifier_finds_what_does_not_fit():
    query = query_of({"path": ["given_name"]})
    assert find_gaps(query, {"c": [PERSON]}) == []
    assert find_gaps(query, {}) == ["no credentials for c"]
    assert "was not asked for" in find_gaps(query, {"c": [PERSON], "d": [PERSON]})[0]
    assert "2 credentials where one" in find_gaps(query, {"c": [PERSON, PERSON]})[0]
    assert "0 credentials" in find_gaps(query, {"c": []})[0]
    other = PERSON._replace(claims={})
    assert "type, binding and claims" in find_gaps(query, {"c": [other]})[0]
    several = query_of({"path": ["given_name"]}, multiple=True)
    assert find_gaps(several, {"c": [PERSON, PERSON]}) == []


def test_an_optional_need_may_be_met_and_need_not():
    query = read_query(
        {
            "credentials": [CREDENTIAL | {"id": "a"}, CREDENTIAL | {"id": "b"}],
            "credential_sets": [{"options": [["a"]]}, {"options": [["b"]], "required": False}],
        }
    )
    assert find_gaps(query, {"a": [PERSON]}) == []
    assert find_gaps(query, {"a": [PERSON], "b": [PERSON]}) == []
    assert find_gaps(query, {"b": [PERSON]}) == ["no credentials for a"]
    assert set(select(query, [PERSON]).matches) == {"a"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["credentials", "id", "format", "meta", "claims", "path", "options"]),
            inner,
        )
    ),
    max_leaves=12,
)
CLAIMS = st.dictionaries(st.sampled_from("ab"), JSON, max_size=2)
PATHS = st.lists(st.sampled_from(["a", "b", 0, 1, None]), min_size=1, max_size=3)


class Counted(dict):
    """Counts how often it is asked."""

    asked = 0

    def __contains__(self, name):
        self.asked += 1
        return super().__contains__(name)


def test_a_claim_that_many_options_name_is_looked_for_once():
    claims = [{"id": f"c{number}", "path": [f"n{number}"]} for number in range(8)]
    sets = [["c0", f"c{1 + number % 7}"] for number in range(32)]
    query = query_of(*claims, claim_sets=sets)
    held_claims = Counted({f"n{number}": number for number in range(8)})
    assert match(query.credentials[0], held("x", IDENTITY, held_claims)) is not None
    assert held_claims.asked == 8


@given(JSON)
def test_any_json_is_a_query_or_refused(value):
    try:
        query = read_query(value)
    except Unsound:
        return
    assert read_query(write_query(query)) == query


@given(CLAIMS, PATHS, st.lists(st.booleans() | st.integers(0, 1) | st.text(max_size=1), max_size=2))
def test_whatever_is_selected_answers(claims, path, values):
    claim = {"path": path} | ({"values": values} if values else {})
    query = query_of(claim)
    candidate = held("x", IDENTITY, claims)
    found = match(query.credentials[0], candidate)
    assert (found is None) is bool(find_gaps(query, {"c": [candidate]}))


@pytest.mark.parametrize(
    ("meta", "claims", "told"),
    [
        ({"vct_values": ["a", "b"]}, [{"path": ["x", None, 1]}], "a or b: x.*.1"),
        ({"vct_values": 5}, [{"path": ["x"], "values": [True, 1]}], "dc+sd-jwt: x (true or 1)"),
        ({"doctype_value": "d\u202e"}, None, "d: all that must show"),
        ({"type_values": [["A", "B"], 7, ["C"]]}, None, "A and B or C: all that must show"),
        ({"vct_values": ["v" * 101]}, None, "v" * 100 + "…: all that must show"),
    ],
)
def test_what_is_asked_for_is_told_in_words(meta, claims, told):
    each = {"id": "q", "format": "dc+sd-jwt", "meta": meta}
    query = read_query({"credentials": [each | ({"claims": claims} if claims else {})]})
    assert list_asked(query) == [told]
