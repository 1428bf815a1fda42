"""Risk: an operator's models by the hashes of their manifests, and which of them decide.

No score, verdict or personal data is on the ledger. Each operator has models of its own: one
officer proposes a model and another one approves it, with keys that have the purpose OPERATE. Of
the operator's own policies (rules, lists, thresholds) each comes in force for the first time by two
officers, who sign the same declaration. One officer suspends a model or withdraws a policy at once,
whatever the account's threshold; what rested on it is out of force from there on, and it comes back
as it came, by two. A retired model is given up for good. Which payments need an attestation, and a
model in force, is policy of the network; `in_force` holds payments against it.

Source: docs/decisions/0019-risk-attestations.md; Federal Reserve SR 11-7 and Bank of England SS1/23
(inventory of models, approval independent of who proposes). Units: ms of ledger time.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from hansa.contracts import members
from hansa.contracts.risk import in_force
from hansa.contracts.risk.in_force import NO_MODEL, Bases, Basis, InForce
from hansa.contracts.risk.in_force import Code as Code
from hansa.kernel.authority import Account, AuthorityCode, Purpose
from hansa.kernel.contract import NO_MONEY, Command, Event, Function
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.rows import Row, Rows
from hansa.kernel.values import Address, Hash, NonNegative, Positive, TimeMs

NAME = "risk"
VERSION = 1

EYES = 2
"""Officers who must have signed for a model or a policy, each with a key of their own."""
OFFICERS_MAX = 16

Officers = Annotated[tuple[Address, ...], Meta(max_length=OFFICERS_MAX)]


class State(IntEnum):
    """Where a model stands."""

    PROPOSED = 1
    """One officer has signed for it; another one has yet to approve."""
    APPROVED = 2
    SUSPENDED = 3
    RETIRED = 4


LIFE_CYCLE: dict[tuple[State, str], State] = {
    (State.PROPOSED, "approve"): State.APPROVED,
    (State.PROPOSED, "suspend"): State.SUSPENDED,
    (State.PROPOSED, "retire"): State.RETIRED,
    (State.APPROVED, "declare"): State.APPROVED,
    (State.APPROVED, "suspend"): State.SUSPENDED,
    (State.APPROVED, "retire"): State.RETIRED,
    (State.SUSPENDED, "propose"): State.PROPOSED,
    (State.SUSPENDED, "retire"): State.RETIRED,
}
"""What may follow what; a pair that is not here is WRONG_STATE."""


class Model(Row, frozen=True, array_like=True):
    """A model that an operator registered; never removed, as decisions of its time name it."""

    TABLE: ClassVar[bytes] = b"rm"
    KEY: ClassVar[tuple[str, ...]] = ("operator", "model")

    operator: Address
    model: Hash
    """Hash of its manifest."""
    state: State
    since_ms: TimeMs
    """When it came into this state."""
    officers: Officers
    """Keys that signed for it when it was proposed or approved last."""
    suspended_ms: NonNegative = 0
    """When it was suspended last, 0 if it never was."""


class Policy(Row, frozen=True, array_like=True):
    """A policy that an operator's officers signed for; never removed."""

    TABLE: ClassVar[bytes] = b"rs"
    KEY: ClassVar[tuple[str, ...]] = ("operator", "policy")

    operator: Address
    policy: Hash
    """Hash of the operator's rules, lists and thresholds."""
    since_ms: TimeMs
    """When they signed, or it was withdrawn."""
    officers: Officers
    """Keys that signed for it; none once it was withdrawn."""


class Propose(Command, frozen=True, array_like=True):
    """Register a model, or propose one anew that is suspended."""

    operator: Address
    model: Hash


class Approve(Command, frozen=True, array_like=True):
    """Approve, as a second officer, the model that a first one proposed."""

    operator: Address
    model: Hash


class Declare(Command, frozen=True, array_like=True):
    """Say what decides from now on, in the place of whatever did; nothing, where it is empty.

    With the signatures of two officers, if there is a policy that no two have signed for yet.
    """

    operator: Address
    bases: Bases


class Suspend(Command, frozen=True, array_like=True):
    """Stop a model at once; one officer may, whatever the account's threshold."""

    operator: Address
    model: Hash


class Withdraw(Command, frozen=True, array_like=True):
    """Take a policy back at once; one officer may, whatever the account's threshold."""

    operator: Address
    policy: Hash


class Retire(Command, frozen=True, array_like=True):
    """Give a model up for good, once it is not in force."""

    operator: Address
    model: Hash


class Proposed(Event, frozen=True, array_like=True):
    """A model was proposed; another officer has yet to approve it."""

    operator: Address
    model: Hash


class Approved(Event, frozen=True, array_like=True):
    """A model may be put in force; these keys signed for it."""

    operator: Address
    model: Hash
    officers: Officers


class PolicyApproved(Event, frozen=True, array_like=True):
    """A policy may be in force; these keys signed for it."""

    operator: Address
    policy: Hash
    officers: Officers


class Declared(Event, frozen=True, array_like=True):
    """This decides for an operator from here on."""

    operator: Address
    version: Positive
    bases: Bases


class Suspended(Event, frozen=True, array_like=True):
    """A model was stopped."""

    operator: Address
    model: Hash


class Withdrawn(Event, frozen=True, array_like=True):
    """A policy was taken back."""

    operator: Address
    policy: Hash


class Retired(Event, frozen=True, array_like=True):
    """A model was given up."""

    operator: Address
    model: Hash


def propose(view: View, context: Context, command: Propose) -> list[Event]:
    """Propose a model; with two officers' signatures it is approved at once.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    _require_operator(view, context, command.operator)
    if command.model == NO_MODEL:
        raise Refused(Code.UNKNOWN_MODEL, model=command.model)
    before = view.get(Model, command.operator, command.model)
    state = State.PROPOSED if before is None else _follow(before, "propose")
    suspended_ms = 0 if before is None else before.suspended_ms
    officers = _list_signed(view, context, command.operator, ())
    if len(officers) >= EYES:
        state = State.APPROVED
    # CHANGE
    kept = (command.operator, command.model)
    view.put(Model(*kept, state, context.time_ms, officers, suspended_ms))
    # TELL
    return [_tell_signed(*kept, state, officers)]


def approve(view: View, context: Context, command: Approve) -> list[Event]:
    """Approve a model with another key than the one that proposed it.

    Who proposed counts as long as the key is one of an officer; a new key in its place is nobody
    else's eyes.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    _require_operator(view, context, command.operator)
    model = _get_known(view, command.operator, command.model)
    state = _follow(model, "approve")
    officers = _list_signed(view, context, command.operator, model.officers)
    if len(officers) < EYES:
        raise Refused(Code.SAME_OFFICER, officers=len(officers))
    # CHANGE
    view.put(
        msgspec.structs.replace(model, state=state, since_ms=context.time_ms, officers=officers)
    )
    # TELL
    return [_tell_signed(command.operator, command.model, state, officers)]


def declare(view: View, context: Context, command: Declare) -> list[Event]:
    """Put approved models in force, each under a policy, in the place of what was.

    A policy may also stand alone, for payments that are decided while no model can be asked. One
    that was not signed for by two officers takes two here, and no more from then on: to go back to
    it, or to list less, one does.
    Decisions that were made by what goes out of force count as long as it is listed, so who
    changes models leaves the old one in force until its last decision has expired.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    _require_operator(view, context, command.operator)
    named = [basis.model for basis in command.bases if basis.model != NO_MODEL]
    models = [_get_known(view, command.operator, model) for model in named]
    for model in models:
        _follow(model, "declare")
    policies = sorted({basis.policy for basis in command.bases})
    added = [each for each in policies if not is_approved(view, command.operator, each)]
    officers = _list_signed(view, context, command.operator, ())
    if added and len(officers) < EYES:
        raise Refused(Code.POLICY_NOT_APPROVED, policy=added[0], officers=len(officers))
    # CHANGE
    for policy in added:
        view.put(Policy(command.operator, policy, context.time_ms, officers))
    current = in_force.replace(view, context, command.operator, command.bases)
    # TELL
    return [
        *(PolicyApproved(NO_MONEY, command.operator, policy, officers) for policy in added),
        Declared(NO_MONEY, command.operator, current.version, current.bases),
    ]


def suspend(view: View, context: Context, command: Suspend) -> list[Event]:
    """Stop a model; what rests on it is out of force from here on.

    Raises:
      Refused: `kernel.NOT_AUTHORIZED`, or with a `Code`, the first that applies.
    """
    # CHECK
    operator = command.operator
    _require_officer(view, context, operator)
    model = _get_known(view, operator, command.model)
    state = _follow(model, "suspend")
    # CHANGE
    now_ms = context.time_ms
    view.put(msgspec.structs.replace(model, state=state, since_ms=now_ms, suspended_ms=now_ms))
    declared = _keep(view, context, operator, lambda basis: basis.model != command.model)
    # TELL
    return [Suspended(NO_MONEY, operator, command.model), *declared]


def withdraw(view: View, context: Context, command: Withdraw) -> list[Event]:
    """Take a policy back; what rests on it is out of force from here on.

    Raises:
      Refused: `kernel.NOT_AUTHORIZED`, or with a `Code`, the first that applies.
    """
    # CHECK
    operator = command.operator
    _require_officer(view, context, operator)
    if not is_approved(view, operator, command.policy):
        raise Refused(Code.POLICY_NOT_APPROVED, policy=command.policy)
    # CHANGE
    view.put(Policy(operator, command.policy, context.time_ms, ()))
    declared = _keep(view, context, operator, lambda basis: basis.policy != command.policy)
    # TELL
    return [Withdrawn(NO_MONEY, operator, command.policy), *declared]


def retire(view: View, context: Context, command: Retire) -> list[Event]:
    """Give a model up; nobody proposes it again.

    Raises:
      Refused: with a `Code`, the first that applies.
    """
    # CHECK
    context.require(command.operator, Purpose.OPERATE)
    model = _get_known(view, command.operator, command.model)
    state = _follow(model, "retire")
    if any(basis.model == command.model for basis in _list_in_force(view, command.operator)):
        raise Refused(Code.STILL_IN_FORCE, model=command.model)
    # CHANGE
    view.put(msgspec.structs.replace(model, state=state, since_ms=context.time_ms))
    # TELL
    return [Retired(NO_MONEY, command.operator, command.model)]


def find_model(rows: Rows, operator: bytes, model: bytes) -> Model | None:
    """Find a model of an operator, in whatever state."""
    return rows.get(Model, operator, model)


def is_approved(rows: Rows, operator: bytes, policy: bytes) -> bool:
    """Whether one officer may put a policy in force: two signed for it, and none withdrew it."""
    found = rows.get(Policy, operator, policy)
    return found is not None and bool(found.officers)


def was_suspended(model: Model, time_ms: int) -> bool:
    """Whether a model's last suspension fell on a moment; it ends when two approve it anew."""
    if not 0 < model.suspended_ms <= time_ms:
        return False
    return model.state is not State.APPROVED or time_ms < model.since_ms


def _require_operator(view: View, context: Context, operator: bytes) -> None:
    """Refuse all but an operator in good standing that signs."""
    context.require(operator, Purpose.OPERATE)
    members.require_role(view, operator, members.Role.OPERATOR)


def _require_officer(view: View, context: Context, operator: bytes) -> None:
    """Refuse all but an officer of the operator: one, whatever the account's threshold."""
    if not _list_signed(view, context, operator, ()):
        fault = AuthorityCode.NOT_AUTHORIZED
        raise Refused(fault, account=operator, purpose=Purpose.OPERATE.name)


def _get_known(view: View, operator: bytes, model: bytes) -> Model:
    found = view.get(Model, operator, model)
    if found is None:
        raise Refused(Code.UNKNOWN_MODEL, model=model)
    return found


def _follow(model: Model, word: str) -> State:
    """Return the state that a step leads to."""
    state = LIFE_CYCLE.get((model.state, word))
    if state is None:
        fault = Code.WRONG_STATE
        raise Refused(fault, state=model.state.name, command=word, model=model.model)
    return state


def _list_signed(
    view: View, context: Context, operator: bytes, earlier: tuple[bytes, ...]
) -> tuple[bytes, ...]:
    """List the operator's officers who sign now, or signed earlier, in the account's order."""
    signed = {*context.signers, *earlier}
    account = view.get(Account, operator)
    if account is None:
        return (operator,) if operator in signed else ()
    officers = (key.address for key in account.keys if key.purposes & Purpose.OPERATE)
    return tuple(address for address in officers if address in signed)


def _list_in_force(view: View, operator: bytes) -> tuple[Basis, ...]:
    found = view.get(InForce, operator)
    return () if found is None else found.bases


def _keep(
    view: View, context: Context, operator: bytes, is_kept: Callable[[Basis], bool]
) -> list[Declared]:
    """Put out of force what is not to be kept, and tell what is left if that is anything new."""
    bases = _list_in_force(view, operator)
    kept = tuple(filter(is_kept, bases))
    if kept == bases:
        return []
    current = in_force.replace(view, context, operator, kept)
    return [Declared(NO_MONEY, operator, current.version, current.bases)]


def _tell_signed(
    operator: bytes, model: bytes, state: State, officers: tuple[bytes, ...]
) -> Proposed | Approved:
    if state is State.PROPOSED:
        return Proposed(NO_MONEY, operator, model)
    return Approved(NO_MONEY, operator, model, officers)


COMMANDS: dict[str, tuple[type[Command], Function]] = {
    "propose": (Propose, propose),
    "approve": (Approve, approve),
    "declare": (Declare, declare),
    "suspend": (Suspend, suspend),
    "withdraw": (Withdraw, withdraw),
    "retire": (Retire, retire),
}
