"""Fetching what strangers point to: DID documents, status lists, metadata of issuers.

The address is a stranger's text, and the node stands inside a network that strangers are not to
see. So only https is asked, by name and never by number; a name that leads to an address inside
(loopback, private, link-local and all that is not the public internet) is not asked, whichever of
its addresses does; redirects are not followed, and an answer is bounded in bytes and time.

Source: OWASP, Server-Side Request Forgery Prevention; RFC 6890 (special-purpose addresses).
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from hansa.identity.faults import Fault, Unsound
from hansa.identity.methods.web import is_host_name
from hansa.identity.wallet.conversation import ANSWER_BYTES_MAX, HttpRequest, HttpResponse
from hansa.kernel.errors import Unavailable

TIMEOUT_S = 10.0
OK, MISSING = 200, (404, 410)


@dataclass(frozen=True, slots=True)
class FetchRules:
    """Whom a node may ask."""

    hosts: frozenset[str] | None = None
    """Only these names; None for any name of the public internet."""
    may_ask_inside: bool = False
    """Whether names may lead to addresses inside, as in a test or a closed network."""
    may_ask_loopback: bool = False
    """Whether also http://127.0.0.1 is asked, to try things out on one machine."""


class Fetcher:
    """Fetches https addresses within rules; use as an asynchronous context manager."""

    def __init__(
        self,
        rules: FetchRules,
        resolver: AbstractResolver | None = None,
        tls: object = True,  # noqa: FBT002 - as aiohttp has it: True, or a context
    ) -> None:
        self._rules = rules
        self._resolver = _OutsideResolver(resolver or ThreadedResolver(), rules)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(resolver=self._resolver, ssl=self._tls)  # type: ignore[arg-type]
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str, bytes_max: int) -> bytes:
        """Fetch an address, as `hansa.identity.methods.web.Fetch` asks.

        Raises:
          Unsound: `UNRESOLVED`: it may not be asked, or there is nothing; `TOO_LARGE`.
          Unavailable: it does not answer now.
        """
        answer = await self.carry(HttpRequest("GET", url), bytes_max)
        host = urlsplit(url).hostname
        if answer.status in MISSING:
            raise Unsound(Fault.UNRESOLVED, f"{host} has nothing at {url[:200]}")
        if answer.status != OK:
            raise Unavailable(f"{host} answered {url[:200]} with HTTP {answer.status}")
        return answer.body

    async def carry(self, request: HttpRequest, bytes_max: int = ANSWER_BYTES_MAX) -> HttpResponse:
        """Send a request of a conversation; gives whatever comes back, a redirect as such.

        Raises:
          Unsound: `UNRESOLVED`: it may not be asked; `TOO_LARGE`.
          Unavailable: it does not answer now.
        """
        host = self._check(request.url)
        if self._session is None:
            raise Unavailable("nothing is fetched outside of the fetcher's context")
        sending = self._session.request(
            request.method,
            request.url,
            headers={"accept-encoding": "identity", **request.headers},
            data=request.body or None,
            allow_redirects=False,
        )
        try:
            async with sending as answer:
                body = await _read(answer.content, bytes_max, request.url)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return HttpResponse(answer.status, body, headers)
        except _InsideError as error:
            raise Unsound(Fault.UNRESOLVED, str(error)) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            inside = _find_inside(error)
            if inside is not None:
                raise Unsound(Fault.UNRESOLVED, str(inside)) from None
            port = urlsplit(request.url).port
            place = host if port is None else f"{host}:{port}"
            raise Unavailable(f"{place} does not answer: {_tell(error)}") from None

    def _check(self, url: str) -> str:
        """Check that an address may be asked at all; returns its host."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            is_plain = parts.username is None and parts.password is None and parts.port != 0
        except ValueError:
            host, is_plain, parts = "", False, urlsplit("")
        if self._rules.may_ask_loopback and (parts.scheme, host) in _LOOPBACK and is_plain:
            return host
        if parts.scheme != "https" or not is_plain or not is_host_name(host):
            raise Unsound(
                Fault.UNRESOLVED, f"only https addresses with a name are asked: {url[:200]!r}"
            )
        if self._rules.hosts is not None and host not in self._rules.hosts:
            raise Unsound(Fault.UNRESOLVED, f"{host} is not among the hosts that may be asked")
        return host


class _InsideError(OSError):
    """A name leads inside."""


class _OutsideResolver(AbstractResolver):
    """Resolves names, and refuses those of which any address is inside."""

    def __init__(self, resolver: AbstractResolver, rules: FetchRules) -> None:
        self._resolver = resolver
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name to addresses of the public internet.

        Raises:
          OSError: it has none, or one that is inside.
        """
        found = await self._resolver.resolve(host, port, family)
        if not self._rules.may_ask_inside:
            for each in found:
                if not is_outside(each["host"]):
                    raise _InsideError(f"{host} leads to {each['host']}, which is inside")
        return found

    async def close(self) -> None:
        """Close the resolver below."""
        await self._resolver.close()


def is_outside(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where it wraps another."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        wrapped = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if wrapped:
            return is_outside(str(wrapped))
        if found in _TRANSLATED:
            return is_outside(str(ipaddress.IPv4Address(found.packed[-4:])))
        if found not in _UNICAST:
            return False
    return found.is_global and not found.is_multicast


_LOOPBACK = (("http", "127.0.0.1"), ("http", "::1"))
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052)."""
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is given out of IPv6 (RFC 4291, section 2.4): beside it lie old ways to write addresses
inside, as ::127.0.0.1 and fec0::1."""


def _find_inside(error: BaseException) -> _InsideError | None:
    """Find the refusal in what the client made of it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _InsideError):
            return seen
        inner = getattr(seen, "os_error", None)
        if isinstance(inner, _InsideError):
            return inner
        seen = seen.__cause__ or seen.__context__
    return None


def _tell(error: Exception) -> str:
    """Tell in words why somebody does not answer."""
    match error:
        case TimeoutError():
            return "it took too long"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "nothing listens there"
        case aiohttp.ClientConnectorCertificateError():
            return "nobody who is believed vouches for its certificate"
        case aiohttp.ClientConnectorDNSError():
            return "there is no such name"
        case _:
            return f"the connection failed ({type(error).__name__})"


async def _read(content: aiohttp.StreamReader, bytes_max: int, url: str) -> bytes:
    raw = bytearray()
    async for part in content.iter_any():
        raw += part
        if len(raw) > bytes_max:
            raise Unsound(Fault.TOO_LARGE, f"{url[:200]} has over {bytes_max} bytes")
    return bytes(raw)
