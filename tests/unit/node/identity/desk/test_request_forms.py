"""Queries made of what an officer typed."""

from hansa.identity.dcql.queries import read_query, write_query
from hansa.node.identity.desk.request_forms import KnownType, list_types, read_wanted
from hansa.node.identity.verifier.settings import TrustedIssuer


def read(**form):
    wanted = read_wanted(form)
    assert wanted.faults == {}
    (credential,) = write_query(wanted.query)["credentials"]
    return credential


def test_paths_lead_into_objects_and_arrays():
    credential = read(type="urn:t", format="dc+sd-jwt", claims="a.b\n\ndegrees.*.year\nlist.0\n")
    assert credential["meta"] == {"vct_values": ["urn:t"]}
    assert [each["path"] for each in credential["claims"]] == [
        ["a", "b"],
        ["degrees", None, "year"],
        ["list", 0],
    ]


def test_elements_of_mobile_documents_have_a_namespace():
    credential = read(type="org.iso.18013.5.1.mDL", format="mso_mdoc", claims="x\nn.s/y")
    assert credential["meta"] == {"doctype_value": "org.iso.18013.5.1.mDL"}
    assert [each["path"] for each in credential["claims"]] == [
        ["org.iso.18013.5.1.mDL", "x"],
        ["n.s", "y"],
    ]


def test_what_is_ticked_and_typed_is_asked_for_once():
    credential = read(**{"type": "urn:t", "claim.a": "on", "claims": "a\nb"})
    assert [each["path"] for each in credential["claims"]] == [["a"], ["b"]]
    assert "claims" not in read(type="urn:t")


def test_a_query_as_it_is_goes_before_the_fields():
    raw = '{"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["x"]}}]}'
    assert read(type="urn:t", dcql=raw)["id"] == "a"


def test_types_are_known_from_questions_and_from_issuers():
    query = read_query(
        {
            "credentials": [
                {
                    "id": "a",
                    "format": "dc+sd-jwt",
                    "meta": {"vct_values": ["urn:t"]},
                    "claims": [{"path": ["degrees", None, "year"]}],
                }
            ]
        }
    )
    issuer = TrustedIssuer(id="did:example:1", name="City", types=("urn:t", "urn:other"))
    assert list_types([query], [issuer]) == {
        "urn:t": KnownType("dc+sd-jwt", "urn:t", ("degrees.*.year",)),
        "urn:other": KnownType("dc+sd-jwt", "urn:other", ()),
    }
