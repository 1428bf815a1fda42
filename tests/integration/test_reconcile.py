"""The command that reconciles, as a process: on Spark as here, and killed at any moment."""

import json
import os
import subprocess
from contextlib import suppress

import pytest
from tests.conftest import HANSA

from hansa.node.bench.reconcile.planting import LEFT, RIGHT, RULES, plant
from hansa.reconcile.batch.manifest import MANIFEST, check_folder

TIMEOUT_S = 240
SOON = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""Java compiles once, and not again what runs long: here nothing does."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    (folder / "truth").mkdir()
    plant(6_000, 5, folder, folder / "truth")
    (folder / "rules.toml").write_text(RULES)
    (folder / "windows.toml").write_text(RULES + "[window]\ndays = 60\nfrom = 2026-01-01\n")
    return folder


def write_words(planted, out, *more, rules="rules.toml"):
    sides = [str(planted / each) for each in (LEFT, RIGHT)]
    rules = str(planted / rules)
    return [HANSA, "reconcile", *sides, "--rules", rules, "--out", str(out), "--json", *more]


def run(planted, out, *more, rules="rules.toml"):
    done = subprocess.run(
        write_words(planted, out, *more, rules=rules),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env=os.environ | SOON,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_spark_finds_the_same(planted, tmp_path, java):
    """Also window by window, which asks all of an engine that a whole run does, and more."""
    here = run(planted, tmp_path / "here", rules="windows.toml")
    there = run(planted, tmp_path / "there", "--engine", "spark", rules="windows.toml")
    for told in (here, there):
        # Spark writes pairs as a folder, and a workbook tells when it was made.
        told["files"] = {
            name: digest
            for name, digest in told["files"].items()
            if not name.startswith(("pairs.parquet", "report.xlsx"))
        }
    assert there == here
    assert "matches.parquet" in here["files"]
    assert [each["number"] for each in here["windows"]] == [0, 1]
    assert {"duplicate", "missing_left", "missing_right"} <= set(here["breaks"])


def test_a_killed_run_leaves_nothing_that_looks_like_a_result(planted, tmp_path):
    """Whenever it is killed, nor what is in the way of another run."""
    out = tmp_path / "out"
    for written in ("pairs.parquet", "report.xlsx"):
        process = subprocess.Popen(write_words(planted, out), stdout=subprocess.DEVNULL)
        while process.poll() is None and not any(tmp_path.glob(f"*/{written}")):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        process.kill()
        is_done = process.wait() == 0
        if out.exists():
            # Done, or killed after the folder got its name: then it is the whole of it.
            checked = check_folder(out, (out / MANIFEST).read_bytes())
            assert checked.files > 1
            assert (checked.findings, checked.others) == ([], [])
            out.rename(tmp_path / f"out with {written}")
        else:
            assert not is_done
    assert run(planted, out)["breaks"]
