"""Which batches a block may hold: one rule proposes, accepts and executes."""

import asyncio
from itertools import count

import pytest
from tests.asked import NOW_MS, SECOND, asking, flip, fund, in_a_chain
from tests.world import MINUTE_MS, World, key, pay

from hansa.contracts import governance
from hansa.contracts.actions import Action, ActivateContract, SuspendMember
from hansa.engine.cometbft.application import CODE_BUSY
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.ordering import compute_key
from hansa.kernel.block import decode_receipt
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.errors import InvalidCode, Unavailable
from hansa.kernel.genesis import BLOCK_ITEMS_MAX, VALIDITY_MAX_MS
from hansa.kernel.machine.rules import RULES
from hansa.kernel.quota import SponsorUsage


def make_batch(world, note, sponsor="north", **named):
    return world.batch(
        world.sign([key("ann")], pay("ann", "bob", 1, note)), sponsor=sponsor, **named
    )


def get_used(asked, name="north"):
    row = SponsorUsage.key(key(name).address)
    return asked.chain.machine.state.load(SponsorUsage, row) or SponsorUsage(key(name).address)


async def require_left_out(asked, good, bad, time_ms=NOW_MS):
    """Have a batch refused beside a good one, and a block that holds it all the same."""
    assert await asked.admits(good, time_ms=time_ms) == (True, [good])
    assert await asked.admits(bad, good, time_ms=time_ms) == (False, [good])
    height = asked.chain.head.height
    answer = await asked.block(9, bad, good, time_ms=time_ms)
    assert [each.code for each in answer.tx_results] == [1, 0]
    assert asked.chain.get_record(height + 1).batches == (good,)
    assert asked.confirmed[-1].left_out == [compute_key(bad)]


@in_a_chain
async def test_a_batch_that_nobody_may_bring_in_is_in_no_block(asked):
    world = World(asked.chain)
    await asked.block(2, fund(world))
    await require_left_out(asked, make_batch(world, "a"), make_batch(world, "b", "ann"))
    stolen = make_batch(world, "d", key_name="south server")
    await require_left_out(asked, make_batch(world, "c"), stolen)


@in_a_chain
async def test_a_block_holds_no_more_items_than_its_record_can_list(asked):
    """However short they are: 257 batches of the default limits had more than 2**20 in 4 MB."""
    world = World(asked.chain)
    most = asked.chain.network.limits.batch_items
    valid = world.sign([key("ann")], pay("ann", "bob", 1, "r"))
    full = [
        world.batch(valid, bytes([number]), *[b""] * (most - 2))
        for number in range(BLOCK_ITEMS_MAX // most)
    ]
    one = make_batch(world, "one")
    assert await asked.admits(*full, one) == (False, full)
    assert await asked.admits(*full) == (True, full)


def list_votes(action, *voters):
    """List who sends what until a proposal is carried out."""
    return [
        ("officer0", governance.Propose(key("officer0").address, action)),
        *((each, governance.Vote(1, key(each).address, approve=True)) for each in voters),
        ("officer0", governance.Execute(1)),
    ]


async def do_all(asked, world, steps):
    """Have what each of some people sends executed in one block."""
    signed = [world.sign([key(each)], command) for each, command in steps]
    await asked.block(3, world.batch(*signed))
    receipts = asked.chain.get_record(asked.chain.head.height).receipts
    assert [decode_receipt(raw).code for raw in receipts] == [""] * len(steps)


async def suspend(asked, world, name):
    """Have a member suspended by the votes of all others."""
    action = Action.of("suspend_member", SuspendMember(key(name).address))
    voters = [each for each in ("north", "south", "department0") if each != name]
    await do_all(asked, world, list_votes(action, *voters))


async def activate(asked, world, action):
    """Have validators report a version, and put it in force."""
    voters = ("officer0", "north", "south")
    reported = (action.contract, action.version, action.source_hash)
    await do_all(
        asked,
        world,
        [
            *((each, governance.ReportCode(key(each).address, *reported)) for each in voters),
            *list_votes(Action.of("activate_contract", action), *voters[1:]),
        ],
    )


@in_a_chain
async def test_a_batch_of_a_suspended_member_is_in_no_block(asked):
    world = World(asked.chain)
    before = make_batch(world, "before", "south")
    assert await asked.admits(before) == (True, [before])
    await suspend(asked, world, "south")
    await require_left_out(asked, make_batch(world, "a"), make_batch(world, "b", "south"))
    assert get_used(asked, "south").envelopes == 0
    told = await asked.ask(check_tx=abci.RequestCheckTx(tx=before))
    assert "no active member" in told.log


def test_a_node_without_the_rules_in_force_stops_before_it_votes(tmp_path):
    async def run(request):
        policy = {"governance.activation": (2, 3, 0, 7 * DAY_MS)}
        async with asking(tmp_path / next(iter(request)), policy) as asked:
            world = World(asked.chain)
            await activate(asked, world, ActivateContract(RULES, 2, bytes(32), 2))
            assert asked.chain.head.height == 1
            with pytest.raises(AssertionError, match="version 2 is in force from height 2"):
                await asked.ask(**request)
            with pytest.raises(Unavailable, match="install the release that the network activated"):
                await asked.server.watch()
            assert asked.chain.head.height == 1

    time = {"seconds": NOW_MS // SECOND}
    for request in (
        {"prepare_proposal": abci.RequestPrepareProposal(height=9, time=time)},
        {"process_proposal": abci.RequestProcessProposal(height=9, time=time)},
        {"finalize_block": abci.RequestFinalizeBlock(height=9, time=time)},
    ):
        (tmp_path / next(iter(request))).mkdir()
        asyncio.run(run(request))


def test_what_a_block_brings_counts_against_the_quota_of_its_sponsor(tmp_path):
    async def run():
        async with asking(tmp_path, {"sponsor.quota": (10**6, 5, 10, 100)}) as asked:
            world = World(asked.chain)
            await asked.block(2, fund(world))
            assert get_used(asked).envelopes == 3
            one, two, three = (make_batch(world, each) for each in "abc")
            other = make_batch(world, "d", "south")
            assert await asked.admits(one, two, other) == (True, [one, two, other])
            found = await asked.admits(one, two, three, other)
            assert found == (False, [one, two, other]), "each alone is within the quota"
            answer = await asked.block(3, one, two, three, other, time_ms=NOW_MS)
            assert [each.code for each in answer.tx_results] == [0, 0, 1, 0]
            assert get_used(asked).envelopes == 5
            next_day = NOW_MS + 24 * 60 * MINUTE_MS
            world.time_ms = next_day
            later = make_batch(world, "e")
            assert await asked.admits(later) == (False, []), "the day has not begun by ledger time"
            assert (await asked.admits(later, time_ms=next_day))[0]

    asyncio.run(run())


@in_a_chain
async def test_a_block_holds_no_batch_of_which_nothing_says_to_be_valid(asked):
    world = World(asked.chain)
    await asked.block(2, fund(world))

    notes = map(str, count())

    def until(*ends_ms, spoil=bytes):
        signed = [
            world.sign([key("ann")], pay("ann", "bob", 1, next(notes)), until_ms=e) for e in ends_ms
        ]
        return world.batch(*map(spoil, signed))

    for bad in (
        until(NOW_MS - 1, NOW_MS - SECOND),
        until(NOW_MS + VALIDITY_MAX_MS + 1),
        until(NOW_MS + 1, NOW_MS + VALIDITY_MAX_MS + 1),
        until(NOW_MS + VALIDITY_MAX_MS, NOW_MS + VALIDITY_MAX_MS + 1, spoil=flip),
        until(NOW_MS - 1, spoil=flip),
        world.batch(b"no envelope", b""),
    ):
        await require_left_out(asked, make_batch(world, next(notes)), bad)
    used = get_used(asked)
    assert used.refusals == 0, "what is in no block is not charged"
    for refusals, charged in enumerate(
        (until(NOW_MS + 1, spoil=flip), until(NOW_MS - 1, NOW_MS + 1)), 1
    ):
        assert await asked.admits(charged) == (True, [charged])
        await asked.block(9, charged, time_ms=NOW_MS)
        assert get_used(asked).refusals == refusals, "what lies in a block is charged"


@in_a_chain
async def test_a_batch_is_charged_once_however_long_its_envelopes_say_to_be_valid(asked):
    """Who gets one that is valid for years into another's batch could have it charged for years."""
    world = World(asked.chain)
    await asked.block(2, fund(world))
    last_ms = NOW_MS + VALIDITY_MAX_MS
    ends = (NOW_MS + 1, last_ms)
    raw = world.batch(
        *(flip(world.sign([key("ann")], pay("ann", "bob", 1, "r"), until_ms=e)) for e in ends)
    )
    await asked.block(3, raw, time_ms=NOW_MS)
    charged = get_used(asked)
    assert charged.refusals == len(ends)
    for time_ms in (last_ms, last_ms + 1, last_ms + SECOND):
        world.time_ms = time_ms
        await asked.block(4, make_batch(world, f"{time_ms}", "south"), time_ms=time_ms)
        assert await asked.admits(raw, time_ms=time_ms) == (False, [])
        await asked.block(5, raw, time_ms=time_ms)
    assert get_used(asked) == charged


@in_a_chain
async def test_what_is_over_since_an_empty_block_waits_no_longer(asked):
    """Else a mempool full of what nobody proposes would hide all else, and no block come."""
    world = World(asked.chain)
    raw = make_batch(world, "old")
    new, again = abci.RequestCheckTx.NEW, abci.RequestCheckTx.RECHECK
    for time_ms, code in [
        (world.time_ms + 60 * SECOND, 0),
        (world.time_ms + 60 * SECOND + 1, list(InvalidCode).index(InvalidCode.EXPIRED) + 1),
    ]:
        await asked.block(2, time_ms=time_ms)
        assert asked.chain.head.height == 0
        for kind in (again, new):
            assert (await asked.ask(check_tx=abci.RequestCheckTx(tx=raw, type=kind))).code == code
        assert await asked.admits(raw, time_ms=time_ms) == (not code, [raw] * (not code))
    assert asked.dropped == [(compute_key(raw), InvalidCode.EXPIRED)] * 2


@in_a_chain
async def test_what_no_block_may_hold_any_more_waits_no_longer(asked):
    world = World(asked.chain)
    old = make_batch(world, "old")
    assert (await asked.ask(check_tx=abci.RequestCheckTx(tx=old))).code == 0
    again = abci.RequestCheckTx(tx=old, type=abci.RequestCheckTx.RECHECK)
    assert (await asked.ask(check_tx=again)).code == 0
    assert asked.dropped == []
    world.time_ms += 2 * MINUTE_MS
    await asked.block(2, make_batch(world, "later"), time_ms=world.time_ms)
    assert (await asked.ask(check_tx=again)).code != 0
    assert asked.dropped == [(compute_key(old), InvalidCode.EXPIRED)]


@in_a_chain
async def test_what_is_valid_too_far_ahead_by_the_clock_does_not_wait(asked):
    world = World(asked.chain)
    for ahead_ms, code in [(0, 0), (1, list(InvalidCode).index(InvalidCode.TOO_FAR_AHEAD) + 1)]:
        until_ms = NOW_MS + VALIDITY_MAX_MS + ahead_ms
        raw = world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r"), until_ms=until_ms))
        assert (await asked.ask(check_tx=abci.RequestCheckTx(tx=raw))).code == code


@in_a_chain
async def test_a_sponsor_leaves_half_of_the_mempool_to_others(asked):
    world = World(asked.chain)

    def fill(sponsor):
        """A batch that takes an eighth of a half, one envelope of which may be good."""
        good = world.sign([key("ann")], pay("ann", "bob", 1, "x"))
        return world.batch(good, *[bytes(65_000)] * 63, sponsor=sponsor)

    async def check(raw, kind=abci.RequestCheckTx.NEW):
        return (await asked.ask(check_tx=abci.RequestCheckTx(tx=raw, type=kind))).code

    raws = [fill("north") for _ in range(9)]
    assert [await check(raw) for raw in raws] == [0] * 8 + [CODE_BUSY]
    assert await check(raws[0]) == 0, "it was counted before"
    assert await check(fill("south")) == 0
    assert await check(raws[7], abci.RequestCheckTx.RECHECK) == 0
    await asked.block(3)
    for raw in raws[:8]:  # what waits is asked for again, and counts from then on
        assert await check(raw, abci.RequestCheckTx.RECHECK) == 0
    assert await check(raws[8]) == CODE_BUSY
    await asked.block(4, raws[0])
    for raw in raws[1:8]:
        assert await check(raw, abci.RequestCheckTx.RECHECK) == 0
    assert await check(raws[8]) == 0
