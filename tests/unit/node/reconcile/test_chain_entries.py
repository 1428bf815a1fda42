"""A node's chain as a side: some owners, some days, and a hash that stands for what was read."""

import datetime as dt
import json
import shutil
from contextlib import closing

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from tests.played import open_folder
from tests.voted_world import make_voted_folder, save_votes, vote
from tests.world import key, pay

from hansa.engine.log import BlockLog
from hansa.engine.storage import FileStorage
from hansa.kernel.block import decode_header
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Corrupt, Invalid, NotFound
from hansa.node.home import Home
from hansa.node.reconcile.chain_entries import LedgerFeed, Question
from hansa.node.records import iterate_records, open_log
from hansa.reconcile.entries import Fault
from hansa.reconcile.normalising import normalise
from hansa.reconcile.readers.ledger import Owner

ANN, NORTH, BOB = (key(name).address for name in ("ann", "north", "bob"))
DAY_MS = 86_400_000
FIRST = dt.date(2023, 11, 15)
"""Day of the genesis of the world, in its zone."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Money on the first day, a payment on each of the next three."""
    path = tmp_path_factory.mktemp("ledger") / "node"
    with open_folder(path) as world:
        world.fund("ann", "shop")
        for number in range(1, 4):
            world.time_ms += DAY_MS
            assert world.do("ann", pay("ann", "shop", number * 100, f"pay-{number}")) == ""
    return Home(path)


def read(home, folder, *owners, from_day=None, to_day=None, **more):
    """Normalise; gives entries, findings, the document and the source."""
    days = [None if each is None else FIRST + dt.timedelta(each) for each in (from_day, to_day)]
    question = Question(tuple(owners) or (Owner(ANN),), *days, **more)
    made = normalise([LedgerFeed(home, question)], folder)
    entries = pq.read_table(folder / "entries.parquet").to_pylist()
    findings = [json.loads(line) for line in (folder / "findings.jsonl").read_text().splitlines()]
    (source,) = made.sources
    return entries, findings, json.loads((folder / source.name).read_text()), source


def read_headers(home):
    with closing(open_log(home.log_path)) as log:
        return [record.header for record in iterate_records(log)]


def test_all_that_moved_is_read_and_bound_to_the_newest_header(home, tmp_path):
    entries, findings, told, source = read(home, tmp_path / "out")
    assert [each["amount_minor"] for each in entries] == [100_000, -100, -200, -300]
    assert findings == []
    assert {each["account"] for each in entries} == {to_text(ANN)}
    raw, network = read_headers(home)[-1], home.load_network()
    header = decode_header(raw)
    digest = network.digest(network.header_prefix + raw)
    assert (told["height"], told["header_hash"]) == (header.height, digest.hex())
    assert told["genesis_hash"] == network.genesis_hash.hex()
    assert (source.format, source.entries, source.statements) == ("ledger", 4, 1)


@pytest.mark.parametrize(
    ("days", "amounts"),
    [
        ((1, 2), [-100, -200]),
        ((2, None), [-200, -300]),
        ((None, 0), [100_000]),
        ((4, 9), []),
    ],
)
def test_days_are_cut_out(home, tmp_path, days, amounts):
    entries, *_ = read(home, tmp_path / "out", from_day=days[0], to_day=days[1])
    assert [each["amount_minor"] for each in entries] == amounts


def test_a_statement_of_some_days_knows_its_opening(home, tmp_path):
    read(home, tmp_path / "out", from_day=2, to_day=2)
    statement = json.loads((tmp_path / "out" / "statements.jsonl").read_text())
    assert (statement["opening_minor"], statement["closing_minor"]) == (99_900, 99_700)


def test_days_that_are_over_have_the_same_hash_later(home, tmp_path):
    before = read(home, tmp_path / "before", to_day=2)
    assert before[2]["to"] == "2023-11-17"
    assert before[1] == []
    same = read(home, tmp_path / "same", to_day=2)
    other = read(home, tmp_path / "other", to_day=1)
    assert before[3].sha256 == same[3].sha256 != other[3].sha256


def test_a_wallet_and_a_vault_are_different_owners(home, tmp_path):
    vault = Owner(NORTH, is_vault=True)
    entries, findings, told, _ = read(home, tmp_path / "out", Owner(ANN), vault, to_day=0)
    assert {each["account"] for each in entries} == {to_text(ANN), f"vault:{to_text(NORTH)}"}
    assert told["owners"] == sorted([to_text(ANN), f"vault:{to_text(NORTH)}"])
    assert findings == []


def test_days_that_are_not_over_and_owners_without_movement_are_warned_of(home, tmp_path):
    entries, findings, *_ = read(home, tmp_path / "out", Owner(BOB), to_day=3)
    assert entries == []
    assert [each["fault"] for each in findings] == [Fault.GAP, Fault.MISSING]
    assert {each["severity"] for each in findings} == {"warning"}
    assert to_text(BOB) in findings[1]["text"]


def test_another_network_or_a_time_before_it_is_refused(home, tmp_path):
    with pytest.raises(Invalid, match="another network"):
        read(home, tmp_path / "out", genesis_hash=b"\1" * 32)
    with pytest.raises(NotFound, match="2023-11-15"):
        read(home, tmp_path / "out", to_day=-1)
    with pytest.raises(NotFound):
        read(Home(tmp_path / "nothing"), tmp_path / "out")
    assert list(tmp_path.iterdir()) == [], "nothing is left of what was refused"


def test_where_validators_vote_one_vote_covers_what_stands_before_it(tmp_path):
    home = make_voted_folder(tmp_path / "node")
    network, headers = home.load_network(), read_headers(home)
    last = len(headers) - 1
    ada = Owner(key("ada").address)
    assert read(home, tmp_path / "whole", ada)[1] == []
    save_votes(home, vote(network, headers[2], 2))
    for name, days in (("older", {}), ("none", {"from_day": 9})):
        finding = read(home, tmp_path / name, ada, **days)[1][0]
        assert (
            f"cover block {last}, the last one read: those shown are on block 2" in finding["text"]
        )
    save_votes(home, vote(network, headers[2][:-1] + b"?", 2))
    with pytest.raises(Corrupt, match="another history"):
        read(home, tmp_path / "other", ada)


def test_a_last_block_that_nobody_sealed_who_may_is_refused(home, tmp_path):
    other = Home(shutil.copytree(home.path, tmp_path / "node"))
    with closing(open_log(home.log_path)) as log:
        *before, last = iterate_records(log)
    shutil.rmtree(other.log_path)
    network, stranger = home.load_network(), key("stranger")
    seal = (1, stranger.public_key, stranger.sign(network.header_prefix + last.header))
    with closing(BlockLog.open(FileStorage(other.log_path))) as written:
        for height, record in enumerate([*before, replace(last, signatures=(seal,))]):
            written.append(height, record.encoded())
        written.sync()
    with pytest.raises(Corrupt, match="not sealed by a key that genesis names"):
        read(other, tmp_path / "out")
    assert len(read(other, tmp_path / "before", to_day=2)[0]) == 3, "they are covered by another"
