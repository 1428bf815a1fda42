"""Reconciliation: what matches, what is open, when a window is closed, and what is agreed on."""

from __future__ import annotations

import msgspec
import pytest
from tests.unit.contracts.harness import DAY_MS, Harness
from tests.unit.contracts.reconciliation.pair import (
    DIGEST,
    KEEP_DAYS,
    LEFT,
    OTHER,
    PAIR,
    RESULT,
    RIGHT,
    THIRD,
    advance,
    agree_on,
    found,
    get_window,
    make_bracketed,
    make_post,
    make_statement,
    make_tag,
    pass_keep_time,
    post,
    state,
)

from hansa.contracts.reconciliation import agreements, reconciliation, windows
from hansa.contracts.reconciliation.reconciliation import (
    BRACKETED_MAX,
    HEALED_MAX,
    ITEMS_MAX,
    Advance,
    Advanced,
    Agree,
    Agreed,
    Bracket,
    Bracketed,
    Closed,
    Item,
    Near,
    Post,
    Posted,
    Stated,
    Sweep,
    Swept,
)
from hansa.contracts.reconciliation.windows import (
    WINDOW_LATEST,
    WINDOWS_AHEAD_MAX,
    BucketCount,
    Code,
    Progress,
    Side,
    TagCount,
    compute_chain,
    compute_statement,
)
from hansa.kernel.contract import NO_MONEY
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.encoding import encode

NOT_AUTHORIZED = "kernel.NOT_AUTHORIZED"


def changed(command, **changes):
    return msgspec.structs.replace(command, **changes)


@pytest.fixture
def harness() -> Harness:
    return agree_on(found())


def count(harness, window, number) -> TagCount:
    row = harness.get(TagCount, PAIR, window, make_tag(number))
    assert row is not None
    return row


def figures(harness, window):
    row = get_window(harness, window)
    return (row.matched, row.left.open, row.right.open)


def test_equal_tags_match_whichever_comes_first(harness):
    assert post(harness, "left", 0, 1, 2) == Posted(NO_MONEY, PAIR, LEFT, 0, 2, 0, is_closed=False)
    assert post(harness, "right", 0, 2, 3).matched == 1
    assert post(harness, "left", 0, 3).matched == 1
    assert figures(harness, 0) == (2, 1, 0)
    row = count(harness, 0, 2)
    chain = compute_chain(ZERO_HASH, DIGEST(bytes([2])), DIGEST)
    assert (row.left.chain, row.right.chain) == (chain, chain)


def test_of_copies_as_many_match_as_both_sides_have(harness):
    post(harness, "left", 0, 7, 7, 7)
    assert post(harness, "right", 0, 7, 7).matched == 2
    assert figures(harness, 0) == (2, 1, 0)
    assert post(harness, "right", 0, 7, 7).matched == 1
    assert figures(harness, 0) == (3, 0, 1)
    row = count(harness, 0, 7)
    chain = ZERO_HASH
    for _ in range(3):
        chain = compute_chain(chain, DIGEST(bytes([7])), DIGEST)
    assert (row.left.entries, row.left.chain, row.right.entries) == (3, chain, 4)


def test_windows_match_apart(harness):
    post(harness, "left", 0, 1)
    assert post(harness, "right", 1, 1).matched == 0
    assert figures(harness, 0) == (0, 1, 0)
    assert figures(harness, 1) == (0, 0, 1)


def test_only_a_party_posts_with_keys_that_assert(harness):
    command = make_post("left", 0, 1)
    unknown = changed(command, agreement=OTHER)
    refused = agreements.Code.UNKNOWN_AGREEMENT
    assert harness.refuse(reconciliation.post, unknown, "eve") == refused
    for names in (("left1",), ("right",), ("left1", "left2", "right")):
        assert harness.refuse(reconciliation.post, command, *names) == NOT_AUTHORIZED
    third = changed(command, bank=THIRD)
    assert harness.refuse(reconciliation.post, third, "third") == agreements.Code.NOT_A_PARTY


def test_a_party_posts_not_far_beyond_its_own_watermark(harness):
    post(harness, "left", WINDOWS_AHEAD_MAX - 1, 1)
    far = make_post("left", WINDOWS_AHEAD_MAX, 1)
    assert harness.refuse(reconciliation.post, far, "left") == Code.TOO_FAR_AHEAD
    advance(harness, 1, "right")
    assert harness.refuse(reconciliation.post, far, "left") == Code.TOO_FAR_AHEAD
    advance(harness, 1, "left")
    post(harness, "left", WINDOWS_AHEAD_MAX, 1)


def test_watermarks_go_forward_step_by_step(harness):
    assert advance(harness, 3, "left") == [Advanced(NO_MONEY, PAIR, LEFT, 3, ())]
    for window in (0, 3):
        back = Advance(PAIR, LEFT, window)
        assert harness.refuse(reconciliation.advance, back, "left") == Code.NOT_FORWARD
    far = Advance(PAIR, LEFT, 3 + WINDOWS_AHEAD_MAX + 1)
    assert harness.refuse(reconciliation.advance, far, "left") == Code.TOO_FAR_AHEAD
    post(harness, "right", 0, 1)
    post(harness, "left", 1, 1, 2)
    post(harness, "right", 1, 1)
    closed = (Closed(0, 0, 0, 1), Closed(1, 1, 1, 0))
    assert advance(harness, 2, "right") == [Advanced(NO_MONEY, PAIR, RIGHT, 2, closed)]
    assert harness.get(Progress, PAIR).closed == 2


def test_one_party_far_ahead_does_not_keep_the_other_from_its_steps(harness):
    for step in range(1, 5):
        advance(harness, step * WINDOWS_AHEAD_MAX, "left")
    events = advance(harness, WINDOWS_AHEAD_MAX, "right")
    assert len(events[0].closed) == WINDOWS_AHEAD_MAX
    post(harness, "left", 0, 1)
    assert WINDOW_LATEST % WINDOWS_AHEAD_MAX == 0


def test_a_late_entry_heals_a_break(harness):
    post(harness, "left", 0, 1, 2)
    advance(harness, 1)
    assert figures(harness, 0) == (0, 2, 0)
    event = post(harness, "right", 0, 1, 9)
    assert (event.matched, event.is_closed) == (1, True)
    assert figures(harness, 0) == (1, 1, 1)
    assert get_window(harness, 0).healed == 1


def test_a_window_is_agreed_on_when_both_state_the_same(harness):
    post(harness, "left", 0, 1, 2)
    post(harness, "right", 0, 1)
    advance(harness, 1)
    first, second = state(harness, 0)
    assert first == [Stated(NO_MONEY, PAIR, LEFT, 0, RESULT, differs=False)]
    stated = Stated(NO_MONEY, PAIR, RIGHT, 0, RESULT, differs=False)
    assert second == [stated, Agreed(NO_MONEY, PAIR, 0, RESULT)]
    row = get_window(harness, 0)
    assert (row.result, row.agreed_ms) == (RESULT, harness.time_ms)
    assert harness.get(Progress, PAIR).agreed == 1
    for command, function in (
        (make_post("left", 0, 3), reconciliation.post),
        (make_statement(harness, "left", 0), reconciliation.agree),
        (Bracket(PAIR, LEFT, 0, (make_bracketed(2, 1),)), reconciliation.bracket),
    ):
        assert harness.refuse(function, command, "left") == Code.ALREADY_AGREED
    assert post(harness, "left", 1, 2).matched == 0


def test_statements_that_differ_are_stated_again(harness):
    advance(harness, 1)
    other = changed(make_statement(harness, "left", 0), result=OTHER)
    harness.do(reconciliation.agree, other, "left")
    assert state(harness, 0, names=("right",))[0][0].differs
    for wrong in ({"result": OTHER}, {"healed": (OTHER,)}):
        command = changed(make_statement(harness, "left", 0), **wrong)
        expected = wrong.get("healed") is not None
        if expected:
            assert harness.do(reconciliation.agree, command, "left")[0].differs
    events = state(harness, 0, names=("left",))[0]
    assert events[1] == Agreed(NO_MONEY, PAIR, 0, RESULT)


def test_a_statement_is_about_the_entries_that_it_names(harness):
    post(harness, "left", 0, 1)
    advance(harness, 1)
    early = make_statement(harness, "right", 0)
    state(harness, 0, names=("left",))
    post(harness, "left", 0, 2)
    assert harness.refuse(reconciliation.agree, early, "right") == Code.OUT_OF_DATE
    assert harness.facts["left_entries"] == 2
    events = state(harness, 0, names=("right",))[0]
    assert events == [Stated(NO_MONEY, PAIR, RIGHT, 0, RESULT, differs=True)]
    assert state(harness, 0, names=("left",))[0][1:] == [Agreed(NO_MONEY, PAIR, 0, RESULT)]


def test_statements_of_other_entries_results_and_cases_are_not_the_same():
    said = [
        ((1, 2), RESULT, ()),
        ((2, 1), RESULT, ()),
        ((1, 2), OTHER, ()),
        ((1, 2), RESULT, (OTHER,)),
        ((1, 2), OTHER, (RESULT,)),
        ((1, 2), RESULT, (OTHER, RESULT)),
        ((1, 2), RESULT, (RESULT, OTHER)),
    ]
    assert len({compute_statement(*each, DIGEST) for each in said}) == len(said)


def test_windows_are_agreed_on_in_their_order(harness):
    advance(harness, 1)
    command = make_statement(harness, "left", 1)
    assert harness.refuse(reconciliation.agree, command, "left") == Code.OUT_OF_ORDER
    state(harness, 0)
    assert harness.refuse(reconciliation.agree, command, "left") == Code.NOT_CLOSED
    advance(harness, 2)
    state(harness, 1)
    assert harness.get(Progress, PAIR).agreed == 2


def test_buckets_tell_which_breaks_are_near_one_another(harness):
    post(harness, "left", 0, 1, 2, 5)
    post(harness, "right", 0, 3, 4, 5)
    bracket = Bracket(PAIR, LEFT, 0, (make_bracketed(1, 10, 11), make_bracketed(2, 20)))
    unknown = changed(bracket, window=1)
    assert harness.refuse(reconciliation.bracket, unknown, "left") == Code.UNKNOWN_WINDOW
    assert harness.refuse(reconciliation.bracket, bracket, "left") == Code.NOT_CLOSED
    advance(harness, 1)
    events = harness.do(reconciliation.bracket, bracket, "left")
    assert events == [Near(NO_MONEY, PAIR, LEFT, 0, 2, 0)]
    theirs = Bracket(PAIR, RIGHT, 0, (make_bracketed(3, 11, 12), make_bracketed(4, 30)))
    assert harness.do(reconciliation.bracket, theirs, "right")[0].near == 1
    bucket = harness.get(BucketCount, PAIR, 0, make_tag(1_011))
    assert (bucket.left, bucket.right) == (1, 1)
    for wrong in (
        (make_bracketed(1, 10),),  # its buckets are posted
        (make_bracketed(3, 10),),  # open on the other side
        (make_bracketed(5, 10),),  # matched
        (make_bracketed(6, 10),),  # unknown
    ):
        command = changed(bracket, items=wrong)
        assert harness.refuse(reconciliation.bracket, command, "left") == Code.NOT_OPEN
    post(harness, "left", 0, 8)
    twice = changed(bracket, items=(make_bracketed(8, 1), make_bracketed(8, 2)))
    assert harness.refuse(reconciliation.bracket, twice, "left") == Code.NOT_OPEN


def test_all_rows_of_a_window_are_swept_its_own_last(harness):
    post(harness, "left", 0, 1, 2)
    post(harness, "right", 0, 1)
    advance(harness, 1)
    bracket = Bracket(PAIR, LEFT, 0, (make_bracketed(2, 1, 2),))
    harness.do(reconciliation.bracket, bracket, "left")
    buckets = tuple(make_tag(1_000 + each) for each in (1, 2))
    tags = (make_tag(1), make_tag(2))
    whole = Sweep(PAIR, 0, tags, buckets)
    unknown = Sweep(PAIR, 4, (), ())
    assert harness.refuse(reconciliation.sweep, unknown, "eve") == Code.UNKNOWN_WINDOW
    pass_keep_time(harness)
    assert harness.refuse(reconciliation.sweep, whole, "eve") == Code.STILL_ON_RECORD
    state(harness, 0)
    harness.pass_time(KEEP_DAYS * DAY_MS)
    assert harness.refuse(reconciliation.sweep, whole, "eve") == Code.STILL_ON_RECORD
    harness.pass_time(1)
    for wrong in ((make_tag(1), make_tag(1)), (make_tag(9),), buckets):
        command = Sweep(PAIR, 0, wrong, ())
        assert harness.refuse(reconciliation.sweep, command, "eve") == Code.UNKNOWN_TAG
    part = Sweep(PAIR, 0, tags[:1], buckets[:1])
    assert harness.do(reconciliation.sweep, part, "eve") == [Swept(NO_MONEY, PAIR, 0, 2)]
    assert get_window(harness, 0).rows == 2
    rest = Sweep(PAIR, 0, tags[1:], buckets[1:])
    harness.do(reconciliation.sweep, rest, "eve")
    assert harness.refuse(reconciliation.sweep, rest, "eve") == Code.UNKNOWN_WINDOW
    tables = {key[:2] for key in harness.rows if key[:1] == b"r"}
    assert tables - {b"ro"} == {b"ra", b"rp"}
    assert harness.get(Progress, PAIR).rows == 0


def test_who_brought_rows_in_is_charged_for_them(harness):
    harness.do(reconciliation.post, make_post("left", 0, 1), "left", sponsor="north")
    harness.do(reconciliation.post, make_post("right", 0, 1, 2), "right", sponsor="south")
    sponsors = [count(harness, 0, number).sponsor for number in (1, 2)]
    assert sponsors[0] != sponsors[1]
    assert get_window(harness, 0).sponsor == harness.get(Progress, PAIR).sponsor == sponsors[0]


def test_the_largest_commands_fit_in_an_envelope_and_its_limits(harness):
    items = tuple(Item(DIGEST(bytes([n % 256, n // 256]))[:16], RESULT) for n in range(ITEMS_MAX))
    largest = Post(PAIR, LEFT, WINDOW_LATEST, items)
    brackets = tuple(
        Bracketed(item.tag, tuple(DIGEST(item.tag + bytes([n]))[:16] for n in range(6)))
        for item in items[:BRACKETED_MAX]
    )
    healed = tuple(DIGEST(bytes([n])) for n in range(HEALED_MAX))
    tags = tuple(item.tag for item in items)
    for command in (
        largest,
        Bracket(PAIR, LEFT, WINDOW_LATEST, brackets),
        Agree(PAIR, LEFT, WINDOW_LATEST, 2**62, 2**62, RESULT, healed),
        Sweep(PAIR, WINDOW_LATEST, tags, tags),
    ):
        assert len(encode(command)) < 15_500
    harness.do(reconciliation.post, changed(largest, window=0), "left")
    advance(harness, 1)
    harness.do(reconciliation.bracket, Bracket(PAIR, LEFT, 0, brackets), "left")
    row = get_window(harness, 0)
    assert row.rows == ITEMS_MAX + 6 * BRACKETED_MAX
    assert row.left == Side(ITEMS_MAX, ITEMS_MAX)
    state(harness, 0)
    pass_keep_time(harness)
    buckets = [bucket for each in brackets for bucket in each.buckets]
    for at in range(0, len(buckets), ITEMS_MAX):
        part = Sweep(PAIR, 0, (), tuple(buckets[at : at + ITEMS_MAX]))
        harness.do(reconciliation.sweep, part, "eve")
    harness.do(reconciliation.sweep, Sweep(PAIR, 0, tags, ()), "eve")
    assert windows.find_window(harness.view, PAIR, 0) is None
