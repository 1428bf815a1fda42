"""A node on a played chain, served in the test's own loop, with a key for each role."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer
from tests.played import play
from tests.world import World, key, make_genesis, open_world

from hansa.engine.storage import FileStorage
from hansa.engine.verification import InlineVerifier
from hansa.kernel.block import decode_receipt
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import KeyRing, add_key
from hansa.node.api.rights import Role
from hansa.node.service import Node
from hansa.node.serving.app import create_app
from hansa.node.settings import Limits, Settings

NOW_MS = 1_800_000_000_000
UNLIMITED = Limits(anyone_per_s=0, known_per_s=0)

ADA, BEN = to_text(key("ada").address), to_text(key("ben").address)
BANK, NORTH, SOUTH, REGULATOR = (
    to_text(key(name).address) for name in ("officer0", "north", "south", "regulator")
)
CALLERS = {
    "customer": (Role.CUSTOMER, None, [ADA]),
    "operator": (Role.OPERATOR, NORTH, []),
    "other_operator": (Role.OPERATOR, SOUTH, []),
    "member": (Role.MEMBER, SOUTH, []),
    "central_bank": (Role.CENTRAL_BANK, BANK, []),
    "regulator": (Role.REGULATOR, REGULATOR, []),
}


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        """Read it, in seconds."""
        return self.s


@dataclass
class Town:
    """A played chain in a folder, and the tokens of callers by name."""

    world: World
    path: Path
    tokens: dict[str, str]
    clock: Clock = field(default_factory=Clock)

    @property
    def last_tx_id(self) -> str:
        """Id of the newest transaction: ada pays the shop."""
        receipt = self.world.results[-1].receipts[-1]
        return decode_receipt(receipt).tx_id.hex()

    def sign_in(self, caller: str) -> dict[str, str]:
        """The headers of a caller; none for `anyone`."""
        token = self.tokens.get(caller)
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def serve(
        self,
        use: Callable[[TestClient, Node], Awaitable[None]],
        settings: Settings | None = None,
        *,
        is_started: bool = False,
        keys: KeyRing | None = None,
    ) -> None:
        """Serve the chain, and use it; with `is_started` transactions are taken, too."""

        async def run() -> None:
            sponsor = key("north").address
            verifier = InlineVerifier(self.world.network)
            node = Node(self.world.chain, verifier, sponsor, key("north server"))
            app = create_app(
                node,
                settings or Settings(limits=UNLIMITED),
                keys or KeyRing(self.path),
                clock_s=self.clock,
                clock_ms=lambda: NOW_MS,
            )
            if is_started:
                node.engine.start()
            async with TestClient(TestServer(app)) as client:
                await use(client, node)
            if is_started:
                await node.engine.stop()

        asyncio.run(run())


def make_town(folder: Path) -> Town:
    """Play a small day, and make a key for each caller."""
    world = open_world(FileStorage(folder / "log"), make_genesis())
    play(world)
    path = folder / "api-keys.json"
    tokens = {}
    for name, (role, member, wallets) in CALLERS.items():
        fields = {"role": role, "member": member, "wallets": wallets}
        _, tokens[name] = add_key(path, name=name, now_ms=NOW_MS - 1, **fields)
    return Town(world, path, tokens)
