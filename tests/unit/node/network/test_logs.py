"""The ends of log files, and what comes after them."""

from __future__ import annotations

import pytest

from hansa.node.home import Home
from hansa.node.network.folders import NodeFolder
from hansa.node.network.logs import LogFile, list_files, read_end
from hansa.node.settings import Settings


def test_last_lines_and_then_only_new_ones(tmp_path):
    path = tmp_path / "node.log"
    path.write_text("".join(f"line {number}\n" for number in range(20_000)))
    file = LogFile("a", path)
    assert file.read_last(3) == ["line 19997", "line 19998", "line 19999"]
    assert file.read_new() == []
    with path.open("a") as log:
        log.write("one\ntwo\nhal")
    assert file.read_new() == ["one", "two"]
    with path.open("a") as log:
        log.write("f\n")
    assert file.read_new() == ["half"]


def test_a_file_that_was_put_aside_is_begun_anew(tmp_path):
    path = tmp_path / "node.log"
    path.write_text("old\n")
    file = LogFile("a", path)
    assert file.read_last(0) == []
    path.rename(tmp_path / "node.log.1")
    path.write_text("new\n")
    assert file.read_new() == ["new"]


def test_a_file_that_is_not_there_says_nothing_until_it_is(tmp_path):
    file = LogFile("a", tmp_path / "node.log")
    assert file.read_last(5) == file.read_new() == []
    (tmp_path / "node.log").write_text("first\n")
    assert file.read_new() == ["first"]


def test_both_processes_of_a_node_have_a_log(tmp_path):
    node = NodeFolder("a", Home(tmp_path / "a"), Settings())
    assert [file.name for file in list_files([node])] == ["a", "a/cometbft"]


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b'{"how": "\xc1", "again_ms": 1}', b"[" * 100_000, b'{"x": ' + b"[" * 100_000],
    ids=lambda raw: str(raw[:18]),
)
def test_a_damaged_end_tells_nothing(tmp_path, raw):
    (tmp_path / "ended.json").write_bytes(raw)
    assert read_end(tmp_path / "ended.json") is None
