"""Is it alive, is it ready: for whoever starts, watches and restarts the gateway."""

from __future__ import annotations

from aiohttp import web

from gateway.api.body import json_answer
from gateway.api.doors import DOORS


async def live(_: web.Request) -> web.Response:
    """The process answers; nothing else is asked."""
    return json_answer({"status": "live"})


async def ready(request: web.Request) -> web.Response:
    """200 only when it accepts and delivers, else 503 with the checks that failed as false."""
    checks = dict(await request.app[DOORS].readiness())
    status, word = (200, "ready") if all(checks.values()) else (503, "not-ready")
    return json_answer({"status": word, "checks": checks}, status=status)
