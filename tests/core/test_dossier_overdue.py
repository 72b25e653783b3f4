"""Of each missed deadline somebody is told once, however the dossier is worked out again."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.event import Hop, Told
from gateway.core.dossiers.history import dossier_of
from gateway.core.dossiers.overdue import head_with, is_overdue, missed, named
from tests.build import MORNING
from tests.told import CODE, LEAD, NEXT, an_event

DAY = 86400.0
DUE, HOP_DUE = MORNING + 3600, MORNING + 60


def a_dossier(*, status: int = 4) -> Dossier:
    """One that is due in an hour, a part of which is due in a minute."""
    events = [
        an_event(status=2, due=DUE),
        an_event("progressed", status=status, said_at=MORNING - 50),
        an_event("forwarded", said_at=MORNING - 40, hop=Hop(1, LEAD, NEXT, HOP_DUE)),
    ]
    return dossier_of(CODE, [Told(place, f"m{place}", "s", MORNING, each) for place, each in enumerate(events, 1)])


def test_the_earliest_deadline_of_which_nobody_was_told_is_looked_at_next() -> None:
    dossier = a_dossier()
    part, whole = missed(dossier, (), MORNING + 3 * DAY)

    assert (part.agency, part.hop is not None, whole.agency, whole.hop) == (NEXT, True, LEAD, None)
    assert head_with(dossier, 3, ()).next_look == part.passed_at
    assert head_with(dossier, 3, [named(part)]).next_look == whole.passed_at
    assert head_with(dossier, 3, [named(whole), named(part)]).next_look is None


def test_what_was_told_is_told_no_more_and_a_new_date_is_another_deadline() -> None:
    dossier = a_dossier()
    (part,) = missed(dossier, (), HOP_DUE + 1)

    assert missed(dossier, [named(part)], HOP_DUE + 1) == ()
    (leg,) = dossier.legs
    put_off = replace(dossier, legs=(replace(leg, due=HOP_DUE + 600),))
    assert missed(put_off, [named(part)], HOP_DUE + 1) == ()
    assert len(missed(put_off, [named(part)], HOP_DUE + 601)) == 1


def test_a_head_remembers_so_many_deadlines_and_no_more() -> None:
    told = [(NEXT, 1, float(number)) for number in range(500)]

    assert head_with(a_dossier(), 3, told).warned == tuple(told[-100:])


def test_a_dossier_is_late_from_the_day_after_on_or_once_a_deadline_of_it_was_missed() -> None:
    head = head_with(a_dossier(), 3, ())

    assert not is_overdue(head, DUE + 60)
    assert is_overdue(head, DUE + DAY)
    assert is_overdue(replace(head, warned=((NEXT, 1, HOP_DUE),)), MORNING)
    assert not is_overdue(replace(head, finished_at=MORNING), DUE + DAY)
    assert not is_overdue(head_with(a_dossier(status=5), 3, ()), DUE + DAY), "it waits for papers"
    assert not is_overdue(replace(head, due=None), DUE + DAY)
