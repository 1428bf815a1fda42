"""Problem documents (RFC 9457) read back into the errors that the node raised."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Any

from hansa.contracts.registry import MODULES, PARTS
from hansa.kernel.authority import AuthorityCode
from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Refused, Unavailable

CODE_LETTERS_MAX = 64
BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def _list_codes() -> dict[str, StrEnum]:
    modules = [*MODULES, *(part for parts in PARTS.values() for part in parts)]
    kinds = [getattr(module, "Code", None) for module in modules]
    return {
        str(code): code for kind in (AuthorityCode, *kinds) if kind is not None for code in kind
    }


_CODES = _list_codes()


class UnknownCode(StrEnum):
    """A code of a refusal that this program does not know: a newer node's, or the API's own."""

    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> UnknownCode:
        member = str.__new__(cls, value)
        member._name_ = "UNKNOWN"
        member._value_ = str(value)
        return member


def find_code(text: str) -> StrEnum:
    """Find the code of a refusal.

    >>> find_code("wallets.FROZEN").name, find_code("api.FORBIDDEN").name
    ('FROZEN', 'UNKNOWN')
    """
    return _CODES.get(text) or UnknownCode(text[:CODE_LETTERS_MAX] or "UNKNOWN")


def read_text(found: dict[str, Any], name: str) -> str:
    r"""Read a text that another server wrote, so that it can be kept and printed; empty if none.

    JSON may hold half a pair of surrogates, which is no text and has no encoding.

    >>> read_text({"detail": "half \ud800"}, "detail"), read_text({"detail": [1]}, "detail")
    ('half \\ud800', '')
    """
    text = found.get(name)
    return text.encode(errors="backslashreplace").decode() if isinstance(text, str) else ""


def read_problem(status: int, found: dict[str, Any]) -> HansaError:
    """Read a problem document into the error that the node raised.

    `Unavailable` has a fact `code` where it lasts: nothing was ordered, and sending again to that
    node is of no use before its operator has acted.

    >>> read_problem(404, {"title": "NOT_FOUND", "detail": "there is no such block"})
    NotFound('there is no such block')
    """
    code, detail = read_text(found, "title"), read_text(found, "detail") or f"HTTP {status}"
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(detail, status=status)
    if status == HTTPStatus.SERVICE_UNAVAILABLE and code == InvalidCode.UNKNOWN_SPONSOR:
        return Unavailable(detail, code=code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in BUSY:
        return Unavailable(detail)
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT) and code not in set(InvalidCode):
        error = Refused(find_code(code))
        error.message = detail
        return error
    known = code in set(InvalidCode)
    return Invalid(InvalidCode(code) if known else InvalidCode.MALFORMED, detail, status=status)


def tell_no_node(url: str, why: str) -> Unavailable:
    """Tell that what answers at a URL is no node of Hansa, and why one thinks so."""
    return Unavailable(
        f"what answers at {url} is no node of Hansa: {why}; another program listens there, or the "
        "path is wrong. The address of a node's API, as http://host:8460, is given with --node",
        url=url,
    )


def read_item_problem(found: dict[str, Any]) -> HansaError:
    """Read the error of one item of many, which has no status of its own."""
    code = read_text(found, "title")
    status = HTTPStatus.BAD_REQUEST
    if code in ("UNAVAILABLE", InvalidCode.UNKNOWN_SPONSOR):
        status = HTTPStatus.SERVICE_UNAVAILABLE
    elif code in _CODES:
        status = HTTPStatus.CONFLICT
    return read_problem(status, found)
