"""Looks whether the ledger names the keys that lie in the folder: else others know another node."""

from __future__ import annotations

import json
import shlex

from hansa.contracts.nodes import Node, Publish
from hansa.kernel.errors import HansaError, Invalid, InvalidCode
from hansa.kernel.genesis import Network
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.home import SPONSOR_KEY
from hansa.node.network.renewal import (
    Published,
    build_own_publish,
    describe_publish,
    find_published,
)
from hansa.node.settings import Settings
from hansa.program import name_program

_NAME_KEY = (
    "put the member's present server key there and start the node again, or have its account name "
    "this one (docs/how-to/rotate-a-key.md)"
)
_NO_URL = "no url: others know no way to send it messages"


def check_published(patient: Patient) -> list[Check]:
    """Compare the keys here with what the ledger knows of the node's member and of its node."""
    network, home = patient.network, patient.home
    if network is None or (patient.head is None and not patient.is_new):
        return []
    try:
        found = find_published(home, network)
    except HansaError as error:
        return _tell_no_member(patient, error)
    try:
        own = build_own_publish(home, network, found)
    except HansaError:  # of a key: other checks have told it
        return _check_server_key(patient, found)
    return _check_server_key(patient, found) + _compare(patient, network, found, own)


def _tell_no_member(patient: Patient, error: HansaError) -> list[Check]:
    """Tell that the server's key is no member's; what else it may be, other checks have told.

    Of a voted network, blocks that are still to come may name it.
    """
    is_unknown = isinstance(error, Invalid) and error.code is InvalidCode.UNKNOWN_SPONSOR
    if not is_unknown or (patient.is_new and patient.is_voted):
        return []
    found = f"{error.message.partition(': ')[0]}: the node does not start with it"
    return [Check("server key", Status.FAIL, found, _name_place(patient), _NAME_KEY)]


def _check_server_key(patient: Patient, found: Published) -> list[Check]:
    """Look whether the key signs batches for the member that the settings name."""
    if not found.mismatch:
        return []
    told = f"{found.mismatch.partition(': ')[0]}: what is sent to this node is refused"
    return [Check("server key", Status.WARN, told, _name_place(patient), _NAME_KEY)]


def _name_place(patient: Patient) -> str:
    """Name the file of the server's key, and as of when it was looked at."""
    return f"{patient.home.key_path(SPONSOR_KEY)}, {_tell_when(patient)}"


def _tell_when(patient: Patient) -> str:
    return "as of genesis" if patient.is_new else f"as of block {patient.log_height}"


def _compare(patient: Patient, network: Network, found: Published, own: Publish) -> list[Check]:
    """Compare channel key, peer id and consensus key with what the node's member has published."""
    where = _tell_when(patient)
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
