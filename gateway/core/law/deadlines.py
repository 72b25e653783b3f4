"""Deadlines as the law words them: a term of a few fixed forms, and the moment it means on a calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from gateway.core.calendar import Calendar
from gateway.core.moments import day_of

Form = Literal[
    "end of working day",
    "next working morning",
    "end of next working morning",
    "end of next working day",
    "working hours",
    "working days",
]
_PLAIN: Final[tuple[Form, ...]] = (
    "end of working day",
    "next working morning",
    "end of next working morning",
    "end of next working day",
)
_COUNTED: Final = re.compile(r"([1-9][0-9]{0,2}) (working hours|working days)\Z")


@dataclass(frozen=True, slots=True)
class Term:
    """How long somebody has: one of the forms, with a number where it counts hours or days."""

    form: Form
    number: int = 0

    def after(self, moment: float, calendar: Calendar) -> float:
        """When the term ends that begins at ``moment``; raises ValueError where the calendar never works.

        Terms of days begin with the working day that ``moment`` counts for: what comes on Friday night is Monday's.
        """
        match self.form:
            case "end of working day":
                return calendar.end_of_working_day(moment)
            case "next working morning":
                return calendar.next_working_morning(moment)
            case "end of next working morning":
                return calendar.end_of_next_working_morning(moment)
            case "end of next working day":
                return calendar.closing(calendar.add_working_days(_counted_for(moment, calendar), 1))
            case "working hours":
                return calendar.add_working_hours(moment, self.number)
            case "working days":
                return calendar.closing(calendar.add_working_days(_counted_for(moment, calendar), self.number))

    def __str__(self) -> str:
        return f"{self.number} {self.form}" if self.number else self.form


def parse_term(text: str) -> Term | None:
    """``"end of working day"``, ``"4 working hours"``, …: see the class; None for anything else."""
    for form in _PLAIN:
        if text == form:
            return Term(form)
    found = _COUNTED.match(text)
    if found is None:
        return None
    return Term("working hours" if found[2] == "working hours" else "working days", int(found[1]))


def _counted_for(moment: float, calendar: Calendar) -> date:
    return day_of(calendar.end_of_working_day(moment))
