"""Begin to decide by what ships with Hansa: policy, rules and model, put into an operator's folder.

Source: docs/reference/risk-models.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from hansa.engine.storage import make_folder
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.risk.loading import read_files
from hansa.node.risk.registry import MODELS, Registry
from hansa.risk.intake.describing import FEATURES
from hansa.risk.shipped.loading import MODEL_NAME, POLICY_NAME, RULES_NAME, read_shipped
from hansa.sdk.files import read_file, write_file


class Begun(NamedTuple):
    """What two officers approve on the ledger, and what is declared there together."""

    model_id: bytes
    policy_hash: bytes


def begin(folder: Path) -> Begun:
    """Put what ships into a folder, and have its model decide; again, it changes nothing.

    Args:
      folder: the operator's; it is made where it lacks.

    Raises:
      Invalid: there is another policy, other rules, or a model that decides.
      Unavailable: the disk refuses.
    """
    make_folder(folder)
    registry = Registry(folder / MODELS, FEATURES)
    raw = read_shipped(MODEL_NAME)
    missing = [name for name in (RULES_NAME, POLICY_NAME) if not _is_there(folder / name)]
    roles = registry.read_roles()
    model = registry.add(raw, MODEL_NAME)
    model_id = model.manifest.model_id
    if roles.champion not in (None, model_id.hex()):
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"the model {roles.champion} decides already in {folder}: promote {model_id.hex()} to "
            "have the one that ships decide",
        )
    for name in missing:  # the policy last: without it, a node has nothing to decide by
        write_file(folder / name, read_shipped(name))
    if roles.champion is None:
        registry.promote(model_id.hex())
    return Begun(model_id, read_files(folder).policy_hash)


def _is_there(path: Path) -> bool:
    """Tell whether a file that ships is there; raises `Invalid` if another one is."""
    if not path.exists():
        return False
    shipped = read_shipped(path.name)
    if read_file(path, len(shipped)) != shipped:
        raise Invalid(InvalidCode.ARGUMENTS, f"{path} is there already: nothing is overwritten")
    return True
