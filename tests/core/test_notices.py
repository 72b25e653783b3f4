"""Numbers of mobile phones made comparable, texts filled in line by line, and what a message lets out about people."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.faults import Text
from gateway.core.notices.notice import PLACEHOLDERS, dossier_code, notice_of
from gateway.core.notices.wording import filled, read_wordings
from gateway.core.phones import last_digits, mobile, written


@pytest.mark.parametrize(
    "text",
    [
        "0912345678", "+84912345678", "84912345678", "0084912345678", "0912 345 678", "0912.345.678", "(0912) 345-678",
        "+84 (0)912 345 678", "02973812345; 0912345678", "0912345678/0987654321",
    ],
)  # fmt: skip
def test_a_mobile_number_is_the_same_however_it_is_written(text: str) -> None:
    assert mobile(text) == "912345678"


@pytest.mark.parametrize(
    "text",
    ["", "02973812345", "0123456789", "912345678", "09123456789", "091234567", "+1912345678", "0x12345678", "abc",
     "0912345678" * 20, "٠٩١٢٣٤٥٦٧٨", "0912345678 số mới"],
)  # fmt: skip
def test_what_is_no_mobile_number_is_none(text: str) -> None:
    assert mobile(text) is None


def test_a_number_is_written_as_the_other_side_wants_it() -> None:
    assert written("912345678", "local") == "0912345678"
    assert written("912345678", "international") == "84912345678"
    assert written("912345678", "plus") == "+84912345678"


def test_the_last_digits_are_compared_whatever_stands_between_them() -> None:
    assert last_digits("0912 345 678", 4) == "5678"
    assert last_digits("079 123-456", 4) == "3456"
    assert last_digits("12", 4) == ""


def test_a_line_without_anything_to_say_is_left_out() -> None:
    text = "Chào\n\nHạn: {due}\nBổ sung {asked} trước {before}\n\n{contact}\n\nHết {code}"
    assert filled(text, {"asked": "x", "code": "1"}) == "Chào\n\nBổ sung x trước\n\nHết 1"


@given(st.text(max_size=200))
def test_what_people_wrote_is_never_read_as_a_text_of_ours(said: str) -> None:
    assert filled("{code} {due}", {"code": said, "due": "x"}) == f"{said} x".strip("\n").strip()


def test_words_of_one_status_stand_before_the_usual_ones() -> None:
    raw = b'[default]\nbody = {vi = "v {status}", en = "e {status}"}\n[status.9]\nbody = {vi = "xong", en = "done"}\n'
    (wording,) = read_wordings({"dossier.x": raw}, parts=frozenset({"body"}), names=PLACEHOLDERS, where="t").values()
    told = [notice_of({"data": {"status": {"code": code}}}, None) for code in (4, 9)]
    assert wording.said("body", told[0], {}) == Text("v Đang xử lý", "e Being processed")
    assert wording.said("body", told[1], {}) == Text("xong", "done")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        "dossierCode status code supplement content papers name fees amount applicant email phone dueAt newDueAt hop to"
        " agency text vi en charges payBefore dossier procedure".split()), inner, max_size=6),
    max_leaves=20,
)  # fmt: skip


def test_an_office_that_a_message_names_by_its_code_alone_is_called_by_its_name() -> None:
    hop = {"to": {"code": "H33.16"}}

    def said(**data: Any) -> tuple[str, str]:
        values = notice_of({"data": {"hop": hop, **data}}, None, called={"H33.16": "Sở Mẫu"}.__getitem__).values
        return values["office"].vi, values["department"].vi

    assert said(agency={"code": "H33.16"}) == ("Sở Mẫu", "Sở Mẫu")
    assert said(agency={"code": "H33.16", "name": "Sở khác"}, unit="Phòng Mẫu") == ("Sở khác", "Phòng Mẫu")


@given(_JSON)
def test_whatever_the_data_is_a_notice_is_made_of_known_members_alone(data: Any) -> None:
    event = {"type": "dossier.progressed", "data": data}
    notice = notice_of(event, None)
    assert set(notice.values) <= PLACEHOLDERS
    assert notice.code == dossier_code(event)
    for text in notice.values.values():
        assert all(each.isprintable() or each == "\n" for each in text.vi + text.en)
