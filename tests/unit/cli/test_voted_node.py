"""A node of a voted network, asked and looked at like any other: validators signed it all."""

from __future__ import annotations

import dataclasses
import json
import shutil
import urllib.request

import pytest
import requests
from msgspec.msgpack import decode
from msgspec.structs import replace
from tests.vectors.voting import Council
from tests.voted_world import make_voted_folder, run_voted, save_votes, vote
from tests.world import ASSET, key

from hansa.cli.main import main
from hansa.contracts.balances import Balance
from hansa.engine.cometbft.trail import FILE_NAME
from hansa.engine.record_items import list_envelopes
from hansa.kernel.block import BlockRecord, decode_receipt
from hansa.kernel.encoding import encode
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.kernel.light.coverage import Coverage
from hansa.kernel.light.trail import encode_checkpoint, follow
from hansa.kernel.light.votes import begin, check_votes, decode_votes
from hansa.kernel.receipt_file import build_receipt_file, verify_receipt_file
from hansa.node.audit import audit
from hansa.node.home import Home
from hansa.node.records import iterate_records, open_log
from hansa.sdk.client import Client
from hansa.sdk.identity.proofs import RowsProof, verify_rows
from hansa.sdk.identity.questions import DidQuestion
from hansa.sdk.proofs import verify_row_proof


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return make_voted_folder(tmp_path_factory.mktemp("voted") / "node")


@pytest.fixture(scope="module")
def running(played, tmp_path_factory):
    folder = tmp_path_factory.mktemp("running") / "node"
    shutil.copytree(played.path, folder)
    with run_voted(Home(folder)) as running:
        yield running


@pytest.fixture
def stopped(played, tmp_path):
    shutil.copytree(played.path, tmp_path / "node")
    return Home(tmp_path / "node")


@pytest.fixture
def node(running, monkeypatch):
    monkeypatch.setenv("HANSA_NODE", running.url)
    monkeypatch.setenv("HANSA_API_KEY", running.token)
    return running


@pytest.fixture(scope="module")
def network(running):
    return running.home.load_network()


def run(capsys, *words, code=0):
    assert main([*map(str, words), "--json"]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    return json.loads(out or err)


def read_records(home) -> list[BlockRecord]:
    reader = open_log(home.log_path)
    try:
        return list(iterate_records(reader))
    finally:
        reader.close()


def find_last_payment(home) -> tuple[int, str]:
    """Find the newest block that has a receipt, and its last transaction."""
    records = read_records(home)
    height = max(height for height, record in enumerate(records) if record.receipts)
    return height, decode_receipt(records[height].receipts[-1]).tx_id.hex()


# --- checking whole chains ----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_a_node_and_its_folder_show_that_validators_signed(node, capsys, command):
    for source in ((), ("--data", node.home.path)):
        found = run(capsys, command, *source)
        assert found[f"{command}_ok"]
        assert found["voted_height"] == found["height"] > 10


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_in_words_it_says_who_signed_what(stopped, capsys, command):
    assert main([command, "--data", str(stopped.path)]) == 0
    told = "".join(capsys.readouterr())
    assert "4 of 4 validators, with 17 of 17 power, signed block" in told
    assert "the blocks before follow from it" in told
    (stopped.comet.path / FILE_NAME).unlink()
    assert main([command, "--data", str(stopped.path)]) == 0
    assert "No votes of validators were verified" in "".join(capsys.readouterr())


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_votes_on_an_earlier_block_leave_the_later_ones_open(stopped, capsys, command):
    network, records = stopped.load_network(), read_records(stopped)
    save_votes(stopped, vote(network, records[7].header, 7))
    found = run(capsys, command, "--data", stopped.path)
    assert found[f"{command}_ok"]
    assert found["voted_height"] == 7
    assert main([command, "--data", str(stopped.path)]) == 0
    assert f"Votes on blocks 8 to {len(records) - 1} were not" in "".join(capsys.readouterr())


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_votes_on_another_history_are_found(stopped, capsys, command):
    network, records = stopped.load_network(), read_records(stopped)
    header = records[8].header
    save_votes(stopped, vote(network, header[:-1] + bytes([header[-1] ^ 1]), 7))
    found = run(capsys, command, "--data", stopped.path, code=1)
    assert "blocks are missing, or this is another history" in found["findings"][0]
    assert found["voted_height"] is None


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_validators_are_followed_from_a_checkpoint_that_was_kept(
    node, stopped, network, capsys, tmp_path, command
):
    kept = tmp_path / "kept"
    start = begin(network)
    kept.write_bytes(encode_checkpoint(follow(start, Council(network).list_hand_overs(25))))
    for source in ((), ("--data", stopped.path)):
        found = run(capsys, command, "--checkpoint", kept, *source)
        assert found["voted_height"] == found["height"]
    assert main([command, "--checkpoint", str(kept), "--data", str(stopped.path)]) == 0
    assert "followed from height 21" in "".join(capsys.readouterr())
    kept.write_bytes(encode_checkpoint(dataclasses.replace(start, height=10_000)))
    found = run(capsys, command, "--checkpoint", kept, "--data", stopped.path, code=1)
    assert "prove nothing" in found["findings"][0]
    kept.write_bytes(encode_checkpoint(dataclasses.replace(start, genesis_hash=bytes(32))))
    words = (command, "--checkpoint", kept, "--data", stopped.path)
    assert "another network" in run(capsys, *words, code=2)["message"]
    kept.write_bytes(b"rubbish")
    assert str(kept) in run(capsys, *words, code=2)["message"]
    assert run(capsys, command, "--checkpoint", tmp_path / "none", code=4)


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_votes_that_prove_nothing_are_found(stopped, capsys, command):
    network, records = stopped.load_network(), read_records(stopped)
    good = vote(network, records[9].header, 9)
    signed = good.signed_header
    few = replace(good, signed_header=replace(signed, signatures=signed.signatures[2:]))
    for bad in (few, replace(good, hand_overs=())):
        save_votes(stopped, bad)
        found = run(capsys, command, "--data", stopped.path, code=1)
        assert "prove nothing" in found["findings"][0]
    (stopped.comet.path / FILE_NAME).write_bytes(b"rubbish")
    assert FILE_NAME in run(capsys, command, "--data", stopped.path, code=70)["message"]


def test_a_backup_brings_the_votes_along(stopped, capsys, tmp_path):
    archive, restored = tmp_path / "backup", tmp_path / "restored"
    run(capsys, "backup", archive, "--data", stopped.path)
    run(capsys, "restore", archive, "--data", restored)
    found = run(capsys, "audit", "--data", restored)
    assert found["voted_height"] == found["height"]
    assert (restored / "cometbft").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (restored / "cometbft").iterdir()] == [FILE_NAME]


def test_a_seal_on_a_voted_network_is_found(stopped):
    network, records = stopped.load_network(), read_records(stopped)
    sealer = key("sealer")
    seal = (1, sealer.public_key, sealer.sign(network.header_prefix + records[5].header))
    records[5] = replace(records[5], signatures=(seal,))
    found = audit(records, network).findings
    assert found == ["block 5 is sealed, though validators vote on this network"]


def test_a_node_must_show_votes_on_its_last_block(stopped):
    network, records = stopped.load_network(), read_records(stopped)
    last = len(records) - 1
    old = Coverage(network, vote(network, records[4].header, 4), due_height=last)
    report = audit(records, network, coverage=old)
    assert report.findings == [
        f"validators' votes on block {last} are not shown, only those on block 4"
    ]
    new = Coverage(network, vote(network, records[last].header, last), due_height=last)
    assert audit(records, network, coverage=new).audit_ok


# --- receipts, proofs, votes --------------------------------------------------------------------


def test_a_receipt_is_saved_from_the_node_and_of_its_last_block_from_the_folder(
    node, network, capsys, tmp_path
):
    height, tx_id = find_last_payment(node.home)
    first = decode_receipt(read_records(node.home)[1].receipts[0]).tx_id.hex()
    for number, saved in enumerate((tx_id, first)):
        file = tmp_path / str(number)
        run(capsys, "receipt", "save", saved, file)
        words = ("receipt", "verify", file, "--genesis", network.genesis_hash.hex())
        assert run(capsys, *words)["tx_id"] == saved
    folder = ("--data", node.home.path)
    run(capsys, "receipt", "save", tx_id, tmp_path / "folder", *folder)
    assert (tmp_path / "folder").read_bytes() == (tmp_path / "0").read_bytes()
    told = run(capsys, "receipt", "save", first, tmp_path / "none", *folder, code=5)
    assert "--node URL in the place of --data" in told["message"]
    assert "--node" in told["message"]
    assert not (tmp_path / "none").exists()
    assert height > 1


def test_a_receipt_with_other_votes_is_the_same_receipt(node, network, capsys, tmp_path):
    height, tx_id = find_last_payment(node.home)
    record = read_records(node.home)[height]
    votes = vote(network, record.header, height)
    three = replace(votes.signed_header, signatures=votes.signed_header.signatures[:3])
    index = len(record.receipts) - 1
    file, other = tmp_path / "three", tmp_path / "other"
    envelopes = list_envelopes(record)
    for path, place in ((file, index), (other, 0)):
        fewer = replace(votes, signed_header=three)
        path.write_bytes(build_receipt_file(network, record, envelopes, place, fewer))
    before = file.read_bytes()
    saved = run(capsys, "receipt", "save", tx_id, file)
    assert (saved["bytes"], file.read_bytes()) == (len(before), before)
    other.write_bytes(other.read_bytes() + b"\0")
    assert "something else" in run(capsys, "receipt", "save", tx_id, other, code=2)["message"]


def test_the_console_sends_the_same_receipt(node, network):
    _, tx_id = find_last_payment(node.home)
    with urllib.request.urlopen(f"{node.url}/transactions/{tx_id}/receipt") as answer:  # noqa: S310
        found = verify_receipt_file(answer.read(), network.genesis_hash)
    assert found.tx_id.hex() == tx_id


def test_the_console_says_who_stands_behind_a_block(node):
    height, tx_id = find_last_payment(node.home)
    for path, words in (
        (f"/blocks/{height}", "the validators, whose"),
        (f"/transactions/{tx_id}", "the changes of validators up to them"),
    ):
        with urllib.request.urlopen(node.url + path) as answer:  # noqa: S310 - our own
            assert words in answer.read().decode()


def test_any_blocks_votes_are_public_and_verify(node, network):
    with Client(node.url) as client:
        for height in (0, 1, 9):
            header = bytes.fromhex(client.get(f"/v1/blocks/{height}")["header"])
            trail = check_votes(network, header, decode_votes(client.fetch_votes(height)))
            assert trail.tally.validators == 4
        with pytest.raises(NotFound):
            client.fetch_votes(10_000)


def test_a_row_is_proved_by_votes_and_by_nothing_else(node, network):
    ada = key("ada").address
    path = f"/v1/proofs/balances/{key('ada').address_text}?asset={ASSET}"
    with Client(node.url, api_key=node.token) as client:
        assert client.prove_row("balances", ada, ASSET).row.available_minor > 0
        answer = client.get(path)
    assert answer["seals"] == []
    sealer = key("sealer")
    message = network.header_prefix + bytes.fromhex(answer["header"])
    seal = {
        "suite": 1,
        "public_key": sealer.public_key.hex(),
        "signature": sealer.sign(message).hex(),
    }
    flipped = answer["votes"][:-1] + f"{int(answer['votes'][-1], 16) ^ 1:x}"
    for changes in (
        {"votes": None},
        {"votes": ""},
        {"votes": "zz"},
        {"votes": flipped},
        {"votes": None, "seals": [seal]},
    ):
        with pytest.raises(Invalid) as error:
            verify_row_proof(network, Balance, (ada, ASSET), answer | changes)
        assert error.value.code in {InvalidCode.SIGNATURE, InvalidCode.MALFORMED}


def test_answers_about_identity_are_proved_by_votes_and_by_nothing_else(node, network):
    north = key("north").address
    question = DidQuestion(north)
    with Client(node.url, network.genesis_hash) as client:
        assert client.identity.ask(question).answer.resolution.address == north
    url = node.url + "/v1/identity/proofs"
    headers = {"Content-Type": "application/msgpack"}
    response = requests.post(url, data=encode([question]), headers=headers, timeout=60)
    proof = decode(response.content, type=RowsProof)
    sealer = key("sealer")
    seal = (1, sealer.public_key, sealer.sign(network.header_prefix + proof.header))
    flipped = proof.votes[:-1] + bytes([proof.votes[-1] ^ 1])
    for changes in (
        {"votes": None},
        {"votes": b""},
        {"votes": flipped},
        {"votes": None, "seals": (seal,)},
        {"header": proof.header[:-1]},
    ):
        with pytest.raises(Invalid):
            verify_rows(network, encode(replace(proof, **changes)))
