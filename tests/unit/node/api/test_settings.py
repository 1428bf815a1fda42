"""Settings: a default for everything, and errors that name file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from hansa.kernel.errors import Invalid
from hansa.node.settings import (
    LoopbackReads,
    Settings,
    Sponsored,
    build_tls,
    load_settings,
    parse_settings,
)


def test_without_a_file_the_node_answers_this_machine_and_shows_what_is_public(tmp_path):
    settings = load_settings(tmp_path / "node.toml")
    assert settings == Settings(folder=str(tmp_path))
    assert settings.listen.host == "127.0.0.1"
    assert settings.access.loopback is LoopbackReads.ANYONE
    assert build_tls(settings) is None


def test_what_the_file_says_counts(tmp_path):
    path = tmp_path / "node.toml"
    path.write_text(
        '[listen]\nhost = "0.0.0.0"\nport = 443\npublic_names = ["Ledger.Bank.Example"]\n'
        '[access]\nsponsor_for = "known"\n[limits]\nanyone_per_s = 2\n'
    )
    settings = load_settings(path)
    assert settings.listen.port == 443
    assert "ledger.bank.example" in settings.host_names
    assert settings.access.sponsor_for is Sponsored.KNOWN
    assert settings.limits.anyone_per_s == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[listen]\nport = 70000", "listen.port must be at most 65535;"),
        ("[listen]\nprot = 1", "listen.prot is no name that is known here;"),
        ("[limits]\nitems = 'many'", "limits.items must be a whole number, not a text;"),
        (
            "[access]\nloopback = 'all'",
            "access.loopback cannot be 'all': it is one of anyone, everything;",
        ),
        ("[tls]\ncertificate = 'a.pem'", "tls: "),
        ("[tls]\nclient_ca = 'a.pem'", "tls.client_ca: "),
        ("[tls]\nclient_certificates = 'required'", "tls.client_certificates: "),
        ("[limits]\nanyone_burst = 0", "limits.anyone_burst: "),
        ("[limits]\nbodies_bytes = 6_291_457", "limits.bodies_bytes: "),
        ("folder = '/'", "folder: "),
        ("port", "not TOML: "),
        ("x = '\udcff'", "not TOML: "),
        ("x = " + "[" * 10_000, "not TOML: "),
        ("x = " + "9" * 5_000, "not TOML: "),
    ],
)
def test_an_error_names_file_and_key(text, told):
    with pytest.raises(Invalid) as caught:
        parse_settings(text.encode(errors="surrogateescape"), Path("/data/node.toml"))
    assert f"/data/node.toml are wrong: {told}" in caught.value.message


PEER = "b" * 40


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('listen = "26606"', 'cometbft.listen: must be an address and a port, as "0.0'),
        ('listen = "0.0.0.0:66666"', "cometbft.listen: 0.0.0.0:66666 names no port from 1"),
        ('peers = ["10.0.0.2:26606"]', 'cometbft.peers[0]: must be "ID@HOST:PORT"'),
        (f'peers = ["{PEER}@b:0"]', f"cometbft.peers[0]: {PEER}@b:0 names no port"),
        ("heartbeat_s = 0", "cometbft.heartbeat_s must be at least"),
    ],
)
def test_wrong_peers_are_explained(text, told):
    with pytest.raises(Invalid) as caught:
        parse_settings(f"[cometbft]\n{text}".encode(), Path("/data/node.toml"))
    assert told in caught.value.message


def test_a_missing_certificate_is_named(tmp_path):
    raw = b"[tls]\ncertificate = 'server.crt'\nkey = 'server.key'"
    with pytest.raises(Invalid, match=r"tls.certificate of .*node.toml names .*server.crt"):
        build_tls(parse_settings(raw, tmp_path / "node.toml"))


def test_what_is_no_certificate_is_said(tmp_path):
    for name in ("server.crt", "server.key"):
        (tmp_path / name).write_text("nothing")
    raw = b"[tls]\ncertificate = 'server.crt'\nkey = 'server.key'"
    with pytest.raises(Invalid, match="cannot be used together"):
        build_tls(parse_settings(raw, tmp_path / "node.toml"))
