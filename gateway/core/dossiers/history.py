"""What became of a dossier, worked out from all that was said of it. Pure.

Offices, portals and banks speak of one dossier at their own pace: late, twice, out of order, and sometimes what is not
so. What is told here follows from *what* was said and *when it happened*, never from the order in which it arrived, nor
from how often.

- Events stand in order of their own time, cut where a clock runs ahead of its envelope (``ahead``); what arrived after
  something younger is ``late`` and keeps its place in time, so it never overwrites what came after. An answer dated a
  little before its request, by another clock, takes its place just after it.
- The same said again counts once (``repeated``).
- Allowed moves move; a jump over steps that nobody told moves and is ``skipped``; what cannot follow is kept and shown
  as ``out-of-order``. A dossier that waits is not finished by a mere word (``forced``): by its result, or after a step
  back.
- Who speaks must be a party (``gateway.core.dossiers.parties``), else the word is ``unvouched``; a registration by a
  stranger is ``doubled``. Agencies to which it was handed on speak for their leg alone. Payments are believed from
  whoever may send them, and move what waits for them.
- Without any registration nothing is known of its status (``unregistered``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, get_args

from gateway.core.calendar import Calendar
from gateway.core.dossiers.course import UNHEARD, Course, Part
from gateway.core.dossiers.dossier import Dossier, Flag, Leg, Step
from gateway.core.dossiers.event import FILED, DossierEvent, Told
from gateway.core.dossiers.order import happened_at, in_order, late_in, repeats_in
from gateway.core.dossiers.parties import SKEW, Parties, parties_of
from gateway.core.dossiers.statuses import (
    ENDS,
    FINISHED,
    PROCESSING,
    REFUSED,
    SUPPLEMENT,
    TO_PAY,
    WITHDRAWN,
)

_UNSOUND: Final = UNHEARD - {"repeated"}
_FLAGS: Final[tuple[Flag, ...]] = get_args(Flag)
_WEEKENDS: Final = Calendar()


def is_heard(step: Step) -> bool:
    """Whether what was said is new, and taken for true of the dossier, also where it moved nothing."""
    return UNHEARD.isdisjoint(step.flags)


def is_of_record(step: Step) -> bool:
    """Whether what it says beside the status belongs to the dossier's record.

    That is what was heard, and a registration that is sent again at the same status: its youngest words count.
    """
    return (_UNSOUND if step.told.event.kind == "registered" else UNHEARD).isdisjoint(step.flags)


def dossier_of(code: str, lines: Sequence[Told], calendar: Calendar = _WEEKENDS) -> Dossier:
    """The dossier ``code`` (as compared) by its lines, in any order; ``calendar`` counts waiting time.

    Raises nothing, whatever the lines say. ``record`` is left empty (``gateway.core.dossiers.composed`` makes it).
    """
    ordered = in_order(lines)
    repeats = repeats_in([line for _, line in ordered])
    once = [(index, at, line) for index, (at, line) in enumerate(ordered) if index not in repeats]
    parties = parties_of([(at, line.event) for _, at, line in once])
    story = _Story(parties, calendar)
    for index, (at, line) in enumerate(ordered):
        story.tell(line, at, is_repeat=index in repeats)
    return story.dossier(code, late_in(once), repeats)


@dataclass(slots=True)
class _Story:
    """A dossier while it is worked out, event by event in order of time."""

    parties: Parties
    calendar: Calendar
    course: Course = field(init=False)
    steps: list[tuple[Told, int | None, bool, list[Flag]]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    own: dict[str, list[Part]] = field(default_factory=dict)
    #: What agencies said of their part a moment before they were given it: indexes of steps.
    early: dict[str, list[int]] = field(default_factory=dict)
    #: Payments that something waited for: indexes of steps.
    paid: set[int] = field(default_factory=set)
    registered: DossierEvent | None = None
    received_at: float | None = None
    is_receipt_told: bool = False
    finished_at: float | None = None
    #: The due date that the lead named last.
    appointed: float | None = None
    procedure: str = ""
    channel: str = ""
    parent: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        self.course = Course(self.calendar)

    def tell(self, line: Told, at: float, *, is_repeat: bool) -> None:
        event = line.event
        before = self.course.status
        flags: list[Flag] = ["repeated"] if is_repeat else self._told(event, at)
        if event.said_at > happened_at(event):
            flags.append("ahead")
        if not self.parties.is_registered:
            flags.append("unregistered")
        self.steps.append((line, self.course.status, self.course.status != before, flags))

    def _told(self, event: DossierEvent, at: float) -> list[Flag]:
        if event.kind == "payment-notified":
            return self._paid(event, at)
        if event.kind == "forwarded":
            return self._handed_on(event, at)
        part = self._part_of(event.agency)
        if self.parties.is_registered and event.agency == self.parties.lead:
            return self._led(event, at)
        if self.parties.may_tell_as_portal(event):
            return self._moved(event, at)
        if event.status is None:
            return []
        if part is not None:
            return part.tell(event, at)
        if event.kind == "registered":
            return ["doubled"]
        self.early.setdefault(event.agency, []).append(len(self.steps))
        return ["unvouched"] if self.parties.is_registered else []

    # --------------------------------------------------------------------------------------- who answers for it

    def _led(self, event: DossierEvent, at: float) -> list[Flag]:
        flags = self._moved(event, at)
        if event.kind != "registered" or not UNHEARD.isdisjoint(flags):
            return flags
        if event.due is not None and event.due != self.appointed:
            self.appointed = self.course.due = event.due
        if event.received_at is not None and event.status != FILED and not self.is_receipt_told:
            self.received_at, self.is_receipt_told = min(event.received_at, at), True
        return flags

    def _moved(self, event: DossierEvent, at: float) -> list[Flag]:
        has_moved, flags = self.course.tell(event, at)
        if not UNHEARD.isdisjoint(flags):
            return flags
        if event.kind == "registered":
            self._described(event)
        if event.kind == "supplemented":
            for part in self.parts:
                if part.course.status == SUPPLEMENT and part.course.waiting_for == event.reference:
                    part.tell(event, at)
        if has_moved:
            self._stands(event, at)
        return flags

    def _described(self, event: DossierEvent) -> None:
        is_leads = event.agency == self.parties.lead
        if self.registered is None or (is_leads and self.registered.agency != event.agency):
            self.registered = event
        self.procedure = (event.procedure if is_leads else "") or self.procedure or event.procedure
        self.unit = (event.addressee if is_leads else "") or self.unit or event.addressee
        self.channel = self.channel or event.channel
        self.parent = self.parent or event.parent
        if event.due is not None and self.course.due is None:
            self.course.due = event.due

    def _stands(self, event: DossierEvent, at: float) -> None:
        status = self.course.status
        if self.received_at is None and status not in {FILED, REFUSED, WITHDRAWN, SUPPLEMENT, None}:
            self.received_at = at
        if self.finished_at is None and status in {*FINISHED, *ENDS}:
            told = event.finished_at
            self.finished_at = at if told is None else min(told, at)

    # --------------------------------------------------------------------------------------------- money and legs

    def _paid(self, event: DossierEvent, at: float) -> list[Flag]:
        if event.status == PROCESSING:
            waiting: list[Part | Course] = [part for part in self.parts if part.course.status == TO_PAY]
            if self.course.status == TO_PAY:
                waiting.append(self.course)
            for each in waiting:
                each.tell(event, at)
                self.paid.add(len(self.steps))
        return []

    def _part_of(self, agency: str) -> Part | None:
        """The agency's leg: of several the youngest that is open, or else the youngest."""
        own = self.own.get(agency, ())
        return next((part for part in reversed(own) if part.ended_at is None), own[-1] if own else None)

    def _handed_on(self, event: DossierEvent, at: float) -> list[Flag]:
        hop, own = event.hop, self._part_of(event.agency)
        if hop is None:
            return []
        if event.agency != self.parties.lead and (own is None or hop.from_agency not in {"", event.agency}):
            return ["unvouched"]
        self.parent = self.parent or event.parent
        if hop.to_agency in {"", event.agency}:
            return []
        if own is not None and hop.to_agency in {self.parties.lead, own.hop.from_agency}:
            # Given back to whom it came from: its part is over.
            own.ended_at = at if own.ended_at is None else own.ended_at
            return []
        if hop.to_agency == self.parties.lead:
            return []
        same = (hop.number, hop.from_agency, hop.to_agency)
        for part in self.own.get(hop.to_agency, ()):
            if part.ended_at is None and (part.hop.number, part.hop.from_agency, part.hop.to_agency) == same:
                part.course.due = part.course.due if hop.due in {None, part.hop.due} else hop.due
                part.hop = hop if hop.due is not None else part.hop
                return []
        part = Part(hop, at, Course(self.calendar, due=hop.due))
        self.parts.append(part)
        self.own.setdefault(hop.to_agency, []).append(part)
        self._heard_at_last(part)
        return []

    def _heard_at_last(self, part: Part) -> None:
        """What the agency said already, by a clock that is a little behind, is of this leg."""
        for index in self.early.pop(part.hop.to_agency, ()):
            line, status, counts, flags = self.steps[index]
            if happened_at(line.event) >= part.begun_at - SKEW:
                kept: list[Flag] = [each for each in flags if each != "unvouched"]
                self.steps[index] = (line, status, counts, [*part.tell(line.event, part.begun_at), *kept])

    # ---------------------------------------------------------------------------------------------------- the whole

    def dossier(self, code: str, late: frozenset[int], repeats: Mapping[int, int]) -> Dossier:
        course = self.course
        for index, first in repeats.items():
            # Of what was not believed a repeat is not, either.
            self.steps[index][3].extend(flag for flag in self.steps[first][3] if flag in _UNSOUND)
        for index in late:
            self.steps[index][3].append("late")
        steps = tuple([
            Step(line, status, counts, _listed(flags), index in self.paid)
            for index, (line, status, counts, flags) in enumerate(self.steps)
        ])  # fmt: skip
        written = self.registered or next((line.event for line, *_ in self.steps), None)
        parts = self.parts
        finished = self.finished_at
        if finished is not None and self.received_at is not None:
            # A year that somebody mistyped must not put its end before its beginning: it would be in no month's table.
            finished = max(finished, self.received_at)
        return Dossier(
            code=code,
            written=code if written is None else written.written,
            lead=self.parties.lead,
            status=course.status,
            status_at=course.status_at,
            procedure=self.procedure,
            received_at=self.received_at,
            due=course.due,
            finished_at=finished,
            steps=steps,
            legs=tuple([Leg(p.hop, p.begun_at, p.course.due, p.course.status, p.ended_at) for p in parts]),
            parent=self.parent,
            children=tuple(dict.fromkeys([part.hop.child for part in parts if part.hop.child])),
            channel=self.channel,
            unit=self.unit,
        )


def _listed(flags: Sequence[Flag]) -> tuple[Flag, ...]:
    return tuple([flag for flag in _FLAGS if flag in flags]) if flags else ()
