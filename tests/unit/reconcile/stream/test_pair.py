"""A pair of banks: what matches as it arrives, what breaks, heals and is agreed on."""

from __future__ import annotations

import asyncio
import random
from itertools import cycle

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace
from tests.conftest import IS_SOAK
from tests.streamed import FIRST_DAY, RULES, Banks, HarnessLedger, enter, reconcile_windows
from tests.unit.contracts.harness import DAY_MS

from hansa.contracts.reconciliation import agreements, cases, positions, reconciliation
from hansa.contracts.reconciliation.cases import Case
from hansa.contracts.reconciliation.positions import Position
from hansa.contracts.reconciliation.reconciliation import BRACKETED_MAX, HEALED_MAX, TagCount
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid
from hansa.reconcile.entries import Status
from hansa.reconcile.stream.adding import Origin
from hansa.reconcile.stream.disclosure import decode_disclosure
from hansa.reconcile.stream.entries import read_entries, read_entry, write_entry
from hansa.reconcile.stream.pair import Step
from hansa.reconcile.stream.terms import Place


def play(banks, left, right, windows):
    async def run():
        await banks.streams[Place.LEFT].add(left)
        await banks.streams[Place.RIGHT].add(right)
        banks.complete(windows)
        await banks.settle_down()

    asyncio.run(run())


def test_equal_entries_match_without_a_word_between_the_banks():
    banks = Banks()
    play(banks, [enter(100, "A"), enter(250, "B")], [enter(-250, "B"), enter(-100, "A")], 1)
    row = banks.find_window(0)
    assert (row.matched, row.left.open, row.right.open) == (2, 0, 0)
    assert row.agreed_ms
    assert not any(banks.inboxes)
    outcome = banks.streams[0].find_outcome(0)
    assert outcome == banks.streams[1].find_outcome(0)
    assert [(each.entries, each.net_minor) for each in outcome.nets] == [(2, 350)]


def test_what_does_not_match_is_shown_and_judged_by_both_alike():
    banks = Banks()
    left = [enter(100, "A"), enter(500, "B"), enter(70, "C"), enter(30, "X")]
    right = [enter(-100, "A"), enter(-503, "B"), enter(-40, "C/1"), enter(-30, "C/2")]
    play(banks, left, right, 1)
    outcome = banks.streams[0].find_outcome(0)
    assert outcome == banks.streams[1].find_outcome(0)
    assert [(each.label, len(each.left), len(each.right)) for each in outcome.matches] == [
        ("near", 1, 1),
        ("parts", 1, 2),
    ]
    assert [each.label for each in outcome.breaks] == ["missing_right"]
    [(expected, pairs, _)] = reconcile_windows(banks.pair, left, right)
    assert (outcome.result.hex(), outcome.pairs) == (expected, pairs)
    assert [(each.entries, each.net_minor) for each in outcome.nets] == [(3, 670)]


def test_a_break_goes_into_the_next_window_and_is_healed_there_with_its_case():
    banks = Banks()
    play(banks, [enter(100, "A")], [], 1)
    [broken] = banks.streams[0].find_outcome(0).breaks
    assert not any(each.list_names("show") for each in banks.journals)
    agreement, north = banks.pair.agreement, banks.pair.terms.left
    opening = cases.Open(agreement, north, 0, broken.id)
    banks.harness.do(cases.open_case, opening, "north")
    play(banks, [], [enter(-100, "A", day=1)], 2)
    outcome = banks.streams[1].find_outcome(1)
    assert (outcome.pairs, outcome.breaks) == (1, ())
    case = banks.harness.get(Case, agreement, broken.id)
    assert case.state is cases.State.HEALED


def test_cases_that_are_too_many_for_one_statement_are_healed_by_the_next_one():
    banks = Banks()
    references = [f"R{number}" for number in range(HEALED_MAX + 1)]
    play(banks, [enter(100, each) for each in references], [], 1)
    agreement, north = banks.pair.agreement, banks.pair.terms.left
    broken = [each.id for each in banks.streams[0].find_outcome(0).breaks]
    for each in broken:
        banks.harness.do(cases.open_case, cases.Open(agreement, north, 0, each), "north")

    def count_healed():
        rows = [banks.harness.get(Case, agreement, each) for each in broken]
        return sum(row.state is cases.State.HEALED for row in rows)

    play(banks, [], [enter(-100, each, day=1) for each in references], 2)
    assert count_healed() == HEALED_MAX
    play(banks, [], [], 3)
    assert count_healed() == len(broken)


def test_what_both_wrote_off_is_no_break_any_more_and_what_they_correct_stays_one():
    banks = Banks()
    play(banks, [enter(100, "A"), enter(7, "B")], [], 1)
    agreement, bank = banks.pair.agreement, banks.pair.terms.left
    kinds = cases.Kind.WRITE_OFF, cases.Kind.CORRECT
    broken = banks.streams[0].find_outcome(0).breaks
    for kind, each in zip(kinds, broken, strict=True):
        named = agreement, bank, each.id
        other = agreement, banks.pair.terms.right, each.id
        banks.harness.do(cases.open_case, cases.Open(agreement, bank, 0, each.id), "north")
        proposal = cases.Propose(*named, kind, bytes(32))
        banks.harness.do(cases.propose, proposal, "north", "north 2")
        banks.harness.do(cases.accept, cases.Accept(*other, bytes(32)), "south", "south 2")
        assert banks.harness.get(Case, agreement, each.id).state is cases.State.RESOLVED
    play(banks, [], [], 2)  # they had agreed on window 0 before
    assert [each.id for each in banks.streams[1].find_outcome(1).breaks] == [
        each.id for each in broken
    ]
    play(banks, [], [], 3)
    assert [each.id for each in banks.streams[0].find_outcome(2).breaks] == [broken[1].id]
    assert banks.find_window(2).agreed_ms


def test_entries_of_an_origin_are_added_once():
    banks = Banks()
    stream, journal = banks.streams[Place.LEFT], banks.journals[Place.LEFT]
    entries = [enter(100, "A"), enter(100, "A"), enter(5, "B", status=Status.PENDING)]

    async def run():
        first, last = Origin(bytes(32), 0), Origin(bytes(32), 2)
        with pytest.raises(Invalid, match="add those between them first"):
            await stream.add(entries[2:], last)
        with pytest.raises(Invalid, match="beyond 2"):
            await stream.add([enter(1, "A"), enter(2**53 + 1, "A")])
        assert await stream.add(entries[:2], first) == (2, 0, 0)
        assert await stream.add(entries, first) == (0, 1, 2)
        assert await stream.add(entries[2:], last) == (0, 0, 1)
        assert await stream.add(entries[:1], first) == (0, 0, 1)
        assert await stream.add([*entries, enter(7, "C")], first) == (1, 0, 3)
        assert journal.count(0) == 3
        assert await stream.add(entries[:1], Origin(bytes([1]) * 32, 0)) == (1, 0, 0)
        assert await stream.add(entries[:1]) == (1, 0, 0)

    asyncio.run(run())


def test_a_window_that_is_complete_does_not_wait_for_later_entries():
    banks = Banks()
    left, right = banks.streams

    async def run():
        for day in (1, 0):
            await left.add([enter(100, "A", day=day)])
        banks.complete(1)
        while banks.find_window(0) is None or not banks.find_window(0).agreed_ms:
            for place in Place:
                await banks.deliver(place)
                await banks.streams[place].step()
            assert banks.find_window(1) is None
        await banks.settle_down()

    asyncio.run(run())
    assert banks.find_window(1).left.entries == 2  # with what was open before
    assert right.completed == 1


def test_windows_come_to_an_end_though_late_entries_keep_coming():
    banks = Banks()

    async def run():
        await banks.streams[0].add([enter(100, "A")])
        banks.complete(1)
        for number in range(30):
            for place, stream in zip(Place, banks.streams, strict=True):
                await banks.deliver(place)
                await stream.step()
                if number % 3 == 0:
                    await stream.add([enter(number + 1, f"{place} {number}")])

    asyncio.run(run())
    assert banks.find_window(0).agreed_ms


def test_a_late_entry_heals_a_break_that_is_not_agreed_yet():
    banks = Banks()

    async def run():
        left, right = banks.streams
        await left.add([enter(100, "A")])
        banks.complete(1)
        while (await left.step()).value == "done" or (await right.step()).value == "done":
            pass
        assert banks.find_window(0).left.open == 1
        await right.add([enter(-100, "A")])
        await banks.settle_down()

    asyncio.run(run())
    row = banks.find_window(0)
    assert (row.matched, row.left.open) == (1, 0)
    assert row.agreed_ms


def test_both_sign_the_net_position_and_the_payer_settles_it():
    banks = Banks()
    play(banks, [enter(100, "A"), enter(-30, "B")], [enter(-100, "A"), enter(30, "B")], 1)
    position = banks.harness.get(Position, banks.pair.agreement, 0, "MOP")
    assert position.is_agreed
    outcome = banks.streams[0].find_outcome(0)
    opening = banks.streams[0].open_position(outcome.nets[0], 0)
    assert (opening.payer, opening.amount_minor) == (banks.pair.terms.right, 70)
    assert position.left == positions.compute_commitment(opening, banks.pair.digest)


AMBIGUOUS = [(100, "A", 0, False, 0), (138, "", 0, False, 0), (7, "", 2, False, 0)]
"""Its first entry could be either of two, of which a sum takes one: then another look matches it,
though the next window has nothing new."""
CANDIDATES = [(102, "A", 0, False, 0), (98, "A", 0, False, 0), (40, "", 0, False, 0)]


def test_what_was_posted_is_brought_to_its_end_after_an_agreement_has_ended():
    banks = Banks()
    north = banks.pair.terms.left

    async def run():
        left, right = banks.streams
        await left.add([enter(100, "A"), enter(100, "A"), enter(70, "B")])
        await right.add([enter(-100, "A"), enter(-50, "C", day=1)])
        await banks.settle_down()
        # Never posted: another copy of what is open, of what is even, and one more.
        await left.add([enter(100, "A"), enter(5, "D")])
        await right.add([enter(-100, "A"), enter(-100, "A")])
        banks.harness.do(agreements.end, agreements.End(banks.pair.agreement, north), "north")
        banks.complete(2)
        await banks.settle_down()

    asyncio.run(run())
    rows = [banks.find_window(number) for number in range(2)]
    assert [(row.left.entries, row.right.entries) for row in rows] == [(3, 1), (0, 1)]
    assert all(row.agreed_ms for row in rows)
    outcomes = [[each.find_outcome(number) for number in range(2)] for each in banks.streams]
    assert outcomes[0] == outcomes[1]
    assert [net.net_minor for each in outcomes[0] for net in each.nets] == [100]
    assert banks.harness.get(Position, banks.pair.agreement, 0, "MOP").is_agreed


def test_a_window_that_was_swept_before_a_bank_looked_is_not_posted_again():
    banks = Banks(RULES[: RULES.index('[[passes]]\nname = "near"')])

    async def run():
        left, right = banks.streams
        await left.add([enter(100, "A"), enter(7, "B")])
        await right.add([enter(-100, "A")])
        banks.complete(1)
        while not (row := banks.find_window(0)) or not row.agreed_ms:
            for place in Place:
                await banks.deliver(place)
            if not row or not row.right.statement:
                await right.step()
            await left.step()
        banks.harness.pass_time(31 * DAY_MS)
        tags = tuple(banks.journals[0].list_tags(0))
        sweep = reconciliation.Sweep(banks.pair.agreement, 0, tags, ())
        banks.harness.do(reconciliation.sweep, sweep, "north")
        await banks.settle_down()

    asyncio.run(run())
    assert [each.count(1) for each in banks.journals] == [1, 0]


def test_closing_asks_for_each_open_tag_a_few_times_however_many_there_are():
    banks = Banks()
    asked = []

    class Counting(HarnessLedger):
        async def find(self, row_type, keys):
            asked.extend(keys if row_type is TagCount else ())
            return await super().find(row_type, keys)

    banks.ledgers = tuple(Counting(banks.harness, each) for each in ("north", "south"))
    banks.streams = tuple(map(banks.open, Place))
    open_entries = [enter(100, f"R{number}") for number in range(4 * BRACKETED_MAX)]
    play(banks, open_entries, [], 1)
    row = banks.find_window(0)
    assert (row.left.open, bool(row.agreed_ms)) == (len(open_entries), True)
    assert len(asked) <= 5 * len(open_entries)


def test_what_does_not_hold_is_refused_until_the_other_bank_shows_what_it_posted():
    banks = Banks()

    async def run():
        left, right = banks.streams
        await left.add([enter(100, "A"), enter(7, "B")])
        banks.complete(1)
        await right.step()
        for each in banks.streams:
            while await each.step() is Step.DONE:
                pass
        [shown] = map(decode_disclosure, banks.inboxes[Place.RIGHT])
        first, second = shown.tags
        entry = first.entries[0]
        lies = {
            "to which the bank did not commit": [
                replace(first, entries=(replace(entry, salt=bytes(32)),)),
                second,
            ],
            "is shown twice": [first, second, first],
            "another number of entries": [replace(first, entries=(entry, entry)), second],
            "are not shown|leaves some out": [first],
            "is not the tag of what is shown": [replace(first, entries=second.entries), second],
            "entry": [replace(first, entries=(replace(entry, entry=b"\xc1"),)), second],
        }
        for told, tags in lies.items():
            await right.receive(replace(shown, tags=tuple(tags)))
            for _ in range(2):
                with pytest.raises(Invalid, match=told):
                    await right.step()
        await right.receive(replace(shown, part=1, parts=2))
        await banks.settle_down()

    asyncio.run(run())
    assert banks.find_window(0).agreed_ms


def test_results_that_differ_are_computed_again_once_a_node_is_started_anew():
    banks = Banks()

    async def run():
        await banks.streams[Place.LEFT].add([enter(100, "A")])
        banks.complete(1)
        for place in cycle(Place):
            await banks.deliver(place)
            await banks.streams[place].step()
            if outcome := banks.streams[place].find_outcome(0):
                break
        # As a program would have computed it that does something else.
        record = encode(replace(outcome, result=bytes(32)))
        banks.journals[place].put("outcome/00000000", record)
        await banks.streams[place].step()
        await banks.settle_down()
        row = banks.find_window(0)
        assert row.left.statement != row.right.statement
        assert not row.agreed_ms
        banks.streams = tuple(map(banks.open, Place))
        await banks.settle_down()

    asyncio.run(run())
    assert banks.find_window(0).agreed_ms


def test_what_is_booked_after_the_cut_off_meets_the_next_day_and_tells_no_time():
    banks = Banks("calendar = {cut_off = 17:00:00, holidays = [2026-03-03]}\n" + RULES)
    left, right = book(100, "A", 0, hour=18), book(-100, "A", 2, hour=9)
    assert read_entries(encode([Raw(write_entry(left))])) == [left]
    play(banks, [left], [right], 3)
    assert not banks.journals[0].list_postings(0, 0, 9)
    row = banks.find_window(2)
    assert (row.matched, row.left.open, row.right.open) == (1, 0, 0)
    [posting] = banks.journals[0].list_postings(2, 0, 9)
    date = FIRST_DAY + 2
    assert read_entry(posting.tagged.entry) == enter(100, "A")._replace(booking_date=date)


def book(amount_minor, reference, day, is_reversal=False, hour=0):
    """Make an entry that may tell the hour of its booking."""
    entry = enter(amount_minor, reference, day, is_reversal=is_reversal)
    if day is None or not hour:
        return entry
    return entry._replace(booked_at_s=((FIRST_DAY + day) * 24 + hour) * 3_600)


entries = st.tuples(
    st.integers(-6, 6).map(lambda n: n * 5 + 1),
    st.sampled_from(["", "A", "B", "A/1", "A/2"]),
    st.sampled_from([0, 0, 2, None]),
    st.booleans(),
    st.sampled_from([0, 0, 16, 18]),
)


@settings(
    max_examples=100 if IS_SOAK else 5, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@example(AMBIGUOUS, CANDIDATES, random.Random(1))
@example(
    [(each, "", 0, False) for each in (70, 30)],
    [(each, "", 0, False) for each in (45, 55, 44, 56)],
    random.Random(1),
)
@given(
    st.lists(entries, max_size=9),
    st.lists(entries, max_size=9),
    st.randoms(use_true_random=False),
)
def test_both_modes_come_to_the_same_in_any_order_of_arrival(ours, theirs, rng):
    left = [book(*each) for each in ours]
    right = [book(-each[0], *each[1:]) for each in theirs]
    banks = Banks("calendar = {cut_off = 17:00:00}\n" + RULES)
    arrivals = [(Place.LEFT, each) for each in left] + [(Place.RIGHT, each) for each in right]
    rng.shuffle(arrivals)

    async def run():
        for number, (place, entry) in enumerate(arrivals):
            await banks.streams[place].add([entry])
            if rng.random() < 0.3:
                await banks.streams[rng.choice(list(Place))].step()
            if number == len(arrivals) // 2:
                banks.streams = tuple(map(banks.open, Place))
        banks.complete(4)
        await banks.settle_down()

    asyncio.run(run())
    shuffled = random.Random(1).sample(left, len(left)), random.Random(2).sample(right, len(right))
    for number, (expected, pairs, kinds) in enumerate(reconcile_windows(banks.pair, *shuffled)):
        outcomes = [each.find_outcome(number) for each in banks.streams]
        assert outcomes[0] == outcomes[1]
        assert (outcomes[0].result.hex(), outcomes[0].pairs) == (expected, pairs)
        assert sorted(each.label for each in outcomes[0].breaks) == kinds
        assert banks.find_window(number).agreed_ms
