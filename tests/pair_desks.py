"""Two banks that reconcile, each with its own API over one node in memory, for plain clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.paired import NAMES, Paired, running
from tests.running import UNLIMITED, in_a_loop
from tests.world import ASSET, key

from hansa.contracts import accounts, currency
from hansa.kernel.authority import ALL_PURPOSES, AccountKey
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.service import wall_clock_ms
from hansa.node.serving.serve import serve

VAULT_MINOR = 1_000_000


@dataclass(frozen=True)
class Desk:
    """One bank's API, and an API key of the bank."""

    name: str
    url: str
    token: str


@dataclass(frozen=True)
class Desks:
    """Both banks; each has a second officer, `north 2` and `south 2`, and money in its vault."""

    paired: Paired
    loop: asyncio.AbstractEventLoop
    banks: tuple[Desk, ...]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait, from block to block, until something holds in the loop of the node."""
        call = self.paired.wait_for(condition)
        asyncio.run_coroutine_threadsafe(call, self.loop).result()


@contextmanager
def run_desks(folder: Path) -> Iterator[Desks]:
    """Run both banks' APIs."""
    paired = Paired()
    _prepare(paired)
    made, tokens = [], []
    for name in NAMES:
        member = to_text(key(name).address)
        fields = {"role": Role.OPERATOR, "member": member, "now_ms": wall_clock_ms()}
        tokens.append(add_key(folder / f"{name}.json", name=name, **fields)[1])
    state = running(paired)

    async def start() -> str:
        made.append(asyncio.get_running_loop())
        await state.__aenter__()
        for name, service in zip(NAMES, paired.services, strict=True):
            ring = KeyRing(folder / f"{name}.json")
            made.append(await serve(paired.node, UNLIMITED, ring, None, service))
        return " ".join(each.url for each in made[1:])

    async def stop() -> None:
        for server in made[1:]:
            await server.stop()
        await state.__aexit__(None, None, None)

    with in_a_loop(start, stop) as urls:
        banks = map(Desk, NAMES, urls.split(), tokens)
        yield Desks(paired, made[0], tuple(banks))


def _prepare(paired: Paired) -> None:
    """Give each bank a second officer and money."""
    for name in NAMES:
        address = key(name).address
        keys = tuple(
            AccountKey(key(each).address, int(ALL_PURPOSES))
            for each in (name, f"{name} 2", f"{name} server")
        )
        assert paired.world.do(name, accounts.SetKeys(address, keys, 1)) == ""
        issued = (
            currency.SetQuota(address, ASSET, VAULT_MINOR),
            currency.Issue(address, ASSET, VAULT_MINOR),
        )
        assert paired.world.do(("officer0", "officer1"), *issued) == ""
