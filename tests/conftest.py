"""What all tests share: where the datasets are, how hard to try, and what may not be skipped.

Under `CI=true` a test that needs the datasets fails instead of being skipped while they are there,
and tests of the console, under strace, with SoftHSM2, on Spark, CometBFT or foreign clients fail
where that is not there.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest

from hansa.compiled import SWITCH, hash_sources, read_manifest
from hansa.engine.batch_verifier import BatchVerifier, find_library
from hansa.engine.cometbft.child.binary import find_binary
from hansa.kernel.errors import HansaError

ROOT = Path(__file__).resolve().parent.parent
HANSA = str(Path(sys.executable).parent / "hansa")
"""The command as people call it: its worker processes load no more than they need."""

IS_CI = os.environ.get("CI", "").lower() in {"1", "true"}
IS_SOAK = os.environ.get("HANSA_SOAK", "") == "1"
FLIP_STEP = 7 if os.environ.get(SWITCH) == "0" else 1
"""Every which byte is flipped: `make test` runs the kernel a second time, from source."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell starts in the background, as `make test` does, ignores Ctrl-C, and so would
    # every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile(
    "hansa",
    deadline=None,  # a slow machine is not a wrong result
    print_blob=True,
    max_examples=5_000 if IS_SOAK else 100,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("hansa")


def find_datasets() -> Path | None:
    """Find the datasets folder: `HANSA_DATASETS`, or `shared/data` beside the repository."""
    named = os.environ.get("HANSA_DATASETS")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The datasets folder; a test that asks for it counts as a data test."""
    folder = find_datasets()
    if folder is None:
        where = os.environ.get("HANSA_DATASETS") or "../shared/data"
        pytest.skip(f"no datasets at {where}; HANSA_DATASETS names another place")
    return folder


@pytest.fixture(scope="session")
def compiled() -> None:
    """For tests of the compiled state machine, which `make setup` makes."""
    made = read_manifest()
    if made is None or made.sources != hash_sources():
        pytest.skip("the state machine is not compiled: make setup says why")


@pytest.fixture(scope="session")
def cometbft() -> Path:
    """The CometBFT program, which `make cometbft` builds."""
    try:
        return find_binary()
    except HansaError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="session")
def batch_verifier() -> BatchVerifier:
    """The batch verifier, which `make verifier` builds."""
    library = find_library()
    if library is None:
        pytest.skip("the batch verifier is not there: make verifier")
    return BatchVerifier(library)


@pytest.fixture(scope="session")
def java() -> None:
    """Java, in which Spark runs."""
    if shutil.which("java") is None:
        pytest.skip("Java is not installed: make java")


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether to try many more examples and seeds (`make soak`)."""
    return IS_SOAK


def pytest_collection():
    """Collect no garbage while tests are collected: nearly all that is made stays."""
    gc.disable()


def pytest_collection_finish():
    """Look for garbage in what tests make, and no more in thousands of tests and their modules."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """Mark by what a test asks for, or by the folder it lives in."""
    for item in items:
        if "datasets" in item.fixturenames:
            item.add_marker("data")
        if item.get_closest_marker("soak") and not IS_SOAK:
            item.add_marker(pytest.mark.skip(reason="it takes minutes: make soak runs it"))
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if folder in {"browser", "clients", "integration", "simulation"}:
            item.add_marker(folder)


def forbid_skip(item) -> str | None:
    """Why this test may not be skipped here, or None."""
    if not IS_CI or (item.get_closest_marker("soak") and not IS_SOAK):
        return None
    if item.get_closest_marker("data") and find_datasets():
        return "the datasets are there, so a data test may not be skipped in CI"
    if item.get_closest_marker("browser"):
        return "tests of the console may not be skipped in CI: run make browser"
    if item.get_closest_marker("clients"):
        return "tests with foreign clients may not be skipped in CI: run make clients"
    if "strace" in getattr(item, "fixturenames", ()):
        return "tests under strace may not be skipped in CI: run make strace"
    if "softhsm" in getattr(item, "fixturenames", ()):
        return "tests with SoftHSM2 may not be skipped in CI: run make softhsm"
    if "java" in getattr(item, "fixturenames", ()):
        return "tests on Spark may not be skipped in CI: run make java"
    if "cometbft" in getattr(item, "fixturenames", ()):
        return "tests with CometBFT may not be skipped in CI: run make cometbft"
    if "batch_verifier" in getattr(item, "fixturenames", ()):
        return "tests of the batch verifier may not be skipped in CI: run make verifier"
    if "compiled" in getattr(item, "fixturenames", ()):
        return "tests of the compiled state machine may not be skipped in CI: run make setup"
    return None


@contextmanager
def without_collections() -> Iterator[None]:
    """Collect no garbage meanwhile.

    A report parses sources. Before CPython 3.11.5 that ends in "AST constructor recursion depth
    mismatch", and so does pytest, where garbage is collected meanwhile whose finalizer parses, too:
    that of a failed task nobody waited for does, as it logs a traceback.

    Source: CPython, gh-106905.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    with without_collections():
        report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = forbid_skip(item)
        if reason:
            skipped_because = report.longrepr[2] if report.longrepr else ""
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: {reason}. It said: {skipped_because}"
    return report
