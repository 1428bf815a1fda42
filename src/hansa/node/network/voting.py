"""What CometBFT is told about a voted network: it follows from genesis, so all nodes agree on it.

Source: docs/ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from hansa.contracts.nodes import list_validators
from hansa.contracts.registry import Registry
from hansa.engine.cometbft.configuration import Validator, write_genesis
from hansa.engine.cometbft.home import CometHome
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import compute_chain_id
from hansa.kernel.machine.state import State, View

_ROWS_MAX = 2**31


def list_first_validators(network: Network) -> list[Validator]:
    """List who votes on the first block, as the contracts have it from genesis."""
    view = View(State(_NoRows()), _ROWS_MAX, _ROWS_MAX)
    view.begin()
    Registry(network.genesis).install(view)
    return [Validator(key, power) for key, power in list_validators(view)]


def write_first_block(comet: CometHome, network: Network) -> None:
    """Write CometBFT's genesis, which follows from ours; raises `Unavailable`."""
    write_genesis(
        comet,
        compute_chain_id(network.genesis_hash),
        network.genesis.time_ms,
        list_first_validators(network),
        network.limits.batch_bytes,
    )


class _NoRows:
    """What is committed before genesis: nothing."""

    def get(self, key: bytes) -> bytes | None:  # noqa: ARG002 - whichever
        return None

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [None for _ in keys]
