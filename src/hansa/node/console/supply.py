"""The supply proof: what issuers owe is what vaults, wallets and holds contain.

Sums over all balances as of one checkpoint, taken now and then in slices between other work of
the node. They go by the rows of the state; `History` goes on from them by the receipts.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hansa.contracts.balances import Balance
from hansa.contracts.currency import Asset, Vault
from hansa.engine.chain import Chain
from hansa.kernel.errors import Corrupt, HansaError
from hansa.kernel.rows import decode_row
from hansa.node.console.history import REST_FACTOR, History, Supply, Totals

ROWS_PER_SLICE: Final = 400
"""About a millisecond."""
PROOF_REST_FACTOR: Final = 50
"""Between two sums, so many times as long as a sum took, and no less than `PROOF_REST_S`."""
PROOF_REST_S: Final = 10.0
PATIENCE_S: Final = 0.1
"""How long a page waits for the first sum; then it is shown without."""


@dataclass(frozen=True, slots=True)
class AssetProof:
    """One asset's sums."""

    asset: str
    currency: str
    regime: str
    issuer: bytes
    supply: Supply

    @property
    def difference_minor(self) -> int:
        """What is owed less what is there: zero, or something is wrong."""
        return self.supply.difference_minor


@dataclass(frozen=True, slots=True)
class SupplyProof:
    """All assets as of one checkpoint."""

    height: int
    balances: int
    """How many wallet balances were summed."""
    assets: tuple[AssetProof, ...]
    """Those with most issued first."""

    @property
    def totals(self) -> Totals:
        """The sums by asset."""
        return {asset.asset: asset.supply for asset in self.assets}


class SupplyWatch:
    """Keeps a recent supply proof of a chain, one sum at a time, and the history behind it.

    What could not be read for a moment is tried again after a rest.

    Args:
      chain: the chain.
      rest_factor: see `hansa.node.console.history`.
      clock_s: never goes back.
      stop: told of damage, be it that nobody looks.
    """

    def __init__(
        self,
        chain: Chain,
        rest_factor: float = REST_FACTOR,
        *,
        clock_s: Callable[[], float] = time.monotonic,
        stop: Callable[[HansaError], None] | None = None,
    ) -> None:
        self._chain = chain
        self._clock_s = clock_s
        self._stop = stop
        self.history = History(chain, rest_factor)
        self._proof: SupplyProof | None = None
        self._task: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._rest_until = float("-inf")
        self._damage: Corrupt | None = None

    @property
    def proof_height(self) -> int:
        """The height of the newest proof; -1 before the first."""
        return -1 if self._proof is None else self._proof.height

    async def read(self) -> SupplyProof | None:
        """Get the newest proof; None while there is none yet.

        Raises:
          Corrupt: what summing or reading back met.
        """
        if self._damage is not None:
            raise self._damage
        if self._clock_s() >= self._rest_until:
            self._begin()
        if self._task is not None and self._proof is None:
            await asyncio.wait({self._task}, timeout=PATIENCE_S)
        return self._proof

    async def finish(self) -> None:
        """Wait until balances are summed, and the past has been read as far as it will be."""
        if self._task is not None:
            await self._task
        if self._reading is not None:
            await self._reading

    async def close(self) -> None:
        """Stop what is being summed or read, before the chain closes."""
        tasks = {task for task in (self._task, self._reading) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self) -> None:
        """Begin what is due: a sum, or reading back once more where that broke off."""
        proof = self._proof
        is_newer = proof is None or self._chain.store.pending_height > proof.height
        if self._task is None and is_newer:
            self._task = asyncio.create_task(self._sum())
        elif self._reading is None and proof is not None:
            self._reading = asyncio.create_task(self._read_back(proof))

    async def _sum(self) -> None:
        begun = self._clock_s()
        try:
            self._proof = await self._take_sum()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_back(self._proof))
        except HansaError as error:
            self._note_failure(error)
        finally:
            self._task = None
            now = self._clock_s()
            self._rest_until = now + max(PROOF_REST_S, PROOF_REST_FACTOR * (now - begun))

    async def _read_back(self, proof: SupplyProof) -> None:
        try:
            await self.history.read(proof.height, proof.totals)
        except HansaError as error:
            self._note_failure(error)
            self._reading = None
            self._rest_until = max(self._rest_until, self._clock_s() + PROOF_REST_S)

    def _note_failure(self, error: HansaError) -> None:
        """Keep damage, which ends the node; all else passes."""
        if isinstance(error, Corrupt):
            self._damage = error
            if self._stop is not None:
                self._stop(error)

    async def _take_sum(self) -> SupplyProof:
        # All three at one moment, before the first await: later blocks do not show in them.
        height = self._chain.store.pending_height
        asset_rows = self._chain.iterate_rows(Asset.TABLE)
        vault_rows = self._chain.iterate_rows(Vault.TABLE)
        rows = self._chain.iterate_rows(Balance.TABLE)
        assets = [decode_row(Asset, raw) for _, raw in await asyncio.to_thread(list, asset_rows)]
        vaults: Counter[str] = Counter()
        for _, raw in await asyncio.to_thread(list, vault_rows):
            vault = decode_row(Vault, raw)
            vaults[vault.asset] += vault.balance_minor
        wallets: Counter[str] = Counter()
        held: Counter[str] = Counter()
        count = 0
        item = await asyncio.to_thread(next, rows, None)
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
                Supply(row.issued_minor, vaults[row.asset], wallets[row.asset], held[row.asset]),
            )
            for row in sorted(assets, key=lambda row: -row.issued_minor)
        )
        return SupplyProof(height, count, proofs)
