"""How nodes are doing, as their API says, and in words."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack

import msgspec
import pytest
from aiohttp import web
from tests.played import CHEAP
from tests.world import START_MS, make_genesis

from hansa.contracts.activations import Activation
from hansa.engine.cometbft.configuration import Configuration
from hansa.engine.cometbft.home import CometKey
from hansa.engine.storage import FileStorage
from hansa.kernel.genesis import Network
from hansa.kernel.machine.rules import RULES
from hansa.node.description import NetworkDescription
from hansa.node.home import Home, open_chain
from hansa.node.network.folders import NodeFolder
from hansa.node.network.founding import describe_institutions, found_voted_network
from hansa.node.network.logs import End, EndFile
from hansa.node.network.places import choose_places
from hansa.node.network.rules import describe_rules
from hansa.node.network.status import read_network
from hansa.node.settings import Listen, Settings
from hansa.sdk.consensus import Consensus, PeerSeen, ValidatorSeen

NOW_MS = 1_764_000_060_000
PEERS = [
    PeerSeen(peer=f"{at:040x}", member=None, name="", is_outbound=True, since_ms=1)
    for at in range(3)
]
VALIDATOR = ValidatorSeen(
    member=None,
    name="",
    consensus_key="00" * 32,
    power=400,
    is_here=False,
    is_connected=True,
    has_voted=True,
    voted_height=15,
    voted_ms=1,
    is_voting=False,
)


def make_answer(state="voting", text="Blocks come.", **changes):
    values = {
        "state": state,
        "text": text,
        "height": 12,
        "consensus_height": 15,
        "round": 0,
        "step": "",
        "block_ms": NOW_MS - 9_400,
        "started_ms": NOW_MS - 60_000,
        "heartbeat_ms": 30_000,
        "power": 400,
        "present_power": 400,
        "own_power": 100,
        "validators": [VALIDATOR],
        "peers": PEERS,
        "rules": describe_rules((), 12),
    }
    return Consensus(**{**values, **changes})


GENESIS = make_genesis()
OWN_HASH = Network.of(GENESIS).genesis_hash.hex()


def make_home(path):
    path.mkdir()
    home = Home(path)
    home.genesis_path.write_bytes(GENESIS.encoded())
    return home


def read(folder, *answers, is_running=True, named=(), homes=None, genesis_hash=OWN_HASH):
    """Read a network whose nodes answer this; None stands for one that does not."""

    async def run():
        async with AsyncExitStack() as stack:
            nodes = []
            for number, answer in enumerate(answers):
                home = homes[number] if homes else make_home(folder / str(number))
                told = genesis_hash or home.load_network().genesis_hash.hex()
                port = 1 if answer is None else await serve(stack, answer, told)
                if is_running:
                    home.log_path.mkdir(exist_ok=True)
                    storage = FileStorage(home.log_path)
                    storage.lock()
                    stack.callback(storage.unlock)
                peers = Configuration(peers=tuple(f"{each.peer}@a.example:1" for each in named))
                settings = Settings(listen=Listen(port=port), cometbft=peers)
                nodes.append(NodeFolder(f"n{number}", home, settings))
            return await read_network(nodes, NOW_MS)

    return asyncio.run(run())


async def serve(stack, answer, genesis_hash):
    """Serve an answer where a node has it; returns the port."""

    async def tell(_):
        body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
        return web.Response(body=body, content_type="application/json")

    async def identify(_):
        return web.json_response({"genesis_hash": genesis_hash, "height": 12})

    application = web.Application()
    application.add_routes([web.get("/v1/consensus", tell), web.get("/v1/status", identify)])
    runner = web.AppRunner(application)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner.addresses[0][1]


def test_a_node_that_is_well(tmp_path):
    found = read(tmp_path, make_answer())
    (node,) = found.nodes
    assert found.is_well
    assert node.describe() == "up: block 12, voted block 15, 3 peers"
    assert found.describe() == (
        "Blocks come: the newest is 9 s old; the nodes here that have it have 100 of 400 votes."
    )
    told = found.to_json()["nodes"][0]
    assert told["text"] == node.describe()
    assert (told["height"], told["consensus_height"], told["peers"]) == (12, 15, 3)
    assert (told["power"], told["state"]) == (100, "voting")


def test_an_observer_follows(tmp_path):
    found = read(tmp_path, make_answer(own_power=0))
    assert found.to_json()["nodes"][0]["state"] == "following"


def test_too_little_power_is_told_before_it_counts_as_a_stall(tmp_path):
    text = "No block has come since this node started 2 s ago: …; more than two thirds must be …."
    answer = make_answer(text=text, present_power=200, block_ms=NOW_MS - 109_000)
    found = read(tmp_path, answer)
    assert found.describe() == (
        f"{text} The newest block is 109 s old; the nodes here that have it have 100 of 400 votes."
    )


def test_after_a_restart_nobody_says_that_blocks_come_before_one_has(tmp_path):
    text = "No block has come since this node started 2 s ago: every validator is there; …."
    restarted = {"block_ms": NOW_MS - 731_000, "started_ms": NOW_MS - 2_000}
    answer = make_answer(text=text, **restarted)
    (tmp_path / "one").mkdir()
    assert read(tmp_path / "one", answer).describe() == (
        f"{text} The newest block is 731 s old; the nodes here that have it have 100 of 400 votes."
    )
    assert read(tmp_path, answer, make_answer()).describe().startswith("Blocks come: the newest")


def test_a_node_that_will_stop_for_want_of_rules_says_so(tmp_path):
    coming = Activation(RULES, 2, bytes(32), 100)
    found = read(tmp_path, make_answer(rules=describe_rules((coming,), 12)))
    told = found.nodes[0].describe()
    assert told.startswith("up: block 12, voted block 15, 3 peers; Version 1 of the rules")
    assert "Version 2 comes into force with block 100, which this program lacks" in told


def test_a_stall_is_told_as_the_node_tells_it_that_misses_least(tmp_path):
    cut_off = make_answer("stalled", "No block for 41 s: 3 of 4 …", present_power=100)
    other = make_answer("stalled", "No block for 41 s: 2 of 4 …", present_power=200)
    found = read(tmp_path, cut_off, other)
    assert found.is_stalled
    assert not found.is_well
    assert found.describe() == "STALLED: No block for 41 s: 2 of 4 …"
    assert found.nodes[0].describe().startswith("stalled: block 12")


def test_a_node_that_is_cut_off_does_not_stall_the_others(tmp_path):
    found = read(tmp_path, make_answer("stalled", "No block for 41 s"), make_answer())
    assert not found.is_stalled
    assert not found.is_well
    assert found.describe().startswith("Blocks come")


def test_a_node_that_catches_up_is_well(tmp_path):
    found = read(tmp_path, make_answer("catching_up"), make_answer())
    assert found.is_well
    assert found.nodes[0].describe().startswith("catching up: block 12")


def test_a_node_that_catches_up_from_nobody_is_not_well(tmp_path):
    cut_off = make_answer("catching_up", peers=[])
    found = read(tmp_path, cut_off, make_answer(), named=PEERS)
    assert not found.is_well
    assert found.nodes[0].describe() == "catching up: block 12, voted block 15, 0 of 3 peers"
    assert found.describe().endswith("the nodes here that have it have 100 of 400 votes.")


def test_a_node_whose_peer_id_its_member_has_not_published_is_told(tmp_path):
    description = NetworkDescription(members=describe_institutions(2))
    places = choose_places(2, 26_600, [])
    made = found_voted_network(tmp_path / "n", description, places, "p", START_MS, cost=CHEAP)
    homes = [each.home for each in made.nodes]
    open_chain(homes[0], None).close()
    before = homes[1].comet.load_node_key().address.hex()
    homes[1].comet.node_key_path.unlink()
    homes[1].comet.create_node_key(CometKey.generate())
    own = homes[1].comet.load_node_key().address.hex()
    cut_off = make_answer("catching_up", height=1, peers=[])
    found = read(tmp_path, make_answer(), cut_off, homes=homes, genesis_hash=None)
    well, strange = (node.describe() for node in found.nodes)
    assert "published" not in well
    assert f"its member has published the peer {before}, not its own {own}, so that" in strange


def test_a_node_whose_member_is_suspended_says_so(tmp_path):
    shut_out = make_answer("suspended", "North was suspended as of block 5.", peers=[])
    found = read(tmp_path, shut_out, make_answer())
    assert not found.is_well
    assert found.nodes[0].describe() == (
        "suspended: block 12, voted block 15, 0 peers; North was suspended as of block 5."
    )
    assert found.describe().startswith("Blocks come")


def test_how_a_node_ended_that_is_down_is_told(tmp_path):
    homes = [make_home(tmp_path / name) for name in ("a", "b")]
    for home, again_ms in zip(homes, (None, NOW_MS + 7_000), strict=True):
        EndFile(home.path / "ended.json").write(End("ended with exit code 4: no key", again_ms))
    supervisor = FileStorage(tmp_path)
    supervisor.lock()
    found = read(tmp_path, None, None, is_running=False, homes=homes)
    supervisor.unlock()
    left, ended = (node.describe() for node in found.nodes)
    assert left == (
        "down: ended with exit code 4: no key; it was left: mend that, then start it by "
        f"hansa up --data {homes[0].path}; see hansa network logs --dir {tmp_path} --node n0"
    )
    assert "no key; it starts again in 8 s; see" in ended
    found = read(tmp_path, None, None, homes=homes)
    assert "does not answer; before, it ended with exit code 4: no key; see" in (
        found.nodes[1].describe()
    )


def test_of_a_node_that_ran_alone_since_it_was_left_that_end_is_not_told(tmp_path):
    home = make_home(tmp_path / "a")
    EndFile(home.path / "ended.json").write(End("ended with exit code 4: no key", None))
    os.utime(home.path / "ended.json", ns=(0, 0))
    home.log_path.mkdir()
    (home.log_path / "confirmed").touch()
    (node,) = read(tmp_path, None, is_running=False, homes=[home]).nodes
    assert node.describe().startswith(
        f"down: nothing runs it; start it by hansa up --data {home.path}; see"
    )


def test_votes_are_counted_as_of_the_newest_block(tmp_path):
    shut_out = make_answer("suspended", "Was suspended.", present_power=100)
    found = read(tmp_path, shut_out, make_answer(consensus_height=16, power=300))
    assert found.describe().endswith("have 100 of 300 votes.")


def test_where_all_lag_behind_nobody_says_that_blocks_come(tmp_path):
    found = read(tmp_path, make_answer("catching_up"))
    assert found.describe().startswith("Whether blocks come, no node here can say")


def test_peers_beyond_those_that_are_named_are_told_apart(tmp_path):
    found = read(tmp_path, make_answer(), make_answer(peers=PEERS[1:]), named=PEERS[:2])
    assert [node.describe().rpartition(", ")[2] for node in found.nodes] == [
        "2 of 2 peers and 1 more",
        "1 of 2 peers and 1 more",
    ]


def test_before_the_first_block_it_is_not_stalled(tmp_path):
    found = read(tmp_path, make_answer(consensus_height=0, block_ms=None))
    assert found.describe().startswith("No block was voted on yet; the nodes here")
    assert found.describe().endswith("have 100 of 400 votes; blocks need 267.")


@pytest.mark.parametrize(
    ("is_running", "genesis_hash", "told"),
    [(True, "ab" * 32, "runs"), (False, "ab" * 32, "down"), (False, OWN_HASH, "down")],
)
def test_another_program_at_the_port_is_not_believed(tmp_path, is_running, genesis_hash, told):
    found = read(tmp_path, make_answer(), is_running=is_running, genesis_hash=genesis_hash)
    assert not found.is_well
    (node,) = found.nodes
    assert node.describe().startswith(f"{told}, but another program answers at {node.url}: stop")
    assert node.to_json()["height"] is None
    assert found.describe() == "No CometBFT answers."


SILENT = make_answer(
    "silent", "CometBFT does not answer", consensus_height=None, block_ms=None, power=0
)
DEEP = b'{"x": ' + b"[" * 100_000


@pytest.mark.parametrize(
    ("answer", "is_running", "told"),
    [
        (None, False, "down: nothing runs it; see hansa network logs --dir {} --node n0"),
        (None, True, "does not answer; see hansa network logs --dir {} --node n0"),
        (b"no JSON", True, "does not answer; see hansa network logs --dir {} --node n0"),
        (b'{"state": "\xc1"}', True, "does not answer; see hansa network logs --dir {} --node n0"),
        (DEEP, True, "does not answer; see hansa network logs --dir {} --node n0"),
        (SILENT, True, "runs, but its CometBFT does not answer"),
    ],
)
def test_what_does_not_answer_is_said(tmp_path, answer, is_running, told):
    found = read(tmp_path, answer, is_running=is_running)
    assert not found.is_well
    assert found.describe() == "No CometBFT answers."
    assert told.format(tmp_path) in found.nodes[0].describe()
