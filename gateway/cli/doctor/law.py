"""Checks of the law as data: that it can be read, and that the working calendar knows the year to come."""

from __future__ import annotations

from datetime import date
from typing import Final

from gateway.cli.doctor.province import of_mistakes
from gateway.config.law import read_law
from gateway.config.settings import Settings
from gateway.core.calendar import Calendar
from gateway.core.diagnosis import Finding
from gateway.core.faults import Misconfigured, Text
from gateway.core.moments import day_of

#: The month in which the holidays of the coming year are announced, as a rule: from then on they are asked for.
_ANNOUNCED: Final = 10


def on_law(settings: Settings, now: float) -> list[Finding]:
    """The rules, words and calendar that are in force, and what of the calendar is missing or not certain."""
    try:
        law = read_law(settings.law_folders, settings.folder)
    except Misconfigured as fault:
        return of_mistakes("law", fault)
    found = on_calendar(law.calendar, day_of(now))
    said = Text(
        f"{len(law.rules)} quy tắc, {len(law.watch.watchwords)} nhóm từ cảnh báo, lịch các năm {_years(law.calendar)}",
        f"{len(law.rules)} rules, {len(law.watch.watchwords)} groups of words, holidays of {_years(law.calendar)}",
    )
    return [*found, Finding("law", "ok", "law/", said)]


def on_calendar(calendar: Calendar, today: date) -> list[Finding]:
    """The table of the year, and from October on the next one's: there, and certain."""
    found = []
    for year in (today.year, today.year + 1) if today.month >= _ANNOUNCED else (today.year,):
        if not calendar.covers(year):
            found.append(
                Finding(
                    "law",
                    "warning",
                    f"law/{year}.toml",
                    Text(
                        f"Chưa có lịch nghỉ lễ, Tết năm {year}: thời hạn chỉ trừ thứ Bảy, Chủ nhật",
                        f"There are no holidays of {year} yet: deadlines leave out weekends alone",
                    ),
                    Text(
                        f"Quản trị viên ghi bảng [[years]] year = {year} theo thông báo nghỉ lễ vào law/{year}.toml"
                        " (mẫu: lgsp calendar show --toml); trục tự áp dụng sau nửa phút.",
                        f"The administrator writes a table [[years]] year = {year} by the announcement into"
                        f" law/{year}.toml (a sample: lgsp calendar show --toml); it is in force half a minute later.",
                    ),
                )
            )
        if doubts := calendar.doubts(year):
            days = ", ".join(f"{each.day} ({each.name})" for each in doubts)
            found.append(
                Finding(
                    "law",
                    "note",
                    f"law/{year}.toml",
                    Text(f"Lịch năm {year} chưa chắc chắn: {days}", f"Not certain in the calendar of {year}: {days}"),
                    Text(
                        f"Quản trị viên đối chiếu thông báo nghỉ lễ và ghi lại năm {year} vào law/{year}.toml.",
                        f"The administrator compares the announcement and writes {year} anew into law/{year}.toml.",
                    ),
                )
            )
    return found


def _years(calendar: Calendar) -> str:
    years = sorted(calendar.years)
    return f"{years[0]}-{years[-1]}" if years and len(years) == years[-1] - years[0] + 1 else ", ".join(map(str, years))
