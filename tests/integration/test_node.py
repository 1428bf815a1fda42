"""`hansa up` as a process: killed in the middle of payments, started again, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.conftest import HANSA
from tests.played import PASSPHRASE, make_folder
from tests.world import ASSET, MINUTE_MS, key, pay

from hansa.cli.main import main
from hansa.kernel.errors import HansaError
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Role
from hansa.node.service import wall_clock_ms
from hansa.sdk.client import Client

ENVIRONMENT = {**os.environ, "HANSA_PASSPHRASE": PASSPHRASE}
ADA, SHOP = key("ada"), key("shop")


@pytest.fixture
def home(tmp_path):
    return make_folder(tmp_path / "node")


def start(home, *more):
    """Start a node on a free port; returns the process and what it printed once it answered."""
    process = subprocess.Popen(
        [HANSA, "up", "--data", str(home.path), "--port", "0", "--json", *more],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    line = process.stdout.readline()
    assert line, "it ended before it answered"
    return process, json.loads(line)


def end(process, number=signal.SIGTERM):
    process.send_signal(number)
    process.stdout.close()
    return process.wait(timeout=60)


def run(capsys, *words, code=0):
    """Run a command beside the node, in this process."""
    capsys.readouterr()
    assert main([*map(str, words), "--json"]) == code
    out, err = capsys.readouterr()
    return json.loads(out or err)


def make_token(home):
    fields = {"role": Role.CENTRAL_BANK, "member": key("officer0").address_text}
    return add_key(home.api_keys_path, name="test", now_ms=wall_clock_ms(), **fields)[1]


def keep_paying(url, answered, enough):
    """Pay until the node is gone; notes what it acknowledged."""
    with Client(url, attempts=1) as client:
        try:
            for number in range(10_000):
                answer = client.send([ADA], [pay("ada", "shop", 1, f"kill-{number}")])
                answered.append((answer.tx_id, answer.height))
                if len(answered) == 20:
                    enough.set()
        except HansaError:
            return


def check_that_nobody_else_has_the_passphrase(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children, "some process verifies"
    for child in children:
        assert b"HANSA_PASSPHRASE" not in Path(f"/proc/{child}/environ").read_bytes()


def test_killed_in_the_middle_of_payments_it_keeps_what_it_acknowledged(home, tmp_path, capsys):
    process, told = start(home)
    with Client(told["url"]) as client:
        # It is sent again once the node has started anew.
        in_doubt = client.sign([ADA], [pay("ada", "shop", 3, "in doubt")], 5 * MINUTE_MS)
        first = client.submit(in_doubt.envelope)
    check_that_nobody_else_has_the_passphrase(process)
    backed_up = run(capsys, "backup", "--data", home.path, tmp_path / "backup", "--keys")
    assert backed_up["height"] >= first.height
    answered: list[tuple[str, int]] = []
    enough = threading.Event()
    paying = threading.Thread(target=keep_paying, args=(told["url"], answered, enough))
    paying.start()
    assert enough.wait(60)
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    paying.join(60)
    token = make_token(home)
    process, told = start(home)
    try:
        assert told["height"] >= max(height for _, height in answered)
        with Client(told["url"], api_key=token) as client:
            for tx_id, height in answered:
                found = client.get_transaction(bytes.fromhex(tx_id))
                assert (found.status, found.height) == ("OK", height)
            assert client.submit(in_doubt.envelope) == first, "sent again, it counts once"
            client.send([ADA], [pay("ada", "shop", 1, "after")]).require_ok()
            assert client.get_wallet(SHOP.address).get_available(ASSET) > 0
    finally:
        assert end(process) == 0
    assert run(capsys, "verify", "--data", home.path)["verify_ok"]
    assert run(capsys, "audit", "--data", home.path)["audit_ok"]
    run(capsys, "restore", tmp_path / "backup", "--data", tmp_path / "again")
    assert run(capsys, "tx", first.tx_id, "--data", tmp_path / "again")["status"] == "OK"
    assert run(capsys, "verify", "--data", tmp_path / "again")["height"] == backed_up["height"]


def test_a_wrong_passphrase_or_a_damaged_log_stops_it_with_one_line(home, monkeypatch, capsys):
    up = ("up", "--data", home.path, "--port", "0")
    monkeypatch.setenv("HANSA_PASSPHRASE", "wrong")
    assert "wrong passphrase" in run(capsys, *up, code=2)["message"]
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    segment = max(home.log_path.glob("*"), key=lambda path: path.stat().st_size)
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    damaged = run(capsys, *up, code=70)
    assert damaged["error"] == "Corrupt"
    assert "height" in damaged


PARENT = """
import signal, subprocess, sys
from pathlib import Path
from hansa.engine.cometbft.child.process import build_launch

command = build_launch(signal.SIGTERM, Path(sys.executable), "-m", "hansa", *sys.argv[1:])
subprocess.Popen(command, stderr=subprocess.PIPE).wait()
"""


def test_a_node_whose_supervisor_is_killed_stops_and_its_own_log_says_why(home):
    words = ("up", "--data", str(home.path), "--port", "0", "--json")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *words], stdout=subprocess.PIPE, env=ENVIRONMENT
    ) as parent:
        assert parent.stdout.readline(), "it ended before it answered"
        parent.kill()
        assert parent.stdout.read() == b"", "the node has it until it ends"
    assert (home.path / "node.log").read_text() == (
        f"hansa: the node was stopped, as the process that started it ({parent.pid}) has ended\n"
    )
