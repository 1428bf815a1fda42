"""Commands for key files: key new, show, change-passphrase."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from hansa.cli import api_key
from hansa.cli.passphrase import NEW_PASSPHRASE_VARIABLE, ask_new_passphrase, ask_passphrase
from hansa.cli.screen import print_found
from hansa.cli.source import parse_file
from hansa.encrypted_file import EncryptedFile
from hansa.node.reconcile import format as journals
from hansa.node.risk.clerk import format as decisions
from hansa.sdk.keys import (
    SUITE_NAMES,
    SUITES,
    ChannelKey,
    KeyPair,
    is_channel_key_file,
    load_channel_key,
    load_key,
    save_channel_key,
    save_key,
)
from hansa.sqlite_files import is_database, read_application

CHANNEL_SUITE = "x25519"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this module's commands to the parser."""
    key = commands.add_parser("key", help="make or show a key file, change its passphrase")
    words = key.add_subparsers(dest="word", required=True, metavar="WORD")
    for word, function, text in (
        ("new", _new, "make a key, encrypted under a passphrase"),
        ("show", _show, "show a key file's address and public key"),
        ("change-passphrase", _change, "encrypt a key file under another passphrase"),
    ):
        command = words.add_parser(word, help=text, description=text)
        command.add_argument("file", type=parse_file, help="key file")
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.set_defaults(function=function)
        if word == "new":
            command.add_argument(
                "--suite",
                choices=(*SUITES, CHANNEL_SUITE),
                default="ed25519",
                help="default ed25519; x25519 for a channel key, to which messages are encrypted",
            )
            command.add_argument(
                "--hash",
                choices=("sha256", "sm3"),
                default="sha256",
                help="of the network's crypto profile (default sha256)",
            )
    api_key.add_commands(words)


def describe_key(file: Path, key: KeyPair | ChannelKey) -> dict[str, object]:
    """Describe the public half of a key; a channel key has no address."""
    if isinstance(key, ChannelKey):
        return {"file": str(file), "suite": CHANNEL_SUITE, "public_key": key.public_key.hex()}
    return {
        "file": str(file),
        "address": key.address_text,
        "suite": SUITE_NAMES[key.suite],
        "hash": key.hash_name,
        "public_key": key.public_key.hex(),
    }


def _change_database(options: argparse.Namespace) -> int:
    """Change the passphrase of a node's journals or decisions, which is to be that of its keys."""
    found = read_application(options.file)
    form = decisions.FORM if found == decisions.FORM.application else journals.FORM
    file = EncryptedFile.open(options.file, ask_passphrase(options.file), form, os.urandom)
    try:
        file.relock(ask_new_passphrase(NEW_PASSPHRASE_VARIABLE))
    finally:
        file.close()
    print_found({"file": str(options.file)}, is_json=options.json)
    return 0


def _load(file: Path) -> KeyPair | ChannelKey:
    """Load a key file of either kind, once its passphrase was asked for."""
    if is_channel_key_file(file):
        return load_channel_key(file, ask_passphrase(file))
    return load_key(file, ask_passphrase(file))


def _save(file: Path, key: KeyPair | ChannelKey, passphrase: str, *, replace: bool = False) -> None:
    if isinstance(key, ChannelKey):
        save_channel_key(file, key, passphrase, replace=replace)
    else:
        save_key(file, key, passphrase, replace=replace)


def _new(options: argparse.Namespace) -> int:
    key: KeyPair | ChannelKey
    if options.suite == CHANNEL_SUITE:
        key = ChannelKey.generate()
    else:
        key = KeyPair.generate(SUITES[options.suite], hash_name=options.hash)
    _save(options.file, key, ask_new_passphrase())
    print_found(describe_key(options.file, key), is_json=options.json)
    return 0


def _show(options: argparse.Namespace) -> int:
    print_found(describe_key(options.file, _load(options.file)), is_json=options.json)
    return 0


def _change(options: argparse.Namespace) -> int:
    if is_database(options.file):
        return _change_database(options)
    key = _load(options.file)
    _save(options.file, key, ask_new_passphrase(NEW_PASSPHRASE_VARIABLE), replace=True)
    print_found(describe_key(options.file, key), is_json=options.json)
    return 0
