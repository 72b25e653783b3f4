"""What operators ask of operations: look at what would be done, begin exactly that, pause, resume, cancel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.core.directory import Directory
from gateway.core.faults import IllegalStep, Rejected, Text, Violation
from gateway.core.replay import FASTEST, OVER, REASONS, Act, Candidate, Phase, Plan, Verb, after, why_not
from gateway.ports import AuditRow, Clock, Ledger
from gateway.ports.failures import Failures, Sought
from gateway.ports.replays import Operation, Replays

#: Deliveries of one operation at most.
MOST: Final = 1_000_000
#: Ids named one by one at most.
MOST_NAMED: Final = 10_000
_SAMPLE: Final = 5
_LONGEST_REASON: Final = 500
_LONGEST_STAGES: Final = 1000
_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Preview:
    """What an operation would do, as of ``at``: how many deliveries, how many not and why, how long, a few of them.

    ``is_held``: of those in it, how many are for destinations on hold and wait there. ``places`` is the snapshot.
    """

    act: Act
    sought: Sought
    named: int
    plan: Plan
    at: float
    eligible: int
    is_held: int
    left_out: Mapping[str, int]
    seconds: float
    sample: tuple[Candidate, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operations:
    """The step; it works beside a running gateway, which notices within a second. ``new_id`` makes an id never used."""

    replays: Replays
    failures: Failures
    ledger: Ledger
    directory: Callable[[], Directory]
    clock: Clock
    new_id: Callable[[], str]

    async def preview(self, act: Act, sought: Sought, named: Sequence[str] | None, plan: Plan) -> Preview:
        """What ``act`` would do to the deliveries meant; changes nothing. Raises Rejected ``bad-request``."""
        _check(plan)
        if named is not None and len(named) > MOST_NAMED:
            raise _refused("ids", f"nhiều nhất {MOST_NAMED} mã", f"at most {MOST_NAMED} ids")
        while await self.failures.look():
            pass
        now = self.clock.now()
        directory, holds = self.directory(), await self.ledger.holds()
        left_out: Counter[str] = Counter()
        eligible: list[Candidate] = []
        for candidate in await self.replays.candidates(sought, named, now=now):
            is_known = directory.system(candidate.recipient) is not None
            reason = why_not(act, candidate, is_known=is_known, now=now)
            if reason is None:
                eligible.append(candidate)
            else:
                left_out[reason] += 1
        if len(eligible) > MOST:
            raise _refused("sought", f"quá {MOST} lượt, hãy lọc hẹp hơn", f"over {MOST} deliveries, narrow the filter")
        is_held = sum(candidate.recipient in holds for candidate in eligible)
        return Preview(
            act, sought, len(named or ()), plan, now, len(eligible), is_held, dict(left_out),
            plan.seconds(len(eligible)), tuple(eligible[:_SAMPLE]), tuple(each.place for each in eligible),
        )  # fmt: skip

    async def create(self, seen: Preview, *, reason: str, author: str, start: bool) -> Operation:
        """Keep exactly what was seen as an operation, planned or running at once.

        Raises Rejected ``bad-request`` without a reason, IllegalStep where nothing can be done.
        """
        reason = reason.strip()
        if not reason or len(reason) > _LONGEST_REASON:
            raise _refused(
                "reason", f"cần lý do, nhiều nhất {_LONGEST_REASON} ký tự", "a reason is needed, at most 500"
            )
        if not seen.eligible:
            raise IllegalStep(
                "illegal-state",
                Text(
                    f"Không có lượt chuyển nào làm được. {_reasons(seen.left_out, 'vi')}".strip(),
                    f"There is no delivery to which this can be done. {_reasons(seen.left_out, 'en')}".strip(),
                ),
            )
        now = self.clock.now()
        operation = Operation(
            id=self.new_id(), act=seen.act, phase=Phase.RUNNING if start else Phase.PLANNED, sought=seen.sought,
            named=seen.named, plan=seen.plan, reason=reason, author=author, total=seen.eligible, created_at=seen.at,
            left_out=seen.left_out, is_held=seen.is_held, started_at=now if start else None,
        )  # fmt: skip
        details = {"operation": operation.id, "deliveries": operation.total, "reason": reason}
        event = f"{operation.act}.{'started' if start else 'planned'}"
        await self.replays.plan(operation, seen.places, AuditRow(now, author, event, details))
        return operation

    async def find(self, id_: str) -> Operation:
        """One operation; raises Rejected ``not-found``."""
        found = await self.replays.find(id_)
        if found is None:
            raise Rejected("not-found", Text(f"Không có đợt xử lý {id_}.", f"There is no operation {id_}."))
        return found

    async def turn(self, id_: str, verb: Verb, *, author: str) -> Operation:
        """``start``, ``pause``, ``resume`` or ``cancel`` an operation; raises Rejected ``not-found``, IllegalStep.

        What was put back stays on its way; what waits stays as it is.
        """
        while True:
            before = await self.find(id_)
            now = self.clock.now()
            phase = after(before.phase, verb)
            turned = replace(
                before,
                phase=phase,
                why=None,
                started_at=before.started_at if before.started_at is not None or phase in OVER else now,
                ended_at=now if phase in OVER else None,
            )
            row = AuditRow(now, author, f"{before.act}.{_TOLD[verb]}", {"operation": id_})
            if await self.replays.change(before.phase, turned, row):
                return turned


_TOLD: Final[Mapping[Verb, str]] = {
    "start": "started", "pause": "paused", "resume": "resumed", "cancel": "cancelled", "stop": "stopped",
    "finish": "done",
}  # fmt: skip


def _check(plan: Plan) -> None:
    """Refuse a plan that cannot be carried out."""
    if not 0 < plan.rate <= FASTEST:
        raise _refused("rate", "tốc độ từ trên 0 đến 10000 lượt mỗi giây", "a rate over 0, up to 10,000 a second")
    if any(stage < 1 for stage in plan.canary) or sum(plan.canary) > _LONGEST_STAGES:
        raise _refused("canary", "các bước thử từ 1, tổng nhiều nhất 1000", "stages from 1, at most 1,000 in all")
    if plan.stop_percent is not None and not 0 <= plan.stop_percent <= 100:
        raise _refused("stop_percent", "từ 0 đến 100", "from 0 to 100")
    if not 1 <= plan.stop_window <= 1000:
        raise _refused("stop_window", "từ 1 đến 1000", "from 1 to 1,000")
    if plan.most is not None and not 1 <= plan.most <= 1000:
        raise _refused("most", "từ 1 đến 1000", "from 1 to 1,000")
    if plan.window is not None and not all(0 <= minute < _MINUTES for minute in plan.window):
        raise _refused("window", "phải là giờ trong ngày", "must be times of the day")


def _refused(name: str, vi: str, en: str) -> Rejected:
    return Rejected(
        "bad-request",
        Text(f"Yêu cầu chưa đúng ở {name}: {vi}.", f"The request is wrong at {name}: {en}."),
        (Violation(f"/{name}", "value", Text(vi, en)),),
    )


def _reasons(left_out: Mapping[str, int], language: str) -> str:
    return "; ".join(f"{count}: {REASONS[reason].in_language(language)}" for reason, count in left_out.items())
