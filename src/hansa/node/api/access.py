"""Who asks, and whether this caller may read that: identification and the checks of rights.

A caller is known by `Authorization: Bearer`, else by a client certificate, else by coming from
this machine where the settings say so, else by nothing. Every request asks anew, the ledger
included: a key stops at once when it is revoked, or when its institution is suspended.

Source: docs/reference/http-api.md; RFC 6750.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address

from aiohttp import web

from hansa.contracts.members import Member
from hansa.contracts.wallets import Wallet
from hansa.engine.chain import Chain
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, Refused
from hansa.node.api.keys import ApiKey, KeyRing
from hansa.node.api.rights import (
    ANYONE,
    GRANTED,
    THIS_MACHINE,
    Principal,
    Right,
    Role,
    find_lack,
    name_holders,
)
from hansa.node.settings import LoopbackReads, Settings, Sponsored

BEARER = "bearer"
KEPT_PRINCIPALS = 4_096


class AccessCode(StrEnum):
    """Refusals of the API itself."""

    FORBIDDEN = "api.FORBIDDEN"


class Denied(Refused):
    """The caller is known and may not; says what would be needed."""

    def __init__(self, message: str) -> None:
        super().__init__(AccessCode.FORBIDDEN)
        self.message = message


@lru_cache(maxsize=KEPT_PRINCIPALS)
def is_loopback(remote: str | None) -> bool:
    """Whether a network address is this machine's own."""
    try:
        return ip_address(remote or "").is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=KEPT_PRINCIPALS)
def _build_principal(key: ApiKey) -> Principal:
    return Principal(
        key.role,
        key.name,
        key.id,
        None if key.member is None else from_text(key.member),
        frozenset(from_text(wallet) for wallet in key.wallets),
        frozenset(key.rights),
    )


class Access:
    """Identifies callers of one node and checks their rights.

    Args:
      chain: whose members, wallets and vaults are asked about.
      settings: what needs no key.
      keys: the node's API keys; None for a node without any.
      clock_ms: the wall clock, for the keys' expiry.
    """

    def __init__(
        self, chain: Chain, settings: Settings, keys: KeyRing | None, clock_ms: Callable[[], int]
    ) -> None:
        self._state = chain.machine.state
        self._is_loopback_free = settings.access.loopback is LoopbackReads.EVERYTHING
        self._is_open = settings.access.sponsor_for is not Sponsored.KNOWN
        self._keys = keys
        self._clock_ms = clock_ms

    def identify(self, request: web.Request) -> Principal:
        """Find out who asks.

        Raises:
          Invalid: `UNAUTHENTICATED`: the key or certificate is unknown, expired or revoked, or
            its institution may not act.
          Unavailable: the file of keys cannot be read.
        """
        shown = request.headers.get("Authorization")
        if shown is not None:
            return self._admit(self._find_bearer(shown), "API key")
        certificate = _get_certificate(request)
        if certificate is not None and self._keys is not None:
            key = self._keys.find_certificate(certificate)
            if key is not None:
                return self._admit(key, "client certificate")
        if self._is_loopback_free and is_loopback(request.remote):
            return THIS_MACHINE
        return ANYONE

    def identify_token(self, token: str) -> Principal:
        """Find out whom an API key stands for; raises as `identify`."""
        return self._admit(None if self._keys is None else self._keys.find_token(token), "API key")

    def identify_key(self, key_id: str) -> Principal:
        """Find out whom the API key of this id stands for now; raises as `identify`."""
        return self._admit(None if self._keys is None else self._keys.find_id(key_id), "API key")

    def require(self, principal: Principal, right: Right) -> None:
        """Let through who has a right.

        Raises:
          Invalid: `UNAUTHENTICATED`: nobody is known to ask.
          Denied: the caller is known and may not.
        """
        if right is Right.SUBMIT and not self._is_open and principal.role is Role.ANYONE:
            raise _ask_for_key("sponsors transactions of known callers only")
        if not principal.may(right):
            needed = f"roles that have it are {name_holders(right)}"
            if right in GRANTED:
                needed = f"it comes with a key made with --right {right}"
            raise self.deny(principal, f"the right {right.value!r}: {needed}")

    def may_read_wallet(self, principal: Principal, address: bytes) -> bool:
        """Whether a caller may read this wallet's money and transactions."""
        if principal.may(Right.LEDGER) or address in principal.wallets:
            return True
        if not principal.may(Right.CUSTOMERS):
            return False
        wallet = self._state.load(Wallet, Wallet.key(address))
        return wallet is not None and wallet.operator == principal.member

    def require_wallet(self, principal: Principal, address: bytes) -> None:
        """Let through who may read a wallet; raises as `require`.

        Whether the wallet exists is not told to others.
        """
        if not self.may_read_wallet(principal, address):
            raise self.deny(principal, "this wallet: it is neither its own nor its customer's")

    def may_read_vault(self, principal: Principal, address: bytes) -> bool:
        """Whether a caller may read an institution's vaults."""
        return principal.may(Right.LEDGER) or (
            principal.may(Right.OWN_VAULTS) and address == principal.member
        )

    def deny(self, principal: Principal, what: str) -> HansaError:
        """Build the error for a caller that may not have `what`."""
        if principal.role is Role.ANYONE:
            return _ask_for_key("shows this to callers with the right to it")
        return Denied(f"{principal.name!r}, of role {principal.role}, does not have {what}")

    def _find_bearer(self, shown: str) -> ApiKey | None:
        scheme, _, token = shown.partition(" ")
        if scheme.lower() != BEARER or self._keys is None:
            return None
        return self._keys.find_token(token.strip())

    def _admit(self, key: ApiKey | None, what: str) -> Principal:
        """Let a key in that is good now, on the ledger, too."""
        if key is None or not key.is_usable(self._clock_ms()):
            raise Invalid(
                InvalidCode.UNAUTHENTICATED,
                f"this {what} is unknown, expired or revoked: ask the node's operator for another",
            )
        principal = _build_principal(key)
        if principal.member is not None:
            member = self._state.load(Member, Member.key(principal.member))
            lack = find_lack(key.role, member)
            if lack:
                raise Invalid(
                    InvalidCode.UNAUTHENTICATED,
                    f"this {what} is of an institution that {lack}: it works again when governance "
                    "changes that",
                )
        return principal


def _get_certificate(request: web.Request) -> bytes | None:
    """Get the client certificate that TLS has verified, in DER form."""
    transport = request.transport
    tls = None if transport is None else transport.get_extra_info("ssl_object")
    if not isinstance(tls, ssl.SSLObject | ssl.SSLSocket):
        return None
    return tls.getpeercert(binary_form=True)


def _ask_for_key(what: str) -> Invalid:
    return Invalid(
        InvalidCode.UNAUTHENTICATED,
        f"this node {what}: send an API key as Authorization: Bearer KEY, or a client certificate",
    )
