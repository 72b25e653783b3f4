"""The working calendar: which days and hours public offices work, and how periods of working time are counted.

Pure: its tables come from data (see ``gateway.config.law``). Days are days in Viet Nam, moments seconds since 1970; no
table of time zones is needed, as Viet Nam keeps one time all year. A year without a table is counted with weekends
alone; :meth:`Calendar.covers` says so, and whoever shows a deadline tells it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from gateway.core.moments import VIET_NAM, day_of

#: A span of office hours as seconds since midnight: from, until (not included).
Span = tuple[int, int]

_DAY: Final = timedelta(days=1)
_SECONDS: Final = 86_400
_HOUR: Final = 3600.0
#: Nobody counts further than a century; a calendar in which no day works would be searched for ever.
_FURTHEST: Final = 36_525
_LONGEST_REST: Final = 370
_REMEMBERED: Final = 4000


@dataclass(frozen=True, slots=True)
class DayOff:
    """A day on which offices are closed though its weekday is a working one (or a day of a feast that is a weekend).

    ``is_sure``: whether the announcement itself was seen; False where the table follows from others' tables alone.
    """

    day: date
    name: str
    basis: str
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When offices work from ``valid_from`` to ``valid_until`` (both included; None: no end on that side).

    ``week`` has seven entries from Monday on, each the spans of that weekday in order of time; ``make_up`` are the
    spans of a weekend day that was swapped for a working one.
    """

    week: tuple[tuple[Span, ...], ...]
    make_up: tuple[Span, ...]
    valid_from: date | None = None
    valid_until: date | None = None

    def is_in_force(self, day: date) -> bool:
        """Whether ``day`` lies within the dates."""
        since, until = self.valid_from, self.valid_until
        return (since is None or since <= day) and (until is None or day <= until)


def week_of(hours: tuple[Span, ...], saturday: tuple[Span, ...] = (), sunday: tuple[Span, ...] = ()) -> OfficeHours:
    """Office hours from Monday to Friday alike, without dates; a day that was swapped has the same."""
    return OfficeHours((hours,) * 5 + (saturday, sunday), hours)


#: 07:30 to 11:30 and 13:30 to 17:00, Monday to Friday.
USUAL_HOURS: Final = week_of(((27_000, 41_400), (48_600, 61_200)))


@dataclass(frozen=True)
class Calendar:
    """Days off and days made up for, by day; office hours, of which the last one in force on a day counts.

    ``years``: those with a table. Every method raises ValueError for what lies more than a century away, and where no
    day is a working one for a year on end.
    """

    years: frozenset[int] = frozenset()
    days_off: Mapping[date, DayOff] = field(default_factory=dict)
    make_up: Mapping[date, DayOff] = field(default_factory=dict)
    hours: tuple[OfficeHours, ...] = (USUAL_HOURS,)
    #: The spans of days that were asked for: the same few are, again and again.
    _known: dict[date, tuple[Span, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        years: Iterable[int] = (),
        days_off: Iterable[DayOff] = (),
        make_up: Iterable[DayOff] = (),
        hours: Iterable[OfficeHours] = (),
    ) -> Calendar:
        """A calendar of lists; without hours the usual ones."""
        off = {each.day: each for each in days_off}
        made_up = {each.day: each for each in make_up}
        return cls(frozenset(years), off, made_up, tuple(hours) or (USUAL_HOURS,))

    def covers(self, year: int) -> bool:
        """Whether the holidays of ``year`` are known; else its weekends alone are off here."""
        return year in self.years

    def doubts(self, year: int) -> tuple[DayOff, ...]:
        """Days of ``year``, off or made up for, whose announcement was not seen, in order."""
        every = (*self.days_off.values(), *self.make_up.values())
        return tuple(sorted((each for each in every if each.day.year == year and not each.is_sure), key=_day))

    def spans(self, day: date) -> tuple[Span, ...]:
        """The office hours of a day, in seconds since its midnight; none of a day off."""
        return self._spans(day)

    def is_working_day(self, day: date) -> bool:
        """Whether offices work on ``day`` at all."""
        return bool(self._spans(day))

    def is_working_time(self, moment: float) -> bool:
        """Whether offices work at ``moment``; the end of a span is not in it."""
        second = moment - _midnight(day_of(moment))
        return any(start <= second < end for start, end in self._spans(day_of(moment)))

    def working_day(self, day: date) -> date:
        """``day`` where it is a working one, else the next one that is."""
        if self._spans(day):
            return day
        for ahead in range(1, _LONGEST_REST):
            if self._spans(day + timedelta(ahead)):
                return day + timedelta(ahead)
        raise ValueError(f"no working day in {_LONGEST_REST} days from {day}; the office hours are wrong")

    def next_working_morning(self, moment: float) -> float:
        """When offices open on the first working day after the day of ``moment``."""
        day = self.working_day(day_of(moment) + _DAY)
        return _midnight(day) + self._spans(day)[0][0]

    def end_of_next_working_morning(self, moment: float) -> float:
        """When the first span of that day ends: where it has two, at noon."""
        day = self.working_day(day_of(moment) + _DAY)
        return _midnight(day) + self._spans(day)[0][1]

    def end_of_working_day(self, moment: float) -> float:
        """When the working day that ``moment`` counts for closes.

        What comes after hours or on a day off counts for the next working day.
        """
        day = self.working_day(day_of(moment))
        closing = self.closing(day)
        return closing if moment < closing else self.closing(self.working_day(day + _DAY))

    def closing(self, day: date) -> float:
        """When offices close on ``day``; raises ValueError for a day on which they do not work."""
        spans = self._spans(day)
        if not spans:
            raise ValueError(f"{day} is no working day")
        return _midnight(day) + spans[-1][1]

    def add_working_days(self, day: date, number: int) -> date:
        """The ``number``-th working day after ``day`` (before it, where negative); ``day`` itself for none.

        The first day does not count, as in the Civil Code (2015, article 147): see ``working_days_between``.
        """
        if abs(number) > _FURTHEST:
            raise ValueError(f"{number} working days are more than a century")
        step = _DAY if number > 0 else -_DAY
        rest = 0
        for _ in range(abs(number)):
            rest = 0
            day += step
            while not self._spans(day):
                day += step
                rest += 1
                if rest > _LONGEST_REST:
                    raise ValueError(f"no working day in a year from {day}; the office hours are wrong")
        return day

    def working_days_between(self, first: date, last: date) -> int:
        """Working days after ``first`` up to and with ``last``; negative where ``last`` comes first.

        The inverse of ``add_working_days``: between ``day`` and the n-th working day after it there are n.
        """
        days = (last - first).days
        if abs(days) > 2 * _FURTHEST:
            raise ValueError(f"from {first} to {last} is more than two centuries")
        if days < 0:
            return -sum(bool(self._spans(last + timedelta(n))) for n in range(-days))
        return sum(bool(self._spans(first + timedelta(n))) for n in range(1, days + 1))

    def add_working_hours(self, moment: float, hours: float) -> float:
        """The first moment by which ``hours`` of office time have passed since ``moment``; not negative.

        No hours: ``moment`` itself. The period may end at the closing of a day, never at the opening of the next.
        """
        if not 0 <= hours <= 24.0 * _FURTHEST:
            raise ValueError(f"{hours} working hours cannot be added")
        left = hours * _HOUR
        if left == 0:
            return moment
        day, rest = day_of(moment), 0
        while rest <= _LONGEST_REST:
            midnight = _midnight(day)
            spans = self._spans(day)
            rest = 0 if spans else rest + 1
            for start, end in spans:
                begin = max(midnight + start, moment)
                lasts = midnight + end - begin
                if left <= lasts:
                    return begin + left
                left -= max(0.0, lasts)
            day += _DAY
        raise ValueError(f"no working day in a year to {day}; the office hours are wrong")

    def working_hours_between(self, first: float, last: float) -> float:
        """Hours of office time from ``first`` to ``last``; negative where ``last`` comes first.

        The inverse of ``add_working_hours``.
        """
        if last < first:
            return -self.working_hours_between(last, first)
        if last - first > 2.0 * _FURTHEST * _SECONDS:
            raise ValueError("the moments are more than two centuries apart")
        return sum(self._open(day, first, last) for day in _days(day_of(first), day_of(last))) / _HOUR

    def _open(self, day: date, first: float, last: float) -> float:
        midnight = _midnight(day)
        return sum(
            max(0.0, min(midnight + end, last) - max(midnight + start, first)) for start, end in self._spans(day)
        )

    def _spans(self, day: date) -> tuple[Span, ...]:
        known = self._known.get(day)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[day] = self._found(day)
        return known

    def _found(self, day: date) -> tuple[Span, ...]:
        hours = next((each for each in reversed(self.hours) if each.is_in_force(day)), USUAL_HOURS)
        if day in self.make_up:
            return hours.make_up
        return () if day in self.days_off else hours.week[day.weekday()]


def _day(each: DayOff) -> date:
    return each.day


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(n) for n in range((last - first).days + 1))


@lru_cache(maxsize=4096)
def _midnight(day: date) -> float:
    """The moment at which ``day`` begins in Viet Nam."""
    return datetime.combine(day, time(), VIET_NAM).timestamp()
