"""Deadlines of dossiers: office hours and days, holidays, waiting, and when something is early, on time or overdue."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.law import read_law
from gateway.core.calendar import Calendar, OfficeHours, week_of
from gateway.core.dossiers.appointments import appointments, has_too_many_appointments
from gateway.core.dossiers.deadline import (
    Term,
    Unit,
    begun_again,
    due_of,
    extended,
    in_time,
    overdue_from,
    pending,
)
from gateway.core.dossiers.history import dossier_of
from gateway.core.law.deadlines import parse_term
from gateway.core.moments import day_of
from tests.core.dossier_told import CODE, an_event, at, shown, told

LAW = read_law()
CALENDAR = LAW.calendar
LIMITS = LAW.dossiers[0]
#: Office hours of eight hours a day, as the one-stop systems count.
EIGHT = replace(CALENDAR, hours=(week_of(((25_200, 41_400), (48_600, 61_200))),), _known={})
MOMENTS = st.floats(at("2025-12-20T00:00"), at("2026-12-20T00:00"))


@pytest.mark.parametrize(
    ("received", "number", "unit", "due"),
    [
        ("2026-03-02T08:30", 2, "working-day", "2026-03-04T08:30"),
        ("2026-03-06T08:30", 1, "working-day", "2026-03-09T08:30"),  # over a weekend
        ("2026-03-02T17:30", 1, "working-day", "2026-03-04T07:00"),  # after closing: the next day's
        ("2026-03-07T10:00", 1, "working-day", "2026-03-10T07:00"),  # on a Saturday: Monday's
        ("2026-03-02T12:15", 1, "working-day", "2026-03-03T13:30"),  # at noon: the afternoon's
        ("2026-02-12T09:00", 3, "working-day", "2026-02-24T09:00"),  # over Tết
        ("2026-01-08T09:00", 2, "working-day", "2026-01-10T09:00"),  # the Saturday that is made up for
        ("2026-03-02T08:30", 8, "working-hour", "2026-03-03T08:30"),
        ("2026-03-02T08:30", 20, "working-hour", "2026-03-04T14:30"),
        ("2026-03-02T08:30", 2, "working-hour", "2026-03-02T10:30"),
        ("2026-03-02T08:30", 3, "day", "2026-03-05T08:30"),
        ("2026-03-03T08:30", 4, "day", "2026-03-09T08:30"),  # Saturday: Monday
        ("2026-02-12T08:30", 5, "day", "2026-02-23T08:30"),  # within Tết: the day after it
    ],
)
def test_a_term_ends_on_the_office_day_that_it_means(received: str, number: int, unit: Unit, due: str) -> None:
    assert shown(due_of(at(received), Term(number, unit), EIGHT)) == due


def test_a_procedure_may_have_no_due_date() -> None:
    assert due_of(at("2026-03-02T08:30"), None, CALENDAR) is None
    assert due_of(at("2026-03-02T08:30"), Term(0, "working-day"), CALENDAR) is None
    assert due_of(at("2026-03-02T08:30"), Term(100_000, "day"), CALENDAR) is None
    assert in_time(at("2026-03-02T08:30"), None) == "on-time"
    assert pending(at("2026-03-02T08:30"), None) == "pending"


@given(received=MOMENTS, number=st.integers(1, 60), unit=st.sampled_from(["working-day", "working-hour", "day"]))
def test_nothing_is_ever_due_on_a_day_off_nor_before_it_came(received: float, number: int, unit: Unit) -> None:
    due = due_of(received, Term(number, unit), CALENDAR)

    assert due is not None
    assert due > received
    assert CALENDAR.is_working_day(day_of(due))


@given(received=MOMENTS, days=st.integers(1, 30))
def test_eight_hours_are_a_day_whatever_hours_a_province_keeps(received: float, days: int) -> None:
    by_days = due_of(received, Term(days, "working-day"), CALENDAR)

    assert due_of(received, Term(8 * days, "working-hour"), CALENDAR) == by_days


@given(due=MOMENTS, asked=MOMENTS, waited=st.floats(0, 40 * 86_400))
def test_waiting_adds_the_office_hours_that_it_lasted(due: float, asked: float, waited: float) -> None:
    longer = extended(due, asked, asked + waited, CALENDAR)
    hours = CALENDAR.working_hours_between(asked, asked + waited)

    assert longer >= due
    assert CALENDAR.working_hours_between(due, longer) == pytest.approx(hours, abs=1e-6)
    assert hours == 0 or CALENDAR.is_working_day(day_of(longer))


def test_the_whole_time_may_begin_again_with_the_complete_dossier() -> None:
    received, due, completed = at("2026-03-02T08:00"), at("2026-03-04T08:00"), at("2026-03-10T10:00")

    assert shown(begun_again(received, due, completed, CALENDAR)) == "2026-03-12T10:00"
    assert shown(extended(due, at("2026-03-03T08:00"), completed, CALENDAR)) == "2026-03-11T10:00"


def test_where_no_office_ever_works_no_deadline_is_made_up() -> None:
    never = Calendar.of(hours=[OfficeHours(((),) * 7, ())])

    assert due_of(at("2026-03-02T08:30"), Term(2, "working-day"), never) is None
    assert extended(5.0, 1.0, 3.0, never) == 5.0


@pytest.mark.parametrize(
    ("finished", "standing"),
    [
        ("2026-03-03T23:59", "early"),
        ("2026-03-04T00:01", "on-time"),
        ("2026-03-04T23:59", "on-time"),
        ("2026-03-05T00:00", "overdue"),
    ],
)
def test_what_is_finished_is_judged_by_the_calendar_day(finished: str, standing: str) -> None:
    assert in_time(at(finished), at("2026-03-04T10:00")) == standing


@pytest.mark.parametrize(
    ("now", "standing"),
    [
        ("2026-03-03T09:59", "pending"),
        ("2026-03-03T10:00", "near"),
        ("2026-03-04T23:59", "near"),
        ("2026-03-05T00:00", "overdue"),
    ],
)
def test_what_is_pending_is_near_for_a_day_and_overdue_from_the_next_midnight(now: str, standing: str) -> None:
    due = at("2026-03-04T10:00")

    assert pending(at(now), due) == standing
    assert (at(now) >= overdue_from(due)) == (standing == "overdue")


def test_a_supplement_is_asked_for_within_three_working_days_of_receipt() -> None:
    assert shown(LIMITS.supplement_by(at("2026-03-05T09:00"), CALENDAR)) == "2026-03-10T17:00"
    assert shown(LIMITS.supplement_by(at("2026-02-13T18:00"), CALENDAR)) == "2026-02-26T17:00"


@pytest.mark.parametrize(
    ("received", "by"),
    [
        ("2026-03-05T09:00", "2026-03-05T17:00"),
        ("2026-03-05T14:59", "2026-03-05T17:00"),
        ("2026-03-05T15:00", "2026-03-06T11:30"),
        ("2026-03-06T16:00", "2026-03-09T11:30"),
        ("2026-03-07T09:00", "2026-03-09T11:30"),
    ],
)
def test_papers_follow_the_same_day_or_after_three_the_next_morning(received: str, by: str) -> None:
    assert shown(LIMITS.papers_by(at(received), CALENDAR)) == by


def test_the_apology_is_there_a_day_before() -> None:
    assert shown(LIMITS.apology_by(at("2026-03-05T09:00"))) == "2026-03-04T09:00"


def test_one_new_due_date_is_allowed_and_a_second_is_found() -> None:
    slip = an_event("registered", when=0.0, status=4, due=at("2026-03-04T17:00"))
    second = replace(slip, said_at=100.0, sent_at=100.0, due=at("2026-03-06T17:00"))
    third = replace(slip, said_at=200.0, sent_at=200.0, due=at("2026-03-10T17:00"))
    answered = an_event("supplemented", when=150.0, status=4, due=at("2026-03-09T17:00"))
    stranger = replace(third, agency="H33.30")

    once = dossier_of(CODE, told([slip, second, answered, stranger]))
    twice = dossier_of(CODE, told([third, slip, second, answered]))

    assert [shown(each.due) for each in appointments(once)] == ["2026-03-04T17:00", "2026-03-06T17:00"]
    assert [each.message for each in appointments(twice)] == ["m0002", "m0003", "m0001"]
    assert not has_too_many_appointments(once, LIMITS)
    assert has_too_many_appointments(twice, LIMITS)
    assert not has_too_many_appointments(dossier_of(CODE, []), LIMITS)


def test_what_units_have_to_keep_is_dated_data() -> None:
    later = replace(
        LIMITS, id="later", valid_from=date(2027, 1, 1), supplement=parse_term("1 working days") or LIMITS.supplement
    )
    law = replace(LAW, dossiers=(later, replace(LIMITS, valid_until=date(2027, 12, 31))))

    assert LAW.limits(date(2018, 6, 20)) is None
    assert LAW.limits(date(2018, 6, 21)) is LIMITS
    assert [limits.id for day in ("2026-12-31", "2027-01-01") if (limits := law.limits(date.fromisoformat(day)))] == [
        "decree-61", "later",
    ]  # fmt: skip
