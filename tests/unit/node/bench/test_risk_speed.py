"""The benchmark of speed: a bank as it is said to be, and peers told of whatever they do."""

import json

import pytest

from hansa.node.bench.risk.bank import RULES, write_folder
from hansa.node.bench.risk.peers.measuring import find_pythons, run_peer
from hansa.node.risk.loading import RiskFolder
from hansa.node.risk.registry import MODELS, Registry
from hansa.risk.intake.describing import FEATURES


def test_a_bank_has_a_hundred_rules_and_two_models_of_the_same_trees(tmp_path):
    first, second = write_folder(tmp_path)
    loaded = RiskFolder(tmp_path).loaded
    assert len(loaded.rules) == RULES
    assert len(loaded.wallets) == len(set(loaded.wallets)) > 0
    assert loaded.model_id == first != second
    other = Registry(tmp_path / MODELS, FEATURES).get(second.hex())
    assert (other.trees.value == loaded.models.champion.trees.value).all()
    assert len(other.trees.roots) == 200


def make_peer(folder, script):
    python = folder / "river" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("script", "limit_s", "told"),
    [
        ("echo one >&2; echo 'KeyError: two' >&2; exit 1", 60, {"error": "KeyError: two"}),
        ("exit 3", 60, {"error": "exit status 3"}),
        ("true", 60, {"error": "it said nothing"}),
        ("echo '{\"p50_us\": 7}'; exec sleep 60", 2, {"p50_us": 7, "error": "not done after 2 s"}),
        ('echo first; echo \'{"version": "9.1"}\'', 60, {"version": "9.1"}),
    ],
)
def test_a_peer_is_told_of_with_what_it_said_and_why_no_more(tmp_path, script, limit_s, told):
    python = make_peer(tmp_path, script)
    assert find_pythons(tmp_path)["river"] == python
    assert find_pythons(tmp_path)["snapml"] is None
    found = run_peer("river", python, tmp_path, limit_s, over_s=0.0)
    assert json.loads(json.dumps(found)) == told
