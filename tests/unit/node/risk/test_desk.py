"""The risk desk in a running node: what is attested, what waits, and what is told to whom."""

from __future__ import annotations

import asyncio

import pytest
from tests.deciding_desk import NORTH, Bank, Losing
from tests.world import key, pay

from hansa.contracts import wallets
from hansa.contracts.risk.risk import Suspend
from hansa.engine.record_items import find_envelope
from hansa.kernel.block import decode_receipt
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound, Unavailable
from hansa.kernel.machine.state import Reader
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.node.risk.clerk.clerk import Clerk, When
from hansa.node.risk.clerk.judging import Answering, replay
from hansa.node.risk.clerk.memory import restore
from hansa.node.risk.clerk.placing import ENDED
from hansa.node.risk.desk import SENDERS_MAX
from hansa.node.sponsor.desk import Asked
from hansa.risk.decisions.commitment import Executed, decode_record, open_commitment
from hansa.risk.verdicts import Verdict


@pytest.fixture
def bank(tmp_path):
    bank = Bank(tmp_path)
    bank.fund("ann", "shop")
    return bank


def get_clerk(desk):
    """The clerk of a desk, which works in a thread here; between two questions it stands still."""
    return desk._clerk.clerk  # noqa: SLF001 - nobody else has it


def find_id(bank, envelope):
    return compute_tx_id(bank.world.network, decode_envelope(envelope)[0].body)


def read(answer):
    """What became of a transaction: the code of its receipt, empty if it was paid."""
    assert answer.error is None
    return decode_receipt(answer.receipt).code


async def wait_until_held(bank, desk, envelope, sent):
    """Wait until a transaction is held, as whoever sent it waits."""
    tx_id = find_id(bank, envelope)
    async with asyncio.timeout(60):
        while tx_id not in desk._senders:  # noqa: SLF001 - nobody else is told
            assert not sent.done()
            await asyncio.sleep(0.005)
    assert not sent.done()
    return tx_id


def find_executed(bank, tx_id, answer):
    """What the ledger has of a transaction."""
    record = bank.world.chain.get_record(answer.height)
    _, sponsor, attestation = find_envelope(record, answer.place)
    header = bank.world.chain.get_header(answer.height)
    position = (answer.height << 20) + answer.place
    return Executed(tx_id, sponsor, attestation, position, header.time_ms)


def open_decision(bank, tx_id, answer, record, salt):
    rows = Reader(bank.world.chain.machine.state)
    return open_commitment(
        bank.world.network, rows, find_executed(bank, tx_id, answer), record, salt
    )


def test_what_is_allowed_is_attested_and_opens_and_replays(bank):
    envelope = bank.sign("ann", pay("ann", "shop", 300, "bread"), pay("ann", "shop", 50, "milk"))
    tx_id = find_id(bank, envelope)

    async def play():
        async with bank.running() as (node, desk):
            answer = await node.desk.submit(envelope)
            again = await node.desk.submit(envelope)
            assert again == answer
            return answer, await desk.get_decision(tx_id), desk.tell_standing()

    answer, kept, standing = asyncio.run(play())
    assert read(answer) == ""
    assert standing.is_scored
    assert standing.events == 2  # the repetition was not taken in again
    opening = open_decision(bank, tx_id, answer, kept.record, kept.salt)
    assert opening.faults == ()
    assert opening.record.model == bank.models["champion"]
    assert replay(kept, standing.loaded, is_scored=True) == (Verdict.ALLOW, [])
    assert [each.number for each in kept.payments] == [0, 1]


@pytest.mark.parametrize(
    ("amount_minor", "verdict", "answering", "reason"),
    [
        (450, Verdict.STEP_UP, Answering.CONFIRMED, "answer.confirmed"),
        (700, Verdict.REVIEW, Answering.RELEASED, "answer.released"),
    ],
)
def test_what_waits_is_paid_once_somebody_answers_for_it(
    bank, amount_minor, verdict, answering, reason
):
    envelope = bank.sign("ann", pay("ann", "shop", amount_minor, "chair"))
    tx_id = find_id(bank, envelope)

    async def play():
        async with bank.running() as (node, desk):
            sent, again = node.desk.enqueue(envelope), node.desk.enqueue(envelope)
            await wait_until_held(bank, desk, envelope, sent)
            (held,) = desk.list_open()
            assert held.tx_id == tx_id
            kept = await desk.get_decision(tx_id)
            assert decode_record(kept.record).verdict is verdict
            if verdict is Verdict.REVIEW:
                with pytest.raises(Invalid, match="it cannot be confirmed"):
                    await desk.answer(tx_id, Answering.CONFIRMED, "ann's app")
            given = await desk.answer(tx_id, answering, "officer 7")
            answer = await sent
            assert await again == answer
            assert desk.list_open() == []
            with pytest.raises(NotFound, match="no such transaction waits"):
                await desk.answer(tx_id, answering, "officer 7")
            return answer, given, await desk.find_answer(tx_id)

    answer, given, found = asyncio.run(play())
    assert read(answer) == ""
    assert found == given
    assert (given.by, given.answer) == ("officer 7", answering.value)
    opening = open_decision(bank, tx_id, answer, given.record, given.salt)
    assert opening.faults == ()
    assert opening.record.reasons[0] == reason


def test_what_is_refused_or_blocked_tells_no_more_than_what_is_late(bank):
    bank.fund("listed")
    end_ms = bank.now_ms() + 60_000
    waiting = bank.sign("ann", pay("ann", "shop", 700, "waits"), until_ms=end_ms)
    refused = bank.sign("ann", pay("ann", "shop", 701, "refused"), until_ms=end_ms)
    blocked = bank.sign("ann", pay("ann", "shop", 5_000, "blocked"), until_ms=end_ms)
    listed = bank.sign("ann", pay("ann", "listed", 5, "listed"), until_ms=end_ms)

    async def play():
        async with bank.running() as (node, desk):
            envelopes = [waiting, refused, blocked, listed]
            sent = [node.desk.enqueue(each) for each in envelopes]
            ordinary = bank.sign("ann", pay("ann", "shop", 5, "others are paid"))
            assert read(await node.desk.submit(ordinary)) == ""
            for each, future in zip(envelopes, sent, strict=True):
                await wait_until_held(bank, desk, each, future)
            await desk.answer(find_id(bank, refused), Answering.REFUSED, "officer 7")
            with pytest.raises(Invalid, match="the decision was block"):
                await desk.answer(find_id(bank, blocked), Answering.RELEASED, "officer 7")
            late = node.desk.enqueue(refused)
            crowd = [node.desk.enqueue(refused) for _ in range(SENDERS_MAX)]
            await asyncio.sleep(0.05)
            assert not late.done()
            assert [held.tx_id for held in desk.list_open()] == [find_id(bank, waiting)]
            bank.world.time_ms = end_ms + 1
            answers = await asyncio.gather(*sent, late)
            assert sum(each.done() for each in crowd) == SENDERS_MAX - 2  # and two before them
            held = await desk.list_held(2**53, 10)
            return answers, held, desk.list_open()

    answers, held, still_open = asyncio.run(play())
    assert len({(each.error.code, each.error.message) for each in answers}) == 1
    assert answers[0].error.code is InvalidCode.EXPIRED
    assert "risk" not in answers[0].error.message
    assert len(held) == 4
    assert not any(each.is_open for each in held)
    assert still_open == []
    assert bank.world.balance("ann") == (100_000 - 5, 0)


def test_of_two_answers_at_once_the_first_counts(bank):
    envelope = bank.sign("ann", pay("ann", "shop", 700, "chair"))

    async def play():
        async with bank.running() as (node, desk):
            tx_id = await wait_until_held(bank, desk, envelope, node.desk.enqueue(envelope))
            return await asyncio.gather(
                desk.answer(tx_id, Answering.REFUSED, "officer 7"),
                desk.answer(tx_id, Answering.RELEASED, "officer 8"),
                return_exceptions=True,
            )

    first, second = asyncio.run(play())
    assert first.answer == "refused"
    assert isinstance(second, NotFound)


def test_what_was_blocked_meanwhile_is_confirmed_and_released_by_nobody(bank):
    envelope = bank.sign("ann", pay("ann", "shop", 450, "chair"))
    shop = to_text(key("shop").address)

    async def play():
        async with bank.running() as (node, desk):
            sent = node.desk.enqueue(envelope)
            tx_id = await wait_until_held(bank, desk, envelope, sent)
            lists = f"subject,name,list,until,why\nwallet,{shop},block,,a mule\n"
            (bank.path / "lists.csv").write_text(lists)
            await desk.reload()
            for answering in (Answering.CONFIRMED, Answering.RELEASED):
                with pytest.raises(Invalid, match="lists say block by now"):
                    await desk.answer(tx_id, answering, "ann's app")
            return (await desk.answer(tx_id, Answering.REFUSED, "officer 7")).answer

    assert asyncio.run(play()) == "refused"


def test_an_answer_counts_though_the_clerk_ended_before_it_told(bank):
    bank.place = Losing
    envelope = bank.sign("ann", pay("ann", "shop", 700, "chair"))

    async def play():
        async with bank.running() as (node, desk):
            sent = node.desk.enqueue(envelope)
            tx_id = await wait_until_held(bank, desk, envelope, sent)
            for by in ("officer 7", "officer 8"):
                desk._clerk.lost[Clerk.answer] = Unavailable(ENDED)  # noqa: SLF001 - as if killed
                with pytest.raises(Unavailable):
                    await desk.answer(tx_id, Answering.RELEASED, by)
            with pytest.raises(NotFound):
                await desk.answer(tx_id, Answering.REFUSED, "officer 8")
            assert read(await sent) == ""
            await desk._follower.catch_up()  # noqa: SLF001 - of the block that has it
            for _ in range(2):  # as whoever was told that it may be lost
                desk._clerk.lost[Clerk.tell] = Unavailable(ENDED)  # noqa: SLF001 - as if killed
                with pytest.raises(Unavailable):
                    await desk.tell(tx_id, is_fraud=True)
            assert await desk.tell(tx_id, is_fraud=True) == 1
            return (await desk.find_answer(tx_id)).by, desk.tell_standing().events

    assert asyncio.run(play()) == ("officer 7", 3)


def test_what_was_let_through_while_no_block_comes_is_brought_in_after_the_next_start(bank):
    envelope = bank.sign("ann", pay("ann", "shop", 700, "chair"))
    tx_id = find_id(bank, envelope)

    async def begin():
        desk, stalled = bank.open_desk(), asyncio.Event()

        async def bring(_):
            await stalled.wait()

        await desk.start(bring)
        [ruling] = await desk.decide([Asked(envelope, tx_id, "", asyncio.Future())])
        assert ruling.is_held
        await desk.answer(tx_id, Answering.RELEASED, "officer 7")
        await desk.stop()

    async def go_on():
        async with bank.running() as (node, _):
            assert await node.wait_for_block(height + 1, 60)

    height = bank.world.chain.head.height
    asyncio.run(begin())
    asyncio.run(go_on())
    assert bank.world.balance("ann") == (100_000 - 700, 0)


def test_a_policy_that_cannot_be_kept_decides_nothing(bank):
    async def play():
        async with bank.running() as (_, desk):
            before = desk.tell_standing().loaded.policy_hash
            (bank.path / "rules.toml").write_text('name = "none"\n')
            journal = get_clerk(desk).journal._file.connection  # noqa: SLF001 - it cannot be written
            journal.execute("PRAGMA query_only = 1")
            with pytest.raises(Unavailable):
                await desk.reload()
            journal.execute("PRAGMA query_only = 0")
            assert desk.tell_standing().loaded.policy_hash == before
            assert (await desk.reload()).loaded.policy_hash != before

    asyncio.run(play())


def test_what_waits_is_known_though_the_clock_was_put_back_before_the_start(bank):
    until_ms = bank.now_ms() + 890_000
    waiting = bank.sign("ann", pay("ann", "shop", 700, "chair"), until_ms=until_ms)
    ordinary = bank.sign("ann", pay("ann", "shop", 5, "bread"), until_ms=until_ms)

    async def play(*sent):
        async with bank.running() as (node, desk):
            held, *others = map(node.desk.enqueue, sent)
            await wait_until_held(bank, desk, waiting, held)
            return [read(await each) for each in others]

    asyncio.run(play(waiting))
    bank.late_ms = 20_000
    assert asyncio.run(play(waiting, ordinary)) == [""]


def test_what_waits_is_known_though_the_clock_was_ahead_for_a_while(bank):
    async def play():
        async with bank.running() as (node, desk):
            bank.world.time_ms += 60_000
            until_ms = bank.now_ms() + 890_000
            waiting = bank.sign("ann", pay("ann", "shop", 700, "chair"), until_ms=until_ms)
            await wait_until_held(bank, desk, waiting, node.desk.enqueue(waiting))
            ahead = When(bank.now_ms() + 2_400_000, bank.now_ms(), ())
            get_clerk(desk).decide([], ahead)
            again = node.desk.enqueue(waiting)
            ordinary = bank.sign("ann", pay("ann", "shop", 5, "bread"), until_ms=until_ms)
            assert read(await node.desk.submit(ordinary)) == ""
            assert not again.done()

    asyncio.run(play())


def test_what_waits_is_known_though_many_were_decided_since(bank):
    bank.recent_max = 2

    async def play():
        async with bank.running() as (node, desk):
            waiting = bank.sign("ann", pay("ann", "shop", 700, "chair"))
            await wait_until_held(bank, desk, waiting, node.desk.enqueue(waiting))
            for number in range(4):
                small = bank.sign("ann", pay("ann", "shop", 5, f"bread {number}"))
                assert read(await node.desk.submit(small)) == ""
            assert len(get_clerk(desk)._deciding._recent) <= 3  # noqa: SLF001 - nothing else tells
            again = node.desk.enqueue(waiting)
            small = bank.sign("ann", pay("ann", "shop", 5, "milk"))
            assert read(await node.desk.submit(small)) == ""
            assert not again.done()
            assert desk.tell_standing().events == 6

    asyncio.run(play())


def test_what_could_not_be_decided_is_not_remembered(bank):
    ann = [bank.sign("ann", pay("ann", "shop", 5 + each, f"p{each}")) for each in range(2)]

    class Broken:
        laid_out = ()

        def make_room(self, *_):
            raise MemoryError

    async def play():
        async with bank.running() as (node, desk):
            folder = get_clerk(desk)._folder  # noqa: SLF001 - whose model fails
            loaded = folder.loaded
            folder.loaded = loaded._replace(scoring=Broken())
            with pytest.raises(Unavailable):
                await node.desk.submit(ann[0])
            folder.loaded = loaded
            await node.desk.submit(ann[1])
            return (await desk.get_decision(find_id(bank, ann[1]))).payments[0].number

    loop_faults = []
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda _, fault: loop_faults.append(fault))
        assert runner.run(play()) == 0
    assert len(loop_faults) == 1


def test_what_waits_survives_the_node_and_is_decided_by_what_is_remembered(bank):
    small = [bank.sign("ann", pay("ann", "shop", 10 + each, f"s{each}")) for each in range(3)]
    envelope = bank.sign("ann", pay("ann", "shop", 700, "chair"))
    tx_id = find_id(bank, envelope)

    async def begin():
        async with bank.running() as (node, desk):
            await asyncio.gather(*map(node.desk.submit, small))
            waiting = node.desk.enqueue(envelope)
            await wait_until_held(bank, desk, envelope, waiting)
        assert waiting.cancelled()

    async def go_on():
        async with bank.running() as (node, desk):
            assert [held.tx_id for held in desk.list_open()] == [tx_id]
            again = node.desk.enqueue(envelope)
            await wait_until_held(bank, desk, envelope, again)
            assert desk.tell_standing().events == 4
            await desk.answer(tx_id, Answering.RELEASED, "officer 7")
            assert read(await again) == ""
            await node.desk.submit(bank.sign("ann", pay("ann", "shop", 9, "later")))
            await desk._follower.catch_up()  # noqa: SLF001 - of the block that has it
            return await desk.tell(tx_id, is_fraud=True), desk.tell_standing().events

    asyncio.run(begin())
    assert asyncio.run(go_on()) == (1, 7)
    desk = bank.open_desk()
    remembered, _ = restore(get_clerk(desk).journal)
    (bank.path / "decisions.memory").unlink()
    anew, start = restore(get_clerk(desk).journal)
    assert start == 0
    assert anew.save() == remembered.save()
    desk.close()


def test_without_a_model_in_force_amounts_decide_and_others_are_paid(tmp_path):
    bank = Bank(tmp_path, attested_from_minor=200)
    bank.fund("ann", "shop")
    assert bank.world.do("north", Suspend(NORTH, bank.models["champion"])) == ""
    small = bank.sign("ann", pay("ann", "shop", 350, "small"))
    large = bank.sign("ann", pay("ann", "shop", 1_000, "large"))
    tx_id = find_id(bank, small)

    async def play():
        async with bank.running() as (node, desk):
            answer = await node.desk.submit(small)
            waiting = node.desk.enqueue(large)
            await wait_until_held(bank, desk, large, waiting)
            return answer, await desk.get_decision(tx_id), desk.tell_standing()

    answer, kept, standing = asyncio.run(play())
    assert read(answer) == ""
    assert not standing.is_scored
    opening = open_decision(bank, tx_id, answer, kept.record, kept.salt)
    assert opening.faults == ()
    assert opening.record.reasons == ("not_scored",)


def test_a_command_beside_the_node_swaps_its_model_and_stops_it(tmp_path):
    bank = Bank(tmp_path, models=("champion", "next"))
    bank.fund("ann", "shop")

    async def play():
        decided_by = []
        async with bank.running() as (node, desk):
            for number, change in enumerate(
                (
                    lambda: None,
                    lambda: bank.registry.promote(bank.models["next"].hex()),
                    bank.registry.rollback,
                    bank.registry.stop,
                )
            ):
                change()
                envelope = bank.sign("ann", pay("ann", "shop", 5, f"p{number}"))
                assert read(await node.desk.submit(envelope)) == ""
                kept = await desk.get_decision(find_id(bank, envelope))
                decided_by.append(decode_record(kept.record).model)
        return decided_by

    champion, following = bank.models.values()
    assert asyncio.run(play()) == [champion, following, champion, bytes(32)]


def test_a_journal_that_cannot_be_written_keeps_payments_back_and_nothing_of_them_is_remembered(
    bank, caplog
):
    ann = [bank.sign("ann", pay("ann", "shop", 5 + each, f"p{each}")) for each in range(2)]

    async def play():
        async with bank.running() as (node, desk):
            journal = get_clerk(desk).journal._file.connection  # noqa: SLF001 - it cannot be written
            journal.execute("PRAGMA query_only = 1")
            with pytest.raises(Exception, match="cannot decide on payments now"):
                await node.desk.submit(ann[0])
            journal.execute("PRAGMA query_only = 0")
            answers = [await node.desk.submit(each) for each in ann]
            kept = await desk.get_decision(find_id(bank, ann[0]))
            return [read(each) for each in answers], kept.payments[0].number, desk.tell_standing()

    codes, number, standing = asyncio.run(play())
    assert codes == ["", ""]
    assert (number, standing.events) == (0, 2)
    told = [each for each in caplog.records if "could not be decided on" in each.message]
    assert ["the risk decisions" in each.message for each in told] == [True]
    assert not told[0].exc_info, "a disk that refuses is told in a line"


def test_payees_that_the_ledger_has_not_are_not_remembered(bank):
    nobody = [bank.sign("ann", pay("ann", f"nobody {each}", 5, f"p{each}")) for each in range(3)]

    async def play():
        async with bank.running() as (node, desk):
            answers = await asyncio.gather(*map(node.desk.submit, nobody))
            kept = await desk.get_decision(find_id(bank, nobody[0]))
            return list(map(read, answers)), kept, desk.tell_standing().events

    codes, kept, events = asyncio.run(play())
    assert set(codes) == {"wallets.UNKNOWN_WALLET"}
    assert (kept.payments[0].number, kept.payments[0].row, events) == (-1, b"", 0)
    assert decode_record(kept.record).reasons == ("not_described",)


def test_only_money_that_leaves_its_own_wallets_is_decided_on(bank):
    wallet = key("new").address
    envelope = bank.sign("north", wallets.Open(wallet, NORTH, wallets.Category.I))

    async def play():
        async with bank.running() as (node, desk):
            answer = await node.desk.submit(envelope)
            with pytest.raises(NotFound, match="decided on no such"):
                await desk.get_decision(find_id(bank, envelope))
            return answer

    assert read(asyncio.run(play())) == ""
