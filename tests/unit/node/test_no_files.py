"""What lies where a file is expected, and is none, is told at once: nobody waits for a pipe."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from tests.authority import Authority

from hansa.engine.backup import check_backup
from hansa.kernel.errors import HansaError, Invalid
from hansa.node.api.keys import list_keys, read_certificate
from hansa.node.home import Home
from hansa.node.replay.source import DEFAULT_MAP, ColumnMap, PaymentsFile
from hansa.node.settings import Settings, Tls, build_tls, load_settings
from hansa.sdk.envelope_file import load_envelope
from hansa.sdk.files import read_file
from hansa.sdk.keys import load_key
from hansa.sdk.transport import TlsFiles


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(path.parent)  # a socket's path is short
        try:
            listening.bind(path.name)
        finally:
            os.chdir(before)


KINDS = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a socket": make_socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}
READERS = {
    "any file": ("file", lambda path: read_file(path, 10)),
    "settings": ("node.toml", load_settings),
    "genesis": ("genesis.bin", lambda path: Home(path.parent).load_network()),
    "API keys": ("api-keys.json", list_keys),
    "a certificate": ("a.crt", read_certificate),
    "a key file": ("key.json", lambda path: load_key(path, "passphrase")),
    "an envelope": ("envelope.json", load_envelope),
    "a map": ("map.toml", ColumnMap.load),
    "payments": ("payments.csv", lambda path: PaymentsFile(path, DEFAULT_MAP)),
    "who signs nodes": ("ca.crt", lambda path: TlsFiles(ca=path).build_context()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_said(tmp_path, reader, kind):
    name, read = READERS[reader]
    path = tmp_path / name
    KINDS[kind](path)
    with pytest.raises(Invalid, match=f"{name} is not a file but {kind}: name a file"):
        read(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", ["certificate", "key", "client_ca"])
def test_settings_that_name_no_file_are_said(tmp_path, at, kind):
    authority = Authority(tmp_path)
    authority.issue("server", is_server=True)
    names = {"certificate": "server.crt", "key": "server.key", "client_ca": "ca.crt"}
    (tmp_path / names[at]).unlink()
    KINDS[kind](tmp_path / names[at])
    with pytest.raises(Invalid, match=rf"{kind}: name a file; tls.{at} of .*/node.toml names it"):
        build_tls(Settings(tls=Tls(**names), folder=str(tmp_path)))


def test_data_that_is_no_folder_is_said(tmp_path):
    path = tmp_path / "data"
    os.mkfifo(path)
    with pytest.raises(Invalid, match="data is something else, not a folder: name a node's"):
        Home(path).load_network()


def test_a_pipe_in_a_backup_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    os.mkfifo(tmp_path / "manifest.json.sha256")
    with pytest.raises(HansaError):
        check_backup(tmp_path)
