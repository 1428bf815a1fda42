"""What must be in order before CometBFT starts beside a node of a voted network."""

from __future__ import annotations

from hansa.engine.cometbft.configuration import StateSync, write_configuration
from hansa.engine.cometbft.signing import require_newest_signing_state
from hansa.kernel.genesis import Network
from hansa.node.home import Home
from hansa.node.network.voting import write_first_block
from hansa.node.settings import Settings
from hansa.sdk.files import require_private


def prepare_cometbft(
    home: Home, network: Network, settings: Settings, state_sync: StateSync | None = None
) -> None:
    """Check the keys of CometBFT, and write its files anew from genesis and `node.toml`.

    Nothing is written of what was signed: the keys and their signing state stay as they are.

    Args:
      home: the node's folder.
      network: a voted one.
      settings: of the node.
      state_sync: how it finds a snapshot to begin from, of a node without blocks.

    Raises:
      NotFound: a key is missing, or the state of what the consensus key signed.
      Invalid: a key is damaged, or others may open it, or that state is older than a vote of this
        node that lies here, or the folder's path cannot hold sockets.
      Corrupt: the votes that were kept are damaged.
      Unavailable: the disk refuses.
    """
    comet = home.comet
    comet.require_socket_paths()
    comet.load_node_key()
    require_private(comet.node_key_path)
    require_newest_signing_state(comet)
    require_private(comet.consensus_key_path)
    write_first_block(comet, network)
    write_configuration(
        comet,
        settings.cometbft,
        home.path.absolute().name or network.genesis.network,
        network.limits.batch_bytes,
        state_sync=state_sync,
    )
