"""The reference of ``ports.backfills``: requests of late subscribers, in the memory of one process."""

# ruff: noqa: D102 - ports.backfills says what each method promises

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.core.backfill import OVER, Found, Phase
from gateway.core.delivery import Delivery, State
from gateway.ports import AuditRow, Ledger, NewMessage
from gateway.ports.backfills import Made, Request, Slice


class Growing(Ledger, Protocol):
    """A ledger in memory, whose messages may get deliveries after they were accepted."""

    def messages(self) -> list[NewMessage]:
        """Every message in order of acceptance."""

    def add(self, deliveries: Sequence[Delivery], at: float) -> None:
        """More deliveries of kept messages, in this order, as if accepted at ``at``."""


@dataclass(slots=True)
class _Kept:
    request: Request
    owner: str | None = None
    until: float = 0.0


class MemoryBackfills:
    """Nothing here waits but for the ledger, which does not wait either, so each call is one transaction."""

    def __init__(self, ledger: Growing) -> None:
        self._ledger = ledger
        self._kept: dict[str, _Kept] = {}

    async def ask(self, request: Request, audit: AuditRow) -> Request:
        for kept in self._kept.values():
            of = kept.request
            if (of.system, of.contract) == (request.system, request.contract) and of.phase not in OVER:
                return of
        asked = replace(request, last=len(self._ledger.messages()))
        self._kept[asked.id] = _Kept(asked)
        await self._ledger.audit([audit])
        return asked

    async def find(self, id: str) -> Request | None:
        kept = self._kept.get(id)
        return None if kept is None else kept.request

    async def listed(self, *, system: str | None = None, phase: Phase | None = None, limit: int = 100) -> list[Request]:
        every = [kept.request for kept in reversed(self._kept.values())]
        return [each for each in every if system in {None, each.system} and phase in {None, each.phase}][:limit]

    async def change(self, before: Phase, request: Request, audit: AuditRow) -> bool:
        kept = self._kept.get(request.id)
        if kept is None or kept.request.phase is not before:
            return False
        kept.request = replace(
            kept.request, phase=request.phase, decided_by=request.decided_by, decision=request.decision,
            decided_at=request.decided_at, ended_at=request.ended_at,
        )  # fmt: skip
        await self._ledger.audit([audit])
        return True

    async def lease(self, owner: str, *, now: float, until: float) -> list[Request]:
        leased = []
        for kept in self._kept.values():
            is_free = kept.owner in {None, owner} or kept.until <= now
            if kept.request.phase in {Phase.APPROVED, Phase.RUNNING} and is_free:
                kept.owner, kept.until = owner, until
                leased.append(kept.request)
        return leased

    def _meant(self, request: Request, after: int) -> list[tuple[int, NewMessage]]:
        return [
            (place, message)
            for place, message in enumerate(self._ledger.messages(), 1)
            if message.type == request.contract
            and after < place <= request.last
            and request.since <= message.accepted_at
            and (request.until is None or message.accepted_at < request.until)
        ]

    async def count(self, request: Request, *, most: int) -> int:
        return min(most, len(self._meant(request, 0)))

    async def missed(self, request: Request, *, after: int, limit: int) -> Slice:
        meant = self._meant(request, after)
        found = []
        for place, message in meant[:limit]:
            is_recipient = any(each.recipient == request.system for each in message.deliveries)
            body = None if is_recipient else message.envelope or None
            found.append(Found(place, message.source, body, is_recipient))
        return Slice(tuple(found), request.last if len(meant) <= limit else found[-1].place)

    async def waiting(self, recipient: str, *, most: int) -> int:
        return len(await self._ledger.deliveries(states=[State.QUEUED], recipient=recipient, limit=most))

    async def make(self, request: Request, made: Made, *, owner: str, audit: AuditRow, now: float) -> bool:
        kept = self._kept.get(request.id)
        if kept is None or kept.request.phase is not Phase.RUNNING or kept.owner != owner:
            return False
        if kept.request.reached != request.reached:
            return False
        for delivery in made.deliveries:
            if await self._ledger.delivery(delivery.id) is not None:
                return False
            if await self._ledger.envelope(delivery.message) is None:
                return False
        self._ledger.add(made.deliveries, now)
        kept.request = replace(
            kept.request,
            reached=made.slice.end,
            made=kept.request.made + len(made.deliveries),
            left_out=dict(Counter(kept.request.left_out) + Counter(made.left_out)),
        )
        await self._ledger.audit([audit])
        return True
