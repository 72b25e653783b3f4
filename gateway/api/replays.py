"""/v1/operator/replays and /v1/operator/discards: see an operation before it begins, begin, pause, resume, cancel."""

from __future__ import annotations

from typing import Any, Final, get_args

from aiohttp import web

from gateway.api import rights, shown
from gateway.api.asked import page_of, plan_of, sought_of
from gateway.api.body import json_answer, read_json_object
from gateway.api.doors import DOORS
from gateway.api.problems import bad_request, not_found
from gateway.core.faults import Text, Violation
from gateway.core.replay import AT_ONCE, Act, Plan, Verb
from gateway.ports.failures import Sought
from gateway.ports.replays import Operation, Outcome

_VERBS: Final[dict[str, Verb]] = {"start": "start", "pause": "pause", "resume": "resume", "cancel": "cancel"}
_BEGINNING: Final = frozenset({"start", "resume"})
_MEMBERS: Final = frozenset({"filter", "ids", "plan", "reason", "dry_run", "start"})
_OUTCOMES: Final[dict[str, Outcome]] = {name: name for name in get_args(Outcome)}


def _act(request: web.Request) -> Act:
    return "discard" if request.path.startswith("/v1/operator/discards") else "replay"


async def create(request: web.Request) -> web.Response:
    """See what would be done (``dry_run``), or keep exactly that as an operation, to start now or later."""
    doors, act = request.app[DOORS], _act(request)
    operator = await rights.acting(request, act)
    body = await read_json_object(request)
    if unknown := body.keys() - _MEMBERS:
        raise bad_request(_wrong(min(unknown)[:50], "không có thành phần này", "there is no such member"))
    sought, named = _meant(body)
    plan = plan_of(body.get("plan"), Plan() if act == "replay" else AT_ONCE)
    seen = await doors.operations.preview(act, sought, named, plan)
    if _flag(body, "dry_run"):
        return json_answer({**shown.preview(seen), "needs_approver": seen.eligible > doors.approval_above})
    start = _flag(body, "start")
    if start and seen.eligible > doors.approval_above:
        await rights.acting(request, f"{act}.start", least="approver", deliveries=seen.eligible)
    reason = body.get("reason")
    made = await doors.operations.create(
        seen, reason=reason if isinstance(reason, str) else "", author=rights.who(operator), start=start
    )
    return json_answer(await _shown(request, made), status=201, headers={"Location": f"{request.path}/{made.id}"})


def _meant(body: dict[str, Any]) -> tuple[Sought, list[str] | None]:
    """Filter and ids; one of them must be there."""
    filtered, named = body.get("filter"), body.get("ids")
    if (filtered is None) == (named is None):
        raise bad_request(
            _wrong("filter", "cần đúng một trong filter và ids", "exactly one of filter and ids is needed")
        )
    if named is not None:
        if not isinstance(named, list) or not named or not all(isinstance(each, str) for each in named):
            raise bad_request(_wrong("ids", "phải là danh sách mã", "must be a list of ids"))
        return Sought(), named
    if not isinstance(filtered, dict):
        raise bad_request(_wrong("filter", "phải là đối tượng", "must be an object"))
    return sought_of(filtered, at="/filter"), None


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise bad_request(_wrong(name, "phải là true hoặc false", "must be true or false"))
    return value


async def listed(request: web.Request) -> web.Response:
    """Operations of this kind, the youngest first, with their counts."""
    await rights.looking(request)
    limit, _ = page_of(request.query, usual=50)
    found = await request.app[DOORS].operations.replays.listed(limit=1000)
    mine = [each for each in found if each.act == _act(request)][:limit]
    return json_answer({"operations": [await _shown(request, each) for each in mine]})


async def operation(request: web.Request) -> web.Response:
    """One operation, its counts, and a page of its deliveries, by outcome where asked."""
    await rights.looking(request)
    found = await _found(request)
    limit, after = page_of(request.query)
    asked = request.query.get("outcome")
    if asked is not None and asked not in _OUTCOMES:
        raise bad_request(_wrong("outcome", "không có kết quả này", "there is no such outcome"))
    outcome = None if asked is None else _OUTCOMES[asked]
    replays = request.app[DOORS].operations.replays
    items = await replays.items(found.id, outcome=outcome, after=after, limit=limit)
    answer = {**await _shown(request, found), "deliveries": [shown.item(each) for each in items]}
    if len(items) == limit:
        answer["next"] = items[-1].delivery
    return json_answer(answer)


async def turn(request: web.Request) -> web.Response:
    """Start, pause, resume or cancel; a large one is begun by an approver."""
    doors = request.app[DOORS]
    found = await _found_by_actor(request)
    body = await read_json_object(request)
    verb = _VERBS.get(str(body.get("verb")))
    if verb is None:
        raise bad_request(_wrong("verb", "phải là start, pause, resume hoặc cancel", "start, pause, resume or cancel"))
    is_large = verb in _BEGINNING and found.total > doors.approval_above
    least = "approver" if is_large else "operator"
    operator = await rights.acting(request, f"{found.act}.{verb}", least=least, operation=found.id)
    return json_answer(await _shown(request, await doors.operations.turn(found.id, verb, author=rights.who(operator))))


async def _found_by_actor(request: web.Request) -> Operation:
    """The operation of the path, for those who may look; what they may do to it is judged later."""
    await rights.looking(request)
    return await _found(request)


async def _found(request: web.Request) -> Operation:
    found = await request.app[DOORS].operations.replays.find(request.match_info["id"])
    if found is None or found.act != _act(request):
        raise not_found()
    return found


async def _shown(request: web.Request, found: Operation) -> dict[str, Any]:
    return shown.operation(found, await request.app[DOORS].operations.replays.counts(found.id))


def _wrong(name: str, vi: str, en: str) -> Violation:
    return Violation(f"/{name}", "value", Text(vi, en))
