"""The supply proof: what issuers owe is what vaults, wallets and holds contain.

Sums over all balances as of one checkpoint, taken in slices between other work of the node.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

from hansa.contracts.balances import Balance
from hansa.contracts.currency import Asset, Vault
from hansa.engine.chain import Chain
from hansa.kernel.state import decode_row

ROWS_PER_SLICE = 1_000
REST_FACTOR = 20
"""Between two sums, so many times as long as a sum took."""
PATIENCE_S = 0.25
"""How long a page waits for a sum; then it shows the one before."""


@dataclass(frozen=True, slots=True)
class AssetProof:
    """One asset's sums, in minor units."""

    asset: str
    currency: str
    regime: str
    issuer: bytes
    issued_minor: int
    vaults_minor: int
    wallets_minor: int
    held_minor: int

    @property
    def found_minor(self) -> int:
        """What is there."""
        return self.vaults_minor + self.wallets_minor + self.held_minor

    @property
    def difference_minor(self) -> int:
        """What is owed less what is there: zero, or something is wrong."""
        return self.issued_minor - self.found_minor


@dataclass(frozen=True, slots=True)
class SupplyProof:
    """All assets as of one checkpoint."""

    height: int
    balances: int
    """How many wallet balances were summed."""
    assets: tuple[AssetProof, ...]
    """Those with most issued first."""

    @property
    def is_proved(self) -> bool:
        """Whether nothing is missing and nothing is too much."""
        return all(asset.difference_minor == 0 for asset in self.assets)


class SupplyWatch:
    """Keeps a recent supply proof of a chain, one sum at a time."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._proof: SupplyProof | None = None
        self._task: asyncio.Task[None] | None = None
        self._rest_until = 0.0

    async def read(self) -> SupplyProof | None:
        """Get the newest proof; None while the first sum is being taken."""
        if self._task is None and self._is_due():
            self._task = asyncio.create_task(self._sum())
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=PATIENCE_S)
        return self._proof

    async def close(self) -> None:
        """Stop a sum that is being taken, before the chain closes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _is_due(self) -> bool:
        if self._proof is None:
            return True
        is_newer = self._chain.store.pending_height > self._proof.height
        return is_newer and time.monotonic() >= self._rest_until

    async def _sum(self) -> None:
        begun = time.monotonic()
        try:
            self._proof = await self._take_sum()
        finally:
            self._task = None
            now = time.monotonic()
            self._rest_until = now + REST_FACTOR * (now - begun)

    async def _take_sum(self) -> SupplyProof:
        # All three at one moment, before the first await: later blocks do not show in them.
        height = self._chain.store.pending_height
        assets = [decode_row(Asset, raw) for _, raw in self._chain.iterate_rows(Asset.TABLE)]
        vaults: Counter[str] = Counter()
        for _, raw in self._chain.iterate_rows(Vault.TABLE):
            vault = decode_row(Vault, raw)
            vaults[vault.asset] += vault.balance_minor
        rows = self._chain.iterate_rows(Balance.TABLE)
        item = next(rows, None)
        wallets: Counter[str] = Counter()
        held: Counter[str] = Counter()
        count = 0
        while item is not None:
            balance = decode_row(Balance, item[1])
            wallets[balance.asset] += balance.available_minor
            held[balance.asset] += balance.held_minor
            count += 1
            if count % ROWS_PER_SLICE == 0:
                await asyncio.sleep(0)
            item = next(rows, None)
        proofs = tuple(
            AssetProof(
                row.asset,
                row.currency,
                row.regime.value,
                row.issuer,
                row.issued_minor,
                vaults[row.asset],
                wallets[row.asset],
                held[row.asset],
            )
            for row in sorted(assets, key=lambda row: -row.issued_minor)
        )
        return SupplyProof(height, count, proofs)
