"""What reaches a terminal: nothing that others wrote may move its cursor or hide a line."""

from __future__ import annotations

import io

import pytest

from hansa.cli.main import main
from hansa.cli.screen import complain, escape, print_found, say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("b\x1b[9A\x1b[J", "b\\x1b[9A\\x1b[J"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x00\x7f\x9b2J", "\\x00\\x7f\\x9b2J"),
        ("\u202e\u2028\u200b", "\\u202e\\u2028\\u200b"),
        ("\udcff", "\\udcff"),
        ("café 澳門 12.50 → ok", "café 澳門 12.50 → ok"),
    ],
)
def test_what_is_not_printed_as_itself_is_escaped(capsys, text, shown):
    assert escape(text) == shown
    say(text)
    complain(text)
    print_found({text: text, "list": [text], "inner": {text: text}}, is_json=False)
    out, err = capsys.readouterr()
    assert out.count("\n") == 4
    assert out.count(shown) == 6
    assert err == shown + "\n"


def test_a_text_with_a_comma_is_no_second_field(capsys):
    call = {"call": "payments.transfer", "id": 'a, amount_minor "1"', "amount_minor": "90000"}
    print_found({"calls": [call]}, is_json=False)
    line = capsys.readouterr().out
    assert 'id "a, amount_minor \\"1\\"", amount_minor 90000' in line


def test_what_an_output_cannot_encode_is_escaped(tmp_path, monkeypatch):
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", shown)
    assert main(["doctor", "--data", str(tmp_path / "澳門")]) == 1
    text = shown.buffer.getvalue().decode()
    assert "\\u2192" in text, "the arrow before what to do"
    assert "\\u6fb3\\u9580" in text
