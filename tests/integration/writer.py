"""Writes payments into a data folder until it is killed; tells each confirmed height.

python tests/integration/writer.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.played import open_folder
from tests.world import key, pay


def main() -> None:
    """Fund two wallets, then pay to and fro for ever."""
    with open_folder(Path(sys.argv[1])) as world:
        if world.chain.head.height == 0:
            world.fund("ada", "shop", amount_minor=1_000_000)
        start = world.chain.head.height
        world.nonces = start * 1_000
        while True:
            world.time_ms += 300
            height = world.chain.head.height + 1
            payments = [
                world.sign([key("ada")], pay("ada", "shop", 1, f"{height}-{number}"))
                for number in range(5)
            ]
            world.send(*payments)
            sys.stdout.write(f"{world.chain.confirmed_height}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
