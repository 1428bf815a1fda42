"""A validator whose clock is an hour off: ledger time is a median, and does not follow it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.faulted import FaultedNetwork
from tests.voted import wall_clock_ms

from hansa.engine.cometbft.child.binary import VERSION
from hansa.engine.cometbft.engine import CometEngine

pytestmark = [pytest.mark.integration, pytest.mark.soak]  # it builds a CometBFT

HOUR_MS = 3_600_000
ROUNDS = 40
MODULE = f"github.com/cometbft/cometbft@v{VERSION}"
NOW = "return Canonical(time.Now())"
OFFSET = "\nvar offset, _ = time.ParseDuration(os.Getenv(`COMETBFT_CLOCK_OFFSET`))\n"


def build_with_offset(folder: Path) -> Path:
    """Build a CometBFT for tests, whose clock is as far off as its environment says."""
    ours = ROOT / ".tools" / "go"  # where `make cometbft` puts one if the system has none
    go = shutil.which("go") or shutil.which("go", path=ours / "bin")
    if go is None:
        pytest.skip("there is no Go to build a CometBFT whose clock is off: run make cometbft")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    if Path(go).is_relative_to(ours):
        environment |= {"GOROOT": str(ours), "GOPATH": str(folder / "go")}
        environment |= {"GOCACHE": str(folder / "go-cache"), "GOFLAGS": "-modcacherw"}

    def run(*words: str, where: Path = folder) -> str:
        return subprocess.run(
            [go, *words], cwd=where, env=environment, check=True, capture_output=True, text=True
        ).stdout

    run("mod", "init", "offset")
    run("mod", "download", MODULE)
    cache = Path(run("env", "GOMODCACHE").strip())
    source = folder / "source"
    shutil.copytree(cache / MODULE, source, copy_function=shutil.copyfile)
    for path in (source, *source.rglob("*")):
        path.chmod(0o700)
    clock = source / "types" / "time" / "time.go"
    text = clock.read_text()
    assert NOW in text
    text = text.replace(NOW, NOW.replace("Now()", "Now().Add(offset)"))
    clock.write_text(text.replace('"sort"', '"os"\n\t"sort"') + OFFSET)
    binary = folder / "cometbft"
    run("build", "-o", str(binary), "./cmd/cometbft", where=source)
    return binary


def write_program(folder: Path, binary: Path, offset: str) -> Path:
    """Write a program that starts it with a clock so far off."""
    program = folder / f"cometbft{offset}"
    program.write_text(f'#!/bin/sh\nCOMETBFT_CLOCK_OFFSET={offset} exec {binary} "$@"\n')
    program.chmod(0o700)
    return program


def test_a_clock_an_hour_off_moves_nothing(cometbft, tmp_path, capsys):
    binary = build_with_offset(tmp_path)

    async def pay_beside_it(network, offset):
        program = write_program(tmp_path, binary, offset)

        class OffEngine(CometEngine):
            def __init__(self, chain, verifier, clock_ms, home, _, *arguments, **named):
                super().__init__(chain, verifier, clock_ms, home, program, *arguments, **named)

        await network.start(3, kind=OffEngine)
        for number in range(ROUNDS):
            await network.pay(number % 4)
        assert abs(network.engines[0].chain.head.time_ms - wall_clock_ms()) < HOUR_MS // 4
        told = await network.check()
        await network.stop(3)
        with capsys.disabled():
            sys.stdout.write(f"\n  a clock off by {offset}: {told}\n")

    async def play():
        network = FaultedNetwork(tmp_path)
        try:
            await network.start(0, 1, 2)
            await network.fund()
            for offset in ("1h", "-1h"):
                await pay_beside_it(network, offset)
        finally:
            await network.close()

    asyncio.run(play())
