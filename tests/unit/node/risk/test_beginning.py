"""An operator begins with what ships, and loses nothing that was there."""

import pytest

from hansa.kernel.errors import Invalid
from hansa.node.risk.beginning import begin
from hansa.node.risk.loading import RiskFolder
from hansa.risk.shipped.loading import load_shipped, load_shipped_policy, load_shipped_rules


def test_what_ships_decides_and_a_second_time_nothing_changes(tmp_path):
    folder = tmp_path / "risk"
    begun = begin(folder)
    loaded = RiskFolder(folder).loaded
    assert loaded.model_id == begun.model_id == load_shipped().manifest.model_id
    assert loaded.policy_hash == begun.policy_hash
    assert loaded.policy == load_shipped_policy()
    assert loaded.rules == load_shipped_rules()
    (folder / "policy.toml").unlink()  # as where it was killed before it came to that
    assert begin(folder) == begun
    registry = RiskFolder(folder).registry
    registry.stop()
    assert begin(folder) == begun
    assert RiskFolder(folder).registry.champion is None


@pytest.mark.parametrize("name", ["policy.toml", "rules.toml"])
def test_what_is_there_is_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("version = 7\n")
    with pytest.raises(Invalid, match=f"{name} is there already"):
        begin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
