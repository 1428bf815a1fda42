"""The examination: every look in its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hansa.node.doctor.checks import Check, Patient, Status, Surroundings, ThisMachine
from hansa.node.doctor.deciding import check_in_force, check_risk
from hansa.node.doctor.folder import (
    check_api_keys,
    check_folder,
    check_genesis,
    check_keys,
    check_libraries,
    check_python,
    check_settings,
)
from hansa.node.doctor.ledger import check_contracts, check_log, check_rules, check_store
from hansa.node.doctor.machine import (
    check_certificate,
    check_clock,
    check_disk,
    check_lock,
    check_port,
)
from hansa.node.doctor.published import check_published
from hansa.node.doctor.reconciling import check_reconciliation
from hansa.node.doctor.starting import check_end, check_messages
from hansa.node.doctor.voting import check_voting
from hansa.node.home import Home


def check_home(
    path: Path,
    machine: Surroundings | None = None,
    *,
    passphrase: str | None = None,
    listen: tuple[str, int] | None = None,
    certificate: Path | None = None,
) -> list[Check]:
    """Look a data folder and its machine over.

    Args:
      path: the data folder.
      machine: what to ask about clock, disk, ports and libraries; this machine if not given.
      passphrase: opens the key files, too; without it they are only checked for damage.
      listen: host and port of the node's API, if not those of its settings.
      certificate: the PEM file of the API's TLS certificate, if not that of the settings.
    """
    patient = Patient(Home(path), machine or ThisMachine(), passphrase, listen, certificate)
    found: list[Check] = []
    for name, look in _LOOKS:
        try:
            found += look(patient)
            if name == "folder" and found[-1].status is Status.FAIL:
                break  # nothing in it is of a node that could run
        except OSError as error:
            where = str(error.filename or path)
            text = f"cannot be looked at: {error.strerror}"
            found.append(Check(name, Status.FAIL, text, where, "let the node's user read it"))
    return found


def is_well(checks: Sequence[Check]) -> bool:
    """Whether no check failed; warnings do not count."""
    return all(check.status is not Status.FAIL for check in checks)


def describe_checks(checks: Sequence[Check]) -> str:
    """Say in a sentence how the node is, as of all checks."""
    failed = sum(check.status is Status.FAIL for check in checks)
    if failed:
        return f"{failed} of {len(checks)} checks failed."
    warned = [check for check in checks if check.status is Status.WARN]
    if not warned:
        return "The node is well."
    count = f"{len(warned)} warning{'' if len(warned) == 1 else 's'}"
    steps = "; ".join(f"{check.name}: {check.found.rstrip('.')}" for check in warned)
    return f"It works, with {count}: {steps}. What to do stands above, after each arrow."


_LOOKS: tuple[tuple[str, Callable[[Patient], list[Check]]], ...] = (
    ("python", check_python),
    ("libraries", check_libraries),
    ("folder", check_folder),
    ("genesis", check_genesis),
    ("settings", check_settings),
    ("keys", check_keys),
    ("api keys", check_api_keys),
    ("process", check_lock),
    ("last end", check_end),
    ("messages", check_messages),
    ("reconciliation", check_reconciliation),
    ("risk", check_risk),
    ("log", check_log),
    ("store", check_store),
    ("contracts", check_contracts),
    ("rules", check_rules),
    ("clock", check_clock),
    ("disk", check_disk),
    ("port", check_port),
    ("certificate", check_certificate),
    ("voting", check_voting),
    ("published", check_published),
    ("risk", check_in_force),
)
"""In this order: later checks use what earlier ones learnt."""
