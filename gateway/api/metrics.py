"""GET /metrics for Prometheus: open on a loopback listener that no proxy stands before, else for operators."""

from __future__ import annotations

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.api.doors import DOORS
from gateway.api.identity import operator_of


async def metrics(request: web.Request) -> web.Response:
    """The counters of :mod:`gateway.telemetry` in Prometheus' text form."""
    doors = request.app[DOORS]
    if not doors.is_loopback or _came_through_a_proxy(request):
        operator_of(request)
    return web.Response(body=await doors.figures(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


def _came_through_a_proxy(request: web.Request) -> bool:
    return any(name.lower() == "forwarded" or name.lower().startswith("x-forwarded-") for name in request.headers)
