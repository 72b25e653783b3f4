"""Documents, lines of the register and duties as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from gateway.core.documents.view import DocumentView, Issue, RecipientView, Told
from gateway.core.edxml.codelist import STATUS
from gateway.core.faults import Text
from gateway.core.moments import format_moment
from gateway.ports.documents import Duty, Registered

#: What each word of a view means, for people.
STANDINGS: Final[Mapping[str, Text]] = {
    "in-force": Text("còn nguyên", "as it was sent"),
    "updated": Text("đã cập nhật", "updated"),
    "replaced": Text("đã được thay thế", "replaced"),
    "recalled": Text("đã thu hồi", "recalled"),
    "mixed": Text("mỗi nơi một khác", "not the same everywhere"),
}


def document(view: DocumentView) -> dict[str, Any]:
    """A document as one may see it."""
    return _said(
        {
            "document": view.document,
            "issuer": view.issuer,
            "key": view.key,
            "known": view.is_known,
            "issued_on": view.issued_on,
            "standing": view.standing,
            "issues": [_issue(each) for each in view.issues],
            "recipients": [_recipient(each) for each in view.recipients],
        }
    )


def line(kept: Registered) -> dict[str, Any]:
    """A line of the register."""
    entry = kept.entry
    return _said(
        {
            "kind": entry.kind,
            "document": entry.document or entry.key,
            "issuer": entry.issuer,
            "reporter": entry.reporter if entry.is_status else None,
            "status": _status(entry.code) if entry.is_status else None,
            "id": kept.message,
            "accepted_at": format_moment(kept.accepted_at),
            "said_at": moment(entry.said_at),
            "issued_on": entry.issued_on,
            "recipients": list(entry.recipients),
            "told_by": None if entry.is_vouched else kept.source,
        }
    )


def duty(open_one: Duty) -> dict[str, Any]:
    """An open duty."""
    return _said(
        {
            "agency": open_one.agency,
            "duty": open_one.name,
            "document": open_one.document,
            "issuer": open_one.issuer,
            "id": open_one.message,
            "due": moment(open_one.due),
            "reminders": open_one.level,
            "next_reminder": moment(open_one.next_at),
        }
    )


def moment(at: float | None) -> str | None:
    """A moment as RFC 3339; None where there is none."""
    return format_moment(at) if at is not None and math.isfinite(at) else None


def _issue(issue: Issue) -> dict[str, Any]:
    return _said(
        {
            "kind": issue.kind,
            "document": issue.key,
            "id": issue.message,
            "accepted_at": format_moment(issue.accepted_at),
            "recipients": list(issue.recipients),
            "told_by": issue.told_by,
        }
    )


def _recipient(view: RecipientView) -> dict[str, Any]:
    return _said(
        {
            "agency": view.agency,
            "transport": view.transport,
            "progress": None if view.progress is None else _status(view.progress),
            "flags": [_status(code) for code in view.flags],
            "standing": view.standing,
            "changes": [
                _said(
                    {
                        "kind": change.kind,
                        "document": change.document or change.key,
                        "id": change.message,
                        "asked_at": moment(change.asked_at),
                        "answer": answer,
                    }
                )
                for change, answer in view.changes
            ],
            "history": [_told(each) for each in view.history],
        }
    )


def _told(told: Told) -> dict[str, Any]:
    return _said(
        {
            "status": _status(told.code),
            "document": told.key,
            "id": told.message,
            "said_at": moment(told.said_at),
            "accepted_at": format_moment(told.accepted_at),
            "repeat": told.is_repeat,
            "told_by": told.told_by,
        }
    )


def _status(code: str) -> dict[str, Any]:
    name = STATUS.get(code, Text("không rõ", "unknown"))
    return {"code": code, "meaning": {"vi": name.vi, "en": name.en}}


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
