"""Node, issuer and verifier as processes: what an issuer takes back is refused in seconds.

The issuer's key for the ledger asserts for its account and can do nothing else.
"""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import HANSA
from tests.identified import ISSUER, do, play_identity
from tests.played import CHEAP, PASSPHRASE, open_folder
from tests.ports import find_ports
from tests.world import MINUTE_MS, key

from hansa.cli.main import main
from hansa.contracts.identity import did
from hansa.contracts.identity.documents import Content, Kind, Method, Relationship
from hansa.identity.keys.multikey import read_multikey
from hansa.identity.methods.hansa import write_did
from hansa.identity.wallet.holdings import describe
from hansa.node.api.keys import add_key
from hansa.node.api.rights import Role
from hansa.node.home import Home
from hansa.node.identity.holder.vault import create_vault, open_vault
from hansa.node.identity.issuer.folder import create_folder
from hansa.node.identity.verifier.folder import create_folder as create_verifier
from hansa.node.service import wall_clock_ms
from hansa.sdk.keys import save_key

DID = write_did("test", ISSUER)
TYPE = "urn:hansa:test:resident"
MEI = {"given_name": "Mei", "family_name": "Tan", "birthdate": "1990-01-01"}
QUESTION = {
    "credentials": [
        {
            "id": "resident",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [TYPE]},
            "claims": [{"path": ["given_name"]}],
        }
    ]
}
WITHIN_S = 120
"""Far more than it takes where nothing else runs: a checkpoint comes each second."""


class City:
    """The folders of a node, an issuer, a verifier and a wallet."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]):
        self.path, self.capsys = path, capsys
        urls = (f"http://127.0.0.1:{port}" for port in find_ports(3))
        self.issuer, self.verifier, self.node = urls
        made = create_folder(
            path / "issuer",
            url=self.issuer,
            name="City",
            passphrase=PASSPHRASE,
            draw=secrets.token_bytes,
            cost=CHEAP,
        )
        public_key = read_multikey(made.key)
        method = Method("signing", Kind.P256, public_key.data, int(Relationship.ASSERTION))
        with open_folder(path / "node") as world:
            play_identity(world)
            do(world, "issuer", did.Update(ISSUER, 2, Content((method,)), ()))
            world.time_ms += MINUTE_MS
            do(world, "anybody", did.PublishKeys(()))
            self.genesis = world.network.genesis_hash.hex()
        save_key(path / "issuer" / "desk.json", key("desk"), PASSPHRASE, cost=CHEAP)
        self._configure()

    def _configure(self):
        settings = self.path / "issuer" / "issuer.toml"
        text = settings.read_text().replace("urn:example:resident:1", TYPE)
        text = text.replace("[status]\n", "[status]\nlength = 2048\n")
        head = f'did = "{DID}"\nkey_id = "{DID}#signing"\n'
        ledger = f'[ledger]\nnode = "{self.node}"\ngenesis = "{self.genesis}"\nkey = "desk.json"\n'
        ledger += 'api_key_file = "api.key"\n'
        fields = {"role": Role.OPERATOR, "member": key("north").address_text}
        now_ms = wall_clock_ms()
        keys = Home(self.path / "node").api_keys_path
        _, token = add_key(keys, name="office", now_ms=now_ms, **fields)
        (self.path / "issuer" / "api.key").write_text(token)
        text = text.replace("validity_days", "anchor = true\nvalidity_days")
        settings.write_text(head + text + ledger)
        folder, secret = self.path / "verifier", {"passphrase": PASSPHRASE, "cost": CHEAP}
        create_verifier(folder, url=self.verifier, name="Shop", draw=secrets.token_bytes, **secret)
        (folder / "adult.dcql.json").write_text(json.dumps(QUESTION))
        node = f'[node]\nurl = "{self.node}"\ngenesis = "{self.genesis}"\n'
        settings = folder / "verifier.toml"
        settings.write_text(settings.read_text() + node)
        create_vault(self.path / "wallet", draw=secrets.token_bytes, **secret)
        (self.path / "mei.json").write_text(json.dumps(MEI))

    def run(self, *words, code=0):
        """Run a command in this process; returns what it prints."""
        self.capsys.readouterr()
        ended = main([*map(str, words), "--data", str(self.path / words[1]), "--json"])
        out, err = self.capsys.readouterr()
        assert code in (None, ended), err
        return json.loads(out.splitlines()[-1])

    @contextmanager
    def up(self, *words):
        """Have a service run meanwhile; gives its process."""
        folder = self.path / words[-2] if len(words) > 1 else self.path / "node"
        port = self.node.rpartition(":")[2] if len(words) == 1 else None
        more = ["--port", port] if port else []
        process = subprocess.Popen(
            [HANSA, *words, "--data", folder, "--json", *more],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert process.stdout.readline(), "it ended before it answered"
                yield process
            finally:
                process.send_signal(signal.SIGTERM)

    def present(self):
        """Show the credential to the verifier; returns the report."""
        asked = self.run("id", "verifier", "ask", "adult")
        self.run("id", "wallet", "present", asked["request"], "--yes", "--loopback", code=None)
        return self.run("id", "verifier", "report", asked["session"], code=None)

    def receive(self):
        """Have the wallet fetch a credential."""
        told = ("--credential", "resident", "--claims", self.path / "mei.json")
        offered = self.run("id", "issuer", "offer", *told)
        more = ("--tx-code", offered["code"], "--copies", "1", "--yes", "--loopback")
        self.run("id", "wallet", "receive", offered["offer"], *more)

    def find_date(self):
        """Find when the credential says that it was issued."""
        with open_vault(self.path / "wallet", PASSPHRASE, secrets.token_bytes) as vault:
            (held,) = vault.contents.holdings
            return describe(held).claims["iat"]

    def await_fault(self, fault):
        """Present until the verifier finds it."""
        end_s = time.monotonic() + WITHIN_S
        while fault not in [each["fault"] for each in self.present()["findings"]]:
            assert time.monotonic() < end_s

    def find(self, is_wanted):
        """List what was issued until something is as wanted; returns it."""
        end_s = time.monotonic() + WITHIN_S
        while not (found := [each for each in self.list_issued() if is_wanted(each)]):
            assert time.monotonic() < end_s, self.list_issued()
        return found

    def list_issued(self):
        return self.run("id", "issuer", "issued")["issued"]


@pytest.fixture
def city(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)
    return City(tmp_path, capsys)


def test_what_an_issuer_takes_back_is_refused_in_seconds_and_whatever_fails(city):
    with city.up("id", "verifier", "up"):
        with city.up("up"), city.up("id", "issuer", "up"):
            city.receive()
            assert city.find_date() % 3_600 == 0
            assert city.present()["state"] == "accepted"
            told = city.run("id", "issuer", "suspend", "1")
            assert told["ledger"].startswith("confirmed at height"), told
            city.await_fault("identity.SUSPENDED")
            assert city.find(lambda each: each["anchor"].startswith("confirmed"))
        told = city.run("id", "issuer", "revoke", "1")  # neither node nor issuer runs
        assert told["ledger"].startswith("revocation on its way"), told
        with city.up("id", "issuer", "up") as issuer:  # it has its list, and waits for the node
            issuer.kill()
        with city.up("up"), city.up("id", "issuer", "up"):
            assert city.find(lambda each: each["ledger"].startswith("confirmed at height"))
            city.await_fault("identity.REVOKED")
