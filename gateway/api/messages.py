"""GET /v1/messages/{id}: what became of a message, for its sender, its recipients and the operators."""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import hdrs, web

from gateway.api import rights
from gateway.api.body import json_answer
from gateway.api.doors import DOORS, Operator
from gateway.api.identity import Caller, caller_of
from gateway.api.problems import not_found
from gateway.api.submit import MESSAGE_ID
from gateway.api.taking import SEALED
from gateway.core.delivery import State
from gateway.core.directory import Directory
from gateway.core.moments import format_moment
from gateway.ports import Attempt, AuditRow, Record, RecordedDelivery

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


async def message(request: web.Request) -> web.Response:
    """The timeline of one message; its recipient sees its own delivery only."""
    record, shown = await _visible(request, caller_of(request))
    members: dict[str, Any] = {
        "id": record.id,
        "source": record.source,
        "type": record.type,
        "version": record.version,
        "subject": record.subject,
        "accepted_at": format_moment(record.accepted_at),
        "digest": f"sha-256:{record.digest}",
        "deliveries": [_delivery(each) for each in shown],
    }
    files = await request.app[DOORS].inspect.known(record.key)
    if files:
        members["files"] = [each.short() for each in files]
    return json_answer(members)


async def envelope(request: web.Request) -> web.Response:
    """The original envelope, byte for byte."""
    doors = request.app[DOORS]
    caller = caller_of(request)
    record, _ = await _visible(request, caller)
    original = await doors.ledger.envelope(record.key)
    if original is None:
        raise not_found()
    if isinstance(caller, Operator):
        # Sender and recipients hold the message anyway; somebody else reading it is remembered.
        row = AuditRow(doors.clock.now(), f"operator:{caller.name}", "message.read", {"id": record.id})
        await doors.ledger.audit([row])
    return web.Response(body=original, headers={hdrs.CONTENT_TYPE: SEALED})


async def _visible(request: web.Request, caller: Caller) -> tuple[Record, tuple[RecordedDelivery, ...]]:
    """The message and those of its deliveries that the caller may see; raises Rejected ``forbidden``, ``not-found``."""
    doors = request.app[DOORS]
    if isinstance(caller, Operator):
        await rights.looking(request)
    key = request.match_info["id"].lower()
    record = await doors.ledger.find(key) if _UUID.match(key) else None
    if record is None:
        raise not_found()
    shown = _shown(record, caller, doors.directory())
    if shown is None:
        raise not_found()
    request[MESSAGE_ID] = record.id
    return record, shown


def _shown(record: Record, caller: Caller, directory: Directory) -> tuple[RecordedDelivery, ...] | None:
    if isinstance(caller, Operator):
        return record.deliveries
    source = directory.system(record.source)
    if (source.name if source is not None else record.source) == caller.name:
        return record.deliveries
    return tuple(each for each in record.deliveries if each.delivery.recipient == caller.name) or None


def _delivery(recorded: RecordedDelivery) -> dict[str, Any]:
    delivery = recorded.delivery
    members: dict[str, Any] = {
        "delivery": delivery.id,
        "recipient": delivery.recipient,
        "state": delivery.state.value,
    }
    if recorded.blocked_by is not None:
        members["blocked_by"] = recorded.blocked_by
    if delivery.state is State.QUEUED:
        members["next_attempt_at"] = format_moment(delivery.due)
    members["attempts"] = [_attempt(each) for each in recorded.attempts]
    return members


def _attempt(attempt: Attempt) -> dict[str, Any]:
    members: dict[str, Any] = {
        "number": attempt.number,
        "started_at": format_moment(attempt.started_at),
        "ended_at": format_moment(attempt.ended_at),
        "outcome": attempt.outcome,
    }
    if attempt.status is not None:
        members["status"] = attempt.status
    if attempt.detail is not None:
        members["detail"] = attempt.detail
    return members
