"""What is wrong with the shape of JSON or TOML is told in words that name no programming type."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from hansa.kernel.encoding import DECODE_ERRORS
from hansa.shapes import Unread, read_toml, tell_shape, tell_unread

FORM = r"\A[a-z]{2}\Z"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=3)] = "a"
    code: Annotated[str, Meta(pattern=FORM)] = "aa"


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    rate: Annotated[float, Meta(gt=0)] = 1.0
    raw: bytes = b""
    inner: tuple[Inner, ...] = ()
    names: dict[str, Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)]] = {}
    pair: tuple[int, int] | None = None


def tell(value: Any, **how):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, Shape)
    return tell_shape(caught.value, **how)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": 1}, "id must be a text, not a whole number"),
        ({"count": 0}, "count must be at least 1"),
        ({"count": 10}, "count must be at most 9"),
        ({"count": 1 << 70}, "count must be at most 9"),
        ({"rate": 0.0}, "rate must be more than 0.0"),
        ({"raw": "%"}, "raw must be in Base64"),
        ({"inner": {}}, "inner must be a list, not an object"),
        ({"inner": [{"name": ""}]}, "inner[0].name must not be empty"),
        ({"inner": [{}, {"name": "abcd"}]}, "inner[1].name must have at most 3 characters"),
        ({"inner": [{"code": "A"}]}, "inner[0].code must be of another form"),
        ({"inner": [{"other": 1}]}, "inner[0].other is no name that is known here"),
        ({"names": {"x": []}}, "names[…] must not be empty"),
        ({"names": {"x": ["a", "b", "c"]}}, "names[…] must have at most 2 items"),
        ({"pair": [1]}, "pair must have 2 items, not 1"),
        ({"pair": True}, "pair must be a list or null, not true or false"),
        ({"new": 1}, "new is no name that is known here"),
    ],
)
def test_each_fault_is_told_by_its_place_and_what_belongs_there(changes, told):
    assert tell({"id": "a"} | changes) == told


def test_what_is_missing_or_no_object_is_told():
    assert tell({}) == "id is missing"
    assert tell([]) == "it must be an object, not a list"
    assert tell([], table="a table") == "it must be a table, not a list"


def test_a_pattern_is_told_as_the_form_that_it_asks_for():
    changed = {"id": "a", "inner": [{"code": "A"}]}
    assert tell(changed, forms={FORM: "two letters"}) == "inner[0].code must be two letters"


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Painted(msgspec.Struct):
    colour: Colour = Colour.RED
    walls: tuple[Annotated[Literal["red", "white"] | None, Meta(title="wall")], ...] = ()
    rooms: dict[str, list[Literal[1, 2]]] = {}


class House(msgspec.Struct):
    parts: list[Painted] = []


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("colour = 'blue'", "colour cannot be 'blue': it is one of red, green"),
        ("colour = 3", "colour must be a text, not a whole number: it is one of red, green"),
        ("walls = ['red', 'blue']", "walls[1] cannot be 'blue': it is one of red, white"),
        ("rooms = { a = [3] }", "rooms[…][0] cannot be 3: it is one of 1, 2"),
        ("walls = 3", "walls must be a list, not a whole number"),
    ],
)
def test_of_a_few_values_all_are_told(part, told):
    raw = f"[[parts]]\n[[parts]]\n{part}\n".encode()
    with pytest.raises(Unread) as caught:
        read_toml(raw, House, bytes_max=100, find_faults=lambda _: ())
    assert str(caught.value) == f"parts[1].{told}"


def test_what_is_no_json_at_all_is_told_as_the_decoder_does():
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(b"{", type=Shape)
    assert "truncated" in tell_unread(caught.value)


NAME = st.text("abc.$[]", max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAME,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner),
    max_leaves=8,
)
OTHERS = dict.fromkeys(Shape.__struct_fields__[1:], JSON)
NAMED = st.fixed_dictionaries({"id": st.text()}, optional=OTHERS)


@given(NAMED | JSON)
def test_no_fault_names_a_programming_type(value):
    try:
        msgspec.json.decode(msgspec.json.encode(value), type=Shape)
    except msgspec.ValidationError as error:
        told = tell_shape(error)
        assert not any(word in told for word in ("Expected", "`", "regex", "cannot be read"))
    except DECODE_ERRORS:
        pass
