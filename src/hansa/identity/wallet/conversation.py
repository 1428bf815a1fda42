"""Conversations: what a wallet sends and what came back, so that anybody may carry it.

A conversation is a generator: it yields a request, is sent the response, and returns its result.
So the rules stand apart from how bytes travel, and a test plays the other side in one line.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec

from hansa.identity.encoding.strict_json import decode_object
from hansa.identity.faults import Fault, Unsound

T = TypeVar("T")
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
OK_MIN, OK_MAX = 200, 299
ANSWER_BYTES_MAX = 1 << 20
_SHOWN_LETTERS_MAX = 300


class HttpRequest(NamedTuple):
    """What is to be sent. Redirects must not be followed."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class HttpResponse(NamedTuple):
    """What came back; names of headers in small letters."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


Conversation = Generator[HttpRequest, HttpResponse, T]


def get(url: str, accept: str = JSON) -> HttpRequest:
    """Build a GET request."""
    return HttpRequest("GET", url, {"accept": accept})


def post_form(url: str, form: Mapping[str, str], headers: Mapping[str, str] = {}) -> HttpRequest:
    """Build a POST request with a form."""
    body = urlencode(form).encode()
    return HttpRequest("POST", url, {"content-type": FORM, "accept": JSON, **headers}, body)


def post_json(url: str, value: Any, headers: Mapping[str, str] = {}) -> HttpRequest:  # noqa: ANN401
    """Build a POST request with JSON."""
    body = msgspec.json.encode(value)
    return HttpRequest("POST", url, {"content-type": JSON, "accept": JSON, **headers}, body)


def read_answer(response: HttpResponse, what: str) -> dict[str, Any]:
    """Read the JSON object of a response that is well.

    Raises:
      Unsound: `MALFORMED` or others: it is none; `UNRESOLVED`: the other side declined, in its
        words as far as they can be shown.
    """
    if OK_MIN <= response.status <= OK_MAX:
        return decode_object(response.body, what, ANSWER_BYTES_MAX)
    try:
        told = decode_object(response.body, what, ANSWER_BYTES_MAX)
    except Unsound:
        told = {}
    words = f"{told.get('error', '')} {told.get('error_description', '')}".strip()
    shown = "".join(letter for letter in words[:_SHOWN_LETTERS_MAX] if letter.isprintable())
    raise Unsound(
        Fault.UNRESOLVED, f"{what} was declined with HTTP {response.status}: {shown or 'no reason'}"
    )
