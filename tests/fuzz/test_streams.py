"""Random streams through both implementations: the same headers and receipts, to the byte."""

from __future__ import annotations

import os

import hypothesis
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors import independent, independent_machine
from tests.vectors.make_blocks import Recorder
from tests.vectors.parts import NETWORKS, QUOTAS, START_MS, Forge

IS_SOAK = os.environ.get("HANSA_SOAK", "") == "1"
INT64_MAX = 2**63 - 1
PEOPLE = (("ann", 1), ("bob", 2), ("cay", 3), ("north", 1), ("full", 1))

people = st.sampled_from(PEOPLE)
names = st.sampled_from(["coffee", "tea", "suspended", "", "😀" * 64])
amounts = st.sampled_from([1, 5, 500, 501, INT64_MAX, 0, -1, "5"])
counts = st.sampled_from([0, 1, 8, 16, 17, 64, 65])
purposes = st.sampled_from([0, 1, 2, 3, 4, 255])
keys = st.lists(
    st.tuples(people, purposes, st.integers(1, 2), st.sampled_from([0, 500])), max_size=3
)
calls = st.one_of(
    st.tuples(st.just("add"), people, names, amounts),
    st.tuples(st.just("add"), people, names, amounts),
    st.tuples(st.just("drop"), people, names),
    st.tuples(st.just("bind"), people, keys, st.integers(0, 3)),
    st.tuples(st.just("mark"), counts, counts),
    st.tuples(st.just("look"), counts),
    st.tuples(st.just("tell"), counts),
    st.tuples(st.just("fail")),
    st.tuples(st.just("none")),
)
untils = st.sampled_from([-1, 0, 1, 400, 999, 1_000, 900_000, 900_001])
items = st.one_of(
    st.tuples(
        st.lists(people, min_size=1, max_size=2, unique=True),
        st.lists(calls, min_size=1, max_size=3),
        st.integers(0, 9),
        untils,
    ),
    st.binary(max_size=9),
)
sponsors = st.sampled_from([*QUOTAS, "stranger"])
batches = st.tuples(sponsors, st.lists(items, min_size=1, max_size=6))
steps = st.sampled_from([0, 1, 400, 999, 1_000, 5_000, 40_000_000])
blocks = st.lists(st.tuples(steps, st.lists(batches, max_size=2)), min_size=1, max_size=6)


def build_call(forge: Forge, call) -> list:
    word, *arguments = call

    def address(person) -> bytes:
        return forge.key(*person).address

    if word in {"add", "drop"}:
        arguments[0] = address(arguments[0])
    if word == "bind":
        who, listed, threshold = arguments
        arguments = [address(who), [[address(k), *rest] for k, *rest in listed], threshold]
    return ["tally", word, arguments]


def build_item(forge: Forge, item, time_ms: int) -> bytes:
    if isinstance(item, bytes):
        return item
    signers, listed, number, until = item
    forge.count = number  # few nonces, so that they are used again
    return forge.envelope(
        *[forge.key(*each) for each in signers],
        calls=[build_call(forge, call) for call in listed],
        valid_until_ms=max(0, time_ms + until),
    )


@hypothesis.settings(max_examples=1_000 if IS_SOAK else 25)
@given(st.sampled_from(["vectors", "vectors-sm3"]), blocks)
def test_both_implementations_execute_the_same_stream_alike(network_name, stream):
    recorder = Recorder(network_name)
    forge = Forge(NETWORKS[network_name])
    machine = independent_machine.Machine(
        independent.Network(forge.network.genesis.encoded()),
    )
    machine.apply_genesis()
    time_ms = START_MS
    for step, listed in stream:
        time_ms += step
        raws = [
            forge.batch(*[build_item(forge, item, time_ms) for item in each], sponsor=sponsor)
            for sponsor, each in listed
        ]
        recorder.apply(time_ms, *raws)
        post = recorder.blocks[-1]["post"]
        header, receipts, _, outcomes = machine.apply(len(recorder.blocks) - 1, time_ms, raws)
        assert outcomes == post["outcomes"]
        assert [raw.hex() for raw in receipts] == post["receipts"]
        assert header.hex() == post["header"]
