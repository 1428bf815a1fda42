"""`hansa replay`, `audit` and `verify` as processes, on a made file and on the real one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

import pytest
from tests.conftest import HANSA

from hansa.engine.log import BlockLog, BlockReader
from hansa.engine.storage import FileStorage

REAL_ROWS = 16_000
NO_AMOUNTS = {7: "0.00", 8: "-40.00"}
MAP = """\
id = "reference"
time = "when"
payer = "from"
payee = "to"
amount = "sum"
currency = "EUR"
"""


def run(*arguments, code=0):
    done = subprocess.run(
        [HANSA, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


def make(folder):
    """Make a small CSV file with amounts of zero and less, payments to oneself, two days."""
    rows = ["reference,when,from,to,sum"]
    for number in range(400):
        day = 1 + number // 200
        amount = NO_AMOUNTS.get(number, f"{1 + number % 50}.{number % 100:02d}")
        rows.append(
            f"r{number},2024-03-0{day}T10:00:{number % 60:02d},p{number % 9},m{number % 5},{amount}"
        )
    (folder / "payments.csv").write_text("\n".join(rows) + "\n")
    (folder / "map.toml").write_text(MAP)
    return folder


@pytest.fixture
def made(tmp_path):
    """The small file, and how its columns are read."""
    return make(tmp_path)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """The small file's chain, which tests only read, and what its replay said."""
    folder = make(tmp_path_factory.mktemp("replayed"))
    arguments = (folder / "payments.csv", "--map", folder / "map.toml", "--data", folder / "node")
    return folder / "node", run("replay", *arguments, "--json")


def test_a_file_is_replayed_audited_and_verified(replayed):
    folder, found = replayed
    assert found["confirmed"] == 398
    assert found["refused"] == {"AMOUNT": 2}
    assert run("audit", "--data", folder, "--json")["audit_ok"]
    verified = run("verify", "--data", folder, "--json")
    assert verified["verify_ok"]
    assert verified["state_root"] == found["state_root"]


def test_a_replay_goes_on_after_a_part_and_ends_in_the_same_state(made, replayed):
    file, columns = made / "payments.csv", made / "map.toml"
    part = ["replay", file, "--map", columns, "--data", made / "part", "--json"]
    assert run(*part, "--limit", 200)["confirmed"] == 198
    assert run(*part)["state_root"] == replayed[1]["state_root"]
    found = run(*part)
    assert found["confirmed"] == 398
    assert found["state_root"] == replayed[1]["state_root"]
    forget_blocks_before(made / "part", found["height"] - 1)
    assert f"keeps no block before {found['height'] - 1}" in run(*part, code=2)


def forget_blocks_before(folder, height):
    """Leave of a log what a node that prunes would."""
    storage = FileStorage(folder / "log")
    reader = BlockReader.open(storage)
    kept = list(reader.iterate(height))
    reader.close()
    BlockLog.wipe(storage)
    log = BlockLog.open(storage)
    for at, record in kept:
        log.append(at, record)
    log.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reference,when,from,to,sum\nr,2024-01-01T00:00:00,a,b,1.005\n", "row 1 (line 2)"),
        ("reference,when,from,to,sum\nr,2024-01-01T00:00:00,a,b,x\n", "row 1 (line 2)"),
        ("reference,when,from,to,sum\nr,yesterday,a,b,1\n", "when"),
        ("reference,when,from,to,sum\nr,1969-12-31,a,b,1\n", "1970 to 2099"),
        ("reference,when,from,to,sum\n", "no payments"),
        ("reference,when,from,to\nr,2024-01-01T00:00:00,a,b\n", "no column 'sum'"),
    ],
)
def test_a_bad_file_is_an_error_that_says_where(made, text, message):
    file = made / "bad.csv"
    file.write_text(text)
    told = run("replay", file, "--map", made / "map.toml", "--data", made / "bad", code=2)
    assert message in told
    assert told.count("\n") == 1
    assert not (made / "bad").exists()


def test_a_folder_takes_no_other_file_says_what_it_holds_and_can_be_rebuilt(made):
    file = made / "payments.csv"
    arguments = ["replay", file, "--map", made / "map.toml", "--data", made / "node"]
    first = run(*arguments, "--json", "--limit", 200)
    log = read_log(made / "node")
    fewer = subprocess.run(
        [HANSA, *map(str, [*arguments, "--limit", 100, "--json"])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "holds the first 200 payments already, more than --limit 100" in fewer.stderr
    assert json.loads(fewer.stdout)["state_root"] == first["state_root"]
    whole = file.read_text()
    file.write_text(whole + "r400,2024-03-02T11:00:00,p1,m1,1.00\n")
    assert "choose another --data" in run(*arguments, code=2)
    assert read_log(made / "node") == log
    file.write_text(whole)
    for current in (made / "node" / "store").rglob("CURRENT"):
        current.write_bytes(b"damaged\n")
    assert "--rebuild" in run(*arguments, code=70)
    assert run(*arguments, "--json", "--rebuild")["confirmed"] == 398


def read_log(folder):
    return [segment.read_bytes() for segment in sorted((folder / "log").glob("blocks-*.log"))]


def test_a_flipped_byte_in_the_log_stops_verify_and_names_the_height(replayed, tmp_path):
    folder = shutil.copytree(replayed[0], tmp_path / "node")
    segment = next((folder / "log").glob("blocks-*.log"))
    damaged = bytearray(segment.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    segment.write_bytes(damaged)
    told = run("verify", "--data", folder, code=70)
    assert "height" in told or "block" in told


@pytest.mark.data
def test_a_killed_replay_of_the_real_file_loses_and_doubles_nothing(datasets, tmp_path):
    file = datasets / "risk" / "fdh" / "payments_2018-04_2018-08.parquet"
    arguments = ["replay", str(file), "--limit", str(REAL_ROWS), "--json", "--data"]
    whole = run(*arguments, tmp_path / "whole")
    assert whole["confirmed"] == REAL_ROWS
    killed = tmp_path / "killed"
    ours, its = os.openpty()  # where it shows how far it is, after each block
    words = [HANSA, *arguments, str(killed)]
    with (
        subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=its) as process,
        os.fdopen(ours, "rb", buffering=0) as screen,
    ):
        os.close(its)
        assert f"of {REAL_ROWS:,}" in screen.read(4_096).decode()
        process.send_signal(signal.SIGKILL)
    resumed = run(*arguments, killed)
    assert 0 < resumed["resumed_at"] < REAL_ROWS
    assert resumed["confirmed"] == REAL_ROWS
    assert resumed["state_root"] == whole["state_root"]
    assert run("audit", "--data", killed, "--json")["audit_ok"]
