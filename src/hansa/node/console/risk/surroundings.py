"""What lies around a payment: who paid its two parties, and whom they paid, of late.

Read from the ledger, by the pointers that each balance change carries to the one before, and only
of wallets that whoever looks may read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hansa.contracts.balances import Balance
from hansa.kernel.block import compute_position, decode_header, decode_receipt, split_position
from hansa.kernel.errors import NotFound
from hansa.node.console.reading import Pace, Reader
from hansa.node.console.text.explain import Change, list_changes

WINDOW_MS: Final = 30 * 86_400_000
"""How far back is looked, before the decision."""
CHANGES_READ: Final = 60
"""Balance changes that are read of each of the two."""
OTHERS_SHOWN: Final = 12
"""Wallets beside the two: those with which the most was paid."""

_MONEY = frozenset({"wallet", "held", "vault"})


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
    place: tuple[int, int]
    """Of its transaction."""


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
    for wallet in readable:
        some, is_more = await _follow(reader, wallet, asset, decided_ms, own)
        paid |= some
        is_cut = is_cut or is_more
    flows = _sum_flows(paid)
    ranked = _rank(flows, {payer, payee})
    shown = {payer, payee, *ranked[:OTHERS_SHOWN]}
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


async def _follow(
    reader: Reader, wallet: bytes, asset: str, decided_ms: int, own: tuple[int, int] | None
) -> tuple[set[_Paid], bool]:
    """Follow a wallet's changes backwards, from the payment's own on if it has been made."""
    balance = reader.load(Balance, wallet, asset)
    position = 0 if balance is None else balance.previous
    if own is not None:
        position = compute_position(*own)
    pace = Pace()
    paid: set[_Paid] = set()
    read = 0
    while position and read < CHANGES_READ and reader.is_kept(position):
        place = split_position(position)
        record = reader.get_logged(place[0])
        time_ms = decode_header(record.header).time_ms
        if time_ms < decided_ms - WINDOW_MS:
            return paid, False
        changes = list_changes(decode_receipt(record.receipts[place[1]]).events)
        mine = [
            each
            for each in changes
            if each.owner == wallet and each.asset == asset and each.ledger in {"wallet", "held"}
        ]
        if place != own and place[0] <= reader.chain.confirmed_height:
            paid |= _list_paid(reader, place, wallet, asset, time_ms)
        position = min((each.previous for each in mine if each.previous < position), default=0)
        read += 1
        await pace.rest()
    return paid, bool(position)


def _list_paid(
    reader: Reader, place: tuple[int, int], wallet: bytes, asset: str, time_ms: int
) -> set[_Paid]:
    """List what a transaction paid out of a wallet, or into it."""
    receipt = decode_receipt(reader.get_logged(place[0]).receipts[place[1]])
    found = set()
    for event in receipt.events:
        moved = _read_moved(list_changes([event]), asset)
        if moved is not None and wallet in moved[:2]:
            found.add(_Paid(*moved, time_ms, place))
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
