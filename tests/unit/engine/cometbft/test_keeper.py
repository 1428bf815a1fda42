"""Hand-overs are found as heights pass, verified, and kept; whatever CometBFT says or lacks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.channels import play
from tests.comet_rpc import FakeRpc
from tests.vectors.parts import key
from tests.vectors.voting import CHANGES, FIRST, PARTS, Council, make_voted

from hansa.engine.cometbft.rpc.light import fetch_validators
from hansa.engine.cometbft.trail import (
    ASKING_S,
    FILE_NAME,
    HAND_OVERS_NAME,
    SAVE_S,
    WAIT_S,
    TrailKeeper,
    read_votes,
)
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Corrupt, Invalid, Unavailable
from hansa.kernel.light.commit import CommitSignature, SignedHeader
from hansa.kernel.light.header import Moment, build_vote
from hansa.kernel.light.trail import HandOver, verify_header
from hansa.kernel.light.validators import ValidatorSet
from hansa.kernel.light.votes import Votes, begin

NETWORK = make_voted()
START = begin(NETWORK)


class Clock:
    """A clock that goes on by a second each time somebody looks at it."""

    def __init__(self, step_s: float = 1.0) -> None:
        self.now_s = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def keep(folder, rpc, clock=None) -> TrailKeeper:
    return TrailKeeper(folder, START, rpc, clock_s=clock or Clock())


def fetch(keeper, height) -> Votes:
    return asyncio.run(keeper.fetch_votes(height))


async def run_until_kept(keeper: TrailKeeper, folder: Path) -> None:
    """Follow the heights that are noted until the newest lies in the folder."""
    running = asyncio.create_task(keeper.run())
    async with asyncio.timeout(60):
        while True:
            if (folder / FILE_NAME).exists():
                break
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def verify(votes: Votes) -> int:
    return verify_header(START, votes.hand_overs, votes.signed_header).hand_overs


def test_a_header_of_another_block_is_not_passed_on(tmp_path):
    rpc = FakeRpc(NETWORK, 60, {50: b"a" * 32})
    keeper = keep(tmp_path, rpc)
    for app_hash in (None, b"a" * 32):
        votes = asyncio.run(keeper.fetch_votes(50, app_hash))
        assert votes.signed_header.header.app_hash == b"a" * 32
    with pytest.raises(Unavailable, match="names another block"):
        asyncio.run(keeper.fetch_votes(50, b"b" * 32))


@pytest.mark.parametrize("seconds", [-1_000, -62_135_596_800, 253_402_300_799])
def test_a_vote_with_a_time_of_long_ago_counts_as_any_other(tmp_path, seconds):
    rpc = FakeRpc(NETWORK, 60)
    for height in (CHANGES[0], 50):
        rpc.changes[height] = {"times": {"small": Moment(seconds, 5)}}
    votes = fetch(keep(tmp_path, rpc), 50)
    assert verify(votes) == 2
    assert len(votes.signed_header.signatures) == 4


def test_a_vote_that_nobody_verified_is_left_out(tmp_path):
    class Rpc(FakeRpc):
        def answer_commit(self, height):
            answer = super().answer_commit(height)
            votes = answer["signed_header"]["commit"]["signatures"]
            votes[-1]["signature"] = votes[0]["signature"]
            return {"signed_header": {**answer["signed_header"]}}

    votes = fetch(keep(tmp_path, Rpc(NETWORK, 60)), 50)
    assert verify(votes) == 3  # too few of them were there at first for a leap
    assert len(votes.signed_header.signatures) == 3


def test_others_are_not_asked_all_the_time(tmp_path):
    asked = []
    rpc = FakeRpc(NETWORK, 60)
    rpc.base = 40

    async def ask(height):
        asked.append(height)
        raise Unavailable("nobody answers")

    keeper = TrailKeeper(tmp_path, START, rpc, clock_s=Clock(0.5), ask=ask)
    for _ in range(3):
        with pytest.raises(Unavailable):
            fetch(keeper, 60)
    assert asked == [40]


def test_nobody_waits_long_for_others_who_are_asked(tmp_path):
    """What they answer in the end is taken all the same."""
    council = Council(NETWORK)
    votes = Votes(council.list_hand_overs(50), council.sign(50))
    rpc = FakeRpc(NETWORK, 60)
    rpc.base = 40
    asked = []

    async def ask(height):
        asked.append(height)
        await asyncio.sleep(40)
        return votes

    async def run():
        loop = asyncio.get_running_loop()
        keeper = TrailKeeper(tmp_path, START, rpc, clock_s=loop.time, ask=ask)
        began_s = loop.time()
        waiting = [keeper.advance(60) for _ in range(20)]
        for found in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(found, Unavailable)
        assert loop.time() - began_s <= ASKING_S + 1
        await asyncio.sleep(40)
        await keeper.advance(60)
        assert asked == [40]
        await keeper.close()

    play(run)


def test_who_is_asked_as_the_node_stops_is_waited_for_no_more(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    rpc.base = 40
    ended = []

    async def ask(_):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def run():
        loop = asyncio.get_running_loop()
        keeper = TrailKeeper(tmp_path, START, rpc, clock_s=loop.time, ask=ask)
        with pytest.raises(Unavailable):
            await keeper.advance(60)
        await keeper.close()
        assert ended

    play(run)


def test_any_height_is_served_with_the_hand_overs_below_it(tmp_path):
    keeper = keep(tmp_path, FakeRpc(NETWORK, 60))
    for height, count in ((60, 2), (1, 0), (20, 0), (21, 1), (30, 1), (31, 1), (32, 2)):
        votes = fetch(keeper, height)
        assert votes.signed_header.header.height == height
        assert verify(votes) == len(votes.hand_overs) == count


def test_hand_overs_outlive_the_process_and_the_blocks(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    keeper = keep(tmp_path, rpc)
    fetch(keeper, 25)
    keeper.save()
    rpc.base = 25
    again = keep(tmp_path, rpc)
    assert verify(fetch(again, 60)) == 2
    again.save()
    kept = read_votes(tmp_path)
    assert [each.signed_header.header.height for each in kept.hand_overs] == [31, 31]
    assert kept.signed_header.header.height == 60
    rpc.base, rpc.asked = 60, []
    assert verify(fetch(keep(tmp_path, rpc), 60)) == 2
    assert rpc.asked == []  # it is all in the file


@pytest.mark.parametrize("lost", [FILE_NAME, HAND_OVERS_NAME, "nothing"])
def test_a_node_starts_with_either_file_alone(tmp_path, lost):
    rpc = FakeRpc(NETWORK, 60)
    keeper = keep(tmp_path, rpc)
    fetch(keeper, 60)
    keeper.save()
    (tmp_path / lost).unlink(missing_ok=True)
    rpc.base = 40
    again = keep(tmp_path, rpc)
    assert verify(fetch(again, 60)) == 2
    again.save()
    rpc.base = 1
    is_known = lost != HAND_OVERS_NAME
    for at, each in enumerate((again, keep(tmp_path, rpc))):
        if is_known:
            assert verify(fetch(each, 25)) == 1, at
            continue
        with pytest.raises(Unavailable, match="does not know the validators"):
            fetch(each, 25)
        assert verify(fetch(each, 31)) == 1


def test_a_torn_end_of_the_hand_overs_is_written_again(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    keeper = keep(tmp_path, rpc)
    fetch(keeper, 60)
    keeper.save()
    path = tmp_path / HAND_OVERS_NAME
    whole = path.read_bytes()
    (tmp_path / FILE_NAME).unlink()
    flipped = bytes([*whole[:-1], whole[-1] ^ 1])
    for torn in (whole[:-1], whole[:3], b"", flipped, b"\xff" * 9, whole + b"\0\0", whole + whole):
        path.write_bytes(torn)
        again = keep(tmp_path, rpc)
        assert verify(fetch(again, 60)) == 2
        assert verify(fetch(again, 25)) == 1
        again.save()
        (tmp_path / FILE_NAME).unlink()
        assert path.read_bytes().startswith(whole)


def test_a_key_that_changes_again_and_again_makes_no_votes_longer(tmp_path):
    """One of four does so; the others are always there."""
    votes, newest = make_many(150)
    assert len(encode(votes)) > 100_000
    keep(tmp_path, FakeRpc(NETWORK, 60)).adopt(votes)
    again = keep(tmp_path, FakeRpc(NETWORK, 60))
    found = fetch(again, newest)
    assert verify(found) <= 2
    assert len(encode(found)) < 5_000
    assert len(encode(read_votes(tmp_path))) < 5_000


def make_many(count: int) -> tuple[Votes, int]:
    """Build votes that show each change of the last of four keys, from genesis on."""
    council, keys = Council(NETWORK), {name: key(f"{name} votes") for name in FIRST}
    powers = {keys[name].public_key: power for name, power in FIRST.items()}
    signers = {each.public_key: each for each in keys.values()}
    hand_overs, last = [], keys["wrong"].public_key
    now = START.validators
    for at in range(1, count + 2):
        new = key(f"wrong votes {at}")
        signers[new.public_key] = new
        powers[new.public_key] = powers.pop(last)
        last, then = new.public_key, ValidatorSet.of(powers.items())
        header = replace(
            council.sign(at).header,
            validators_hash=now.compute_hash(),
            next_validators_hash=then.compute_hash(),
        )
        signed = sign_all(SignedHeader(header, 0, PARTS, ()), now, signers)
        hand_overs.append(HandOver(signed, then))
        now = then
    return Votes(tuple(hand_overs[:-1]), hand_overs[-1].signed_header), count + 1


def sign_all(signed: SignedHeader, validators: ValidatorSet, signers) -> SignedHeader:
    time_ = signed.header.time
    message = build_vote(signed.header, signed.round, signed.block, time_)
    votes = [
        CommitSignature(index, time_, signers[each.public_key].sign(message))
        for index, each in enumerate(validators.validators)
    ]
    return replace(signed, signatures=tuple(votes))


def test_blocks_that_were_dropped_without_a_change_do_not_matter(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    rpc.base = 15
    assert verify(fetch(keep(tmp_path, rpc), 60)) == 2


def test_a_change_that_was_dropped_is_told_until_another_node_helps(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    other = fetch(keep(tmp_path / "other", rpc), 50)
    rpc.base = 40
    keeper = keep(tmp_path / "own", rpc)
    with pytest.raises(Unavailable, match="heights 1 and 40"):
        fetch(keeper, 60)
    keeper.adopt(other)
    assert verify(fetch(keeper, 60)) == 2
    assert read_votes(tmp_path / "own") == other
    keeper.adopt(other)  # nothing new
    assert verify(fetch(keeper, 60)) == 2


def make_asking(folder, answer):
    """A keeper whose CometBFT has no headers below 40, and which asks others."""
    rpc = FakeRpc(NETWORK, 60)
    rpc.base = 40

    async def ask(_):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return TrailKeeper(folder, START, rpc, clock_s=Clock(), ask=ask)


def test_others_are_asked_for_changes_of_which_no_headers_are_here(tmp_path):
    for height, name in ((45, "behind the base"), (60, "the newest"), (39, "just before it")):
        council = Council(NETWORK)
        votes = Votes(council.list_hand_overs(height), council.sign(height))
        keeper = make_asking(tmp_path / name, votes)
        for wanted in (41, 60, 50):
            found = fetch(keeper, wanted)
            assert (verify(found), found.signed_header.header.height) == (2, wanted)
        keeper.save()
        kept = read_votes(tmp_path / name)
        assert (verify(kept), kept.signed_header.header.height) == (2, 60)


@pytest.mark.parametrize("wrong", ["nobody", "early", "forged"])
def test_what_others_show_closes_the_gap_or_is_told(tmp_path, wrong):
    council = Council(NETWORK)
    answer = {
        "nobody": Unavailable("no other node answers"),
        "early": Votes(council.list_hand_overs(25), council.sign(25)),
        "forged": Votes((), council.sign(50)),
    }[wrong]
    with pytest.raises(
        Unavailable, match=r"no other node answers|heights 25 and 40|a hand-over is missing"
    ):
        fetch(make_asking(tmp_path, answer), 60)


def test_what_another_node_gives_is_not_believed(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    keeper = keep(tmp_path, rpc)
    good = Votes(Council(NETWORK).list_hand_overs(50), Council(NETWORK).sign(50))
    few = Council(NETWORK).sign(50, signers=("small",))
    for bad in (Votes((), good.signed_header), Votes(good.hand_overs, few)):
        with pytest.raises(Invalid):
            keeper.adopt(bad)
    assert read_votes(tmp_path) is None
    assert verify(fetch(keeper, 40)) == 2


def test_a_header_that_is_about_to_be_signed_is_waited_for(tmp_path):
    rpc = FakeRpc(NETWORK, 25)
    rpc.late[25] = 2
    assert fetch(keep(tmp_path, rpc), 25).signed_header.header.height == 25
    assert not rpc.late[25]


def test_nobody_waits_for_ever(tmp_path):
    clock = Clock()
    keeper = keep(tmp_path, FakeRpc(NETWORK, 24), clock)
    with pytest.raises(Unavailable):
        fetch(keeper, 26)
    assert clock.now_s < WAIT_S + 5
    rpc = FakeRpc(NETWORK, 24)
    rpc.is_down = True
    with pytest.raises(Unavailable):
        fetch(keep(tmp_path, rpc), 3)


@pytest.mark.parametrize(
    ("height", "changes"),
    [
        (20, {"signers": ("small",)}),
        (25, {"signers": ("north",)}),
        (25, {"chain_id": "hansa-other"}),
        (25, {"validators_hash": bytes(32)}),
        (20, {"next_validators_hash": bytes(32)}),
    ],
)
def test_a_comet_of_another_chain_stops_the_node(tmp_path, height, changes):
    rpc = FakeRpc(NETWORK, 60)
    rpc.changes[height] = changes
    with pytest.raises(Corrupt, match="genesis"):
        fetch(keep(tmp_path, rpc), 25)


def test_a_file_of_another_network_is_named(tmp_path):
    other = make_voted("other")
    council = Council(other)
    votes = Votes(council.list_hand_overs(40), council.sign(40))
    (tmp_path / FILE_NAME).write_bytes(encode(votes))
    with pytest.raises(Corrupt, match=FILE_NAME):
        keep(tmp_path, FakeRpc(NETWORK, 60))


@pytest.mark.parametrize("raw", [b"", b"rubbish", bytes(4 << 20), encode([[], []])])
def test_a_damaged_file_is_named(tmp_path, raw):
    (tmp_path / FILE_NAME).write_bytes(raw)
    with pytest.raises(Corrupt, match=FILE_NAME):
        read_votes(tmp_path)


def test_heights_are_followed_as_they_pass(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    keeper = keep(tmp_path, rpc, Clock(SAVE_S))

    async def follow() -> None:
        running = asyncio.create_task(keeper.run())
        rpc.is_down = True
        keeper.note(50)
        await asyncio.sleep(0)
        rpc.is_down = False
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await keeper.close()

    asyncio.run(follow())
    kept = read_votes(tmp_path)
    assert (verify(kept), kept.signed_header.header.height) == (2, 50)


def test_what_is_found_while_following_is_kept(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    keeper = keep(tmp_path, rpc, Clock(0.0))  # no time passes: the first is kept at once

    async def follow() -> None:
        keeper.note(50)
        await run_until_kept(keeper, tmp_path)

    asyncio.run(follow())
    assert read_votes(tmp_path).signed_header.header.height == 50


def test_what_is_known_is_kept_also_where_no_height_follows(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    keeper = TrailKeeper(tmp_path, START, rpc, clock_s=Clock(0.0), save_s=0.01)

    async def follow() -> None:
        await keeper.fetch_votes(10)
        await run_until_kept(keeper, tmp_path)

    asyncio.run(follow())
    assert read_votes(tmp_path).signed_header.header.height == 10


def test_closing_beside_a_comet_that_is_gone_keeps_what_is_known(tmp_path):
    rpc = FakeRpc(NETWORK, 60)
    keeper = keep(tmp_path, rpc)
    fetch(keeper, 40)
    keeper.note(60)
    rpc.is_down = True
    asyncio.run(keeper.close())
    assert read_votes(tmp_path).signed_header.header.height == 40
    asyncio.run(keep(tmp_path / "new", rpc).close())  # nothing is known
    assert read_votes(tmp_path / "new") is None


def test_validators_come_in_pages():
    rows = {"validators": [{"number": number} for number in range(250)]}

    class Pages:
        def __init__(self) -> None:
            self.asked = []

        async def call(self, method, **params):
            self.asked.append((method, params))
            first = (int(params["page"]) - 1) * 100
            return {"validators": rows["validators"][first : first + 100], "total": "250"}

    pages = Pages()
    with pytest.raises(Unavailable, match="validators"):  # these are none; all were asked for
        asyncio.run(fetch_validators(pages, 7))
    assert [params["page"] for _, params in pages.asked] == ["1", "2", "3"]
