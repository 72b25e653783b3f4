"""/v1/me/requests and /v1/operator/requests: late subscribers ask for what they missed, an approver decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from gateway.api import rights
from gateway.api.asked import page_of
from gateway.api.body import json_answer, read_json_object
from gateway.api.doors import DOORS
from gateway.api.identity import system_of
from gateway.api.problems import bad_request
from gateway.core.backfill import REASONS, Phase
from gateway.core.faults import Text, Violation
from gateway.core.moments import format_moment, parse_moment
from gateway.ports.backfills import Request
from gateway.relay.requests import Act, Preview

_ACTS: Final[dict[str, Act]] = {"approve": "approve", "refuse": "refuse", "cancel": "cancel"}
_MEMBERS: Final = frozenset({"contract", "since", "until", "reason"})


async def ask(request: web.Request) -> web.Response:
    """Ask for the messages of a contract that were accepted since a moment."""
    system = system_of(request)
    body = await read_json_object(request)
    wrong = [
        _wrong(name[:50], "không có thành phần này", "there is no such member")
        for name in sorted(body.keys() - _MEMBERS)
    ]
    contract, reason = body.get("contract"), body.get("reason")
    since, until = _moment(body, "since"), _moment(body, "until")
    if not isinstance(contract, str) or not contract:
        wrong.append(_wrong("contract", "cần tên hợp đồng", "the name of a contract is needed"))
    if since is None or (until is None and body.get("until") is not None):
        name = "since" if since is None else "until"
        wrong.append(_wrong(name, "phải là thời điểm RFC 3339", "must be an RFC 3339 date-time"))
    if not isinstance(reason, str):
        wrong.append(_wrong("reason", "cần lý do", "a reason is needed"))
    if wrong or not isinstance(contract, str) or not isinstance(reason, str) or since is None:
        raise bad_request(*wrong[:50])
    kept = await request.app[DOORS].requests.ask(system, contract, since, until, reason)
    return json_answer(for_asker(kept), status=201)


async def mine(request: web.Request) -> web.Response:
    """What the calling system asked for, the youngest first."""
    system = system_of(request)
    limit, _ = page_of(request.query)
    found = await request.app[DOORS].requests.backfills.listed(system=system.name, limit=limit)
    return json_answer({"requests": [for_asker(each) for each in found]})


async def listed(request: web.Request) -> web.Response:
    """Every request, the youngest first; of those still to be decided, how many messages they mean."""
    await rights.looking(request)
    requests = request.app[DOORS].requests
    limit, _ = page_of(request.query)
    asked = request.query.get("state")
    if asked is not None and asked not in set(Phase):
        raise bad_request(_wrong("state", "không có trạng thái này", "there is no such state"))
    found = await requests.backfills.listed(phase=None if asked is None else Phase(asked), limit=limit)
    shown = [
        for_operator(each, messages=await requests.count(each) if each.phase is Phase.ASKED else None) for each in found
    ]
    return json_answer({"requests": shown})


async def one(request: web.Request) -> web.Response:
    """One request; where it is not over, what it would come to by today's rules."""
    await rights.looking(request)
    requests = request.app[DOORS].requests
    found = await requests.find(request.match_info["id"])
    seen = await requests.preview(found) if found.phase in {Phase.ASKED, Phase.APPROVED} else None
    return json_answer(for_operator(found, preview=seen))


async def decide(request: web.Request) -> web.Response:
    """Approve, refuse or cancel; an approver's act, with a reason."""
    requests = request.app[DOORS].requests
    await rights.looking(request)
    body = await read_json_object(request)
    act = _ACTS.get(str(body.get("act")))
    if act is None:
        raise bad_request(_wrong("act", "phải là approve, refuse hoặc cancel", "must be approve, refuse or cancel"))
    name = request.match_info["id"]
    operator = await rights.acting(request, f"request.{act}", least="approver", asked=name[:50])
    reason = body.get("reason")
    decided = await requests.decide(
        name, act, reason=reason if isinstance(reason, str) else "", actor=rights.who(operator)
    )
    return json_answer(for_operator(decided))


# ------------------------------------------------------------------------------------------------------- as JSON


def for_asker(found: Request) -> dict[str, Any]:
    """A request as its system sees it: nothing about messages that were not meant for it."""
    members = {
        "id": found.id,
        "system": found.system,
        "contract": found.contract,
        "since": format_moment(found.since),
        "until": _written(found.until),
        "reason": found.reason,
        "state": found.phase.value,
        "asked_at": format_moment(found.asked_at),
        "decided_at": _written(found.decided_at),
        "decision": found.decision,
        "ended_at": _written(found.ended_at),
        "deliveries": found.made,
    }
    return {name: value for name, value in members.items() if value is not None}


def for_operator(found: Request, *, messages: int | None = None, preview: Preview | None = None) -> dict[str, Any]:
    """A request with who decided, what made no delivery and why, and what it would come to where that is known."""
    members = {
        **for_asker(found),
        "decided_by": found.decided_by,
        "not_due": _left_out(found.left_out),
        "messages": messages if preview is None else preview.messages,
        "preview": None if preview is None else {
            "judged": preview.judged, "due": preview.due, "not_due": _left_out(preview.left_out),
        },
    }  # fmt: skip
    return {name: value for name, value in members.items() if value is not None}


def _left_out(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"reason": reason, "count": count, "meaning": {"vi": REASONS[reason].vi, "en": REASONS[reason].en}}
        for reason, count in sorted(counts.items())
    ]


def _written(moment: float | None) -> str | None:
    return None if moment is None else format_moment(moment)


def _moment(body: Mapping[str, Any], name: str) -> float | None:
    value = body.get(name)
    return parse_moment(value) if isinstance(value, str) else None


def _wrong(name: str, vi: str, en: str) -> Violation:
    return Violation(f"/{name}", "value", Text(vi, en))
