"""Commands of an issuer, as an officer types them."""

import json
import secrets

import pytest
from tests.unit.node.identity.issuer.ledger.playing import HEAD, LEDGER
from tests.unit.node.identity.issuer.playing import CHEAP, PASSPHRASE

from hansa.cli.identity.issuer_ledger import bring_to_ledger
from hansa.cli.main import main
from hansa.node.identity.folders import serving_alone
from hansa.node.identity.issuer.folder import create_folder, open_issuer
from hansa.sdk.keys import KeyPair, save_key

MEI = {"given_name": "Mei", "family_name": "Tan", "birthdate": "1990-01-01"}


@pytest.fixture
def passphrase(monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)


@pytest.fixture
def folder(tmp_path, passphrase):
    """As `new` makes it; its keys open quickly."""
    path = tmp_path / "issuer"
    named = {"url": "https://issuer.example", "name": "City"}
    create_folder(path, **named, passphrase=PASSPHRASE, draw=secrets.token_bytes, cost=CHEAP)
    (tmp_path / "mei.json").write_text(json.dumps(MEI))
    return path


def run(verb, folder, *words):
    return main(["id", "issuer", verb, "--data", str(folder), "--json", *map(str, words)])


def read(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_new_issuer_can_offer(tmp_path, passphrase, capsys):
    path = tmp_path / "issuer"
    assert run("new", path, "--url", "https://issuer.example", "--name", "City") == 0
    assert read(capsys)["did"].startswith("did:")
    assert run("offer", path, "--credential", "resident", "--no-code") == 0
    assert read(capsys)["code"] == ""


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


@pytest.fixture
def on_ledger(folder):
    """An issuer whose node is away, and one credential that it has issued before."""
    settings = folder / "issuer.toml"
    settings.write_text(HEAD + settings.read_text() + LEDGER.replace(":8460", ":9"))
    save_key(folder / "office.json", KeyPair.from_seed(b"office"), PASSPHRASE, cost=CHEAP)
    service = open_issuer(folder, PASSPHRASE, secrets.token_bytes)
    service.wants.confirm_list(1, 7)
    with service.records.at_once():
        service.write(service.protocol.configurations[0], "d.0", MEI, None, 1_795_953_600_000)
    service.close()
    return folder


def test_a_decision_is_kept_while_the_ledger_is_away(on_ledger, capsys):
    assert run("suspend", on_ledger, 1) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["state"], found["anchor"]) == ("suspended", "")
    assert found["ledger"].startswith("suspension on its way (")
    assert "id issuer up repeats it" in err
    assert main(["id", "issuer", "issued", "--data", str(on_ledger)]) == 0
    assert "suspended  resident  d.0  ledger: suspension on its way (" in capsys.readouterr().out


def test_a_decision_is_for_all_copies_and_each_is_brought_to_the_ledger(on_ledger, capsys):
    service = open_issuer(on_ledger, PASSPHRASE, secrets.token_bytes)
    with service.records.at_once():
        for dataset in ("e.0", "d.0"):
            service.write(service.protocol.configurations[0], dataset, MEI, None, 1_795_953_600_000)
    service.close()
    assert run("revoke", on_ledger, 3) == 0
    told = read(capsys)
    assert (told["number"], told["copies"]) == (3, [1, 3])
    assert run("issued", on_ledger) == 0
    issued = read(capsys)["issued"]
    assert [each["state"] for each in issued] == ["revoked", "issued", "revoked"]
    assert [bool(each["ledger"]) for each in issued] == [True, False, True]


def test_a_decision_is_left_to_the_service_that_runs(on_ledger, capsys):
    service = open_issuer(on_ledger, PASSPHRASE, secrets.token_bytes)
    service.revoke(1, 1_795_953_600_000)
    with serving_alone(on_ledger):
        (listed,) = bring_to_ledger(on_ledger, service, [1], PASSPHRASE, patience_s=0.1)
    service.close()
    assert listed.progress.describe("revocation") == "revocation on its way"
    assert "the service repeats it" in capsys.readouterr().err


def test_a_key_that_cannot_be_opened_loses_no_decision(on_ledger, capsys):
    (on_ledger / "office.json").unlink()
    assert run("revoke", on_ledger, 1) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["ledger"].startswith("revocation on its way")
    assert "office.json" in err
    assert run("up", on_ledger) == 4


def test_an_offer_says_that_the_ledger_was_not_asked(on_ledger, capsys):
    assert run("offer", on_ledger, "--credential", "resident") == 0
    assert "was not checked" in capsys.readouterr().err


def test_it_is_told_who_signs_each_credential(folder, capsys):
    settings = folder / "issuer.toml"
    more = 'format = "ldp_vc"\ntype = "T"\nname = "T"\n'
    text = settings.read_text() + "".join(
        f'[[credentials]]\nid = "{number}"\ncryptosuite = "{suite}"\n{more}{rest}\n'
        for number, (suite, rest) in enumerate(
            [("eddsa-jcs-2022", ""), ("bbs-2023", "needs_binding = false\nrevocable = false")]
        )
    )
    settings.write_text(text)
    assert run("kinds", folder) == 0
    resident, signed, derivable = read(capsys)["credentials"]
    assert resident["issuer"].startswith("did:jwk:")
    assert resident["key"].startswith("zDn")
    for each, start in ((signed, "z6Mk"), (derivable, "zUC")):
        assert each["key"].startswith(start)
        assert each["issuer"] == f"did:key:{each['key']}"
    assert main(["id", "issuer", "kinds", "--data", str(folder)]) == 0
    assert "bbs" not in capsys.readouterr().err
