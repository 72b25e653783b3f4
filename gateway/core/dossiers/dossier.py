"""A dossier as all that was said of it makes it: its status, its steps with what is odd about them, its hops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.core.dossiers.event import Hop, Told

#: Why an event does not count for the status, or counts with a word of warning: see ``gateway.core.dossiers.history``.
Flag = Literal["out-of-order", "forced", "skipped", "repeated", "unvouched", "doubled", "ahead", "late", "unregistered"]


@dataclass(frozen=True, slots=True)
class Step:
    """One event with its standing. ``status``: the dossier's after it; ``counts``: whether it moved it there.

    ``has_paid``: whether it is a payment for which the dossier, or an agency's part of it, waited.
    """

    told: Told
    status: int | None
    counts: bool
    flags: tuple[Flag, ...] = ()
    has_paid: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """A hop and what became of it: ``status`` is what the receiving agency said last of its part, ``ended_at`` when it
    was done with it (None while it is not), ``due`` with the time added that it waited for supplements.
    """

    hop: Hop
    begun_at: float
    due: float | None
    status: int | None = None
    ended_at: float | None = None

    def is_late(self, now: float) -> bool:
        """Whether its deadline was passed, or is by ``now``."""
        return self.due is not None and (self.ended_at if self.ended_at is not None else now) > self.due


@dataclass(frozen=True, slots=True)
class Dossier:
    """One dossier. ``code`` as compared, ``written`` as its registration wrote it; ``lead`` the agency that answers for
    it. ``status`` (1 to 10) is None where no registration is known. ``due``: with the time added that it waited for
    supplements; None where it has none. ``received_at``/``finished_at``: when it was received, and when its result was
    there or it ended otherwise. ``steps`` in order of what happened, repeats among them. ``record``: the registration
    with all that was said since, in the shape of ``dossier.registered/2.0``, and beside it what was charged last
    (``charges``); empty where it was not asked for, or its messages are no longer kept.
    """

    code: str
    written: str
    lead: str
    status: int | None
    status_at: float | None
    procedure: str
    received_at: float | None
    due: float | None
    finished_at: float | None
    steps: tuple[Step, ...]
    legs: tuple[Leg, ...] = ()
    parent: str = ""
    children: tuple[str, ...] = ()
    channel: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    #: The agency that its registration names as the one that received it, which may be another than the one whose
    #: software told it; empty where it names none by a code.
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A dossier in one row, for lists, deadlines and tables: as of the line at ``place``.

    ``next_look``: when a deadline of it is passed next and nobody was told yet; None where none is. ``flags``: every
    flag that one of its steps has.
    """

    code: str
    written: str
    lead: str
    status: int | None
    status_at: float | None
    procedure: str
    channel: str
    parent: str
    received_at: float | None
    due: float | None
    finished_at: float | None
    flags: tuple[Flag, ...]
    next_look: float | None
    place: int
    #: Seconds since 1970 at which the status became what it is, oldest first: (status, since). For monthly tables.
    track: tuple[tuple[int, float], ...] = ()
    #: Missed deadlines of which somebody was told: (agency, number of its hop or 0, due).
    warned: tuple[tuple[str, int, float], ...] = ()
    #: As in ``Dossier``.
    unit: str = ""
