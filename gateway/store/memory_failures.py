"""The reference of ``ports.failures``: what failed, worked out anew from what any ledger tells."""

# ruff: noqa: D102 - ports.failures says what each method promises

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.core.delivery import Delivery, State
from gateway.core.failure import (
    STUCK_AFTER,
    STUCK_ATTEMPTS,
    STUCK_LEASE,
    Diagnosis,
    Kind,
    Symptom,
    diagnose,
    stuck_class,
)
from gateway.ports import Ledger, Record, RecordedDelivery
from gateway.ports.failures import Failed, Group, Sought

_ALL: Final = 1_000_000_000
_SAMPLES: Final = 5
_WAITING: Final = (State.QUEUED, State.LEASED, State.HELD, State.BLOCKED, State.DEAD)


class MemoryFailures:
    """Asks its ledger anew each time; nothing is kept."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def look(self, *, limit: int = 1000) -> int:  # noqa: ARG002 - nothing is to be looked at before
        return 0

    async def groups(self, sought: Sought, *, now: float, limit: int = 200) -> list[Group]:
        found: dict[str, list[tuple[Failed, Diagnosis]]] = {}
        for each, known in await self._all(sought, now):
            found.setdefault(known.fingerprint, []).append((each, known))
        made = [_group(listed) for listed in found.values()]
        return sorted(made, key=lambda group: (-group.count, group.fingerprint))[:limit]

    async def members(self, sought: Sought, *, now: float, after: str | None = None, limit: int = 100) -> list[Failed]:
        listed = [each for each, _ in await self._all(sought, now)]
        seen = next((place for place, each in enumerate(listed, 1) if each.delivery == after), 0)
        return listed[seen : seen + limit]

    async def backlog(self) -> Mapping[str, Mapping[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for each in await self._ledger.deliveries(states=_WAITING, limit=_ALL):
            counts = found.setdefault(each.recipient, {})
            counts[each.state.value] = counts.get(each.state.value, 0) + 1
        return found

    async def _all(self, sought: Sought, now: float) -> list[tuple[Failed, Diagnosis]]:
        found = []
        for delivery in await self._ledger.deliveries(states=_WAITING, limit=_ALL):
            record = await self._ledger.find(delivery.message)
            if record is None:
                continue
            recorded = next(each for each in record.deliveries if each.delivery.id == delivery.id)
            known = await self._known(record, recorded, now)
            if known is not None:
                each = _failed(record, recorded, known)
                if _is_meant(sought, each, known):
                    found.append((each, known))
        return found

    async def _known(self, record: Record, recorded: RecordedDelivery, now: float) -> Diagnosis | None:
        """Why a delivery has failed; None where it is on its way as it should be."""
        delivery = recorded.delivery
        nothing = Symptom(delivery.recipient, delivery.contract)
        match delivery.state:
            case State.DEAD:
                return diagnose(_symptom(recorded))
            case State.HELD:
                return diagnose(nothing, error="held")
            case State.BLOCKED:
                head = await self._ledger.delivery(recorded.blocked_by or "")
                if head is None or head.state not in {State.DEAD, State.HELD}:
                    return None
                return diagnose(nothing, error=f"behind-{head.state.value}")
            case State.LEASED:
                late = (delivery.lease_until or now) <= now - STUCK_LEASE
                return diagnose(nothing, error="leased-long") if late else None
        if not _is_stuck(delivery, record.accepted_at, now):
            return None
        symptom = _symptom(recorded)
        is_tried = delivery.attempts > delivery.spent
        named = stuck_class(symptom, is_pulled=delivery.patience is None, is_tried=is_tried)
        return diagnose(symptom if named is None else nothing, error=named)


def _is_stuck(delivery: Delivery, accepted_at: float, now: float) -> bool:
    begun = max(accepted_at, delivery.notbefore or 0.0)
    if delivery.deadline is not None and delivery.patience is not None:
        begun = delivery.deadline - delivery.patience
    return delivery.attempts - delivery.spent >= STUCK_ATTEMPTS or begun <= now - STUCK_AFTER


def _symptom(recorded: RecordedDelivery) -> Symptom:
    delivery = recorded.delivery
    cause = delivery.cause if delivery.state is State.DEAD else None
    if not recorded.attempts:
        return Symptom(delivery.recipient, delivery.contract, cause)
    last = recorded.attempts[-1]
    return Symptom(delivery.recipient, delivery.contract, cause, last.outcome, last.status, last.detail)


def _failed(record: Record, recorded: RecordedDelivery, known: Diagnosis) -> Failed:
    delivery, last = recorded.delivery, recorded.attempts[-1] if recorded.attempts else None
    at = record.accepted_at
    if delivery.state is State.LEASED:
        at = delivery.lease_until or at
    elif delivery.state is State.DEAD:
        at = last.ended_at if last is not None else delivery.deadline or delivery.due
    elif delivery.state is State.QUEUED and last is not None:
        at = last.ended_at
    return Failed(
        delivery.id, record.id, record.source, delivery.recipient, delivery.contract, delivery.state.value,
        delivery.cause, known.error, known.fingerprint, delivery.attempts, at,
        *((last.outcome, last.status, last.detail) if last is not None else (None, None, None)),
    )  # fmt: skip


def _is_meant(sought: Sought, each: Failed, known: Diagnosis) -> bool:
    return (
        sought.recipient in {None, each.recipient}
        and sought.contract in {None, each.contract, each.contract.partition("/")[0]}
        and (sought.since is None or each.at >= sought.since)
        and (sought.until is None or each.at < sought.until)
        and sought.cause in {None, known.error, each.cause}
        and sought.group in {None, known.fingerprint}
    )


def _group(listed: list[tuple[Failed, Diagnosis]]) -> Group:
    newest = sorted((each for each, _ in listed), key=lambda each: -each.at)
    one, known = newest[0], listed[0][1]
    kind: Kind = "dead" if one.state == "dead" else "held" if known.error == "held" else "stuck"
    samples = tuple(each.delivery for each in newest[:_SAMPLES])
    return Group(
        known.fingerprint, kind, one.recipient, one.contract, known.error, one.cause, known.text, len(listed),
        newest[-1].at, one.at, samples,
    )  # fmt: skip
