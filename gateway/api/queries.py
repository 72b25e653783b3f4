"""POST /v1/queries: one question to one provider, answered at once or not at all."""

from __future__ import annotations

import math
from typing import Final

from aiohttp import web

from gateway.api.body import INTAKE, media_type, read_body
from gateway.api.doors import DOORS
from gateway.api.identity import system_of
from gateway.api.problems import bad_request, unsupported
from gateway.api.taking import LINE_END, SEALED
from gateway.core.envelope import without_line_end
from gateway.core.faults import Text, Violation

_LONGEST: Final = 60.0
_USUAL: Final = 10.0


async def ask(request: web.Request) -> web.Response:
    """The answer's envelope; nothing of it is kept."""
    doors = request.app[DOORS]
    caller = system_of(request)
    seconds = _timeout(request)
    if media_type(request) != SEALED:
        raise unsupported((SEALED,))
    with request.app[INTAKE].share() as share:
        raw = await read_body(request, doors.limits.envelope + LINE_END, doors.limits.body_seconds, share)
    answer = await doors.queries.answer(without_line_end(raw), caller, timeout=seconds)
    return web.Response(body=answer, content_type=SEALED, headers={"Cache-Control": "no-store"})


def _timeout(request: web.Request) -> float:
    """``timeout`` in seconds; raises Rejected ``bad-request``."""
    given = request.query.get("timeout")
    if given is None:
        return _USUAL
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST:
        told = Text("timeout là số giây từ 0,1 đến 60", "timeout is a number of seconds from 0.1 to 60")
        raise bad_request(Violation("/timeout", "range", told))
    return seconds
