"""The table of all routes of the API."""

from __future__ import annotations

from aiohttp import web

from hansa.node.api.handlers import (
    accounts,
    deciding,
    health,
    joining,
    ledger,
    messages,
    pairs,
    reconciliation,
    risk,
    streams,
    submission,
)
from hansa.node.api.handlers.identity import dids, proving, registries
from hansa.node.api.rights import Right
from hansa.node.api.routes import JSON, Api, Call, Route


async def get_openapi(api: Api, call: Call) -> web.Response:
    """Answer the OpenAPI document."""
    del call
    return web.Response(body=api.document, content_type=JSON)


ROUTES: tuple[Route, ...] = (
    *submission.ROUTES,
    *accounts.ROUTES,
    *ledger.ROUTES,
    *joining.ROUTES,
    *streams.ROUTES,
    *messages.ROUTES,
    *dids.ROUTES,
    *registries.ROUTES,
    *proving.ROUTES,
    *reconciliation.ROUTES,
    *pairs.ROUTES,
    *risk.ROUTES,
    *deciding.ROUTES,
    *health.ROUTES,
    Route("GET", "/openapi.json", get_openapi, Right.PUBLIC, "This document.", JSON),
)
"""Every route of the API; serves, checks, and is described by one table."""
