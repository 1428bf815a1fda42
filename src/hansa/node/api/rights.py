"""Roles and what each may read: the one table.

A tx_id is a capability: its 256 bits cannot be guessed, and ids are listed to nobody who could
not read the transactions anyway. So whoever knows one may ask for that transaction.

Source: docs/decisions/0007-who-may-read.md; docs/reference/http-api.md.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """What the node decided on its customers' payments, and answers; keys of that one alone."""


_ANYONE = frozenset({Right.PUBLIC, Right.SUBMIT, Right.BY_ID})
_OWN = frozenset({Right.OWN_VAULTS, Right.METRICS, Right.MESSAGES, Right.PAIRS, Right.RISK})
_WHOLE = _ANYONE | _OWN | {Right.LEDGER}

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
    """
    *others, last = (role.value for role, rights in RIGHTS.items() if right in rights)
    return f"{', '.join(others)} and {last}" if others else last


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

    def may(self, right: Right) -> bool:
        """Whether the role has this right."""
        return right in RIGHTS[self.role]


ANYONE: Final = Principal(Role.ANYONE, "anyone")
THIS_MACHINE: Final = Principal(Role.REGULATOR, "this machine")
"""A loopback caller where the settings let those read everything."""
