"""Questions about identity: asked of a node, answered from what it proves, and of no lie."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
import requests
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from tests.faked import BASE
from tests.identified import (
    GIVEN,
    HANDED_ON,
    HOLDER,
    ISSUER,
    LIST,
    NORTH,
    PAPER,
    ROOT,
    SOUTH,
    do,
    play_identity,
)
from tests.played import open_folder
from tests.running import run_fake, run_folder
from tests.world import key

from hansa.contracts.identity.accreditation import Fault
from hansa.contracts.identity.documents import Document, PublicKey
from hansa.contracts.identity.status import Bits, CreateList, Status, compute_root
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.node.home import Home
from hansa.sdk.checks import NewestCheckpoint
from hansa.sdk.client import Client
from hansa.sdk.identity.client import PATH
from hansa.sdk.identity.consents import find_state
from hansa.sdk.identity.proofs import RowsProof, verify_rows
from hansa.sdk.identity.questions import (
    ConsentQuestion,
    DidQuestion,
    EvidenceQuestion,
    ListQuestion,
    SchemaQuestion,
    StandingQuestion,
    StatusQuestion,
)

NOBODY = key("nobody").address
LARGE = range(100, 117)
"""Numbers of status lists of 128 chunks each."""


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A node on which a little of each contract was done; the last entry is a time in between."""
    path = tmp_path_factory.mktemp("played")
    with open_folder(path) as world:
        for number in LARGE:
            do(world, "issuer", CreateList(ISSUER, number, Bits.TWO, 2**20))
        between_ms = play_identity(world)
        network = world.network
        end_ms = world.time_ms
    with run_folder(Home(path)) as running:
        yield running, network, between_ms, end_ms


@pytest.fixture
def client(played):
    running, network, _, _ = played
    with Client(running.url, network.genesis_hash, api_key=running.token) as found:
        yield found


@pytest.fixture(scope="module")
def raw(played):
    """What the node answers about two DIDs, one of which is not there."""
    running = played[0]
    headers = {"Content-Type": "application/msgpack"}
    body = encode([DidQuestion(ISSUER), DidQuestion(NOBODY)])
    return requests.post(running.url + PATH, data=body, headers=headers, timeout=60).content


def test_a_did_is_resolved_now_then_and_not_at_all(client, played):
    found = client.identity.ask(DidQuestion(ISSUER))
    resolution = found.answer.resolution
    assert (resolution.version, len(resolution.keys)) == (3, 2)
    assert found.answer.delegates[0].address == HOLDER
    assert found.header.checkpoint_height == found.header.height
    before = client.identity.ask(DidQuestion(ISSUER, played[2])).answer.resolution
    assert (before.version, before.next_update_ms > played[2]) == (1, True)
    assert client.identity.ask(DidQuestion(NOBODY)).answer.resolution is None


def test_many_are_asked_in_as_few_requests_as_may_be(client):
    found = client.identity.ask_many([DidQuestion(each) for each in (ISSUER, HOLDER, NOBODY) * 60])
    assert [each.answer.resolution is None for each in found] == [False, False, True] * 60


def test_answers_that_rest_on_too_many_rows_are_asked_for_in_parts(client):
    lists = [ListQuestion(ISSUER, number) for number in LARGE]
    with pytest.raises(Invalid, match="more than 2048 rows") as error:
        client.identity.prove(lists)
    assert error.value.code is InvalidCode.TOO_MANY
    found = client.identity.ask_many([*lists, ListQuestion(*LIST)])
    assert [each.answer.row.number for each in found] == [*LARGE, LIST[1]]
    assert found[3].answer.content == bytes(2**18)


def test_each_question_has_its_answer(client, played):
    end_ms = played[3]
    ask = client.identity.ask
    kind, newest = ask(SchemaQuestion("resident")).answer
    assert (kind.owner, newest.version) == (NORTH, 2)
    assert ask(SchemaQuestion("resident", 1)).answer.schema.retired_ms > 0
    assert ask(SchemaQuestion("other")).answer == (None, None)
    assert ask(StandingQuestion(ISSUER, "resident", end_ms)).answer.fault is None
    assert ask(StandingQuestion(NOBODY, "resident", end_ms)).answer.fault is Fault.NEVER
    indices = (0, 3, 5, 20_000)
    found = client.identity.ask_many([StatusQuestion(*LIST, index) for index in indices])
    told = [each.answer.status for each in found]
    assert told == [Status.VALID, Status.INVALID, Status.SUSPENDED, None]
    whole = ask(ListQuestion(*LIST)).answer
    assert len(whole.content) == 5_000
    assert compute_root(whole.chunks, client.get_network().digest) == whole.row.root
    paper, notes = ask(EvidenceQuestion(NORTH, PAPER)).answer
    assert ([each.cosigner for each in paper.signed], notes[0].note_hash) == ([SOUTH], ROOT)
    assert ask(EvidenceQuestion(SOUTH, PAPER)).answer == (None, ())


def test_a_consent_is_proved_with_what_it_hangs_on(client, played):
    chain = client.identity.ask(ConsentQuestion(HANDED_ON)).answer
    assert [link.consent_id for link in chain] == [HANDED_ON, GIVEN]
    assert find_state(chain, played[3]) == "in_force"
    with pytest.raises(NotFound, match="no consent"):
        client.identity.ask(ConsentQuestion(bytes(32)))
    with (
        Client(played[0].url, attempts=1) as stranger,
        pytest.raises(Invalid, match="API key"),
    ):
        stranger.identity.ask(ConsentQuestion(GIVEN))


def test_the_state_of_a_consent_is_that_of_its_chain(client, played):
    child, parent = client.identity.ask(ConsentQuestion(HANDED_ON)).answer
    replace, now = msgspec.structs.replace, played[3]
    cases = {
        "over": [(replace(child, until_ms=now - 1), parent), ()],
        "revoked": [(child, replace(parent, revoked_ms=1))],
        "not_yet": [(replace(child, from_ms=now + 1), parent)],
        "used_up": [(child, replace(parent, uses=5)), (replace(child, uses=2), parent)],
        "in_force": [(child, parent), (replace(child, uses_max=0, uses=99), parent)],
    }
    for state, chains in cases.items():
        assert [find_state(chain, now) for chain in chains] == [state] * len(chains)


# --- lies ----------------------------------------------------------------------------------------


def change(raw, **fields):
    return encode(msgspec.structs.replace(msgspec.msgpack.decode(raw, type=RowsProof), **fields))


def test_rows_that_are_not_what_was_sealed_are_refused(raw, played):
    network, proof = played[1], msgspec.msgpack.decode(raw, type=RowsProof)
    present = [at for at, (_, value) in enumerate(proof.rows) if value is not None]
    lies = {
        "another value": (*proof.rows[present[0]][:1], b"\x90"),
        "absence": (proof.rows[present[0]][0], None),
    }
    for row in lies.values():
        rows = (*proof.rows[: present[0]], row, *proof.rows[present[0] + 1 :])
        with pytest.raises(Invalid, match="another value, or none"):
            verify_rows(network, change(raw, rows=rows))
    with pytest.raises(Invalid, match="twice"):
        verify_rows(network, change(raw, rows=(*proof.rows, proof.rows[0])))
    with pytest.raises(Invalid, match="of no table"):
        verify_rows(network, change(raw, rows=(*proof.rows, (b"", None))))
    with pytest.raises(Invalid):
        verify_rows(network, change(raw, nodes=proof.nodes[:-1]))
    with pytest.raises(Invalid):
        verify_rows(network, change(raw, seals=()))


def test_what_was_not_proved_is_not_read(raw, played):
    rows = verify_rows(played[1], raw)
    assert rows.get(Document, ISSUER).version == 2
    assert rows.get(Document, NOBODY) is None
    with pytest.raises(Invalid, match="not the row of Document"):
        rows.get(Document, NORTH)
    with pytest.raises(Invalid, match="not the row of PublicKey"):
        rows.get(PublicKey, NORTH)


@given(data=st.data())
def test_noise_raises_nothing_but_invalid(raw, played, data):
    """What is believed of a changed proof is still true: that another row is not there."""
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = bytearray(raw)
    changed[at] ^= data.draw(st.integers(1, 255))
    known = DidQuestion(ISSUER).read(verify_rows(played[1], raw))
    for noise in (bytes(changed), raw[:at], data.draw(st.binary(max_size=60))):
        with suppress(Invalid):
            assert DidQuestion(ISSUER).read(verify_rows(played[1], noise)) == known


def test_a_node_does_not_go_back_behind_what_it_proved(played, raw):
    height = verify_rows(played[1], raw).header.height
    newest = NewestCheckpoint()
    newest.advance("node", newest.height, height)
    newest.advance("node", newest.height, height)
    with pytest.raises(Unavailable, match="hides what came since"):
        newest.advance("node", newest.height, height - 1)


def test_what_is_no_proof_is_refused():
    async def post(_):
        return web.Response(body=b"\x90", content_type="application/msgpack")

    with (
        run_fake(*BASE, web.post(PATH, post)) as url,
        Client(url, attempts=1) as client,
        pytest.raises(Invalid, match="no proof of rows"),
    ):
        client.identity.ask(DidQuestion(ISSUER))
