"""An operation on many deliveries, a replay or a discard: what may be in it, in which phases, and what to do next.

A replay puts back the deliveries of a frozen snapshot, in order of acceptance, at a rate. It begins with a few (the
canary: 1, then 10, then 100, then the rest), each stage waiting until the one before came through, and stops by itself
where too many of the last ones fail. What to do next follows from counts alone, so any gateway can go on with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from gateway.core.delivery import State
from gateway.core.faults import IllegalStep, Text
from gateway.core.moments import VIET_NAM

Act = Literal["replay", "discard"]
Verb = Literal["start", "pause", "resume", "cancel", "stop", "finish"]

#: The first stages of a careful replay: how many deliveries each puts back.
CANARY: Final = (1, 10, 100)
#: So many must have ended before their share of failures stops a replay, unless fewer were put back at all.
ENOUGH: Final = 10
#: Seconds' worth of the rate that may be made up for at once.
BURST: Final = 1.0
FASTEST: Final = 10_000.0


class Phase(StrEnum):
    """Where an operation is."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"
    CANCELLED = "cancelled"


#: (phase, verb) -> the next phase. ``stop`` and ``finish`` are the gateway's own; what is not here is refused.
PHASES: Final[dict[tuple[Phase, Verb], Phase]] = {
    (Phase.PLANNED, "start"): Phase.RUNNING,
    (Phase.PLANNED, "cancel"): Phase.CANCELLED,
    (Phase.RUNNING, "pause"): Phase.PAUSED,
    (Phase.RUNNING, "stop"): Phase.STOPPED,
    (Phase.RUNNING, "finish"): Phase.DONE,
    (Phase.RUNNING, "cancel"): Phase.CANCELLED,
    (Phase.PAUSED, "resume"): Phase.RUNNING,
    (Phase.PAUSED, "cancel"): Phase.CANCELLED,
    (Phase.STOPPED, "resume"): Phase.RUNNING,
    (Phase.STOPPED, "cancel"): Phase.CANCELLED,
}
#: Phases that no verb leads out of.
OVER: Final = frozenset({Phase.DONE, Phase.CANCELLED})


def after(phase: Phase, verb: Verb) -> Phase:
    """The phase that ``verb`` leads to; raises IllegalStep."""
    found = PHASES.get((phase, verb))
    if found is None:
        raise IllegalStep(
            "illegal-state",
            Text(
                f"Đợt xử lý đang ở trạng thái {phase.value}, không thể {verb}.",
                f"The operation is {phase.value}; {verb} is not possible.",
            ),
        )
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """How an operation goes about it. ``rate``: deliveries a second; ``canary``: the first stages, none for no care.

    It stops where more than ``stop_percent`` of the last ``stop_window`` that ended, or met their first failure, fail
    (None: never). ``window``: minutes of the day in Viet Nam between which it works, e.g. (1320, 300) for the night.
    ``most`` replayed deliveries are on their way at once; None: a second's worth, between 8 and 200.
    """

    rate: float = 20.0
    canary: tuple[int, ...] = CANARY
    stop_percent: float | None = 10.0
    stop_window: int = 50
    window: tuple[int, int] | None = None
    most: int | None = None

    @property
    def most_in_flight(self) -> int:
        """How many replayed deliveries may be on their way at once."""
        return self.most if self.most is not None else max(8, min(200, int(self.rate)))

    def seconds(self, count: int) -> float:
        """The least time for ``count`` deliveries; the waits of the canary come on top."""
        return count / self.rate


#: What the gateway does at once with all it has, like ending deliveries: no canary, no stop rule.
AT_ONCE: Final = Plan(rate=1000.0, canary=(), stop_percent=None)


# ------------------------------------------------------------------------------------------------ what may be in it

#: Why a delivery cannot be replayed or discarded -> what that means. The names are public and never change.
REASONS: Final[dict[str, Text]] = {
    "delivered": Text("đã được nhận", "already delivered"),
    "discarded": Text("đã loại bỏ", "already discarded"),
    "expired": Text(
        "đã quá expirytime, bên gửi phải gửi thông điệp mới", "past its expirytime; the sender must resend"
    ),
    "body-gone": Text("nội dung không còn được lưu", "its body is no longer kept"),
    "recipient-unknown": Text("nơi nhận không còn trong danh mục", "its recipient is no longer registered"),
    "on-its-way": Text("trục đang tự chuyển, không cần chuyển lại", "it is on its way already"),
    "held": Text("đang tạm giữ, hãy mở lại nơi nhận", "it is on hold; release the destination"),
    "blocked": Text("đang chờ lượt trước, hãy xử lý lượt trước", "it waits for an earlier one; deal with that one"),
}

_OF_STATE: Final = {
    State.DELIVERED: "delivered", State.DISCARDED: "discarded", State.EXPIRED: "expired", State.HELD: "held",
    State.QUEUED: "on-its-way", State.LEASED: "on-its-way", State.BLOCKED: "blocked",
}  # fmt: skip
_DISCARDABLE: Final = frozenset({State.DEAD, State.QUEUED, State.HELD, State.BLOCKED})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that may be in an operation, as it is now."""

    delivery: str
    #: Its place in the order of acceptance.
    place: int
    recipient: str
    state: State
    expires: float | None = None
    has_body: bool = True


def why_not(act: Act, candidate: Candidate, *, is_known: bool, now: float) -> str | None:
    """Why ``act`` cannot be done to a delivery, a key of REASONS; None where it can."""
    if act == "discard":
        return None if candidate.state in _DISCARDABLE else _OF_STATE[candidate.state]
    if candidate.state is not State.DEAD:
        return _OF_STATE[candidate.state]
    if candidate.expires is not None and candidate.expires <= now:
        return "expired"
    if not candidate.has_body:
        return "body-gone"
    return None if is_known else "recipient-unknown"


# ----------------------------------------------------------------------------------------------------- what is next


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is. ``moved``: put back so far, skipped ones not counted.

    ``recent``: of the last that were judged, the youngest first, whether each fails.
    """

    waiting: int
    moved: int
    in_flight: int
    recent: Sequence[bool] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """Put back up to so many now; the rate allows the first of them at ``since``."""

    count: int
    since: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before ``until``; ``why``: ``window``, ``canary``, ``in-flight`` or ``rate``."""

    why: str
    until: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Too many fail: so many percent of the last so many."""

    failing: int
    judged: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything was put back."""


#: How long to wait for something whose end is not known (seconds).
_A_WHILE: Final = 0.2


def next_move(plan: Plan, progress: Progress, *, next_at: float, now: float) -> Send | Wait | Stop | Finish:
    """What an operation does at ``now``; ``next_at`` is when the rate allows the next delivery."""
    if progress.waiting == 0:
        return Finish() if progress.in_flight == 0 else Wait("in-flight", now + _A_WHILE)
    failing, judged = sum(progress.recent), len(progress.recent)
    is_enough = judged > 0 and judged >= min(ENOUGH, progress.moved)
    if plan.stop_percent is not None and is_enough and failing * 100 > plan.stop_percent * judged:
        return Stop(failing, judged)
    if plan.window is not None and not is_within(plan.window, now):
        return Wait("window", now + 30.0)
    stage = stage_left(plan.canary, progress.moved, progress.in_flight)
    if stage == 0:
        return Wait("canary", now + _A_WHILE)
    room = plan.most_in_flight - progress.in_flight
    if room <= 0:
        return Wait("in-flight", now + _A_WHILE)
    since = max(next_at, now - BURST)
    if since > now:
        return Wait("rate", since)
    allowed = int((now - since) * plan.rate) + 1
    return Send(min(allowed, room, progress.waiting, stage or allowed), since)


def stage_left(canary: Sequence[int], moved: int, in_flight: int) -> int | None:
    """How many the present stage still puts back; 0 while the one before is on its way; None past the last stage."""
    ends = 0
    for size in canary:
        if moved == ends and in_flight > 0:
            return 0
        ends += size
        if moved < ends:
            return ends - moved
    return 0 if moved == ends and canary and in_flight > 0 else None


def next_allowed(plan: Plan, since: float, count: int) -> float:
    """When the rate allows the next delivery, after ``count`` were put back of those allowed from ``since`` on."""
    return since + count / plan.rate


def is_within(window: tuple[int, int], now: float) -> bool:
    """Whether ``now`` lies between two minutes of the day in Viet Nam; a window may span midnight."""
    moment = datetime.fromtimestamp(now, VIET_NAM)
    minute = moment.hour * 60 + moment.minute
    begin, end = window
    return begin <= minute < end if begin <= end else minute >= begin or minute < end
