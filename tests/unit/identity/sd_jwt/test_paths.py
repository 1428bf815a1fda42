"""A path means the claims that OpenID4VP says it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hansa.identity.faults import Fault, Unsound
from hansa.identity.sd_jwt.paths import find_places, show_place

CLAIMS = {  # OpenID4VP 1.0, section 7.3
    "name": "Arthur Dent",
    "address": {"street_address": "42 Market Street", "locality": "Milliways"},
    "degrees": [
        {"type": "Bachelor of Science", "university": "University of Betelgeuse"},
        {"type": "Master of Science", "university": "University of Betelgeuse"},
    ],
    "nationalities": ["British", "Betelgeusian"],
}


@pytest.mark.parametrize(
    ("path", "places"),
    [
        (("name",), [("name",)]),
        (("address",), [("address",)]),
        (("address", "street_address"), [("address", "street_address")]),
        (("degrees", None, "type"), [("degrees", 0, "type"), ("degrees", 1, "type")]),
        (("nationalities", 1), [("nationalities", 1)]),
        (("nationalities", 2), []),
        (("degrees", None, "year"), []),
        (("unknown", None, "year"), []),
    ],
)
def test_a_path_means_its_places(path, places):
    assert find_places(CLAIMS, path) == places


@pytest.mark.parametrize(
    "path",
    [
        (),
        (0,),
        (None,),
        ("name", "first"),
        ("name", 0),
        ("address", None),
        ("nationalities", "first"),
        ("nationalities", -1),
        ("nationalities", True),
        ("nationalities", 1.0),
        ("nationalities", ["a"]),
    ],
)
def test_a_path_that_does_not_fit_is_refused(path):
    with pytest.raises(Unsound) as caught:
        find_places(CLAIMS, path)
    assert caught.value.fault is Fault.MALFORMED


def test_places_are_shown_to_people():
    assert show_place(("degrees", None, "type", 0)) == "degrees/*/type/0"


PARTS = st.sampled_from([*CLAIMS, "type", 0, 1, 2, None]) | st.integers() | st.text(max_size=3)


@given(st.lists(PARTS, max_size=4))
def test_any_path_means_places_that_are_there_or_is_refused(path):
    try:
        places = find_places(CLAIMS, tuple(path))
    except Unsound:
        return
    for place in places:
        value = CLAIMS
        for step in place:
            value = value[step]
