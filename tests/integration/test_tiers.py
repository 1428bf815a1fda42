"""A wallet rises by a credential and falls when it is revoked: node, issuer, operator, holder.

Each is a process of its own, and all that is done is done by commands.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
from tests.conftest import HANSA
from tests.played import PASSPHRASE, make_folder
from tests.ports import find_ports
from tests.world import key

from hansa.cli.main import main
from hansa.kernel.crypto.address import to_text
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Role
from hansa.node.home import Home
from hansa.node.identity.holder.vault import create_vault
from hansa.node.identity.issuer.folder import create_folder as create_issuer
from hansa.node.identity.operator.folder import NewOperator, create_operator
from hansa.node.service import wall_clock_ms
from hansa.passphrases import ScryptCost
from hansa.sdk.keys import save_key

ENVIRONMENT = {**os.environ, "HANSA_PASSPHRASE": PASSPHRASE}
CHEAP = ScryptCost(n=2, r=1, p=1)
SECRETS = {"passphrase": PASSPHRASE, "draw": secrets.token_bytes, "cost": CHEAP}
NORTH = to_text(key("north").address)
MEI = {
    "given_name": "Mei",
    "family_name": "Tan",
    "birthdate": "1990-01-01",
    "age_equal_or_over_18": True,
    "resident_number": "1234567(8)",
}


@contextmanager
def serving(*words):
    """Have a service at work."""
    process = subprocess.Popen(
        [HANSA, *map(str, words), "--json"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        line = process.stdout.readline()
        assert line, f"{words} ended before it answered"
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.close()
        process.wait(timeout=60)


class City:
    """Folders and addresses of all who take part."""

    def __init__(self, path, capsys):
        self.path, self.capsys = path, capsys
        self.home: Home = make_folder(path / "node")
        self.issuer, self.operator, self.holder = (
            path / name for name in ("issuer", "operator", "holder")
        )
        self.issuer_url, self.operator_url = (f"http://127.0.0.1:{port}" for port in find_ports(2))

    def hansa(self, *words, code=0):
        """Run a command beside the services, in this process; returns what it printed."""
        self.capsys.readouterr()
        assert main([*map(str, words), "--json"]) == code, self.capsys.readouterr()
        out, err = self.capsys.readouterr()
        return json.loads(out or err)

    def found_issuer(self):
        named = {"url": self.issuer_url, "name": "City"}
        made = create_issuer(self.issuer, **named, **SECRETS)
        settings = self.issuer / "issuer.toml"
        text = settings.read_text().replace('# operators = ["hansa1…"]', f'operators = ["{NORTH}"]')
        settings.write_text(text.replace("# pairwise_by", "pairwise_by"))
        return made.did

    def found_operator(self, node, did):
        key_file = self.path / "north.json"
        save_key(key_file, key("north"), PASSPHRASE, cost=CHEAP)
        fields = {"role": Role.OPERATOR, "member": key("north").address_text}
        token = add_key(self.home.api_keys_path, name="n", now_ms=wall_clock_ms(), **fields)[1]
        new = NewOperator(
            url=self.operator_url,
            name="North",
            operator=NORTH,
            node=node["url"],
            genesis=self.home.load_network().genesis_hash.hex(),
            key=str(key_file),
        )
        create_operator(self.operator, new, **SECRETS)
        (self.operator / "north.key").write_text(token)
        rules = self.operator / "tiers.toml"
        text = rules.read_text().replace(
            '# api_key_file = "operator.key"', 'api_key_file = "north.key"'
        )
        rules.write_text(text.replace("# watch_minutes = 15", "watch_minutes = 1"))
        with (self.operator / "verifier.toml").open("a") as file:
            file.write(
                f'\n[[issuers]]\nid = "{did}"\nname = "City"\ntypes = ["urn:example:resident:1"]\n'
                f'status = "{self.issuer_url}/status/"\n'
            )
        return token

    def tier(self, verb, *words, code=0):
        return self.hansa("id", "tier", verb, *words, "--data", self.operator, code=code)

    def receive(self):
        claims = self.path / "mei.json"
        claims.write_text(json.dumps(MEI))
        offer = ["--credential", "resident", "--claims", claims, "--no-code"]
        made = self.hansa("id", "issuer", "offer", *offer, "--data", self.issuer)
        words = [made["offer"], "--loopback", "--yes", "--data", self.holder]
        self.hansa("id", "wallet", "receive", *words)

    def present(self, asked, code=0):
        words = [asked["request"], "--loopback", "--yes", "--data", self.holder]
        return self.hansa("id", "wallet", "present", *words, code=code)

    def await_state(self, session, *states, code=0):
        """Ask until a case stands there; a minute is much more than it takes."""
        end_s = time.monotonic() + 60
        while True:
            self.capsys.readouterr()
            found = main(["id", "tier", "report", session, "--data", str(self.operator), "--json"])
            told = json.loads(self.capsys.readouterr().out)
            if told["state"] in states:
                assert found == code
                return told
            assert time.monotonic() < end_s, told


@pytest.fixture
def city(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    return City(tmp_path, capsys)


def test_a_wallet_rises_by_a_credential_and_falls_when_it_is_revoked(city):
    with serving("up", "--data", city.home.path, "--port", "0") as node:
        did = city.found_issuer()
        token = city.found_operator(node, did)
        read = ["--node", node["url"], "--api-key-file", city.operator / "north.key"]
        assert token
        mine, other = (to_text(key(name).address) for name in ("mei", "mei's second"))
        for wallet in (mine, other):
            to = ["--node", node["url"], "--category", "IV"]
            city.hansa("wallet", "open", city.path / "north.json", wallet, *to)
        with serving("id", "issuer", "up", "--data", city.issuer):
            create_vault(city.holder, PASSPHRASE, secrets.token_bytes, CHEAP)
            city.receive()
            with serving("id", "tier", "up", "--data", city.operator):
                asked = city.tier("ask", mine, "--category", "III")
                assert city.tier("report", asked["session"])["state"] == "asked"
                shown = city.present(asked)
                (credential,) = shown["credentials"]
                subjects = credential["shown"].pop("pairwise_subjects")
                assert list(subjects) == [NORTH]
                assert credential["shown"] == {"age_equal_or_over_18": True}
                assert [each["wallet"] for each in shown["transactions"]] == [mine]
                lifted = city.await_state(asked["session"], "lifted")
                found = city.hansa("wallet", "show", mine, *read)
                assert (found["category"], found["given_category"]) == ("III", "IV")
                assert found["lift"]["category"] == "III"
                # One person, one wallet of this operator and category.
                again = city.tier("ask", other, "--category", "III")
                city.present(again)
                refused = city.await_state(again["session"], "refused", code=1)
                assert "tiers.NULLIFIER_USED" in refused["why"]
                assert city.hansa("wallet", "show", other, *read)["category"] == "IV"
            audited = city.tier("audit")["lifts"]
            assert [(each["session"], each["findings"]) for each in audited] == [
                (asked["session"], [])
            ]
            assert lifted["lifted by"] == audited[0]["lifted by"]
            for issued in city.hansa("id", "issuer", "issued", "--data", city.issuer)["issued"]:
                city.hansa("id", "issuer", "revoke", issued["number"], "--data", city.issuer)
            assert city.tier("check")["cases"] == []
        found = city.hansa("wallet", "show", mine, *read)
        assert (found["category"], found["lift"]) == ("IV", None)
        ended = city.tier("report", asked["session"])
        assert (ended["state"], ended["why"]) == ("ended", "lowered: revoked")
