"""Forms made of schemas, and claims read from what was typed."""

import pytest

from hansa.node.identity.desk.claim_forms import MORE, FieldKind, build_fields, read_claims
from hansa.node.identity.issuer.schemas import Schema

SCHEMA = Schema(
    "try.schema.json",
    {
        "type": "object",
        "properties": {
            "given_name": {"type": "string", "minLength": 1, "title": "First name"},
            "birthdate": {"type": "string", "format": "date"},
            "rooms": {"type": "integer", "minimum": 1},
            "height": {"type": ["number", "null"], "description": "in metres"},
            "adult": {"type": "boolean"},
            "category": {"enum": ["A", "B", 3]},
            "address": {"$ref": "#/$defs/address"},
            "degrees": {"type": "array", "items": {"type": "string"}},
            "a.b": {"type": "string", "pattern": "^x"},
        },
        "required": ["given_name", "birthdate"],
        "additionalProperties": False,
        "$defs": {
            "address": {
                "type": "object",
                "properties": {
                    "country": {"type": "string", "pattern": "^[A-Z]{2}$"},
                    "street": {"type": "string"},
                },
                "required": ["country"],
                "additionalProperties": False,
            }
        },
    },
)
FIELDS = build_fields(SCHEMA)
TYPED = {
    "claim.given_name": "Mei ",
    "claim.birthdate": "1990-01-01",
    "claim.rooms": "3",
    "claim.height": "1.6",
    "claim.adult": "false",
    "claim.category": "3",
    "claim.address.country": "MO",
    "claim.address.street": "",
    "claim.degrees": '["BSc"]',
    "claim.a~1b": "xyz",
    "token": "not a claim",
}


def read(**changes):
    return read_claims(FIELDS, TYPED | changes, SCHEMA)


def test_each_property_has_the_field_that_suits_it():
    assert [(field.path, field.kind.value, field.label) for field in FIELDS] == [
        (("given_name",), "text", "First name"),
        (("birthdate",), "date", "Birthdate"),
        (("rooms",), "integer", "Rooms"),
        (("height",), "number", "Height"),
        (("adult",), "choice", "Adult"),
        (("category",), "choice", "Category"),
        (("address",), "group", "Address"),
        (("degrees",), "json", "Degrees"),
        (("a.b",), "text", "A.b"),
    ]
    assert [field.is_needed for field in FIELDS] == [True, True] + [False] * 7
    assert [option.label for option in FIELDS[4].options] == ["yes", "no"]
    assert [part.is_needed for part in FIELDS[6].parts] == [True, False]


def test_what_was_typed_becomes_claims_and_what_is_empty_does_not():
    filled = read()
    assert filled.faults == {}
    assert filled.claims == {
        "given_name": "Mei",
        "birthdate": "1990-01-01",
        "rooms": 3,
        "height": 1.6,
        "adult": False,
        "category": 3,
        "address": {"country": "MO"},
        "degrees": ["BSc"],
        "a.b": "xyz",
    }
    SCHEMA(filled.claims)


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"claim.given_name": ""}, {"claim.given_name": "it is needed"}),
        (
            {"claim.given_name": "", "claim.birthdate": " "},
            {"claim.given_name": "it is needed", "claim.birthdate": "it is needed"},
        ),
        ({"claim.rooms": "3.5"}, {"claim.rooms": "this is no whole number"}),
        ({"claim.rooms": "true"}, {"claim.rooms": "this is no whole number"}),
        ({"claim.rooms": "many"}, {"claim.rooms": "this is no whole number"}),
        ({"claim.rooms": "0"}, {"claim.rooms": "0 is less than the minimum of 1"}),
        ({"claim.height": "1,6"}, {"claim.height": "this is no number, as 12.5"}),
        ({"claim.adult": "maybe"}, {"claim.adult": "choose one of the values"}),
        ({"claim.birthdate": "1990-02-30"}, {"claim.birthdate": "'1990-02-30' is not a 'date'"}),
        (
            {"claim.address.country": "", "claim.address.street": "Rua 1"},
            {"claim.address.country": "it is needed"},
        ),
        (
            {"claim.address.country": "Macao"},
            {"claim.address.country": "it must match ^[A-Z]{2}$"},
        ),
        ({"claim.degrees": "[1]"}, {"claim.degrees": "1 is not of type 'string'"}),
        ({"claim.a~1b": "y"}, {"claim.a~1b": "it must match ^x"}),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_all_of_it(changes, faults):
    assert read(**changes).faults == faults


def test_json_that_is_none_is_told_by_the_fields_name():
    fault = read(**{"claim.degrees": '["BSc"'}).faults["claim.degrees"]
    assert fault.startswith("“Degrees” is no sound JSON")


def test_an_optional_group_that_is_empty_is_left_out():
    assert "address" not in read(**{"claim.address.country": ""}).claims


def test_without_a_schema_claims_are_typed_as_json():
    (field,) = fields = build_fields(None)
    assert (field.name, field.kind, field.label) == (MORE, FieldKind.JSON, "Claims")
    assert read_claims(fields, {MORE: '{"a": {"b": 1}}'}, None).claims == {"a": {"b": 1}}
    assert read_claims(fields, {MORE: "[1]"}, None).faults == {MORE: "“Claims” is no JSON object"}
    assert read_claims(fields, {}, None) == ({}, {})


def test_claims_that_the_schema_only_allows_have_a_field_and_do_not_replace_others():
    schema = Schema("open", {"properties": {"name": {"type": "string"}}})
    fields = build_fields(schema)
    assert [field.name for field in fields] == ["claim.name", MORE]
    form = {"claim.name": "Mei", MORE: '{"shoe": 38}'}
    assert read_claims(fields, form, schema).claims == {"name": "Mei", "shoe": 38}
    twice = read_claims(fields, form | {MORE: '{"name": "Ana"}'}, schema)
    assert twice.faults == {MORE: "'name' has a field of its own above"}


def test_a_schema_that_goes_in_circles_is_typed_as_json_in_the_end():
    schema = Schema(
        "circles",
        {
            "$defs": {
                "person": {
                    "type": "object",
                    "properties": {"parent": {"$ref": "#/$defs/person"}},
                    "additionalProperties": False,
                },
                "loop": {"$ref": "#/$defs/loop"},
            },
            "properties": {"person": {"$ref": "#/$defs/person"}, "loop": {"$ref": "#/$defs/loop"}},
        },
    )
    person, loop, _ = build_fields(schema)
    assert loop.kind is FieldKind.JSON
    kinds = []
    while True:
        kinds.append(person.kind.value)
        if not person.parts:
            break
        (person,) = person.parts
    assert kinds == ["group", "group", "group", "json"]
