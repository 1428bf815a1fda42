"""Looks at what a node that is set to decide opens at its start, and at what is in force of it.

In its folder: policy, models, its decisions. On the ledger: model and policy as declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hansa.contracts.risk.in_force import NO_MODEL, Basis, InForce
from hansa.kernel.errors import HansaError
from hansa.kernel.machine.state import Reader
from hansa.kernel.rows import Rows
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.doctor.encrypted import check_encrypted
from hansa.node.home import open_chain_read_only
from hansa.node.network.renewal import find_published
from hansa.node.risk.clerk.format import FORM
from hansa.program import name_program

if TYPE_CHECKING:
    from pathlib import Path

    from hansa.node.risk.loading import RiskFolder  # of an extra

NAME = "risk"
DAY_MS = 86_400_000
LISTS_DAYS_MAX = 7
"""Sanctions lists change several times a week."""


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
        folder = RiskFolder(home.risk_path, screens=False)
        screened = _check_screening(patient, folder)
    except HansaError as error:
        mend = "mend what it says, or take risk.decides out of node.toml"
        return [Check(NAME, Status.FAIL, error.message, where, mend)]
    patient.risk = folder
    decisions = check_encrypted(patient, NAME, home.decisions_path, FORM, "decisions")
    return [_check_models(folder, where), *screened, decisions]


def _check_screening(patient: Patient, folder: RiskFolder) -> list[Check]:
    """Look how old the sanctions lists are, and whether all customers were screened against them.

    Raises:
      HansaError: as `read_screening_files`.
    """
    from hansa.node.risk.screening import look_over, read_screening_files  # noqa: PLC0415 - an extra
    from hansa.risk.screening.published import LISTS_FOLDER  # noqa: PLC0415

    files = read_screening_files(patient.home.risk_path)
    if files is None:
        return []
    thresholds = folder.loaded.policy.screening
    seen, name = look_over(patient.home.risk_path, files, thresholds), f"{NAME} screening"
    where = str(patient.home.risk_path / LISTS_FOLDER)
    days = max(patient.machine.now_ms() - files.lists_ms, 0) // DAY_MS
    age = f"the sanctions lists are of {days} day{'' if days == 1 else 's'} ago"
    parts, are_listed_anew = [age], days > LISTS_DAYS_MAX or seen.left_out > 0
    if seen.left_out:
        told = "; ".join(seen.findings)
        what = (
            "1 of their parts is" if seen.left_out == 1 else f"{seen.left_out} of their parts are"
        )
        parts.append(f"{what} not screened against: {told}")
    if seen.unscreened:
        who = "1 customer is" if seen.unscreened == 1 else f"{seen.unscreened} customers are"
        parts.append(f"{who} not screened against them yet")
    if are_listed_anew or seen.unscreened:
        get = "put the lists there as they are published now; " if are_listed_anew else ""
        mend = (
            f"{get}{name_program()} risk check screens by them, then {name_program()} risk reload"
        )
        return [Check(name, Status.WARN, "; ".join(parts), where, mend)]
    found = f"{age}; all {len(files.customers)} customers were screened against them"
    return [Check(name, Status.OK, found, where)]


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
    return Check(NAME, Status.OK, f"model {model} is to decide under policy {policy}", where)


def check_in_force(patient: Patient) -> list[Check]:
    """Look whether the ledger has in force what the folder says is to decide.

    What keeps it from being known, other checks have told.
    """
    network, folder = patient.network, patient.risk
    if folder is None or network is None or patient.head is None:
        return []
    try:
        member = find_published(patient.home, network).node.member
        chain = open_chain_read_only(patient.home)
    except HansaError:
        return []
    try:
        rows, where = Reader(chain.machine.state), f"as of block {patient.log_height}"
        lost = find_lost(rows, member, patient.home.decisions_path)
        return [compare_in_force(rows, member, folder, where), *lost]
    finally:
        chain.close()


def find_lost(rows: Rows, operator: bytes, path: Path) -> list[Check]:
    """Look whether a file of decisions is missing that may have been there."""
    if path.exists() or rows.get(InForce, operator) is None:
        return []
    found = "officers have put in force what decides, and there is no file of decisions"
    mend = (
        "put the newest copy back before the node starts: without it no earlier decision opens; "
        "if it never decided, it makes the file"
    )
    return [Check(NAME, Status.WARN, found, str(path), mend)]


def compare_in_force(rows: Rows, operator: bytes, folder: RiskFolder, where: str) -> Check:
    """Compare what an operator has in force on the ledger with the model and policy of a folder."""
    from hansa.node.risk.obstacles import find_obstacle  # noqa: PLC0415 - of an extra

    loaded = folder.loaded
    has_model = loaded.model_id != NO_MODEL
    obstacle = find_obstacle(rows, operator, folder.registry, loaded) if has_model else None
    if obstacle is not None:
        found = f"{obstacle.words} Until then amounts decide."
        return Check(NAME, Status.WARN, found, where, obstacle.command)
    in_force = rows.get(InForce, operator)
    if in_force is None or Basis(NO_MODEL, loaded.policy_hash) not in in_force.bases:
        found = (
            f"the policy {loaded.policy_hash.hex()} is not in force alone: what it decides while "
            "no model can be asked does not open"
        )
        mend = "have officers declare the policy also alone, with 64 zeros for its model"
        return Check(NAME, Status.WARN, found, where, mend)
    what = "model and policy are" if has_model else "the policy is"
    return Check(NAME, Status.OK, f"{what} in force on the ledger", where)
