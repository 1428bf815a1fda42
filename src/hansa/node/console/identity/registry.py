"""Which rows there are in the registries of identity, by what pages list them by.

The ledger finds a row by its key alone; who may issue a type, or whom somebody has accredited, is
found by going through a table. That is done in slices between the node's other work, again only
where the ledger went on, and resting for many times as long as it took.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from hansa.contracts.identity.accreditation import Grant
from hansa.contracts.identity.schemas import CredentialType
from hansa.contracts.identity.status import StatusList
from hansa.engine.chain import Chain
from hansa.kernel.crypto.address import ADDRESS_BYTES
from hansa.kernel.rows import Row, decode_row
from hansa.node.console.reading import Pace

REST_FACTOR = 20
"""So many times as long as going through the tables took, they are left alone."""


@dataclass(frozen=True, slots=True)
class Index:
    """What there was as of one checkpoint, each in the order of its keys."""

    height: int
    types: tuple[str, ...] = ()
    """Names of all types of credentials."""
    owned: Mapping[bytes, tuple[str, ...]] = field(default_factory=dict)
    """Types by who owns their names."""
    issuers: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    """Who has, or had, a grant, by type."""
    granted: Mapping[bytes, tuple[tuple[str, bytes], ...]] = field(default_factory=dict)
    """(type, issuer) by who stands for the grant now; the network, too."""
    held: Mapping[bytes, tuple[str, ...]] = field(default_factory=dict)
    """Types for which there is a grant, by issuer."""
    lists: tuple[tuple[bytes, int], ...] = ()
    """(issuer, number) of all status lists."""


class Registry:
    """Keeps an index of one chain's registries.

    Args:
      chain: the chain.
      clock_s: never goes back.
    """

    def __init__(self, chain: Chain, clock_s: Callable[[], float]) -> None:
        self._chain = chain
        self._clock_s = clock_s
        self._index = Index(-1)
        self._rest_until_s = float("-inf")
        self._reading = asyncio.Lock()

    @property
    def is_current(self) -> bool:
        """Whether the index has all that the newest checkpoint has."""
        return self._index.height == self._chain.store.pending_height

    async def read(self) -> Index:
        """Get the index, brought up to date where it may be."""
        async with self._reading:
            if not self.is_current and self._clock_s() >= self._rest_until_s:
                begun_s = self._clock_s()
                self._index = await self._search()
                now_s = self._clock_s()
                self._rest_until_s = now_s + REST_FACTOR * (now_s - begun_s)
        return self._index

    async def _search(self) -> Index:
        # All of one moment: later blocks do not show in what is iterated.
        height = self._chain.store.pending_height
        types = self._iterate(CredentialType)
        grants = self._iterate(Grant)
        lists = self._iterate(StatusList)
        names: list[str] = []
        owned: dict[bytes, list[str]] = defaultdict(list)
        async for _, raw in types:
            row = decode_row(CredentialType, raw)
            names.append(row.name)
            owned[row.owner].append(row.name)
        issuers: dict[str, list[bytes]] = defaultdict(list)
        granted: dict[bytes, list[tuple[str, bytes]]] = defaultdict(list)
        held: dict[bytes, list[str]] = defaultdict(list)
        async for _, raw in grants:
            grant = decode_row(Grant, raw)
            issuers[grant.credential_type].append(grant.issuer)
            granted[grant.granter].append((grant.credential_type, grant.issuer))
            held[grant.issuer].append(grant.credential_type)
        numbers = [_read_list_key(key) async for key, _ in lists]
        return Index(
            height,
            tuple(sorted(names)),
            {owner: tuple(sorted(found)) for owner, found in owned.items()},
            {name: tuple(found) for name, found in issuers.items()},
            {granter: tuple(sorted(found)) for granter, found in granted.items()},
            {issuer: tuple(sorted(found)) for issuer, found in held.items()},
            tuple(numbers),
        )

    def _iterate(self, row_type: type[Row]) -> AsyncIterator[tuple[bytes, bytes]]:
        rows = self._chain.iterate_rows(row_type.TABLE)

        async def go_through() -> AsyncIterator[tuple[bytes, bytes]]:
            # What waits to be written is looked through with the first row.
            item = await asyncio.to_thread(next, rows, None)
            pace = Pace()
            while item is not None:
                yield item
                await pace.rest()
                item = next(rows, None)

        return go_through()


def _read_list_key(key: bytes) -> tuple[bytes, int]:
    """Read issuer and number from a status list's key; its row has the hashes of all its chunks."""
    at = len(StatusList.TABLE)
    return key[at : at + ADDRESS_BYTES], int.from_bytes(key[at + ADDRESS_BYTES :], "big")
