"""`hansa message`: send, sent, list, show, take."""

from __future__ import annotations

import json

import pytest
from tests.posting import run_posts

from hansa.cli.main import main
from hansa.kernel.crypto.address import to_text


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    with run_posts(tmp_path_factory.mktemp("posts")) as found:
        yield found


@pytest.fixture
def run(posts, capsys):
    """Run `hansa message` at a node; gives code, JSON and what was complained of."""

    def call(at, *words, as_json=True):
        post = posts[at]
        options = ["--node", post.url, "--api-key-file", str(post.key_file)]
        code = main(["message", *words, *options, *(["--json"] if as_json else [])])
        out, err = capsys.readouterr()
        return code, json.loads(out) if as_json and out else out, err

    return call


def test_a_message_is_sent_listed_shown_and_taken(run, posts, tmp_path):
    code, sent, _ = run(0, "send", "south", "case", "--text", "12.50 is open", "--wait", "20")
    assert (code, sent["state"]) == (0, "delivered")
    code, listed, _ = run(1, "list", "--topic", "case")
    (item,) = listed["messages"]
    number = str(item["number"])
    target = tmp_path / "content"
    code, shown, _ = run(1, "show", number, "--output", str(target))
    assert (code, shown["text"], target.read_bytes()) == (0, "12.50 is open", b"12.50 is open")
    code, _, complaint = run(1, "show", number, "--output", str(target))
    assert code == 2
    assert "there already" in complaint
    _, out, _ = run(1, "list", as_json=False)
    assert f"{number}  " in out
    code, taken, _ = run(1, "take", number)
    assert (code, taken["content"]) == (0, None)
    code, _, _ = run(1, "show", number, "--output", str(tmp_path / "other"))
    assert code == 4
    _, out, _ = run(1, "list", as_json=False)
    assert "No message waits" in out
    _, found, _ = run(0, "sent", sent["id"])
    assert found == sent
    _, out, _ = run(0, "sent", as_json=False)
    assert f"{sent['id']}  " in out
    assert "delivered case to hansa1" in out


def test_a_file_is_sent_as_it_is(run, posts, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\xff\x00")
    address = to_text(posts[1].address)
    code, sent, _ = run(0, "send", address, "files", "--file", str(path), "--wait", "20")
    assert (code, sent["size"]) == (0, 2)
    _, listed, _ = run(1, "list", "--topic", "files")
    _, shown, _ = run(1, "show", str(listed["messages"][0]["number"]))
    assert (shown["content"], "text" in shown) == ("/wA=", False)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("send", "Nobody", "case", "--text", "x"), 4, "no member is called"),
        (("send", "south", "case", "--text", "x", "--hours", "0"), 2, "choose 1 to 720"),
        (("send", "south", "case", "--text", "x", "--wait", "9999"), 2, "3600 s at most"),
        (("send", "south", "Case", "--text", "x"), 2, "1 to 64 of a-z 0-9"),
        (("send", "north", "case", "--text", "x"), 3, "its own member"),
        (("send", "south", "case"), 2, "--text"),
        (("sent", "12"), 2, "no id of a message"),
        (("sent", "00" * 16), 4, "was sent from here"),
        (("take", "99999"), 4, "there is no message"),
        (("show", "x"), 2, "no whole number"),
    ],
)
def test_mistakes_say_what_to_do(run, words, code, told):
    found, _, complaint = run(0, *words, as_json=False)
    assert (found, told in complaint) == (code, True), complaint
