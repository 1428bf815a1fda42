"""Supply and refusals over time: forwards as blocks come, backwards from the log."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from tests.browser.population import make_town
from tests.world import ASSET, World, key, make_genesis, open_world, pay

from hansa.contracts import currency, payments
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain
from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore, StateStore
from hansa.kernel.block import Status, decode_header, decode_receipt
from hansa.kernel.errors import Corrupt, Unavailable
from hansa.kernel.genesis import Network
from hansa.node.console.history import (
    HOUR_MS,
    POINTS_MAX,
    SLOTS,
    History,
    Supply,
    SupplySeries,
    add_totals,
    count_refusals,
    sum_changes,
)
from hansa.node.console.supply import PROOF_REST_S, SupplyWatch
from hansa.node.home import KeySealer


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return make_town(FileStorage(tmp_path_factory.mktemp("log")))


def read_whole(chain) -> SupplyWatch:
    """Take a proof, and read the log back to its beginning."""
    watch = SupplyWatch(chain, rest_factor=0)

    async def read():
        await watch.read()
        await watch.finish()

    asyncio.run(read())
    return watch


def sum_all(chain, end: int):
    """Sum every balance change up to a height, decoding everything."""
    sums: dict[str, Counter[str]] = {}
    for record in chain.iterate_records(0):
        if decode_header(record.header).height > end:
            break
        for raw in record.receipts:
            for _, _, fields in decode_receipt(raw).events:
                for ledger, _, asset, amount_minor, _, _ in fields[0]:
                    sums.setdefault(asset, Counter())[ledger] += amount_minor
    names = ("issued", "vault", "wallet", "held")
    return {asset: Supply(*(row[name] for name in names)) for asset, row in sums.items()}


def test_the_totals_are_those_of_all_receipts(town):
    chain = town.world.chain
    history = read_whole(chain).history
    assert history.totals == sum_all(chain, chain.confirmed_height)
    assert history.totals[ASSET].difference_minor == 0
    assert history.from_height == 0
    assert history.is_whole


def test_of_a_pruned_log_the_rest_is_read(tmp_path):
    log = BlockLog.open(FileStorage(tmp_path), segment_bytes=3_000)
    genesis = make_genesis()
    sealer = KeySealer(key("sealer"))
    chain = Chain.open(log, MemoryStore(), Network.of(genesis), Registry(genesis), sealer)
    world = World(chain)
    world.fund("ada", "shop")
    for number in range(30):
        world.time_ms += 1_000
        world.do("ada", pay("ada", "shop", 5, f"r{number}"))
    whole = read_whole(chain).history
    assert log.prune(chain.head.height - 4)
    pruned = read_whole(chain).history
    assert pruned.totals == whole.totals
    assert pruned.is_whole
    assert 0 < pruned.from_height == log.height_min
    chain.close()


def test_every_slot_holds_what_there_was_at_its_end(town):
    chain = town.world.chain
    history = read_whole(chain).history
    now_ms = chain.get_header(chain.confirmed_height).time_ms
    slots = history.list_slots(ASSET, now_ms)
    assert 1 < len(slots) <= SLOTS
    assert slots[-1].end_ms == now_ms
    times = [decode_header(record.header).time_ms for record in chain.iterate_records(0)]
    for slot in slots:
        end_ms = slot.end_ms + (slot is slots[-1])
        height = max((at for at, time_ms in enumerate(times) if time_ms < end_ms), default=-1)
        assert slot.supply == sum_all(chain, height).get(ASSET, Supply())


def test_blocks_that_are_confirmed_later_are_taken_in(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ada", "ben")
    history = read_whole(world.chain).history
    redeem = currency.Redeem(key("north").address, ASSET, 1)
    move = currency.MoveVault(key("north").address, key("south").address, ASSET, 1)
    assert world.do("ada", pay("ada", "ben", 7, "first")) == ""
    assert world.do("ada", pay("ada", "ada", 7, "to myself")) == "payments.SAME_WALLET"
    signers = ("officer0", "officer1", "north")
    assert world.do(signers, redeem) == "currency.INSUFFICIENT_VAULT"
    issue = currency.Issue(key("north").address, ASSET, 500)
    assert world.do(("officer0", "officer1"), issue) == ""
    assert world.do("north", move) == ""
    for result in world.results:
        history.note(result)
        history.note(result)  # a second time changes nothing
    assert history.totals == sum_all(world.chain, world.chain.confirmed_height)
    refusals = history.get_refusals(world.chain.head.time_ms)
    assert dict(refusals.by_code) == {
        "payments.SAME_WALLET": 1,
        "currency.INSUFFICIENT_VAULT": 1,
    }
    assert refusals.total == 2


def test_a_proof_is_of_one_moment_while_money_moves(tmp_path):
    """Blocks that are confirmed while balances are added up do not show in the sums."""
    store = StateStore.open(tmp_path / "store")
    world = open_world(FileStorage(tmp_path / "log"), make_genesis(), store)
    world.fund("ada", "ben")
    world.time_ms += 2_000
    assert world.do("ada", pay("ada", "ben", 1, "a checkpoint")) == ""
    north = key("north").address

    async def read():
        watch = SupplyWatch(world.chain, rest_factor=0)
        reading = asyncio.create_task(watch.read())
        for number in range(20):
            await asyncio.sleep(0)
            world.time_ms += 2_000
            out = payments.CashOut(key("ada").address, ASSET, 100, f"out-{number}")
            issue = currency.Issue(north, ASSET, 1_000)
            assert world.do("ada", out) == ""
            assert world.do(("officer0", "officer1"), issue) == ""
            await asyncio.to_thread(str)
        await reading
        await watch.finish()
        return await watch.read(), watch.history

    proof, history = asyncio.run(read())
    assert {asset.difference_minor for asset in proof.assets} == {0}
    assert proof.height < world.chain.confirmed_height
    for result in world.results:
        history.note(result)
    assert history.totals == sum_all(world.chain, world.chain.confirmed_height)
    world.chain.close()


class StumblingChain:
    """A chain, one of whose calls raises once."""

    def __init__(self, chain, name, skipped, error) -> None:
        self._chain = chain
        self._name = name
        self._rest = skipped
        self._error = error

    def __getattr__(self, name):
        found = getattr(self._chain, name)
        return self._stumble(found) if name == self._name else found

    def _stumble(self, found):
        self._rest -= 1
        if self._rest == -1:
            raise self._error
        return found


NO_FILES = Unavailable("the state store: this process has too many files open: raise ulimit -n")
PLACES = [("iterate_rows", 0), ("iterate_rows", 2), ("get_record", 0), ("get_record", 3)]


async def settle(watch):
    """Look until nothing more is at work, at a clock that stands still."""
    for _ in range(50):
        proof = await watch.read()
        await watch.finish()
        await asyncio.sleep(0)
    return proof


@pytest.mark.parametrize(("name", "skipped"), PLACES)
def test_what_cannot_be_read_for_a_moment_is_read_after_a_rest(town, name, skipped):
    chain = StumblingChain(town.world.chain, name, skipped, NO_FILES)
    now_s = [0.0]
    watch = SupplyWatch(chain, rest_factor=0, clock_s=lambda: now_s[0])

    async def read():
        early = await settle(watch)
        assert (early is None) is (name == "iterate_rows")
        assert not watch.history.is_whole
        now_s[0] += PROOF_REST_S
        late = await settle(watch)
        assert {asset.difference_minor for asset in late.assets} == {0}
        assert watch.history.is_whole

    asyncio.run(read())
    assert watch.history.totals == sum_all(town.world.chain, town.world.chain.confirmed_height)


@pytest.mark.parametrize(("name", "skipped"), PLACES)
def test_damage_stops_the_node_although_nobody_looks(town, name, skipped):
    chain = StumblingChain(town.world.chain, name, skipped, Corrupt("block 3 is damaged"))

    async def read():
        told = asyncio.get_running_loop().create_future()
        watch = SupplyWatch(chain, rest_factor=0, stop=told.set_result)
        await watch.read()
        async with asyncio.timeout(60):
            assert isinstance(await told, Corrupt)
        with pytest.raises(Corrupt, match="block 3"):
            await watch.read()

    asyncio.run(read())


def test_nothing_is_counted_before_the_first_sum(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    history = History(world.chain)
    world.fund("ada")
    for result in world.results:
        history.note(result)
    assert history.totals is None
    assert history.list_slots(ASSET, world.time_ms) == []


def test_refusals_are_those_of_the_last_hour(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ada", "ben")
    assert world.do("ada", pay("ada", "ada", 1, "early")) != ""
    world.time_ms += 3 * HOUR_MS
    assert world.do("ada", pay("ada", "ben", 10**9, "late")) == "balances.INSUFFICIENT_FUNDS"
    now_ms = world.chain.head.time_ms
    refusals = read_whole(world.chain).history.get_refusals(now_ms)
    assert refusals.by_code == (("balances.INSUFFICIENT_FUNDS", 1),)
    assert now_ms - HOUR_MS <= refusals.since_ms <= now_ms
    assert read_whole(world.chain).history.get_refusals(now_ms + 2 * HOUR_MS).total == 0


def test_shortcuts_agree_with_decoding(town):
    totals = {}
    for record in town.world.chain.iterate_records(0):
        totals = add_totals(totals, sum_changes(record.receipts))
        receipts = [decode_receipt(raw) for raw in record.receipts]
        refused = Counter(each.code for each in receipts if each.status is not Status.OK)
        assert count_refusals(record.receipts) == refused
    assert totals == sum_all(town.world.chain, town.world.chain.confirmed_height)


def test_a_long_series_stays_small_and_right():
    series = SupplySeries()
    for number in range(20 * POINTS_MAX):
        series.put(number * 60_000, {ASSET: Supply(number, number, 0, 0)})
    now_ms = (20 * POINTS_MAX - 1) * 60_000
    slots = series.list_slots(ASSET, now_ms)
    assert len(slots) <= SLOTS
    assert slots[-1].supply.issued_minor == 20 * POINTS_MAX - 1
    for slot in slots[:-1]:
        assert slot.supply.issued_minor == (slot.end_ms - 1) // 60_000


def test_time_without_blocks_keeps_what_there_was():
    series = SupplySeries()
    series.put(0, {ASSET: Supply(5, 5, 0, 0)})
    series.put(3_600_000, {ASSET: Supply(8, 8, 0, 0)})
    slots = series.list_slots(ASSET, 3_600_000)
    assert [slot.supply.issued_minor for slot in slots] == [5] * (SLOTS - 1) + [8]
