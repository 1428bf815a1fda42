"""A node that lacks old headers asks other members' nodes, and believes none of them."""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from dataclasses import dataclass

import pytest
from aiohttp import web
from msgspec.structs import replace
from tests.authority import Authority
from tests.channels import play
from tests.running import run_fake
from tests.voted_world import make_voted_folder, run_voted, vote
from tests.world import key

from hansa.contracts.nodes import Node
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import verify_header
from hansa.kernel.light.votes import begin
from hansa.node.network.asking import (
    ALL_S,
    ANSWER_S,
    AT_ONCE,
    TOLD_MAX,
    Turns,
    build_asker,
    choose_tls,
)
from hansa.node.settings import load_settings


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
        for name, url in zip(["officer0", "north", "south", "regulator"], self.urls, strict=False):
            row = Node(key(name).address, b"", (), b"", url, since_height=0)
            yield b"", encode(row)


def ask(known, name="regulator", height=1, tls=None):
    return asyncio.run(build_asker(known, key(name).address, tls)(height))


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
        for urls, height, found in (
            ([false_url], 1, old.signed_header.header.height),
            ([false_url, running.url], newest, newest),
        ):
            votes = ask(Known(network, urls), height=height)
            assert votes.signed_header.header.height == found
        known = Known(network, [false_url, running.url])
        with pytest.raises(
            Unavailable, match=f"height {newest + 1} on .*shows votes of height {newest}"
        ):
            ask(known, height=newest + 1)
    assert len(asked) >= 2  # not where another had answered before it was asked


def test_the_first_that_shows_what_verifies_is_taken(running):
    network = running.home.load_network()
    asked = []
    good = vote(network, b"header", 20)
    forged = replace(good, signed_header=replace(good.signed_header, round=7))
    liar = make_false(running, asked, forged)
    with run_fake(*liar) as false_url:
        others = ["http://127.0.0.1:1", false_url]
        with pytest.raises(Unavailable):
            ask(Known(network, others))
        assert asked
        votes = ask(Known(network, [*others, running.url]))
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


def test_an_authority_of_ones_own_is_believed(running, tmp_path):
    network = running.home.load_network()
    authority = Authority(tmp_path)
    authority.issue("server", is_server=True)
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    votes = vote(network, b"header", 20)
    (tmp_path / "node.toml").write_text('[channel]\nca = "ca.crt"\n')
    tls = choose_tls(load_settings(tmp_path / "node.toml"))
    with run_fake(*make_false(running, [], votes), tls=served) as url:
        assert ask(Known(network, [url]), tls=tls) == votes
        with pytest.raises(Unavailable, match="certificate"):
            ask(Known(network, [url]))


def make_askers(votes, count=100):
    """Nodes that all hang, but for the last one."""
    urls = [f"https://{number}.example" for number in range(count)]

    async def ask_one(url):
        if url == urls[-1]:
            return votes
        await asyncio.sleep(ANSWER_S)
        return "no answer"

    return urls, ask_one


def test_those_that_hang_are_not_waited_for_one_after_the_other(running):
    votes = vote(running.home.load_network(), b"header", 20)
    urls, ask_one = make_askers(votes)

    async def run():
        turns, loop, rounds = Turns(), asyncio.get_running_loop(), 0
        while (found := await turns.ask(urls, ask_one)) != votes:
            rounds += 1
            assert len(found) == AT_ONCE * (ALL_S // ANSWER_S)
            assert loop.time() <= rounds * ALL_S + 1
        assert rounds == 5  # of 16 each; then the last is among those that are begun

    play(run)


def test_of_many_that_show_nothing_a_few_are_told(running):
    urls = [f"http://127.0.0.1:1/{number}" for number in range(4)]
    known = Known(running.home.load_network(), urls)
    known.iterate_rows = lambda _: iterate_many(20)
    with pytest.raises(Unavailable, match=f"{20 - TOLD_MAX} more$") as told:
        ask(known)
    assert told.value.message.count("nothing listens there") == TOLD_MAX


def iterate_many(count):
    for number in range(count):
        url = f"http://127.0.0.1:1/{number}"
        yield b"", encode(Node(bytes([number]) * 32, b"", (), b"", url, since_height=0))
