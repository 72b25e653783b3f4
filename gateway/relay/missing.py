"""Sending again what a receiver lost: seen before it is done, in one action, by the usual operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.core.delivery import Delivery, second
from gateway.core.faults import IllegalStep, Rejected, Text, Violation
from gateway.core.reconciliation import Gap
from gateway.core.replay import OVER, REASONS, Candidate, Plan, why_not
from gateway.ports import AuditRow, Clock, Ledger
from gateway.ports.failures import Sought
from gateway.ports.manifests import Manifests
from gateway.ports.replays import Operation
from gateway.relay.operations import MOST_NAMED, Operations

_LONGEST_REASON: Final = 500
#: Why a message cannot be sent again: those of replays, and that the bus does not keep it any more.
GONE: Final = Text("trục không còn lưu", "the bus does not keep it any more")


@dataclass(frozen=True, slots=True)
class Missing:
    """What sending again would do: which gaps it would fill, how many not and why (keys of REASONS, or ``gone``)."""

    day: date
    system: str
    gaps: tuple[Gap, ...]
    deliveries: tuple[Delivery, ...]
    left_out: Mapping[str, int]

    def why(self, reason: str) -> Text:
        """What a reason means."""
        return REASONS.get(reason, GONE)


@dataclass(frozen=True, slots=True)
class ReplayMissing:
    """The step; it works beside a running gateway."""

    manifests: Manifests
    operations: Operations
    ledger: Ledger
    clock: Clock

    async def preview(
        self, day: date, system: str, *, contract: str | None = None, ids: Sequence[str] | None = None
    ) -> Missing:
        """What would be sent again of what a system lost of a day; changes nothing."""
        found = await self.manifests.gaps(day=day, system=system, kind="lost", limit=MOST_NAMED)
        wanted = None if ids is None else {each.lower() for each in ids}
        now, known = self.clock.now(), self.operations.directory()
        gaps, deliveries, left_out = [], [], Counter[str]()
        phases: dict[str, bool] = {}
        for gap in found:
            if contract not in {None, gap.section.contract} or (wanted is not None and gap.id not in wanted):
                continue
            first = await self.ledger.delivery(gap.delivery)
            if first is None:
                left_out["gone"] += 1
                continue
            made = second(first, now)
            again = await self.ledger.delivery(made.id) or made
            has_body = await self.ledger.envelope(again.message) is not None
            candidate = Candidate(again.id, 0, again.recipient, again.state, again.expires, has_body)
            reason = why_not("replay", candidate, is_known=known.system(again.recipient) is not None, now=now)
            if reason is None and await self._is_being_done(gap.operation, phases):
                reason = "on-its-way"
            if reason is None:
                gaps.append(gap)
                deliveries.append(again)
            else:
                left_out[reason] += 1
        return Missing(day, system, tuple(gaps), tuple(deliveries), dict(left_out))

    async def _is_being_done(self, operation: str | None, known: dict[str, bool]) -> bool:
        """Whether an operation that was begun for it goes on."""
        if operation is None:
            return False
        if operation not in known:
            found = await self.operations.replays.find(operation)
            known[operation] = found is not None and found.phase not in OVER
        return known[operation]

    async def do(self, seen: Missing, *, reason: str, author: str, plan: Plan | None = None) -> Operation:
        """Begin an operation that brings exactly these; done twice it brings them once.

        Raises Rejected ``bad-request`` without a reason, IllegalStep where nothing can be done.
        """
        if not reason.strip() or len(reason) > _LONGEST_REASON:
            told = Text(f"cần lý do, nhiều nhất {_LONGEST_REASON} ký tự", "a reason is needed, at most 500 characters")
            raise Rejected(
                "bad-request",
                Text("Yêu cầu chưa đúng ở reason.", "The request is wrong at reason."),
                (Violation("/reason", "value", told),),
            )
        if not seen.deliveries:
            why_vi = "; ".join(f"{count}: {seen.why(name).vi}" for name, count in seen.left_out.items())
            why_en = "; ".join(f"{count}: {seen.why(name).en}" for name, count in seen.left_out.items())
            raise IllegalStep(
                "illegal-state",
                Text(
                    f"Không có thông điệp nào gửi lại được. {why_vi}".strip(),
                    f"There is nothing to send again. {why_en}".strip(),
                ),
            )
        await self.manifests.repeat(seen.deliveries)
        named = [each.id for each in seen.deliveries]
        meant = await self.operations.preview("replay", Sought(), named, plan or Plan())
        operation = await self.operations.create(meant, reason=reason, author=author, start=True)
        await self.manifests.take_up(seen.gaps, operation.id)
        details = {
            "operation": operation.id, "day": seen.day.isoformat(), "system": seen.system, "messages": len(seen.gaps),
            "reason": reason.strip(),
        }  # fmt: skip
        await self.ledger.audit([AuditRow(self.clock.now(), author, "manifest.replayed", details)])
        return operation
