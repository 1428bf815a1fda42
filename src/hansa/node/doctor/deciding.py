"""Looks at what a node that is set to decide opens at its start: policy, models, its decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hansa.kernel.errors import HansaError
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.doctor.encrypted import check_encrypted
from hansa.node.risk.format import FORM
from hansa.program import name_program

if TYPE_CHECKING:  # of an extra
    from hansa.node.risk.loading import RiskFolder

NAME = "risk"


def check_risk(patient: Patient) -> list[Check]:
    """Look at folder and file of a node whose settings have it decide on payments."""
    settings, home = patient.settings, patient.home
    if settings is None or not settings.risk.decides:
        return []
    where = str(home.risk_path)
    try:
        from hansa.node.risk.loading import RiskFolder  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        found = f"deciding needs {error.name}, which is not installed"
        return [Check(NAME, Status.FAIL, found, where, "pip install 'hansa[risk]'")]
    try:
        folder = RiskFolder(home.risk_path)
    except HansaError as error:
        mend = "mend what it says, or take risk.decides out of node.toml"
        return [Check(NAME, Status.FAIL, error.message, where, mend)]
    return [_check_models(folder, where), _check_decisions(patient)]


def _check_models(folder: RiskFolder, where: str) -> Check:
    """Look whether a model decides; a node starts and runs without one."""
    if folder.registry.faults:
        mend = f"add the model's file anew, or promote another one ({name_program()} risk model)"
        return Check(NAME, Status.WARN, "; ".join(folder.registry.faults), where, mend)
    policy = folder.loaded.policy_hash.hex()
    if folder.registry.champion is None:
        found = f"no model decides: payments go by [unscored] of the policy {policy}"
        mend = (
            f"promote one ({name_program()} risk model promote), once it is approved and declared"
        )
        return Check(NAME, Status.WARN, found, where, mend)
    model = folder.loaded.model_id.hex()
    return Check(NAME, Status.OK, f"model {model} decides under policy {policy}", where)


def _check_decisions(patient: Patient) -> Check:
    found = (
        "no decisions yet: the node makes the file",
        "the node that runs has its decisions open",
        "the decisions are whole",
    )
    return check_encrypted(patient, NAME, patient.home.decisions_path, FORM, found=found)
