"""Where a command reads from: a running node (`--node`) or a data folder (`--data`)."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hansa.kernel.crypto.address import PREFIX, from_text
from hansa.kernel.errors import Invalid, InvalidCode, NotFound
from hansa.node.home import Home
from hansa.sdk.arguments import is_unicode
from hansa.sdk.files import read_api_key_file

if TYPE_CHECKING:
    from hansa.sdk.client import Client

DEFAULT_NODE = "http://127.0.0.1:8460"
NODE_VARIABLE = "HANSA_NODE"
API_KEY_VARIABLE = "HANSA_API_KEY"
HASH_DIGITS = 64
COUNT_MAX = 2**53
PORT_MAX = 65_535


def add_node(command: argparse.ArgumentParser) -> None:
    """Add the options of a command that talks to a node."""
    _add_node_option(command)
    _add_connection(command)


def add_signing(command: argparse.ArgumentParser) -> None:
    """Add the options of a command that signs by a node's clock, and sends what it signed."""
    add_node(command)
    command.add_argument(
        "--node-clock",
        action="store_true",
        help="sign by the node's clock, however far it is from this machine's",
    )


def add_source(command: argparse.ArgumentParser) -> None:
    """Add the options of a command that reads from a node or from a folder."""
    which = command.add_mutually_exclusive_group()
    _add_node_option(which)
    which.add_argument("--data", type=parse_folder, help="data folder of a node, read beside it")
    _add_connection(command)


def _add_node_option(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "--node",
        type=_parse_node,
        metavar="URL",
        help=f"default {NODE_VARIABLE}, else {DEFAULT_NODE}",
    )


def _add_connection(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--api-key-file",
        type=parse_file,
        metavar="FILE",
        help=f"file with an API key (default {API_KEY_VARIABLE})",
    )
    command.add_argument(
        "--ca", type=parse_file, metavar="FILE", help="PEM: whom to believe, for https"
    )
    command.add_argument("--certificate", type=parse_file, metavar="FILE", help="PEM: who you are")
    command.add_argument("--certificate-key", type=parse_file, metavar="FILE", help="PEM: its key")
    command.add_argument("--genesis", metavar="HASH", help="genesis hash of the network you mean")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def open_client(options: argparse.Namespace) -> Client:
    """Open a client as the options say.

    Raises:
      Invalid: an address, key or certificate is none.
    """
    # Commands that ask no node need no HTTP, which takes longest to load.
    from hansa.sdk.client import Client  # noqa: PLC0415
    from hansa.sdk.transport import TlsFiles  # noqa: PLC0415

    url = options.node or os.environ.get(NODE_VARIABLE) or DEFAULT_NODE
    tls = None
    if options.ca or options.certificate or options.certificate_key:
        if options.certificate_key and not options.certificate:
            raise Invalid(InvalidCode.MALFORMED, "--certificate-key goes with --certificate")
        tls = TlsFiles(options.ca, options.certificate, options.certificate_key)
    return Client(
        url,
        read_genesis_hash(options),
        api_key=read_api_key(options),
        tls=tls,
        believes_clock=getattr(options, "node_clock", False),
    )


def open_home(options: argparse.Namespace) -> Home:
    """Open the data folder that the options name.

    Raises:
      Invalid: it is of another network than the one meant.
      NotFound: there is no node in it.
    """
    home, meant = Home(options.data), read_genesis_hash(options)
    if meant is not None and (found := home.load_network().genesis_hash) != meant:
        raise Invalid(InvalidCode.MALFORMED, f"{home.path} is of another network: {found.hex()}")
    return home


def find_member(client: Client, text: str) -> bytes:
    """Find the address of a member by its name on the ledger, or read it; raises `NotFound`."""
    if text.lower().startswith(f"{PREFIX}1"):
        return from_text(text)
    named = {member.name: member.address for member in client.list_members()}
    if text not in named:
        raise NotFound(f"no member is called {text!r:.80}; there are {', '.join(named)}")
    return from_text(named[text])


def read_genesis_hash(options: argparse.Namespace) -> bytes | None:
    """Read the genesis hash of the network that is meant, if it was given."""
    text: str | None = options.genesis
    return None if text is None else parse_hash(text, "genesis hash")


def read_api_key(options: argparse.Namespace) -> str | None:
    """Read the API key from its file, or from the environment; None if there is none.

    Raises:
      NotFound: there is no such file.
      Invalid: the file is no key.
      Unavailable: it cannot be read.
    """
    path: Path | None = options.api_key_file
    if path is None:
        return os.environ.get(API_KEY_VARIABLE) or None
    return read_api_key_file(path)


def parse_folder(text: str) -> Path:
    """Parse a folder's path for argparse; an empty one would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("names no folder: it is empty; for the current one say .")
    if not is_unicode(text):
        raise argparse.ArgumentTypeError(f"{text[:80]!a} names no folder: it is no text (UTF-8)")
    return Path(text)


def parse_file(text: str) -> Path:
    """Parse a file's path for argparse; an empty one would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("names no file: it is empty")
    return Path(text)


def _parse_node(text: str) -> str:
    """Parse a node's URL for argparse; an empty one would mean whichever is the default."""
    if not text:
        raise argparse.ArgumentTypeError(
            f"names no node: it is empty; leave it out for {NODE_VARIABLE}, else {DEFAULT_NODE}"
        )
    return text


def parse_port(text: str, least: int = 0) -> int:
    """Parse a port for argparse; 0 stands for any that is free, where it may be."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(PORT_MAX))
    if not is_number or not least <= int(text) <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no port: {least} to {PORT_MAX}")
    return int(text)


def parse_address(text: str) -> bytes:
    """Parse an address on the ledger for argparse."""
    try:
        return from_text(text)
    except Invalid as error:
        raise argparse.ArgumentTypeError(error.message) from None


def parse_hash(text: str, what: str) -> bytes:
    """Parse 64 hexadecimal digits; raises `Invalid` and names `what` they should be."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(text) != HASH_DIGITS or not found:
        raise Invalid(InvalidCode.MALFORMED, f"{text[:80]!r} is no {what}: 64 hexadecimal digits")
    return found


def parse_count(text: str) -> int:
    """Parse a height or number for argparse: digits and nothing else."""
    is_number = text.isascii() and text.isdigit()
    if not is_number or len(text) > len(str(COUNT_MAX)) or int(text) > COUNT_MAX:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no whole number from 0 to {COUNT_MAX}")
    return int(text)
