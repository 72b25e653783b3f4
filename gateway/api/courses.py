"""Dossiers as JSON: where each stands, its steps with what is odd about them, its parts, its record if it has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.api.registered import moment
from gateway.core.dossiers.dossier import Dossier, Flag, Head, Leg, Step
from gateway.core.dossiers.heads import deadlines_of
from gateway.core.dossiers.statuses import name_of
from gateway.core.faults import Text

#: What each flag means, for people.
FLAGS: Final[Mapping[Flag, Text]] = {
    "out-of-order": Text("không thể theo sau trạng thái đang có", "cannot follow the status that it has"),
    "forced": Text("báo xong khi hồ sơ đang chờ, không kèm kết quả", "told as done while it waits, without a result"),
    "skipped": Text("thiếu các bước ở giữa", "steps between were not told"),
    "repeated": Text("lặp lại", "said before"),
    "unvouched": Text("bên gửi không phải bên liên quan", "by one that is no party"),
    "doubled": Text("cơ quan khác đã đăng ký mã này", "another agency registered this code before"),
    "ahead": Text("đồng hồ bên gửi chạy nhanh", "its sender's clock is ahead"),
    "late": Text("đến sau việc xảy ra sau nó", "arrived after what happened later"),
    "unregistered": Text("chưa thấy đăng ký hồ sơ", "no registration is known"),
}


def head(each: Head) -> dict[str, Any]:
    """A dossier in a list."""
    return _said(
        {
            "code": each.code,
            "lead": each.lead,
            "status": _status(each.status),
            "status_at": moment(each.status_at),
            "procedure": each.procedure or None,
            "channel": each.channel or None,
            "parent": each.parent or None,
            "received_at": moment(each.received_at),
            "due": moment(each.due),
            "finished_at": moment(each.finished_at),
            "flags": list(each.flags),
            "missed": [
                _said({"agency": agency, "hop": hop or None, "due": moment(due)}) for agency, hop, due in each.warned
            ],
        }
    )


def dossier(each: Dossier, now: float) -> dict[str, Any]:
    """A dossier with its steps and parts, and its record where there is one."""
    return _said(
        {
            "code": each.code,
            "lead": each.lead,
            "status": _status(each.status),
            "status_at": moment(each.status_at),
            "procedure": each.procedure or None,
            "channel": each.channel or None,
            "parent": each.parent or None,
            "children": list(each.children),
            "received_at": moment(each.received_at),
            "due": moment(each.due),
            "finished_at": moment(each.finished_at),
            "missed": [
                _said(
                    {
                        "agency": late.agency,
                        "hop": None if late.hop is None else late.hop.number,
                        "due": moment(late.due),
                    }
                )
                for late in deadlines_of(each)
                if late.passed_at <= now
            ],
            "steps": [_step(step) for step in each.steps],
            "parts": [_part(leg, now) for leg in each.legs],
            "record": dict(each.record) or None,
        }
    )


def _step(step: Step) -> dict[str, Any]:
    told, event = step.told, step.told.event
    return _said(
        {
            "kind": event.kind,
            "agency": event.agency,
            "recipients": list(event.recipients),
            "id": told.message,
            "said_at": moment(event.said_at),
            "accepted_at": moment(told.accepted_at),
            "said": _status(event.status),
            "status": _status(step.status),
            "moved": step.counts,
            "flags": list(step.flags),
        }
    )


def _part(leg: Leg, now: float) -> dict[str, Any]:
    return _said(
        {
            "hop": leg.hop.number,
            "from": leg.hop.from_agency,
            "to": leg.hop.to_agency,
            "child": leg.hop.child or None,
            "begun_at": moment(leg.begun_at),
            "due": moment(leg.due),
            "ended_at": moment(leg.ended_at),
            "status": _status(leg.status),
            "late": leg.is_late(now),
        }
    )


def _status(code: int | None) -> dict[str, Any] | None:
    if code is None:
        return None
    name = name_of(code)
    return {"code": code, "meaning": {"vi": name.vi, "en": name.en}}


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
