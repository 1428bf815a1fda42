"""What the application answers to CometBFT, asked through its socket."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.voted import make_voted_genesis
from tests.world import ASSET, START_MS, World, key, pay

from hansa.contracts import currency, payments, wallets
from hansa.contracts.members import Member
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.application import (
    Application,
    list_updates,
)
from hansa.engine.cometbft.batches import OrderedBatches, Verdicts, compute_key
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.engine.cometbft.protocol import abci_pb2 as abci
from hansa.engine.cometbft.repeating import Repeat
from hansa.engine.cometbft.server import Server, frame, read_frame
from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.engine.verification import InlineVerifier
from hansa.kernel.errors import Corrupt, Invalid, Unavailable
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import compute_chain_id
from hansa.node.network.peers import build_peer_filter

KEYS = [(CometKey(bytes([n]) * 32), CometKey(bytes([n + 100]) * 32)) for n in range(1, 5)]
SECOND = 1_000


class Asked:
    """An application behind its socket, and one connection to it."""

    def __init__(self, chain, application, reader, writer):
        self.chain, self.application = chain, application
        self._reader, self._writer = reader, writer

    async def send(self, raw):
        self._writer.write(raw)
        return await read_frame(self._reader)

    async def ask(self, **request):
        name = next(iter(request))
        answer = abci.Response.FromString(await self.send(frame(abci.Request(**request))))
        if answer.WhichOneof("value") == "exception":
            raise AssertionError(answer.exception.error)
        return getattr(answer, name)

    async def block(self, height, *txs, time_ms=START_MS + SECOND):
        """Have a block executed and committed; returns FinalizeBlock's answer."""
        time = {"seconds": time_ms // 1000, "nanos": time_ms % 1000 * 1_000_000}
        asked = abci.RequestFinalizeBlock(txs=txs, height=height, time=time)
        answer = await self.ask(finalize_block=asked)
        await self.ask(commit=abci.RequestCommit())
        return answer


@asynccontextmanager
async def asking(folder):
    """Serve a new chain in a folder, and connect to it."""
    network = Network.of(make_voted_genesis(KEYS))
    log = BlockLog.open(FileStorage(folder / "log"))
    chain = Chain.open(log, MemoryStore(), network, Registry(network.genesis), NobodySeals())
    confirmed = []
    verdicts = Verdicts(InlineVerifier(network))
    application = Application(chain, verdicts, build_peer_filter(chain, ()), confirmed.append)
    server = Server(application)
    await server.start(folder / "abci.sock")
    reader, writer = await asyncio.open_unix_connection(folder / "abci.sock")
    asked = Asked(chain, application, reader, writer)
    asked.server, asked.confirmed, asked.folder = server, confirmed, folder
    try:
        yield asked
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        await server.close()
        chain.close()


def in_a_chain(play):
    """Make a test of a coroutine that is given an `Asked`."""

    def test(tmp_path):
        async def run():
            async with asking(tmp_path) as asked:
                await play(asked)

        asyncio.run(run())

    test.__name__ = play.__name__
    test.__doc__ = play.__doc__
    return test


def fund(world):
    north = key("north").address
    commands = [
        currency.SetQuota(north, ASSET, 10**12),
        currency.Issue(north, ASSET, 10**9),
    ]
    opened = [
        world.sign(
            [key("north")],
            wallets.Open(key(name).address, north, wallets.Category(1)),
            payments.CashIn(north, key(name).address, ASSET, 1_000, f"in-{name}"),
        )
        for name in ("ann", "bob")
    ]
    return world.batch(world.sign([key("officer0")], *commands), *opened)


def flip(raw):
    """Break a batch's signature."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


def make_init(network, **changed):
    validators = [
        abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=each.public_key), power=10)
        for _, each in KEYS
    ]
    fields = {
        "chain_id": compute_chain_id(network.genesis_hash),
        "validators": validators,
        "initial_height": 1,
        **changed,
    }
    return abci.RequestInitChain(**fields)


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
    wanted = abci.RequestPrepareProposal(txs=[first, second], max_tx_bytes=10**6, height=3)
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
    blocks = [(2, (first,)), (3, ()), (4, (first, second)), (5, ())]
    told = [await asked.block(height, *txs) for height, txs in blocks]
    home = CometHome(asked.folder / "lost")
    home.make_folders()
    repeat = Repeat.begin(chain, home)
    assert home.repeating_path.exists()
    again = Application(chain, Verdicts(InlineVerifier(chain.network)), bool, bool, None, repeat)
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
async def test_it_proposes_verified_batches_that_fit_in_their_order(asked):
    world = World(asked.chain)
    batches = [world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r"))) for _ in range(5)]
    room = sum(len(raw) for raw in batches[:3]) + 3 * 4
    wanted = abci.RequestPrepareProposal(txs=[b"rubbish", *batches], max_tx_bytes=room, height=2)
    for raw in batches:
        await asked.ask(check_tx=abci.RequestCheckTx(tx=raw))
    assert list((await asked.ask(prepare_proposal=wanted)).txs) == batches[:3]
    first = abci.RequestPrepareProposal(txs=batches, max_tx_bytes=10**6, height=1)
    assert list((await asked.ask(prepare_proposal=first)).txs) == []


@in_a_chain
async def test_a_proposal_of_batches_that_never_arrived_waits_for_the_first(asked):
    world = World(asked.chain)
    raw = world.batch(world.sign([key("ann")], pay("ann", "bob", 1, "r")))
    wanted = abci.RequestPrepareProposal(txs=[b"rubbish", raw], max_tx_bytes=10**6, height=2)
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


@given(st.binary(max_size=70_000))
def test_frames_come_out_as_they_went_in(data):
    async def run():
        reader = asyncio.StreamReader()
        message = abci.Request(check_tx=abci.RequestCheckTx(tx=data))
        reader.feed_data(frame(message) * 2)
        reader.feed_eof()
        for _ in range(2):
            assert abci.Request.FromString(await read_frame(reader)) == message
        assert await read_frame(reader) is None

    asyncio.run(run())


powers = st.dictionaries(st.binary(min_size=32, max_size=32), st.integers(1, 9), max_size=6)


@given(powers, powers, st.sets(st.integers(0, 5)))
def test_updates_turn_one_set_of_validators_into_another(before, more, kept):
    names = sorted(before)
    after = {**{name: before[name] for n, name in enumerate(names) if n in kept}, **more}
    found = dict(before)
    updates = list_updates(sorted(before.items()), sorted(after.items()))
    assert len(dict(updates)) == len(updates)
    for name, power in updates:
        assert found.get(name, 0) != power
        found[name] = power
    assert {name: power for name, power in found.items() if power} == after


class Flaky:
    """A verifier whose processes die the first so many times."""

    def __init__(self, inner, deaths):
        self._inner, self.deaths, self.calls = inner, deaths, 0

    async def check_batch(self, raw):
        self.calls += 1
        if self.deaths:
            self.deaths -= 1
            raise Unavailable("a verifying process died")
        return await self._inner.check_batch(raw)


@pytest.mark.parametrize("deaths", [0, 1, 2])
def test_a_batch_is_verified_once_and_again_only_where_verifying_failed(deaths):
    network = Network.of(make_voted_genesis(KEYS))

    async def run():
        verifier = Flaky(InlineVerifier(network), deaths)
        verdicts = Verdicts(verifier, remembered_max=2)
        if deaths > 1:
            with pytest.raises(Unavailable, match="died"):
                await verdicts.get(b"a", b"rubbish")
            return
        assert (await verdicts.get(b"a", b"rubbish")).rejected is not None
        await verdicts.get(b"a", b"rubbish")
        assert verifier.calls == deaths + 1
        for name in (b"b", b"c"):
            await verdicts.get(name, b"rubbish")
        assert verdicts.find(b"a") is None
        assert verdicts.find(b"c") is not None
        verdicts.forget(b"c")
        assert verdicts.find(b"c") is None

    asyncio.run(run())
