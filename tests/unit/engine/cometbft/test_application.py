"""What the application answers to CometBFT, asked through its socket."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.asked import KEYS, NOW, NOW_MS, SECOND, Asked, asking, flip, fund, in_a_chain, make_init
from tests.voted import make_voted_genesis
from tests.world import World, key, pay

from hansa.contracts.members import Member
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.application import Application
from hansa.engine.cometbft.batches import Verdicts
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.repeating import Repeat, Standing
from hansa.engine.cometbft.server import frame
from hansa.engine.log import BlockLog
from hansa.engine.ordering import OrderedBatches, compute_key
from hansa.engine.snapshots.making import make_snapshot
from hansa.engine.snapshots.restoring import Restorer
from hansa.engine.snapshots.shelf import Shelf
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.errors import Corrupt, Invalid, NotFound, Unavailable
from hansa.kernel.genesis import LIMITS_LEAST, decode_genesis
from hansa.kernel.quota import SponsorUsage


@in_a_chain
async def test_it_stands_at_nothing_before_the_first_block(asked):
    assert (await asked.ask(echo=abci.RequestEcho(message="hello"))).message == "hello"
    assert await asked.ask(flush=abci.RequestFlush()) == abci.ResponseFlush()
    info = await asked.ask(info=abci.RequestInfo())
    assert (info.last_block_height, info.last_block_app_hash) == (0, b"")
    begun = await asked.ask(init_chain=make_init(asked.chain.network))
    assert begun.app_hash == asked.chain.machine.head_hash


@pytest.mark.parametrize(
    "changed",
    [{"chain_id": "hansa-other"}, {"initial_height": 2}, {"validators": []}],
    ids=["chain", "height", "validators"],
)
def test_a_genesis_of_another_network_is_refused(tmp_path, changed):
    async def run():
        async with asking(tmp_path) as asked:
            with pytest.raises(AssertionError, match=r"not made from this network's genesis\.bin"):
                await asked.ask(init_chain=make_init(asked.chain.network, **changed))
            with pytest.raises(Corrupt, match=r"genesis\.bin"):
                await asked.server.watch()

    asyncio.run(run())


@in_a_chain
async def test_a_block_is_executed_made_durable_and_told(asked):
    world = World(asked.chain)
    raw = fund(world)
    assert (await asked.ask(check_tx=abci.RequestCheckTx(tx=raw))).code == 0
    before = asked.chain.machine.head_hash
    answer = await asked.block(3, raw)
    assert [each.code for each in answer.tx_results] == [0]
    assert answer.app_hash == asked.chain.machine.head_hash != before
    assert asked.chain.confirmed_height == 1
    assert asked.chain.get_record(1).consensus_height == 3
    assert asked.chain.get_record(1).signatures == ()
    assert [each.keys for each in asked.confirmed] == [[compute_key(raw)]]
    info = await asked.ask(info=abci.RequestInfo())
    assert (info.last_block_height, info.last_block_app_hash) == (3, answer.app_hash)


@in_a_chain
async def test_an_empty_block_changes_nothing(asked):
    before = asked.chain.machine.head_hash
    assert (await asked.block(1)).app_hash == before
    assert (await asked.block(2)).app_hash == before
    assert asked.chain.head.height == 0
    assert (await asked.ask(info=abci.RequestInfo())).last_block_height == 2


def go_on(asked, note):
    """The application as it is after a start; empty blocks are noted by threes."""
    verdicts = Verdicts(InlineVerifier(asked.chain.network))
    standing = Standing(asked.chain, note, every=3)
    return Application(asked.chain, verdicts, bool, bool, lambda: NOW_MS, standing=standing)


async def ask_height(application):
    return (await application.info(abci.RequestInfo())).last_block_height


@in_a_chain
async def test_empty_blocks_are_not_replayed_that_were_noted(asked):
    note = asked.folder / "standing.bin"
    asked.server.application = go_on(asked, note)
    await asked.block(1, fund(World(asked.chain)))
    for height in range(2, 9):
        await asked.block(height)
    assert await ask_height(go_on(asked, note)) == 7
    assert await ask_height(go_on(asked, None)) == 1
    world = World(asked.chain, nonces=10)
    await asked.block(9, world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r"))))
    assert await ask_height(go_on(asked, note)) == 9, "a note is of one head"
    note.write_bytes(b"rubbish")
    with pytest.raises(Corrupt, match=r"standing\.bin is damaged: .* Remove it"):
        go_on(asked, note)


@in_a_chain
async def test_what_no_honest_validator_proposes_is_refused_and_left_out(asked):
    world = World(asked.chain)
    good = fund(world)
    broken = flip(good)
    for txs, status in [
        ((good,), abci.ResponseProcessProposal.ACCEPT),
        ((), abci.ResponseProcessProposal.ACCEPT),
        ((good, good), abci.ResponseProcessProposal.REJECT),
        ((good, b"rubbish"), abci.ResponseProcessProposal.REJECT),
        ((broken,), abci.ResponseProcessProposal.REJECT),
    ]:
        asking_for = abci.RequestProcessProposal(txs=txs, height=2)
        assert (await asked.ask(process_proposal=asking_for)).status == status
    answer = await asked.block(2, good, b"rubbish", broken, good)
    codes = [bool(each.code) for each in answer.tx_results]
    assert codes == [False, True, True, False], "a code says of a batch whether it was executed"
    assert asked.chain.get_record(1).batches == (good,)
    assert len(asked.chain.get_record(1).receipts) == 3


def test_who_votes_is_read_whatever_a_transaction_may_read(tmp_path):
    """Genesis may limit a transaction to fewer reads than there are validators."""
    keys = [(CometKey(bytes([n]) * 32), CometKey(bytes([n + 100]) * 32)) for n in range(1, 21)]
    made = make_voted_genesis(keys)
    genesis = decode_genesis(replace(made, limits=LIMITS_LEAST).encoded())

    async def run():
        async with asking(tmp_path, genesis=genesis) as asked:
            world = World(asked.chain)
            raw = world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r")))
            assert [each.code for each in (await asked.block(3, raw)).tx_results] == [0]
            assert len(asked.chain.machine.list_validators()) == len(keys)

    asyncio.run(run())


@in_a_chain
async def test_a_batch_is_executed_once_whoever_proposes_it_again(asked):
    world = World(asked.chain)
    first, second = fund(world), world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r")))
    await asked.block(2, first)
    told = await asked.ask(check_tx=abci.RequestCheckTx(tx=first))
    assert told.log == "this very batch was in a block before"
    proposed = abci.RequestProcessProposal(txs=[second, first], height=3)
    answer = await asked.ask(process_proposal=proposed)
    assert answer.status == abci.ResponseProcessProposal.REJECT
    wanted = abci.RequestPrepareProposal(
        txs=[first, second], max_tx_bytes=10**6, height=3, time=NOW
    )
    assert list((await asked.ask(prepare_proposal=wanted)).txs) == [second]
    answer = await asked.block(3, first, second)
    assert [bool(each.code) for each in answer.tx_results] == [True, False]
    assert asked.chain.get_record(2).batches == (second,)
    assert asked.confirmed[-1].left_out == [compute_key(first)]
    again = OrderedBatches.read(asked.chain)
    assert compute_key(first) in again
    assert compute_key(second) in again
    assert len(again) == 2


@in_a_chain
async def test_a_batch_that_has_expired_whole_is_left_out(asked):
    world = World(asked.chain)
    raw = fund(world)
    late = world.time_ms + 61 * SECOND
    answer = await asked.block(2, raw, time_ms=late)
    assert [bool(each.code) for each in answer.tx_results] == [True]
    assert asked.chain.head.height == 0


@in_a_chain
async def test_it_knows_up_to_when_it_has_all_blocks_and_says_so_of_what_is_in_none(asked):
    world = World(asked.chain)
    assert asked.application.passed_ms == asked.chain.head.time_ms
    await asked.block(2, fund(world), time_ms=world.time_ms)
    await asked.block(3, time_ms=world.time_ms + SECOND)
    assert asked.application.passed_ms == world.time_ms + SECOND
    with pytest.raises(NotFound, match="in any block up to 1, the newest here"):
        asked.chain.find_position(bytes(32))


@in_a_chain
async def test_batches_of_longer_ago_than_anything_is_valid_are_forgotten(asked):
    world = World(asked.chain)
    first = fund(world)
    await asked.block(2, first)
    world.time_ms += 15 * 60 * SECOND + 1
    second = world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r")))
    await asked.block(3, second, time_ms=world.time_ms)
    for ordered in (asked.application.ordered, OrderedBatches.read(asked.chain)):
        assert compute_key(first) not in ordered
        assert compute_key(second) in ordered
        assert len(ordered) == 1


@in_a_chain
async def test_what_cometbft_lost_is_answered_from_the_log(asked):
    world, chain = World(asked.chain), asked.chain
    genesis_hash = chain.machine.head_hash
    first = fund(world)
    payments_ = [world.sign([key("ann")], pay("ann", "bob", 1, f"r{n}")) for n in range(2)]
    second = world.batch(*payments_)
    blocks = [(2, (first,)), (3, ()), (4, (first, second, second)), (5, ())]
    told = [await asked.block(height, *txs) for height, txs in blocks]
    home = CometHome(asked.folder / "lost")
    home.make_folders()
    repeat = Repeat.begin(chain, home)
    assert home.repeating_path.exists()
    again = Application(
        chain, Verdicts(InlineVerifier(chain.network)), bool, bool, int, None, repeat
    )
    before = list(chain.iterate_records(0))
    assert (await again.info(abci.RequestInfo())).last_block_height == 0
    begun = await again.init_chain(make_init(chain.network))
    assert begun.app_hash == genesis_hash
    for (height, txs), answer in zip(blocks[:3], told, strict=False):
        assert home.repeating_path.exists()
        asking_for = abci.RequestFinalizeBlock(txs=txs, height=height)
        assert await again.finalize_block(asking_for) == answer
        await again.commit(abci.RequestCommit())
    assert not home.repeating_path.exists()
    assert (await again.info(abci.RequestInfo())).last_block_height == 4
    assert list(chain.iterate_records(0)) == before


@in_a_chain
async def test_another_history_than_the_log_is_refused(asked):
    world = World(asked.chain)
    await asked.block(2, fund(world))
    home = CometHome(asked.folder / "lost")
    home.make_folders()
    other = world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r")))
    for height, txs in [(2, ()), (2, (other,)), (3, ())]:
        with pytest.raises(Corrupt, match="show another history"):
            Repeat.begin(asked.chain, home).take(height, txs)


@in_a_chain
async def test_only_what_cometbft_lacks_is_repeated(asked):
    home = CometHome(asked.folder / "lost")
    home.make_folders()
    assert Repeat.begin(asked.chain, home) is None, "a new node has nothing to repeat"
    await asked.block(2, fund(World(asked.chain)))
    (home.path / "data" / "state.db").mkdir()
    assert Repeat.begin(asked.chain, home) is None, "CometBFT has its blocks"
    home.repeating_path.touch()
    assert Repeat.begin(asked.chain, home) is not None, "it was killed before it had them all"


@in_a_chain
async def test_a_log_that_came_with_a_snapshot_is_not_repeated(asked):
    """It begins with genesis, as the network is young; but says nothing of validators."""
    world, chain = World(asked.chain), asked.chain
    await asked.block(2, fund(world), time_ms=world.time_ms)
    assert chain.head.checkpoint_height == chain.head.height
    folder, network = asked.folder / "joined", chain.network
    home = CometHome(folder / "cometbft")
    home.make_folders()
    shelf = Shelf(FileStorage(folder / "made"))
    made = make_snapshot(shelf, chain.log, chain.head.height, chain.iterate_rows(b""))
    assert made.first_height == 0

    def open_empty():
        return BlockLog.open(FileStorage(folder / "log")), MemoryStore()

    restorer = Restorer(Shelf(FileStorage(folder / "taken")), network, open_empty)
    restorer.offer(made.encoded(), network.digest(network.header_prefix + made.header))
    for number, chunk in enumerate(shelf.iterate_chunks(made)):
        restorer.apply(number, chunk)
    joined = Chain.open(*restorer.finish(), network, Registry(network.genesis), NobodySeals())
    assert Repeat.begin(chain, home) is not None
    home.repeating_path.unlink()
    with pytest.raises(Unavailable, match="came with a snapshot"):
        Repeat.begin(joined, home)
    assert not home.repeating_path.exists()
    again = Shelf(FileStorage(folder / "again"))
    assert make_snapshot(again, joined.log, 1, joined.iterate_rows(b"")) == made
    joined.close()


@in_a_chain
async def test_it_proposes_verified_batches_that_fit_in_their_order(asked):
    world = World(asked.chain)
    batches = [world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r"))) for _ in range(5)]
    room = sum(len(raw) for raw in batches[:3]) + 3 * 4
    wanted = abci.RequestPrepareProposal(
        txs=[b"rubbish", *batches], max_tx_bytes=room, height=2, time=NOW
    )
    for raw in batches:
        await asked.ask(check_tx=abci.RequestCheckTx(tx=raw))
    assert list((await asked.ask(prepare_proposal=wanted)).txs) == batches[:3]
    first = abci.RequestPrepareProposal(txs=batches, max_tx_bytes=10**6, height=1, time=NOW)
    assert list((await asked.ask(prepare_proposal=first)).txs) == []


@in_a_chain
async def test_nothing_is_ordered_at_a_time_of_long_ago(asked):
    world = World(asked.chain)
    raw = world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r")))
    for seconds_ago, proposed in [(10, [raw]), (11, [])]:
        time = {"seconds": NOW_MS // 1_000 - seconds_ago}
        wanted = abci.RequestPrepareProposal(txs=[raw], max_tx_bytes=10**6, height=2, time=time)
        assert list((await asked.ask(prepare_proposal=wanted)).txs) == proposed


@in_a_chain
async def test_forged_envelopes_alone_are_charged_to_their_sponsor(asked):
    world = World(asked.chain)
    await asked.block(2, fund(world))
    forged = flip(world.sign([key("ann")], pay("ann", "bob", 1, "r")))
    await asked.block(3, world.batch(forged))
    assert asked.chain.head.height == 2
    used = asked.chain.machine.state.load(SponsorUsage, SponsorUsage.key(key("north").address))
    assert used.refusals == 1


@in_a_chain
async def test_who_signed_twice_is_named_in_an_alarm(asked):
    signed_twice = abci.Misbehavior(validator=abci.Validator(address=bytes(20)), height=7)
    asking_for = abci.RequestFinalizeBlock(height=9, misbehavior=[signed_twice])
    await asked.ask(finalize_block=asking_for)
    assert "signed twice at height 7" in asked.caplog.text


@in_a_chain
async def test_a_batch_whose_verifying_failed_is_verified_again(asked):
    world = World(asked.chain)
    one, two = (world.batch(world.sign([key("ann")], pay("ann", "bob", 1, r))) for r in "ab")
    await asked.ask(check_tx=abci.RequestCheckTx(tx=one))
    wanted = abci.RequestPrepareProposal(txs=[one, two], max_tx_bytes=10**6, height=2, time=NOW)
    await asked.ask(prepare_proposal=wanted)
    assert list((await asked.ask(prepare_proposal=wanted)).txs) == [one, two]


@in_a_chain
async def test_a_proposal_of_batches_that_never_arrived_waits_for_the_first(asked):
    world = World(asked.chain)
    raw = world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r")))
    wanted = abci.RequestPrepareProposal(
        txs=[b"rubbish", raw], max_tx_bytes=10**6, height=2, time=NOW
    )
    assert list((await asked.ask(prepare_proposal=wanted)).txs) == [raw]


@in_a_chain
async def test_a_batch_of_strangers_or_rubbish_does_not_wait_for_a_block(asked):
    world = World(asked.chain)
    payment = world.sign([key("ann")], pay("ann", "bob", 1, "r"))
    for raw, words in [
        (b"", "batch"),
        (b"\x00" * 100, "batch"),
        (world.batch(payment, sponsor="ann"), "no active member"),
        (world.batch(payment, key_name="ann"), "may not sponsor"),
        (flip(world.batch(payment)), "does not verify"),
    ]:
        answer = await asked.ask(check_tx=abci.RequestCheckTx(tx=raw))
        assert answer.code != 0
        assert words in answer.log
        assert answer.codespace == "hansa"


@in_a_chain
async def test_members_nodes_may_connect_and_nobody_else(asked):
    async def may(path):
        return (await asked.ask(query=abci.RequestQuery(path=path))).code == 0

    assert await may(f"/p2p/filter/id/{KEYS[0][0].address.hex()}")
    assert not await may(f"/p2p/filter/id/{bytes(20).hex()}")
    assert not await may("/p2p/filter/id/nonsense")
    assert await may("/p2p/filter/addr/10.0.0.1:26606")


@in_a_chain
async def test_committed_rows_can_be_asked_for(asked):
    member = asked.chain.iterate_rows(Member.TABLE)
    name, raw = next(iter(member))
    found = await asked.ask(query=abci.RequestQuery(path="/row", data=name))
    assert (found.code, found.value, found.height) == (0, raw, 0)
    missing = await asked.ask(query=abci.RequestQuery(path="/row", data=b"mb" + bytes(32)))
    assert (missing.code, missing.log) == (2, "there is no row with this key")
    assert (await asked.ask(query=abci.RequestQuery(path="/nowhere"))).code == 1


@in_a_chain
async def test_nothing_is_added_to_votes_and_no_snapshot_taken_over_a_chain(asked):
    assert (await asked.ask(extend_vote=abci.RequestExtendVote())).vote_extension == b""
    verified = await asked.ask(verify_vote_extension=abci.RequestVerifyVoteExtension())
    assert verified.status == abci.ResponseVerifyVoteExtension.ACCEPT
    assert not (await asked.ask(list_snapshots=abci.RequestListSnapshots())).snapshots
    offered = await asked.ask(offer_snapshot=abci.RequestOfferSnapshot())
    assert offered.result == abci.ResponseOfferSnapshot.ABORT


@pytest.mark.parametrize(
    "raw",
    [b"\xff" * 6, b"\xff\xff\xff\xff\x0f", b"\x02\xff\xff", frame(abci.Request())],
    ids=["length", "huge", "no message", "no kind"],
)
def test_what_is_not_of_cometbft_ends_the_node(tmp_path, raw):
    async def run():
        async with asking(tmp_path) as asked:
            told = await asked.send(raw)
            assert told is None or b"only CometBFT v0.38 may connect" in told
            with pytest.raises(Invalid, match=r"only CometBFT v0\.38 may connect"):
                await asked.server.watch()

    asyncio.run(run())


def test_a_fault_of_this_program_ends_the_node_and_is_reported(tmp_path):
    async def run():
        async with asking(tmp_path) as asked:
            loop, reported = asyncio.get_running_loop(), asyncio.Event()
            loop.set_exception_handler(lambda _, found: faults.append(found) or reported.set())
            asked.server.application = None
            assert await asked.send(frame(abci.Request(commit=abci.RequestCommit()))) is None
            with pytest.raises(Corrupt, match="a fault of this program: its log says more"):
                await asked.server.watch()
            async with asyncio.timeout(30):
                await reported.wait()

    faults = []
    asyncio.run(run())
    assert "'NoneType' object has no attribute 'commit'" in str(faults[0]["exception"])


def test_a_commit_without_a_block_ends_the_node(tmp_path):
    async def run():
        async with asking(tmp_path) as asked:
            with pytest.raises(AssertionError, match="has not had executed"):
                await asked.ask(commit=abci.RequestCommit())

    asyncio.run(run())


def test_the_socket_is_for_its_owner_alone(tmp_path):
    async def run():
        async with asking(tmp_path):
            assert (tmp_path / "abci.sock").stat().st_mode & 0o777 == 0o600

    asyncio.run(run())


@in_a_chain
async def test_between_two_blocks_another_cometbft_may_take_the_place_of_one(asked):
    """Not while a block is executed and not durable; what the first one still asks is not done."""
    block = abci.RequestFinalizeBlock(txs=[fund(World(asked.chain))], height=1, time=NOW)
    await asked.ask(finalize_block=block)
    holding = asyncio.create_task(asked.server.hold(lambda: asked.application.is_between_blocks))
    await asked.ask(echo=abci.RequestEcho())
    assert not holding.done()
    await asked.ask(commit=abci.RequestCommit())
    await holding
    next_block = abci.RequestFinalizeBlock(height=2, time=NOW)
    asking_more = asyncio.create_task(asked.send(frame(abci.Request(finalize_block=next_block))))
    await asyncio.sleep(0)
    await asked.server.resume()
    (found,) = await asyncio.gather(asking_more, return_exceptions=True)
    assert found is None or isinstance(found, ConnectionError), "it was hung up on"
    reader, writer = await asyncio.open_unix_connection(asked.folder / "abci.sock")
    again = Asked(asked.chain, asked.application, reader, writer)
    info = await again.ask(info=abci.RequestInfo())
    assert (info.last_block_height, info.last_block_app_hash) == (1, asked.chain.machine.head_hash)
    await again.block(2)
    assert asked.application.consensus_height == 2
    writer.close()
    await writer.wait_closed()
