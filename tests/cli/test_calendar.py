"""The command ``calendar``: what people and programs read of working days, holidays and deadlines."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.cli.doctor.law import on_calendar
from gateway.config.law import read_law
from tests.cli.desk import lgsp


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tinh"
    assert lgsp("init", made).status == 0
    return made


def test_a_year_is_shown_with_its_days_off_and_what_was_made_up_for(folder: Path) -> None:
    shown = lgsp("-C", folder, "calendar", "show", "2025", "--json").json
    assert (shown["year"], shown["known"], shown["working_days"]) == (2025, True, 250)
    assert [each["day"] for each in shown["working"]] == ["2025-04-26"]
    assert {"2025-01-29", "2025-05-02", "2025-09-02"} < {each["day"] for each in shown["days_off"]}
    told = lgsp("-C", folder, "calendar", "show", "2025").out
    assert "2025-05-02  thứ Sáu  Hoán đổi với thứ Bảy 26/04/2025" in told
    assert "250 ngày làm việc." in told
    assert "250 working days." in lgsp("-C", folder, "--lang", "en", "calendar", "show", "2025").out


def test_it_works_without_any_province_folder(tmp_path: Path) -> None:
    assert lgsp("-C", tmp_path, "calendar", "check").status == 0


def test_a_year_without_a_table_is_told(folder: Path) -> None:
    assert "Chưa có bảng ngày nghỉ năm 2031" in lgsp("-C", folder, "calendar", "show", "2031").out
    shown = lgsp("-C", folder, "calendar", "deadline", "2027-12-31 10:00", "3 working days", "--json").json
    assert shown["unknown_years"] == [2028]


def test_what_is_shown_as_toml_can_be_put_back(folder: Path) -> None:
    before = lgsp("-C", folder, "calendar", "show", "2026", "--json").json
    written = lgsp("-C", folder, "calendar", "show", "2026", "--toml").out
    assert "from = 2026-02-16, to = 2026-02-20" in written
    (folder / "law" / "2026.toml").write_text(written, "utf-8")
    assert lgsp("-C", folder, "calendar", "show", "2026", "--json").json == before


@pytest.mark.parametrize(
    ("since", "term", "until"),
    [
        ("2026-11-27 16:50", "receipt", "2026-11-27T17:00:00+07:00"),
        ("2026-11-27 17:10", "receipt", "2026-11-30T17:00:00+07:00"),
        ("2026-02-13 16:50", "2 working days", "2026-02-24T17:00:00+07:00"),
        ("2026-02-13T09:50:00Z", "next working morning", "2026-02-23T07:30:00+07:00"),
        ("2026-11-27", "dispatch", "2026-11-30T11:30:00+07:00"),
    ],
)
def test_a_deadline_is_told_by_term_or_by_rule(folder: Path, since: str, term: str, until: str) -> None:
    assert lgsp("-C", folder, "calendar", "deadline", since, term, "--json").json["until"] == until


def test_a_deadline_of_an_urgent_document_is_sooner(folder: Path) -> None:
    told = lgsp("-C", folder, "calendar", "deadline", "2026-11-27 08:00", "receipt", "--priority", "express")
    assert told.out == "09:00 thứ Sáu 27/11/2026  (1 working hours)\n"


@pytest.mark.parametrize("words", [("hôm qua", "receipt"), ("now", "soon"), ("9999-99-99", "receipt")])
def test_what_is_no_moment_or_no_term_is_told_with_an_example(folder: Path, words: tuple[str, str]) -> None:
    told = lgsp("-C", folder, "calendar", "deadline", *words)
    assert told.status == 2
    assert "ví dụ" in told.err


def test_a_mistake_in_the_provinces_own_file_stops_check_apply_and_doctor(folder: Path) -> None:
    (folder / "law" / "2028.toml").write_text('[[years]]\nyear = 2028\nbasis = "x"\n', "utf-8")
    for command in (("calendar", "check"), ("apply",), ("doctor", "--passive")):
        told = lgsp("-C", folder, *command)
        assert told.status == 1, command
        assert "law/2028.toml:1: years[1]" in told.out + told.err, command


def test_check_lists_what_is_not_certain(folder: Path) -> None:
    found = lgsp("-C", folder, "calendar", "check", "--json").json
    assert found["rules"] == ["dispatch", "receipt", "change"]
    assert "2026-11-24" in {each["day"] for each in found["uncertain"]}
    assert "• Chưa chắc chắn: 2026-11-24" in lgsp("-C", folder, "calendar", "check").out


def test_doctor_asks_for_the_year_to_come_from_october_on() -> None:
    calendar = read_law().calendar

    def severities(day: date) -> list[tuple[str, str]]:
        return [(each.severity, each.where) for each in on_calendar(calendar, day)]

    assert severities(date(2025, 5, 1)) == []
    assert severities(date(2027, 9, 30)) == [("note", "law/2027.toml")]
    assert severities(date(2027, 10, 1)) == [("note", "law/2027.toml"), ("warning", "law/2028.toml")]
    assert severities(date(2028, 1, 1)) == [("warning", "law/2028.toml")]
