"""Moments: RFC 3339 outside, seconds inside, days in Viet Nam."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.moments import day_of, format_moment, parse_duration, parse_moment

ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=ZONES))  # noqa: DTZ001
def test_a_moment_is_the_same_in_every_zone(moment: datetime) -> None:
    seconds = parse_moment(moment.isoformat())
    assert seconds is not None
    assert abs(seconds - moment.timestamp()) < 0.001


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_was_written_is_read_back_to_the_millisecond(moment: datetime) -> None:
    text = format_moment(moment.timestamp())
    seconds = parse_moment(text)
    assert seconds is not None
    assert abs(seconds - moment.timestamp()) <= 0.001
    assert format_moment(seconds) == text


@given(st.text("0123456789-:+.TtZz ", max_size=30))
def test_whatever_is_read_can_be_written_again(text: str) -> None:
    seconds = parse_moment(text)
    if seconds is not None:
        assert parse_moment(format_moment(seconds)) is not None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-23T08:00:00+07:00", "2026-11-23T01:00:00.000Z"),
        ("2026-11-23T01:00:00Z", "2026-11-23T01:00:00.000Z"),
        ("2026-11-23t01:00:00.4567z", "2026-11-23T01:00:00.457Z"),
        ("2026-11-23T01:00:00.123456789012-00:00", "2026-11-23T01:00:00.123Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_moment_with_an_offset_is_read(text: str, written: str) -> None:
    seconds = parse_moment(text)
    assert seconds is not None
    assert format_moment(seconds) == written


def test_a_leap_second_counts_as_the_last_instant_before_it() -> None:
    before, leap, after = (parse_moment(f"2016-12-31T23:59:5{end}") for end in ("9.999998Z", "9.999999Z", "9Z"))
    assert parse_moment("2016-12-31T23:59:60Z") == leap
    assert before is not None
    assert leap is not None
    assert after is not None
    assert after < before < leap


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T08:00:00",  # no offset
        "2026-11-23 08:00:00Z",
        "2026-11-23T08:00Z",
        "2026-11-23T08:00:00.Z",
        "2026-11-23T08:00:00,5Z",
        "20261123T080000Z",
        "2026-11-23T08:00:00+0700",
        "2026-11-23T08:00:00+07",
        "2026-11-23T08:00:00+24:00",
        "2026-11-23T24:00:00Z",
        "2026-11-23T08:60:00Z",
        "2026-11-23T08:00:61Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+07:00",  # the year before the first, in UTC
        "9999-12-31T23:59:59-07:00",  # the year after the last
        "2026-11-23T08:00:00Z\n",
        " 2026-11-23T08:00:00Z",
        "２０２６-11-23T08:00:00Z",
        "1795395600",
        "",
    ],
)
def test_what_is_not_rfc_3339_with_an_offset_is_no_moment(text: str) -> None:
    assert parse_moment(text) is None


def test_a_day_begins_at_midnight_in_viet_nam() -> None:
    midnight = datetime(2030, 12, 31, 17, 0, tzinfo=UTC).timestamp()
    assert day_of(midnight) == date(2031, 1, 1)
    assert day_of(midnight - 0.001) == date(2030, 12, 31)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5.0), ("250ms", 0.25), ("1.5h", 5400.0), ("14d", 1_209_600.0), ("2m", 120.0), ("0s", 0.0)],
)
def test_a_duration_is_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "s", "-5s", "5 s", "1w", "5S", "1e3s", ".5s", "1h30m", "", "5s\n"])
def test_anything_else_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None
