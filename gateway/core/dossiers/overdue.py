"""Of which missed deadlines somebody is still to be told, whatever was said in between and in whatever order. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.core.dossiers.deadline import overdue_from
from gateway.core.dossiers.dossier import Dossier, Head
from gateway.core.dossiers.event import FILED
from gateway.core.dossiers.heads import Deadline, deadlines_of, head_of
from gateway.core.dossiers.statuses import ENDS, FINISHED, WAITING

#: A deadline by what tells it apart from every other of its dossier: the agency, the number of its hop or 0, when due.
Named = tuple[str, int, float]
_ENDED: Final = ENDS | FINISHED
_AT_REST: Final = frozenset({None, FILED, *WAITING})
#: So many are remembered of a dossier; of more the youngest.
_MOST: Final = 100


def named(deadline: Deadline) -> Named:
    """The deadline as a head remembers it; a new due date for the same thing is another one."""
    return deadline.agency, 0 if deadline.hop is None else deadline.hop.number, deadline.due


def missed(dossier: Dossier, warned: Sequence[Named], now: float) -> tuple[Deadline, ...]:
    """The deadlines that are missed ``now`` and of which nobody was told."""
    return tuple([each for each in deadlines_of(dossier) if each.passed_at <= now and named(each) not in warned])


def is_overdue(head: Head, now: float) -> bool:
    """Whether a dossier that is not finished is late as a whole, or was told of for a deadline that was missed.

    Which of its deadlines are missed ``now`` is told by its course (``deadlines_of``), which a head does not hold.
    """
    if head.finished_at is not None or head.status in _ENDED:
        return False
    is_late = head.due is not None and head.status not in _AT_REST and overdue_from(head.due) <= now
    return is_late or bool(head.warned)


def head_with(dossier: Dossier, place: int, warned: Sequence[Named]) -> Head:
    """The head as of the line at ``place``, of whose deadlines ``warned`` were told.

    A deadline that had passed when the bus heard of it is to be looked at, too.
    """
    untold = [each.passed_at for each in deadlines_of(dossier) if named(each) not in warned]
    head = head_of(dossier, place, math.inf)
    return replace(head, next_look=min(untold, default=None), warned=tuple(warned[-_MOST:]))
