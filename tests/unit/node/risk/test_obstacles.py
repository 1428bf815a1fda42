"""Why no model decides, by what the ledger has of model and policy."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hansa.contracts.risk.in_force import NO_MODEL, InForce
from hansa.contracts.risk.risk import Model, Policy, State
from hansa.node.risk.obstacles import find_obstacle
from hansa.node.risk.registry import Registry

OPERATOR, MODEL, POLICY = (bytes([number]) * 32 for number in (1, 2, 3))
OFFICERS = (bytes(32), bytes([9]) * 32)
LOADED = SimpleNamespace(model_id=MODEL, policy_hash=POLICY, is_scored=bool)


@pytest.mark.parametrize(
    ("officers", "words", "command"),
    [
        (None, "two officers have yet to declare it together, as the policy is new", "declare"),
        (OFFICERS, "an officer has yet to declare it", "declare"),
        ((), "was withdrawn on the ledger: bring the files of another back", "reload"),
    ],
)
def test_a_policy_that_was_withdrawn_is_not_called_new(officers, words, command):
    model = SimpleNamespace(state=State.APPROVED)
    policy = None if officers is None else SimpleNamespace(officers=officers)
    found = {InForce: None, Model: model, Policy: policy}
    rows = SimpleNamespace(get=lambda row_type, *_: found[row_type])
    told = find_obstacle(rows, OPERATOR, None, LOADED)
    assert words in told.words
    assert command in told.command
    assert ("SECOND.json" in told.command) == (officers is None)


def test_roles_that_cannot_be_read_are_not_taken_for_none(tmp_path):
    loaded = SimpleNamespace(model_id=NO_MODEL)

    def tell():
        return find_obstacle(None, OPERATOR, Registry(tmp_path, ()), loaded).words

    assert tell() == "No model was promoted at this node."
    (tmp_path / "roles.json").write_text("{")
    assert "roles.json does not say which model decides" in tell()
