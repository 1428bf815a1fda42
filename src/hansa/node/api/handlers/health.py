"""How the node is doing: health, readiness, and figures for Prometheus.

Source: docs/reference/http-api.md.
"""

from __future__ import annotations

from aiohttp import web

from hansa.kernel.errors import Unavailable
from hansa.node.api.access import is_loopback
from hansa.node.api.rights import Right
from hansa.node.api.routes import TEXT, Api, Call, Route
from hansa.node.api.telemetry import list_figures
from hansa.sdk.answers import Health

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def get_health(api: Api) -> Health:
    """Say that the process answers and its engine has not failed."""
    failure = api.node.engine.failure
    if failure is not None:
        raise Unavailable(f"the engine has stopped: {failure.message}")
    return Health(status="ok")


async def get_readiness(api: Api) -> Health:
    """Say that transactions would be taken now, and that blocks come."""
    api.node.engine.check_ready()
    await api.node.watch.require_well()
    return Health(status="ok")


async def get_metrics(api: Api, call: Call) -> web.Response:
    """Answer figures for Prometheus: to those with the right, and to this machine."""
    if not is_loopback(call.request.remote):
        api.access.require(call.principal, Right.METRICS)
    lines = await list_figures(api.node, api.meters, len(api.streams), api.channel)
    return web.Response(
        body=("\n".join(lines) + "\n").encode(), headers={"Content-Type": CONTENT_TYPE}
    )


ROUTES = (
    Route(
        "GET",
        "/metrics",
        get_metrics,
        Right.PUBLIC,
        "Figures for Prometheus: this machine, and roles with the right `metrics`.",
        TEXT,
        errors=(403,),
    ),
    Route("GET", "/healthz", get_health, None, "The process answers.", Health),
    Route("GET", "/readyz", get_readiness, None, "Transactions are taken.", Health),
)
