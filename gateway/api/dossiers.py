"""/v1/dossiers and /v1/operator/dossiers: where dossiers stand, for their parties and for operators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from gateway.api import courses, rights
from gateway.api.asked import page_of
from gateway.api.body import json_answer
from gateway.api.doors import DOORS, Operator
from gateway.api.identity import caller_of
from gateway.api.problems import bad_request, not_found
from gateway.core.dossiers.code import LONGEST
from gateway.core.faults import Text, Violation
from gateway.core.moments import day_of

_STATUS: Final = re.compile(r"[1-9]|10\Z")
#: A code may be written with blanks.
_LONGEST: Final = 2 * LONGEST


async def dossier(request: web.Request) -> web.Response:
    """One dossier: for its parties with the record of what they sent or were sent, for operators without any."""
    caller = caller_of(request)
    doors = request.app[DOORS]
    code, now = request.match_info["code"], doors.clock.now()
    if isinstance(caller, Operator):
        await rights.looking(request)
        found = None if len(code) > _LONGEST else await doors.dossiers.course(code)
    else:
        # A closed code is readable for ever: by whoever stands in its place.
        own = doors.directory().naming.selves(caller.agency, day_of(now))
        found = None if len(code) > _LONGEST else await doors.dossiers.view_for(code, own)
    if found is None:
        raise not_found()
    return json_answer(courses.dossier(found, now))


async def listed(request: web.Request) -> web.Response:
    """Where dossiers stand, by code."""
    await rights.looking(request)
    doors, query = request.app[DOORS], request.query
    limit, after = page_of(query)
    status, overdue, lead = query.get("status"), query.get("overdue", "false"), _text(query, "lead")
    if status is not None and not _STATUS.fullmatch(status):
        raise bad_request(_wrong("status", "phải là số từ 1 đến 10", "must be a number from 1 to 10"))
    if overdue not in {"true", "false"}:
        raise bad_request(_wrong("overdue", "phải là true hoặc false", "must be true or false"))
    if after is not None and len(after) > _LONGEST:
        raise bad_request(_wrong("after", "không phải next của trang trước", "must be the next of the page before"))
    agency = None if lead is None else doors.directory().agency(lead)
    found, following = await doors.dossiers.heads(
        lead=lead if agency is None else agency.code,
        status=None if status is None else int(status),
        is_late=overdue == "true",
        after=after or "",
        limit=limit,
    )
    more = {} if following is None else {"next": following}
    return json_answer({"dossiers": [courses.head(each) for each in found], **more})


def _text(query: Mapping[str, str], name: str) -> str | None:
    value = query.get(name)
    if value is not None and not 0 < len(value) <= _LONGEST:
        raise bad_request(_wrong(name, "phải có từ 1 đến 100 ký tự", "must have 1 to 100 characters"))
    return value


def _wrong(name: str, vi: str, en: str) -> Violation:
    return Violation(f"/{name}", "value", Text(vi, en))
