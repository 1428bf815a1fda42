"""Snapshots at the command line: listed, made to be carried, restored offline."""

from __future__ import annotations

from contextlib import closing, contextmanager

import pytest
from aiohttp import web
from tests.comet_rpc import write_signed_header
from tests.integration.network_process import run
from tests.pruned import make_pruned_folder, make_voted_pruned_folder, open_again
from tests.running import in_a_loop
from tests.vectors.voting import Council
from tests.voted_world import make_voted_folder, save_votes, vote
from tests.world import MINUTE_MS, pay

from hansa.cli.main import main
from hansa.engine.snapshots.shelf import name_chunk
from hansa.kernel.encoding import encode
from hansa.kernel.errors import NotFound
from hansa.kernel.light.trail import encode_checkpoint
from hansa.kernel.light.votes import begin
from hansa.node.home import Home, open_chain_read_only
from hansa.node.joining.carrying import PROOF_NAME, Proof
from hansa.node.network.folders import list_nodes


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    return make_pruned_folder(tmp_path_factory.mktemp("sealed") / "node")


@pytest.fixture(scope="module")
def voted(tmp_path_factory):
    return make_voted_pruned_folder(tmp_path_factory.mktemp("voted") / "node")


def name_genesis(home):
    return ("--genesis", home.load_network().genesis_hash.hex())


def refuse(capsys, code, *words):
    capsys.readouterr()
    assert main(list(map(str, words))) == code, capsys.readouterr()
    return capsys.readouterr().err


def test_those_that_a_node_keeps_are_listed(sealed, tmp_path, capsys):
    found = run(capsys, "snapshot", "list", "--data", sealed.path)["snapshots"]
    assert len(found) == 2
    newest = found[-1]
    assert newest["first_height"] <= newest["height"]
    assert newest["chunks"] == 1
    chunk = sealed.snapshots_path / name_chunk(newest["height"], 0)
    assert newest["bytes"] == chunk.stat().st_size
    assert main(["snapshot", "list", "--data", str(sealed.path)]) == 0
    assert newest["hash"] in capsys.readouterr().out


def test_one_is_carried_and_restored_where_no_node_answers(sealed, tmp_path, capsys):
    carried, other = tmp_path / "carried", tmp_path / "other"
    made = run(capsys, "snapshot", "make", carried, "--data", sealed.path)
    told = run(capsys, "snapshot", "restore", carried, "--data", other, *name_genesis(sealed))
    assert told["votes"] is None
    assert {name: told[name] for name in ("height", "hash", "bytes")} == {
        name: made[name] for name in ("height", "hash", "bytes")
    }
    ours, theirs = open_chain_read_only(Home(other)), open_chain_read_only(sealed)
    assert ours.head == theirs.get_header(made["height"])
    assert dict(ours.iterate_rows(b"")) == dict(theirs.iterate_rows(b""))
    ours.close()
    theirs.close()
    assert run(capsys, "audit", "--data", other)["audit_ok"]
    assert not list((other / "keys").iterdir())


def test_one_that_is_carried_is_no_data_folder(voted, tmp_path, capsys, monkeypatch):
    place = tmp_path / "carried"
    run(capsys, "snapshot", "make", place, "--data", voted.path)
    monkeypatch.setenv("HANSA_PASSPHRASE", "nothing here comes so far as to ask for it")
    told = f"hansa snapshot restore {place} --data DIR, with --genesis HASH or --checkpoint FILE"
    for words in (
        ("up", "--data", place),
        ("network", "key", "new", "--data", place),
        ("audit", "--data", place),
        ("verify", "--data", place),
        ("backup", "--data", place, tmp_path / "backup"),
        ("snapshot", "make", tmp_path / "other", "--data", place),
        ("init", "--data", place / "sub"),
    ):
        assert f"{place} is a snapshot to be carried" in (said := refuse(capsys, 2, *words))
        assert told in said
    assert main(["doctor", "--data", str(place), "--json"]) == 1
    found = capsys.readouterr().out
    assert told in found
    assert "copy genesis.bin" not in found
    assert "restore a backup" not in found
    with pytest.raises(NotFound, match="there is no network"):  # nor is it a node among others
        list_nodes(tmp_path)


def test_the_keys_of_a_node_that_is_lost_are_named(sealed, tmp_path, capsys):
    run(capsys, "snapshot", "make", tmp_path / "carried", "--data", sealed.path)
    words = ("snapshot", "restore", tmp_path / "carried", "--data", tmp_path / "node")
    assert main([*map(str, words), *name_genesis(sealed)]) == 0
    told = capsys.readouterr().out
    for name in ("node", "sponsor", "channel"):
        assert str(tmp_path / "node" / "keys" / f"{name}.json") in told


def test_votes_prove_it_from_genesis_or_a_checkpoint(voted, tmp_path, capsys):
    carried, checkpoint = tmp_path / "carried", tmp_path / "checkpoint"
    run(capsys, "snapshot", "make", carried, "--data", voted.path)
    checkpoint.write_bytes(encode_checkpoint(begin(voted.load_network())))
    for number, trust in enumerate((name_genesis(voted), ("--checkpoint", checkpoint))):
        other = tmp_path / f"other{number}"
        told = run(capsys, "snapshot", "restore", carried, "--data", other, *trust)
        assert told["votes"]["power_signed"] * 3 > told["votes"]["power"] * 2
        assert run(capsys, "audit", "--data", other)["audit_ok"]


def test_votes_on_a_later_block_prove_it_too(voted, tmp_path, capsys):
    with open_again(voted) as world:
        world.time_ms += MINUTE_MS
        world.do("ann", pay("ann", "ann", 0, "checkpoint"))
        for number in range(3):  # within the second in which there is no other checkpoint
            world.time_ms += 1
            world.do("ann", pay("ann", "ann", 0, f"r{number}"))
        head = world.chain.head
        save_votes(voted, vote(world.network, head.encoded(), head.height))
    carried = tmp_path / "carried"
    made = run(capsys, "snapshot", "make", carried, "--data", voted.path)
    assert made["height"] < head.height
    trust = name_genesis(voted)
    run(capsys, "snapshot", "restore", carried, "--data", tmp_path / "other", *trust)


@contextmanager
def comet_running(home, signed):
    """Have a CometBFT answer beside the node, with one signed header."""
    runners = []

    async def answer(_):
        return web.json_response({"jsonrpc": "2.0", "id": 1, "result": write_signed_header(signed)})

    async def start():
        application = web.Application()
        application.add_routes([web.post("/", answer)])
        runners.append(web.AppRunner(application))
        await runners[0].setup()
        await web.UnixSite(runners[0], str(home.comet.rpc_path)).start()
        return ""

    async def stop():
        await runners[0].cleanup()

    with in_a_loop(start, stop):
        yield


def test_validators_that_changed_behind_the_last_block_do_not_stand_in_its_way(tmp_path, capsys):
    """As in a quiet network: the hand-overs that were kept lead past the last block."""
    home = make_voted_folder(tmp_path / "node")
    with closing(open_chain_read_only(home)) as chain:
        network, record = chain.network, chain.get_record(chain.store.pending_height)
    named = network.digest(network.header_prefix + record.header)
    signed = Council(network).sign(record.consensus_height + 1, named)
    with comet_running(home, signed):
        run(capsys, "snapshot", "make", tmp_path / "carried", "--data", home.path)
    trust = name_genesis(home)
    other = tmp_path / "other"
    told = run(capsys, "snapshot", "restore", tmp_path / "carried", "--data", other, *trust)
    assert told["votes"]["power_signed"] * 3 > told["votes"]["power"] * 2


def test_what_does_not_follow_is_refused_and_nothing_is_left(voted, sealed, tmp_path, capsys):
    carried, target = tmp_path / "carried", tmp_path / "other"
    run(capsys, "snapshot", "make", carried, "--data", voted.path)
    restore = ("snapshot", "restore", carried, "--data", target)
    said = refuse(capsys, 2, *restore, "--genesis", "00" * 32)
    assert "is of another network" in said
    proof = (carried / PROOF_NAME).read_bytes()
    forged = vote(voted.load_network(), b"another header", 20)
    (carried / PROOF_NAME).write_bytes(encode(Proof(forged, ())))
    assert "does not name this block" in refuse(capsys, 2, *restore, *name_genesis(voted))
    (carried / PROOF_NAME).write_bytes(proof[:-1])
    assert f"{PROOF_NAME} is damaged" in refuse(capsys, 2, *restore, *name_genesis(voted))
    (carried / PROOF_NAME).unlink()
    assert f"{PROOF_NAME} is missing" in refuse(capsys, 4, *restore, *name_genesis(voted))
    within = ("snapshot", "restore", carried, "--data", carried / "x", *name_genesis(voted))
    assert "name a folder outside it" in refuse(capsys, 2, *within)
    (carried / PROOF_NAME).write_bytes(proof)
    (chunk,) = carried.glob("*.chunk")
    chunk.write_bytes(chunk.read_bytes()[:-1])
    told = refuse(capsys, 70, *restore, *name_genesis(voted))
    assert f"in {carried} is damaged or missing: use another snapshot, or another copy" in told
    assert not target.exists()
    checkpoint = tmp_path / "checkpoint"
    checkpoint.write_bytes(encode_checkpoint(begin(voted.load_network())))
    sealed_one = tmp_path / "sealed"
    run(capsys, "snapshot", "make", sealed_one, "--data", sealed.path)
    words = ("snapshot", "restore", sealed_one, "--data", target, "--checkpoint", checkpoint)
    assert "is of another network" in refuse(capsys, 2, *words)
    for named, code in ((checkpoint, 2), (tmp_path, 4)):
        words = ("snapshot", "restore", named, "--data", target, *name_genesis(voted))
        assert "name the folder that hansa snapshot make made" in refuse(capsys, code, *words)
    assert "not empty" in refuse(capsys, 2, "snapshot", "make", carried, "--data", voted.path)
