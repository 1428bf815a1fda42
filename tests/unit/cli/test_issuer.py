"""Commands of an issuer, as an officer types them."""

import json

import pytest

from hansa.cli.main import main

MEI = {"given_name": "Mei", "family_name": "Tan", "birthdate": "1990-01-01"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", "an officer's own")
    path = tmp_path / "issuer"
    assert run("new", path, "--url", "https://issuer.example", "--name", "City") == 0
    (tmp_path / "mei.json").write_text(json.dumps(MEI))
    return path


def run(verb, folder, *words):
    return main(["id", "issuer", verb, "--data", str(folder), "--json", *map(str, words)])


def read(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_an_offer_is_a_link_a_code_and_a_picture(folder, capsys):
    picture = folder.parent / "offer.svg"
    claims = folder.parent / "mei.json"
    words = ("--credential", "resident", "--claims", claims, "--svg", picture)
    assert run("offer", folder, *words) == 0
    found = read(capsys)
    assert found["offer"].startswith("openid-credential-offer://?credential_offer_uri=https%3A")
    assert len(found["code"]) == 6
    assert len(found["datasets"]) == 1
    assert "<svg" in picture.read_text()
    assert run("offer", folder, *words) == 2
    assert "exists already" in capsys.readouterr().err


def test_an_offer_may_ask_for_no_code(folder, capsys):
    assert run("offer", folder, "--credential", "resident", "--no-code") == 0
    assert read(capsys)["code"] == ""


def test_an_officer_completes_or_declines_once(folder, capsys):
    words = ("--credential", "resident", "--credential", "resident", "--claims", "-")
    assert run("offer", folder, *words) == 0
    first, second = read(capsys)["datasets"]
    claims = folder.parent / "mei.json"
    assert run("complete", folder, first, "--claims", claims) == 0
    assert read(capsys) == {"dataset": first, "state": "complete"}
    assert run("complete", folder, first, "--claims", claims) == 4
    assert run("decline", folder, second, "--why", "not in the register") == 0
    assert run("decline", folder, second) == 4


def test_claims_that_do_not_fit_are_refused_at_once(folder, capsys):
    claims = folder.parent / "bad.json"
    claims.write_text("{}")
    assert run("offer", folder, "--credential", "resident", "--claims", claims) == 2
    assert "resident.schema.json" in capsys.readouterr().err
    claims.write_text("[" * 9_000)
    assert run("offer", folder, "--credential", "resident", "--claims", claims) == 2
    assert run("offer", folder, "--credential", "other") == 4
    surplus = ("--credential", "resident", *["--claims", folder.parent / "mei.json"] * 2)
    assert run("offer", folder, *surplus) == 2


def test_nothing_was_issued_yet(folder, capsys):
    assert main(["id", "issuer", "issued", "--data", str(folder)]) == 0
    assert "Nothing was issued" in capsys.readouterr().out
    assert run("issued", folder) == 0
    assert read(capsys) == {"issued": []}
    assert run("revoke", folder, 1) == 4


def test_a_folder_must_be_there_and_have_its_passphrase(folder, capsys, monkeypatch):
    assert run("issued", folder.parent / "none") == 4
    monkeypatch.setenv("HANSA_PASSPHRASE", "another")
    assert run("issued", folder) == 2
    assert "passphrase" in capsys.readouterr().err
