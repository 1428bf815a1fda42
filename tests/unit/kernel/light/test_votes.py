"""Votes show a stranger that validators signed a block, from genesis or a checkpoint on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conftest import FLIP_STEP
from tests.vectors.make_votes import Docket
from tests.vectors.parts import NETWORKS, START_MS
from tests.vectors.voting import make_voted

from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.kernel.genesis import Network, decode_genesis
from hansa.kernel.light.header import Moment
from hansa.kernel.light.trail import decode_checkpoint
from hansa.kernel.light.votes import VOTES_BYTES_MAX, begin, check_votes, decode_votes

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "light" / "votes.json"


@pytest.mark.parametrize("case", json.loads(VECTORS.read_text()), ids=lambda case: case["name"])
def test_vectors(case):
    def check():
        network = Network.of(decode_genesis(bytes.fromhex(case["pre"]["genesis"])))
        raw = case["pre"]["checkpoint"]
        start = None if raw is None else decode_checkpoint(bytes.fromhex(raw))
        header, votes = (bytes.fromhex(case["input"][name]) for name in ("header", "votes"))
        return check_votes(network, header, decode_votes(votes), start)

    post = case.get("post")
    if post is None:
        with pytest.raises(Invalid) as error:
            check()
        assert error.value.code == case["code"]
        return
    trail = check()
    assert trail.end.height == post["height"]
    assert trail.start.height == post["checkpoint_height"]
    assert trail.tally.signers == post["signers"]
    assert trail.signed_header.header.compute_hash().hex() == post["block_hash"]


def test_any_flipped_byte_fails():
    docket = Docket(make_voted())
    raw = encode(docket.votes)
    for at in range(0, len(raw), FLIP_STEP):
        bad = bytearray(raw)
        bad[at] ^= 0x80
        with pytest.raises(Invalid):
            check_votes(docket.network, docket.header, decode_votes(bytes(bad)))


def test_genesis_is_the_first_checkpoint():
    network = make_voted()
    start = begin(network)
    assert (start.height, start.genesis_hash) == (1, network.genesis_hash)
    assert (start.time, start.time.time_ms) == (Moment(1_700_000_000, 0), START_MS)
    assert [validator.power for validator in start.validators.validators] == [4, 3, 3, 2]
    with pytest.raises(Invalid) as error:
        begin(NETWORKS["vectors"])
    assert error.value.code is InvalidCode.SIGNATURE


def test_a_moment_is_told_in_milliseconds():
    for time_ms in (0, 1, 999, 1_700_000_000_001):
        assert Moment.of_ms(time_ms).time_ms == time_ms
    assert Moment(5, 1_999_999).time_ms == 5_001


def test_huge_votes_are_refused_unread():
    with pytest.raises(Invalid) as error:
        decode_votes(bytes(VOTES_BYTES_MAX + 1))
    assert error.value.code is InvalidCode.TOO_LARGE
