"""/in/AGENCY/SYSTEM/…: the door of one system, where its software calls the bus in its own words, by any method.

Its adapter knows the words and proves the caller. Nothing of a call's query or body stands in the log, and what a
header says about the caller's address is not believed.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import hdrs, web

from gateway.api.body import pour_body
from gateway.api.doors import DOORS
from gateway.api.problems import not_found
from gateway.api.submit import MESSAGE_ID, PROBLEM
from gateway.api.taking import count_outcome, count_stranger
from gateway.core.content import Content, InMemory
from gateway.core.directory import System
from gateway.core.faults import Fault, Rejected
from gateway.ports import Call, Collected, NotReceived, Received, Reply
from gateway.relay.reception import Place, Reception, said_as_busy

PATHS: Final = ("/in/{agency}/{system}", "/in/{agency}/{system}/{path:.*}")
#: Whose door it was, for the log.
VISITED: Final = web.RequestKey("VISITED", str)
_NOTHING: Final = InMemory(b"")
_STRANGER: Final = frozenset({401, 403})
#: What an adapter may answer with; the statuses below speak of the connection.
_LOWEST: Final = 200
_HIGHEST: Final = 599
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


async def visit(request: web.Request) -> web.Response:
    """Let the system's adapter answer; what the call brings is durable before the caller is told so."""
    doors = request.app[DOORS]
    reception = doors.reception
    system = None if reception is None else reception.system(request.match_info["agency"], request.match_info["system"])
    if reception is None or system is None:
        raise not_found()
    request[VISITED] = system.name
    address = request.remote or ""
    try:
        with reception.crowd.joined(system.name, address) as place:
            reply = await _answered(request, reception, system, place)
    except Rejected as fault:
        count_stranger(doors, address, fault)
        raise
    except Fault as fault:
        count_outcome(fault.problem)
        raise
    if reply.status in _STRANGER:
        doors.accept.refusals[address, int(doors.clock.now() // 60), "unauthenticated"] += 1
    headers = {hdrs.CONTENT_TYPE: reply.media_type, **reply.fields}
    if not _LOWEST <= reply.status <= _HIGHEST or any(_CONTROL.search(f"{name}{headers[name]}") for name in headers):
        raise ValueError(f"the adapter of {system.name} answered what is no answer")
    return web.Response(status=reply.status, body=reply.body, headers=headers)


async def _answered(request: web.Request, reception: Reception, system: System, place: Place) -> Reply:
    head = _call(request, _NOTHING)
    if reception.is_stranger(system, head):
        return await reception.answer(system, head, _nothing_taken)
    limits = request.app[DOORS].limits
    body: Content = _NOTHING
    if request.body_exists:
        with said_as_busy(system):
            most = reception.most(system, head, limits.visit)
            body = await pour_body(request, reception.new_sink(), most, limits.visit_seconds, place.take)

    async def take(item: Collected) -> Received | NotReceived:
        answer = await reception.receive.take(system, item)
        if isinstance(answer, Received):
            request[MESSAGE_ID] = answer.id
            count_outcome("repeated" if answer.repeated else "accepted")
        else:
            request[PROBLEM] = answer.problem
            count_outcome(answer.problem)
        return answer

    return await reception.answer(system, _call(request, body), take)


def _call(request: web.Request, body: Content) -> Call:
    fields: dict[str, str] = {}
    for name, value in request.headers.items():
        known = fields.get(name.lower())
        fields[name.lower()] = value if known is None else f"{known}, {value}"
    query: dict[str, str] = {}
    for name, value in request.query.items():
        query.setdefault(name, value)
    path = request.match_info.get("path", "")
    return Call(request.method, path.lstrip("/"), query, fields, body, request.remote or "")


async def _nothing_taken(_: Collected) -> Received | NotReceived:
    """For who did not prove itself: whatever its adapter thinks, nothing is taken."""
    raise PermissionError("nothing is taken from a caller that did not prove itself")
