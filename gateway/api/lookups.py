"""/v1/operator/queries: who asked what of whom, when and why; who reads it is on record.

A person is named in the body of a POST, never in an address: addresses end in logs of all that lies between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, get_args

from aiohttp import web

from gateway.api import looked, rights
from gateway.api.asked import page_of
from gateway.api.body import json_answer, read_json_object
from gateway.api.doors import DOORS
from gateway.api.problems import bad_request
from gateway.core.faults import Text, Violation
from gateway.core.moments import parse_moment
from gateway.ports.queries import Outcome
from gateway.relay.lookups import Lookups, Place, Sought

_MARK: Final = re.compile(r"[0-9a-f]{64}\Z")
_LONGEST: Final = 200
_LONGEST_SUBJECT: Final = 500
#: Who looks at whom is a matter for those who answer for the bus.
_LEAST: Final = "approver"


async def listed(request: web.Request) -> web.Response:
    """Queries, the youngest first, page by page."""
    operator = await rights.acting(request, "queries", least=_LEAST)
    step, query = _step(request), request.query
    limit, after = page_of(query)
    sought = _sought(query, query.get("mark"))
    await step.looked(rights.who(operator), sought, form="list")
    return await _answer(step, sought, _place(after), limit)


async def who(request: web.Request) -> web.Response:
    """Who asked about the subject that the body names."""
    operator = await rights.acting(request, "queries", least=_LEAST)
    step, body = _step(request), await read_json_object(request)
    subject = body.get("subject")
    if not isinstance(subject, str) or not 0 < len(subject.strip()) <= _LONGEST_SUBJECT:
        raise bad_request(_wrong("subject", "phải có từ 1 đến 500 ký tự", "must have 1 to 500 characters"))
    limit, after = page_of({name: str(body[name]) for name in ("limit", "after") if name in body})
    sought = _sought(body, step.mark(subject))
    await step.looked(rights.who(operator), sought, form="who")
    return await _answer(step, sought, _place(after), limit)


def _step(request: web.Request) -> Lookups:
    doors = request.app[DOORS]
    return Lookups(doors.queries.log, doors.ledger, doors.clock, doors.queries.mark)


async def _answer(step: Lookups, sought: Sought, before: Place | None, limit: int) -> web.Response:
    found, following = await step.page(sought, before=before, limit=limit)
    more = {} if following is None else {"next": f"{following[0]!r}~{following[1]}"}
    answer = json_answer({"queries": [looked.line(each) for each in found], **more})
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _sought(given: Mapping[str, Any], mark: str | None) -> Sought:
    wrong: list[Violation] = []

    def text(name: str) -> str | None:
        value = given.get(name)
        if value is None or (isinstance(value, str) and 0 < len(value) <= _LONGEST):
            return value
        wrong.append(_wrong(name, "phải là chuỗi từ 1 đến 200 ký tự", "must be a text of 1 to 200 characters"))
        return None

    def moment(name: str) -> float | None:
        value = text(name)
        found = None if value is None else parse_moment(value)
        if value is not None and found is None:
            wrong.append(_wrong(name, "phải là thời điểm RFC 3339", "must be an RFC 3339 date-time"))
        return found

    outcome: Any = text("outcome")
    if outcome is not None and outcome not in get_args(Outcome):
        named = ", ".join(get_args(Outcome))
        wrong.append(_wrong("outcome", f"phải là một trong {named}", f"must be one of {named}"))
    if mark is not None and not _MARK.match(mark):
        wrong.append(_wrong("mark", "phải là 64 chữ số thập lục phân", "must be 64 hex digits"))
    found = Sought(text("source"), text("provider"), moment("since"), moment("until"), outcome, mark)
    if wrong:
        raise bad_request(*wrong)
    return found


def _place(after: str | None) -> Place | None:
    if after is None:
        return None
    moment, _, key = after.partition("~")
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", moment) or not 0 < len(key) <= _LONGEST:
        raise bad_request(_wrong("after", "không phải next của trang trước", "must be the next of the page before"))
    return float(moment), key


def _wrong(name: str, vi: str, en: str) -> Violation:
    return Violation(f"/{name}", "value", Text(vi, en))
