"""The context of a transaction: what a contract may know, and who has signed.

Whether the signing keys may act for an account is asked by `Context.require` and by nothing else;
who asks outside of a transaction, as of a node's own key, asks `may_act`, which decides it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from hansa.kernel.authority import Account, AuthorityCode, Purpose
from hansa.kernel.errors import Refused
from hansa.kernel.machine.state import View

E = TypeVar("E", bound=msgspec.Struct)


class Context:
    """What a contract may know about the transaction it executes, apart from state."""

    __slots__ = (
        "_view",
        "attestation",
        "digest",
        "earlier_events",
        "genesis_hash",
        "height",
        "memo",
        "position",
        "signers",
        "sponsor",
        "time_ms",
        "tx_id",
    )

    def __init__(  # noqa: PLR0913 - the whole environment, stated once
        self,
        view: View,
        *,
        genesis_hash: bytes,
        digest: Callable[[bytes], bytes],
        height: int,
        time_ms: int,
        position: int,
        tx_id: bytes,
        signers: tuple[bytes, ...],
        sponsor: bytes,
        attestation: bytes | None,
        memo: dict[str, Any] | None = None,
    ) -> None:
        self._view = view
        self.genesis_hash = genesis_hash
        """Names the network in whatever is signed for it."""
        self.digest = digest
        """The network's hash."""
        self.height = height
        self.time_ms = time_ms
        self.position = position
        """height × 2**20 + index in the block: names this transaction for ever."""
        self.tx_id = tx_id
        self.signers = signers
        """Addresses of the keys that signed, each checked."""
        self.sponsor = sponsor
        self.attestation = attestation
        """The sponsor's commitment to its risk decision, 32 bytes, or None."""
        self.memo: dict[str, Any] = {} if memo is None else memo
        """What holds for the whole block, by name: only what none of its transactions changes."""
        self.earlier_events: list[msgspec.Struct] = []
        """Events of this transaction's earlier calls, in order; read only: see `list_earlier`."""

    def list_earlier(self, event_type: type[E]) -> list[E]:
        """List what earlier calls of this transaction told of this kind, in order.

        So one contract demands what another did: the class of an event says who told it, since
        a contract tells its own events only.
        """
        return [event for event in self.earlier_events if isinstance(event, event_type)]

    def require(self, address: bytes, purpose: Purpose, amount_minor: int = 0) -> None:
        """Refuse unless the signing keys may act for `address` to this purpose and amount.

        Raises:
          Refused: `kernel.NOT_AUTHORIZED`, or `kernel.OVER_KEY_LIMIT` if only the keys' limits
            stand in the way.
        """
        account = self._view.get(Account, address)
        if may_act(account, address, self.signers, purpose, amount_minor):
            return
        if account is None:
            raise Refused(AuthorityCode.NOT_AUTHORIZED, account=address, purpose=purpose.name)
        weight, limited = _weigh(account, self.signers, purpose, amount_minor)
        if weight + limited >= account.threshold:
            raise Refused(AuthorityCode.OVER_KEY_LIMIT, account=address, amount_minor=amount_minor)
        raise Refused(
            AuthorityCode.NOT_AUTHORIZED,
            account=address,
            purpose=purpose.name,
            weight=weight,
            threshold=account.threshold,
        )


def may_act(
    account: Account | None,
    address: bytes,
    signers: tuple[bytes, ...],
    purpose: Purpose,
    amount_minor: int = 0,
) -> bool:
    """Whether these keys together may act for an address to this purpose and amount.

    Args:
      account: of that address, as the state has it; None where there is none.
      address: for whom they act.
      signers: addresses of the keys.
      purpose: what for.
      amount_minor: what is moved, 0 where there is nothing.
    """
    if account is None:
        return address in signers
    weight, _ = _weigh(account, signers, purpose, amount_minor)
    return weight >= account.threshold


def _weigh(
    account: Account, signers: tuple[bytes, ...], purpose: Purpose, amount_minor: int
) -> tuple[int, int]:
    """Weigh the keys that signed: those that may, and those that only their limits keep from it."""
    weight = limited = 0
    for key in account.keys:
        if key.purposes & purpose and key.address in signers:
            if key.is_over_limit(amount_minor):
                limited += key.weight
            else:
                weight += key.weight
    return weight, limited
