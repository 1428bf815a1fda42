"""Whatever is changed of hostile or sound input to identity, nothing comes out but words of ours.

Each change goes the whole way of its vector; `HANSA_SOAK=1` tries fifty times as many examples.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.hostile.paths import judge
from tests.mutated import list_places

from hansa.identity.encoding.base64url import decode_base64url, encode_base64url
from hansa.identity.faults import MESSAGE_LETTERS_MAX, Unsound
from hansa.kernel.errors import Unavailable

IS_SOAK = os.environ.get("HANSA_SOAK", "") == "1"
EXAMPLES = hypothesis.settings(max_examples=2_000 if IS_SOAK else 40)
FOLDER = Path(__file__).parents[1] / "vectors/hostile"
THEMES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
VALUES = (
    st.sampled_from([None, True, -1, 0, 2**53, 2**64, 10**400, 1.5, -0.0, 1e308, 5e-324])
    | st.sampled_from(
        ["", ".", "~", "z", "u", "..", "\x00", "\x1b[2J", "\u202e", "e\u0301", "\u212a"]
    )
    | st.sampled_from(["did:web:x", "did:key:z", "https://", "urn:x", "9999-12-31T23:59:59-01:00"])
    | st.sampled_from([[], {}, [[]], [None], [{}], {"": ""}, {"id": 1}, ["x", "x"], "a" * 3_000])
)


@st.composite
def changed_json(draw, value):
    """Put another value somewhere into JSON, take something away, or move it."""
    copy = json.loads(json.dumps(value))
    path = draw(st.sampled_from([each for each in list_places(copy) if each] or [()]))
    assume(path)
    place = copy
    for step in path[:-1]:
        place = place[step]
    act = draw(st.sampled_from(["replace", "remove", "wrap", "rename"]))
    if act == "replace":
        place[path[-1]] = draw(VALUES)
    elif act == "remove":
        del place[path[-1]]
    elif act == "wrap" or not isinstance(place, dict):
        place[path[-1]] = [place[path[-1]]]
    else:
        place[draw(st.sampled_from(["", "id", "type", "@id", "iat", "crit", "_sd", "..."]))] = (
            place.pop(path[-1])
        )
    return copy


@st.composite
def changed_text(draw, text):
    """Change letters of a text, or JSON within it: in a part of a token, or all of it."""
    parts = draw(st.sampled_from([".", "~"]).map(lambda mark: (mark, text.split(mark))))
    mark, pieces = parts
    at = draw(st.integers(0, len(pieces) - 1))
    whole = draw(st.booleans())
    try:
        raw = text if whole else decode_base64url(pieces[at], "it").decode()
        value = json.loads(raw)
    except (Unsound, ValueError):
        value = None
    if isinstance(value, dict | list):
        told = json.dumps(draw(changed_json(value)))
        if whole:
            return told
        pieces[at] = encode_base64url(told.encode())
        return mark.join(pieces)
    place = draw(st.integers(0, max(len(text) - 1, 0)))
    end = place + draw(st.integers(0, 9))
    return (
        text[:place]
        + draw(st.sampled_from(["", "A", "=", ".", "~", "\x00", "\ud800"]))
        + text[end:]
    )


@st.composite
def changed(draw, value):
    """Change input of any kind: text, forms, or a list of requests (the last one)."""
    if isinstance(value, str):
        return draw(changed_text(value))
    if isinstance(value, list):
        return [*value[:-1], draw(changed(value[-1]))]
    names = [name for name, each in value.items() if isinstance(each, str | dict) and name != "to"]
    name = draw(st.sampled_from(names))
    if isinstance(value[name], dict):
        assume(value[name] and all(isinstance(each, str) for each in value[name].values()))
    return value | {name: draw(changed(value[name]))}


@pytest.mark.parametrize("name", sorted(THEMES))
@given(data=st.data())
@EXAMPLES
def test_changed_input_is_accepted_or_refused_in_words(name, data):
    theme = THEMES[name]
    sound = data.draw(st.sampled_from(theme["sound"]))
    given_ = data.draw(changed(sound["input"]))
    try:
        found = judge(theme["kind"], theme["pre"] | sound.get("pre", {}), given_)
    except Unavailable:
        assume(False)
        return
    for _, fault, text in found:
        assert fault
        assert text.isprintable()
        assert 0 < len(text) <= MESSAGE_LETTERS_MAX + 1
