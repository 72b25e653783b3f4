"""Codes of dossiers: both official forms, when two writings are one, and that none is ever completed or made up."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.dossiers.code import CodeParts, check_own, compared, read_code
from gateway.core.faults import Text

OURS = {"000.00.00.H33", "H33.01.02", "H33.09"}


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("000.00.00.H33-181231-0001", CodeParts("000.00.00.H33", date(2018, 12, 31), 1, "qcvn2016")),
        ("H33.01.02-181231-0042", CodeParts("H33.01.02", date(2018, 12, 31), 42, "qd20")),
        ("H33-240229-9999", CodeParts("H33", date(2024, 2, 29), 9999, "qd20")),
        ("H33-181231-123456", CodeParts("H33", date(2018, 12, 31), 123456, "qd20")),
        ("H33-181231-1234567", CodeParts("H33", date(2018, 12, 31), 1234567, "qd20")),
        (" h33.01.02-181231-0001 ", CodeParts("H33.01.02", date(2018, 12, 31), 1, "qd20")),
    ],
)
def test_both_official_forms_are_read(code: str, parts: CodeParts) -> None:
    assert read_code(code) == parts


@pytest.mark.parametrize(
    "code",
    [
        "000.00.00.H33-181331-0001",  # no thirteenth month
        "H33-230229-0001",  # no leap year
        "H33-181231-001",
        "H33-18123-0001",
        "H33.-181231-0001",
        "000.00.00.Z33-181231-0001",
        "H33-181231-0001-2",
        "H33-181231-٠٠٠١",  # digits, but of another script
        "H33." + "A" * 40 + "-181231-0001",
        "BHXH/2026/17",
        "",
    ],
)
def test_what_is_in_neither_form_has_no_parts(code: str) -> None:
    assert read_code(code) is None


def test_case_and_blanks_make_no_other_code_but_the_other_form_does() -> None:
    assert compared(" h33.09-261123-0001\u00a0") == compared("H33.09-261123-0001") == "H33.09-261123-0001"
    assert compared("đk 12\u0301") == compared("ĐK12\u0301")
    assert compared("000.00.09.H33-261123-0001") != compared("H33.09-261123-0001")
    assert compared("H33.9-261123-0001") != compared("H33.09-261123-0001")


@given(st.text(max_size=60))
def test_what_is_compared_once_is_compared_for_good(text: str) -> None:
    assert compared(compared(text)) == compared(text)


@pytest.mark.parametrize(
    "code",
    ["000.00.00.H33-181231-0001", "H33.09-261123-12345", "h33.09-261123-0001", "000.00.00.H56-181231-0001"],
)
def test_a_whole_code_may_be_used(code: str) -> None:
    assert check_own(code, OURS.__contains__) is None


@pytest.mark.parametrize("code", ["BTP-2026-00017", "G15.HS.12345", "1234567890", "LLTP/12 a", "x" * 50])
def test_ministries_and_others_may_use_any_code_of_fifty_characters(code: str) -> None:
    assert check_own(code, OURS.__contains__) is None


@pytest.mark.parametrize(
    "code",
    [
        "000.00.00-181231-0001",
        "000.00.00.-181231-0001",
        "01.02-181231-0001",
        ".-181231-0001",
        "-181231-0001",
        "181231-0001",
        "000-181231-0001",
    ],
)
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_code_without_its_province_is_refused_whosever_it_is(code: str, is_ours: bool) -> None:
    wrong = check_own(code, lambda _: is_ours)

    assert wrong is not None
    assert "thiếu phần mã của tỉnh" in wrong.vi
    assert "lacks the group of its province" in wrong.en
    assert "makes none up" in wrong.en


@pytest.mark.parametrize("code", ["H33.09-261323-0001", "H33.09-261123-1", "H33.09-0001", "H33.09", "H33.09-261123"])
def test_a_code_of_our_own_must_be_whole(code: str) -> None:
    wrong = check_own(code, OURS.__contains__)

    assert wrong is not None
    assert "số thứ tự từ 4 chữ số" in wrong.vi


@pytest.mark.parametrize("code", ["", "   ", "x" * 51, "BTP\x0017"])
def test_no_code_one_too_long_or_one_that_cannot_be_printed_is_refused(code: str) -> None:
    assert isinstance(check_own(code, OURS.__contains__), Text)


@given(st.text("H3.0-9126\u00a0x", max_size=55))
def test_a_verdict_never_holds_another_code_nor_the_one_it_is_about(code: str) -> None:
    wrong = check_own(code, lambda _: False)

    assert wrong is None or len(compared(code)) < 5 or compared(code) not in wrong.vi + wrong.en
