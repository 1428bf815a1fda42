"""Looks at the program, the folder, its documents and its keys."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from hansa.compiled import SWITCH, is_in_use, is_switched_off
from hansa.engine.batch_verifier import BatchVerifier, find_library
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound
from hansa.node.api.keys import list_keys
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.home import NODE_KEY, SPONSOR_KEY
from hansa.node.settings import Settings, build_tls, load_settings
from hansa.program import name_program
from hansa.sdk.files import OTHERS, read_file
from hansa.sdk.keys import (
    FILE_BYTES_MAX,
    is_channel_key_file,
    load_channel_key,
    load_key,
)

PYTHON_MIN = (3, 11)


def check_python(patient: Patient) -> list[Check]:
    """Look at the version of Python, and at what runs on it."""
    version = patient.machine.python_version()
    text = f"Python {version[0]}.{version[1]}"
    if version < PYTHON_MIN:
        mend = f"install Python {PYTHON_MIN[0]}.{PYTHON_MIN[1]} or newer, then run make setup"
        return [Check("python", Status.FAIL, f"{text} is too old", sys.executable, mend)]
    if is_in_use():
        text += ", the state machine compiled"
    elif is_switched_off():
        text += f", the state machine from source, as {SWITCH}=0 asks"
    else:
        text += ", the state machine from source: make setup compiles it, for speed"
    return [Check("python", Status.OK, text, sys.executable)]


def check_libraries(patient: Patient) -> list[Check]:
    """Look for missing libraries."""
    missing = patient.machine.list_missing_libraries()
    if missing:
        found = f"not installed: {', '.join(missing)}"
        return [Check("libraries", Status.FAIL, found, sys.prefix, "run make setup")]
    return [Check("libraries", Status.OK, "all are installed", sys.prefix), _check_verifier()]


def _check_verifier() -> Check:
    """Look for the batch verifier, without which a node is slower, and nothing else."""
    name, mend = "verifier", "make verifier builds it; a node does without, more slowly"
    try:
        path = find_library()
        if path is None:
            return Check(name, Status.OK, "signatures are verified one by one", "", mend)
        BatchVerifier(path)
    except HansaError as error:
        return Check(name, Status.WARN, error.message, "", mend)
    return Check(name, Status.OK, "signatures are verified by the hundred", str(path))


def check_folder(patient: Patient) -> list[Check]:
    """Look at the data folder itself."""
    path = patient.home.path
    if not path.is_dir():
        found = "it is no folder" if path.exists() else "there is no such folder"
        mend = f"set a node up with {name_program()} init, or name another folder with --data"
        return [Check("folder", Status.FAIL, found, str(path), mend)]
    inner = patient.home.find_node_within()
    if inner is not None and not patient.home.exists():
        found, mend = "it is no node's folder, but nodes lie in it", f"name one of them, as {inner}"
        return [Check("folder", Status.FAIL, found, str(path), mend)]
    try:
        patient.home.require_no_backup()
    except Invalid as error:
        mend = "leave it as it is; run no node on it, and examine what was restored from it"
        return [Check("folder", Status.FAIL, error.message, str(path), mend)]
    if path.stat().st_mode & OTHERS:
        found = "others of this machine may look into it"
        return [Check("folder", Status.WARN, found, str(path), f"chmod 700 {path}")]
    return [Check("folder", Status.OK, "is there, for its owner alone", str(path))]


def check_genesis(patient: Patient) -> list[Check]:
    """Look at the genesis document, and learn the network."""
    where = str(patient.home.genesis_path)
    try:
        patient.network = network = patient.home.load_network()
    except NotFound:
        mend = (
            "copy genesis.bin from a backup or from another node of the network; "
            f"for a new network, {name_program()} init"
        )
        return [Check("genesis", Status.FAIL, "there is no genesis document", where, mend)]
    except HansaError as error:
        mend = "copy genesis.bin from a backup or from another node of the network"
        return [Check("genesis", Status.FAIL, error.message, where, mend)]
    found = f"network {network.genesis.network}, hash {network.genesis_hash.hex()}"
    return [Check("genesis", Status.OK, found, where)]


def check_settings(patient: Patient) -> list[Check]:
    """Look at the settings, and learn where the node listens and its certificate."""
    path = patient.home.settings_path
    where = str(path)
    try:
        settings = load_settings(path)
    except HansaError as error:
        mend = "correct the file; what it may say: docs/reference/settings.md"
        return [Check("settings", Status.FAIL, error.message, where, mend)]
    patient.settings = settings
    if patient.listen is None:
        patient.listen = (settings.listen.host, settings.listen.port)
    if settings.tls.certificate and patient.certificate is None:
        patient.certificate = settings.find_path(settings.tls.certificate)
    if not path.exists():
        return [Check("settings", Status.OK, "none; defaults hold", where)]
    try:
        build_tls(settings)
    except HansaError as error:
        mend = "put certificate and key that belong together there, or take [tls] out"
        return [Check("settings", Status.FAIL, error.message, where, mend)]
    return [Check("settings", Status.OK, "can be read", where), *_check_tls_key(settings)]


def _check_tls_key(settings: Settings) -> list[Check]:
    """Look at who may read the private key of TLS, which is not encrypted."""
    if not settings.tls.key:
        return []
    path = settings.find_path(settings.tls.key)
    mode = path.stat().st_mode & 0o777
    if mode & OTHERS:
        found = f"others of this machine may read it, and it is not encrypted (mode {mode:04o})"
        return [Check("tls key", Status.FAIL, found, str(path), f"chmod 600 {path}")]
    return [Check("tls key", Status.OK, "is for its owner alone", str(path))]


def check_keys(patient: Patient) -> list[Check]:
    """Look at every key file."""
    home = patient.home
    needed = ((NODE_KEY, "seals blocks"), (SPONSOR_KEY, "signs batches"))
    found = []
    for name, what in needed[1:] if patient.is_voted else needed:
        path = home.key_path(name)
        if not path.is_file():
            text = f"there is no key file, without which no node starts; it {what}"
            mend = "copy it from where it is kept, or restore a backup that was taken with keys"
            found.append(Check(f"key {name}", Status.FAIL, text, str(path), mend))
    return found + [_check_key(patient, path) for path in sorted(home.keys_path.glob("*.json"))]


def _check_key(patient: Patient, path: Path) -> Check:
    name, where = f"key {path.stem}", str(path)
    mode = path.stat().st_mode & 0o777
    if mode & OTHERS:
        found = f"others of this machine may open it (mode {mode:04o})"
        return Check(name, Status.FAIL, found, where, f"chmod 600 {path}")
    opened = "opens with the passphrase"
    try:
        load = load_channel_key if is_channel_key_file(path) else load_key
        load(path, patient.passphrase or "any passphrase at all")
    except Invalid as error:
        if error.code is not InvalidCode.UNAUTHENTICATED:
            mend = "copy it from where it is kept, or restore a backup that was taken with keys"
            return Check(name, Status.FAIL, error.message, where, mend)
        if patient.passphrase is not None:
            mend = "find the right passphrase; without it the key is lost"
            return Check(name, Status.FAIL, "the passphrase does not open it", where, mend)
        opened = "is whole; whether the passphrase opens it was not tried"
    except HansaError as error:
        return Check(name, Status.FAIL, error.message, where, "let the node's user read it")
    return _check_sealer(patient, path) or Check(name, Status.OK, opened, where)


def _check_sealer(patient: Patient, path: Path) -> Check | None:
    """Find that the node's key seals no block of this network."""
    if path.stem != NODE_KEY or patient.network is None:
        return None
    public_key = msgspec.json.decode(read_file(path, FILE_BYTES_MAX))["public_key"]
    if public_key in [item.public_key.hex() for item in patient.network.genesis.sealers]:
        return None
    found = "is none of the keys that genesis lets seal blocks"
    mend = "put the right key here; this one belongs to another node or network"
    return Check(f"key {NODE_KEY}", Status.FAIL, found, str(path), mend)


def check_api_keys(patient: Patient) -> list[Check]:
    """Look at the hashed API keys."""
    path = patient.home.api_keys_path
    where = str(path)
    if not path.exists():
        return [Check("api keys", Status.OK, "none are issued", where)]
    if path.stat().st_mode & OTHERS:
        found = "others of this machine may read who holds a key, so the node takes none of them"
        return [Check("api keys", Status.FAIL, found, where, f"chmod 600 {path}")]
    try:
        list_keys(path)
    except HansaError as error:
        mend = "restore it from a backup, or remove it and issue the keys anew"
        found = f"cannot be read, so the node takes no key: {error.message}"
        return [Check("api keys", Status.FAIL, found, where, mend)]
    return [Check("api keys", Status.OK, "can be read", where)]
