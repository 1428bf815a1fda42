"""Canonical datasets: the W3C's suite, a second implementation, and graphs made to take ages."""

import json
from itertools import permutations
from pathlib import Path

import pyoxigraph
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.secured import canonicalize_elsewhere, read_quads

from hansa.identity.data_integrity.canonical import canonicalize_quads
from hansa.identity.data_integrity.quads import Quad
from hansa.identity.faults import Fault, Unsound

VECTORS = Path(__file__).parents[3] / "vectors" / "rdf_canon"
CASES = json.loads((VECTORS / "manifest.json").read_text())["entries"]
NODES = ["_:b0", "_:b1", "_:b2", "_:b3", "<urn:a>"]
EDGES = st.builds(
    Quad,
    st.sampled_from(NODES),
    st.sampled_from(["<urn:p>", "<urn:q>"]),
    st.sampled_from([*NODES, '"text"']),
    st.sampled_from(["", "", "_:b1", "<urn:g>"]),
)


def run(case):
    quads = read_quads((VECTORS / case["action"]).read_bytes())
    return canonicalize_quads(quads, "sha384" if case.get("hashAlgorithm") else "sha256")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"][1:])
def test_the_suite_of_the_w3c(case):
    kind = case["type"].removeprefix("rdfc:RDFC10")
    if kind == "NegativeEvalTest":
        with pytest.raises(Unsound) as caught:
            run(case)
        assert caught.value.fault is Fault.TOO_LARGE
        return
    expected = (VECTORS / case["result"]).read_bytes()
    if kind == "MapTest":
        named = {f"_:{old}": f"_:{new}" for old, new in json.loads(expected).items()}
        assert run(case).labels == named
    else:
        assert run(case).text == expected


@given(st.lists(EDGES, min_size=1, max_size=9), st.permutations(["_:x", "_:y", "_:z", "_:w"]))
def test_agrees_with_another_implementation_and_not_with_names(quads, others):
    text = "".join(quad.write() for quad in quads)
    canonical = canonicalize_quads(quads)
    assert canonical.lines == canonicalize_elsewhere(
        pyoxigraph.parse(text, format=pyoxigraph.RdfFormat.N_QUADS)
    )
    names = dict(zip(NODES, others, strict=False))
    renamed = [Quad(*(names.get(part, part) for part in quad)) for quad in reversed(quads)]
    assert canonicalize_quads(renamed).text == canonical.text


def make_clique(count):
    nodes = [f"_:n{number}" for number in range(count)]
    return [Quad(one, "<urn:p>", other) for one, other in permutations(nodes, 2)]


def make_ring(count):
    return [Quad(f"_:n{n}", "<urn:p>", f"_:n{(n + 1) % count}") for n in range(count)]


def make_stars(count):
    """Make pairs of hubs that share all their rays."""
    hubs = ["_:h0", "_:h1"]
    return [Quad(hub, "<urn:p>", f"_:r{ray}") for ray in range(count) for hub in hubs]


@pytest.mark.parametrize(
    "quads",
    [make_clique(7), make_clique(40), make_ring(2_000), make_stars(9), make_stars(1_500)],
    ids=["clique of 7", "clique of 40", "long ring", "stars", "large stars"],
)
def test_graphs_that_would_take_for_ever_are_refused(quads):
    with pytest.raises(Unsound, match="alike") as caught:
        canonicalize_quads(quads)
    assert caught.value.fault is Fault.TOO_LARGE


def test_many_alike_that_hang_on_one_thing_are_no_burden():
    quads = [Quad("<urn:a>", "<urn:p>", f"_:n{number}") for number in range(1_000)]
    assert len(canonicalize_quads(quads).labels) == 1_000


def test_a_lone_surrogate_has_no_bytes():
    with pytest.raises(Unsound) as caught:
        canonicalize_quads([Quad("<urn:a>", "<urn:p>", '"\ud800"')]).text  # noqa: B018
    assert caught.value.fault is Fault.MALFORMED
