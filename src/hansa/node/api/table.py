"""The table of all routes of the API."""

from __future__ import annotations

from aiohttp import web

from hansa.node.api import telemetry
from hansa.node.api.access import is_loopback
from hansa.node.api.handlers import accounts, joining, ledger, messages, streams, submission
from hansa.node.api.rights import Right
from hansa.node.api.routes import JSON, TEXT, Api, Call, Route
from hansa.sdk.answers import Health


async def get_metrics(api: Api, call: Call) -> web.Response:
    """Answer figures for Prometheus: to those with the right, and to this machine."""
    if not is_loopback(call.request.remote):
        api.access.require(call.principal, Right.METRICS)
    return await telemetry.get_metrics(api, call)


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
    Route(
        "GET",
        "/metrics",
        get_metrics,
        Right.PUBLIC,
        "Figures for Prometheus: this machine, and roles with the right `metrics`.",
        TEXT,
        errors=(403,),
    ),
    Route("GET", "/healthz", telemetry.get_health, None, "The process answers.", Health),
    Route("GET", "/readyz", telemetry.get_readiness, None, "Transactions are taken.", Health),
    Route("GET", "/openapi.json", get_openapi, Right.PUBLIC, "This document.", JSON),
)
"""Every route of the API; serves, checks, and is described by one table."""
