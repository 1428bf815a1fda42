"""Looks at the process that has the folder, and at the machine: clock, disk, port, certificate."""

from __future__ import annotations

import errno
import fcntl
import os

from cryptography import x509

from hansa.engine.storage import LOCK_NAME
from hansa.kernel.calendar import DAY_MS, format_iso
from hansa.kernel.errors import HansaError
from hansa.node.api.keys import CERTIFICATE_BYTES_MAX
from hansa.node.doctor.checks import Check, Patient, Status
from hansa.node.settings import DEFAULT_HOST, DEFAULT_PORT
from hansa.sdk.files import read_file
from hansa.system_errors import ADVICE

CLOCK_AHEAD_MAX_MS = 5_000
FREE_BYTES_MIN = 1 << 30
DAYS_LEFT_WARN = 30
GROWTH_SPAN_MIN_MS = 60 * 60 * 1000
CERTIFICATE_DAYS_WARN = 30


def check_lock(patient: Patient) -> list[Check]:
    """Find the process that has the folder, by a lock that it holds."""
    path = patient.home.log_path / LOCK_NAME
    where = str(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return [Check("process", Status.OK, "no node runs here", where)]
    except OSError as error:
        found = f"cannot be opened: {error.strerror}"
        return [Check("process", Status.FAIL, found, where, "let the node's user read it")]
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    else:
        return [Check("process", Status.OK, "no node runs here", where)]
    finally:
        os.close(descriptor)
    patient.pid = int(text) if text.isdigit() else 0
    if not patient.machine.is_alive(patient.pid):
        found = f"the folder is locked, but not by the process {text or '?'} that is named"
        mend = f"find who holds it with: fuser {path}; stop that process before starting a node"
        return [Check("process", Status.WARN, found, where, mend)]
    return [Check("process", Status.OK, f"a node runs as process {patient.pid}", where)]


def check_clock(patient: Patient) -> list[Check]:
    """Look at the clock."""
    now_ms = patient.machine.now_ms()
    now = f"this machine's clock says {format_iso(now_ms, 0)}"
    mend = "set the clock and keep it right: timedatectl set-ntp true"
    if patient.network is not None and patient.network.genesis.time_ms > now_ms:
        return [Check("clock", Status.FAIL, f"{now}, before the network began", "", mend)]
    if patient.head is not None and patient.head.time_ms > now_ms + CLOCK_AHEAD_MAX_MS:
        seconds = (patient.head.time_ms - now_ms) // 1000
        found = f"{now}, but the newest block is {seconds} s later: this clock is, or was, wrong"
        return [Check("clock", Status.FAIL, found, "", mend)]
    found = f"{now}; whether that is right cannot be told offline, timedatectl status tells"
    return [Check("clock", Status.OK, found)]


def check_disk(patient: Patient) -> list[Check]:
    """Look whether the folder can be written, at the free space, and for how long it lasts."""
    path = patient.home.path
    if not path.is_dir():
        return []
    if patient.machine.is_read_only(path):
        found, _, mend = ADVICE[errno.EROFS].partition(": ")
        return [Check("disk", Status.FAIL, found, str(path), mend)]
    free = patient.machine.free_bytes(path)
    text = f"{free / 1e9:.1f} GB free"
    mend = "free some space or move the folder to a larger disk; a full disk stops the node"
    if free < FREE_BYTES_MIN:
        return [Check("disk", Status.FAIL, text, str(path), mend)]
    days = _estimate_days(patient, free)
    if days is None:
        return [Check("disk", Status.OK, f"{text}; too young to say for how long", str(path))]
    text += f", enough for about {days:,} days at the rate so far"
    if days < DAYS_LEFT_WARN:
        return [Check("disk", Status.WARN, text, str(path), mend)]
    return [Check("disk", Status.OK, text, str(path))]


def _estimate_days(patient: Patient, free: int) -> int | None:
    """Estimate for how many days of ledger time the space lasts."""
    if patient.head is None or patient.network is None:
        return None
    span_ms = patient.head.time_ms - patient.network.genesis.time_ms
    if span_ms < GROWTH_SPAN_MIN_MS:
        return None
    folders = (patient.home.log_path, patient.home.store_path)
    used = sum(
        path.stat().st_size for folder in folders for path in folder.glob("*") if path.is_file()
    )
    return free * span_ms // (max(used, 1) * DAY_MS)


def check_port(patient: Patient) -> list[Check]:
    """Look at the API's port."""
    path = patient.home.settings_path
    if patient.listen is None and patient.settings is None and path.exists():
        found = "it stands in the settings, which cannot be read"
        return [Check("port", Status.WARN, found, str(path), "mend the settings first")]
    host, port = patient.listen or (DEFAULT_HOST, DEFAULT_PORT)
    return [look_at_port("port", patient, host, port, "--port")]


def look_at_port(name: str, patient: Patient, host: str, port: int, choice: str) -> Check:
    """Look whether a node answers at a port, or another program; `choice` names another port."""
    host = {"0.0.0.0": DEFAULT_HOST, "::": "::1"}.get(host, host)  # noqa: S104 - asked, not bound
    where = f"{host}:{port}"
    is_taken = patient.machine.is_listening(host, port)
    if patient.pid is None:
        if is_taken:
            found = "another program listens there, so that a node could not start"
            return Check(name, Status.FAIL, found, where, f"stop it, or choose another {choice}")
        return Check(name, Status.OK, "is free for a node", where)
    if is_taken:
        return Check(name, Status.OK, "answers", where)
    if patient.is_new or patient.home.comet.joining_path.exists():
        found = "the node has no blocks yet, and answers once it has"
        mend = "wait; what it waits for stands in its output: node.log, or the system's journal"
        return Check(name, Status.WARN, found, where, mend)
    found = "a node runs, but nobody answers here"
    return Check(name, Status.WARN, found, where, "ask at the port that the node was given")


def check_certificate(patient: Patient) -> list[Check]:
    """Look at the API's TLS certificate."""
    path = patient.certificate
    if path is None:
        return [Check("certificate", Status.OK, "none is configured: the API speaks plain HTTP")]
    mend = "have a new certificate issued, put it here and start the node again"
    try:
        certificate = x509.load_pem_x509_certificate(read_file(path, CERTIFICATE_BYTES_MAX))
    except (HansaError, ValueError) as error:
        return [Check("certificate", Status.FAIL, f"cannot be read: {error}", str(path), mend)]
    begin_ms = int(certificate.not_valid_before_utc.timestamp() * 1000)
    end_ms = int(certificate.not_valid_after_utc.timestamp() * 1000)
    now_ms = patient.machine.now_ms()
    found = f"valid from {format_iso(begin_ms, 0)} to {format_iso(end_ms, 0)}"
    if not begin_ms <= now_ms <= end_ms:
        return [Check("certificate", Status.FAIL, f"{found}, so not now", str(path), mend)]
    days = (end_ms - now_ms) // DAY_MS
    status = Status.WARN if days < CERTIFICATE_DAYS_WARN else Status.OK
    mend = mend if status is Status.WARN else ""
    return [Check("certificate", status, f"{found}, {days} days more", str(path), mend)]
