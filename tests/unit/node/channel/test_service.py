"""Two and three nodes' channels on one chain: what passes, what is refused, what is remembered."""

from __future__ import annotations

import asyncio
import sqlite3
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.channels import (
    LIMITS,
    MINUTE_MS,
    SALT,
    Wire,
    change,
    clock_ms,
    make_channel_key,
    make_world,
    open_channel,
    play,
    read_all,
    seal,
)
from tests.world import START_MS, key

from hansa.contracts import nodes
from hansa.kernel.errors import Corrupt, HansaError, Invalid, NotFound, Refused, Unavailable
from hansa.node.channel.codes import ChannelCode
from hansa.node.channel.database import Database
from hansa.node.channel.format import CONTENT_BYTES_MAX, compute_commitment
from hansa.node.channel.outbox import State

NORTH, SOUTH, BANK = (key(name).address for name in ("north", "south", "officer0"))
DAY_MS = 86_400_000


@pytest.fixture
def wire():
    return Wire()


def play_between(tmp_path, wire, call, names=("north", "south"), world=None, **options):
    """Run `call(channels…)` between started channels."""
    world = world or make_world()

    async def run():
        channels = [open_channel(world, wire, tmp_path, name, **options) for name in names]
        for channel in channels:
            await channel.start()
        try:
            await call(*channels)
        finally:
            for channel in channels:
                await channel.stop()

    play(run)


async def settle(channel, message_id):
    """Wait until a message is over."""
    for _ in range(100_000):
        sent = await channel.outbox.get(message_id)
        if sent.state is not State.WAITING:
            return sent
        await asyncio.sleep(0.1)
    raise AssertionError("it waits for ever")


def test_a_message_arrives_once_and_is_acknowledged(tmp_path, wire):
    async def call(north, south):
        message_id = await north.send(SOUTH, "case", b"12.50 is open", MINUTE_MS)
        sent = await settle(north, message_id)
        assert (sent.state, sent.attempts, sent.reason) == (State.DELIVERED, 1, "")
        assert sent.acknowledgement
        assert (await north.outbox.get(message_id)).content is None
        (found,) = await south.inbox.list_waiting("case", 0, 10)
        assert (found.id, found.sender, found.size) == (message_id, NORTH, 13)
        assert (await south.inbox.get(found.number)).content == b"12.50 is open"
        taken = await south.inbox.take(found.number, clock_ms())
        assert taken.content is None
        assert await south.inbox.list_waiting(None, 0, 10) == []
        assert await south.inbox.take(found.number, clock_ms() + 5) == taken

    play_between(tmp_path, wire, call)


def test_a_topic_keeps_its_order_and_topics_do_not_wait_for_one_another(tmp_path, wire):
    async def hold_up(url, message):
        if url == "http://south" and clock_ms() < START_MS + 3_000:
            raise Unavailable("not now")
        return await wire.pass_on(url, message)

    wire.around = hold_up

    async def call(north, south, bank):
        for number in range(6):
            await north.send(SOUTH, "ab"[number % 2], b"%d" % number, MINUTE_MS)
        to_bank = await north.send(BANK, "a", b"at once", MINUTE_MS)
        await settle(north, to_bank)
        assert clock_ms() < START_MS + 3_000
        assert await read_all(bank) == [("a", b"at once")]
        await asyncio.sleep(20)
        found = await read_all(south)
        assert [content for topic, content in found if topic == "a"] == [b"0", b"2", b"4"]
        assert [content for topic, content in found if topic == "b"] == [b"1", b"3", b"5"]

    play_between(tmp_path, wire, call, ("north", "south", "officer0"))


def test_a_lost_answer_brings_the_message_again_and_in_once(tmp_path, wire):
    async def lose_answers(url, message):
        answer = await wire.pass_on(url, message)
        if len(wire.carried) < 4:
            raise Unavailable("the answer was lost")
        return answer

    wire.around = lose_answers

    async def call(north, south):
        sent = await settle(north, await north.send(SOUTH, "case", b"once", MINUTE_MS))
        assert (sent.state, sent.attempts) == (State.DELIVERED, 4)
        assert await read_all(south) == [("case", b"once")]
        assert len({message for _, message in wire.carried}) == 4  # sealed anew each time

    play_between(tmp_path, wire, call)


def test_what_nobody_acknowledges_expires_with_its_reason(tmp_path, wire):
    async def call(north):
        sent = await settle(north, await north.send(SOUTH, "case", b"x", 10_000))
        assert (sent.state, sent.reason) == (State.EXPIRED, "nobody answers at http://south")
        assert sent.attempts > 3
        assert 10_000 <= sent.ended_ms - START_MS < 10_300
        later = await north.send(SOUTH, "case", b"y", 10_000)
        assert (await north.outbox.get(later)).sequence > sent.sequence

    play_between(tmp_path, wire, call, ("north",))


@pytest.mark.parametrize(
    "answer", [b"", b"\xc0", b"x" * 900], ids=["nothing", "nil", "something else"]
)
def test_an_answer_that_acknowledges_nothing_ends_nothing(tmp_path, wire, answer):
    async def answer_so(url, message):
        return answer

    wire.around = answer_so

    async def call(north):
        sent = await settle(north, await north.send(SOUTH, "case", b"x", 5_000))
        assert sent.state is State.EXPIRED

    play_between(tmp_path, wire, call, ("north",))


def test_an_acknowledgement_that_another_member_signed_ends_nothing(tmp_path, wire):
    """The bank answers at south's address, with south's channel key and its own signature."""
    from hansa.node.channel.format import acknowledge, decode_message  # noqa: PLC0415

    world = make_world()

    async def impersonate(url, message):
        _, header = decode_message(message)
        return acknowledge(world.network, key("bank server"), header, clock_ms())

    wire.around = impersonate

    async def call(north):
        sent = await settle(north, await north.send(SOUTH, "case", b"x", 5_000))
        assert sent.state is State.EXPIRED
        assert "is no key with which" in sent.reason

    play_between(tmp_path, wire, call, ("north",), world)


def test_a_recipient_may_change_its_channel_key_while_a_message_waits(tmp_path, wire):
    world = make_world()

    async def run():
        north = open_channel(world, wire, tmp_path, "north")
        south = open_channel(world, wire, tmp_path, "south", number=1)
        await north.start()
        message_id = await north.send(SOUTH, "case", b"x", MINUTE_MS)
        await asyncio.sleep(3)
        assert "channel key" in (await north.outbox.get(message_id)).reason
        new_key = make_channel_key("south", 1).public_key
        publish = nodes.Publish(SOUTH, b"", (), new_key, "http://south")
        assert world.do("south", publish) == ""
        assert (await settle(north, message_id)).state is State.DELIVERED
        assert await read_all(south) == [("case", b"x")]
        await north.stop()
        await south.stop()

    play(run)


def refused_by_south(tmp_path, wire, raw, world, code):
    async def call(south):
        with pytest.raises(Refused) as refused:
            await south.receive(raw)
        assert refused.value.code is code
        assert await read_all(south) == []

    play_between(tmp_path, wire, call, ("south",), world)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"recipient": BANK}, ChannelCode.WRONG_RECIPIENT),
        ({"sender": key("nobody").address}, ChannelCode.STRANGER),
        ({"signer": "bank server"}, ChannelCode.WRONG_SIGNER),
        ({"signer": "north"}, ChannelCode.WRONG_SIGNER),
        ({"channel_key": make_channel_key("south", 1).public_key}, ChannelCode.WRONG_KEY),
        ({"expires_ms": START_MS}, ChannelCode.EXPIRED),
        ({"expires_ms": START_MS + 31 * DAY_MS + 1_000}, ChannelCode.EXPIRES_TOO_LATE),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_is_refused_and_why(tmp_path, wire, changed, code):
    world = make_world()
    refused_by_south(tmp_path, wire, seal(world, **changed), world, code)


def test_a_suspended_member_neither_writes_nor_is_written_to_until_it_is_reinstated(tmp_path, wire):
    world = make_world()

    async def call(north, south):
        change(world, "north", suspended=True)
        with pytest.raises(Refused) as refused:
            await south.receive(seal(world))
        assert refused.value.code is ChannelCode.SUSPENDED
        with pytest.raises(Refused):
            await south.send(NORTH, "case", b"x", MINUTE_MS)
        message_id = await north.send(SOUTH, "case", b"later", MINUTE_MS)
        await asyncio.sleep(3)
        assert "is suspended" in (await north.outbox.get(message_id)).reason
        change(world, "north", suspended=False)
        assert (await settle(north, message_id)).state is State.DELIVERED
        assert await read_all(south) == [("case", b"later")]

    play_between(tmp_path, wire, call, world=world)


def test_an_earlier_sequence_is_refused_and_the_last_known(tmp_path, wire):
    world = make_world()

    async def call(south):
        first = seal(world)
        again = seal(world)
        news = [(await south.receive(raw))[1] for raw in (first, again, first)]
        assert news == [True, False, False]
        for changed in ({"sequence": 4}, {"id": b"j" * 16}, {"content": b"other"}):
            with pytest.raises(Refused) as refused:
                await south.receive(seal(world, **changed))
            assert refused.value.code is ChannelCode.OUT_OF_ORDER
        await south.receive(seal(world, sequence=6, id=b"j" * 16))
        await south.receive(seal(world, topic="other", id=b"k" * 16))
        assert len(await read_all(south)) == 3

    play_between(tmp_path, wire, call, ("south",), world)


def test_what_came_before_is_not_opened_again(tmp_path, wire):
    """Whoever opened it would call it malformed: what is sealed is not what the header says."""
    world = make_world()

    async def call(south):
        commitment = compute_commitment(world.network, SALT, b"hello")
        other = {"content": b"other", "commitment": commitment}
        with pytest.raises(Invalid, match="not the one of the commitment"):
            await south.receive(seal(world, **other))
        answer, _ = await south.receive(seal(world))
        again, is_new = await south.receive(seal(world, **other))
        assert len(again) == len(answer)
        assert not is_new
        with pytest.raises(Refused):
            await south.receive(seal(world, sequence=4, **other))
        with pytest.raises(Refused):
            await south.receive(seal(world, sequence=6, expires_ms=START_MS, **other))

    play_between(tmp_path, wire, call, ("south",), world)


def test_a_message_that_came_before_it_expired_is_acknowledged_afterwards(tmp_path, wire):
    world = make_world()

    async def call(south):
        raw = seal(world)
        await south.receive(raw)
        await asyncio.sleep(120)
        answer, is_new = await south.receive(raw)
        assert answer
        assert not is_new
        with pytest.raises(Refused):
            await south.receive(seal(world, sequence=6))

    play_between(tmp_path, wire, call, ("south",), world)


def test_an_inbox_is_bounded_for_each_sender(tmp_path, wire):
    async def call(north, south, bank):
        ids = [await north.send(SOUTH, "case", b"x", MINUTE_MS) for _ in range(12)]
        await asyncio.sleep(1)
        assert len(await south.inbox.list_waiting(None, 0, 100)) == LIMITS[1].messages
        waiting = await north.outbox.get(ids[10])
        assert "wait here, of at most 10" in waiting.reason
        other = await bank.send(SOUTH, "case", b"x", MINUTE_MS)
        assert (await settle(bank, other)).state is State.DELIVERED
        assert len(await read_all(south)) == 11
        assert (await settle(north, ids[11])).state is State.DELIVERED

    play_between(tmp_path, wire, call, ("north", "south", "officer0"))


def test_an_inbox_is_bounded_in_bytes_and_topics(tmp_path, wire):
    world = make_world()

    async def call(south):
        with pytest.raises(Unavailable, match="of this sender wait here"):
            await south.receive(seal(world, b"x" * (LIMITS[1].bytes + 1)))
        for number in range(256):
            await south.receive(seal(world, topic=f"t{number}"))
            await read_all(south)
        with pytest.raises(Unavailable, match="on 256 topics"):
            await south.receive(seal(world, topic="one.more"))
        await south.receive(seal(world, topic="t7", sequence=8))
        await asyncio.sleep(25 * 3_600)
        late = START_MS + 26 * 3_600_000
        await south.receive(seal(world, topic="one.more", expires_ms=late))

    play_between(tmp_path, wire, call, ("south",), world)


def test_an_outbox_is_bounded_in_messages_and_bytes(tmp_path, wire):
    async def call(north):
        with pytest.raises(Unavailable, match="wait for this recipient"):
            await north.send(SOUTH, "case", bytes(100_001), MINUTE_MS)
        for _ in range(20):
            await north.send(SOUTH, "case", b"x", MINUTE_MS)
        with pytest.raises(Unavailable, match="20 messages with 20 bytes"):
            await north.send(SOUTH, "case", b"x", MINUTE_MS)
        await asyncio.sleep(120)
        await north.send(SOUTH, "case", b"x", MINUTE_MS)

    play_between(tmp_path, wire, call, ("north",))


def test_what_is_over_is_forgotten_after_its_time(tmp_path, wire):
    async def call(north, south):
        first = await north.send(SOUTH, "case", b"x", MINUTE_MS)
        await settle(north, first)
        await read_all(south)
        await asyncio.sleep(3_700)
        await settle(north, await north.send(SOUTH, "case", b"y", MINUTE_MS))
        with pytest.raises(NotFound):
            await north.outbox.get(first)
        with pytest.raises(NotFound):
            await south.inbox.get(1)
        assert [item.number for item in await north.outbox.list_newest(2**62, 10)] == [2]

    play_between(tmp_path, wire, call)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((SOUTH, "Case", b"", MINUTE_MS), Invalid),
        ((SOUTH, "", b"", MINUTE_MS), Invalid),
        ((SOUTH, "case\n", b"", MINUTE_MS), Invalid),
        ((SOUTH, "case", bytes(CONTENT_BYTES_MAX + 1), MINUTE_MS), Invalid),
        ((SOUTH, "case", b"", 999), Invalid),
        ((SOUTH, "case", b"", 31 * 86_400_000), Invalid),
        ((NORTH, "case", b"", MINUTE_MS), Refused),
        ((key("nobody").address, "case", b"", MINUTE_MS), Refused),
    ],
)
def test_what_cannot_be_sent(tmp_path, wire, arguments, error):
    async def call(north):
        with pytest.raises(error):
            await north.send(*arguments)
        assert await north.outbox.count_waiting() == (0, 0)

    play_between(tmp_path, wire, call, ("north",))


def test_a_member_without_a_node_is_waited_for(tmp_path, wire):
    async def call(north):
        sent = await settle(north, await north.send(SOUTH, "case", b"x", 5_000))
        assert "has published no node" in sent.reason

    play_between(tmp_path, wire, call, ("north",), make_world(("north",)))


def test_a_restart_forgets_nothing(tmp_path, wire):
    world = make_world()
    ids = []

    async def before():
        north = open_channel(world, wire, tmp_path, "north")
        wire.channels.clear()
        await north.start()
        ids.extend([await north.send(SOUTH, "case", b"%d" % n, MINUTE_MS) for n in range(3)])
        await asyncio.sleep(2)
        await north.stop()

    async def after():
        north = open_channel(world, wire, tmp_path, "north")
        south = open_channel(world, wire, tmp_path, "south")
        await north.start()
        for message_id in ids:
            assert (await settle(north, message_id)).state is State.DELIVERED
        await south.stop()
        south = open_channel(world, wire, tmp_path, "south")
        with pytest.raises(Refused):
            await south.receive(wire.carried[0][1])  # the first, come late
        assert [content for _, content in await read_all(south)] == [b"0", b"1", b"2"]
        await south.stop()
        await north.stop()

    play(before)
    play(after)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_byte_of_a_message_can_be_changed(tmp_path_factory, data):
    world = make_world()
    raw = bytearray(seal(world))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))

    async def call(south):
        with pytest.raises(HansaError):
            await south.receive(bytes(raw))
        assert await read_all(south) == []

    play_between(tmp_path_factory.mktemp("box"), Wire(), call, ("south",), world)


# --- the file -----------------------------------------------------------------------------------


def test_all_files_are_their_owners_alone(tmp_path, wire):
    async def call(north, south):
        await settle(north, await north.send(SOUTH, "case", b"between us alone", MINUTE_MS))
        await read_all(south)
        files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert {"north.db", "north.db-wal", "south.db", "south.db-wal"} <= files.keys()
        assert set(files.values()) == {0o600}

    play_between(tmp_path, wire, call)


def test_a_damaged_file_says_so(tmp_path):
    path = tmp_path / "messages.db"
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(Corrupt, match="is damaged"):
        Database.open(path)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(Corrupt, match="version 7"):
        Database.open(other)


def test_a_folder_that_is_not_there_says_so(tmp_path):
    with pytest.raises(Unavailable, match="cannot open the messages"):
        Database.open(tmp_path / "none" / "messages.db")


def test_work_that_fails_leaves_nothing(tmp_path):
    async def run():
        database = Database.open(tmp_path / "messages.db")

        def work(connection):
            connection.execute("INSERT INTO sent_lanes VALUES (x'00', 'a', 1)")
            raise NotFound("changed its mind")

        with pytest.raises(NotFound):
            await database.run(work)
        with pytest.raises(Unavailable, match="cannot read or write"):
            await database.run(lambda connection: connection.execute("SELECT * FROM nowhere"))
        count = await database.run(
            lambda connection: connection.execute("SELECT count(*) FROM sent_lanes").fetchone()
        )
        assert count == (0,)
        database.close()

    asyncio.run(run())
