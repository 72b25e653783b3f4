"""The due dates that a unit named for a dossier, and whether it put them off more often than the law allows. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.dossiers.deadline import Limits
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.history import is_heard
from gateway.core.dossiers.order import happened_at


@dataclass(frozen=True, slots=True)
class Appointment:
    """A due date that the lead named: when it was said, and in which message."""

    due: float
    said_at: float
    message: str


def appointments(dossier: Dossier) -> tuple[Appointment, ...]:
    """The due dates that the lead named of its own accord, in order of time; the first is the one on the receipt slip.

    New dates that answer a supplement are none of them. More than one after the first is against the decree.
    """
    found: list[Appointment] = []
    for step in dossier.steps:
        event = step.told.event
        is_leads = event.kind == "registered" and event.agency == dossier.lead
        if is_leads and event.due is not None and is_heard(step) and (not found or found[-1].due != event.due):
            found.append(Appointment(event.due, happened_at(event), step.told.message))
    return tuple(found)


def has_too_many_appointments(dossier: Dossier, limits: Limits) -> bool:
    """Whether its unit put the date off more often than the law allows."""
    return len(appointments(dossier)) - 1 > limits.appointments
