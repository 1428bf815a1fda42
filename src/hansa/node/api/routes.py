"""A route as a value: one table serves requests, checks their parameters, and makes OpenAPI.

Each route names the right it takes and the type it answers; a parameter is parsed and bounded by
the type that also describes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec
from aiohttp import web
from msgspec import Meta, inspect

from hansa.kernel.block import BlockRecord
from hansa.kernel.errors import Invalid, InvalidCode
from hansa.node.api.access import Access
from hansa.node.api.rights import Principal, Right, Role
from hansa.node.api.telemetry import Meters
from hansa.node.channel.service import MessageChannel
from hansa.node.limiter import Limiter, name_remote
from hansa.node.service import Node
from hansa.node.settings import Settings
from hansa.node.tables import Tables
from hansa.node.web.forms import read_body
from hansa.sdk.answers import Answer

if TYPE_CHECKING:  # of extras, which a node that does neither need not have
    from hansa.node.reconcile.service import PairService
    from hansa.node.risk.desk import RiskDesk

JSON = "application/json"
MSGPACK = "application/msgpack"
BYTES = "application/octet-stream"
EVENT_STREAM = "text/event-stream"
TEXT = "text/plain"

HeightNumber = Annotated[int, Meta(ge=0, le=2**53)]
TxIdText = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
AssetText = Annotated[str, Meta(min_length=1, max_length=24)]

READ_PER_COST = 500
"""Receipts of a block that cost one to read: decoding it takes longer the more it has."""
WALK_PER_COST = 100
"""The same where each of them is looked at."""
RECEIPTS_PER_TURN = 100
"""Looked at before others get their turn."""

encode_json = msgspec.json.Encoder().encode


class Call(NamedTuple):
    """One request, and who asks."""

    request: web.Request
    principal: Principal


@dataclass(slots=True)
class Api:
    """What handlers work with."""

    node: Node
    settings: Settings
    access: Access
    limiter: Limiter
    meters: Meters
    tables: Tables
    channel: MessageChannel | None
    """None for a node without a channel key."""
    pairs: PairService | None
    """None for a node that does not reconcile."""
    risk: RiskDesk | None
    """None for a node that does not decide on payments."""
    document: bytes
    """The OpenAPI document: it costs too much to be built for each who asks."""
    streams: dict[asyncio.Task[Any], tuple[str, bool]] = field(default_factory=dict)
    """Requests that end only with their stream, whose they are, and whether that caller is known;
    cancelled at the end."""

    def add_cost(self, call: Call, cost: int) -> None:
        """Charge a caller for more than the request itself."""
        self.limiter.add_cost(name_caller(call), cost, is_known=_is_known(call.principal))

    def read_record(
        self, call: Call, height: int, receipts_per_cost: int = READ_PER_COST
    ) -> BlockRecord:
        """Read a block, charged by its size; raises `NotFound`."""
        record = self.node.get_record(height)
        self.add_cost(call, len(record.receipts) // receipts_per_cost)
        return record


Handler = Callable[..., Awaitable[Answer | web.StreamResponse]]
"""`(api, call, **parameters)`; an `Answer` becomes JSON, with status 200."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: parsed as `kind`, refused where it does not fit."""

    name: str
    kind: Any
    text: str
    where: Literal["path", "query", "header"] = "query"
    default: Any = None

    @property
    def argument(self) -> str:
        """The name under which the handler gets it."""
        return self.name.lower().replace("-", "_")

    def parse(self, text: str) -> Any:  # noqa: ANN401 - of the parameter's own type
        """Parse; raises `Invalid`."""
        try:
            return msgspec.convert(text, self.kind, strict=False)
        except msgspec.ValidationError:
            raise Invalid(
                InvalidCode.MALFORMED,
                f"{self.where} {self.name} must be {_describe(self.kind)}, not {text[:64]!r}: "
                f"{self.text}",
            ) from None
        except UnicodeError:  # bytes of a header or path that are no UTF-8
            raise Invalid(InvalidCode.MALFORMED, f"{self.where} {self.name}: no text") from None


@dataclass(frozen=True, slots=True)
class Route:
    """One route."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    right: Right | None
    """What it takes; None for what is answered to everybody without asking who it is."""
    summary: str
    answer: type[Answer] | str
    """Type of the JSON, or the media type of something else."""
    parameters: tuple[Parameter, ...] = ()
    bodies: tuple[tuple[str, Any], ...] = ()
    """(media type, type of the body) accepted; `bytes` for one that is not JSON."""
    also: tuple[tuple[int, str, Any], ...] = ()
    """Other good answers: (status, media type, type)."""
    errors: tuple[int, ...] = ()
    """Statuses of errors, besides those that every route has."""
    is_stream: bool = False


AnyCaseAddress = Annotated[
    str, Meta(pattern="^(hansa1[02-9ac-hj-np-z]{58}|HANSA1[02-9AC-HJ-NP-Z]{58})$")
]
"""As readers take it: all upper case is shorter in a QR code."""
ADDRESS = Parameter("address", AnyCaseAddress, "Address in its text form.", "path")
TX_ID = Parameter("tx_id", TxIdText, "Id of a transaction, hexadecimal.", "path")


def bind(api: Api, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Bind a route to what it works with: identify, charge, check the right, parse, answer."""
    paths = [item for item in route.parameters if item.where == "path"]
    headers = [item for item in route.parameters if item.where == "header"]
    queries = {item.name: item for item in route.parameters if item.where == "query"}
    defaults = {item.argument: item.default for item in (*headers, *queries.values())}

    async def handle(request: web.Request) -> web.StreamResponse:
        if route.right is None:
            answer = await route.handler(api)
        else:
            call = Call(request, _identify(api, request))
            known = _is_known(call.principal)
            api.limiter.charge(name_caller(call), 1, is_known=known)
            api.access.require(call.principal, route.right)
            arguments = dict(defaults)
            for item in paths:
                arguments[item.argument] = item.parse(request.match_info[item.name])
            for item in headers:
                if item.name in request.headers:
                    arguments[item.argument] = item.parse(request.headers[item.name])
            if request.query_string:
                _read_query(request, queries, arguments)
            answer = await route.handler(api, call, **arguments)
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.Response(body=encode_json(answer), content_type=JSON)

    return handle


async def read_charged(api: Api, call: Call, bytes_per_cost: int) -> tuple[bytes, int]:
    """Read a body, charged by its length before it is read; returns it and what it cost."""
    limits = api.settings.limits
    announced = min(call.request.content_length or 0, limits.body_bytes) // bytes_per_cost
    api.add_cost(call, announced)
    raw = await read_body(call.request, limits.body_s)
    cost = len(raw) // bytes_per_cost
    api.add_cost(call, cost - announced)  # of one that did not say how long it is
    return raw, cost


def require_media_type(request: web.Request, *kinds: str) -> str:
    """Let through a body of one of these types; raises `HTTPUnsupportedMediaType`."""
    kind = request.content_type
    if "Content-Encoding" in request.headers or kind not in kinds:
        raise web.HTTPUnsupportedMediaType(text=f"send {' or '.join(kinds)}, not compressed")
    return kind


def _describe(kind: Any) -> str:  # noqa: ANN401 - the type of a parameter
    """Describe what fits a parameter's type, for people."""
    match inspect.type_info(kind):
        case inspect.IntType(ge=lowest, le=highest):
            return f"a whole number from {lowest} to {highest}"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values))
        case inspect.StrType(pattern=pattern) if pattern is not None:
            return f"text of the form {pattern}"
        case inspect.StrType(min_length=least, max_length=most):
            return f"text of {least} to {most} characters"
        case other:
            raise TypeError(f"no words for a parameter that is {other}")


def _identify(api: Api, request: web.Request) -> Principal:
    """Find out who asks; a wrong key is charged to the network address it came from."""
    try:
        return api.access.identify(request)
    except Invalid:
        api.limiter.charge(name_remote(request.remote), 1, is_known=False)
        raise


def _read_query(
    request: web.Request, queries: dict[str, Parameter], arguments: dict[str, Any]
) -> None:
    for name in request.query:
        if name not in queries:
            known = ", ".join(queries) or "none"
            raise Invalid(
                InvalidCode.MALFORMED, f"no query parameter {name[:64]!r} here; there is: {known}"
            )
        found = request.query.getall(name)
        if len(found) > 1:
            raise Invalid(InvalidCode.MALFORMED, f"query {name} is given more than once")
        arguments[queries[name].argument] = queries[name].parse(found[0])


def _is_known(principal: Principal) -> bool:
    return principal.role is not Role.ANYONE


def name_caller(call: Call) -> str:
    """Name whom a request is charged to: the key, else the network address."""
    return call.principal.key_id or name_remote(call.request.remote)
