"""Looks at what a node of a voted network needs beside: CometBFT, its folder, keys and peers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hansa.engine.cometbft.child.binary import VERSION, find_binary
from hansa.engine.cometbft.home import CometHome, CometKey
from hansa.engine.cometbft.repeating import NOTED_EVERY, read_noted_height
from hansa.engine.cometbft.signing import read_signed_height, require_newest_signing_state
from hansa.engine.cometbft.trail import read_votes
from hansa.kernel.errors import HansaError, Invalid
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.doctor.machine import look_at_port
from hansa.program import name_program
from hansa.sdk.files import OTHERS

WRITERS = 0o022
"""Mode bits that let others write."""
AHEAD_MAX = NOTED_EVERY + 100
"""Heights that a signing state may be above what is known: of empty blocks not all are noted."""


def check_voting(patient: Patient) -> list[Check]:
    """Look at all of it; at nothing where one node's key seals the blocks."""
    if not patient.is_voted:
        return []
    looks = (_check_program, _check_sockets, _check_node_key, _check_consensus_key, _check_peers)
    return [check for look in looks for check in look(patient)]


def _check_program(patient: Patient) -> list[Check]:  # noqa: ARG001 - one like the others
    """Look for the CometBFT program, in the version that is needed."""
    try:
        path = find_binary()
    except HansaError as error:
        mend = "run make cometbft, or name the program in HANSA_COMETBFT"
        return [Check("cometbft", Status.FAIL, error.message, "", mend)]
    return [Check("cometbft", Status.OK, f"version {VERSION} is here", str(path))]


def _check_sockets(patient: Patient) -> list[Check]:
    """Look whether sockets can lie in the folder."""
    comet = patient.home.comet
    try:
        comet.require_socket_paths()
    except HansaError as error:
        mend = f"move or rename the folder {patient.home.path}"
        return [Check("sockets", Status.FAIL, error.message, str(comet.path), mend)]
    return [Check("sockets", Status.OK, "their paths are short enough, and ASCII", str(comet.path))]


def _check_node_key(patient: Patient) -> list[Check]:
    comet = patient.home.comet
    key = _load("node key", comet.node_key_path, comet.load_node_key, patient)
    if isinstance(key, Check):
        return [key]
    found = f"peers know this node as {key.address.hex()}"
    return [Check("node key", Status.OK, found, str(comet.node_key_path))]


def _check_consensus_key(patient: Patient) -> list[Check]:
    """Look at the key that votes, and at what is known of what it signed."""
    comet = patient.home.comet
    key = _load("consensus key", comet.consensus_key_path, comet.load_consensus_key, patient)
    if isinstance(key, Check):
        return [key]
    found, where = f"it is {key.public_key.hex()}", str(comet.consensus_key_path)
    return [Check("consensus key", Status.OK, found, where), *_check_signing_state(patient, comet)]


def _check_signing_state(patient: Patient, comet: CometHome) -> list[Check]:
    where = str(comet.signing_state_path)
    if not comet.signing_state_path.is_file():
        told = "is missing, and without it the key could sign a height twice"
        return [Check("signing state", Status.FAIL, told, where, _make_key(patient))]
    try:
        require_newest_signing_state(comet)
        ahead = _find_ahead(patient, comet)
    except Invalid as error:
        return [Check("signing state", Status.FAIL, error.message, where, _make_key(patient))]
    except HansaError as error:  # of the votes that it is compared with; of the key it was told
        return [Check("signing state", Status.WARN, error.message, where, "mend that first")]
    found = []
    mode = comet.signing_state_path.stat().st_mode & 0o777
    if mode & OTHERS:
        told = f"others of this machine may open it (mode {mode:04o})"
        status = Status.FAIL if mode & WRITERS else Status.WARN
        found.append(Check("signing state", status, told, where, f"chmod 600 {where}"))
    if ahead:
        mend = (
            "see at which block other nodes stand (consensus_height of GET /v1/consensus): "
            "where they stand there too, wait until this node has their blocks; else the state is "
            f"not of this network, so {_make_key(patient)}"
        )
        found.append(Check("signing state", Status.WARN, ahead, where, mend))
    well = Check("signing state", Status.OK, "knows of the newest vote that lies here", where)
    return found or [well]


def _find_ahead(patient: Patient, comet: CometHome) -> str:
    """Find that the key has signed far above the chain, so that it votes on nothing below."""
    if patient.head is None:
        return ""
    signed = read_signed_height(comet)
    votes = read_votes(comet.path)
    known = max(
        patient.consensus_height,
        read_noted_height(comet.standing_path),
        0 if votes is None else votes.signed_header.header.height,
    )
    if signed <= known + AHEAD_MAX:
        return ""
    return (
        f"the key has signed at height {signed}, and the newest block of the consensus that this "
        f"node knows is {known}: it votes on none before {signed}"
    )


def _load(
    name: str, path: Path, load: Callable[[], CometKey], patient: Patient
) -> CometKey | Check:
    """Load a key that is not encrypted, and that nobody else may read."""
    try:
        key = load()
        mode = path.stat().st_mode & 0o777
    except HansaError as error:
        return Check(name, Status.FAIL, error.message, str(path), _make_key(patient))
    if mode & OTHERS:
        found = f"others of this machine may read it, and it is not encrypted (mode {mode:04o})"
        return Check(name, Status.FAIL, found, str(path), f"chmod 600 {path}")
    return key


def _make_key(patient: Patient) -> str:
    return (
        f"stop the node, run {name_program()} network key new --data {patient.home.path}, and "
        "publish what it says"
    )


def _check_peers(patient: Patient) -> list[Check]:
    """Look at the port for other nodes, and whether any is named."""
    if patient.settings is None:
        return []
    settings = patient.settings.cometbft
    host, _, port = settings.listen.rpartition(":")
    checks = [look_at_port("peers' port", patient, host.strip("[]"), int(port), "cometbft.listen")]
    where = str(patient.home.settings_path)
    count = len(settings.peers)
    if not count:
        found = "none is named: the node stays alone unless others name it"
        mend = "name the other nodes in cometbft.peers (docs/reference/settings.md)"
        return [*checks, Check("peers", Status.WARN, found, where, mend)]
    return [*checks, Check("peers", Status.OK, f"{count} are named", where)]
