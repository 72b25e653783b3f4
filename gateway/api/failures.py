"""GET /v1/operator/failures: what is dead, stuck or held, grouped by why, with what to do next."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from gateway.api import rights, shown
from gateway.api.asked import page_of, sought_of
from gateway.api.body import json_answer
from gateway.api.doors import DOORS
from gateway.api.problems import not_found


async def failures(request: web.Request) -> web.Response:
    """The groups, the largest first, narrowed by the query."""
    await rights.looking(request)
    doors = request.app[DOORS]
    sought = sought_of(request.query)
    limit, _ = page_of(request.query, usual=200)
    await doors.failures.look()
    groups = await doors.failures.groups(sought, now=doors.clock.now(), limit=limit)
    return json_answer({"groups": [shown.group(each) for each in groups]})


async def failure(request: web.Request) -> web.Response:
    """One group and a page of its deliveries, in order of acceptance."""
    await rights.looking(request)
    doors = request.app[DOORS]
    sought = replace(sought_of(request.query), group=sought_of({"group": request.match_info["group"]}).group)
    limit, after = page_of(request.query)
    now = doors.clock.now()
    await doors.failures.look()
    groups = await doors.failures.groups(sought, now=now, limit=1)
    if not groups:
        raise not_found()
    members = await doors.failures.members(sought, now=now, after=after, limit=limit)
    answer = {**shown.group(groups[0]), "deliveries": [shown.failed(each) for each in members]}
    if len(members) == limit:
        answer["next"] = members[-1].delivery
    return json_answer(answer)
