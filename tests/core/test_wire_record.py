"""Records of other software, tidied to the names and forms that rules read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.translation import Rules
from gateway.core.wire_record import Shape, canonical_bytes, name_in, tidied, unwrapped

RULES = Rules.parse(
    json.dumps(
        {
            "rules": [
                {"move": "/MaHoSo", "to": "/code"},
                {"date": "/Ngay", "to": "/at", "from": "compact-date-time", "as": "iso-date-time", "otherwise": "keep"},
                {"number": "/SoLuong", "to": "/count", "from": "text", "as": "integer", "otherwise": "drop"},
                {
                    "each": "/DanhSach",
                    "to": "/list",
                    "rules": [{"move": "/Ten", "to": "/name"}, {"move": "/Trong/Sau", "to": "/deep"}],
                },
            ]
        }
    ).encode()
)
SHAPE = Shape.of(RULES)


def of(**record: Any) -> dict[str, Any]:
    tidy = tidied(record, SHAPE)
    assert tidy.faults == ()
    return tidy.record


def test_numbers_and_marks_become_texts_and_what_is_empty_is_absent() -> None:
    assert of(MaHoSo=7, DanhSach=[{"Ten": True}, {"Ten": 1.0}, {"Ten": 1.5}, {"Ten": None}, {"Ten": " "}, None]) == {
        "MaHoSo": "7",
        "DanhSach": [{"Ten": "True"}, {"Ten": "1"}, {"Ten": "1.5"}],
    }
    assert of(MaHoSo="", Ngay=None, DanhSach=None) == {}


def test_names_count_without_case_and_the_exact_one_wins() -> None:
    assert of(mahoso="a") == {"MaHoSo": "a"}
    assert of(mahoso="a", MaHoSo="b") == {"MaHoSo": "b"}
    assert of(danhsach=[{"TEN": "a", "trong": {"SAU": 1}}]) == {"DanhSach": [{"Ten": "a", "Trong": {"Sau": "1"}}]}
    assert name_in({"Session": 1}, "session") == 1
    assert name_in({}, "session") is None


def test_a_single_entry_is_a_list_of_one_and_lists_may_stand_in_texts() -> None:
    expected = {"DanhSach": [{"Ten": "a"}]}
    assert of(DanhSach={"Ten": "a"}) == expected
    assert of(DanhSach='[{"Ten": "a"}]') == expected
    assert of(DanhSach=json.dumps('[{"Ten": "a"}]')) == expected
    assert of(DanhSach="<a><b><Ten>a</Ten></b></a>") == expected
    assert of(DanhSach="<a><Ten>a</Ten></a>") == expected
    assert of(DanhSach='<a xmlns="urn:x"><!-- c --><b><Ten>a</Ten></b></a>') == expected
    assert of(DanhSach="<a/>") == {}


def test_what_no_rule_reads_is_handed_back_as_it_came() -> None:
    tidy = tidied({"La": [1, None], "MaHoSo": "a", "@at": "x"}, SHAPE)
    assert tidy.unknown == {"La": [1, None], "@at": "x"}


def test_what_spoils_a_record_is_a_fault_and_what_does_not_is_a_word() -> None:
    tidy = tidied({"Ngay": "23/11/2026", "SoLuong": "hai bản", "DanhSach": 7, "MaHoSo": ["x"]}, SHAPE)
    assert tidy.record == {}
    assert len(tidy.faults) == 3
    assert any("Ngay phải có dạng yyyyMMddHHmmss" in each.vi for each in tidy.faults)
    (word,) = tidy.warnings
    assert "SoLuong" in word.vi
    # Never what was written: it may be about a person.
    assert "hai bản" not in str(tidy)


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE a><a><b><Ten>a</Ten></b></a>",
        '<!DOCTYPE a [<!ENTITY x "y">]><a><b><Ten>&x;</Ten></b></a>',
        "<a><b>",
        "[{]",
        "x",
        json.dumps(json.dumps(json.dumps(json.dumps("[]")))),
    ],
)
def test_a_text_that_holds_no_sound_list_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        unwrapped(text)
    assert tidied({"DanhSach": text}, SHAPE).faults != ()


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["MaHoSo", "Ngay", "SoLuong", "DanhSach", "mahoso", "La"]), _ANY))
def test_whatever_comes_is_tidied_once_and_for_all(record: dict[str, Any]) -> None:
    tidy = tidied(record, SHAPE)
    again = tidied(tidy.record, SHAPE)
    assert again.record == tidy.record
    assert again.faults == ()
    RULES.apply(tidy.record)
    assert canonical_bytes(tidy.record) == canonical_bytes(dict(reversed(list(tidy.record.items()))))
