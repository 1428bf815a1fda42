"""What words of `hansa id` share: parties, moments, what was proved, where a service is."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from hansa.cli.screen import complain, flush, print_found, print_json, say
from hansa.identity.encoding.timestamp import read_timestamp, write_timestamp
from hansa.identity.methods.did import read_did
from hansa.identity.methods.hansa import read_address
from hansa.kernel.block import Header
from hansa.kernel.crypto.address import from_text
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.sdk.client import Client
from hansa.sdk.files import read_file, write_file

PARTY = "address, or DID of this network"
DESK_PORT = "where it listens on this machine; else the first that is free from 8475"
MOMENT = "as 2026-11-29T12:00:00Z"


def warn(why: str) -> None:
    """Tell what is wrong and does not end the command."""
    complain(f"hansa: {why}")


def parse_moment(text: str) -> int:
    """Parse a moment for argparse, in milliseconds."""
    try:
        time_ms = read_timestamp(text, repr(text[:80]))
    except Invalid as error:
        raise argparse.ArgumentTypeError(error.message) from None
    if time_ms < 0:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is before 1970")
    return time_ms


def check_past(time_ms: int, now_ms: int) -> None:
    """Refuse to tell of a moment that has not been yet; raises `Invalid`."""
    if time_ms > now_ms:
        raise Invalid(
            InvalidCode.ARGUMENTS,
            f"--at: that has not been yet, it is {write_timestamp(now_ms)} now: what the ledger "
            "will say then, nobody knows",
        )


def read_party(client: Client, text: str) -> bytes:
    """Read an address, or a DID of the client's network; raises `Invalid`."""
    if text.startswith("did:"):
        return read_address(read_did(text), client.get_network().genesis.network)
    return from_text(text)


def read_content(path: Any, bytes_max: int) -> bytes:  # noqa: ANN401 - a path that argparse has made
    """Read a file of at most so many bytes; raises `Invalid` if it has more."""
    content = read_file(path, bytes_max)
    if len(content) > bytes_max:
        raise Invalid(InvalidCode.TOO_LARGE, f"{path} has more than {bytes_max:,} bytes")
    return content


def write_new(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a new file.

    Raises:
      Invalid: the file is there already.
      NotFound: there is no such folder.
      Unavailable: the disk refuses.
    """
    try:
        write_file(path, content, mode=mode)
    except FileExistsError:
        raise Invalid(InvalidCode.ARGUMENTS, f"{path} exists already: name another") from None


def write_moment(time_ms: int) -> str:
    """Write a moment; none where it is 0."""
    return write_timestamp(time_ms) if time_ms else "none"


def print_proven(found: Mapping[str, Any], header: Header, *, is_json: bool) -> None:
    """Print what was proved, and as of when; moments as such for people."""
    told = dict(found)
    told["proved_as_of"] = {"height": header.height, "time_ms": header.time_ms}
    if not is_json:
        told = {_name(name): _show(name, value) for name, value in told.items()}
    print_found(msgspec.to_builtins(told), is_json=is_json)


def _name(name: str) -> str:
    return name.removesuffix("_ms")


def _show(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever is printed
    if isinstance(value, dict):
        return {_name(key): _show(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_show(name, item) for item in value]
    return write_moment(value) if name.endswith("_ms") and isinstance(value, int) else value


def tell_link(*, is_json: bool) -> Callable[[str], None]:
    """Make what tells, at once, each link that opens a desk."""

    def tell(link: str) -> None:
        if is_json:
            print_json({"desk": link})
        else:
            say(f"To open the desk in a browser on this machine, once: {link}")
        flush()

    return tell


def tell_address(*, is_json: bool) -> Callable[[str, str], None]:
    """Make what tells, at once, where a service listens and the address that others know."""

    def tell(address: str, url: str) -> None:
        if is_json:
            print_json({"address": address, "url": url})
        else:
            say(f"Answering at {address} for {url}. Ctrl-C ends it.")
        flush()

    return tell


def tell_place(url: str, place: tuple[str, int]) -> None:
    """Tell where a new service will listen, and who brings wallets there."""
    host, port = place
    where = f"{f'[{host}]' if ':' in host else host}:{port}"
    if url.startswith("https:"):
        say(f"It will listen on {where}: let a proxy with TLS hand on to it what comes to {url}")
    else:
        say(f"It will listen on {where}.")
