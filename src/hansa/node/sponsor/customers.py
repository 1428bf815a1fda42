"""Whose single envelopes a node brings in without an API key: its sponsor's customers, and members.

A stranger has no wallet, and so nothing that a refusal of the ledger would cost it; whoever a
member answers for has. One such signer suffices: what else is signed, it has signed, too.

Source: docs/reference/settings.md, `access.sponsor_for`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from hansa.contracts.accounts import Guardians
from hansa.contracts.members import Member
from hansa.contracts.wallets import Wallet
from hansa.engine.chain import Chain
from hansa.kernel.authority import Account
from hansa.kernel.crypto.address import ADDRESS_BYTES
from hansa.kernel.transaction import Body, decode_envelope
from hansa.node.tables import Tables

KEYS_S = 1.0
"""How long a key that a member's account has just got may be missing."""

_decode_arguments = msgspec.msgpack.Decoder(list[Any]).decode
"""Of what was verified, so its form is known to be good."""


class Customers:
    """Knows the customers of one sponsor.

    Args:
      chain: whose wallets, members and accounts.
      sponsor: the member.
      clock_s: a clock that never goes back.
    """

    def __init__(self, chain: Chain, sponsor: bytes, clock_s: Callable[[], float]) -> None:
        self._state = chain.machine.state
        self._sponsor = sponsor
        self._clock_s = clock_s
        self._tables = Tables(chain, clock_s)
        self._member_keys: frozenset[bytes] = frozenset()
        self._read_s = float("-inf")

    def have_signed(self, envelope: bytes) -> bool:
        """Whether a customer or a member is among an envelope's signers; it is verified already.

        Microseconds for who signs with the key of a wallet that the sponsor keeps.

        Raises:
          Unavailable: the store cannot be read.
        """
        _, body = decode_envelope(envelope)
        if any(self._is_kept(signer) for signer in body.signers):
            return True
        if not self._list_member_keys().isdisjoint(body.signers):
            return True
        signers = frozenset(body.signers)
        return any(
            self._is_kept(address) and not signers.isdisjoint(self._list_keys(address))
            for address in _iterate_named(body)
        )

    def _is_kept(self, address: bytes) -> bool:
        wallet = self._state.load(Wallet, Wallet.key(address))
        return wallet is not None and wallet.operator == self._sponsor

    def _list_keys(self, address: bytes) -> list[bytes]:
        """List the keys that act for an address, or may recover it."""
        account = self._state.load(Account, Account.key(address))
        if account is None:
            return [address]
        found = self._state.load(Guardians, Guardians.key(address)) or Guardians(address)
        return [*(key.address for key in account.keys), *found.guardians]

    def _list_member_keys(self) -> frozenset[bytes]:
        now = self._clock_s()
        if now - self._read_s >= KEYS_S:
            members = self._tables.load_all(Member)
            self._member_keys = frozenset(
                key for member in members for key in self._list_keys(member.address)
            )
            self._read_s = now
        return self._member_keys


def _iterate_named(body: Body) -> Iterator[bytes]:
    """Iterate whatever in a transaction's calls may be an address."""
    for call in body.calls:
        for argument in _decode_arguments(call.arguments):
            for value in argument if isinstance(argument, list) else (argument,):
                if isinstance(value, bytes) and len(value) == ADDRESS_BYTES:
                    yield value
