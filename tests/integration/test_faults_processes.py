"""Real processes under faults of the system: failing calls, kill -9 at chosen calls, a full disk.

`strace` makes the n-th call of a kind fail, or kills the process there. Whatever happens, the
process ends with the right code, and another one opens the folder and finds everything that the
first one had told.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from threading import Thread

import pytest
from tests.conftest import HANSA
from tests.integration.small_disk import mount
from tests.world import World, key, pay

from hansa.contracts.payments import Transfer
from hansa.engine.backup import check_backup
from hansa.kernel.crypto.address import from_text
from hansa.node.audit import audit_folder
from hansa.node.home import Home, open_chain, open_chain_read_only, restore_home
from hansa.node.verify import verify_folder
from hansa.sdk.client import Client

ROOT = Path(__file__).resolve().parents[2]
EXIT_UNAVAILABLE = 5
PAYMENTS = 90
STRACE_TEST = ["strace", "-f", "-o", os.devnull, "-e", "trace=close", "true"]


@cache
def find_obstacle_to_strace() -> str:
    """Why processes cannot be traced here; empty if they can."""
    if shutil.which("strace") is None:
        return "there is no strace: run make strace"
    done = subprocess.run(STRACE_TEST, capture_output=True, text=True, check=False)
    return f"strace may not trace here: {done.stderr.strip()}" if done.returncode else ""


@pytest.fixture
def strace() -> None:
    if find_obstacle_to_strace():
        pytest.skip(find_obstacle_to_strace())


@dataclass
class Ended:
    """How a node process ended, and what it had told."""

    code: int
    told: list[tuple[int, int, bytes]]
    error: str


def run_node(home: Home, payments: int, *before: str) -> Ended:
    """Run a node process, perhaps under another program, until it ends."""
    program = str(ROOT / "tests" / "integration" / "node_process.py")
    done = subprocess.run(
        [*before, sys.executable, program, str(home.path), str(payments)],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=120,
    )
    return Ended(done.returncode, read_told(done.stdout), done.stderr.decode())


def read_told(raw: bytes) -> list[tuple[int, int, bytes]]:
    """Read heights, places and receipts; the last line may be cut off."""
    lines = raw.decode().rpartition("\n")[0].splitlines()
    words = [line.split() for line in lines]
    return [(int(height), int(place), bytes.fromhex(receipt)) for height, place, receipt in words]


def inject(call: str, what: str, number: int, path: Path | None = None) -> list[str]:
    """Build the command that makes the n-th call of a thread go wrong."""
    words = ["strace", "-f", "-o", os.devnull]
    if path is not None:
        words += ["-P", str(path)]
    elif not what.startswith("signal"):
        words.append("--seccomp-bpf")  # much faster, but gives no signals
    return [*words, "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={number}"]


def require_told(home: Home, told: list[tuple[int, int, bytes]]) -> None:
    """Open the folder as a node does: all that was told is there, all is sound, and it goes on."""
    chain = open_chain(home, key("sealer"))
    try:
        for height, place, receipt in told:
            assert chain.get_record(height).receipts[place] == receipt
        nonces = 10**12 + 100 * chain.head.height
        world = World(chain, chain.head.time_ms + 1_000, nonces)
        if chain.head.height >= 4:
            assert world.do("ada", pay("ada", "shop", 1, f"on from {chain.head.height}")) == ""
    finally:
        chain.close()
    network = home.load_network()
    assert verify_folder(home.log_path, network, signatures=False).findings == []
    assert audit_folder(home.log_path, home.store_path, network).findings == []


# --- calls that fail, and death at a call -------------------------------------------------------

FAILURES = [
    ("fdatasync", "error=EIO", 12, "", "replace the disk, and restore the folder from a backup"),
    ("fdatasync", "error=EROFS", 12, "", "mount it for writing once the disk is sound"),
    ("pwritev2", "error=EDQUOT", 12, "", "remove some of its files or have the quota raised"),
    ("fdatasync", "error=ENOSPC", 14, "", "the disk is full"),  # later at the store's closing, too
    ("pwritev2", "error=ENOSPC", 12, "", "the disk is full"),
    ("write", "error=ENOSPC", 1, "store/flush.ingest", "the disk is full"),
]
DEATHS = (("fdatasync", 13), ("rename", 4))
CALLS = ("fdatasync", "fsync", "pwritev2", "pwrite64", "rename", "write")


@pytest.mark.parametrize(("call", "what", "number", "name", "match"), FAILURES)
def test_a_call_that_fails_ends_the_node_and_loses_nothing(
    strace, tmp_path, call, what, number, name, match
):
    home = Home(tmp_path / "node")
    ended = run_node(
        home, PAYMENTS, *inject(call, what, number, home.path / name if name else None)
    )
    assert (ended.code, match in ended.error) == (EXIT_UNAVAILABLE, True), ended.error
    assert len(ended.told) < PAYMENTS
    require_told(home, ended.told)


def test_a_node_killed_at_a_call_loses_nothing(strace, soak, tmp_path):
    every = [(call, number) for call in CALLS for number in (*range(1, 24), 30, 40)]
    for call, number in every if soak else DEATHS:
        home = Home(tmp_path / f"{call} {number}")
        ended = run_node(home, PAYMENTS, *inject(call, "signal=KILL", number))
        assert ended.code == -signal.SIGKILL or soak
        if home.exists():
            require_told(home, ended.told)


def test_whatever_call_fails_the_node_ends_in_good_order(strace, soak, tmp_path):
    """Early calls are those of setting up and opening."""
    places = [(call, number) for call in CALLS[:-1] for number in (*range(1, 24), 30, 40)]
    for number, (call, at) in enumerate(places if soak else (("rename", 4),)):
        home = Home(tmp_path / f"{call} {at}")
        what = ("error=EIO", "error=ENOSPC")[number % 2]
        ended = run_node(home, PAYMENTS, *inject(call, what, at))
        assert ended.code in {0, EXIT_UNAVAILABLE}, ended.error
        if home.exists():
            require_told(home, ended.told)


def test_every_folder_on_the_way_to_a_new_node_is_durable(strace, tmp_path):
    """Or a power cut could take away the folder, with all blocks that were confirmed in it."""
    trace = tmp_path / "trace"
    words = ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", "trace=fsync"]
    home, founded = Home(tmp_path / "deep" / "node"), Home(tmp_path / "deeper" / "node")
    assert run_node(home, 9, *words).code == 0
    synced = set(re.findall(r"fsync\(\d+<([^>]*)>\)", trace.read_text()))
    assert {str(path) for path in (tmp_path, home.path.parent, home.path, home.log_path)} <= synced
    init = [HANSA, "init", "--data", str(founded.path)]
    environment = {**os.environ, "HANSA_PASSPHRASE": "page"}
    command = [*words, *init, "--operator", "Bank"]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    synced = set(re.findall(r"fsync\(\d+<([^>]*)>\)", trace.read_text()))
    assert {str(tmp_path), str(founded.path.parent)} <= synced


# --- a full disk, and kill -9 -------------------------------------------------------------------


def test_a_full_disk_ends_the_node_and_with_room_it_goes_on(tmp_path):
    disk = tmp_path / "disk"
    with mount(disk, 700):
        home = Home(disk / "node")
        full = run_node(home, 100_000)
        assert (full.code, "the disk is full: free some" in full.error) == (EXIT_UNAVAILABLE, True)
        still_full = run_node(home, 100_000)
        assert still_full.code == EXIT_UNAVAILABLE
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        again = run_node(home, 6)
        assert (again.code, len(again.told)) == (0, 6), again.error
        assert len(full.told) > 50
        require_told(home, full.told + still_full.told + again.told)


def test_a_node_killed_at_any_moment_loses_nothing(soak, tmp_path):
    """The same folder, again and again; whatever lines came out before the end were true."""
    random = Random(6)
    home = Home(tmp_path / "node")
    program = str(ROOT / "tests" / "integration" / "node_process.py")
    told: list[tuple[int, int, bytes]] = []
    for _ in range(60 if soak else 2):
        process = subprocess.Popen(
            [sys.executable, program, str(home.path), "100000"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        lines = [process.stdout.readline() for _ in range(random.randint(1, 120))]
        process.kill()
        rest = process.communicate()[0]
        told += read_told(b"".join(lines) + rest)
        require_told(home, told)


def test_a_killed_demo_has_all_that_its_client_was_told(tmp_path):
    home = Home(tmp_path / "node")
    small = ["--people", "20", "--merchants", "4", "--payments", "40", "--port", "0"]
    process = subprocess.Popen(
        [HANSA, "demo", "--data", str(home.path), *small],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = read_summary(process)
        words = next(line.split() for line in lines if " pay " in line)
        client = Client(words[-1])
        resident = home.load_key("resident", "demo")
        told = [
            client.send([resident], [pay_to(resident.address, from_text(words[4]), number)])
            for number in range(12)
        ]
    finally:
        process.kill()
        process.communicate(timeout=60)  # its workers hold the other end, and end with it
    assert process.returncode == -signal.SIGKILL
    chain = open_chain_read_only(home)
    try:
        for answer in told:
            assert answer.status == "OK"
            tx_id = bytes.fromhex(answer.tx_id)
            assert chain.find_position(tx_id) == (answer.height, answer.index)
    finally:
        chain.close()
    network = home.load_network()
    assert verify_folder(home.log_path, network, signatures=False).findings == []
    assert audit_folder(home.log_path, home.store_path, network).findings == []


def read_summary(process: subprocess.Popen[str]) -> list[str]:
    """Read what the demo prints until it serves."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            return lines
    raise AssertionError("the demo ended")


def pay_to(payer: bytes, payee: bytes, number: int) -> Transfer:
    return Transfer(payer, payee, "MOP", 1, f"told-{number}")


# --- backups ------------------------------------------------------------------------------------


@contextmanager
def writing(home: Home) -> Iterator[None]:
    """A process that writes blocks into a folder all the while."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "integration" / "writer.py", home.path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        while int(process.stdout.readline() or 99) < 12:
            pass
        reading = Thread(target=process.stdout.read)  # or it would wait for us
        reading.start()
        yield
    finally:
        process.kill()
        process.wait()
        reading.join()
        process.stdout.close()


def back_up(home: Home, target: Path, *before: str) -> int:
    """Back up in a process of its own; returns its exit code."""
    script = (
        "import sys, pathlib; from hansa.node.home import Home, backup_home; "
        "home, target = map(pathlib.Path, sys.argv[1:]); backup_home(Home(home), target)"
    )
    command = [*before, sys.executable, "-c", script, str(home.path), str(target)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode


def test_a_backup_killed_beside_a_writer_is_whole_or_not_there(strace, soak, tmp_path):
    calls = ("fsync", "fdatasync", "rename", "pwritev2", "mkdir")
    every = [(call, number) for call in calls for number in range(1, 16)]
    home = Home(tmp_path / "node")
    with writing(home):
        for call, number in every if soak else (("fsync", 9), ("rename", 5)):
            target = tmp_path / f"{call} {number}"
            code = back_up(home, target, *inject(call, "signal=KILL", number))
            assert code == -signal.SIGKILL or soak
            if target.exists():
                check_backup(target)
                shutil.rmtree(target)
            assert back_up(home, target) == 0
            assert not list(tmp_path.glob(f".{target.name}.*.partial"))
    restored = Home(tmp_path / "restored")
    report = restore_home(target, restored.path)
    found = verify_folder(restored.log_path, restored.load_network(), signatures=False)
    assert (found.findings, found.height) == ([], report.manifest.height)


def test_all_of_a_backup_is_synced_before_it_gets_its_name(strace, tmp_path):
    """So a power cut leaves it whole, or without its name."""
    home, target, trace = Home(tmp_path / "node"), tmp_path / "target", tmp_path / "trace"
    assert run_node(home, 9).code == 0
    words = ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", "trace=fsync,fdatasync,rename"]
    assert back_up(home, target, *words) == 0
    lines = trace.read_text().splitlines()
    named = next(at for at, line in enumerate(lines) if f'"{target}"' in line)
    synced = {
        line.partition("<")[2].partition(">")[0].partition(".partial")[2].lstrip("/")
        for line in lines[:named]
        if "sync(" in line and ".partial" in line
    }
    paths = {path.relative_to(target).as_posix() for path in target.rglob("*")}
    made_by_rename = {name for name in paths if f"{name}.tmp" in synced}
    assert paths - synced - made_by_rename == set()
    assert f"<{tmp_path}>" in "".join(lines[named + 1 :])
