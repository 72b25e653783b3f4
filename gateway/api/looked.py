"""Queries as JSON and as the rows of the log that Decree 47/2020, article 45, wants."""

from __future__ import annotations

from typing import Any, Final

from gateway.core.moments import format_moment
from gateway.ports.queries import Logged

#: Members of a row of the legal log, in this order.
COLUMNS: Final = (
    "occurred_at", "direction", "method", "requester_agency", "requester_app", "officer", "dossier", "provider",
    "contract", "request_id", "request_digest", "subject_mark", "purpose", "agreements", "reply_status", "replied_at",
    "reply_digest",
)  # fmt: skip


def line(each: Logged) -> dict[str, Any]:
    """One query and what came of it; what is not known is left out."""
    asking = each.asking
    members = {
        "id": asking.key,
        "asked_at": format_moment(asking.asked_at),
        "source": asking.source,
        "officer": asking.officer,
        "dossier": asking.dossier,
        "contract": f"{asking.contract}/{asking.version}",
        "provider": asking.provider,
        "purpose": asking.purpose,
        "agreements": list(asking.agreements),
        "mark": asking.mark,
        "digest": asking.digest,
        "outcome": each.outcome,
        "ended_at": None if each.ended_at is None else format_moment(each.ended_at),
        "answer": each.answer,
    }
    return {name: value for name, value in members.items() if value not in ("", None)}


def record(each: Logged) -> dict[str, str]:
    """One row of the legal log: all of COLUMNS, empty where there is nothing."""
    asking = each.asking
    agency, _, app = asking.source.partition("/")
    values = (
        format_moment(asking.asked_at), "request", "query", agency, app, asking.officer, asking.dossier,
        asking.provider, f"{asking.contract}/{asking.version}", asking.key, asking.digest, asking.mark, asking.purpose,
        " ".join(asking.agreements), each.outcome, "" if each.ended_at is None else format_moment(each.ended_at),
        each.answer or "",
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
