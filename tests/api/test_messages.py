"""Messages over HTTP between two nodes, and what a client of each may ask."""

from __future__ import annotations

import os
from random import Random

import pytest
import requests
from msgspec.structs import replace
from tests.channels import make_world, seal
from tests.posting import run_posts
from tests.running import UNLIMITED
from tests.world import key

from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, NotFound, Refused, Unavailable
from hansa.node.service import wall_clock_ms
from hansa.node.settings import Limits
from hansa.sdk.client import Client

CONTENT = b"\x00\xff any bytes"
SECOND_MS = 1_000


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    with run_posts(tmp_path_factory.mktemp("posts")) as found:
        yield found


@pytest.fixture
def clients(posts):
    north, south = (Client(post.url, api_key=post.token) for post in posts)
    with north, south:
        yield north.messages, south.messages


def test_a_message_goes_from_client_to_client(posts, clients):
    north, south = clients
    sent = north.send(posts[1].address, "reconcile.case", CONTENT)
    done = north.wait_for(bytes.fromhex(sent.id))
    assert (done.state, done.attempts, done.reason, done.size) == ("delivered", 1, "", len(CONTENT))
    (listed,) = south.list_received("reconcile.case")
    assert (listed.id, listed.sender, listed.content) == (sent.id, to_text(posts[0].address), None)
    whole = south.get_received(listed.number)
    assert (whole.content, whole.taken_ms) == (CONTENT, None)
    assert (whole.salt, whole.commitment) == (sent.salt, sent.commitment)
    assert south.take(listed.number) == south.take(listed.number)
    assert south.list_received("reconcile.case") == []
    assert south.get_received(listed.number).content is None
    assert north.list_sent(limit=1).messages == [done]


def test_the_largest_message_passes_and_a_larger_one_does_not(posts, clients):
    north, south = clients
    content = Random(1).randbytes(2**20 - 1_024)
    with pytest.raises(Invalid):
        north.send(posts[1].address, "large", content + b"x")
    with pytest.raises(Unavailable, match="of at most"):  # the outbox of this test is small
        north.send(posts[1].address, "large", content)
    content = content[:50_000]
    sent = north.send(posts[1].address, "large", content)
    assert north.wait_for(bytes.fromhex(sent.id)).state == "delivered"
    (listed,) = south.list_received("large")
    assert south.get_received(listed.number).content == content
    south.take(listed.number)


def test_the_same_id_counts_once_and_not_for_something_else(posts, clients):
    north, south = clients
    message_id = os.urandom(16)
    fields = (posts[1].address, "again", b"once")
    first = north.send(*fields, message_id=message_id)
    north.wait_for(message_id)
    assert north.send(*fields, message_id=message_id).id == first.id
    with pytest.raises(Refused) as refused:
        north.send(posts[1].address, "again", b"twice", message_id=message_id)
    assert "another message was sent under the id" in refused.value.message
    assert [item.id for item in south.list_received("again")] == [first.id]


def test_pages_follow_one_another(posts, clients):
    north, south = clients
    ids = [north.send(posts[1].address, "pages", b"%d" % n).id for n in range(5)]
    for each in ids:
        north.wait_for(bytes.fromhex(each))
    first = north.list_sent(limit=2)
    second = north.list_sent(first.next, limit=2)
    assert [item.id for item in (*first.messages, *second.messages)] == ids[:0:-1]
    numbers = [item.number for item in south.list_received("pages")]
    assert [item.number for item in south.list_received("pages", numbers[1], 2)] == numbers[2:4]


def test_what_cannot_be_sent_says_why(posts, clients):
    north, _ = clients
    for member, told in (
        (key("nobody").address, "no member of this network"),
        (posts[0].address, "to its own member"),
    ):
        with pytest.raises(Refused) as refused:
            north.send(member, "case", b"")
        assert told in refused.value.message
    with pytest.raises(Invalid, match="matching regex"):
        north.send(posts[1].address, "Not a topic", b"")
    with pytest.raises(Invalid):
        north.send(posts[1].address, "case", b"", 10)
    with pytest.raises(NotFound):
        north.get_sent(bytes(16))
    with pytest.raises(NotFound):
        north.take(10**6)


def test_a_node_that_is_away_is_told_of(posts, clients):
    north, _ = clients
    bank = key("officer0").address
    sent = north.send(bank, "case", b"nobody is there", SECOND_MS)
    done = north.wait_for(bytes.fromhex(sent.id))
    assert done.state == "expired"
    assert done.reason.startswith("cannot reach the node at http://officer0")


@pytest.mark.parametrize("whose", [None, 1])
def test_messages_are_their_own_members_alone(posts, whose):
    north = posts[0].url
    headers = {} if whose is None else {"Authorization": f"Bearer {posts[whose].token}"}
    expected = 401
    for method, path in (
        ("GET", "/v1/outbox"),
        ("POST", "/v1/outbox"),
        ("GET", f"/v1/outbox/{'00' * 16}"),
        ("GET", "/v1/inbox"),
        ("GET", "/v1/inbox/1"),
        ("POST", "/v1/inbox/1/take"),
    ):
        answer = requests.request(method, north + path, headers=headers, timeout=60)
        assert answer.status_code == expected, path


def test_rubbish_from_another_node_is_refused_in_words(posts):
    url = f"{posts[0].url}/v1/channel"
    kind = {"Content-Type": "application/msgpack"}
    answer = requests.post(url, data=b"\xc1", headers=kind, timeout=60)
    assert (answer.status_code, answer.json()["title"]) == (400, "MALFORMED")
    answer = requests.post(url, data=bytes(2**20 + 1), headers=kind, timeout=60)
    assert (answer.status_code, answer.json()["title"]) == (413, "TOO_LARGE")
    answer = requests.post(url, data=b"{}", timeout=60)
    assert answer.status_code == 415


def test_figures_count_what_waits(posts, clients):
    north, south = clients
    sent = north.send(posts[1].address, "figures", b"12345")
    north.wait_for(bytes.fromhex(sent.id))
    waiting = len(south.list_received(limit=100))
    text = requests.get(f"{posts[1].url}/metrics", timeout=60).text
    assert f"\nhansa_messages_waiting {waiting}\n" in text
    assert "\nhansa_messages_sending 0\n" in text


def test_what_came_before_is_charged_by_its_length_and_not_what_comes_in(tmp_path):
    slow = replace(UNLIMITED, limits=Limits(anyone_per_s=0.01, anyone_burst=8))
    expires_ms = wall_clock_ms() + 60 * SECOND_MS
    raw = seal(make_world(), bytes(12_000), expires_ms=expires_ms)
    other = seal(make_world(), bytes(12_000), expires_ms=expires_ms, sequence=6, id=b"j" * 16)
    with run_posts(tmp_path, slow) as (_, south):
        url, kind = f"{south.url}/v1/channel", {"Content-Type": "application/msgpack"}
        answers = [requests.post(url, each, headers=kind, timeout=60) for each in (raw, other)]
        answers += [requests.post(url, other, headers=kind, timeout=60) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "Retry-After" in answers[3].headers


def test_what_is_refused_is_charged_by_its_length_and_what_is_taken_is_not(tmp_path):
    slow = replace(UNLIMITED, limits=Limits(anyone_per_s=0.01, anyone_burst=8))
    with run_posts(tmp_path, slow) as (north, south), Client(north.url, api_key=north.token) as one:
        for number in range(4):
            sent = one.messages.send(south.address, "large", bytes(12_000), 60_000)
            done = one.messages.wait_for(bytes.fromhex(sent.id))
            assert (done.state, done.attempts) == ("delivered", 1), number
        url, kind = f"{south.url}/v1/channel", {"Content-Type": "application/msgpack"}
        codes = [requests.post(url, bytes(12_000), headers=kind, timeout=60) for _ in range(2)]
        assert [answer.status_code for answer in codes] == [400, 429]
