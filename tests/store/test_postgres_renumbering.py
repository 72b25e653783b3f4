"""Places of a ledger that moves in become numbers that tell their month: in the same order, and back again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.postgres.partitions import Month
from gateway.store.postgres.renumbering import PARTS, Calendars

NOVEMBER = Month(322)
#: (how far behind the one before, months later or earlier): small steps as in a file, great ones as in a cluster.
STEPS = st.lists(
    st.tuples(st.integers(1, 5) | st.integers(1 << 33, 1 << 41), st.integers(-1, 2)), min_size=1, max_size=40
)


def told(steps: list[tuple[int, int]], kind: str = "messages") -> tuple[Calendars, list[tuple[int, Month]]]:
    """Calendars that know these rows, and each row's place with the month it got."""
    calendars, place, month = Calendars(), 0, NOVEMBER.number
    rows = []
    for step, later in steps:
        place, month = place + step, month + later
        rows.append((place, calendars[kind].tell(place, Month(month))))
        if place % 3 == 0:
            calendars = Calendars(str(calendars))  # the move was killed, and goes on
    return calendars, rows


@given(STEPS, st.sampled_from(sorted(PARTS)))
def test_numbers_keep_the_order_tell_the_month_and_lead_back(steps: list[tuple[int, int]], kind: str) -> None:
    calendars, rows = told(steps, kind)
    numbers = [calendars[kind].number(place) for place, _ in rows]
    assert all(one < other for one, other in pairwise(numbers))
    assert [Month.of(number) for number in numbers] == [month for _, month in rows]
    assert [calendars[kind].place(number) for number in numbers] == [place for place, _ in rows]
    assert all(one.number <= other.number for (_, one), (_, other) in pairwise(rows)), "time does not go back"


@given(STEPS)
def test_within_a_month_messages_come_before_deliveries_and_these_before_attempts(steps: list[tuple[int, int]]) -> None:
    by_month: dict[int, dict[str, list[int]]] = {}
    for kind in PARTS:
        calendars, rows = told(steps, kind)
        for place, month in rows:
            by_month.setdefault(month.number, {}).setdefault(kind, []).append(calendars[kind].number(place))
    for numbers in by_month.values():
        assert max(numbers["messages"]) < min(numbers["deliveries"])
        assert max(numbers["deliveries"]) < min(numbers["attempts"])


def test_what_points_at_nothing_yet_still_points_at_nothing() -> None:
    calendars, _ = told([(1, 0), (1, 0)])
    assert (calendars["messages"].number(0), calendars["messages"].place(0)) == (0, 0)


@pytest.mark.parametrize("kind", sorted(PARTS))
def test_a_ledger_of_a_file_is_told_by_one_run_a_month(kind: str) -> None:
    calendars, _ = told([(1, 0)] * 500 + [(1, 1)] + [(1, 0)] * 500, kind)
    assert calendars[kind].starts == [1, 501]
    assert calendars.months() == {NOVEMBER.number, NOVEMBER.number + 1}
