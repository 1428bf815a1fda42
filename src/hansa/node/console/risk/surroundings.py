"""What lies around a payment: who paid its two parties, and whom they paid, of late.

Read from the ledger, by the pointers that each balance change carries to the one before, and only
of wallets that whoever looks may read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from hansa.contracts.balances import Balance
from hansa.contracts.wallets import Wallet
from hansa.kernel.block import compute_position, decode_header, decode_receipt, split_position
from hansa.kernel.errors import NotFound
from hansa.node.console.reading import Pace, Reader
from hansa.node.console.text.explain import Change, list_changes

WINDOW_MS: Final = 30 * 86_400_000
"""How far back is looked, before the decision."""
CHANGES_READ: Final = 60
"""Balance changes that are read of each of the two."""
OTHERS_READ: Final = 6
"""And of each of the others, for what they paid each other."""
OTHERS_SHOWN: Final = 12
"""Wallets beside the two: those with which the most was paid."""

_WALLET = frozenset({"wallet", "held"})
_MONEY = _WALLET | {"vault"}


class Flow(NamedTuple):
    """What one paid another."""

    source: bytes
    target: bytes
    payments: int
    amount_minor: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the picture of a payment shows."""

    payer: bytes
    payee: bytes
    asset: str
    amount_minor: int
    flows: tuple[Flow, ...]
    """Among those shown, the payment itself not among them; the largest first."""
    others: tuple[bytes, ...]
    """Wallets beside the two, the one with the most first."""
    left_out: int
    """Wallets beside these."""
    unread: tuple[bytes, ...]
    """Of the two, whose other payments whoever looks may not see."""
    is_cut: bool
    """Whether there are more changes in the time than are read."""


class _Paid(NamedTuple):
    source: bytes
    target: bytes
    amount_minor: int
    time_ms: int
    place: tuple[int, int, int]
    """Height, index of its transaction, and number of the event."""


async def read_surroundings(
    reader: Reader,
    payment: tuple[bytes, bytes, str, int],
    tx_id: bytes,
    decided_ms: int,
    may_read: Callable[[bytes], bool],
) -> Surroundings:
    """Read what lies around a payment.

    Args:
      reader: of the chain.
      payment: payer, payee, asset and amount in minor units.
      tx_id: of its transaction, which is left out.
      decided_ms: up to when, and a window before it.
      may_read: whether whoever looks may read a wallet.
    """
    payer, payee, asset, amount_minor = payment
    own = _find_place(reader, tx_id)
    paid: set[_Paid] = set()
    is_cut = False
    readable = [each for each in (payer, payee) if may_read(each)]
    follow = _Follower(reader, asset, decided_ms, own)
    for wallet in readable:
        some, is_more = await follow.follow(wallet, CHANGES_READ)
        paid |= some
        is_cut = is_cut or is_more
    ranked = _rank(_sum_flows(paid), {payer, payee})
    shown = {payer, payee, *ranked[:OTHERS_SHOWN]}
    # What an operator converts for the others tells nothing of this payment.
    wallets = {each for each in shown if reader.load(Wallet, each) is not None}
    for wallet in filter(may_read, ranked[:OTHERS_SHOWN]):
        some, _ = await follow.follow(wallet, OTHERS_READ)
        paid |= {each for each in some if {each.source, each.target} <= wallets}
    flows = _sum_flows(paid)
    return Surroundings(
        payer,
        payee,
        asset,
        amount_minor,
        tuple(each for each in flows if each.source in shown and each.target in shown),
        tuple(ranked[:OTHERS_SHOWN]),
        max(0, len(ranked) - OTHERS_SHOWN),
        tuple(each for each in (payer, payee) if each not in readable),
        is_cut,
    )


class _Follower:
    """Follows balances of one asset backwards, from one moment on."""

    def __init__(
        self, reader: Reader, asset: str, decided_ms: int, own: tuple[int, int] | None
    ) -> None:
        self._reader = reader
        self._asset = asset
        self._decided_ms = decided_ms
        self._own = own
        self._pace = Pace()

    async def follow(self, wallet: bytes, reads_max: int) -> tuple[set[_Paid], bool]:
        """Follow a wallet's changes: from the payment's own on, if it made one, else from the last.

        Returns:
          What was paid out of it and into it, and whether there is more in the time.
        """
        reader, paid = self._reader, set[_Paid]()
        position, read = self._find_start(wallet), 0
        while position and read < reads_max and reader.is_kept(position):
            height, index = split_position(position)
            record = reader.get_logged(height)
            time_ms = decode_header(record.header).time_ms
            if time_ms < self._decided_ms - WINDOW_MS:
                return paid, False
            events = decode_receipt(record.receipts[index]).events
            is_before = height <= reader.chain.confirmed_height and time_ms <= self._decided_ms
            if is_before and (height, index) != self._own:
                paid |= self._list_paid((height, index), events, wallet, time_ms)
            position = self._find_earlier(list_changes(events), wallet, position)
            read += 1
            await self._pace.rest()
        return paid, bool(position)

    def _find_start(self, wallet: bytes) -> int:
        balance = self._reader.load(Balance, wallet, self._asset)
        newest = 0 if balance is None else balance.previous
        if self._own is None:
            return newest
        own = compute_position(*self._own)
        record = self._reader.get_logged(self._own[0])
        changes = list_changes(decode_receipt(record.receipts[self._own[1]]).events)
        is_of_it = any(each.owner == wallet and each.asset == self._asset for each in changes)
        return own if is_of_it else newest

    def _find_earlier(self, changes: Sequence[Change], wallet: bytes, position: int) -> int:
        """Find the change before those of a transaction; 0 if there is none."""
        earlier = [
            each.previous
            for each in changes
            if each.owner == wallet
            and each.asset == self._asset
            and each.ledger in _WALLET
            and each.previous < position
        ]
        return min(earlier, default=0)

    def _list_paid(
        self,
        place: tuple[int, int],
        events: Sequence[tuple[str, str, Sequence[Any]]],
        wallet: bytes,
        time_ms: int,
    ) -> set[_Paid]:
        """List what a transaction paid out of a wallet, or into it."""
        found = set()
        for number, event in enumerate(events):
            moved = _read_moved(list_changes([event]), self._asset)
            if moved is not None and wallet in moved[:2]:
                found.add(_Paid(*moved, time_ms, (*place, number)))
        return found


def _read_moved(changes: Sequence[Change], asset: str) -> tuple[bytes, bytes, int] | None:
    """Read from whom to whom an event moved how much; what is only reserved did not move."""
    of_asset = [each for each in changes if each.asset == asset and each.ledger in _MONEY]
    gave = [each for each in of_asset if each.amount_minor < 0]
    got = [each for each in of_asset if each.amount_minor > 0]
    if not gave or not got or gave[0].owner == got[-1].owner:
        return None
    return gave[0].owner, got[-1].owner, got[-1].amount_minor


def _sum_flows(paid: set[_Paid]) -> list[Flow]:
    by_pair: dict[tuple[bytes, bytes], list[_Paid]] = defaultdict(list)
    for each in sorted(paid):
        by_pair[each.source, each.target].append(each)
    flows = [
        Flow(
            *pair,
            len(some),
            sum(each.amount_minor for each in some),
            max(each.time_ms for each in some),
        )
        for pair, some in by_pair.items()
    ]
    return sorted(flows, key=lambda flow: (-flow.amount_minor, flow.source, flow.target))


def _rank(flows: Sequence[Flow], parties: set[bytes]) -> list[bytes]:
    """Rank the others by how much was paid with them."""
    sums: dict[bytes, int] = defaultdict(int)
    for flow in flows:
        for address in (flow.source, flow.target):
            if address not in parties:
                sums[address] += flow.amount_minor
    return sorted(sums, key=lambda address: (-sums[address], address))


def _find_place(reader: Reader, tx_id: bytes) -> tuple[int, int] | None:
    try:
        place = reader.chain.find_position(tx_id)
    except NotFound:
        return None
    return place if place[0] <= reader.chain.confirmed_height else None
