"""A dossier in one row: where it stands, when somebody should look at it next, and which deadlines it has. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Final, get_args

from gateway.core.dossiers.deadline import overdue_from
from gateway.core.dossiers.dossier import Dossier, Flag, Head
from gateway.core.dossiers.event import FILED, Hop
from gateway.core.dossiers.order import happened_at
from gateway.core.dossiers.statuses import ENDS, FINISHED, WAITING

_FLAGS: Final[tuple[Flag, ...]] = get_args(Flag)
_ENDED: Final = ENDS | FINISHED
#: While a dossier waits, or nobody has received it, nothing of it can become late.
_AT_REST: Final = frozenset({None, FILED, *WAITING, *_ENDED})


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when ``agency`` has to be done: with the whole dossier, or with its ``hop``.

    ``due``: what was said; ``passed_at``: the moment from which it is missed. That is the midnight after the due date
    of a dossier, which goes by the calendar day, and at once for an office that has it in hand.
    """

    agency: str
    due: float
    passed_at: float
    hop: Hop | None = None


def deadlines_of(dossier: Dossier) -> tuple[Deadline, ...]:
    """The deadlines that count as the dossier stands, the earliest first.

    None of a dossier that is finished, of what waits (for a supplement, a payment, or stopped) or was not received yet,
    nor of an office that is done with its part or waits with it.
    """
    if dossier.status in _ENDED:
        return ()
    found = [
        Deadline(leg.hop.to_agency, leg.due, leg.due + 1.0, leg.hop)
        for leg in dossier.legs
        if leg.due is not None and leg.ended_at is None and leg.status not in WAITING
    ]
    if dossier.due is not None and dossier.status not in _AT_REST:
        found.append(Deadline(dossier.lead, dossier.due, overdue_from(dossier.due)))
    return tuple(sorted(found, key=lambda each: (each.passed_at, each.agency, each.due)))


def head_of(dossier: Dossier, place: int, now: float) -> Head:
    """The head of a dossier as of the line at ``place``.

    Deadlines missed up to ``now`` are not looked at again: whoever works it out has told of them.
    """
    flags = {flag for step in dossier.steps for flag in step.flags}
    return Head(
        code=dossier.code,
        written=dossier.written,
        lead=dossier.lead,
        status=dossier.status,
        status_at=dossier.status_at,
        procedure=dossier.procedure,
        channel=dossier.channel,
        parent=dossier.parent,
        received_at=dossier.received_at,
        due=dossier.due,
        finished_at=dossier.finished_at,
        flags=tuple([flag for flag in _FLAGS if flag in flags]),
        next_look=next((each.passed_at for each in deadlines_of(dossier) if each.passed_at > now), None),
        unit=dossier.unit,
        place=place,
        track=_track(dossier),
    )


def _track(dossier: Dossier) -> tuple[tuple[int, float], ...]:
    """Each status with since when; an answer by a clock that is behind counts from its request."""
    moves = [step for step in dossier.steps if step.counts]
    since = accumulate((happened_at(step.told.event) for step in moves), max)
    return tuple([(step.status, at) for step, at in zip(moves, since, strict=True) if step.status is not None])
