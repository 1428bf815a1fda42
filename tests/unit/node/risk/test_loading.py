"""What is read of an operator's folder, and what is told of its files."""

from __future__ import annotations

import pytest
from tests.world import key

from hansa.kernel.crypto.address import to_text
from hansa.kernel.errors import Invalid
from hansa.node.risk.loading import read_files, read_merchants

SHOP = key("shop").address
WALLET = to_text(SHOP)


def test_merchants_are_read_as_spreadsheets_write_them(tmp_path):
    text = f"wallet,merchant\r\n{WALLET},shop\r\n\r\n"
    (tmp_path / "merchants.csv").write_text(text, encoding="utf-8-sig", newline="")
    assert read_merchants(tmp_path) == {SHOP: "shop"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: it must be wallet,merchant"),
        ("wallet,merchant\nnonsense,shop\n", "line 2: 'nonsense' is no address"),
        (f"wallet,merchant\n{WALLET},shop,7\n", "line 2: it must name a wallet"),
        (f"wallet,merchant\n{WALLET},\n", "line 2: it must name a wallet"),
        (f"wallet,merchant\n{WALLET},a\n{WALLET},b\n", "line 3: another merchant"),
    ],
)
def test_what_is_wrong_with_merchants_is_told_with_its_line(tmp_path, text, told):
    (tmp_path / "merchants.csv").write_text(text)
    with pytest.raises(Invalid, match=f"merchants.csv: {told}"):
        read_merchants(tmp_path)


@pytest.mark.parametrize("name", ["lists.csv", "lists.toml"])
def test_lists_without_a_byte_are_not_taken_for_lists_of_nothing(tmp_path, name):
    (tmp_path / "policy.toml").write_text("version = 1\n")
    assert read_files(tmp_path).lists == b""
    (tmp_path / name).write_text("")
    with pytest.raises(Invalid, match=f"{name} is empty"):
        read_files(tmp_path)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Lists.csv", "lists.csv or lists.toml"),
        ("lists.CSV", "lists.csv or lists.toml"),
        ("list.csv", "lists.csv or lists.toml"),
        ("rule.toml", "rules.toml"),
        ("rules.toml.txt", "rules.toml"),
        ("POLICY.TOML", "policy.toml"),
        ("policies.yaml", "policy.toml"),
        ("merchants.toml", "merchants.csv"),
        ("Models", "models"),
    ],
)
def test_a_file_that_looks_like_one_that_is_read_is_not_passed_over(tmp_path, name, meant):
    (tmp_path / "policy.toml").write_text("version = 1\n")
    (tmp_path / name).write_text("anything")
    with pytest.raises(Invalid, match=f"{name} is not read: if {meant} is meant, name it so"):
        read_files(tmp_path)


def test_copies_beside_the_files_are_let_be(tmp_path):
    (tmp_path / "policy.toml").write_text("version = 1\n")
    for name in ("rules.toml~", ".rules.toml.swp", "rules.old.toml", "lists.csv.bak", "notes.txt"):
        (tmp_path / name).write_text("anything")
    assert read_files(tmp_path).policy == b"version = 1\n"
