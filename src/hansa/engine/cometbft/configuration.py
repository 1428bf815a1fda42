"""CometBFT's settings and genesis, written from ours: node.toml stays the one place to change.

Only what we set stands in the file; the rest are defaults of CometBFT v0.38, none of which opens a
port. Rates and timeouts are measured: docs/performance.md.

Source: CometBFT v0.38 `config/config.go`, `config/toml.go`, `types/genesis.go`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from hansa.engine.cometbft.child.binary import VERSION
from hansa.engine.cometbft.home import CometHome, address_of_key, public_document
from hansa.engine.storage import FileStorage
from hansa.kernel.calendar import format_iso
from hansa.kernel.light.validators import VALIDATORS_MAX
from hansa.kernel.values import NODE_PEERS_MAX

DEFAULT_LISTEN = "127.0.0.1:26606"
BLOCK_BYTES = 2_000_000
EVIDENCE_BYTES = 65_536
BATCH_OVERHEAD_BYTES = EVIDENCE_BYTES + 65_536
"""Of a block around its transactions: evidence, the header, and the commit of 500 validators."""
RPC_OVERHEAD_BYTES = 65_536
INBOUND_PEERS = VALIDATORS_MAX * NODE_PEERS_MAX
"""So many that no few members, nor a stranger who knocks and says nothing, take all places."""
MEMPOOL_BATCHES = 5_000
MEMPOOL_BYTES = 64 << 20

Value = str | int | bool
"""Of a setting; lists are texts with commas in this file."""

HostAndPort = Annotated[str, Meta(pattern=r'^[^\s@,"\\]{1,253}:\d{1,5}$')]
PeerAddress = Annotated[str, Meta(pattern=r'^[0-9a-f]{40}@[^\s@,"\\]{1,253}:\d{1,5}$')]


NodeUrl = Annotated[str, Meta(pattern=r"^https?://[^\s@,\"\\?#]{1,253}$")]


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a node of a voted network meets its peers and makes blocks."""

    listen: HostAndPort = DEFAULT_LISTEN
    """Where peers connect: address and port."""
    external_address: Annotated[str, Meta(pattern=r'^([^\s@,"\\]{1,253}:\d{1,5})?$')] = ""
    """Address and port that peers are told, where `listen` names none that they could use."""
    peers: Annotated[tuple[PeerAddress, ...], Meta(max_length=256)] = ()
    """Nodes to stay connected to: `id@host:port`."""
    member: Annotated[str, Meta(pattern="^(hansa1[02-9ac-hj-np-z]{58})?$")] = ""
    """Whose node this is, where the blocks that it has do not tell yet."""
    join_from: Annotated[tuple[NodeUrl, ...], Meta(max_length=8)] = ()
    """Where other members' nodes answer: a node without blocks begins from a snapshot that they
    vouch for, instead of genesis."""
    join_checkpoint: Annotated[str, Meta(max_length=4_096)] = ""
    """File with the checkpoint from which validators are followed there; genesis if empty."""
    timeout_commit_ms: Annotated[int, Meta(ge=0, le=60_000)] = 50
    """How long after a block the next one waits for late votes."""
    heartbeat_s: Annotated[int, Meta(ge=1, le=3_600)] = 30
    """A block without transactions comes so often, which shows that the network lives."""
    log_level: Annotated[str, Meta(pattern=r"^(?!.*none)[\w:,*-]{1,200}$")] = "error"
    """Of `cometbft.log`: `error`, `info`, `debug`, or by module, as `p2p:info,*:error`; errors at
    least, from which the node learns that CometBFT has halted."""
    metrics_listen: Annotated[str, Meta(pattern=r'^([^\s@,"\\]{0,253}:\d{1,5})?$')] = ""
    """Where CometBFT's own metrics answer Prometheus; empty for nowhere."""


class StateSync(NamedTuple):
    """How a node that has no blocks finds a snapshot that it can believe."""

    servers: Sequence[str]
    """At least two, by which the light client follows the validators: `unix:///PATH` of a node's
    `rpc.sock`, or of a relay that asks several."""
    trust_height: int
    """Of a block of CometBFT that is known to be right."""
    trust_hash: bytes
    """Of its header."""


class Validator(NamedTuple):
    """A validator of the first block."""

    public_key: bytes
    power: int
    name: str = ""


def compute_block_bytes(batch_bytes: int) -> int:
    """Compute the largest block: 2 MB, or one of the network's largest batches where that is more.

    >>> compute_block_bytes(1_000_000), compute_block_bytes(4_194_304)
    (2000000, 4325376)
    """
    return max(BLOCK_BYTES, batch_bytes + BATCH_OVERHEAD_BYTES)


def build_consensus_parameters(batch_bytes: int) -> dict[str, Any]:
    """Build CometBFT's consensus parameters, which follow from our genesis and never change.

    The header's `consensus_hash` covers the section `block` alone: whoever asks others for the rest
    believes them.

    Args:
      batch_bytes: the network's limit of a batch.

    Source: CometBFT v0.38 `types/params.go`, `ConsensusParams.Hash`.
    """
    return {
        "block": {"max_bytes": str(compute_block_bytes(batch_bytes)), "max_gas": "-1"},
        "evidence": {
            "max_age_num_blocks": "100000",
            "max_age_duration": str(48 * 3600 * 10**9),
            "max_bytes": str(EVIDENCE_BYTES),
        },
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {"app": "0"},
        "abci": {"vote_extensions_enable_height": "0"},
    }


def write_genesis(
    home: CometHome,
    chain_id: str,
    time_ms: int,
    validators: Sequence[Validator],
    batch_bytes: int,
) -> None:
    """Write CometBFT's genesis; equal arguments give equal bytes.

    Args:
      home: CometBFT's folder.
      chain_id: names the network in every vote.
      time_ms: ledger time of the first block.
      validators: in the order of the network's genesis.
      batch_bytes: the network's limit of a batch.

    Raises:
      Unavailable: the disk refuses.
    """
    document = {
        "genesis_time": format_iso(time_ms, 0),
        "chain_id": chain_id,
        "initial_height": "1",
        "consensus_params": build_consensus_parameters(batch_bytes),
        "validators": [
            {
                "address": address_of_key(each.public_key).hex().upper(),
                "pub_key": public_document(each.public_key),
                "power": str(each.power),
                "name": each.name,
            }
            for each in validators
        ],
        "app_hash": "",
    }
    home.make_folders()
    raw = msgspec.json.format(msgspec.json.encode(document), indent=2)
    FileStorage(home.genesis_path.parent).replace(home.genesis_path.name, raw)


def write_configuration(
    home: CometHome,
    configuration: Configuration,
    moniker: str,
    batch_bytes: int,
    *,
    application: str = "",
    state_sync: StateSync | None = None,
) -> None:
    """Write `config.toml`, in place of the one before.

    Args:
      home: CometBFT's folder.
      configuration: what the operator chose.
      moniker: the node's name among its peers.
      batch_bytes: the network's limit of a batch, which is one transaction of CometBFT.
      application: instead of our socket, as `kvstore`, CometBFT's own, for measuring.
      state_sync: where to begin, of a node that has no blocks; genesis if not given.

    Raises:
      Invalid: no socket of CometBFT can be in the folder's path.
      Unavailable: the disk refuses.
    """
    home.require_socket_paths()
    home.make_folders()
    sections = {
        "": _write_main(home, moniker, configuration, application),
        "rpc": _write_rpc(home, batch_bytes),
        "p2p": _write_p2p(configuration),
        "mempool": _write_mempool(batch_bytes),
        "consensus": _write_consensus(configuration),
        "statesync": _write_state_sync(state_sync),
        "storage": {"discard_abci_responses": (True, "our log has the receipts")},
        "tx_index": {"indexer": ("null", "our store has the index")},
        "instrumentation": _write_instrumentation(configuration),
    }
    raw = format_toml(sections).encode()
    FileStorage(home.configuration_path.parent).replace(home.configuration_path.name, raw)


Section = Mapping[str, tuple[Value, str]]
"""Value and comment by key."""


def format_toml(sections: Mapping[str, Section]) -> str:
    r"""Write TOML: one line a key, with its comment above; the section "" comes without heading.

    >>> print(format_toml({"": {"abci": ("socket", "how")}, "p2p": {"pex": (False, "closed")}}))
    # Written by hansa at each start: change node.toml instead.
    <BLANKLINE>
    # how
    abci = "socket"
    <BLANKLINE>
    [p2p]
    # closed
    pex = false
    <BLANKLINE>
    """
    lines = ["# Written by hansa at each start: change node.toml instead."]
    for name, section in sections.items():
        lines += ["", f"[{name}]"] if name else [""]
        for key, (value, comment) in section.items():
            # A basic string of TOML takes what a string of JSON may hold.
            lines += [f"# {comment}", f"{key} = {json.dumps(value, ensure_ascii=False)}"]
    return "\n".join(lines) + "\n"


def _write_main(
    home: CometHome, moniker: str, configuration: Configuration, application: str
) -> Section:
    return {
        "version": (VERSION, "of CometBFT"),
        "moniker": (moniker, "this node's name among its peers"),
        "proxy_app": (application or f"unix://{home.abci_path.absolute()}", "hansa's own socket"),
        "abci": ("socket", "its protocol"),
        "filter_peers": (True, "hansa says of each peer whether it may connect"),
        "log_level": (configuration.log_level, "cometbft.log of this folder"),
        "log_format": ("plain", "for people"),
    }


def _write_rpc(home: CometHome, batch_bytes: int) -> Section:
    return {
        "laddr": (f"unix://{home.rpc_path.absolute()}", "hansa alone asks here: no port is open"),
        "grpc_laddr": ("", "nor another"),
        "pprof_laddr": ("", "nor another"),
        "unsafe": (True, "hansa has it call peers again"),
        "max_body_bytes": (2 * batch_bytes + RPC_OVERHEAD_BYTES, "one batch in hexadecimal"),
    }


def _write_p2p(configuration: Configuration) -> Section:
    ids = [peer.partition("@")[0] for peer in configuration.peers]
    return {
        "laddr": (f"tcp://{configuration.listen}", "where peers connect"),
        "external_address": (configuration.external_address, "what they are told"),
        "pex": (False, "nobody is told of others: who may connect stands on the ledger"),
        "seeds": ("", "none, as pex is off"),
        "persistent_peers": (",".join(configuration.peers), "kept connected"),
        "unconditional_peer_ids": (",".join(ids), "counted against no bound"),
        "persistent_peers_max_dial_period": ("10s", "a peer that comes back is found soon"),
        "addr_book_strict": (False, "private networks have addresses of their own"),
        "allow_duplicate_ip": (True, "several nodes may stand behind one address"),
        "max_num_inbound_peers": (
            INBOUND_PEERS,
            "beside those above, a few of each member",
        ),
        "max_num_outbound_peers": (32, "beside those above"),
        "send_rate": (102_400_000, "bytes/s to a peer: blocks stall at the default"),
        "recv_rate": (102_400_000, "bytes/s from a peer"),
        "max_packet_msg_payload_size": (65_536, "bytes, at all nodes alike: of a block's part"),
        "flush_throttle_timeout": ("10ms", "a vote waits no longer to be sent"),
    }


def _write_mempool(batch_bytes: int) -> Section:
    return {
        "recheck": (True, "what no block may hold any more is dropped; a look-up a batch"),
        "broadcast": (True, "whoever proposes next must have the batches"),
        "size": (MEMPOOL_BATCHES, "batches"),
        "max_txs_bytes": (max(MEMPOOL_BYTES, 2 * batch_bytes), "bytes of all of them"),
        "max_tx_bytes": (batch_bytes, "bytes of one: the limit of the network's genesis"),
        "cache_size": (4 * MEMPOOL_BATCHES, "batches that are known to have come before"),
    }


def _write_consensus(configuration: Configuration) -> Section:
    return {
        "timeout_propose": ("3s", "for a proposer that may be gone"),
        "timeout_propose_delta": ("500ms", "more in each further round"),
        "timeout_prevote": ("1s", "for late votes where they disagree"),
        "timeout_prevote_delta": ("500ms", "more in each further round"),
        "timeout_precommit": ("1s", "the same for the second vote"),
        "timeout_precommit_delta": ("500ms", "more in each further round"),
        "timeout_commit": (f"{configuration.timeout_commit_ms}ms", "for late votes on a block"),
        "create_empty_blocks": (False, "without transactions there is a heartbeat alone"),
        "create_empty_blocks_interval": (f"{configuration.heartbeat_s}s", "the heartbeat"),
        # A start after a stop in order finds its own votes in the last blocks; with a number here
        # it would refuse to start. The signing state is what keeps a key from signing twice.
        "double_sign_check_height": (0, "the signing state stands against signing twice"),
    }


def _write_state_sync(state_sync: StateSync | None) -> Section:
    if state_sync is None:
        return {"enable": (False, "this node has its blocks, or begins at genesis")}
    return {
        "enable": (True, "this node begins from a snapshot of others"),
        "rpc_servers": (",".join(state_sync.servers), "by which validators are followed"),
        "trust_height": (state_sync.trust_height, "of a block that is known to be right"),
        "trust_hash": (state_sync.trust_hash.hex().upper(), "of its header"),
        "trust_period": ("87600h0m0s", "hansa has followed the validators to that block"),
        "discovery_time": ("5s", "to hear of snapshots"),
        "chunk_request_timeout": ("10s", "for one chunk"),
    }


def _write_instrumentation(configuration: Configuration) -> Section:
    return {
        "prometheus": (bool(configuration.metrics_listen), "CometBFT's own metrics"),
        "prometheus_listen_addr": (configuration.metrics_listen, "where"),
    }
