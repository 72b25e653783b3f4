"""Failures and operations as JSON: the same for the operator's doors, the console and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.failure import explained
from gateway.core.faults import Text
from gateway.core.moments import format_moment
from gateway.core.replay import REASONS, Plan
from gateway.ports.failures import Failed, Group, Sought
from gateway.ports.replays import Item, Operation, Outcome
from gateway.relay.operations import Preview


def both(text: Text) -> dict[str, str]:
    """A sentence in both languages."""
    return {"vi": text.vi, "en": text.en}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def group(found: Group) -> dict[str, Any]:
    """A group with what it means and what to do next."""
    means = explained(found.error)
    return _present(
        group=found.fingerprint,
        kind=found.kind,
        recipient=found.recipient,
        contract=found.contract,
        error=found.error,
        cause=found.cause,
        text=found.text or None,
        count=found.count,
        first_seen=format_moment(found.first),
        last_seen=format_moment(found.last),
        samples=list(found.samples),
        meaning=both(means.meaning),
        next_step=both(means.next_step),
    )


def failed(found: Failed) -> dict[str, Any]:
    """One delivery of a group."""
    return _present(
        delivery=found.delivery,
        message=found.message,
        source=found.source,
        recipient=found.recipient,
        contract=found.contract,
        state=found.state,
        cause=found.cause,
        error=found.error,
        group=found.fingerprint,
        attempts=found.attempts,
        at=format_moment(found.at),
        outcome=found.outcome,
        status=found.status,
        detail=found.detail,
    )


def sought(meant: Sought) -> dict[str, Any]:
    """A filter, what does not matter left out."""
    return _present(
        recipient=meant.recipient,
        contract=meant.contract,
        since=None if meant.since is None else format_moment(meant.since),
        until=None if meant.until is None else format_moment(meant.until),
        cause=meant.cause,
        group=meant.group,
    )


def clock_time(minute: int) -> str:
    """A minute of the day as ``HH:MM``."""
    return f"{minute // 60:02}:{minute % 60:02}"


def plan(made: Plan) -> dict[str, Any]:
    """How an operation goes about it."""
    return _present(
        rate=made.rate,
        canary=list(made.canary),
        stop_percent=made.stop_percent,
        stop_window=made.stop_window,
        window=None if made.window is None else "-".join(clock_time(minute) for minute in made.window),
        most=made.most_in_flight,
    )


def _left_out(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"reason": reason, "count": count, "meaning": both(REASONS[reason])} for reason, count in sorted(counts.items())
    ]


def preview(seen: Preview) -> dict[str, Any]:
    """What an operation would do."""
    return {
        "act": seen.act,
        "filter": sought(seen.sought),
        "named": seen.named,
        "plan": plan(seen.plan),
        "at": format_moment(seen.at),
        "eligible": seen.eligible,
        "held": seen.is_held,
        "not_eligible": _left_out(seen.left_out),
        "seconds": round(seen.seconds, 1),
        "sample": [{"delivery": each.delivery, "recipient": each.recipient} for each in seen.sample],
    }


def operation(found: Operation, counts: Mapping[Outcome, int] | None = None) -> dict[str, Any]:
    """An operation and, where they were asked for, what became of its deliveries so far."""
    return _present(
        id=found.id,
        act=found.act,
        state=found.phase.value,
        why=found.why,
        filter=sought(found.sought),
        named=found.named,
        plan=plan(found.plan),
        reason=found.reason,
        author=found.author,
        total=found.total,
        held=found.is_held,
        not_eligible=_left_out(found.left_out),
        created_at=format_moment(found.created_at),
        started_at=None if found.started_at is None else format_moment(found.started_at),
        ended_at=None if found.ended_at is None else format_moment(found.ended_at),
        counts=None if counts is None else dict(counts),
    )


def item(found: Item) -> dict[str, Any]:
    """One delivery of an operation."""
    return _present(delivery=found.delivery, recipient=found.recipient, outcome=found.outcome, reason=found.reason)
