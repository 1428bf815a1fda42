"""Commands for key files: key new, show, change-passphrase."""

from __future__ import annotations

import argparse
from pathlib import Path

from hansa.cli import api_key
from hansa.cli.passphrase import NEW_PASSPHRASE_VARIABLE, ask_new_passphrase, ask_passphrase
from hansa.cli.screen import print_found
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
        command.add_argument("file", type=Path, help="key file")
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


def describe_key(file: Path, key: KeyPair) -> dict[str, object]:
    """Describe the public half of a key."""
    return {
        "file": str(file),
        "address": key.address_text,
        "suite": SUITE_NAMES[key.suite],
        "hash": key.hash_name,
        "public_key": key.public_key.hex(),
    }


def _describe_channel_key(file: Path, key: ChannelKey) -> dict[str, object]:
    return {"file": str(file), "suite": CHANNEL_SUITE, "public_key": key.public_key.hex()}


def _new(options: argparse.Namespace) -> int:
    if options.suite == CHANNEL_SUITE:
        channel_key = ChannelKey.generate()
        save_channel_key(options.file, channel_key, ask_new_passphrase())
        print_found(_describe_channel_key(options.file, channel_key), is_json=options.json)
        return 0
    key = KeyPair.generate(SUITES[options.suite], hash_name=options.hash)
    save_key(options.file, key, ask_new_passphrase())
    print_found(describe_key(options.file, key), is_json=options.json)
    return 0


def _show(options: argparse.Namespace) -> int:
    if is_channel_key_file(options.file):
        channel_key = load_channel_key(options.file, ask_passphrase(options.file))
        print_found(_describe_channel_key(options.file, channel_key), is_json=options.json)
        return 0
    key = load_key(options.file, ask_passphrase(options.file))
    print_found(describe_key(options.file, key), is_json=options.json)
    return 0


def _change(options: argparse.Namespace) -> int:
    if is_channel_key_file(options.file):
        channel_key = load_channel_key(options.file, ask_passphrase(options.file))
        new = ask_new_passphrase(NEW_PASSPHRASE_VARIABLE)
        save_channel_key(options.file, channel_key, new, replace=True)
        print_found(_describe_channel_key(options.file, channel_key), is_json=options.json)
        return 0
    if is_channel_key_file(options.file):
        channel_key = load_channel_key(options.file, ask_passphrase(options.file))
        passphrase = ask_new_passphrase(NEW_PASSPHRASE_VARIABLE)
        save_channel_key(options.file, channel_key, passphrase, replace=True)
        found = {"file": str(options.file), "public_key": channel_key.public_key.hex()}
        print_found(found, is_json=options.json)
        return 0
    key = load_key(options.file, ask_passphrase(options.file))
    save_key(options.file, key, ask_new_passphrase(NEW_PASSPHRASE_VARIABLE), replace=True)
    print_found(describe_key(options.file, key), is_json=options.json)
    return 0
