"""What CometBFT is told about a voted network: it follows from genesis, so all nodes agree on it.

Source: docs/ARCHITECTURE.md.
"""

from __future__ import annotations

from hansa.engine.cometbft.configuration import Validator, write_genesis
from hansa.engine.cometbft.home import CometHome
from hansa.kernel.genesis import Network
from hansa.kernel.light.trail import compute_chain_id
from hansa.kernel.light.votes import list_genesis_validators


def write_first_block(comet: CometHome, network: Network) -> None:
    """Write CometBFT's genesis, which follows from ours; raises `Unavailable`."""
    first = list_genesis_validators(network.genesis).validators
    write_genesis(
        comet,
        compute_chain_id(network.genesis_hash),
        network.genesis.time_ms,
        [Validator(*each) for each in sorted((one.public_key, one.power) for one in first)],
        network.limits.batch_bytes,
    )
