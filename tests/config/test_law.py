"""The law as data: what comes with the gateway is in order, a province extends it, mistakes are told by key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.config.documents import each
from gateway.config.law import BUILT_IN, read_law
from gateway.core.faults import Misconfigured
from gateway.core.moments import VIET_NAM, parse_moment

YEAR_2028 = """
[[years]]
year = 2028
basis = "Thông báo nghỉ lễ, Tết năm 2028"
days_off = [
    { day = 2028-01-03, name = "Tết Dương lịch, nghỉ bù" },
    { from = 2028-01-25, to = 2028-01-31, name = "Tết Nguyên đán Mậu Thân" },
]
working = [{ day = 2028-02-05, name = "Làm bù" }]
"""
RULE = """
[[rules]]
id = "receipt"
kind = "answer"
of = ["new"]
basis = "QĐ của UBND tỉnh"
valid_from = 2026-01-01
due = "2 working hours"
answered_by = ["03"]
title = { vi = "Tiếp nhận trong hai giờ", en = "Receipt within two hours" }
text = { vi = "Nhắc {owed_by}", en = "{owed_by} is reminded" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "law").mkdir()
    return tmp_path / "law"


def mistakes(folder: Path, text: str) -> list[str]:
    (folder / "our.toml").write_text(text, "utf-8")
    with pytest.raises(Misconfigured) as found:
        read_law([folder], folder.parent)
    return [f"{one.where} | {one.wrong.en} | {one.right.en} | {one.wrong.vi}" for one in each(found.value)]


def test_what_comes_with_the_gateway_is_in_order_without_any_setting() -> None:
    law = read_law()
    assert [one.id for one in law.rules] == ["dispatch", "receipt", "change"]
    assert {one.id for one in law.watch.watchwords} == {"tuyet-mat", "toi-mat", "mat", "mat-in-names"}
    assert sorted(law.calendar.years) == list(range(2018, 2028))
    assert [one.id for one in law.dossiers] == ["decree-61"]
    assert len(list(BUILT_IN.glob("*.toml"))) == 4


def test_a_year_is_added_by_one_file(folder: Path) -> None:
    (folder / "2028.toml").write_text(YEAR_2028, "utf-8")
    calendar = read_law([folder]).calendar
    assert calendar.covers(2028)
    assert calendar.covers(2027)
    assert [calendar.is_working_day(date(2028, *day)) for day in ((1, 3), (1, 28), (2, 5), (2, 1))] == [
        False, False, True, True,
    ]  # fmt: skip


def test_a_year_of_the_province_takes_the_place_of_the_same_year_whole(folder: Path) -> None:
    (folder / "a.toml").write_text(
        '[[years]]\nyear = 2026\nbasis = "x"\ndays_off = [{ day = 2026-11-25, name = "Lễ" }]\n', "utf-8"
    )
    calendar = read_law([folder]).calendar
    assert [calendar.is_working_day(date(2026, 11, day)) for day in (24, 25)] == [True, False]
    assert calendar.is_working_day(date(2026, 2, 17))
    assert not calendar.is_working_day(date(2025, 1, 29))


def test_a_rule_and_a_watchword_of_the_province_take_the_place_of_their_namesakes(folder: Path) -> None:
    words = '[[watchwords]]\nid = "mat"\nbasis = "x"\nvalid_from = 2026-01-01\nwords = ["nội bộ"]\n'
    (folder / "a.toml").write_text(RULE + words, "utf-8")
    law = read_law([folder])
    assert [one.id for one in law.rules] == ["dispatch", "receipt", "change"]
    rule = law.rule("receipt")
    assert rule is not None
    assert (rule.basis, str(rule.due), rule.answered_by, rule.urgent) == (
        "QĐ của UBND tỉnh",
        "2 working hours",
        ("03",),
        {},
    )
    now = parse_moment("2026-11-27T09:00:00+07:00") or 0.0
    assert law.watch.in_text("Tài liệu NỘI BỘ, mật", "text", now) == ("mat",)
    assert law.watch.in_text("mật", "text", now) == ()
    assert law.watch.in_text("tuyệt mật", "text", now) == ("tuyet-mat",)


def test_office_hours_of_the_province_come_on_top(folder: Path) -> None:
    (folder / "a.toml").write_text(
        '[[office_hours]]\nhours = ["07:00-11:30", "13:30-16:30"]\nsaturday = ["07:00-11:00"]\n'
        "valid_from = 2026-06-01\n",
        "utf-8",
    )
    calendar = read_law([folder]).calendar
    assert calendar.spans(date(2026, 6, 1)) == ((25_200, 41_400), (48_600, 59_400))
    assert calendar.spans(date(2026, 6, 6)) == ((25_200, 39_600),)
    assert calendar.spans(date(2026, 5, 29)) == ((27_000, 41_400), (48_600, 61_200))


def test_later_folders_win(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (folder / "a.toml").write_text(RULE, "utf-8")
    (other / "a.toml").write_text(RULE.replace("2 working hours", "3 working hours"), "utf-8")
    assert [str(one.due) for one in read_law([folder, other]).rules if one.id == "receipt"] == ["3 working hours"]
    assert [str(one.due) for one in read_law([other, folder]).rules if one.id == "receipt"] == ["2 working hours"]


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ('[[years]]\nyear = 2028\nbasis = "x"\n', "law/our.toml:1: years[1]", "days_off is missing"),
        ('[[years]]\nyear = "2028"\nbasis = "x"\ndays_off = []\n', "law/our.toml:2: years[1].year", "wrong kind"),
        ('[[years]]\nyear = 2028\nbasis = "x"\ndays_off = [{ day = "Tết", name = "x" }]\n',
         "law/our.toml:4: years[1].days_off[1].day", "Write a day as YEAR-MONTH-DAY"),
        ('[[years]]\nyear = 2028\nbasis = "x"\ndays_off = [{ name = "x" }]\n',
         "law/our.toml:4: years[1].days_off[1]", "from = 2027-02-04"),
        ('[[years]]\nyear = 2028\nbasis = "x"\ndays_off = [{ day = 2027-12-31, name = "x" }]\n',
         "law/our.toml:4: years[1].days_off", "does not lie within 2028"),
        ('[[years]]\nyear = 2028\nbasis = "x"\ndays_off = [{ from = 2028-02-02, to = 2028-02-01, name = "x" }]\n',
         "law/our.toml:4: years[1].days_off", "does not lie within 2028"),
        ('[[years]]\nyear = 2028\nbasis = "x"\ndays_off = []\nworking = [{ day = 2028-01-03, name = "x" }]\n',
         "law/our.toml:5: years[1].working", "is no weekend day"),
        (('[[years]]\nyear = 2028\nbasis = "x"\ndays_off = [{ day = 2028-01-03, name = "x" },'
         ' { day = 2028-01-03, name = "y" }]\n'),
         "law/our.toml:4: years[1].days_off", "is written twice"),
        (YEAR_2028 + YEAR_2028, "law/our.toml:12: years[2].year", "2028 is in law/our.toml:3: years[1].year already"),
        ('[[office_hours]]\nhours = ["13:30-17:00", "07:30-11:30"]\n', "law/our.toml:2: office_hours[1].hours",
         "out of order"),
        ('[[office_hours]]\nhours = ["7h30-11h30"]\n', "law/our.toml:2: office_hours[1].hours[1]", "07:30-11:30"),
        ('[[office_hours]]\nhours = ["07:30-11:30"]\nvalid_from = 2026-02-01\nvalid_until = 2026-01-01\n',
         "law/our.toml:4: office_hours[1].valid_until", "The last day is before the first"),
        (RULE.replace("2 working hours", "2 giờ"), "law/our.toml:8: rules[1].due", "end of working day"),
        (RULE.replace('answered_by = ["03"]\n', ""), "law/our.toml:2: rules[1]", "answered_by is missing"),
        (RULE.replace('["03"]', '["07"]'), "law/our.toml:9: rules[1].answered_by[1]", "not one of the values"),
        (RULE.replace('"answer"', '"dispatch"'), "law/our.toml:5: rules[1].of", 'belongs to kind = "answer" only'),
        (RULE.replace("Nhắc {owed_by}", "Nhắc {ai}"), "law/our.toml:11: rules[1].text.vi", "a place that is not known"),
        (RULE.replace("basis", "basi"), "law/our.toml:6: rules[1].basi", "Did you mean basis?"),
        ('[[watchwords]]\nid = "x"\nbasis = "x"\nvalid_from = 2026-01-01\nwords = ["123"]\n',
         "law/our.toml:5: watchwords[1].words", "is no word"),
        ("[[holidays]]\n", "law/our.toml: holidays", "There is no key named holidays"),
        ("[[years]\n", "law/our.toml:1", "not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_file_line_and_key_with_what_would_be_right(
    folder: Path, text: str, where: str, said: str
) -> None:
    found = mistakes(folder, text)
    assert any(one.startswith(f"{where} |") and said in one for one in found), found


def test_every_mistake_is_told_at_once_in_both_languages(folder: Path) -> None:
    text = RULE.replace("2 working hours", "x").replace("2026-01-01", '"x"')
    found = mistakes(folder, text + '[[years]]\nyear = 1\nbasis = ""\ndays_off = []\n')
    assert len(found) == 4
    assert all(one.split(" | ")[1] != one.split(" | ")[3] for one in found)


def test_moments_need_no_table_of_time_zones() -> None:
    assert VIET_NAM.utcoffset(None).total_seconds() == 7 * 3600


LIMITS = """
[[dossiers]]
id = "decree-61"
basis = "QĐ của UBND tỉnh"
valid_from = 2026-01-01
supplement = "2 working days"
apology_days = 1
appointments = 1
papers_until = "14:30"
"""


def test_what_units_owe_applicants_is_replaced_by_the_same_id_and_added_by_another(folder: Path) -> None:
    (folder / "a.toml").write_text(LIMITS + LIMITS.replace("decree-61", "later"), "utf-8")

    law = read_law([folder])

    assert [(one.id, str(one.supplement), one.papers_until) for one in law.dossiers] == [
        ("decree-61", "2 working days", 52_200),
        ("later", "2 working days", 52_200),
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"14:30"', '"2 pm"', 'e.g. "15:00"'),
        ('"2 working days"', '"soon"', "2 working days"),
        ("appointments = 1", "", "appointments"),
        ("apology_days = 1", "apology_days = -1", "apology_days"),
        ("valid_from = 2026-01-01", "valid_from = 2026-01-01\nvalid_until = 2025-01-01", "before the first"),
    ],
)
def test_a_mistake_in_what_units_owe_is_told_by_its_key(folder: Path, old: str, new: str, told: str) -> None:
    found = mistakes(folder, LIMITS.replace(old, new))

    assert len(found) == 1
    assert told in found[0]
