"""Issuer and verifier as processes: they answer until they are told to stop."""

import json
import secrets
import signal
import subprocess
import sys
import urllib.request

import pytest
from tests.played import CHEAP

from hansa.node.identity.issuer import folder as issuer
from hansa.node.identity.verifier import folder as verifier

PASSPHRASE = "an operator's own"
MAKERS = {"issuer": issuer.create_folder, "verifier": verifier.create_folder}


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Make a folder as `new` does; its keys open quickly."""
    monkeypatch.setenv("HANSA_PASSPHRASE", PASSPHRASE)

    def call(kind):
        named = {"url": "http://127.0.0.1:8470", "name": "City", "passphrase": PASSPHRASE}
        MAKERS[kind](tmp_path / kind, **named, draw=secrets.token_bytes, cost=CHEAP)
        return tmp_path / kind, [sys.executable, "-m", "hansa", "id", kind]

    return call


@pytest.mark.parametrize(
    ("kind", "path", "status"),
    [("issuer", "/.well-known/openid-credential-issuer", 200), ("verifier", "/requests/x", 404)],
)
def test_a_service_answers_until_it_is_stopped(make, kind, path, status):
    folder, hansa = make(kind)
    up = [*hansa, "up", "--port", "0", "--data", folder, "--json"]
    with subprocess.Popen(up, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            address = json.loads(process.stdout.readline())["address"]
            assert ask(address + path) == status
            second = subprocess.run(up, check=False, capture_output=True, timeout=60)
            assert second.returncode == 5
            assert b"another process serves" in second.stderr
            assert ask(address + path) == status
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        # A verifier's new folder names nobody whom to believe, which it says at once.
        assert (b"refuse every credential" in process.stderr.read()) is (kind == "verifier")
    assert not (folder / "records.db-wal").exists()  # it was closed


@pytest.mark.parametrize(
    ("kind", "words"), [("issuer", ("up", "--desk", "--port", "0")), ("verifier", ("desk",))]
)
def test_a_desk_is_opened_by_the_printed_link_once(make, kind, words):
    folder, hansa = make(kind)
    desk = [*hansa, *words, "--data", folder, "--json"]
    with subprocess.Popen(desk, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            told = json.loads(process.stdout.readline())
            if "address" in told:
                told = json.loads(process.stdout.readline())
            assert ask(told["desk"].partition("?")[0]) == 401
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with browser.open(told["desk"], timeout=60) as page:
                assert "token" not in page.url
                assert kind in page.read().decode()
            assert json.loads(process.stdout.readline())["desk"] != told["desk"]
            assert ask(told["desk"]) == 401
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 - our own
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
