"""The table of dossiers of a period, as the reports of the law ask for it, worked out from heads. Pure.

Each dossier that was received before the period ended, and had not ended before it began, is counted in exactly one
place on either side, so that for whatever history

    received = carried over + online + direct + post             (the last three of those received within the period)
    received = done + pending + returned + waiting
    waiting  = supplement + awaiting payment + stopped

hold. *Done*: its result was there within the period (statuses 9 and 10). *Returned*: withdrawn by the applicant (7), or
given back without a result after it had been received (3). *Waiting* is what the forms count apart: a supplement (5), a
payment (6), stopped (8), as it stood when the period ended. All else that was received is *pending*. What is known but
was never received by anybody (1, refused or withdrawn before that) is no part of these sums and stands in
``not_received``. A dossier whose channel nobody named counts as direct, and ``unknown_channel`` says how many did.

Whether something was in time goes by calendar days and by the due date as it is known now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from gateway.core.dossiers import statuses
from gateway.core.dossiers.deadline import in_time, pending
from gateway.core.dossiers.dossier import Head
from gateway.core.moments import VIET_NAM

_WITHOUT_RESULT: Final = frozenset({statuses.REFUSED, statuses.WITHDRAWN})


@dataclass(slots=True)
class Table:
    """The numbers of one agency, or of several added up; what each counts says the head of this file."""

    received: int = 0
    received_in_period: int = 0
    carried_over: int = 0
    online: int = 0
    direct: int = 0
    post: int = 0
    done: int = 0
    done_early: int = 0
    done_on_time: int = 0
    done_overdue: int = 0
    pending: int = 0
    pending_in_time: int = 0
    pending_overdue: int = 0
    waiting: int = 0
    supplement: int = 0
    stopped: int = 0
    awaiting_payment: int = 0
    returned: int = 0
    returned_early: int = 0
    returned_on_time: int = 0
    returned_overdue: int = 0
    not_received: int = 0
    unknown_channel: int = 0

    def __add__(self, other: Table) -> Table:
        return Table(*[getattr(self, each.name) + getattr(other, each.name) for each in fields(Table)])


def month_of(year: int, month: int) -> tuple[float, float]:
    """From when to when (not included) a month lasts in Viet Nam; raises ValueError for what is no month."""
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    return datetime(year, month, 1, tzinfo=VIET_NAM).timestamp(), datetime(*after, 1, tzinfo=VIET_NAM).timestamp()


def by_lead(head: Head) -> str:
    """The agency that answers for it."""
    return head.lead


def by_unit(head: Head) -> str:
    """The unit that received it: software of one agency may serve many."""
    return head.unit or head.lead


def by_procedure(head: Head) -> str:
    """The procedure that it follows."""
    return head.procedure


def tables_of(
    heads: Iterable[Head], since: float, until: float, by: Callable[[Head], str] = by_lead
) -> dict[str, Table]:
    """The table of each agency that answers for a dossier, for the period from ``since`` to ``until`` (not included).

    ``by`` tells in which table a dossier is counted, where that is another.

    For a period that is not over, ``until`` is the present time. What was never registered is not counted at all.
    """
    found: dict[str, Table] = {}
    for head in heads:
        if head.status is None:  # nobody registered it: nothing is known that could be counted
            continue
        _count(found.setdefault(by(head), Table()), head, since, until)
    return {name: found[name] for name in sorted(found)}


def total_of(tables: Mapping[str, Table]) -> Table:
    """All of them added up."""
    return sum(tables.values(), Table())


def _count(table: Table, head: Head, since: float, until: float) -> None:
    ended = head.finished_at
    if ended is not None and ended < since:
        return
    if head.received_at is None:
        first = head.track[0][1] if head.track else head.status_at
        table.not_received += first is not None and first < until
        return
    if head.received_at >= until:
        return
    table.received += 1
    if head.received_at < since:
        table.carried_over += 1
    else:
        table.received_in_period += 1
        _channel(table, head.channel)
    if ended is not None and ended < until:
        _ended(table, head, ended)
    else:
        _open(table, head, until)


def _channel(table: Table, channel: str) -> None:
    match channel:
        case "online":
            table.online += 1
        case "post":
            table.post += 1
        case _:
            table.direct += 1
            table.unknown_channel += channel != "direct"


def _ended(table: Table, head: Head, ended: float) -> None:
    standing = in_time(ended, head.due)
    if head.status in _WITHOUT_RESULT:
        table.returned += 1
        table.returned_early += standing == "early"
        table.returned_on_time += standing == "on-time"
        table.returned_overdue += standing == "overdue"
    else:
        table.done += 1
        table.done_early += standing == "early"
        table.done_on_time += standing == "on-time"
        table.done_overdue += standing == "overdue"


def _open(table: Table, head: Head, until: float) -> None:
    match _status_before(head, until):
        case statuses.SUPPLEMENT:
            table.supplement += 1
        case statuses.TO_PAY:
            table.awaiting_payment += 1
        case statuses.STOPPED:
            table.stopped += 1
        case _:
            table.pending += 1
            # The period's last day is still in time for what is due on it.
            is_overdue = pending(until - 1.0, head.due) == "overdue"
            table.pending_overdue += is_overdue
            table.pending_in_time += not is_overdue
            return
    table.waiting += 1


def _status_before(head: Head, until: float) -> int | None:
    """The status at the end of the period; None where it had none yet."""
    return next((status for status, since in reversed(head.track) if since < until), None)


# ------------------------------------------------------------------------------------------------ as a message


def monthly(table: Table, agency: Mapping[str, str], year: int, month: int) -> dict[str, Any]:
    """The data of a ``statistics.monthly`` 1.0 for an agency (``code``, ``name``) and a month."""
    made: dict[str, Any] = {
        "agency": dict(agency),
        "month": month,
        "year": year,
        "isMonthly": True,
        "received": {
            "new": table.received_in_period,
            "carriedOver": table.carried_over,
            "total": table.received,
            "online": table.online,
            "direct": table.direct,
            "post": table.post,
        },
        "solved": {
            "total": table.done,
            "early": table.done_early,
            "onTime": table.done_on_time,
            "late": table.done_overdue,
            **_percents(table.done, table.done_overdue),
        },
        "pending": {
            "total": table.pending,
            "onTime": table.pending_in_time,
            "late": table.pending_overdue,
            **_percents(table.pending, table.pending_overdue),
        },
        "supplement": table.supplement,
        "stopped": table.stopped,
        "awaitingPayment": table.awaiting_payment,
        "returned": {
            "total": table.returned,
            "early": table.returned_early,
            "onTime": table.returned_on_time,
            "late": table.returned_overdue,
        },
    }
    if table.unknown_channel:
        made["note"] = (
            f"{table.unknown_channel} hồ sơ không rõ kênh tiếp nhận, tính là trực tiếp"
            f" — {table.unknown_channel} of no known channel, counted as direct"
        )
    return made


def _percents(total: int, late: int) -> dict[str, float]:
    """Shares with two digits that add up to 100; none where there is nothing to share."""
    if not total:
        return {}
    overdue = round(100 * late / total, 2)
    return {"onTimePercent": round(100 - overdue, 2), "latePercent": overdue}
