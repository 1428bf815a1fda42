"""A payment and what lies around it as shapes: where each wallet stands, and how money flowed.

Those who paid stand above the payer and the payee, those who were paid below. A template draws the
shapes as SVG; its letters are told beside it in a table, which has every figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, log10

from hansa.node.console.risk.surroundings import Flow, Surroundings

WIDTH = 360.0
"""As many units as a phone has pixels, so that letters are as large as those around them."""
ROW_HEIGHT = 92.0
TOP = 26.0
RADIUS = 15.0
PARTY_RADIUS = 30.0
PARTIES_X = (95.0, 265.0)
APART = 5.0
"""What each of two flows in opposite directions keeps from the middle."""
PARTIES_APART = 13.0
"""And earlier flows between payer and payee, where the payment itself has the middle."""
CLEAR = 2.0
"""What arrows keep from the rims of wallets."""
BEND = 34.0
"""How far arcs between two of one row lead from it, towards the payer and the payee."""
HEAD_LENGTH = 7.0
HEAD_WIDTH = 3.5
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Node:
    """A wallet."""

    address: bytes
    label: str
    kind: str
    """`party` for payer and payee, else `other`."""
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """A flow, or the payment itself, as a line with a head."""

    kind: str
    """`own` for the payment itself, else `flow`."""
    path: str
    """What SVG draws: a line, or an arc between two of one row."""
    width: float
    head: str
    """Points of its head."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole picture."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    """The payment itself is the last one, so that it lies on top."""

    def name(self, address: bytes) -> str:
        """Name a wallet by its letter or role."""
        return next(each.label for each in self.nodes if each.address == address)


def draw(around: Surroundings) -> Picture:
    """Draw a payment and what lies around it."""
    sources, targets = _part(around)
    labels = dict(zip(around.others, LETTERS, strict=False))
    pulls = _find_pulls(around)
    y = TOP
    nodes: list[Node] = []
    if sources:
        nodes += _line_up(sources, labels, pulls, y)
        y += ROW_HEIGHT
    parties = (around.payer, around.payee)
    y = max(y, PARTY_RADIUS + 4)
    nodes += [
        Node(address, label, "party", x, y, PARTY_RADIUS)
        for address, label, x in zip(parties, ("Payer", "Payee"), PARTIES_X, strict=True)
    ]
    if targets:
        y += ROW_HEIGHT
        nodes += _line_up(targets, labels, pulls, y)
    by_address = {node.address: node for node in nodes}
    largest = max((flow.amount_minor for flow in around.flows), default=1)
    arrows = [_point(by_address, flow, around.flows, largest) for flow in around.flows]
    own = Flow(around.payer, around.payee, 1, around.amount_minor, 0)
    arrows.append(_build_arrow("own", by_address[own.source], by_address[own.target], 3.5, 0))
    height = y + max(node.radius for node in nodes if node.y == y) + 4
    return Picture(WIDTH, height, tuple(nodes), tuple(arrows))


def _part(around: Surroundings) -> tuple[list[bytes], list[bytes]]:
    """Part the others into who rather paid the two, and who rather was paid by them."""
    parties = {around.payer, around.payee}
    balance = dict.fromkeys(around.others, 0)
    for flow in around.flows:
        if flow.source in balance and flow.target in parties:
            balance[flow.source] += flow.amount_minor
        if flow.target in balance and flow.source in parties:
            balance[flow.target] -= flow.amount_minor
    sources = [each for each in around.others if balance[each] > 0]
    return sources, [each for each in around.others if balance[each] <= 0]


def _find_pulls(around: Surroundings) -> dict[bytes, float]:
    """Find where each of the others is drawn to: 0 to the payer alone, 1 to the payee alone."""
    sums = {address: [0, 0] for address in around.others}
    for flow in around.flows:
        for other, party in ((flow.source, flow.target), (flow.target, flow.source)):
            if other in sums and party in {around.payer, around.payee}:
                sums[other][party == around.payee] += flow.amount_minor
    return {address: payee / ((payer + payee) or 1) for address, (payer, payee) in sums.items()}


def _line_up(
    addresses: Sequence[bytes], labels: dict[bytes, str], pulls: dict[bytes, float], y: float
) -> list[Node]:
    """Line wallets up at one height, each near the one that it was paid by or paid."""
    ordered = sorted(addresses, key=lambda address: (pulls[address], address))
    step = WIDTH / len(ordered)
    radius = min(RADIUS, step / 2 - 1)
    return [
        Node(address, labels[address], "other", round(step * (at + 0.5), 1), y, round(radius, 1))
        for at, address in enumerate(ordered)
    ]


def _point(nodes: dict[bytes, Node], flow: Flow, flows: Sequence[Flow], largest: int) -> Arrow:
    """Draw a flow, beside the one that goes back, if there is one."""
    source, target = nodes[flow.source], nodes[flow.target]
    share = log10(1 + 9 * flow.amount_minor / largest)
    width = round(0.8 + 1.7 * share, 2)
    if source.kind == target.kind == "other" and source.y == target.y:
        return _bend_arrow(source, target, width, BEND if source.y == TOP else -BEND)
    if source.kind == target.kind == "party":
        return _build_arrow("flow", source, target, width, PARTIES_APART)
    is_both = any((each.target, each.source) == flow[:2] for each in flows)
    return _build_arrow("flow", source, target, width, APART if is_both else 0)


def _build_arrow(kind: str, source: Node, target: Node, width: float, apart: float) -> Arrow:
    """Draw a line between the rims of two wallets, moved to its left by `apart`."""
    dx, dy = target.x - source.x, target.y - source.y
    length = hypot(dx, dy) or 1.0
    ux, uy = dx / length, dy / length
    # Where a line that is moved aside meets the rims.
    begin = max(0.0, source.radius**2 - apart**2) ** 0.5 + CLEAR
    end = length - max(0.0, target.radius**2 - apart**2) ** 0.5 - CLEAR
    ox, oy = source.x + uy * apart, source.y - ux * apart
    scale = 1.5 if kind == "own" else 1.0
    tip = (ox + ux * end, oy + uy * end)
    (bx, by), head = _draw_head(tip, (ux, uy), scale)
    path = f"M{ox + ux * begin:.1f} {oy + uy * begin:.1f}L{bx:.1f} {by:.1f}"
    return Arrow(kind, path, width, head)


def _bend_arrow(source: Node, target: Node, width: float, bend: float) -> Arrow:
    """Draw an arc, so that it does not lead through those who stand between."""
    cx, cy = (source.x + target.x) / 2, source.y + bend
    length = hypot(cx - source.x, bend)
    ux, uy = (cx - source.x) / length, bend / length
    vx, vy = (target.x - cx) / length, -bend / length
    begin, end = source.radius + CLEAR, target.radius + CLEAR
    (bx, by), head = _draw_head((target.x - vx * end, target.y - vy * end), (vx, vy), 1.0)
    path = (
        f"M{source.x + ux * begin:.1f} {source.y + uy * begin:.1f}"
        f"Q{cx:.1f} {cy:.1f} {bx:.1f} {by:.1f}"
    )
    return Arrow("flow", path, width, head)


def _draw_head(
    tip: tuple[float, float], direction: tuple[float, float], scale: float
) -> tuple[tuple[float, float], str]:
    """Draw the head of an arrow; returns the middle of its base, and its points."""
    (x, y), (ux, uy) = tip, direction
    bx, by = x - ux * HEAD_LENGTH * scale, y - uy * HEAD_LENGTH * scale
    wx, wy = -uy * HEAD_WIDTH * scale, ux * HEAD_WIDTH * scale
    corners = ((x, y), (bx + wx, by + wy), (bx - wx, by - wy))
    return (bx, by), " ".join(f"{each:.1f},{other:.1f}" for each, other in corners)
