"""Looks at the block log, the state store and the contracts in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hansa.contracts.activations import Activation, Activations
from hansa.contracts.registry import build_contracts
from hansa.engine.chain import NODE_SPACE, ROW_SPACE
from hansa.engine.store import StateStore
from hansa.kernel.block import decode_header
from hansa.kernel.calendar import format_iso
from hansa.kernel.crypto.hashing import ZERO_HASH
from hansa.kernel.errors import HansaError, NotFound, Unavailable
from hansa.kernel.machine.rules import RULES
from hansa.kernel.rows import decode_row
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.network.rules import describe_rules
from hansa.node.records import find_seal_fault, open_log, read_record

BLOCKS_READ = 64
"""Newest blocks that are read in full."""

KEYS_READ = 10_000_000
"""Keys of the store that are read, at most: about 20 s. A payment leaves two or three."""


def check_log(patient: Patient) -> list[Check]:
    """Look at the block log, and learn its head."""
    where = str(patient.home.log_path)
    if patient.network is None:
        found = "not looked at without a genesis"
        return [Check("log", Status.WARN, found, where, _GENESIS_FIRST)]
    try:
        reader = open_log(patient.home.log_path)
        try:
            height = reader.height_max
            if height < 0:
                raise NotFound("there is no block")
            lowest = reader.height_min
            first = max(lowest, height - BLOCKS_READ + 1)
            records = [read_record(reader.read(at), at) for at in range(first, height + 1)]
            oldest = read_record(reader.read(lowest), lowest)
        finally:
            reader.close()
        head = decode_header(records[-1].header)
    except NotFound:
        return [_check_empty_log(patient, where)]
    except HansaError as error:
        return [_tell_fault("log", error, where, _RESTORE)]
    for record in (oldest, records[-1]):
        if find_seal_fault(patient.network, record):
            found = "its blocks are not sealed for this genesis: it belongs to another network"
            return [Check("log", Status.FAIL, found, where, "put log and genesis of one node here")]
    patient.head, patient.log_height = head, height
    patient.consensus_height = records[-1].consensus_height
    found = f"confirmed up to block {height} of {format_iso(head.time_ms, 0)}"
    found += f"; the newest {len(records)} are whole"
    if lowest > 0:
        found += f"; it begins with block {lowest}, older ones are not kept"
    return [Check("log", Status.OK, found, where)]


def _check_empty_log(patient: Patient, where: str) -> Check:
    """Tell a log that has not begun from one whose blocks are gone: the store remembers them."""
    try:
        store = StateStore.open_read_only(patient.home.store_path)
    except NotFound:
        patient.is_new = True
        if patient.pid is not None:
            return Check("log", Status.WARN, _NO_BLOCK, where, "wait: the node that runs gets them")
        mend = f"{_tell_beginning(patient)}; if this one ran before, its log is gone: restore a "
        return Check("log", Status.WARN, _NO_BLOCK, where, f"{mend}backup instead")
    except Unavailable as error:
        return _tell_fault("log", error, where, _RESTORE)
    except HansaError:
        found = "there is no block, but a state store: blocks are missing"
        return Check("log", Status.FAIL, found, where, _RESTORE)
    height = store.height
    store.close()
    if height < 0:
        patient.is_new = True
        return Check("log", Status.WARN, _NO_BLOCK, where, _tell_beginning(patient))
    found = f"there is no block, but the store stands at block {height}: blocks are missing"
    return Check("log", Status.FAIL, found, where, _RESTORE)


def _tell_beginning(patient: Patient) -> str:
    """Say how a node comes to its first block."""
    if patient.is_voted:
        return "start the node: once it is published, it gets the blocks from others"
    return "start the node: it begins the chain"


def check_store(patient: Patient) -> list[Check]:
    """Look at the state store, beside the log."""
    where = str(patient.home.store_path)
    try:
        store = StateStore.open_read_only(patient.home.store_path)
    except NotFound:
        found = "there is no state store"
        mend = "nothing: the node makes it from the log when it starts, which takes a while"
        return [Check("store", Status.WARN, found, where, mend)]
    except HansaError as error:
        return [_tell_fault("store", error, where, _REMOVE_STORE)]
    try:
        keys, is_whole = store.read_through(KEYS_READ)
        check = _compare_store(patient, store, where)
    except HansaError as error:
        return [_tell_fault("store", error, where, _REMOVE_STORE)]
    finally:
        store.close()
    read = "read through and whole" if is_whole else f"the first {keys:,} keys are whole, the rest"
    more = "" if is_whole else " was not looked at"
    return [replace(check, found=f"{check.found}; {read}{more}")]


_NO_BLOCK = "there is no block yet"
_RESTORE = "stop the node and restore a backup; keep this folder for the investigation"
_INSTALL = "install the release that the network activated; the node stops before that block"
_GENESIS_FIRST = "mend the genesis first"
_LOOK_AT_SYSTEM = (
    "remove nothing: look into the system's log (dmesg), at the disk, and at whose the files are; "
    "then run the doctor again"
)
_REMOVE_STORE = "stop the node and remove this folder: it is made anew from the log"


def _tell_fault(name: str, error: HansaError, where: str, mend: str) -> Check:
    """Tell damage, which `mend` is for, from what the system refuses: all may be whole then."""
    mend = _LOOK_AT_SYSTEM if isinstance(error, Unavailable) else mend
    return Check(name, Status.FAIL, error.message, where, mend)


def _compare_store(patient: Patient, store: StateStore, where: str) -> Check:
    """Compare the store with the log, and note which contracts are in force."""
    network, height = patient.network, store.height
    if network is None or patient.head is None or height < 0:
        found = "cannot be compared with the log"
        return Check("store", Status.WARN, found, where, "mend genesis and log first")
    reader = open_log(patient.home.log_path)  # again: a running node may have gone on meanwhile
    try:
        log_height = reader.height_max
        if height > log_height:
            found = f"stands at block {height}, but the log ends at {log_height}"
            mend = "blocks are missing: restore a backup, or copy the log from where it is whole"
            return Check("store", Status.FAIL, found, where, mend)
        header = decode_header(read_record(reader.read(height), height).header)
    finally:
        reader.close()
    blob = store.get(NODE_SPACE)
    root = ZERO_HASH if blob is None else network.digest(blob)
    if root != header.state_root:
        found = f"its tree does not have the state root of block {height}"
        return Check("store", Status.FAIL, found, where, _REMOVE_STORE)
    raw = store.get(ROW_SPACE + Activations.key())
    if raw is not None:
        patient.activations = decode_row(Activations, raw).entries
    behind = log_height - height
    return Check("store", Status.OK, f"stands at block {height}, {behind} behind the log", where)


def check_rules(patient: Patient) -> list[Check]:
    """Say which versions of the kernel's rules are in force, decided on, and known here."""
    if patient.network is None:
        return [Check("rules", Status.WARN, "not looked at without a genesis", "", _GENESIS_FIRST)]
    found = describe_rules(_list_activations(patient), patient.log_height)
    if found.is_known:
        newest = max(found.known, key=int)
        return [Check("rules", Status.OK, f"{found.text} Its hash is {found.known[newest]}.")]
    status = Status.WARN if str(found.in_force) in found.known else Status.FAIL
    return [Check("rules", status, found.text, "", _INSTALL)]


def _list_activations(patient: Patient) -> Sequence[Activation]:
    """List what governance has activated, or else genesis."""
    genesis = () if patient.network is None else patient.network.genesis.contracts
    return patient.activations or [
        Activation(item.name, item.version, item.source_hash, 0) for item in genesis
    ]


def check_contracts(patient: Patient) -> list[Check]:
    """Look for contracts that the network activated and this program lacks."""
    entries = [entry for entry in _list_activations(patient) if entry.contract != RULES]
    if not entries:
        text = "not looked at without a genesis"
        return [Check("contracts", Status.WARN, text, "", _GENESIS_FIRST)]
    known = build_contracts()
    found = []
    for entry in entries:
        contract = known.get((entry.contract, entry.version))
        if contract is not None and contract.source_hash == entry.source_hash:
            continue
        is_coming = entry.from_height > patient.log_height + 1
        lack = "is not in this program" if contract is None else "has another source here"
        when = f"in force from block {entry.from_height}"
        text = f"{entry.contract} version {entry.version}, {when}, {lack}"
        status = Status.WARN if is_coming else Status.FAIL
        found.append(Check("contracts", status, text, "", _INSTALL))
    text = f"all {len(entries)} that the network activated are here, with the same source"
    return found or [Check("contracts", Status.OK, text)]
