"""One connection to one node: TLS, the API key, requests, and errors read back."""

from __future__ import annotations

import io
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from hansa.kernel.errors import HansaError, Invalid, InvalidCode, NotFound, Unavailable
from hansa.sdk.files import check_file
from hansa.sdk.problems import read_problem, tell_no_node

TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 10
RETRY_AFTER_MAX_S = 5.0
WHOLE_BYTES_MAX = 1 << 20
NOT_OURS = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
"""What a node answers with a problem document, and another program without one."""
JSON_BYTES_MAX = 1 << 24
"""Of one answer; the largest, about a full block or a thousand transactions, have far less."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for HTTPS; what is not given is the system's own."""

    ca: Path | None = None
    """Whom to believe about the node, instead of the system's authorities."""
    certificate: Path | None = None
    """The caller's certificate, for mutual TLS."""
    key: Path | None = None
    """Its private key, if it is not in the same file."""

    def build_context(self) -> ssl.SSLContext:
        """Build the context of a connection.

        Raises:
          NotFound: there is no such file.
          Invalid: a file is not what it should be.
        """
        for path in (self.ca, self.certificate, self.key):
            if path is not None:
                check_file(path)  # OpenSSL would wait for a pipe
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:
            names = [str(path) for path in (self.ca, self.certificate, self.key) if path]
            reason = getattr(error, "strerror", None) or error
            text = f"cannot use {' and '.join(names)} for TLS: {reason}"
            if isinstance(error, FileNotFoundError):
                raise NotFound(text) from None
            raise Invalid(InvalidCode.MALFORMED, text) from None
        return context


class Transport:
    """Asks one node; opens its connections at the first request, in the running loop."""

    def __init__(self, url: str, api_key: str | None = None, tls: TlsFiles | None = None) -> None:
        self.url = _check_url(url)
        self._api_key = _check_key(api_key)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get_json(self, path: str) -> dict[str, Any]:
        """Get a JSON object.

        Raises:
          HansaError: what the node says is wrong.
          Unavailable: it cannot be reached, does not answer in JSON, or without an end.
        """
        async with self.request("GET", path) as answer:
            return await self._read_json(answer)

    async def get_bytes(self, path: str, size_max: int) -> bytes:
        """Get a document of at most `size_max` bytes; raises as `get_json`."""
        async with self.request("GET", path) as answer:
            return await self._read_bounded(answer, size_max)

    async def post(self, path: str, body: object) -> tuple[int, dict[str, Any]]:
        """Post JSON; returns status and answer, where it is 2xx or carries a receipt."""
        async with self.request("POST", path, json_body=body, raises=False) as answer:
            found = await self._read_json(answer)
            if answer.ok or "tx_id" in found:
                return answer.status, found
            if isinstance(found.get("receipt"), dict):
                return answer.status, found["receipt"]
            raise read_answer(answer, found)

    async def post_bytes(self, path: str, body: bytes, size_max: int) -> tuple[int, bytes]:
        """Post MessagePack; returns status and the MessagePack that is answered."""
        async with self.request("POST", path, body=body) as answer:
            return answer.status, await self._read_bounded(answer, size_max)

    @asynccontextmanager
    async def request(  # noqa: PLR0913 - one request, stated once
        self,
        method: str,
        path: str,
        *,
        json_body: object = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        is_stream: bool = False,
        raises: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make a request and hand its answer over, open.

        Args:
          method: of HTTP.
          path: with its query.
          json_body: sent as JSON.
          body: sent as MessagePack.
          headers: more than the usual ones.
          is_stream: the answer has no end; only silence is bounded.
          raises: whether an answer that is an error raises it.
        """
        more = dict(headers or {})
        if body is not None:
            more["Content-Type"] = "application/msgpack"
        elif json_body is not None:
            more["Content-Type"] = "application/json"
            body = json.dumps(json_body).encode()
        total = None if is_stream else TIMEOUT_S
        timeout = aiohttp.ClientTimeout(
            total=total, sock_connect=CONNECT_TIMEOUT_S, sock_read=TIMEOUT_S
        )
        try:
            async with self._open().request(
                method,
                self.url + path,
                data=_wrap(body),
                headers=more,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                if raises and not answer.ok:
                    raise read_answer(answer, await self._read_json(answer))
                yield answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
            context: ssl.SSLContext | bool = True
            if self._tls is not None:
                context = self._tls.build_context()
            connector = aiohttp.TCPConnector(ssl=context, limit=0)
            self._session = aiohttp.ClientSession(connector=connector, headers=headers)
        return self._session

    async def _read_json(self, answer: aiohttp.ClientResponse) -> dict[str, Any]:
        raw = await self._read_bounded(answer, JSON_BYTES_MAX)
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            if not answer.ok and answer.status not in NOT_OURS:
                return {"detail": f"{self.url} answered {answer.status} {answer.reason}"}
            raise tell_no_node(self.url, f"{answer.status} {answer.reason}, and no JSON")
        return found

    async def _read_bounded(self, answer: aiohttp.ClientResponse, size_max: int) -> bytes:
        chunks, size = [], 0
        async for chunk in answer.content.iter_any():
            size += len(chunk)
            if size > size_max:
                raise Unavailable(f"{answer.url} answers more than {size_max} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    def _unreachable(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"cannot talk to a node at {self.url}: {_explain(error)} Another address is given "
            "with --node",
            url=self.url,
        )


def _explain(error: Exception) -> str:
    """Say why there was no answer, and what to look at; aiohttp's own words name its internals."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            cause = error.certificate_error
            why = getattr(cause, "verify_message", "") or str(cause)
            return f"its certificate is not believed ({why}); whom to believe is given with --ca."
        case aiohttp.ClientSSLError():
            return "it does not speak TLS; does its address begin with http://?"
        case aiohttp.ClientResponseError():
            return (
                "what listens there does not speak HTTP; is it another program, a port where peers "
                "meet, or does the address begin with https://?"
            )
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "it broke the connection off; is it a node, or does it begin with https://?"
        case aiohttp.ClientConnectorDNSError():
            return "there is no machine of that name; is it spelt right?"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "nothing listens there; is it running there?"
        case TimeoutError():
            return "no answer in time; is it running there?"
        case _:
            cause = getattr(error, "os_error", error)
            return f"{str(cause) or type(error).__name__}; is it running there?"


def _wrap(body: bytes | None) -> bytes | io.BytesIO | None:
    """Wrap a large body, which aiohttp then sends in parts; it warns of one at a time."""
    return io.BytesIO(body) if body is not None and len(body) > WHOLE_BYTES_MAX else body


def read_answer(answer: aiohttp.ClientResponse, found: dict[str, Any]) -> HansaError:
    """Read an error, and how long to wait before asking again."""
    error = read_problem(answer.status, found)
    wait = answer.headers.get("Retry-After", "")
    if isinstance(error, Unavailable) and wait.isascii() and wait.isdigit():
        error.facts["retry_after_s"] = min(int(wait), int(RETRY_AFTER_MAX_S))
    return error


def _check_url(url: str) -> str:
    """Refuse what is no URL of a node."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_good = is_good and (parts.port is None or parts.port > 0)
    except ValueError:
        is_good = False
    if not is_good or not url.isprintable() or parts.query or parts.fragment:
        raise Invalid(
            InvalidCode.MALFORMED, f"{url!r} is no address of a node: it is like http://host:8460"
        )
    return url.rstrip("/")


def _check_key(text: str | None) -> str | None:
    """Refuse what cannot stand in a header."""
    if text is None:
        return None
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise Invalid(InvalidCode.UNAUTHENTICATED, "the API key is not one line of plain text")
    return text
