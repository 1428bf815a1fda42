"""A node that pays to and fro through its engine, and tells each receipt once it has it.

python tests/integration/node_process.py FOLDER PAYMENTS

Goes on with a folder that is there. Ends with 0 after so many payments, or as `hansa` ends.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from tests.played import CHEAP, PASSPHRASE
from tests.world import World, key, make_genesis, pay

from hansa.cli.main import EXIT_CODES
from hansa.engine.chain import Chain
from hansa.engine.embedded import EmbeddedEngine
from hansa.engine.verification import InlineVerifier
from hansa.kernel.errors import HansaError
from hansa.node.home import Home, create_home, open_chain

FLUSH_TRANSACTIONS = 12
PAIRS = (("ada", "shop"), ("ben", "shop"), ("shop", "ada"))


async def run(chain: Chain, payments: int) -> None:
    """Pay until it is enough; nothing is told before its answer has come."""
    world = World(chain)
    world.time_ms = max(world.time_ms, chain.head.time_ms + 1_000)
    world.nonces = chain.head.height * 1_000
    engine = EmbeddedEngine(
        chain, InlineVerifier(chain.network), lambda: world.time_ms, block_wait_ms=1
    )
    engine.start()
    numbers = count(world.nonces)

    async def send(payer: str, payee: str) -> None:
        number = next(numbers)
        envelope = world.sign([key(payer)], pay(payer, payee, 1, f"{number}"))
        (answer,) = await engine.submit(world.batch(envelope))
        assert answer.error is None, answer.error
        sys.stdout.write(f"{answer.height} {answer.place} {answer.receipt.hex()}\n")
        sys.stdout.flush()

    try:
        for _ in range(0, payments, len(PAIRS)):
            world.time_ms += 400
            await asyncio.gather(*(send(*pair) for pair in PAIRS))
    finally:
        await engine.stop()


def main() -> int:
    """Open the folder, fund three wallets if it is new, pay."""
    home = Home(Path(sys.argv[1]))
    try:
        if not home.exists():
            keys = {"node": key("sealer")}
            create_home(home.path, make_genesis(), keys, PASSPHRASE, cost=CHEAP)
        chain = open_chain(home, key("sealer"))
        chain.flush_transactions = FLUSH_TRANSACTIONS
        is_failed = True
        try:
            if chain.head.height < 4:
                World(chain, nonces=10**9 + chain.head.height).fund("ada", "ben", "shop")
            asyncio.run(run(chain, int(sys.argv[2])))
            is_failed = False
        finally:
            chain.close(is_failed=is_failed)
    except HansaError as error:
        sys.stderr.write(f"hansa: {error.message}\n")
        return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    return 0


if __name__ == "__main__":
    sys.exit(main())
