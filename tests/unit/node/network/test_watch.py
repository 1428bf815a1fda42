"""How a network does, in words: quiet, stalled, cut off, catching up."""

from __future__ import annotations

import asyncio

import pytest
from tests.voted import decide, make_voted_genesis
from tests.world import World, key

from hansa.contracts.actions import ReinstateMember, SuspendMember
from hansa.contracts.governance import Execute
from hansa.contracts.registry import Registry
from hansa.engine.chain import Chain, NobodySeals
from hansa.engine.cometbft.home import CometKey
from hansa.engine.log import BlockLog
from hansa.engine.ordering import SeenConsensus, SeenPeer, SeenValidator
from hansa.engine.storage import FileStorage
from hansa.engine.store import MemoryStore
from hansa.kernel.calendar import DAY_MS
from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import NotFound, Unavailable
from hansa.kernel.genesis import Network
from hansa.node.network.watch import SEALED, STRANGER, Watch

NOW_MS = 1_800_000_000_000
NAMES = ("officer0", "north", "south", "department0")
SOUTH = key("south").address
QUIET, PREVOTE = 2, 4


class Seeing:
    """A network of four in which this node is the first, and whose time passes on demand."""

    def __init__(self, folder):
        self.keys = [(CometKey.generate(), CometKey.generate()) for _ in range(4)]
        network = Network.of(make_voted_genesis(self.keys))
        log = BlockLog.open(FileStorage(folder))
        rules = Registry(network.genesis)
        chain = Chain.open(log, MemoryStore(), network, rules, NobodySeals())
        self.world = World(chain)
        self.ms = NOW_MS
        self.error: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.seen: SeenConsensus | None = self.make()
        self.asked = 0
        self.passed_ms = NOW_MS - 1_000
        self.watch = Watch(chain, self, lambda: self.ms, lambda: self.ms / 1_000, member=SOUTH)

    async def fetch_consensus(self):
        self.asked += 1
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return self.seen

    def make(self, connected=(1, 2, 3), *, height=20, voted=(20, 20, 19, 7), **more):
        voting = more.pop("voting", ())
        values = {
            "height": height,
            "block_ms": NOW_MS if height else 0,
            "started_ms": NOW_MS - 60_000,
            "heartbeat_ms": 30_000,
            "round": 0,
            "step": QUIET,
            "is_catching_up": False,
            "own_key": self.keys[0][1].public_key,
            "validators": tuple(
                SeenValidator(consensus.public_key, 10, voted[at], voted[at] * 1_000, at in voting)
                for at, (_, consensus) in enumerate(self.keys)
            ),
            "peers": tuple(
                SeenPeer(self.keys[at][0].address, at > 1, NOW_MS - 5_000) for at in connected
            ),
        }
        return SeenConsensus(**{**values, **more})

    def read(self, after_ms=0):
        self.ms += after_ms
        return asyncio.run(self.watch.read())


@pytest.fixture
def seeing(tmp_path):
    return Seeing(tmp_path / "log")


def test_everything_is_told_by_member(seeing):
    found = seeing.read()
    assert found.state == "voting"
    assert found.text == (
        "Blocks come, though the two newest have no vote of department0 (connected)."
    )
    assert [each.name for each in found.silent] == ["department0"]
    assert (found.power, found.present_power, found.own_power) == (40, 40, 10)
    assert (found.consensus_height, found.step) == (20, "waiting for transactions")
    assert [each.name for each in found.validators] == sorted(NAMES)
    by_name = {each.name: each for each in found.validators}
    assert by_name["officer0"].is_here
    assert by_name["south"].has_voted
    assert not by_name["department0"].has_voted
    assert (by_name["department0"].voted_height, by_name["department0"].voted_ms) == (7, 7_000)
    assert by_name["north"].member == to_text(key("north").address)
    assert [(each.name, each.is_outbound) for each in found.peers] == [
        ("department0", True),
        ("north", False),
        ("south", True),
    ]


def test_a_quiet_network_is_no_stalled_one(seeing):
    assert seeing.read(39_000).state == "voting"


def test_a_heartbeat_that_does_not_come_is_a_stall(seeing):
    seeing.seen = seeing.make((1,))
    found = seeing.read(41_000)
    assert found.state == "stalled"
    assert found.text == (
        "No block for 41 s: 2 of 4 validators (power 20 of 40) are not connected to this node: "
        "department0, south; more than two thirds must be there."
    )
    with pytest.raises(Unavailable, match="No block for 41 s"):
        asyncio.run(seeing.watch.require_well())


def explain(seeing):
    missing = NotFound("no transaction with this id is in any block up to 0, the newest here")
    return asyncio.run(seeing.watch.explain_missing(missing)).message


def test_what_is_not_found_is_told_with_how_far_this_node_is(seeing):
    seeing.ms += 41_000
    seeing.seen = seeing.make(())
    told = explain(seeing)
    assert told.startswith("no transaction with this id is in any block up to 0, the newest here;")
    assert "has the blocks up to 2027-01-15T07:59:59.000Z only" in told
    assert "proves nothing" in told
    assert "No block for 41 s: 3 of 4 validators" in told


def test_a_node_with_all_blocks_says_until_when_it_is_sure(seeing):
    told = explain(seeing)
    assert "has all blocks up to 2027-01-15T07:59:59.000Z" in told
    assert "proves nothing" not in told


def test_one_that_seals_alone_has_all_there_is(seeing):
    seeing.seen = None
    assert explain(seeing).endswith("the newest here")


def test_a_vote_that_does_not_end_is_a_stall_long_before_the_heartbeat(seeing):
    seeing.seen = seeing.make((1,), step=PREVOTE, round=1)
    assert seeing.read(1_000).state == "voting"
    assert seeing.read(9_000).state == "voting"
    assert seeing.read(2_000).state == "stalled"
    seeing.seen = seeing.make((1,), step=QUIET, height=21, block_ms=seeing.ms)
    assert seeing.read(2_000).state == "voting"


def test_votes_on_one_block_after_another_are_no_stall(seeing):
    for height in range(20, 40):
        seeing.seen = seeing.make(step=PREVOTE, height=height, block_ms=seeing.ms)
        assert seeing.read(2_000).state == "voting"


def test_a_node_alone_is_told_to_look_at_itself(seeing):
    seeing.seen = seeing.make(())
    found = seeing.read(41_000)
    assert "3 of 4 validators (power 30 of 40) are not connected to this node" in found.text
    assert found.text.endswith("look at its own connection first.")


def test_whose_votes_come_through_others_is_there(seeing):
    seeing.seen = seeing.make((1,), voting=(2, 3))
    assert seeing.read().present_power == 40


def test_a_stall_with_enough_validators_is_told_with_its_round(seeing):
    seeing.seen = seeing.make(round=7, step=PREVOTE)
    text = seeing.read(41_000).text
    assert "though validators with power 40 of 40 are connected" in text
    assert "block 21 stands at round 7, first vote" in text


def test_who_is_connected_and_does_not_vote_is_named(seeing):
    seeing.seen = seeing.make(step=PREVOTE, voting=(0, 3))
    text = seeing.read(41_000).text
    assert "stands at round 0, first vote, and none has come from north, south: look" in text
    assert [each.name for each in seeing.read().silent] == ["north", "south"]


def test_one_missing_validator_of_four_stalls_nothing(seeing):
    seeing.seen = seeing.make((1, 2))
    found = seeing.read()
    assert found.is_well
    assert found.text == (
        "Blocks come, though 1 of 4 validators (power 10 of 40) is not connected to this node: "
        "department0."
    )


def test_a_node_that_was_just_started_waits_for_a_heartbeat_before_it_complains(seeing):
    seeing.seen = seeing.make(block_ms=NOW_MS - 3_600_000, started_ms=NOW_MS)
    assert seeing.read(39_000).state == "voting"
    assert seeing.read(2_000).text.startswith("No block for 60 min")


def test_a_node_that_was_just_started_says_who_is_missing_for_a_block(seeing):
    before_ms, started_ms = NOW_MS - 109_000, NOW_MS - 2_000
    seeing.seen = seeing.make(
        (1,), block_ms=before_ms, started_ms=started_ms, committed_ms=NOW_MS - 1_000
    )
    found = seeing.read()
    assert (found.state, found.block_ms, found.is_power_enough) == ("voting", before_ms, False)
    assert found.text == (
        "No block has come since this node started 2 s ago: 2 of 4 validators (power 20 of 40) "
        "are not connected to this node: department0, south; more than two thirds must be there."
    )
    seeing.seen = seeing.make((1, 2), block_ms=before_ms, started_ms=started_ms)
    found = seeing.read(2_000)
    assert found.text.startswith("No block has come since this node started 4 s ago: 1 of 4 valid")
    assert found.text.endswith("department0; without transactions one comes every 30 s.")
    assert not found.has_new_block
    new = {"block_ms": NOW_MS + 3_000, "started_ms": started_ms, "voted": (20, 20, 20, 20)}
    seeing.seen = seeing.make(**new)
    found = seeing.read(2_000)
    assert found.has_new_block
    assert found.text == "Blocks come, and every validator is connected and votes."


def test_that_no_block_can_come_is_told_at_once(seeing):
    called = frozenset(seeing.keys[at][0].address for at in (1, 2, 3))
    seeing.seen = seeing.make((1, 2), called=called)
    assert seeing.read(9_000).state == "voting"
    seeing.seen = seeing.make((1,), called=called, voting=(0,))
    found = seeing.read(1_000)
    assert (found.state, found.is_power_enough) == ("stalled", False)
    assert found.text.startswith("No block for 10 s: 2 of 4 validators (power 20 of 40) are not")
    seeing.seen = seeing.make((1,), called=called, height=21, block_ms=NOW_MS + 12_000)
    assert seeing.read(6_000).state == "stalled", "they had voted on it before they went"
    seeing.seen = seeing.make((1,), called=called, height=22, block_ms=NOW_MS + 41_000)
    assert seeing.read(30_000).state == "voting", "it came through others"
    seeing.seen = seeing.make((), called=called, height=23, block_ms=NOW_MS + 49_000)
    assert seeing.read(4_000).state == "voting"
    assert seeing.read(3_000).state == "stalled"
    seeing.seen = seeing.make((1, 2), called=called, height=23, block_ms=NOW_MS + 49_000)
    assert seeing.read(1_000).state == "voting"


def test_a_node_that_was_just_started_gets_time_to_connect(seeing):
    called = frozenset(seeing.keys[at][0].address for at in (1, 2, 3))
    seeing.seen = seeing.make((), called=called, block_ms=NOW_MS - 109_000, started_ms=NOW_MS)
    assert seeing.read(10_000).state == "voting"
    assert seeing.read(1_000).state == "stalled"


def test_who_gets_blocks_through_others_does_not_miss_those_it_has_no_line_to(seeing):
    seeing.seen = seeing.make((1,))
    assert seeing.read().text.startswith("Blocks come, though 2 of 4")


def test_an_old_block_that_is_committed_late_starts_the_wait_anew(seeing):
    old = {"block_ms": NOW_MS - 3_600_000, "started_ms": NOW_MS - 60_000}
    seeing.seen = seeing.make(**old, committed_ms=NOW_MS)
    assert seeing.read(39_000).state == "voting"
    assert seeing.read(2_000).state == "stalled"


def test_catching_up_says_from_whom(seeing):
    seeing.seen = seeing.make(is_catching_up=True, block_ms=NOW_MS - 7_200_000)
    found = seeing.read()
    assert found.state == "catching_up"
    assert found.text == (
        "This node is catching up: it holds the blocks up to 20 of the consensus, 2 h old, and "
        "gets the rest from 3 peers."
    )
    seeing.seen = seeing.make((), is_catching_up=True)
    assert seeing.read(1_000).text.startswith("This node is connected to no other")


def test_a_node_that_is_behind_and_gets_nothing_stalls(seeing):
    seeing.seen = seeing.make((1,), is_catching_up=True)
    assert seeing.read().state == "catching_up"
    seeing.seen = seeing.make((1,), height=21, is_catching_up=True)
    assert seeing.read(59_000).is_getting_blocks
    found = seeing.read(61_000)
    assert (found.state, found.is_getting_blocks) == ("stalled", False)
    assert found.text == (
        "This node is behind and has got no block for 61 s, though it is connected to 1 peer: it "
        "holds those up to 21 of the consensus; look into cometbft.log."
    )


def test_before_the_first_block_that_is_said(seeing):
    seeing.seen = seeing.make(height=0, voted=(0, 0, 0, 0), started_ms=NOW_MS)
    found = seeing.read()
    assert (found.state, found.block_ms) == ("voting", None)
    assert found.text == "The first block has not been voted on yet."
    assert not any(each.has_voted for each in found.validators)


def test_peers_that_only_the_operator_knows_have_no_member(seeing):
    seeing.seen = seeing.make(peers=(SeenPeer(b"\xee" * 20, is_outbound=True, since_ms=1),))
    (peer,) = seeing.read().peers
    assert (peer.member, peer.name) == (None, STRANGER)


def test_a_cometbft_that_does_not_answer_is_no_reason_to_fail(seeing):
    seeing.error = Unavailable("CometBFT does not answer")
    found = seeing.read()
    assert (found.state, found.text, found.is_well) == ("silent", "CometBFT does not answer", False)


def test_where_one_node_seals_there_is_nobody_to_wait_for(seeing):
    seeing.seen = None
    found = seeing.read(100_000)
    assert (found.state, found.text, found.validators, found.is_well) == (
        "sealed",
        SEALED,
        [],
        True,
    )


def test_many_who_ask_at_once_share_one_answer(seeing):
    """Also where CometBFT takes longer than a second not to answer, and where some give up."""

    async def ask():
        seeing.may_answer = asyncio.Event()
        asking = [asyncio.create_task(seeing.watch.read()) for _ in range(500)]
        await asyncio.sleep(0)
        asking[0].cancel()
        seeing.ms += 5_000
        asking += [asyncio.create_task(seeing.watch.read()) for _ in range(500)]
        await asyncio.sleep(0)
        seeing.may_answer.set()
        first, *found = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(first, asyncio.CancelledError)
        assert {each.state for each in found} == {"silent"}
        await seeing.watch.read()

    seeing.error = Unavailable("silent")
    asyncio.run(ask())
    assert seeing.asked == 1


def test_a_fault_in_reading_is_not_kept(seeing):
    seeing.error = ZeroDivisionError("a fault of this program")
    with pytest.raises(ZeroDivisionError):
        seeing.read()
    seeing.error = None
    assert seeing.read().state == "voting"


def test_cometbft_is_asked_once_a_second(seeing):
    for _ in range(5):
        seeing.read()
    assert seeing.asked == 1
    seeing.read(1_000)
    assert seeing.asked == 2


def test_a_node_whose_member_was_suspended_is_told_so_and_not_to_look_at_its_cable(seeing, caplog):
    decide(seeing.world, 1, "suspend_member", SuspendMember(SOUTH), "north", "department0")
    height = seeing.world.chain.confirmed_height
    assert seeing.world.do("officer0", Execute(1)) != ""
    seeing.seen = seeing.make(())
    found = seeing.read(41_000)
    assert (found.state, found.is_well, found.is_getting_blocks) == ("suspended", False, False)
    assert found.text.startswith(
        f"south, whose node this is, was suspended as of block {height}: it has no vote"
    )
    assert "once governance reinstates the member" in found.text
    assert "connection" not in found.text
    with pytest.raises(Unavailable, match="was suspended as of block"):
        asyncio.run(seeing.watch.require_well())
    seeing.read(2_000)
    assert caplog.messages == [found.text], "once"
    seeing.world.time_ms += 30 * DAY_MS  # so much power may move again
    decide(seeing.world, 2, "reinstate_member", ReinstateMember(SOUTH), "north")
    seeing.seen = seeing.make(block_ms=seeing.ms)
    assert seeing.read(2_000).state == "voting"
    assert caplog.messages[1:] == ["south was reinstated"]
