"""Base64url without padding, as JOSE writes it; one text for one value.

Source: RFC 7515, section 2 and appendix C; RFC 4648, sections 3.5 and 5.
"""

from __future__ import annotations

import binascii

from hansa.identity.faults import Fault, Unsound

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/~~~")
"""`~` is in no alphabet, so that the letters of plain base64 and its padding are refused."""
_PADDING = (b"", b"", b"==", b"=")
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
"""Where padding would follow: the last letters of which all bits that stand for nothing are 0."""


def encode_base64url(data: bytes) -> str:
    """Write bytes as base64url without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def decode_base64url(text: str, what: str) -> bytes:
    """Read base64url; `what` names the value in messages.

    Raises:
      Unsound: `MALFORMED`: a letter outside the alphabet, padding, or bits that stand for nothing.
    """
    try:
        raw = text.encode("ascii")
        rest = len(raw) & 3
        data = binascii.a2b_base64(raw.translate(_FROM_URL) + _PADDING[rest], strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        raise _malformed(what) from None
    if rest and raw[-1] not in _LAST[rest]:
        raise _malformed(what)
    return data


def _malformed(what: str) -> Unsound:
    return Unsound(Fault.MALFORMED, f"{what} is not base64url without padding (RFC 7515)")
