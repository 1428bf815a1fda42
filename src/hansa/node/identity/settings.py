"""What the settings of issuers and verifiers have in common: a TOML file, and addresses in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.settings import DEFAULT_HOST, LOOPBACK_NAMES, HostName, Port
from hansa.sdk.files import read_file
from hansa.shapes import Unread, read_toml

T = TypeVar("T")

SETTINGS_BYTES_MAX = 1 << 18
HTTP_PORT = 80

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Id = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")]
Genesis = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
FORMS = {
    r"\A[A-Za-z0-9._-]{1,64}\Z": "1 to 64 of the characters A-Z a-z 0-9 . _ -",
    r"\A[0-9a-f]{64}\Z": "64 of the digits 0-9 a-f",
}
"""What a text must be, by its pattern."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a settings file."""


class Listen(Section, frozen=True, kw_only=True):
    """Where a service answers; what is not said follows from its url."""

    host: HostName | None = None
    port: Port | None = None

    def find_place(self, url: str, default_port: int) -> tuple[str, int]:
        """Find host and port: to a url with http wallets come themselves, to https by a proxy."""
        parts = urlsplit(url)
        is_direct = parts.scheme == "http"
        host = "::1" if is_direct and parts.hostname == "::1" else DEFAULT_HOST
        port = (parts.port or HTTP_PORT) if is_direct else default_port
        return self.host or host, port if self.port is None else self.port


def read_settings(path: Path, kind: type[T], find_faults: Callable[[T], Iterator[str]]) -> T:
    """Read a settings file; `find_faults` tells what is wrong with it beyond single values.

    Raises:
      NotFound: there is no such file.
      Invalid: it is no TOML, has an unknown key, or a value cannot be.
      Unavailable: it cannot be read.
    """
    raw = read_file(path, SETTINGS_BYTES_MAX)
    try:
        return read_toml(
            raw, kind, bytes_max=SETTINGS_BYTES_MAX, forms=FORMS, find_faults=find_faults
        )
    except Unread as error:
        raise wrong(path, str(error)) from None


def find_url_fault(url: str) -> str | None:
    """Find why a text cannot be the address of a service; None if it can."""
    parts = _split(url)
    if parts is None or not parts.hostname:
        return "must be like https://name.example"
    if not _is_safe(parts):
        return "must be https; http is for this machine alone"
    if url != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        return "must have no path, query or slash at the end"
    return None


def is_safe_url(url: str) -> bool:
    """Whether an address is https, or http on this machine."""
    parts = _split(url)
    return parts is not None and bool(parts.hostname) and _is_safe(parts)


def is_redirect(address: str) -> bool:
    """Whether a browser may be sent there: https, a wallet's own scheme, or this machine."""
    parts = _split(address)
    if parts is None or not parts.scheme or parts.fragment or not address.isascii():
        return False
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK_NAMES
    return parts.scheme not in {"javascript", "data", "file", "blob", "vbscript", "about"}


def wrong(path: Path, why: str) -> Invalid:
    """Make the error that a file cannot be used."""
    return Invalid(InvalidCode.MALFORMED, f"{path}: {why}", path=str(path))


def _is_safe(parts: SplitResult) -> bool:
    is_near = parts.scheme == "http" and parts.hostname in LOOPBACK_NAMES
    return parts.scheme == "https" or is_near


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts
