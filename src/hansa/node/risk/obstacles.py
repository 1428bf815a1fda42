"""Why no model decides at a node, and what is to be done about it: one answer for whoever asks.

A model decides where it was promoted at the node, can be read, and is in force on the ledger under
just the policy that is loaded: proposed, approved by a second officer, and declared, by two
together where the policy is new.

Source: docs/how-to/decide-on-payments.md.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from hansa.contracts.risk.in_force import BASES_MAX, NO_MODEL, Basis, InForce
from hansa.contracts.risk.risk import Model, Policy, State
from hansa.kernel.crypto.address import to_text
from hansa.kernel.rows import Rows
from hansa.node.risk.loading import Loaded
from hansa.node.risk.registry import Registry, Roles

SEND: Final = "hansa tx send OFFICER.json --call risk.{} --args {}"
"""The command by which an officer acts on the ledger: what, and its arguments."""
SEND_BY_TWO: Final = "hansa tx send OFFICER.json SECOND.json --call risk.{} --args {}"
"""The same where two officers sign; from two machines, by an envelope file."""
RELOAD: Final = "hansa risk reload --api-key-file CASES.key"
LOCAL: Final = "hansa risk model {} --data FOLDER"
"""The command by which whoever runs the node gives roles to models: what, and which."""


class Obstacle(NamedTuple):
    """Why no model decides."""

    words: str
    command: str
    """What is typed about it next; a command for the ledger names no node yet."""
    is_sent: bool
    """Whether it is one for the ledger, which takes `--node`."""


def find_obstacle(
    rows: Rows, operator: bytes, registry: Registry, loaded: Loaded
) -> Obstacle | None:
    """Find why no model decides; None if one does.

    Args:
      rows: of the ledger, as of the last executed block.
      operator: whose customers' payments are decided on.
      registry: of its models.
      loaded: what decides at its node.
    """
    if loaded.model_id == NO_MODEL:
        return _find_at_node(registry.roles, registry.faults)
    in_force = rows.get(InForce, operator)
    bases = () if in_force is None else in_force.bases
    if loaded.is_scored(bases):
        return None
    return _find_on_ledger(rows, operator, loaded, bases)


def _find_at_node(roles: Roles, faults: Sequence[str]) -> Obstacle:
    """Find why no model has the role."""
    if roles.champion is None:
        told = "; ".join(faults)
        words = told or "No model was promoted at this node."
        return Obstacle(words, LOCAL.format("promote MODEL"), is_sent=False)
    if roles.is_stopped:
        words = "Models were stopped here: promoting one, or going back, lets it decide."
        return Obstacle(words, LOCAL.format(f"promote {roles.champion}"), is_sent=False)
    words = f"The model that was promoted cannot be read: {'; '.join(faults)}"
    return Obstacle(words, LOCAL.format("add FILE"), is_sent=False)


def _find_on_ledger(
    rows: Rows, operator: bytes, loaded: Loaded, bases: Sequence[Basis]
) -> Obstacle:
    """Find why the ledger has a model not in force under the policy that is loaded."""
    row = rows.get(Model, operator, loaded.model_id)
    named = {"operator": to_text(operator), "model": loaded.model_id.hex()}
    if row is None or row.state is State.SUSPENDED:
        stands = "not registered" if row is None else "suspended"
        words = f"The model that was promoted is {stands} on the ledger: an officer proposes it."
        return _send(words, "propose", named)
    if row.state is State.PROPOSED:
        words = "The model that was promoted is proposed on the ledger: a second officer approves."
        return _send(words, "approve", named)
    if row.state is State.RETIRED:
        words = "The model that was promoted is retired on the ledger: promote another."
        return Obstacle(words, LOCAL.format("promote MODEL"), is_sent=False)
    signed = rows.get(Policy, operator, loaded.policy_hash)
    if signed is not None and not signed.officers:
        words = (
            "The policy that is loaded was withdrawn on the ledger: bring the files of another "
            "back, and reload. For this one two officers would have to sign anew."
        )
        return Obstacle(words, RELOAD, is_sent=True)
    if any(each.model == loaded.model_id for each in bases):
        words = (
            "The model is in force on the ledger, and not under the policy that is loaded: policy, "
            "rules or lists were changed, and "
        )
    else:
        words = "The model is approved on the ledger, and "
    declared = _list_declared(operator, loaded, bases)
    if signed is not None:
        return _send(f"{words}an officer has yet to declare it.", "declare", declared)
    words += "two officers have yet to declare it together, as the policy is new."
    return _send(words, "declare", declared, SEND_BY_TWO)


def _list_declared(operator: bytes, loaded: Loaded, bases: Sequence[Basis]) -> dict[str, object]:
    """List what is to be declared: what is loaded, beside what is in force."""
    added = (Basis(loaded.model_id, loaded.policy_hash), Basis(NO_MODEL, loaded.policy_hash))
    listed = [
        {"model": each.model.hex(), "policy": each.policy.hex()}
        for each in dict.fromkeys((*added, *bases))
    ]
    return {"operator": to_text(operator), "bases": listed[:BASES_MAX]}


def _send(words: str, command: str, arguments: Mapping[str, object], form: str = SEND) -> Obstacle:
    written = shlex.quote(msgspec.json.encode(arguments).decode())
    return Obstacle(words, form.format(command, written), is_sent=True)
