"""Addresses that strangers name: a wallet goes to no other than https ones that all read alike."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qs, urlsplit

from hansa.identity.faults import Fault, Unsound

ADDRESS_LETTERS_MAX = 2_048
_NEAR = (("http", "127.0.0.1"), ("http", "::1"))


def read_address(url: str, what: str, *, may_be_near: bool = False) -> SplitResult:
    """Read an https address, or one of http on this machine.

    Args:
      url: the address.
      what: names it in messages.
      may_be_near: whether it may be http://127.0.0.1, to try things out.

    Raises:
      Unsound: `MALFORMED`: it is not https, holds a user, a fragment, or letters that do not
        belong into one.
    """
    try:
        parts = urlsplit(url)
        is_sound = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    is_near = may_be_near and is_sound and (parts.scheme, parts.hostname) in _NEAR
    if (
        not is_sound
        or len(url) > ADDRESS_LETTERS_MAX
        or (parts.scheme != "https" and not is_near)
        or "@" in parts.netloc
        or "#" in url
        or not all("!" <= letter <= "~" and letter not in '"<>\\^`{|}*' for letter in url)
    ):
        raise Unsound(Fault.MALFORMED, f"{what} is no sound https address: {url[:120]!r}")
    return parts


def read_parameters(uri: str, *, is_strict: bool = True) -> dict[str, list[str]]:
    """Read the parameters of a link that came from elsewhere; of no sound link there are none."""
    try:
        return parse_qs(urlsplit(uri).query, strict_parsing=is_strict)
    except ValueError:
        return {}
