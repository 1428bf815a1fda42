"""Net positions: who owes whom for an agreed window, who has signed it, and what settled it."""

from __future__ import annotations

from dataclasses import dataclass

from hansa.contracts.reconciliation.positions import Position, Settled
from hansa.node.console.reading import Reader
from hansa.node.console.reconciliation.steps import Steps
from hansa.node.reconcile.service import PairService, PairView
from hansa.reconcile.rules.windows import get_days
from hansa.reconcile.stream.closing import NetAmount
from hansa.reconcile.stream.terms import Place


@dataclass(frozen=True, slots=True)
class PositionLine:
    """What one bank owes the other in a currency, for a window."""

    window: int
    days: str
    currency: str
    entries: int
    """Of the books that lead, that matched."""
    payer: Place | None
    """Who owes; None where nobody does."""
    amount_minor: int
    state: str
    """A key of `words.POSITION_STATES`."""
    has_signed: tuple[bool, bool]
    """Whether this bank, and the other one, have signed it."""
    since_ms: int
    """When it came to stand as it does; 0 if it is not on the ledger."""
    settled_in: bytes
    """Id of the transaction; empty if it is not settled, or not known any more."""


def list_positions(
    pairs: PairService, view: PairView, reader: Reader, steps: Steps, windows: range
) -> list[PositionLine]:
    """List the net positions of some windows, in their order.

    Args:
      pairs: of this node's bank.
      view: the agreement.
      reader: of the ledger.
      steps: of positions.
      windows: numbers of agreed windows.
    """
    lines = []
    for window in windows:
        outcome = pairs.get_window(view.agreement, window).outcome
        for net in outcome.nets if outcome else ():
            row = reader.load(Position, view.agreement, window, net.currency)
            lines.append(_read(view, steps, window, net, row))
    return lines


def _read(
    view: PairView, steps: Steps, window: int, net: NetAmount, row: Position | None
) -> PositionLine:
    first, last = get_days(view.pair.window, window)
    payer = None
    if net.net_minor:
        # What comes in, by the left bank's books, the right one owes.
        payer = Place.RIGHT if net.net_minor > 0 else Place.LEFT
    signed = (bool(row.left), bool(row.right)) if row else (False, False)
    taken = steps.list_steps((view.agreement, (window, net.currency)))
    settled = [each.tx_id for each in taken if isinstance(each.event, Settled)]
    return PositionLine(
        window,
        first.isoformat() if first == last else f"{first.isoformat()} to {last.isoformat()}",
        net.currency,
        net.entries,
        payer,
        abs(net.net_minor),
        _name_state(view, net, row),
        (signed[view.place], signed[view.place.other]),
        row.since_ms if row else 0,
        settled[0] if settled else b"",
    )


def _name_state(view: PairView, net: NetAmount, row: Position | None) -> str:
    if row is None:
        return "unsigned" if net.currency in view.pair.terms.assets else "outside"
    if row.is_settled:
        return "settled"
    if row.is_agreed:
        return "signed"
    return "differs" if row.left and row.right else "half"
