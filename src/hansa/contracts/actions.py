"""Actions: what a proposal can do, how that travels, and the function that carries it out.

Part of the contract `governance`, kept apart for reading. An action travels as [kind, arguments],
the arguments being an array of the action's fields. Each function is called once authority is
established, by a passed proposal, and refuses with the codes of the contract that it changes.

Source: docs/reference/governance.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from hansa.contracts import accounts, activations, currency, members, nodes, policy
from hansa.contracts.activations import ActivateContract
from hansa.contracts.identity import accreditation
from hansa.contracts.members import Role
from hansa.contracts.policy import PolicyKey
from hansa.contracts.proposals import Code, ProposalClass
from hansa.kernel.authority import AccountKey, Purpose
from hansa.kernel.contract import Command, Event, Function
from hansa.kernel.encoding import DECODE_ERRORS, encode, tell_fault
from hansa.kernel.errors import Refused
from hansa.kernel.machine.context import Context
from hansa.kernel.machine.state import View
from hansa.kernel.values import Address, Name, NonNegative, Positive, Signed, TimeMs


class Action(msgspec.Struct, frozen=True, array_like=True):
    """What a proposal would do, as it travels."""

    kind: Name
    arguments: msgspec.Raw

    @classmethod
    def of(cls, kind: str, arguments: Command) -> Action:
        """Make the action of this kind from its typed arguments."""
        return cls(kind, msgspec.Raw(encode(arguments)))


class AdmitMember(Command, frozen=True, array_like=True):
    """Let an institution join; without keys it is governed by the key of its address."""

    address: Address
    name: Name
    roles: tuple[Role, ...]
    weight: NonNegative
    keys: tuple[AccountKey, ...]
    threshold: Positive


class SuspendMember(Command, frozen=True, array_like=True):
    """Take an institution's roles and voting power away for now."""

    address: Address


class ReinstateMember(Command, frozen=True, array_like=True):
    """End a suspension."""

    address: Address


class SetRoles(Command, frozen=True, array_like=True):
    """Give an institution these roles and no others."""

    address: Address
    roles: tuple[Role, ...]


class SetWeight(Command, frozen=True, array_like=True):
    """Give a validator this voting power."""

    address: Address
    weight: NonNegative


class SetPolicy(Command, frozen=True, array_like=True):
    """Set policy values from a moment on that must still be ahead at execution."""

    key: PolicyKey
    effective_ms: TimeMs
    values: tuple[Signed, ...]


class SetMemberKeys(Command, frozen=True, array_like=True):
    """Replace the keys of a member that has lost them."""

    address: Address
    keys: tuple[AccountKey, ...]
    threshold: Positive


@dataclass(frozen=True, slots=True)
class ActionKind:
    """What one kind of action is decoded as, what class it belongs to, and what carries it out."""

    action: type[Command]
    group: ProposalClass
    function: Function
    find_fault: Callable[[Any], StrEnum | None] = lambda _action: None
    """Finds what is wrong with an action whatever the state, so that nobody votes on it."""


def decode_action(action: Action) -> Command:
    """Decode an action's arguments by its kind.

    Raises:
      Refused: `UNKNOWN_ACTION` or `WRONG_ARGUMENTS`.
    """
    kind = ACTIONS.get(action.kind)
    if kind is None:
        raise Refused(Code.UNKNOWN_ACTION, kind=action.kind)
    raw = bytes(action.arguments)
    try:
        decoded: Command = msgspec.msgpack.decode(raw, type=kind.action)
    except DECODE_ERRORS as error:
        raise Refused(Code.WRONG_ARGUMENTS, kind=action.kind, detail=tell_fault(error)) from None
    if encode(decoded) != raw:
        raise Refused(Code.WRONG_ARGUMENTS, kind=action.kind, detail="not in canonical form")
    return decoded


def check_sound(kind: str, action: Command) -> None:
    """Refuse an action that could never be carried out, so that nobody votes on it."""
    fault = ACTIONS[kind].find_fault(action)
    if fault is not None:
        raise Refused(fault, kind=kind)


def get_group(kind: str, action: Command) -> ProposalClass:
    """Get an action's class; policy on governance itself is a matter of the constitution."""
    if isinstance(action, SetPolicy) and action.key.startswith(policy.GOVERNANCE_PREFIX):
        return ProposalClass.CONSTITUTION
    return ACTIONS[kind].group


def _admit(view: View, context: Context, action: AdmitMember) -> Sequence[Event]:
    """Admit an institution that signs: its address may be a wallet, which nobody may take."""
    context.require(action.address, Purpose.MANAGE)
    if action.keys and accounts.get_account(view, action.address) is not None:
        raise Refused(accounts.Code.ACCOUNT_EXISTS, account=action.address)
    events = members.admit(view, context, action.address, action.name, action.roles, action.weight)
    if action.keys:
        events += accounts.replace_keys(
            view, context.time_ms, action.address, action.keys, action.threshold
        )
    return events


def _suspend(view: View, context: Context, action: SuspendMember) -> Sequence[Event]:
    nodes.require_another(view, action.address)
    power = _plan(view, context, action.address, suspended=True)
    events = members.suspend(view, context, action.address)
    nodes.keep_power(view, power)
    return events


def _reinstate(view: View, context: Context, action: ReinstateMember) -> Sequence[Event]:
    power = _plan(view, context, action.address, suspended=False)
    events = members.reinstate(view, context, action.address)
    nodes.keep_power(view, power)
    return events


def _set_roles(view: View, context: Context, action: SetRoles) -> Sequence[Event]:
    power = _plan(view, context, action.address, roles=action.roles)
    events = members.set_roles(view, context, action.address, action.roles)
    nodes.keep_power(view, power)
    return events


def _set_weight(view: View, context: Context, action: SetWeight) -> Sequence[Event]:
    if action.weight == 0:
        nodes.require_another(view, action.address)
    power = _plan(view, context, action.address, weight=action.weight)
    events = members.set_weight(view, context, action.address, action.weight)
    nodes.keep_power(view, power)
    return events


def _plan(
    view: View, context: Context, address: bytes, **changes: object
) -> nodes.BlockPower | None:
    """Plan what a change of a member does to power on blocks; of a stranger, nothing."""
    member = members.get_member(view, address)
    after = None if member is None else msgspec.structs.replace(member, **changes)
    return nodes.plan_power(view, context, address, members.compute_power(after))


def _set_policy(view: View, context: Context, action: SetPolicy) -> Sequence[Event]:
    return policy.schedule(view, context, action.key, action.effective_ms, action.values)


def _set_member_keys(view: View, context: Context, action: SetMemberKeys) -> Sequence[Event]:
    if members.get_member(view, action.address) is None:
        raise Refused(members.Code.NOT_A_MEMBER, member=action.address)
    return accounts.replace_keys(
        view, context.time_ms, action.address, action.keys, action.threshold
    )


def _find_key_fault(action: AdmitMember | SetMemberKeys) -> StrEnum | None:
    if isinstance(action, AdmitMember) and not action.keys:
        return None
    return accounts.find_fault(action.keys, action.threshold)


def _find_policy_fault(action: SetPolicy) -> StrEnum | None:
    return policy.find_fault(action.key, action.values)


ACTIONS: dict[str, ActionKind] = {
    "admit_member": ActionKind(AdmitMember, ProposalClass.MEMBERSHIP, _admit, _find_key_fault),
    "suspend_member": ActionKind(SuspendMember, ProposalClass.MEMBERSHIP, _suspend),
    "reinstate_member": ActionKind(ReinstateMember, ProposalClass.MEMBERSHIP, _reinstate),
    "set_roles": ActionKind(SetRoles, ProposalClass.MEMBERSHIP, _set_roles),
    "set_weight": ActionKind(SetWeight, ProposalClass.MEMBERSHIP, _set_weight),
    "set_policy": ActionKind(SetPolicy, ProposalClass.POLICY, _set_policy, _find_policy_fault),
    "activate_contract": ActionKind(
        ActivateContract, ProposalClass.ACTIVATION, activations.activate
    ),
    "set_member_keys": ActionKind(
        SetMemberKeys, ProposalClass.KEYS, _set_member_keys, _find_key_fault
    ),
    **{
        word: ActionKind(action, ProposalClass.MEMBERSHIP, function, accreditation.find_fault)
        for word, (action, function) in accreditation.APPROVED.items()
    },
    **{
        word: ActionKind(action, ProposalClass.MONETARY, function)
        for word, (action, function) in currency.APPROVED.items()
    },
}
"""Everything a proposal can do, by the word that names it."""
