"""What decides is what is in the folder, whatever was wrong in it in between."""

from __future__ import annotations

import pytest
from tests.modelled import write_small

from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid
from hansa.node.risk.loading import RiskFolder
from hansa.risk.intake.describing import FEATURES


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policy.toml").write_text("version = 1\n")
    folder = RiskFolder(tmp_path)
    model = folder.registry.add(write_small(FEATURES), "small").manifest.model_id
    folder.registry.promote(model.hex())
    return RiskFolder(tmp_path)


def test_a_model_that_was_stopped_decides_no_more_though_other_files_are_at_fault(folder, tmp_path):
    model_id = folder.loaded.model_id
    beside = RiskFolder(tmp_path)
    beside.registry.stop()
    (tmp_path / "rules.toml").write_text("name = 1")
    with pytest.raises(Invalid, match=r"rules\.toml"):
        folder.reload()
    folder.refresh()
    assert folder.loaded.models.champion is None
    assert folder.loaded.model_id == bytes(32)
    beside.registry.promote(model_id.hex())
    folder.refresh()
    assert folder.loaded.model_id == model_id


NAME = to_text(bytes(32))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (f"wallet,{NAME},block,,a\nwallet,{NAME.upper()},allow,,b\n", "is listed twice"),
        ("device,ann's phone,allow,,hers\n", "line 2: a device cannot be allowed"),
    ],
)
def test_what_would_let_through_who_should_not_be_is_not_put_to_use(folder, tmp_path, rows, told):
    (tmp_path / "lists.csv").write_text(f"subject,name,list,until,why\n{rows}")
    with pytest.raises(Invalid, match=rf"lists\.csv: .*{told}"):
        folder.reload()
