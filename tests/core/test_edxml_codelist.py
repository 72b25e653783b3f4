"""The axis' code lists and identifiers: what a number means, what a name is worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.edxml import codelist
from gateway.core.edxml.dates import read_date, read_moment, write_date, write_moment
from gateway.core.edxml.identifiers import OfficialId, official_id, parse_official


def test_the_nine_status_codes_have_titles_in_two_languages() -> None:
    assert set(codelist.STATUS) == {"01", "02", "03", "04", "05", "06", "13", "15", "16"}
    assert all(title.vi and title.en and title.vi != title.en for title in codelist.STATUS.values())
    assert set(codelist.STATUS) > codelist.REPORTED_BY_SENDER


@pytest.mark.parametrize(
    ("edxml", "envelope"),
    [(0, "normal"), (1, "urgent"), (2, "very-urgent"), (3, "express"), (4, "express"), (None, "normal"), (9, "normal")],
)
def test_urgency_is_said_in_the_envelopes_words(edxml: int | None, envelope: str) -> None:
    assert codelist.envelope_priority(edxml) == envelope


def test_urgency_comes_back_as_the_number_it_was() -> None:
    assert [codelist.edxml_priority(codelist.envelope_priority(number)) for number in range(4)] == [0, 1, 2, 3]
    assert codelist.edxml_priority("unheard of") == 0


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("Công văn", 18),
        ("  CÔNG  VĂN ", 18),
        ("Quyết định", 2),
        ("quyết định (cá biệt)", 2),
        ("Bản thỏa thuận", 22),
        ("Bản thoả thuận", 22),
        ("Giấy ủy quyền", 24),
        ("Thư công", 32),
        ("Thông tư", None),
        ("", None),
    ],
)
def test_a_document_types_number_follows_from_its_name(name: str, number: int | None) -> None:
    assert codelist.type_detail(name) == number


def test_every_type_in_the_list_is_found_by_its_own_name() -> None:
    assert {codelist.type_detail(name): name for name in codelist.DOCUMENT_TYPES.values()} == codelist.DOCUMENT_TYPES


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("H33.05,2026/09/15,118/SNV-VP", OfficialId("H33.05", "2026-09-15", "118/SNV-VP")),
        ("H33.05, 2026/09/15, 118/a,b/ĐB", OfficialId("H33.05", "2026-09-15", "118/a,b/ĐB")),
        ("H33.05,2026/02/30,118/SNV-VP", OfficialId("H33.05", None, "118/SNV-VP")),
        ("9fbfbad2-f1f8-4256-a2eb-50fb1061cddb", None),
        ("một,hai,ba", None),
        ("H33.05,2026/09/15,", None),
        ("", None),
    ],
)
def test_an_official_identifier_has_three_parts_and_any_other_text_is_legal_too(
    text: str, parts: OfficialId | None
) -> None:
    assert parse_official(text) == parts


@given(st.dates())
def test_a_date_written_is_read_as_the_same_day_in_the_official_form(day: object) -> None:
    written = write_date(str(day))
    assert written is not None
    dated = read_date(written)
    assert dated is not None
    assert (dated.iso, dated.official) == (str(day), True)
    identifier = official_id("H33.05", str(day), "1/A")
    assert identifier is not None
    assert parse_official(identifier) == OfficialId("H33.05", str(day), "1/A")


@given(st.datetimes())
def test_a_moment_written_is_read_as_the_same_moment_in_the_official_form(moment: object) -> None:
    iso = f"{str(moment)[:10]}T{str(moment)[11:19]}+07:00"
    written = write_moment(iso)
    assert written is not None
    dated = read_moment(written)
    assert dated is not None
    assert (dated.iso, dated.official) == (iso, True)


@given(st.text(max_size=80))
def test_no_text_makes_the_readers_of_dates_fail(text: str) -> None:
    for dated in (read_date(text), read_moment(text)):
        assert dated is None or dated.iso[:4].isdigit()
    assert write_date(text) is None or read_date(text) is not None
    assert write_moment(text) is None or len(text) > 0
