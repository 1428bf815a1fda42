"""`hansa id resolve`: DIDs of other methods, as people ask for them."""

from __future__ import annotations

import json

import pytest

from hansa.cli.main import main
from hansa.identity.keys.kinds import KeyKind
from hansa.identity.keys.signing import load_private_key
from hansa.identity.methods.local import write_did_jwk, write_did_key

KEY = load_private_key(KeyKind.P256, b"\x71" * 32).public_key


def run(capsys, *words, code=0):
    assert main(["id", "resolve", *words]) == code
    return capsys.readouterr()


@pytest.mark.parametrize("did", [write_did_key(KEY), write_did_jwk(KEY)])
def test_a_did_that_is_a_key_is_shown_with_its_uses(capsys, did):
    found = json.loads(run(capsys, did, "--json").out)
    (key,) = found["keys"]
    assert found["did"] == did
    assert key["kind"] == "p256"
    assert "assertionMethod" in key["uses"]
    assert found["services"] == found["also_known_as"] == []
    assert key["multikey"] in run(capsys, did).out


@pytest.mark.parametrize(
    ("did", "words"),
    [
        ("nonsense", "no DID"),
        ("did:sov:abc", "key, jwk, web, webvh"),
        ("did:web:127.0.0.1", "names no domain"),
        ("did:hansa:test:abc", "hansa id show"),
        ("did:web:localhost", "which is inside"),
    ],
)
def test_what_cannot_be_resolved_is_said(capsys, did, words):
    assert words in run(capsys, did, code=2).err


def test_only_hosts_that_were_named_are_asked(capsys):
    told = run(capsys, "did:web:office.example", "--host", "other.example", code=2).err
    assert "not among the hosts" in told


def test_a_server_that_does_not_answer_may_later(capsys):
    told = run(capsys, "did:web:localhost%3A1", "--inside", code=5).err
    assert "localhost:1 does not answer" in told
