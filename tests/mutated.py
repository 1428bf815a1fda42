"""Changes of a signed document, and which of them mean the same as before."""

from __future__ import annotations

import json
from copy import deepcopy

from hypothesis import assume
from hypothesis import strategies as st
from tests.secured import CREDENTIAL, OURS, V2

SUBJECT = CREDENTIAL["credentialSubject"]
NAMES = sorted(
    {"id", "type", "nickname", "@id", "@type", "@context", "@value", "@graph", "@nest", "proof"}
    | {*CREDENTIAL, *SUBJECT, *SUBJECT["skill"][0], "https://schema.org/name", "holder", "kid"}
)
VALUES = (
    st.sampled_from(
        [V2, OURS, "en", "Trainee", "did:example:tutor1", "120", "true", "3", "cooking"]
    )
    | st.sampled_from([None, [], {}, 1, 0, True, 3, 3.0, 120, "", 8.25, ["hygiene"], [[]]])
    | st.sampled_from([{"id": "did:example:tutor1"}, {"@value": "a"}, {"name": "cooking"}])
    | st.sampled_from([CREDENTIAL["@context"], SUBJECT, SUBJECT["skill"], SUBJECT["record"]])
    | st.text(max_size=3)
)


def list_places(value, path=()):
    yield path
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, each in inner:
        yield from list_places(each, (*path, step))


@st.composite
def mutants(draw, document):
    copy = deepcopy(document)
    path = draw(st.sampled_from(list(list_places(copy))))
    place, parent = copy, None
    for step in path:
        place, parent = place[step], place
    act = draw(st.sampled_from(["add", "remove", "replace", "wrap", "rename", "move"]))
    if act == "add" and isinstance(place, dict):
        place[draw(st.sampled_from(NAMES))] = draw(VALUES)
    elif act == "add" and isinstance(place, list):
        place.insert(draw(st.integers(0, len(place))), draw(VALUES | st.sampled_from([*place, 0])))
    elif parent is not None and act == "remove":
        del parent[path[-1]]
    elif parent is not None and act == "replace":
        parent[path[-1]] = draw(VALUES)
    elif parent is not None and act == "wrap":
        parent[path[-1]] = draw(st.sampled_from([[place], {"@value": place}, {"id": place}]))
    elif isinstance(parent, dict) and act == "rename":
        parent[draw(st.sampled_from(NAMES))] = parent.pop(path[-1])
    elif isinstance(parent, dict) and act == "move":
        objects = [each for each in list_places(copy) if each[: len(path)] != path]
        target = copy
        for step in draw(st.sampled_from(objects)):
            target = target[step]
        assume(isinstance(target, dict))
        target[path[-1]] = parent.pop(path[-1])
    return copy


def normalize(value, name=""):
    """Write what means the same in one way: see `quads` for the list."""
    if name == "record":
        return json.dumps(value, sort_keys=True).replace(".0", "")
    if isinstance(value, list):
        inner = [normalize(each, "" if name == "modules" else name) for each in value]
        if name == "modules":
            return inner
        return (
            inner[0]
            if len(inner) == 1
            else sorted(inner, key=lambda each: json.dumps(each, sort_keys=True))
        )
    if isinstance(value, dict):
        if set(value) == {"id"}:
            return value["id"]
        if set(value) == {"@value", "@language"}:
            return {**value, "@language": str(value["@language"]).lower()}
        return {key: normalize(each, key) for key, each in value.items() if key != "@context"}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def put(path, value, document=CREDENTIAL):
    """Copy a document with another value at a path."""
    copy = deepcopy(document)
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copy
