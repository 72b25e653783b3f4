"""A dossier in one row, and the deadlines of which somebody is to be told once they are passed. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, get_args

from gateway.core.dossiers.deadline import overdue_from
from gateway.core.dossiers.dossier import Dossier, Flag, Head
from gateway.core.dossiers.history import happened_at
from gateway.core.dossiers.statuses import ENDS, FINISHED, SUPPLEMENT

_FLAGS: Final[tuple[Flag, ...]] = get_args(Flag)


@dataclass(frozen=True, slots=True)
class Deadline:
    """What an agency has to be done with: by when, and from when on it is too late.

    ``hop`` is the number of the hop by which it got its part; None: it answers for the dossier as a whole.
    """

    agency: str
    due: float
    passed_from: float
    hop: int | None = None

    @property
    def named(self) -> tuple[str, int, float]:
        """What tells it apart from every other of its dossier, a later due date for the same thing too."""
        return self.agency, self.hop or 0, self.due


def deadlines_of(dossier: Dossier) -> tuple[Deadline, ...]:
    """The deadlines that run: of the dossier while it is not finished, of each part that is not done.

    None runs while what it is for waits for the applicant: that time will be added to it. The dossier is late from the
    midnight after its due date on, a part (whose time may be some hours) from the moment itself on.
    """
    if dossier.finished_at is not None or dossier.status in {*FINISHED, *ENDS}:
        return ()
    parts = [leg for leg in dossier.legs if leg.ended_at is None and leg.status != SUPPLEMENT]
    running = [Deadline(leg.hop.to_agency, leg.due, leg.due, leg.hop.number) for leg in parts if leg.due is not None]
    if dossier.due is not None and dossier.status is not None and dossier.status != SUPPLEMENT:
        running.append(Deadline(dossier.lead, dossier.due, overdue_from(dossier.due)))
    return tuple(sorted(running, key=lambda each: (each.passed_from, each.named)))


def passed(dossier: Dossier, warned: Collection[tuple[str, int, float]], now: float) -> tuple[Deadline, ...]:
    """Deadlines that are passed ``now`` and of which nobody was told yet."""
    return tuple([each for each in deadlines_of(dossier) if each.passed_from <= now and each.named not in warned])


def head_of(dossier: Dossier, place: int, warned: Collection[tuple[str, int, float]] = ()) -> Head:
    """The dossier as of the line at ``place``; ``warned`` names the deadlines of which somebody was told."""
    running = deadlines_of(dossier)
    every = {flag for step in dossier.steps for flag in step.flags}
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
        flags=tuple([flag for flag in _FLAGS if flag in every]),
        next_look=min((each.passed_from for each in running if each.named not in warned), default=None),
        place=place,
        track=tuple(
            [
                (step.status, happened_at(step.told.event))
                for step in dossier.steps
                if step.counts and step.status is not None
            ]
        ),
        warned=tuple([each.named for each in running if each.named in warned]),
    )
