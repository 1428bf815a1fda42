"""A bank's node that has decided on something of everything that pages about risk control show."""

from __future__ import annotations

from dataclasses import dataclass

from tests.world import pay

from hansa.kernel.block import decode_receipt
from hansa.kernel.transaction import compute_tx_id, decode_envelope
from hansa.node.risk.clerk.judging import Answering

RULES = b"""name = "several"
[[rules]]
name = "notable"
verdict = "step_up"
all = ["amount_minor >= 400"]
note = "More than most people pay at once. Its owner, asked by another way, knows."
[[rules]]
name = "huge"
verdict = "block"
all = ["amount_minor >= 5000"]
[[rules]]
name = "new_payee"
verdict = "review"
all = ["is_first_of_pair = 1"]
any = ["amount_minor >= 90", "amount_minor > 2.5 * payer_mean_30d_minor"]
is_trial = true
note = "<b>Tried</b> only."
"""
CUSTOMERS = ("ann", "ben", "carl", "dora", "shop", "listed")


@dataclass
class Decided:
    """Ids of transactions by what became of them."""

    allowed: bytes = b""
    waits: bytes = b""
    """Of two payments; for an officer."""
    confirming: bytes = b""
    """Waits for its customer."""
    released: bytes = b""
    refused: bytes = b""
    blocked: bytes = b""
    listed: bytes = b""


async def decide_on_several(bank, node, desk) -> Decided:
    """Have customers pay each other, and some of it held, answered and told of."""

    async def send(name, *payments) -> bytes:
        answer = await node.desk.submit(bank.sign(name, *payments))
        receipt = decode_receipt(answer.receipt)
        assert receipt.code == ""
        return receipt.tx_id

    async def hold(name, *payments) -> bytes:
        envelope = bank.sign(name, *payments)
        node.desk.enqueue(envelope)
        tx_id = compute_tx_id(bank.world.network, decode_envelope(envelope)[0].body)
        while await desk.find_held(tx_id) is None:
            pass
        return tx_id

    ways = [("ben", "ann", 120), ("carl", "ann", 80), ("ann", "dora", 95), ("shop", "ben", 60)]
    ways += [("ann", "shop", 31), ("dora", "shop", 77), ("shop", "ann", 12), ("ann", "carl", 8)]
    ways += [("ben", "carl", 15)]
    for number, (payer, payee, amount_minor) in enumerate(ways):
        await send(payer, pay(payer, payee, amount_minor, f"way-{number}"))
    found = Decided()
    found.allowed = await send("ann", pay("ann", "shop", 300, "bread"))
    await desk.tell(found.allowed, is_fraud=True)
    found.released = await hold("ann", pay("ann", "shop", 650, "table"))
    found.refused = await hold("ben", pay("ben", "shop", 900, "sofa"))
    await desk.answer(found.released, Answering.RELEASED, "console: <i>officer 7</i>")
    await desk.answer(found.refused, Answering.REFUSED, "console: officer 7")
    await desk.tell(found.refused, is_fraud=True)
    found.confirming = await hold("carl", pay("carl", "dora", 450, "chair"))
    found.waits = await hold("ann", pay("ann", "shop", 700, "a"), pay("ann", "ben", 5, "b"))
    found.blocked = await hold("dora", pay("dora", "shop", 5_000, "car"))
    found.listed = await hold("ann", pay("ann", "listed", 20, "gift"))
    while (await desk.find_answer(found.released)) is None or not _is_paid(bank, found.released):
        await desk.list_decisions(1, 1)  # gives way to what brings it in
    return found


def _is_paid(bank, tx_id) -> bool:
    return bool(bank.world.chain.find_positions([tx_id]))
