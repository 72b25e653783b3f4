"""/v1/operator/destinations: every receiving system, how much waits for it, whether it is on hold or down."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.api import rights
from gateway.api.body import json_answer, read_json_object
from gateway.api.doors import DOORS
from gateway.api.problems import bad_request
from gateway.core.faults import Text, Violation
from gateway.core.moments import format_moment


async def destinations(request: web.Request) -> web.Response:
    """Registered systems that subscribe to something or for which something waits, by name."""
    await rights.looking(request)
    doors = request.app[DOORS]
    backlog, holds = await doors.failures.backlog(), await doors.ledger.holds()
    breakers = await doors.ledger.breakers()
    systems = doors.directory().systems
    receiving = {name for name, system in systems.items() if system.subscriptions}
    shown = []
    for name in sorted(receiving | backlog.keys() | holds.keys()):
        system = systems.get(name)
        members: dict[str, Any] = {"system": name, "registered": system is not None, "waiting": backlog.get(name, {})}
        if system is not None:
            members["adapter"] = system.adapter
        if name in holds:
            members["held_since"] = format_moment(holds[name])
        breaker = breakers.get(name)
        if breaker is not None and breaker.is_open and breaker.since is not None:
            members["down_since"] = format_moment(breaker.since)
        members["state"] = "held" if name in holds else "down" if "down_since" in members else "open"
        shown.append(members)
    return json_answer({"destinations": shown})


async def destination(request: web.Request) -> web.Response:
    """Put one on hold, or lift its hold; a reason is needed."""
    doors = request.app[DOORS]
    name = f"{request.match_info['agency']}/{request.match_info['system']}"
    operator = await rights.acting(request, "destination", system=name)
    body = await read_json_object(request)
    verb, reason = body.get("verb"), body.get("reason")
    if verb not in {"hold", "release"}:
        raise bad_request(Violation("/verb", "value", Text("phải là hold hoặc release", "must be hold or release")))
    if not isinstance(reason, str) or not reason.strip():
        raise bad_request(Violation("/reason", "required", Text("cần lý do", "a reason is needed")))
    act = doors.operate.hold if verb == "hold" else doors.operate.release
    count = await act(name, reason.strip(), rights.who(operator))
    return json_answer({"system": name, "state": "held" if verb == "hold" else "open", "deliveries": count})
