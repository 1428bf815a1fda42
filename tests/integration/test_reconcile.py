"""The command that reconciles, as a process: on Spark as here, and killed at any moment."""

import json
import subprocess

import pytest
from tests.conftest import HANSA

from hansa.node.bench.reconcile.planting import LEFT, RIGHT, RULES, plant

TIMEOUT_S = 240


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    (folder / "truth").mkdir()
    plant(3_000, 5, folder, folder / "truth")
    (folder / "rules.toml").write_text(RULES)
    return folder


def write_words(planted, out, *more):
    sides = [str(planted / each) for each in (LEFT, RIGHT)]
    rules = str(planted / "rules.toml")
    return [HANSA, "reconcile", *sides, "--rules", rules, "--out", str(out), "--json", *more]


def run(planted, out, *more):
    done = subprocess.run(
        write_words(planted, out, *more),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_spark_finds_the_same(planted, tmp_path, java):
    here = run(planted, tmp_path / "here")
    there = run(planted, tmp_path / "there", "--engine", "spark")
    assert there == here
    assert {"duplicate", "missing_left", "missing_right"} <= set(here["breaks"])


@pytest.mark.parametrize("after_s", [0.3, 1.2, 2.0])
def test_a_killed_run_leaves_nothing_that_looks_like_a_result(planted, tmp_path, after_s):
    out = tmp_path / "out"
    process = subprocess.Popen(write_words(planted, out), stdout=subprocess.DEVNULL)
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
    is_done = process.wait() == 0
    assert out.exists() == is_done
    if not is_done:
        assert run(planted, out)["breaks"]
