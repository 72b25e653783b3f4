"""The row and the table of dossiers: when to look again, and sums that hold for whatever history."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.catalog import builtin_folder, read_contract
from gateway.config.law import read_law
from gateway.core.dossiers.dossier import Head
from gateway.core.dossiers.event import Hop
from gateway.core.dossiers.heads import deadlines_of, head_of
from gateway.core.dossiers.history import dossier_of
from gateway.core.dossiers.linked import linked
from gateway.core.dossiers.table import Table, by_procedure, by_unit, month_of, monthly, tables_of, total_of
from tests.core.dossier_told import CODE, DISTRICT, HISTORIES, HOUR, ONE_STOP, PORTAL, an_event, at, shown, told

CALENDAR = read_law().calendar
MARCH = month_of(2026, 3)
STATISTICS = read_contract(builtin_folder() / "statistics.monthly").version("1.0")


def head(*events: Any, now: float = -math.inf) -> Head:
    lines = told(events)
    return head_of(dossier_of(CODE, lines, CALENDAR), len(lines), now)


def received(day: str, **more: Any) -> Any:
    return an_event("registered", when=at(day), status=2, received_at=at(day), due=at("2026-03-20T17:00"), **more)


def moved(day: str, status: int, kind: str = "progressed") -> Any:
    return an_event(kind, when=at(day), status=status, has_result=kind == "result-issued")


# --------------------------------------------------------------------------------------------------- when to look


def test_a_head_says_where_it_stands_and_how_it_came_there() -> None:
    one = head(received("2026-03-02T08:00", procedure="1.004199", channel="online"), moved("2026-03-03T08:00", 9))

    assert (one.status, one.lead, one.procedure, one.channel, one.place) == (9, ONE_STOP, "1.004199", "online", 2)
    assert one.track == ((2, at("2026-03-02T08:00")), (9, at("2026-03-03T08:00")))
    assert one.flags == ("skipped",)


def test_a_dossier_is_looked_at_when_the_day_on_which_it_was_due_is_over() -> None:
    assert shown(head(received("2026-03-02T08:00")).next_look) == "2026-03-21T00:00"
    assert head(received("2026-03-02T08:00"), now=at("2026-03-21T00:00")).next_look is None


def test_an_office_is_looked_at_when_its_own_deadline_passes_and_the_earliest_comes_first() -> None:
    events = [
        received("2026-03-02T08:00"),
        an_event("forwarded", when=at("2026-03-02T09:00"), hop=Hop(1, ONE_STOP, DISTRICT, at("2026-03-06T17:00"))),
    ]

    assert [
        (each.agency, shown(each.due))
        for each in deadlines_of(dossier_of(CODE, told(events), CALENDAR))
    ] == [(DISTRICT, "2026-03-06T17:00"), (ONE_STOP, "2026-03-20T17:00")]  # fmt: skip
    assert shown(head(*events).next_look) == "2026-03-06T17:00"
    assert shown(head(*events, now=at("2026-03-07T00:00")).next_look) == "2026-03-21T00:00"
    done = an_event("result-issued", DISTRICT, at("2026-03-05T09:00"), status=9, has_result=True)
    assert shown(head(*events, done).next_look) == "2026-03-21T00:00"


@pytest.mark.parametrize("status", [5, 6, 8, 9])
def test_nothing_becomes_late_while_it_waits_or_once_it_is_done(status: int) -> None:
    events = [received("2026-03-02T08:00"), moved("2026-03-03T08:00", 4), moved("2026-03-04T08:00", status)]

    assert head(*events).next_look is None


def test_what_is_filed_and_not_received_has_no_deadline_yet() -> None:
    filed = an_event("registered", PORTAL, when=0.0, status=1, recipients=(ONE_STOP,), due=100.0)

    assert head(filed).next_look is None


def test_a_part_under_a_code_of_its_own_stands_where_that_dossier_does() -> None:
    hop = Hop(1, ONE_STOP, DISTRICT, at("2026-03-06T17:00"), "H33.07-260302-0009")
    whole = dossier_of(CODE, told([
        received("2026-03-02T08:00"), an_event("forwarded", when=at("2026-03-02T09:00"), hop=hop),
    ]))  # fmt: skip

    def leg(*events: Any) -> tuple[int | None, str | None]:
        found = linked(whole, {hop.child: dossier_of(hop.child, told(events))}).legs[0]
        return found.status, shown(found.ended_at)

    own = an_event("registered", DISTRICT, at("2026-03-02T10:00"), status=4)
    done = an_event("result-issued", DISTRICT, at("2026-03-05T10:00"), status=9, has_result=True)
    stopped = an_event("returned", DISTRICT, at("2026-03-04T10:00"), status=8)
    assert leg(own) == (4, None)
    assert leg(own, done) == (9, "2026-03-05T10:00")
    assert leg(own, stopped) == (8, "2026-03-04T10:00")
    # Of a stranger's dossier under that code, and of one that nobody registered, nothing follows.
    assert leg(received("2026-03-02T10:00"), moved("2026-03-03T10:00", 9)) == (None, None)
    assert leg(done) == (None, None)
    assert linked(whole, {}) is whole


# ------------------------------------------------------------------------------------------------------ the table


def one(*events: Any, since: float = MARCH[0], until: float = MARCH[1]) -> dict[str, int]:
    """The numbers that are not 0 of a table of one dossier."""
    table = total_of(tables_of([head(*events)], since, until))
    return {each.name: value for each in fields(Table) if (value := getattr(table, each.name))}


def test_a_dossier_received_and_done_within_the_month() -> None:
    done = moved("2026-03-19T16:00", 9, "result-issued")

    assert one(received("2026-03-02T08:00", channel="online"), done) == {
        "received": 1, "received_in_period": 1, "online": 1, "done": 1, "done_early": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("day", "place"), [("2026-03-19", "done_early"), ("2026-03-20", "done_on_time"), ("2026-03-21", "done_overdue")]
)
def test_done_is_judged_by_the_day(day: str, place: str) -> None:
    assert one(received("2026-03-02T08:00"), moved(f"{day}T23:00", 9, "result-issued"))[place] == 1


def test_a_dossier_whose_result_is_dated_a_year_too_early_is_in_the_table_all_the_same() -> None:
    done = an_event(
        "result-issued", when=at("2026-03-19T16:00"), status=9, has_result=True, finished_at=at("2025-03-19T16:00")
    )

    assert one(received("2026-03-02T08:00"), done) == {
        "received": 1, "received_in_period": 1, "direct": 1, "unknown_channel": 1, "done": 1, "done_early": 1,
    }  # fmt: skip


def test_what_was_carried_over_has_no_channel_in_this_period() -> None:
    assert one(received("2026-02-25T08:00", channel="post")) == {
        "received": 1, "carried_over": 1, "pending": 1, "pending_overdue": 1,
    }  # fmt: skip


def test_a_month_is_told_as_it_stood_at_its_end_whatever_came_later() -> None:
    events = [received("2026-03-30T08:00"), moved("2026-03-31T08:00", 5), moved("2026-04-02T08:00", 4)]
    done = moved("2026-04-03T08:00", 9, "result-issued")

    assert one(*events, done) == {
        "received": 1, "received_in_period": 1, "direct": 1, "unknown_channel": 1, "waiting": 1, "supplement": 1,
    }  # fmt: skip
    april = one(*events, done, since=MARCH[1], until=month_of(2026, 4)[1])
    assert april == {"received": 1, "carried_over": 1, "done": 1, "done_overdue": 1}
    assert one(*events, done, since=month_of(2026, 5)[0], until=month_of(2026, 5)[1]) == {}


@pytest.mark.parametrize(
    ("statuses", "places"),
    [
        ((4,), {"pending", "pending_overdue"}),
        ((5,), {"waiting", "supplement"}),
        ((4, 6), {"waiting", "awaiting_payment"}),
        ((4, 8), {"waiting", "stopped"}),
        ((7,), {"returned", "returned_early"}),
        ((5, 3), {"returned", "returned_early"}),
    ],
)
def test_each_status_is_counted_in_its_own_place(statuses: tuple[int, ...], places: set[str]) -> None:
    events = [moved(f"2026-03-0{day}T08:00", status) for day, status in enumerate(statuses, start=3)]

    counted = one(received("2026-03-02T08:00", channel="direct"), *events)

    assert set(counted) - {"received", "received_in_period", "direct"} == places


def test_what_nobody_received_is_counted_apart() -> None:
    filed = an_event("registered", PORTAL, at("2026-03-02T08:00"), status=1, recipients=(ONE_STOP,))
    refused = an_event("returned", ONE_STOP, at("2026-03-03T08:00"), status=3)

    assert one(filed) == {"not_received": 1}
    assert one(filed, refused) == {"not_received": 1}
    assert one(filed, refused, since=MARCH[1], until=month_of(2026, 4)[1]) == {}
    assert one(filed, since=month_of(2026, 1)[0], until=month_of(2026, 2)[0]) == {}


def test_what_nobody_registered_is_in_no_table() -> None:
    assert tables_of([head(moved("2026-03-03T08:00", 9))], *MARCH) == {}


def assert_sums_hold(table: Table) -> None:
    assert table.received == table.carried_over + table.online + table.direct + table.post
    assert table.received == table.done + table.pending + table.returned + table.waiting
    assert table.received_in_period == table.online + table.direct + table.post
    assert table.done == table.done_early + table.done_on_time + table.done_overdue
    assert table.pending == table.pending_in_time + table.pending_overdue
    assert table.returned == table.returned_early + table.returned_on_time + table.returned_overdue
    assert table.waiting == table.supplement + table.stopped + table.awaiting_payment
    assert table.unknown_channel <= table.direct


@given(
    histories=st.lists(HISTORIES, max_size=6),
    begins=st.integers(-30, 210),
    lasts=st.integers(0, 240),
)
@settings(max_examples=100)
def test_the_sums_hold_for_any_histories_and_any_period(histories: list[list[Any]], begins: int, lasts: int) -> None:
    since = at("2026-02-12T07:00") + HOUR * begins
    until = since + HOUR * lasts
    heads = [head(*events) for events in histories]

    tables = tables_of(heads, since, until)

    for table in tables.values():
        assert_sums_hold(table)
    whole = total_of(tables)
    assert_sums_hold(whole)
    counted = whole.received + whole.not_received
    known = [each for each in heads if each.status is not None]
    assert counted <= len(known)
    if begins < -24 and begins + lasts > 205:
        assert counted == len(known)


def test_tables_are_by_the_agency_that_answers_and_add_up() -> None:
    mine, theirs = head(received("2026-03-02T08:00")), replace(head(received("2026-02-02T08:00")), lead=DISTRICT)

    tables = tables_of([mine, theirs, mine], *MARCH)

    assert {lead: table.received for lead, table in tables.items()} == {DISTRICT: 1, ONE_STOP: 2}
    assert total_of(tables).received == 3
    assert total_of({}) == Table()


def test_where_one_software_serves_many_units_tables_may_be_by_the_unit_that_received() -> None:
    heads = [head(received("2026-03-02T08:00", addressee=unit)) for unit in (DISTRICT, "", DISTRICT)]

    tables = tables_of(heads, *MARCH, by=by_unit)

    assert {name: table.received for name, table in tables.items()} == {DISTRICT: 2, ONE_STOP: 1}


def test_tables_may_be_by_procedure_too() -> None:
    heads = [head(received("2026-03-02T08:00", procedure=code)) for code in ("1.004199", "2.002492", "1.004199")]

    tables = tables_of(heads, *MARCH, by=by_procedure)

    assert {name: table.received for name, table in tables.items()} == {"1.004199": 2, "2.002492": 1}


def test_a_month_begins_and_ends_at_midnight_in_viet_nam() -> None:
    assert [shown(moment) for moment in month_of(2026, 12)] == ["2026-12-01T00:00", "2027-01-01T00:00"]
    with pytest.raises(ValueError, match="month"):
        month_of(2026, 13)


def test_a_table_becomes_the_monthly_statistics_that_the_contract_knows() -> None:
    heads = [
        head(received("2026-03-02T08:00", channel="online"), moved("2026-03-19T16:00", 9, "result-issued")),
        head(received("2026-03-02T08:00"), moved("2026-03-21T16:00", 9, "result-issued")),
        head(received("2026-03-02T08:00"), moved("2026-03-20T16:00", 9, "result-issued")),
        head(received("2026-02-02T08:00")),
    ]

    data = monthly(total_of(tables_of(heads, *MARCH)), {"code": ONE_STOP, "name": "Sở Mẫu"}, 2026, 3)

    assert STATISTICS is not None
    assert STATISTICS.check(data) == ()
    assert data["solved"] == {
        "total": 3, "early": 1, "onTime": 1, "late": 1, "onTimePercent": 66.67, "latePercent": 33.33,
    }  # fmt: skip
    assert data["received"] == {"new": 3, "carriedOver": 1, "total": 4, "online": 1, "direct": 2, "post": 0}
    assert data["note"].startswith("2 hồ sơ không rõ kênh tiếp nhận")


@given(histories=st.lists(HISTORIES, max_size=4))
@settings(max_examples=40)
def test_the_monthly_statistics_are_valid_whatever_happened(histories: list[list[Any]]) -> None:
    tables = tables_of([head(*events) for events in histories], *month_of(2026, 2))

    assert STATISTICS is not None
    assert STATISTICS.check(monthly(total_of(tables), {"code": ONE_STOP}, 2026, 2)) == ()
