"""The working calendar: against a second table of holidays day by day, and by the laws that counting obeys."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.law import read_law
from gateway.core.calendar import USUAL_HOURS, Calendar, DayOff, OfficeHours, week_of
from gateway.core.moments import VIET_NAM, day_of

CALENDAR = read_law().calendar
YEARS = range(2018, 2028)
DIFFERENCES = json.loads((Path(__file__).parent.parent / "vectors/law/differences.json").read_text("utf-8"))

days = st.dates(date(2017, 12, 1), date(2028, 1, 31))
moments = st.integers(
    int(datetime(2017, 12, 1, tzinfo=VIET_NAM).timestamp()), int(datetime(2028, 1, 31, tzinfo=VIET_NAM).timestamp())
).map(float)


def at(text: str) -> float:
    """A moment as a clock on a wall in Viet Nam shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=VIET_NAM).timestamp()


def shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, VIET_NAM).strftime("%Y-%m-%d %H:%M")


def test_every_day_of_ten_years_is_as_another_table_has_it_but_for_what_is_explained() -> None:
    witness = holidays.country_holidays("VN", years=YEARS)
    found = set()
    day = date(YEARS[0], 1, 1)
    while day.year in YEARS:
        if witness.is_working_day(day) != CALENDAR.is_working_day(day):
            found.add(day.isoformat())
        day += timedelta(1)

    assert found == set(DIFFERENCES)


def test_every_holiday_of_the_labour_code_is_there_each_year() -> None:
    witness = holidays.country_holidays("VN", years=YEARS)
    for day in witness:
        assert not CALENDAR.is_working_day(day), day
    for year in YEARS:
        feast = {each.day for each in CALENDAR.days_off.values() if each.day.year == year and "Nguyên đán" in each.name}
        assert len(feast) >= 5, year
        national = [each for each in CALENDAR.days_off.values() if each.day.year == year and "Quốc khánh" in each.name]
        assert len(national) >= (2 if year > 2020 else 1), year


def test_each_swap_takes_as_many_days_as_it_gives() -> None:
    swapped = [each for each in CALENDAR.days_off.values() if each.name.startswith("Hoán đổi")]
    assert len(swapped) == len(CALENDAR.make_up) == 6


def test_every_day_says_on_what_it_rests_and_what_is_not_sure_says_so() -> None:
    assert all(each.basis for each in (*CALENDAR.days_off.values(), *CALENDAR.make_up.values()))
    assert [each.day.isoformat() for each in CALENDAR.doubts(2026)] == ["2026-08-22", "2026-08-31", "2026-11-24"]
    assert len(CALENDAR.doubts(2027)) == 9
    assert all(CALENDAR.doubts(year) == () for year in range(2018, 2026))


def test_it_knows_which_years_it_has_a_table_of() -> None:
    assert [year for year in range(2010, 2040) if CALENDAR.covers(year)] == list(YEARS)
    assert CALENDAR.is_working_day(date(2028, 5, 1))  # a Monday: beyond the table weekends alone are off


@pytest.mark.parametrize(
    ("moment", "morning", "end"),
    [
        ("2026-11-20 16:50", "2026-11-23 07:30", "2026-11-20 17:00"),
        ("2026-11-20 17:00", "2026-11-23 07:30", "2026-11-23 17:00"),
        ("2026-11-21 09:00", "2026-11-23 07:30", "2026-11-23 17:00"),
        ("2026-11-23 00:00", "2026-11-25 07:30", "2026-11-23 17:00"),
        ("2026-11-23 12:00", "2026-11-25 07:30", "2026-11-23 17:00"),
        ("2026-02-13 16:59", "2026-02-23 07:30", "2026-02-13 17:00"),
        ("2026-02-13 18:00", "2026-02-23 07:30", "2026-02-23 17:00"),
        ("2025-04-25 18:00", "2025-04-26 07:30", "2025-04-26 17:00"),
        ("2018-12-28 18:00", "2019-01-02 07:30", "2019-01-02 17:00"),
    ],
)  # fmt: skip
def test_the_next_morning_and_the_end_of_the_day_skip_weekends_and_feasts(moment: str, morning: str, end: str) -> None:
    assert shown(CALENDAR.next_working_morning(at(moment))) == morning
    assert shown(CALENDAR.end_of_working_day(at(moment))) == end
    assert shown(CALENDAR.end_of_next_working_morning(at(moment))) == morning.replace("07:30", "11:30")


@pytest.mark.parametrize(
    ("since", "hours", "until"),
    [
        ("2026-11-20 16:00", 1, "2026-11-20 17:00"),
        ("2026-11-20 16:00", 1.5, "2026-11-23 08:00"),
        ("2026-11-20 11:00", 1, "2026-11-20 14:00"),
        ("2026-11-20 12:00", 1, "2026-11-20 14:30"),
        ("2026-11-20 05:00", 7.5, "2026-11-20 17:00"),
        ("2026-11-21 10:00", 4, "2026-11-23 11:30"),
        ("2026-02-13 13:30", 11, "2026-02-23 17:00"),
        ("2026-11-21 10:00", 0, "2026-11-21 10:00"),
    ],
)
def test_working_hours_pass_in_office_hours_only(since: str, hours: float, until: str) -> None:
    assert shown(CALENDAR.add_working_hours(at(since), hours)) == until


def test_working_days_are_counted_without_the_first() -> None:
    friday = date(2026, 11, 20)
    assert CALENDAR.add_working_days(friday, 0) == friday
    assert CALENDAR.add_working_days(friday, 1) == date(2026, 11, 23)
    assert CALENDAR.add_working_days(date(2026, 2, 13), 2) == date(2026, 2, 24)
    assert CALENDAR.add_working_days(date(2026, 2, 23), -1) == date(2026, 2, 13)
    assert CALENDAR.working_days_between(date(2026, 2, 13), date(2026, 2, 24)) == 2


@given(days, st.integers(-300, 300))
def test_between_a_day_and_the_nth_after_it_there_are_n_working_days(day: date, number: int) -> None:
    assert CALENDAR.working_days_between(day, CALENDAR.add_working_days(day, number)) == number


@given(days, days, days)
def test_working_days_add_up_over_any_day_between(one: date, other: date, third: date) -> None:
    first, middle, last = sorted((one, other, third))
    between = CALENDAR.working_days_between
    assert between(first, middle) + between(middle, last) == between(first, last)


@given(days, st.integers(1, 300))
def test_the_nth_working_day_is_one_and_no_working_day_lies_behind_it_uncounted(day: date, number: int) -> None:
    reached = CALENDAR.add_working_days(day, number)
    assert CALENDAR.is_working_day(reached)
    assert CALENDAR.add_working_days(reached, 1) == CALENDAR.add_working_days(day, number + 1)


@given(moments, st.integers(0, 60_000))
def test_between_a_moment_and_what_is_hours_later_lie_so_many_hours(moment: float, minutes: int) -> None:
    reached = CALENDAR.add_working_hours(moment, minutes / 60)
    assert CALENDAR.working_hours_between(moment, reached) == pytest.approx(minutes / 60, abs=1e-6)
    assert CALENDAR.working_hours_between(reached, moment) == pytest.approx(-minutes / 60, abs=1e-6)


@given(moments, moments, moments)
def test_working_hours_add_up_over_any_moment_between(first: float, middle: float, last: float) -> None:
    between = CALENDAR.working_hours_between
    assert between(first, middle) + between(middle, last) == pytest.approx(between(first, last), abs=1e-6)


@given(moments, st.floats(0.01, 400))
def test_a_period_of_hours_ends_in_office_hours_or_as_they_end(moment: float, hours: float) -> None:
    reached = CALENDAR.add_working_hours(moment, hours)
    assert CALENDAR.is_working_time(reached - 0.001)


@given(moments)
def test_the_end_of_a_working_day_is_ahead_and_no_further_than_the_next_working_day(moment: float) -> None:
    end = CALENDAR.end_of_working_day(moment)
    assert moment < end <= CALENDAR.closing(CALENDAR.working_day(day_of(moment) + timedelta(1)))
    assert CALENDAR.is_working_time(end - 1)
    assert not CALENDAR.is_working_time(end)


@given(moments)
def test_the_next_working_morning_is_the_first_office_hour_of_a_later_day(moment: float) -> None:
    morning = CALENDAR.next_working_morning(moment)
    assert day_of(morning) > day_of(moment)
    assert CALENDAR.is_working_time(morning)
    assert not CALENDAR.is_working_time(morning - 1)
    assert CALENDAR.working_days_between(day_of(moment), day_of(morning)) == 1


def test_office_hours_are_dated_and_the_last_in_force_counts() -> None:
    summer = OfficeHours((((25_200, 39_600),),) * 5 + ((), ()), (), date(2026, 6, 1), date(2026, 8, 31))
    calendar = Calendar.of(hours=[USUAL_HOURS, summer])
    assert shown(calendar.next_working_morning(at("2026-05-31 10:00"))) == "2026-06-01 07:00"
    assert shown(calendar.end_of_working_day(at("2026-08-31 10:00"))) == "2026-08-31 11:00"
    assert shown(calendar.end_of_working_day(at("2026-09-01 10:00"))) == "2026-09-01 17:00"


def test_a_province_may_work_on_saturday_mornings() -> None:
    calendar = Calendar.of(hours=[week_of(((27_000, 41_400), (48_600, 61_200)), saturday=((27_000, 41_400),))])
    assert shown(calendar.end_of_working_day(at("2026-11-21 08:00"))) == "2026-11-21 11:30"
    assert calendar.add_working_days(date(2026, 11, 20), 1) == date(2026, 11, 21)
    assert not calendar.is_working_day(date(2026, 11, 22))


def test_a_day_made_up_for_has_the_hours_of_a_weekday() -> None:
    saturday = date(2025, 4, 26)
    assert CALENDAR.spans(saturday) == CALENDAR.spans(date(2025, 4, 25))


def test_a_calendar_that_never_works_is_told_and_not_searched_for_ever() -> None:
    calendar = Calendar.of(hours=[week_of(())])
    for ask in (
        lambda: calendar.end_of_working_day(at("2026-01-01 00:00")),
        lambda: calendar.next_working_morning(at("2026-01-01 00:00")),
        lambda: calendar.add_working_hours(at("2026-01-01 00:00"), 1),
        lambda: calendar.add_working_days(date(2026, 1, 1), -1),
        lambda: calendar.closing(date(2026, 1, 1)),
    ):
        with pytest.raises(ValueError, match=r"work"):
            ask()


def test_nobody_counts_beyond_a_century() -> None:
    with pytest.raises(ValueError, match="century"):
        CALENDAR.add_working_days(date(2026, 1, 1), 40_000)
    with pytest.raises(ValueError, match="centuries"):
        CALENDAR.working_days_between(date(1700, 1, 1), date(2026, 1, 1))
    with pytest.raises(ValueError, match="cannot be added"):
        CALENDAR.add_working_hours(0.0, -1)
    with pytest.raises(ValueError, match="centuries"):
        CALENDAR.working_hours_between(0.0, 1e11)


def test_a_day_off_outweighs_nothing_that_is_made_up_for() -> None:
    day = date(2026, 1, 10)
    calendar = Calendar.of([2026], [DayOff(date(2026, 1, 9), "x", "y")], [DayOff(day, "x", "y")])
    assert [calendar.is_working_day(each) for each in (date(2026, 1, 9), day, date(2026, 1, 11))] == [
        False,
        True,
        False,
    ]
