"""Looks whether the ledger names the keys that lie in the folder: else others know another node."""

from __future__ import annotations

import json
import shlex

from hansa.contracts.nodes import Node, Publish
from hansa.kernel.errors import HansaError
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.network.renewal import build_own_publish, describe_publish, find_published
from hansa.node.settings import Settings
from hansa.program import name_program

_NO_URL = "no url: others know no way to send it messages"


def check_published(patient: Patient) -> list[Check]:
    """Compare channel key, peer id and consensus key with what the node's member has published."""
    network, home = patient.network, patient.home
    if network is None or (patient.head is None and not patient.is_new):
        return []
    try:
        found = find_published(home, network)
        own = build_own_publish(home, network, found)
    except HansaError:  # of a key, of the log or the store: other checks have told it
        return []
    where = "as of genesis" if patient.is_new else f"as of block {patient.log_height}"
    if found.suspension and network.genesis.is_voted:
        mend = "ask the members to decide on it; leave keys, settings and cables as they are"
        return [Check("member", Status.FAIL, found.suspension, where, mend)]
    differing = _list_differing(found.node, own)
    if differing:
        unless = (
            "unless it was done since" if patient.is_new else "or bring the published keys back"
        )
        mend = f"have the member's officers publish this, {unless}: {_build_command(own)}"
        return [Check("published", Status.WARN, "; ".join(differing), where, mend)]
    if not (own.channel_key or own.peers):
        return []
    if _is_plain(found.node.url, patient.settings):
        told = f"others send messages to {own.url}, but the node speaks plain HTTP there"
        mend = "turn TLS on: [tls] in node.toml (docs/how-to/run-a-network.md, 4)"
        return [Check("published", Status.WARN, told, where, mend)]
    told = f"the ledger names these keys, and {own.url or _NO_URL}"
    if network.genesis.is_voted and not own.consensus_key:
        told += "; no consensus key: the node follows without a vote"
    return [Check("published", Status.OK, told, where)]


def _is_plain(url: str, settings: Settings | None) -> bool:
    """Whether a node speaks plain HTTP at its very port of which it has published that it is TLS.

    At another port something else may speak TLS in its place.
    """
    if settings is None or settings.tls.certificate:
        return False
    scheme, _, rest = url.partition("://")
    return scheme == "https" and rest.partition("/")[0].endswith(f":{settings.listen.port}")


def _build_command(own: Publish) -> str:
    """Build the command that publishes it."""
    words = shlex.quote(json.dumps(describe_publish(own)))
    return f"{name_program()} tx send OFFICER.json --call nodes.publish --args {words}"


def _list_differing(published: Node, own: Publish) -> list[str]:
    """List in words what others know of this node and what is not so."""
    found = []
    if own.channel_key != published.channel_key:
        what = "is not published" if own.channel_key else "is missing, and the ledger names one"
        found.append(f"the channel key {what}: messages to this member cannot be read here")
    if published.url and own.url != published.url:
        found.append(
            f"others send messages to {published.url}, but the node answers at {own.url}, so that "
            "none arrives"
        )
    if any(peer not in published.peers for peer in own.peers):
        found.append(f"the peer {own.peers[0].hex()} is not published: other nodes hang up on it")
    if own.consensus_key != published.consensus_key:
        found.append(
            f"the consensus key {own.consensus_key.hex()} is not published: the node follows "
            "without a vote"
        )
    return found
