"""Roles and what each may read: the one table.

A tx_id is a capability: its 256 bits cannot be guessed, and ids are listed to nobody who could
not read the transactions anyway. So whoever knows one may ask for that transaction.

Source: docs/decisions/0007-who-may-read.md; docs/reference/http-api.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from hansa.contracts import members


class Role(StrEnum):
    """What a caller is to this node."""

    ANYONE = "anyone"
    CUSTOMER = "customer"
    OPERATOR = "operator"
    MEMBER = "member"
    """An institution that holds or checks the whole ledger, as every validator does."""
    CENTRAL_BANK = "central_bank"
    REGULATOR = "regulator"


class Right(StrEnum):
    """What may be asked for."""

    PUBLIC = "public"
    """Headers, status, genesis, members, policy, proposals, assets and their supply."""
    SUBMIT = "submit"
    """Send transactions and batches."""
    BY_ID = "by_id"
    """A transaction or receipt file whose id the caller knows."""
    OWN_WALLETS = "own_wallets"
    """The wallets that the key is bound to, and their transactions."""
    CUSTOMERS = "customers"
    """The wallets that the institution keeps as their operator, and their transactions."""
    OWN_VAULTS = "own_vaults"
    """The institution's own vaults."""
    LEDGER = "ledger"
    """Everything that is on the ledger, whole blocks included."""
    METRICS = "metrics"
    """How the node itself is doing."""
    MESSAGES = "messages"
    """Write and read messages of the node's own institution; keys of that one alone."""
    PAIRS = "pairs"
    """Reconcile for the node's own institution with others; keys of that one alone."""
    RISK = "risk"
    """Read what the node decided on its customers' payments; keys of that one alone."""
    RISK_CONFIRM = "risk_confirm"
    """Answer for a customer who was asked by another way, and for nobody else."""
    RISK_RELEASE = "risk_release"
    """Answer as an officer, tell what payments turned out to be, have files read anew, and list
    customers whose names are on sanctions lists."""
    RISK_ATTEST = "risk_attest"
    """Hand in the institution's own word on a decision with a transaction."""


_ANYONE = frozenset({Right.PUBLIC, Right.SUBMIT, Right.BY_ID})
_OWN = frozenset({Right.OWN_VAULTS, Right.METRICS, Right.MESSAGES, Right.PAIRS, Right.RISK})
_WHOLE = _ANYONE | _OWN | {Right.LEDGER}

GRANTED: Final = (Right.RISK_CONFIRM, Right.RISK_RELEASE, Right.RISK_ATTEST)
"""Rights that no role gives: a key of an institution has those that it was made with."""

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = MappingProxyType(
    {
        Role.ANYONE: _ANYONE,
        Role.CUSTOMER: _ANYONE | {Right.OWN_WALLETS},
        Role.OPERATOR: _ANYONE | _OWN | {Right.CUSTOMERS},
        Role.MEMBER: _WHOLE,
        Role.CENTRAL_BANK: _WHOLE,
        Role.REGULATOR: _WHOLE,
    }
)

MEMBER_ROLES: Final[Mapping[Role, members.Role | None]] = MappingProxyType(
    {
        Role.OPERATOR: members.Role.OPERATOR,
        Role.MEMBER: None,
        Role.CENTRAL_BANK: members.Role.CENTRAL_BANK,
        Role.REGULATOR: members.Role.REGULATOR,
    }
)
"""Roles of institutions, and the role on the ledger that such a key's institution must have."""


def name_holders(right: Right) -> str:
    """Name the roles that have a right, in words.

    >>> name_holders(Right.LEDGER)
    'member, central_bank and regulator'
    >>> name_holders(Right.RISK_CONFIRM)
    'operator, member, central_bank and regulator, with a key made with --right risk_confirm'
    """
    if right in GRANTED:
        return f"{_list_in_words(list(MEMBER_ROLES))}, with a key made with --right {right}"
    return _list_in_words([role for role, rights in RIGHTS.items() if right in rights])


def _list_in_words(roles: Sequence[Role]) -> str:
    *others, last = roles
    return f"{', '.join(others)} and {last}" if others else last


def find_misgrant(role: Role, rights: Sequence[Right]) -> str:
    """Find why a key of a role cannot be made with these rights; empty if it can.

    Whoever answers for a customer must not be able to answer as an officer by the same key.
    """
    for right in rights:
        if right not in GRANTED:
            return f"the right {right} comes with a role, and is given to no key alone"
    if rights and role not in MEMBER_ROLES:
        return f"a key of role {role} has no more rights than its role"
    if {Right.RISK_CONFIRM, Right.RISK_RELEASE} <= set(rights):
        return (
            f"{Right.RISK_CONFIRM} and {Right.RISK_RELEASE} are for different people: make a key "
            "for each"
        )
    return ""


def find_lack(role: Role, member: members.Member | None) -> str:
    """Find why an institution can have no key of this role now; empty if it can.

    Args:
      role: of `MEMBER_ROLES`.
      member: the institution as the ledger knows it; None if it does not.
    """
    if member is None:
        return "is no member of this network"
    if member.suspended:
        return "is suspended"
    needed = MEMBER_ROLES[role]
    if needed is not None and needed not in member.roles:
        return f"has not the role {needed} on the ledger"
    return ""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    role: Role
    name: str
    key_id: str = ""
    """Of the API key; empty without one."""
    member: bytes | None = None
    wallets: frozenset[bytes] = frozenset()
    granted: frozenset[Right] = frozenset()
    """Of `GRANTED`, what its key was made with."""

    def may(self, right: Right) -> bool:
        """Whether the role has this right, or the key was made with it."""
        return right in RIGHTS[self.role] or right in self.granted


ANYONE: Final = Principal(Role.ANYONE, "anyone")
THIS_MACHINE: Final = Principal(Role.REGULATOR, "this machine")
"""A loopback caller where the settings let those read everything."""
