"""Where a dossier, or an agency's part of it, stands, and how what is said moves it: by the table, or not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.core.calendar import Calendar
from gateway.core.dossiers.deadline import extended
from gateway.core.dossiers.dossier import Flag
from gateway.core.dossiers.event import DossierEvent, Hop
from gateway.core.dossiers.statuses import ENDS, FINISHED, STOPPED, SUPPLEMENT, WAITING, is_allowed, is_reachable

#: Events that a flag of these stands at change nothing.
UNHEARD: Final[frozenset[Flag]] = frozenset(
    {"out-of-order", "forced", "repeated", "unvouched", "doubled", "unregistered"}
)
#: With these an agency is done with its part.
_LEG_ENDS: Final = frozenset({*ENDS, *FINISHED, STOPPED})


@dataclass(slots=True)
class Course:
    """Where a dossier, or an agency's part of it, stands: moved by what those say who may."""

    calendar: Calendar
    status: int | None = None
    status_at: float | None = None
    due: float | None = None
    waiting_for: str = ""

    def tell(self, event: DossierEvent, at: float) -> tuple[bool, list[Flag]]:
        """Whether it moved, and what is odd about it."""
        before, after = self.status, event.status
        if after is None:
            return False, []
        flags = _oddities(before, event)
        if not UNHEARD.isdisjoint(flags):
            return False, flags
        if event.kind == "supplemented" and event.due is not None:
            self.due = event.due
        elif before == SUPPLEMENT and after != before and self.due is not None and self.status_at is not None:
            self.due = extended(self.due, self.status_at, at, self.calendar)
        if after == SUPPLEMENT and event.kind == "supplement-requested":
            self.waiting_for = event.reference
        if after == before:
            return False, flags
        self.status, self.status_at = after, at
        return True, flags


def _oddities(before: int | None, event: DossierEvent) -> list[Flag]:
    after = event.status
    if before is None or after is None or before == after:
        return []
    if before in WAITING and after in FINISHED and not event.has_result:
        return ["forced"]
    if is_allowed(before, after):
        return []
    return ["skipped"] if is_reachable(before, after) else ["out-of-order"]


@dataclass(slots=True)
class Part:
    """A leg while it is worked out."""

    hop: Hop
    begun_at: float
    course: Course
    ended_at: float | None = None

    def tell(self, event: DossierEvent, at: float) -> list[Flag]:
        """What is odd about it. The part ends with its end, and begins again where it was stopped and goes on."""
        before = self.course.status
        moved, flags = self.course.tell(event, at)
        if moved and self.course.status in _LEG_ENDS:
            self.ended_at = at if self.ended_at is None else self.ended_at
        elif moved and before == STOPPED:
            self.ended_at = None
        return flags
