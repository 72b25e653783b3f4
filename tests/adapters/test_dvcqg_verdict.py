"""What answers of the national portal mean: by the table beside the adapter, and by no guess that loses something."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from adapters.dvcqg.item import WIRE
from adapters.dvcqg.verdict import Table, Verdict, accepted
from gateway.calls.caller import Answer
from gateway.core.content import InMemory
from gateway.core.faults import DestinationGone, PermanentFailure, TransientFailure

TABLE = Table(WIRE / "verdicts.json")


def verdict(body: Any, status: int = 200) -> Verdict:
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return TABLE.verdict(Answer(status, {}, InMemory(raw)), 0.0)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error_code": 0}, "done"),
        ({"error_code": "0", "message": "gì cũng được"}, "done"),
        ({"error_code": "00"}, "done"),
        ({"error_code": 0.0}, "done"),
        ({"ERROR_CODE": " 0 "}, "done"),
        ({"message": "Thành công"}, "done"),
        ({"message": "CẬP NHẬT THÀNH CÔNG!"}, "done"),
        ({"message": unicodedata.normalize("NFD", "Thành công")}, "done"),
        ({"message": "Không thành công"}, "later"),
        ({"message": "Cập nhật thất bại, 3/10 hồ sơ thành công"}, "later"),
        ({"error_code": 1, "message": "Thành công"}, "later"),
        ({"error_code": False, "message": "Thành công"}, "later"),
        ({"error_code": None, "message": "Thành công"}, "done"),
        ({"error_code": "3", "message": "Hồ sơ đã tồn tại"}, "there"),
        ({"error_code": "-3", "message": "Ho so da ton tai"}, "there"),
        ({"error_code": -3}, "there"),
        ({"error_code": "99", "message": "Hồ sơ đã  tồn tại"}, "there"),
        ({"error_code": -1, "message": "Hồ sơ không tồn tại"}, "absent"),
        ({"error_code": -1, "message": "Phiên làm việc không hợp lệ"}, "session"),
        ({"error_code": -1, "message": "Invalid Session"}, "session"),
        ({"error_code": -1, "message": "Sai madonvi"}, "account"),
        ({"error_code": -1, "message": "Thiếu trường bắt buộc"}, "never"),
        ({"error_code": -1, "message": "Hệ thống bận"}, "later"),
        ({"error_code": -1, "message": None}, "later"),
        ({"error_code": "x" * 500}, "later"),
        ({}, "later"),
        ({"error_code": 0, "result": [{"MaHoSo": "1", "error_code": "-3", "message": "đã tồn tại"}]}, "there"),
        ({"error_code": 0, "result": [{"error_code": 0}, {"error_code": -1, "message": "sai định dạng"}]}, "never"),
        ({"error_code": 0, "result": {"error_code": 0}}, "done"),
    ],
)
def test_an_answer_means_what_the_table_says(body: Any, kind: str) -> None:
    assert verdict(body).kind == kind


def test_an_account_is_refused_by_the_login_alone() -> None:
    raw = json.dumps({"error_code": -1, "message": "Tài khoản không tồn tại"}).encode()
    answer = Answer(200, {}, InMemory(raw))
    assert TABLE.verdict(answer, 0.0, is_login=True).kind == "account"
    # Elsewhere it may be the account of the citizen whose dossier it is.
    assert TABLE.verdict(answer, 0.0).kind == "absent"
    good = Answer(200, {}, InMemory('{"error_code":"0","message":"Tài khoản mới"}'.encode()))
    assert TABLE.verdict(good, 0.0, is_login=True).kind == "done"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"1", b"<html>", b'{"error_code":0', b'{"a":1,"a":2}', b'"x"'])
def test_what_is_no_answer_of_the_portal_is_for_a_later_try(body: bytes) -> None:
    with pytest.raises(TransientFailure):
        verdict(body)


def test_an_answer_in_a_text_is_read() -> None:
    assert verdict(json.dumps(json.dumps({"error_code": "00"}))).kind == "done"


def test_statuses_of_http_are_judged_before_the_body() -> None:
    assert verdict(b"<html>", 401).kind == "session"
    with pytest.raises(TransientFailure):
        verdict({"error_code": 0}, 502)
    with pytest.raises(PermanentFailure):
        verdict(b"", 413)


@pytest.mark.parametrize(
    ("result", "rows"),
    [([], []), (None, []), ([{"a": 1}, {"a": 1}, 7, {}], [{"a": 1}]), ({"a": 1}, [{"a": 1}])],
)
def test_rows_are_a_list_however_they_come_each_once(result: Any, rows: list[Any]) -> None:
    assert verdict({"error_code": 0, "RESULT": result}).rows == rows
    assert verdict({"error_code": 0}).rows is None


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        ({"error_code": -1, "message": "dstcode không đúng"}, DestinationGone),
        ({"error_code": -1, "message": "Dữ liệu không hợp lệ: Nguyễn Văn Mẫu"}, PermanentFailure),
        ({"error_code": 77, "message": "Nguyễn Văn Mẫu"}, TransientFailure),
    ],
)
def test_what_is_not_expected_is_a_failure_that_quotes_nothing(body: Any, failure: type[Exception]) -> None:
    with pytest.raises(failure) as raised:
        accepted(verdict(body), "done")
    assert "Nguyễn" not in str(raised.value)


def test_the_table_is_data_that_a_reader_can_follow() -> None:
    content = json.loads(Path(WIRE / "verdicts.json").read_text("utf-8"))
    assert list(content) == ["comment", "done", "session", "login", "account", "there", "absent", "never"]
