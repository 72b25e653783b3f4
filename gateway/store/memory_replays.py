"""The reference of ``ports.replays``: operations over any ledger, kept in memory. For tests, and for reading."""

# ruff: noqa: D102 - ports.replays says what each method promises

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.core.delivery import Delivery, State
from gateway.core.replay import Candidate, Phase, Progress
from gateway.ports import AuditRow, Ledger
from gateway.ports.failures import Failures, Sought
from gateway.ports.replays import Item, Move, Operation, Outcome, Turn

_ALL: Final = 1_000_000_000
_OUTCOMES: Final[dict[State, Outcome]] = {
    State.DELIVERED: "delivered", State.EXPIRED: "expired", State.DISCARDED: "discarded", State.HELD: "held",
    State.DEAD: "failed",
}  # fmt: skip


@dataclass(slots=True)
class _Item:
    delivery: str
    #: The delivery's count of replays after its turn; None before, and where it was skipped.
    replays: int | None = None
    skipped: str | None = None


@dataclass(slots=True)
class _Kept:
    operation: Operation
    items: list[_Item]
    judged_after: int = 0
    owner: str | None = None
    until: float = 0.0
    by_delivery: dict[str, _Item] = field(init=False)

    def __post_init__(self) -> None:
        self.by_delivery = {item.delivery: item for item in self.items}


class MemoryReplays:
    """Nothing here waits but for the ledger, which does not wait either, so each call is one transaction."""

    def __init__(self, ledger: Ledger, failures: Failures) -> None:
        self._ledger = ledger
        self._failures = failures
        self._kept: dict[str, _Kept] = {}

    async def candidates(self, sought: Sought, named: Sequence[str] | None, *, now: float) -> list[Candidate]:
        every = await self._ledger.deliveries(limit=_ALL)
        if named is not None:
            names = {name.lower() for name in named}
            meant = {each.id for each in every if each.id in names or each.message in names}
        else:
            listed = await self._failures.members(sought, now=now, limit=_ALL)
            dead = {each.delivery for each in listed if each.state == "dead"}
            meant = dead or ({each.delivery for each in listed} if sought.group is not None else set())
        return [await self._candidate(place, each) for place, each in enumerate(every, 1) if each.id in meant]

    async def _candidate(self, place: int, delivery: Delivery) -> Candidate:
        has_body = await self._ledger.envelope(delivery.message) is not None
        return Candidate(delivery.id, place, delivery.recipient, delivery.state, delivery.expires, has_body)

    async def plan(self, operation: Operation, places: Sequence[int], audit: AuditRow) -> None:
        every = await self._ledger.deliveries(limit=_ALL)
        self._kept[operation.id] = _Kept(operation, [_Item(every[place - 1].id) for place in sorted(places)])
        await self._ledger.audit([audit])

    async def find(self, id: str) -> Operation | None:
        kept = self._kept.get(id)
        return None if kept is None else kept.operation

    async def listed(self, *, limit: int = 50) -> list[Operation]:
        return [kept.operation for kept in reversed(self._kept.values())][:limit]

    async def counts(self, id: str) -> dict[Outcome, int]:
        found: dict[Outcome, int] = {}
        for item in self._kept[id].items if id in self._kept else ():
            outcome = await self._outcome(item)
            found[outcome] = found.get(outcome, 0) + 1
        return found

    async def items(
        self, id: str, *, outcome: Outcome | None = None, after: str | None = None, limit: int = 100
    ) -> list[Item]:
        items = self._kept[id].items if id in self._kept else []
        seen = next((place for place, item in enumerate(items, 1) if item.delivery == after), 0)
        found = []
        for item in items[seen:]:
            its = await self._outcome(item)
            delivery = await self._ledger.delivery(item.delivery)
            if delivery is not None and outcome in {None, its}:
                found.append(Item(item.delivery, delivery.recipient, its, item.skipped))
        return found[:limit]

    async def _outcome(self, item: _Item) -> Outcome:
        if item.replays is None:
            return "waiting" if item.skipped is None else "skipped"
        delivery = await self._ledger.delivery(item.delivery)
        if delivery is None or delivery.replays > item.replays:
            return "failed"  # only what died again is replayed again
        failing: Outcome = "failing" if delivery.attempts > delivery.spent else "sent"
        return _OUTCOMES.get(delivery.state, failing)

    async def change(self, before: Phase, operation: Operation, audit: AuditRow) -> bool:
        kept = self._kept.get(operation.id)
        if kept is None or kept.operation.phase is not before:
            return False
        kept.operation, kept.owner, kept.until = operation, None, 0.0
        if operation.phase is Phase.RUNNING:
            turned = [place for place, item in enumerate(kept.items, 1) if item.replays is not None or item.skipped]
            kept.judged_after = max(turned, default=0)
        await self._ledger.audit([audit])
        return True

    async def lease(self, owner: str, *, now: float, until: float) -> list[Operation]:
        leased = []
        for kept in self._kept.values():
            is_free = kept.owner in {None, owner} or kept.until <= now
            if kept.operation.phase is Phase.RUNNING and is_free:
                kept.owner, kept.until = owner, until
                leased.append(kept.operation)
        return leased

    async def progress(self, id: str, *, judged: int) -> Progress:
        kept = self._kept.get(id)
        if kept is None:
            return Progress(0, 0, 0)
        outcomes = [await self._outcome(item) for item in kept.items]
        recent = [
            outcome != "delivered"
            for outcome in reversed(outcomes[kept.judged_after :])
            if outcome in {"delivered", "failed", "failing"}
        ]
        waiting, skipped = outcomes.count("waiting"), outcomes.count("skipped")
        moved = len(outcomes) - waiting - skipped
        return Progress(min(waiting, 1000), min(moved, 1000), outcomes.count("sent"), tuple(recent[:judged]))

    async def turns(self, id: str, limit: int) -> list[Turn]:
        found: list[Turn] = []
        for item in self._kept[id].items if id in self._kept else ():
            if len(found) < limit and await self._outcome(item) == "waiting":
                delivery = await self._ledger.delivery(item.delivery)
                if delivery is not None:
                    found.append(Turn(delivery, await self._ledger.envelope(delivery.message) is not None))
        return found

    async def move(
        self, id: str, moves: Sequence[Move], *, owner: str, next_at: float, now: float
    ) -> list[bool] | None:
        kept = self._kept.get(id)
        if kept is None or kept.operation.phase is not Phase.RUNNING or kept.owner != owner:
            return None
        done = [await self._do(kept.by_delivery.get(move.delivery), move, now) for move in moves]
        kept.operation = replace(kept.operation, next_at=next_at)
        return done

    async def _do(self, item: _Item | None, move: Move, now: float) -> bool:
        if item is None or item.replays is not None or item.skipped is not None:
            return False
        if move.change is None:
            item.skipped = move.skipped
            return True
        (written,) = await self._ledger.record_many([move.change], now=now)
        if written:
            item.replays = move.change.after.replays
            if move.audit is not None:
                await self._ledger.audit([move.audit])
        return written
