"""Votes cover the block that they name and those before it, wherever the blocks begin."""

from __future__ import annotations

from tests.vectors.make_votes import Docket
from tests.vectors.parts import NETWORKS
from tests.vectors.voting import make_voted

from hansa.kernel.block import BlockRecord, decode_header
from hansa.kernel.light.coverage import Coverage

DOCKET = Docket(make_voted())
HEIGHT = decode_header(DOCKET.header).height


def make_record(header: bytes) -> BlockRecord:
    return BlockRecord(header, (), (), (), (), ())


def test_the_block_that_is_named_is_found_among_others():
    coverage = Coverage(DOCKET.network, DOCKET.votes)
    records = [make_record(DOCKET.other), make_record(DOCKET.header)]
    assert list(coverage.watch(records)) == records
    assert (coverage.voted_height, coverage.list_findings()) == (HEIGHT, [])
    assert "4 of 4 validators" in coverage.describe()


def test_it_may_be_the_one_that_the_others_begin_behind():
    coverage = Coverage(DOCKET.network, DOCKET.votes)
    coverage.look(DOCKET.header)
    assert list(coverage.watch([])) == []
    assert (coverage.voted_height, coverage.list_findings()) == (HEIGHT, [])


def test_where_it_is_not_there_blocks_are_missing():
    coverage = Coverage(DOCKET.network, DOCKET.votes)
    records = [make_record(DOCKET.other), make_record(b"rubbish")]
    assert list(coverage.watch(records)) == records
    assert "blocks are missing" in coverage.list_findings()[0]
    assert coverage.describe() == "No votes of validators were verified."


def test_nothing_is_said_of_a_sealed_network():
    coverage = Coverage(NETWORKS["vectors"], None)
    list(coverage.watch([make_record(DOCKET.header)]))
    assert (coverage.list_findings(), coverage.describe()) == ([], "")
