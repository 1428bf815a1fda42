"""Whole transactions through the chain: bad input, repetition, re-execution, crashes, damage."""

from __future__ import annotations

import msgspec
import pytest
from tests.world import ASSET, MINUTE_MS, World, key, make_genesis, open_world, pay

from hansa.contracts import payments, wallets
from hansa.contracts.registry import Registry
from hansa.engine.chain import NODE_SPACE, ROW_SPACE, Chain
from hansa.engine.log import BlockLog
from hansa.engine.record_items import group_dropped
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.block import Repeated, Status, decode_header, read_status
from hansa.kernel.crypto.signatures import verify_many
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, InvalidCode, Unavailable
from hansa.kernel.genesis import LIMITS_LEAST, Network, decode_genesis
from hansa.kernel.machine.execution import TIME_MS_MAX
from hansa.kernel.quota import SponsorUsage
from hansa.kernel.transaction import build_checked, check_batch
from hansa.kernel.trees.commitment import compute_place
from hansa.kernel.trees.state_tree import verify_proof
from hansa.node.audit import audit
from hansa.node.home import KeySealer


@pytest.fixture
def world(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "shop")
    yield world
    world.chain.close()


def test_the_same_envelope_again_is_a_repetition(world):
    envelope = world.sign([key("ann")], pay("ann", "shop", 5, "1"))
    first, again = world.send(envelope, envelope)
    assert first.code == ""
    assert isinstance(again, Repeated)
    assert again.tx_id == first.tx_id
    assert world.balance("ann") == (99_995, 0)


def test_the_same_nonce_with_another_body_is_told_by_its_id(world):
    first = world.sign([key("ann")], pay("ann", "shop", 5, "1"))
    world.nonces -= 1
    second = world.sign([key("ann")], pay("ann", "shop", 6, "2"))
    taken, refused = world.send(first, second)
    assert isinstance(refused, Repeated)
    assert refused.tx_id != taken.tx_id


def test_what_is_stale_or_too_far_ahead_is_invalid(world):
    early = world.sign([key("ann")], pay("ann", "shop", 5, "1"), until_ms=world.time_ms - 1)
    late = world.sign(
        [key("ann")], pay("ann", "shop", 5, "1"), until_ms=world.time_ms + 15 * MINUTE_MS + 1
    )
    assert [answer.code for answer in world.send(early, late)] == ["EXPIRED", "TOO_FAR_AHEAD"]


def _parts(envelope):
    import msgspec  # noqa: PLC0415 - only here

    return msgspec.msgpack.decode(envelope)


def test_every_way_to_forge_an_envelope_is_invalid_and_harms_no_other(world):
    good = world.sign([key("ann")], pay("ann", "shop", 5, "good"))
    body, signatures = _parts(world.sign([key("ann")], pay("ann", "shop", 5, "1")))
    other = _parts(world.sign([key("shop")], pay("ann", "shop", 5, "1")))[1]
    flipped = bytearray(signatures[0][2])
    flipped[40] ^= 1
    bad = {
        "SIGNATURE": encode([body, [[1, signatures[0][1], bytes(flipped)]]]),
        "SIGNERS": encode([body, [*signatures, *signatures]]),
        "PUBLIC_KEY": encode([body, [[1, bytes(32), signatures[0][2]]]]),
        "SUITE": encode([body, [[9, signatures[0][1], signatures[0][2]]]]),
        "NOT_CANONICAL": encode([body, signatures]).replace(b"\x92\xc4", b"\xdc\x00\x02\xc4", 1),
        "MALFORMED": b"\xc1",
        "TOO_LARGE": bytes(20_000),
    }
    stripped = encode([body, []])
    swapped = encode([body, other])
    answers = world.send(*bad.values(), stripped, swapped, good)
    assert [answer.code for answer in answers[:-1]] == [*bad, "SIGNERS", "SIGNERS"]
    assert answers[-1].code == ""
    assert world.balance("ann") == (99_995, 0)


def test_an_envelope_of_another_network_is_invalid(world, tmp_path):
    other = open_world(FileStorage(tmp_path / "other"), make_genesis(name="other"))
    envelope = other.sign([key("ann")], pay("ann", "shop", 5, "1"))
    other.chain.close()
    assert world.send(envelope)[0].code == "SIGNATURE"


def test_strangers_do_not_sponsor(world):
    envelope = world.sign([key("ann")], pay("ann", "shop", 5, "1"))
    for sponsor, signer in (("ann", "ann"), ("north", "ann")):
        result = world.apply(world.batch(envelope, sponsor=sponsor, key_name=signer))
        assert result.outcomes[0][0].code == "UNKNOWN_SPONSOR"
        assert not result.receipts


def test_a_sponsor_over_its_quota_is_stopped(tmp_path):
    policy = {"sponsor.quota": (10**9, 6, 10, 100)}
    world = open_world(FileStorage(tmp_path), make_genesis(policy))
    world.fund("ann", "shop")
    codes = [world.do("ann", pay("ann", "shop", 1, str(number))) for number in range(6)]
    assert codes == ["", "", "", "QUOTA", "QUOTA", "QUOTA"]
    world.chain.close()


def test_a_repeated_envelope_uses_its_sponsors_bytes_and_counts_once(tmp_path):
    """Else a sponsor could fill blocks with one envelope, over and over."""
    policy = {"sponsor.quota": (65_536, 5, 10, 100)}
    world = open_world(FileStorage(tmp_path), make_genesis(policy))
    world.fund("ann", "shop")
    envelope = world.sign([key("ann")], pay("ann", "shop", 1, "again"))
    answers = world.send(*[envelope] * 400)
    kinds = [type(answer).__name__ for answer in answers]
    repeated = kinds.count("Repeated")
    assert kinds == ["Receipt"] + repeated * ["Repeated"] + (399 - repeated) * ["Invalid"]
    assert 100 < repeated < 399
    assert "bytes a day" in answers[-1].message
    world.chain.close()


def test_a_sponsor_with_full_storage_can_still_sweep(tmp_path):
    """What adds a row is refused, what removes one is not: nobody is locked out by being full."""
    policy = {"sponsor.quota": (10**9, 100, 10, 14), "payments.refund_days": (1,)}
    world = open_world(FileStorage(tmp_path), make_genesis(policy))
    world.fund("ann", "shop")
    codes = [world.do("ann", pay("ann", "shop", 1, str(number))) for number in range(12)]
    kept = codes.index("kernel.TOO_MANY_ROWS")
    assert set(codes[:kept]) == {""}
    assert set(codes[kept:]) == {"kernel.TOO_MANY_ROWS"}
    assert world.balance("shop") == (100_000 + kept, 0)
    world.time_ms += 2 * 86_400_000
    assert world.do("ann", pay("ann", "shop", 1, "new")) == "kernel.TOO_MANY_ROWS"
    assert world.do("ann", payments.Sweep(key("ann").address, "0")) == ""
    assert world.do("ann", pay("ann", "shop", 1, "new")) == ""
    world.chain.close()


def read_stored(world, name):
    usage = world.chain.machine.state.load(SponsorUsage, SponsorUsage.key(key(name).address))
    return usage.stored_rows if usage else 0


def test_a_swept_row_makes_room_for_who_was_charged_for_it(tmp_path):
    """Whoever sweeps: else others could leave a sponsor charged for rows that are gone."""
    world = open_world(FileStorage(tmp_path), make_genesis({"payments.refund_days": (1,)}))
    world.fund("ann", "shop")
    before = read_stored(world, "north")
    for number in range(6):
        assert world.do("ann", pay("ann", "shop", 1, str(number))) == ""
    assert read_stored(world, "north") == before + 6
    hold = payments.Hold(key("ann").address, key("shop").address, ASSET, 5, "h", world.time_ms + 9)
    assert world.do("ann", hold) == ""
    post = world.sign([key("shop")], payments.Post(key("ann").address, "h", 5))
    world.apply(world.batch(post, sponsor="south"))
    assert (read_stored(world, "north"), read_stored(world, "south")) == (before + 7, 0)
    world.time_ms += 3 * 86_400_000
    sweeps = [
        world.sign([key("mallory")], payments.Sweep(key("ann").address, str(number)))
        for number in range(4)
    ]
    again = [world.sign([key("ann")], pay("ann", "shop", 1, str(number))) for number in (0, 5)]
    result = world.apply(world.batch(*sweeps, *again, sponsor="south"))
    assert {read_status(receipt) for receipt in result.receipts} == {Status.OK}
    assert (read_stored(world, "north"), read_stored(world, "south")) == (before + 2, 2)
    assert world.do("ann", payments.Sweep(key("ann").address, "4")) == ""
    assert (read_stored(world, "north"), read_stored(world, "south")) == (before + 1, 2)
    world.chain.close()


def test_an_unknown_contract_is_refused(world):
    body, _ = _parts(world.sign([key("ann")], pay("ann", "shop", 5, "1")))
    changed = body.replace(b"\xa8payments", b"\xa8paymentz")
    message = world.network.tx_prefix + changed
    envelope = encode([changed, [[1, key("ann").public_key, key("ann").sign(message)]]])
    assert world.send(envelope)[0].code == "kernel.UNKNOWN_COMMAND"


def test_p256_and_secp256k1_keys_pay_too(world):
    for suite in (2, 3):
        other = key("other", suite)
        transfer = pay("ann", "shop", 5, "1")
        envelope = world.sign([other], transfer)
        assert world.send(envelope)[0].code == "kernel.NOT_AUTHORIZED"


def test_the_recorded_stream_executes_to_the_same_headers(world, tmp_path):
    for number in range(5):
        world.time_ms += 700
        world.do("ann", pay("ann", "shop", number + 1, str(number)))
    headers = [record.header for record in world.chain.iterate_records(0)]
    copy = open_world(FileStorage(tmp_path / "copy"), world.network.genesis)
    for record in world.chain.iterate_records(1):
        copy.time_ms = decode_header(record.header).time_ms
        copy.apply(*record.batches)
    assert [record.header for record in copy.chain.iterate_records(0)] == headers
    copy.chain.close()


@pytest.mark.parametrize("is_store_kept", [True, False])
def test_opening_again_goes_on_where_it_ended(tmp_path, is_store_kept):
    store = MemoryStore()
    storage = FileStorage(tmp_path)
    world = open_world(storage, make_genesis(), store)
    world.fund("ann", "shop")
    envelope = world.sign([key("ann")], pay("ann", "shop", 5, "1"))
    stale = world.sign([key("ann")], pay("ann", "shop", 5, "1"), until_ms=world.time_ms - 1)
    world.send(envelope, stale, envelope)
    world.do("ann", pay("ann", "shop", 0, "zero"))
    head = world.chain.head
    if is_store_kept:
        world.chain.flush()
    world.chain.log.close()
    reopened = store.reopened() if is_store_kept else MemoryStore()
    again = open_world(storage, make_genesis(), reopened)
    assert again.chain.head == head
    assert again.balance("ann") == (99_995, 0)
    again.time_ms = world.time_ms
    assert isinstance(again.send(envelope)[0], Repeated)
    assert again.do("ann", pay("ann", "shop", 5, "2")) == ""
    again.chain.close()


def test_another_networks_folder_is_not_opened(tmp_path):
    storage = FileStorage(tmp_path)
    open_world(storage, make_genesis()).chain.log.close()
    with pytest.raises(Corrupt, match="another network"):
        open_world(storage, make_genesis(name="other"))


def test_a_log_without_its_beginning_is_not_opened(tmp_path):
    world = open_world(FileStorage(tmp_path / "whole"), make_genesis())
    world.fund("ann", "shop")
    log = BlockLog.open(FileStorage(tmp_path / "rest"))
    for height, record in world.chain.log.iterate(2):
        log.append(height, record)
    log.close()
    world.chain.close()
    with pytest.raises(Corrupt, match="the log begins with block 2") as caught:
        open_world(FileStorage(tmp_path / "rest"), make_genesis())
    assert caught.value.facts["height"] == 2


def test_dropped_items_are_named_in_the_log(world):
    world.do("ann", pay("ann", "shop", 0, "zero"))
    record = world.chain.get_record(world.chain.head.height)
    assert [code.code for code in group_dropped(record)[0].values()] == ["AMOUNT"]


def test_a_row_is_proved_against_the_state_root(world):
    from hansa.contracts.wallets import Wallet  # noqa: PLC0415 - only here

    digest = world.network.digest
    world.time_ms += 1000
    world.do("ann", pay("ann", "shop", 5, "1"))
    present = world.chain.prove_row(Wallet.key(key("ann").address))
    root = decode_header(present.header).state_root
    place = compute_place(present.key, digest)
    verify_proof(root, place, digest(present.value), present.path, digest)
    absent = world.chain.prove_row(Wallet.key(key("nobody").address))
    verify_proof(root, compute_place(absent.key, digest), None, absent.path, digest)
    with pytest.raises(Invalid):
        verify_proof(root, place, None, present.path, digest)


def test_a_row_is_proved_while_the_tree_is_ahead_of_the_checkpoint(world):
    world.chain.machine.commitment.early_rows = 1
    digest = world.network.digest
    world.time_ms += 1000
    world.do("ann", pay("ann", "shop", 5, "1"))
    first = world.chain.prove_row(payments.Payment.key(key("ann").address, "1"))
    world.do("ann", pay("ann", "shop", 6, "2"))
    commit = world.chain.machine.commitment
    assert commit.tree.root() != commit.root == decode_header(first.header).state_root
    for reference in ("1", "2"):
        row_key = payments.Payment.key(key("ann").address, reference)
        proof = world.chain.prove_row(row_key)
        assert (proof.value is None) == (reference == "2")
        value = None if proof.value is None else digest(proof.value)
        verify_proof(commit.root, compute_place(row_key, digest), value, proof.path, digest)


def test_a_row_is_proved_while_a_checkpoint_is_executed_but_not_in_the_log(world):
    raw = world.batch(world.sign([key("ann")], pay("ann", "shop", 5, "1")))
    world.time_ms += 1000
    batches = [build_checked(raw, check_batch(raw, world.network, verify_many), world.network)]
    row_key = wallets.Wallet.key(key("ann").address)
    before = world.chain.prove_row(row_key)
    *_, result = world.chain.execute_stepwise(world.time_ms, batches)
    assert world.chain.prove_row(row_key) == before
    world.chain.append(result, batches)
    assert world.chain.prove_row(row_key).header == result.header.encoded()


class DamagedStore(MemoryStore):
    """A store that changes the root node of the tree once it is told to."""

    is_damaged = False

    def get(self, key):
        value = super().get(key)
        if self.is_damaged and key == NODE_SPACE:
            return value[:40] + bytes([value[40] ^ 1]) + value[41:]
        return value


def test_a_changed_root_of_the_stored_tree_is_damage(tmp_path):
    store = DamagedStore()
    world = open_world(FileStorage(tmp_path), make_genesis(), store)
    world.fund("ann")
    row_key = wallets.Wallet.key(key("ann").address)
    assert world.chain.prove_row(row_key).path
    store.is_damaged = True
    with pytest.raises(Corrupt, match="has not the state root of block"):
        world.chain.prove_row(row_key)
    world.chain.close()


def test_opening_flushes_as_it_goes(tmp_path):
    world = open_world(FileStorage(tmp_path), make_genesis())
    world.fund("ann", "shop")
    for number in range(12):
        world.time_ms += 1000
        world.do("ann", pay("ann", "shop", 1, f"{number}"))
    height = world.chain.head.height
    world.chain.log.close()
    store = CountingStore()
    genesis = make_genesis()
    again = FlushingChain.open(
        BlockLog.open(FileStorage(tmp_path)),
        store,
        Network.of(genesis),
        Registry(genesis),
        KeySealer(key("sealer")),
    )
    assert again.head.height == height
    assert len(store.flushed) >= 3
    assert store.flushed == sorted(set(store.flushed))
    again.close()


class PacedStore(MemoryStore):
    """A store that counts what a flush that is under way has left to write when the next begins."""

    def __init__(self):
        super().__init__()
        self.flushes = []
        self.to_write = self.begun = 0

    def write(self, puts, height):
        self.to_write += len(puts)
        super().write(puts, height)

    def advance(self, keys):
        self.begun -= keys

    def flush(self, *, wait=True):
        self.flushes.append(self.begun)
        self.begun, self.to_write = self.to_write, 0
        super().flush(wait=wait)


def test_a_flush_ends_before_the_next_is_due_also_where_transactions_are_large(tmp_path):
    """Else the block at which the next begins waits for what is left of it."""
    log, genesis, store = BlockLog.open(FileStorage(tmp_path)), make_genesis(), PacedStore()
    sealer = KeySealer(key("sealer"))
    chain = FlushingChain.open(log, store, Network.of(genesis), Registry(genesis), sealer)
    world = World(chain)
    world.fund("ann", "shop")
    for block in range(24):
        world.time_ms += 1000
        calls = [pay("ann", "shop", 1, f"{block} {number}") for number in range(4)]
        world.do("ann", *calls)
    assert len(store.flushes) >= 5
    assert max(store.flushes[2:]) <= 0, "the first also writes the genesis"
    chain.close()


class FlushingChain(Chain):
    """A chain whose store is flushed often."""

    flush_transactions = 4


class CountingStore(MemoryStore):
    """A store that remembers at which heights it was flushed."""

    def __init__(self):
        super().__init__()
        self.flushed = []

    def flush(self, *, wait=True):
        self.flushed.append(self.pending_height)
        super().flush(wait=wait)


def test_in_the_pauses_of_a_block_others_see_the_block_before(world):
    raws = [world.batch(world.sign([key("ann")], pay("ann", "shop", 5, name))) for name in "12"]
    machine = world.chain.machine
    # Rows in memory would be dropped in the pause, and with them what this block wrote.
    machine.state.rows_max = 0
    batches = [
        build_checked(raw, check_batch(raw, world.network, verify_many), world.network)
        for raw in raws
    ]
    results = []
    for result in world.chain.execute_stepwise(world.time_ms, batches):
        results.append(result)
        if result is None:
            assert world.balance("ann") == (100_000, 0)
            machine.check_sponsor(batches[0].claim, world.time_ms)
    world.chain.append(results[-1], batches)
    assert results[:2] == [None, None]
    assert world.balance("ann") == (99_990, 0)


def test_the_audit_agrees_with_the_state_and_finds_a_changed_balance(world):
    world.time_ms += 1000
    world.do("ann", pay("ann", "shop", 5, "1"))
    chain = world.chain
    assert audit(chain.iterate_records(0), world.network, chain.iterate_rows).audit_ok
    key_bytes, value = next(iter(chain.iterate_rows(b"wb")))
    changed = value.replace(encode(99_995), encode(99_996)).replace(
        encode(100_005), encode(100_006)
    )
    chain.store.write({ROW_SPACE + key_bytes: changed}, chain.store.pending_height + 1)
    report = audit(chain.iterate_records(0), world.network, chain.iterate_rows)
    assert not report.audit_ok
    assert report.supply_ok


def test_the_least_limits_that_genesis_may_set_let_a_block_be_made(tmp_path):
    """Below some of them the kernel's own reads would be refused, which no block survives."""
    genesis = msgspec.structs.replace(make_genesis(), limits=LIMITS_LEAST)
    world = open_world(FileStorage(tmp_path), decode_genesis(genesis.encoded()))
    north, ann = key("north").address, key("ann").address
    assert world.do("north", wallets.Open(ann, north, wallets.Category.I)) == ""
    assert world.do("ann", pay("ann", "shop", 1, "1")) == "wallets.UNKNOWN_WALLET"
    world.chain.close()


def test_what_is_stale_or_does_not_fit_counts_as_bytes(world):
    """It lies in the log as any other item does."""
    stale = world.sign([key("ann")], pay("ann", "shop", 5, "1"), until_ms=world.time_ms - 1)
    raw = world.batch(stale)
    result = world.apply(raw)
    assert result.outcomes[0][0].code == InvalidCode.EXPIRED
    sponsor = SponsorUsage.key(key("north").address)
    used = world.chain.machine.state.load(SponsorUsage, sponsor)
    world.apply(raw)
    again = world.chain.machine.state.load(SponsorUsage, sponsor)
    assert again.bytes_used - used.bytes_used == len(stale)
    assert again.refusals - used.refusals == 1


def test_no_block_is_made_after_the_year_in_which_the_ledger_ends(world):
    """A clock that leaps there must not take the chain with it: ledger time never goes back."""
    before = world.time_ms
    raw = world.batch(world.sign([key("ann")], pay("ann", "shop", 5, "1")))
    world.time_ms = TIME_MS_MAX + 1
    checked = build_checked(raw, check_batch(raw, world.network, verify_many), world.network)
    with pytest.raises(Unavailable, match="set the clock right"):
        world.chain.machine.check_sponsor(checked.claim, world.time_ms)
    with pytest.raises(Unavailable, match="set the clock right"):
        world.apply(raw)
    world.time_ms = before
    assert read_status(world.apply(raw).receipts[0]) is Status.OK
    world.time_ms = TIME_MS_MAX
    last = world.sign([key("ann")], pay("ann", "shop", 5, "2"))
    assert read_status(world.apply(world.batch(last)).receipts[0]) is Status.OK


class OtherRules(Registry):
    """The rules of another release: its genesis has one row more."""

    def install(self, view):
        super().install(view)
        view.put(SponsorUsage(bytes(32)))


def test_a_chain_that_another_release_began_is_not_gone_on_with(tmp_path):
    genesis = make_genesis()
    storage = FileStorage(tmp_path / "log")
    network = Network.of(genesis)
    parts = network, OtherRules(genesis), KeySealer(key("sealer"))
    Chain.open(BlockLog.open(storage), MemoryStore(), *parts).close()
    with pytest.raises(Corrupt, match=r"block 0 .* a release with other rules"):
        open_world(FileStorage(tmp_path / "log"), genesis)
