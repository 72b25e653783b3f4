"""The law as dated rules: what is owed by when, what is late, and that no rule speaks outside its dates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.law import read_law
from gateway.core.calendar import Calendar
from gateway.core.documents.entry import DocumentEntry
from gateway.core.faults import Text
from gateway.core.law.deadlines import Term, parse_term
from gateway.core.law.rules import Law, worded
from gateway.core.moments import VIET_NAM

LAW = read_law()


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=VIET_NAM).timestamp()


def shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, VIET_NAM).strftime("%Y-%m-%d %H:%M")


def a_line(**override: Any) -> DocumentEntry:
    made: dict[str, Any] = {
        "kind": "new",
        "key": "H33.05,2026/11/27,1/STC-VP",
        "issuer": "H33.05",
        "reporter": "H33.05",
        "recipients": ("H33.16", "H33.20"),
        "issued_on": "2026-11-27",
    }
    return DocumentEntry(**{**made, **override})


def owed(line: DocumentEntry, moment: str, priority: int = 0, law: Law = LAW) -> list[tuple[str, str, str]]:
    return [(one.agency, one.name, shown(one.due)) for one in law.obligations(line, priority=priority, at=at(moment))]


def test_each_recipient_owes_a_receipt_by_the_end_of_the_working_day() -> None:
    assert owed(a_line(), "2026-11-27 16:50") == [
        ("H33.16", "receipt", "2026-11-27 17:00"),
        ("H33.20", "receipt", "2026-11-27 17:00"),
    ]
    assert owed(a_line(recipients=("H33.16",)), "2026-11-28 09:00") == [("H33.16", "receipt", "2026-11-30 17:00")]


@pytest.mark.parametrize(
    ("priority", "due"),
    [(0, "2026-11-27 17:00"), (1, "2026-11-27 14:00"), (2, "2026-11-27 10:00"), (3, "2026-11-27 09:00")],
)
def test_the_more_urgent_the_sooner(priority: int, due: str) -> None:
    assert {each[2] for each in owed(a_line(), "2026-11-27 08:00", priority)} == {due}


@pytest.mark.parametrize("kind", ["recall", "update", "replace"])
def test_a_change_is_owed_an_answer_that_says_yes_or_no(kind: Any) -> None:
    (one,) = LAW.obligations(a_line(kind=kind, recipients=("H33.16",)), priority=0, at=at("2026-11-27 09:00"))
    assert (one.name, one.answered_by, shown(one.due)) == ("change", ("02", "15", "16"), "2026-11-30 17:00")


def test_nobody_owes_an_answer_to_itself_nor_twice() -> None:
    line = a_line(recipients=("H33.05", "H33.16", "H33.16"))
    assert [each[0] for each in owed(line, "2026-11-27 09:00")] == ["H33.16"]
    assert owed(a_line(recipients=()), "2026-11-27 09:00") == []


def test_a_status_is_owed_nothing() -> None:
    assert owed(a_line(kind="status", code="01"), "2026-11-27 09:00") == []


def test_before_a_rule_was_in_force_and_after_it_ended_nothing_is_owed() -> None:
    assert owed(a_line(), "2018-09-05 09:00") == []
    assert owed(a_line(), "2018-09-06 09:00") != []
    ended = replace(LAW, rules=tuple(replace(each, valid_until=date(2026, 11, 26)) for each in LAW.rules))
    assert owed(a_line(), "2026-11-26 09:00", law=ended) != []
    assert owed(a_line(), "2026-11-27 09:00", law=ended) == []


def test_without_any_law_nobody_owes_anything() -> None:
    assert owed(a_line(), "2026-11-27 09:00", law=Law()) == []
    assert Law().dispatch("2026-11-01", priority=0, at=at("2026-11-27 09:00")) is None


def test_of_several_rules_on_dispatch_the_strictest_counts() -> None:
    rule = LAW.rule("dispatch")
    assert rule is not None
    strict = replace(rule, id="province", due=Term("end of working day"))
    law = replace(LAW, rules=(rule, strict))
    late = law.dispatch("2026-11-27", priority=0, at=at("2026-11-28 09:00"))
    assert late is not None
    assert (late.rule.id, shown(late.due)) == ("province", "2026-11-27 17:00")


@pytest.mark.parametrize("day", ["2026-02-30", "hôm qua", "", None, "9999-12-31"])
def test_a_day_that_is_none_or_lies_ahead_counts_as_the_day_it_came(day: str | None) -> None:
    late = LAW.dispatch(day, priority=0, at=at("2026-11-27 09:00"))
    assert late is not None
    assert shown(late.due) == "2026-11-30 11:30"


def test_who_passes_on_what_another_issued_is_not_late() -> None:
    line, moment = a_line(), at("2026-12-15 09:00")
    assert LAW.lateness(line, source="H33.05", priority=0, at=moment) is not None
    assert LAW.lateness(line, source="H33.99", priority=0, at=moment) is None
    assert LAW.lateness(a_line(issued_on=None), source="H33.05", priority=0, at=moment) is None
    assert LAW.lateness(a_line(kind="status"), source="H33.05", priority=0, at=moment) is None


@pytest.mark.parametrize(
    "text",
    [
        "end of working day", "next working morning", "end of next working morning", "end of next working day",
        "4 working hours", "999 working days",
    ],
)  # fmt: skip
def test_a_term_is_written_as_it_is_read(text: str) -> None:
    term = parse_term(text)
    assert term is not None
    assert str(term) == text


@pytest.mark.parametrize(
    "text", ["", "0 working hours", "1000 working days", "4 hours", "-1 working days", "end of day", "٤ working hours"]
)
def test_anything_else_is_no_term(text: str) -> None:
    assert parse_term(text) is None


@given(
    st.sampled_from(["end of working day", "next working morning", "end of next working morning",
                     "end of next working day", "1 working hours", "40 working hours", "1 working days"]),
    st.integers(1_514_764_800, 1_830_000_000).map(float),
    st.floats(0, 400_000),
)  # fmt: skip
def test_a_term_ends_ahead_and_who_begins_later_has_no_less_time(text: str, moment: float, later: float) -> None:
    term = parse_term(text)
    assert term is not None
    end = term.after(moment, LAW.calendar)
    assert end > moment
    assert term.after(moment + later, LAW.calendar) >= end


def test_terms_of_days_begin_with_the_day_that_the_moment_counts_for() -> None:
    days, calendar = Term("working days", 2), LAW.calendar
    assert shown(days.after(at("2026-11-27 10:00"), calendar)) == "2026-12-01 17:00"
    assert shown(days.after(at("2026-11-27 18:00"), calendar)) == "2026-12-02 17:00"
    assert shown(Term("end of next working day").after(at("2026-11-28 10:00"), calendar)) == "2026-12-01 17:00"


def test_the_words_of_a_reminder_are_filled_in_once_and_nothing_in_them_is_taken_for_a_place() -> None:
    text = Text("{owed_by} → {owed_to}: {document} ({due}) {lạ} {", "{due}{due}")
    said = worded(text, document="{owed_by}", owed_by="{due}", owed_to="}{", due=at("2026-11-27 17:00"))
    assert said == Text("{due} → }{: {owed_by} (17:00 27/11/2026) {lạ} {", "17:00 27/11/202617:00 27/11/2026")


def test_on_a_calendar_that_never_works_no_term_is_made_up() -> None:
    never = Calendar.of(hours=[replace(Calendar().hours[0], week=((),) * 7, make_up=())])
    with pytest.raises(ValueError, match="work"):
        Term("end of working day").after(at("2026-11-27 10:00"), never)
