"""What must be true of all nodes of a voted network after any fault: one check for all tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from hansa.engine.chain import Chain
from hansa.kernel.block import decode_receipt

Told = Mapping[bytes, tuple[int, int]]
"""Height and index by transaction, as a client was told that it is confirmed."""


def check_alike(chains: Sequence[Chain], told: Told, unsure: Collection[bytes] = ()) -> int:
    """Check that all chains have the same blocks, and in them what was told, once, and no more.

    Args:
      chains: of all nodes, each at least as high as what was told.
      told: of all transactions that anybody signed, but for those below.
      unsure: transactions of which nobody was told, which may be there or not.

    Returns:
      the height up to which all are equal.
    """
    height = min(chain.head.height for chain in chains)
    assert height >= max(at for at, _ in told.values())
    headers = [_check_one(chain, told, unsure, height) for chain in chains]
    for at in range(height + 1):  # a header names the state's root
        assert len({each[at] for each in headers}) == 1, f"block {at} differs"
    return height


def _check_one(
    chain: Chain, told: Told, unsure: Collection[bytes], height: int
) -> list[tuple[bytes, ...]]:
    """Check one chain; returns headers and receipts of its blocks."""
    blocks, found = [], Counter[bytes]()
    for record in chain.iterate_records(0):
        blocks.append((record.header, *record.receipts))
        found.update(decode_receipt(raw).tx_id for raw in record.receipts)
    assert not [tx_id.hex() for tx_id in told if tx_id not in found], "lost"
    assert not [tx_id.hex() for tx_id, times in found.items() if times > 1], "doubled"
    assert found.keys() <= told.keys() | set(unsure)
    for tx_id, (at, index) in told.items():
        assert chain.find_position(tx_id) == (at, index)
        assert decode_receipt(blocks[at][1 + index]).tx_id == tx_id
    return blocks[: height + 1]
