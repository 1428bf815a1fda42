"""A node that lacks old headers asks other members' nodes, and believes none of them."""

from __future__ import annotations

import asyncio
import urllib.request
from dataclasses import dataclass

import pytest
from aiohttp import web
from msgspec.structs import replace
from tests.running import run_fake
from tests.voted_world import make_voted_folder, run_voted, vote
from tests.world import key

from hansa.contracts.nodes import Node
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import verify_header
from hansa.kernel.light.votes import begin
from hansa.node.network.asking import build_asker


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_voted(make_voted_folder(tmp_path_factory.mktemp("asked") / "node")) as running:
        yield running


@dataclass
class Known:
    """What a chain says of where nodes answer."""

    network: Network
    urls: list[str]

    def iterate_rows(self, prefix):
        assert prefix == Node.TABLE
        names = ["officer0", "north", "south", "regulator"]
        for name, url in zip(names, self.urls, strict=False):
            row = Node(key(name).address, b"", (), b"", url, since_height=0)
            yield b"", encode(row)


def ask(known, name="regulator", height=1):
    return asyncio.run(build_asker(known, key(name).address)(height))


def make_false(running, asked, votes):
    """The routes of a node that answers as this one does, but for these votes."""
    network = running.home.load_network()
    with urllib.request.urlopen(f"{running.url}/v1/status") as answer:  # noqa: S310 - our own
        status = answer.read()

    async def lie(_):
        asked.append(1)
        return web.Response(body=encode(votes))

    async def tell_genesis(_):
        return web.Response(body=network.genesis.encoded())

    async def tell_status(_):
        return web.Response(body=status, content_type="application/json")

    return (
        web.get("/v1/genesis", tell_genesis),
        web.get("/v1/status", tell_status),
        web.get("/v1/blocks/{height}/votes", lie),
    )


def test_who_answers_with_older_votes_does_not_keep_others_from_being_asked(running):
    network = running.home.load_network()
    asked = []
    newest = ask(Known(network, [running.url])).signed_header.header.height
    old = vote(network, b"header", 1)
    assert old.signed_header.header.height < newest
    with run_fake(*make_false(running, asked, old)) as false_url:
        known = Known(network, [false_url, running.url])
        for height, found in ((newest, newest), (1, old.signed_header.header.height)):
            assert ask(known, height=height).signed_header.header.height == found
        with pytest.raises(
            Unavailable, match=f"height {newest + 1} on .*shows votes of height {newest}"
        ):
            ask(known, height=newest + 1)
    assert len(asked) == 3


def test_the_first_that_shows_what_verifies_is_taken(running):
    network = running.home.load_network()
    asked = []
    good = vote(network, b"header", 20)
    forged = replace(good, signed_header=replace(good.signed_header, round=7))
    liar = make_false(running, asked, forged)
    with run_fake(*liar) as false_url:
        known = Known(network, ["http://127.0.0.1:1", false_url, running.url])
        votes = ask(known)
    assert asked
    trail = verify_header(begin(network), votes.hand_overs, votes.signed_header)
    assert trail.tally.validators == 4


def test_where_nobody_shows_anything_it_says_whom_it_asked(running):
    network = running.home.load_network()
    with pytest.raises(
        Unavailable, match=r"asked: http://127\.0\.0\.1:1 \(.*nothing listens there\)$"
    ):
        ask(Known(network, ["http://127.0.0.1:1", ""]))
    with pytest.raises(Unavailable, match="nobody, as no member"):
        ask(Known(network, ["", running.url]), "north")  # its own is not asked
