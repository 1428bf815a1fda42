"""Command lines that are wrong: one line that says so, and where their usage is shown."""

from __future__ import annotations

import errno
import json
import os
import subprocess

import pytest
from tests.conftest import HANSA

from hansa.cli.main import main
from hansa.system_errors import ADVICE

NOBODY = 65_534


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("block", "-1"),
        ("block", "1.5"),
        ("block", "1_000"),
        ("block", "9" * 40),
        ("block", ""),
        ("tx",),
        ("wallet",),
        ("up",),
        ("up", "--data", "x", "--port", "70000"),
        ("up", "--data", "x", "--port", "-1"),
        ("up", "--data", "x", "--host", ""),
        ("up", "--data", ""),
        ("init", "--data", ""),
        ("doctor", "--data", ""),
        ("replay", "x", "--data", ""),
        ("audit", "--data", ""),
        ("init", "--data", "i\udcff\udcfe"),
        ("backup", "--data", "x", ""),
        ("restore", "", "--check"),
        ("audit", "--node", ""),
        ("key", "api", "list", "--data", ""),
        ("demo", "--data", ""),
        ("demo", "--port", "99999"),
        ("demo", "--port", "-1"),
        ("demo", "--people", "99999999999"),
        ("demo", "--people", "2"),
        ("demo", "--merchants", "10001"),
        ("demo", "--payments", "1000001"),
        ("up", "--data", "x", "--host", " "),
        ("key", "new", "x", "--suite", "rsa"),
        ("key", "show", ""),
        ("network", "init", "--dir", "x", "--spec", ""),
        ("network", "init", "--dir", "x", "--port", "0"),
        ("network", "init", "--dir", "x", "--port", "x"),
        ("network", "init", "--dir", "x", "--validators", "\u0663"),
        ("pay", "x", "y"),
    ],
)
def test_wrong_usage_says_how(capsys, words):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("hansa: ")
    assert "usage: hansa" in err
    if words:
        assert main([*words, "--json"]) == 2
        found = json.loads(capsys.readouterr().err)
        assert (found["error"], found["usage"].split()[0]) == ("Invalid", "hansa")


@pytest.mark.parametrize("port", ["-1", "65536", "9" * 30, "x", ""])
def test_a_port_is_told_its_bounds(capsys, port):
    assert main(["up", "--data", "x", "--port", port]) == 2
    assert "is no port: 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["audit", "--help"]])
def test_help_that_cannot_be_printed_is_an_error_of_one_line(words):
    full = subprocess.run(
        ["/bin/sh", "-c", '"$@" >/dev/full', "sh", HANSA, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (full.returncode, full.stderr.count("\n")) == (5, 1)
    assert "the disk is full: free some space" in full.stderr


def test_what_this_user_may_not_read_is_told_with_what_to_do(tmp_path, capsys):
    words = ["network", "status", "--dir", str(tmp_path)]
    assert main(words) == 4
    tmp_path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        assert main(words) == 5
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)
    assert "Permission denied; correct the owner or the permissions" in capsys.readouterr().err


def test_what_the_system_refuses_to_write_is_told_with_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HANSA_PASSPHRASE", "secret")
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:
        os.chown(tmp_path, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        assert main(["key", "new", str(tmp_path / "key.json")]) == 5
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)
    assert ADVICE[errno.EACCES] in capsys.readouterr().err


def test_nobody_who_reads_help_is_no_error():
    closed = subprocess.run(
        ["/bin/sh", "-c", '"$@" | true', "sh", HANSA, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert closed.stderr == ""
