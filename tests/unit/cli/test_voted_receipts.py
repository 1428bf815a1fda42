"""Receipts of a voted network, verified from genesis or a checkpoint that was kept, offline."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.vectors.voting import FIRST, Council, make_set, make_voted

from hansa.cli.main import main
from hansa.kernel.light.trail import Checkpoint, decode_checkpoint, encode_checkpoint, follow
from hansa.kernel.light.votes import begin

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "receipts" / "vectors.json"
FILES = {
    case["name"]: bytes.fromhex(case["input"])
    for case in json.loads(VECTORS.read_text())
    if "post" in case
}
NETWORK = make_voted("vectors")
GENESIS = NETWORK.genesis_hash.hex()


@pytest.fixture
def receipt(tmp_path):
    path = tmp_path / "voted.receipt"
    path.write_bytes(FILES["voted, three hand-overs"])
    return path


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "sealed.receipt"
    path.write_bytes(FILES["the only transaction of a block"])
    return path


def run(capsys, *words, code=0):
    assert main([*map(str, words), "--json"]) == code, capsys.readouterr().err
    out, err = capsys.readouterr()
    assert out or err.count("\n") == 1
    return json.loads(out or err)


def save_checkpoint(path, **changes):
    start = follow(begin(NETWORK), Council(NETWORK).list_hand_overs(25))
    fields = {"genesis_hash": start.genesis_hash, "height": start.height, "time": start.time}
    fields["validators"] = start.validators
    path.write_bytes(encode_checkpoint(Checkpoint(**(fields | changes))))
    return path


def test_it_is_verified_from_genesis(receipt, capsys):
    found = run(capsys, "receipt", "verify", receipt, "--genesis", GENESIS)
    assert found["as_of"] == "the genesis that you named"
    assert (found["checkpoint_height"], found["checkpoint_time"]) == (1, "2023-11-14T22:13:20.000Z")
    assert (found["consensus_height"], found["hand_overs"]) == (40, 3)
    assert (found["power_signed"], found["power"], found["validators"]) == (17, 17, 4)
    assert "compare its hash" in run(capsys, "receipt", "verify", receipt)["as_of"]
    wrong = run(capsys, "receipt", "verify", receipt, "--genesis", "ab" * 32, code=2)
    assert str(receipt) in wrong["message"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"<html>",
        lambda _: b"\x90",
        lambda raw: raw[:-1],
        lambda raw: raw[:2_000],
        lambda raw: raw + b"x",
    ],
)
def test_what_is_no_receipt_file_is_said_without_the_decoders_words(receipt, capsys, spoil):
    receipt.write_bytes(spoil(receipt.read_bytes()))
    told = run(capsys, "receipt", "verify", receipt, "--genesis", GENESIS, code=2)
    assert told["message"] == (
        f"the receipt file {receipt} proves nothing: it is no receipt file, or it is damaged"
    )
    assert told["detail"]


def test_it_is_verified_from_a_checkpoint(receipt, capsys, tmp_path):
    kept = save_checkpoint(tmp_path / "kept")
    found = run(capsys, "receipt", "verify", receipt, "--checkpoint", kept)
    assert found["as_of"] == "your checkpoint at CometBFT's height 21, 2023-11-14T22:13:40.000Z"
    assert (found["checkpoint_height"], found["hand_overs"]) == (21, 2)
    found = run(capsys, "receipt", "verify", receipt, "--checkpoint", kept, "--genesis", GENESIS)
    assert found["valid"]
    run(capsys, "receipt", "verify", receipt, "--checkpoint", kept, "--genesis", "0" * 64, code=2)


def test_a_checkpoint_is_kept_and_taken_up_again(receipt, capsys, tmp_path):
    kept = tmp_path / "kept"
    keep = ("receipt", "checkpoint", receipt, kept, "--genesis", GENESIS)
    told = run(capsys, *keep)
    assert (told["height"], told["validators"]) == (40, 4)
    assert told["as_of"] == "the genesis that you named"
    assert decode_checkpoint(kept.read_bytes()).height == 40
    assert run(capsys, *keep) == told  # once more
    found = run(capsys, "receipt", "verify", receipt, "--checkpoint", kept)
    assert (found["checkpoint_height"], found["hand_overs"]) == (40, 0)
    again = tmp_path / "again"
    run(capsys, "receipt", "checkpoint", receipt, again, "--checkpoint", kept)
    assert again.read_bytes() == kept.read_bytes()


def test_a_checkpoint_replaces_no_other_file(receipt, capsys, tmp_path):
    other = tmp_path / "other"
    other.write_text("mine")
    told = run(capsys, "receipt", "checkpoint", receipt, other, "--genesis", GENESIS, code=2)
    assert "holds something else" in told["message"]
    assert other.read_text() == "mine"


def test_a_checkpoint_needs_something_to_trust(receipt, capsys, tmp_path):
    told = run(capsys, "receipt", "checkpoint", receipt, tmp_path / "out", code=2)
    assert "--genesis" in told["message"]
    assert not (tmp_path / "out").exists()


def test_a_sealed_network_has_no_checkpoint(sealed, capsys, tmp_path):
    kept = save_checkpoint(tmp_path / "kept")
    genesis = run(capsys, "receipt", "verify", sealed)["genesis_hash"]
    told = run(
        capsys, "receipt", "checkpoint", sealed, tmp_path / "out", "--genesis", genesis, code=2
    )
    assert "sealed network" in told["message"]
    told = run(capsys, "receipt", "verify", sealed, "--checkpoint", kept, code=2)
    assert "sealed network" in told["message"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, 4),
        (lambda path: path.mkdir(), 2),
        (os.mkfifo, 2),
        (lambda path: path.write_bytes(b""), 2),
        (lambda path: path.write_bytes(b"\xff" * 100), 2),
        (lambda path: path.write_bytes(bytes(20_000)), 2),
        (lambda path: path.write_bytes(FILES["voted, three hand-overs"]), 2),
        (lambda path: save_checkpoint(path, genesis_hash=bytes(32)), 2),
        (lambda path: save_checkpoint(path, height=41), 2),
        (lambda path: save_checkpoint(path, validators=make_set(FIRST)), 2),
    ],
    ids=[
        "none",
        "folder",
        "pipe",
        "empty",
        "rubbish",
        "huge",
        "receipt",
        "network",
        "later",
        "set",
    ],
)
def test_what_is_no_checkpoint_is_named(receipt, capsys, tmp_path, make, code):
    path = tmp_path / "checkpoint"
    make(path)
    for words in (("verify", receipt), ("checkpoint", receipt, tmp_path / "out")):
        told = run(capsys, "receipt", *words, "--checkpoint", path, code=code)
        assert str(path) in told["message"] or str(receipt) in told["message"]
    assert not (tmp_path / "out").exists()


def test_a_damaged_genesis_is_told_apart_from_the_one_that_is_trusted(receipt, capsys, tmp_path):
    receipt.write_bytes(receipt.read_bytes().replace(b"vectors", b"vecturs", 1))
    kept = save_checkpoint(tmp_path / "kept")
    for words, relation in (
        (("--checkpoint", kept), "and the checkpoint names"),
        (("--genesis", GENESIS), "not to"),
    ):
        told = run(capsys, "receipt", "verify", receipt, *words, code=2)["message"]
        assert "the receipt file is damaged, or of another network: its genesis hashes" in told
        assert told.endswith(f"{relation} {GENESIS}")
        assert told.count(GENESIS) == 1


def test_what_is_no_receipt_makes_no_checkpoint(capsys, tmp_path):
    out = tmp_path / "out"
    for file, code in ((tmp_path, 2), (tmp_path / "none", 4), (Path(__file__), 2)):
        run(capsys, "receipt", "checkpoint", file, out, "--genesis", GENESIS, code=code)
    run(capsys, "receipt", "checkpoint", tmp_path, out, "--genesis", "xyz", code=2)
    assert not out.exists()
