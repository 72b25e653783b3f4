"""How an operation lies in its row, whichever tables keep it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, get_args

from gateway.core.replay import Act, Phase, Plan
from gateway.ports.failures import Sought
from gateway.ports.replays import Operation, Outcome

#: What :func:`operation_of` reads and :func:`row_of` writes.
COLUMNS: Final = "id, act, phase, body, total, created_at, started_at, ended_at, why, next_at"
#: Outcomes of deliveries that had their turn, those by which the stop rule judges, and how far progress counts.
MOVED: Final[tuple[Outcome, ...]] = ("sent", "held", "failing", "delivered", "failed", "expired", "discarded")
JUDGED: Final[tuple[Outcome, ...]] = ("delivered", "failed", "failing")
COUNTED: Final = 1000


def operation_of(row: Sequence[Any]) -> Operation:
    """An operation from the columns COLUMNS."""
    id_, act, phase, body, total, created_at, started_at, ended_at, why, next_at = row
    told: dict[str, Any] = json.loads(body)
    acts: dict[str, Act] = {name: name for name in get_args(Act)}
    return Operation(
        id=id_, act=acts[act], phase=Phase(phase), sought=Sought(**told["sought"]), named=told["named"],
        plan=_plan_of(told["plan"]), reason=told["reason"], author=told["author"], total=total, created_at=created_at,
        left_out=told["left_out"], is_held=told["is_held"], started_at=started_at, ended_at=ended_at, why=why,
        next_at=next_at,
    )  # fmt: skip


def _plan_of(told: Mapping[str, Any]) -> Plan:
    window = told["window"]
    return Plan(**{**told, "canary": tuple(told["canary"]), "window": None if window is None else tuple(window)})


def row_of(operation: Operation) -> tuple[Any, ...]:
    """The columns COLUMNS of an operation."""
    body = {
        "sought": asdict(operation.sought), "named": operation.named, "plan": asdict(operation.plan),
        "reason": operation.reason, "author": operation.author, "left_out": dict(operation.left_out),
        "is_held": operation.is_held,
    }  # fmt: skip
    return (
        operation.id, operation.act, operation.phase.value, json.dumps(body, ensure_ascii=False), operation.total,
        operation.created_at, operation.started_at, operation.ended_at, operation.why, operation.next_at,
    )  # fmt: skip


def recent(ended: Sequence[tuple[int, bool]], judged: int) -> tuple[bool, ...]:
    """Whether the last ``judged`` of these (place, whether it failed) failed, the youngest first."""
    return tuple(fails for _, fails in sorted(ended, reverse=True)[:judged])
