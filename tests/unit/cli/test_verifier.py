"""Commands of a verifier, as they are typed at a counter."""

import json
import secrets

import pytest
from tests.played import CHEAP

from hansa.cli.main import main
from hansa.node.identity.folders import serving_alone
from hansa.node.identity.verifier.folder import create_folder

PASSPHRASE = "a shop's own"


def make(path, name="shop"):
    """Make a folder as `new` does, whose keys open quickly."""
    named = {"url": f"https://{name}.example", "name": name.title()}
    create_folder(path, **named, passphrase=PASSPHRASE, draw=secrets.token_bytes, cost=CHEAP)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    return make(tmp_path / "verifier")


def run(verb, folder, *words):
    return main(["id", "verifier", verb, "--data", str(folder), "--json", *map(str, words)])


def read(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_question_is_a_link_a_picture_and_a_session(folder, capsys):
    picture = folder.parent / "ask.svg"
    assert run("ask", folder, "adult", "--svg", picture) == 0
    found = read(capsys)
    assert found["request"].startswith("openid4vp://?client_id=decentralized_identifier%3Adid%3A")
    assert "<svg" in picture.read_text()
    assert run("report", folder, found["session"]) == 0
    assert read(capsys) == {"state": "waiting"}
    assert run("report", folder, "none") == 4
    assert run("ask", folder, "none") == 4


def test_a_wallet_on_the_same_device_sends_the_browser_back(folder, capsys):
    assert run("ask", folder, "adult", "--return-to", "http://shop.example/back") == 2
    assert "--return-to: must be https" in capsys.readouterr().err
    assert run("ask", folder, "adult", "--return-to", "https://shop.example/back") == 0
    session = read(capsys)["session"]
    assert run("report", folder, session) == 0
    assert read(capsys) == {"state": "waiting"}
    assert run("report", folder, session, "--response-code", "guessed") == 4


def test_a_folder_is_made_once(folder, capsys):
    assert run("new", folder, "--url", "https://shop.example", "--name", "Shop") == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[[issuers]]\nid = "did:jwk:x"\nname = "C"\ntypes = []\n', "types"),
        ('[[issuers]]\nid = "https://c.example"\nname = "C"\ntypes = ["t"]\n', "key"),
        ('[[issuers]]\nid = "did:jwk:x"\nname = "C"\ntypes = ["t"]\nstatus = "x/"\n', "status"),
        ('[[issuers]]\nid = "c"\nname = "C"\ntypes = ["t"]\nkey = { kty = "RSA" }\n', "key"),
        ('[node]\nurl = "http://node.example"\ngenesis = "' + "0" * 64 + '"\n', "node.url"),
        ('[node]\nurl = "https://node.example"\ngenesis = "0"\n', "genesis"),
        ('[[questions]]\nid = "adult"\npurpose = "x"\nquery = "x"\n', "one id"),
        ('[[questions]]\nid = "b"\npurpose = "x"\nquery = "none.json"\n', "none.json"),
        ('[[questions]]\nid = "b"\npurpose = "x"\nquery = "verifier.toml"\n', "verifier.toml"),
    ],
)
def test_settings_that_cannot_be_are_told(folder, capsys, text, word):
    settings = folder / "verifier.toml"
    settings.write_text(settings.read_text() + "\n" + text)
    assert run("ask", folder, "adult") in {2, 4}
    assert word in capsys.readouterr().err


def test_a_key_of_another_verifier_is_noticed(folder, capsys):
    other = make(folder.parent / "other", "other")
    (folder / "keys.json").write_bytes((other / "keys.json").read_bytes())
    assert run("ask", folder, "adult") == 2
    assert "put back the file that belongs to this folder" in capsys.readouterr().err


def test_only_one_process_serves_a_folder(folder, capsys):
    with serving_alone(folder):
        assert run("up", folder, "--port", 0) == 5
        assert "another process serves" in capsys.readouterr().err
        assert run("ask", folder, "adult") == 0
    assert run("up", folder.parent / "none", "--port", 0) == 4


def test_a_new_verifier_says_where_it_will_listen(folder, capsys):
    words = ("--name", "Shop", "--data", str(folder.parent / "second"))
    assert main(["id", "verifier", "new", "--url", "http://127.0.0.1:9000", *words]) == 0
    assert "listen on 127.0.0.1:9000." in capsys.readouterr().out
    assert run("ask", folder.parent / "second", "adult") == 0
    words = ("--name", "Shop", "--data", str(folder.parent / "third"))
    assert main(["id", "verifier", "new", "--url", "https://shop.example:9000", *words]) == 0
    assert "listen on 127.0.0.1:8471: let a proxy" in capsys.readouterr().out
