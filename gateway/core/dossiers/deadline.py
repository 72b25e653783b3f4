"""Deadlines of dossiers: when one is due, how waiting moves that, and whether it was in time. Pure.

The rules are those of Decree 61/2018 (articles 18 to 20) and of the one-stop systems in use: eight office hours are a
day; what comes after closing counts for the next working day; nothing is due on a day off; the time that a dossier
waits for a supplement is added; a procedure may have no due date at all; whether one was in time goes by the calendar
day. What the law gives units for what else they owe an applicant is data: ``Limits``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from gateway.core.calendar import Calendar
from gateway.core.law.deadlines import Term as LawTerm
from gateway.core.moments import VIET_NAM, day_of

Unit = Literal["working-day", "working-hour", "day"]
#: How what is finished stands to its due date, and what is not.
InTime = Literal["early", "on-time", "overdue"]
Pending = Literal["pending", "near", "overdue"]

#: So many office hours are a day where a term counts hours.
HOURS_OF_A_DAY: Final = 8
#: What is due within this time is near (seconds).
NEAR: Final = 86_400.0
#: Nobody waits longer than this for a supplement; a longer wait is a slip of a clock, and adds no more (seconds).
_LONGEST_WAIT: Final = 3 * 366 * 86_400.0
_MOST: Final = 3650


@dataclass(frozen=True, slots=True)
class Term:
    """How long a procedure takes: so many working days, office hours, or days of the calendar."""

    number: int
    unit: Unit


def due_of(received: float, term: Term | None, calendar: Calendar) -> float | None:
    """When what was received at a moment is due; None for no term, none that is sensible, or where nobody ever works.

    Counted from the office hour that the receipt counts for, to the same hour of the day on which the term ends: so a
    day is a day, whatever hours a province keeps. Of office hours eight are a day, the rest is counted out.
    """
    if term is None or not 0 < term.number <= _MOST:
        return None
    try:
        begin = _office_hour(received, calendar)
        if term.unit == "day":
            end = _same_hour(begin, calendar.working_day(day_of(begin) + timedelta(term.number)), calendar)
            return end if end >= begin else None
        days, hours = (term.number, 0) if term.unit == "working-day" else divmod(term.number, HOURS_OF_A_DAY)
        end = _same_hour(begin, calendar.add_working_days(day_of(begin), days), calendar)
        return calendar.add_working_hours(end, hours)
    except (ValueError, OverflowError):
        return None


def extended(due: float, asked: float, answered: float, calendar: Calendar) -> float:
    """``due`` with the office time added that passed between a request for a supplement and its answer.

    It never falls on a time at which offices are closed, unless nothing is added.
    """
    try:
        waited = calendar.working_hours_between(asked, min(answered, asked + _LONGEST_WAIT))
        return due if waited <= 0 else calendar.add_working_hours(due, waited)
    except (ValueError, OverflowError):
        return due


def begun_again(received: float, due: float, completed: float, calendar: Calendar) -> float:
    """The due date where the whole time limit begins again with the complete dossier (Decree 61/2018, article 19).

    It is later than ``extended`` by the time that passed before the supplement was asked for; the unit says which of
    the two it grants by naming the new due date.
    """
    try:
        given = calendar.working_hours_between(received, due)
        return due if given <= 0 else calendar.add_working_hours(completed, given)
    except (ValueError, OverflowError):
        return due


def in_time(finished: float, due: float | None) -> InTime:
    """Whether something finished in time, by calendar days in Viet Nam; what has no due date is on time."""
    if due is None:
        return "on-time"
    ended, last = day_of(finished), day_of(due)
    return "early" if ended < last else "on-time" if ended == last else "overdue"


def pending(now: float, due: float | None) -> Pending:
    """How something that is not finished stands ``now``: overdue from the day after its due date on."""
    if due is None:
        return "pending"
    if day_of(due) < day_of(now):
        return "overdue"
    return "near" if due - now <= NEAR else "pending"


def overdue_from(due: float) -> float:
    """The moment from which something pending is overdue: the midnight after its due date."""
    return datetime.combine(day_of(due) + timedelta(1), time(), VIET_NAM).timestamp()


# ------------------------------------------------------------------------------------------- what the law asks of units


@dataclass(frozen=True, slots=True)
class Limits:
    """What a regulation gives units for what they owe an applicant, from ``valid_from`` to ``valid_until``.

    ``supplement``: how long after the receipt one may be asked for; ``apology_days``: so many days before the due date
    the apology for a delay is to be there; ``appointments``: how often a unit may name a new due date; papers
    received from the second ``papers_until`` of the day on go to the competent unit the next morning. All of it is data
    (``gateway.config.law``).
    """

    id: str
    basis: str
    valid_from: date
    valid_until: date | None
    supplement: LawTerm
    apology_days: int
    appointments: int
    papers_until: int

    def is_in_force(self, day: date) -> bool:
        """Whether ``day`` lies within the dates."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    def supplement_by(self, received: float, calendar: Calendar) -> float:
        """Until when the unit may ask for a supplement: the close of the last working day."""
        return self.supplement.after(received, calendar)

    def apology_by(self, due: float) -> float:
        """By when the apology for a result that will be late has to be there."""
        return due - self.apology_days * 86_400.0

    def papers_by(self, received: float, calendar: Calendar) -> float:
        """By when papers are to be at the competent unit: the same day, or the next morning.

        Morning: by the end of the first span of office hours. What comes on a day off goes the next working morning.
        """
        day = day_of(received)
        midnight = datetime.combine(day, time(), VIET_NAM).timestamp()
        if calendar.is_working_day(day) and received - midnight < self.papers_until:
            return calendar.end_of_working_day(received)
        return calendar.end_of_next_working_morning(received)


# ------------------------------------------------------------------------------------------------------- hours and days


def _office_hour(moment: float, calendar: Calendar) -> float:
    """``moment`` where offices work at it, else when they next do."""
    midnight = datetime.combine(day_of(moment), time(), VIET_NAM).timestamp()
    for start, end in calendar.spans(day_of(moment)):
        if moment < midnight + end:
            return max(moment, midnight + start)
    return calendar.next_working_morning(moment)


def _same_hour(moment: float, day: date, calendar: Calendar) -> float:
    """The hour of ``moment`` on a working day, within the office hours of that day."""
    second = moment - datetime.combine(day_of(moment), time(), VIET_NAM).timestamp()
    spans = calendar.spans(day)
    fitting = [min(max(second, start), end) for start, end in spans]
    nearest = min(fitting, key=lambda each: abs(each - second))
    return datetime.combine(day, time(), VIET_NAM).timestamp() + nearest
