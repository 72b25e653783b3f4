"""Answers of the axis, read piece by piece: lists row by row, documents out of their base64, and nothing believed."""

from __future__ import annotations

import base64
import io
import json
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.vdxp.reply import NotAReply, Reply, read_reply
from gateway.core.base64_text import NotBase64
from gateway.core.content import MemorySink, whole


class Dripping(io.RawIOBase):
    """A file that gives a few bytes at a time, wherever that cuts."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__()
        self._inner = io.BytesIO(data)
        self._size = size

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(self._size)


def told(**members: Any) -> bytes:
    return json.dumps({"status": "OK", "ErrorCode": "0", "ErrorDesc": "", **members}).encode()


def read(raw: bytes, size: int = 1 << 20, **how: Any) -> Reply:
    file: BinaryIO = Dripping(raw, size)  # type: ignore[assignment]
    return read_reply(file, **how)


rows = st.lists(
    st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=20), st.integers(), st.none()), max_size=4)
)


@given(rows, st.integers(1, 40), st.booleans())
def test_a_list_is_read_row_by_row_however_it_is_cut(data: list[Any], size: int, code_last: bool) -> None:
    members: dict[str, Any] = {"status": "OK", "ErrorCode": "0", "data": data}
    raw = json.dumps(dict(reversed(members.items())) if code_last else members, ensure_ascii=False).encode()
    found: list[Any] = []
    reply = read(raw, size, on_row=found.append)
    assert found == data
    assert reply.rows == len(data)
    assert reply.is_success


@given(st.binary(max_size=400), st.integers(1, 40), st.booleans())
def test_a_document_comes_out_of_its_base64_however_it_is_cut(raw: bytes, size: int, by_lines: bool) -> None:
    encoded = base64.encodebytes(raw).decode() if by_lines else base64.b64encode(raw).decode()
    # Some writers of JSON escape the slash.
    answer = told(data=encoded).replace(b"/", b"\\/")
    reply = read(answer, size, sink=MemorySink())
    assert reply.content is not None
    assert whole(reply.content) == raw
    assert reply.code == "0"


def test_base64_of_the_other_alphabet_and_without_its_end_is_understood() -> None:
    raw = bytes(range(250, 256)) * 3 + b"a"
    encoded = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    reply = read(told(data=encoded), sink=MemorySink())
    assert reply.content is not None
    assert whole(reply.content) == raw


@pytest.mark.parametrize("data", ["%%%", "a", "ab=c", "YWJj*", "Y" * 5])
def test_what_is_no_base64_is_told(data: str) -> None:
    with pytest.raises(NotBase64):
        read(told(data=data), sink=MemorySink())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"OK",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a"}',
        b'{"a":1',
        b'{"a":1]',
        b"{1:2}",
        b'{"a":NaN}',
        b'{"a":"\xff"}',
        b"<!DOCTYPE html><html></html>",
        b'{"a":' + b"[" * 100_000,
        b'{"a":"' + b"x" * (3 << 20) + b'"}',
        b"{" + b",".join(b'"m%d":1' % n for n in range(200)) + b"}",
    ],
)
def test_what_is_no_answer_is_told(raw: bytes) -> None:
    with pytest.raises(NotAReply):
        read(raw, 1000)


@pytest.mark.parametrize("cut", range(1, 60))
def test_an_answer_that_breaks_off_is_no_answer(cut: int) -> None:
    raw = told(data=[{"docId": "1"}, {"docId": "2"}])
    with pytest.raises(NotAReply):
        read(raw[:-cut], on_row=lambda _: None)


def test_rows_that_are_nothing_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.vdxp.reply._MOST_ROWS", 1000)
    kept: list[Any] = []
    assert read(told(data=[1] * 1000), on_row=kept.append).rows == 1000
    with pytest.raises(NotAReply):
        read(told(data=[1] * 1001), on_row=kept.append)
    assert kept == []


def test_a_row_without_an_end_fills_no_memory() -> None:
    raw = b'{"data":[{"a":"' + b"x" * (8 << 20)
    with pytest.raises(NotAReply):
        read(raw, 1 << 16, on_row=lambda _: None)


@pytest.mark.parametrize(
    ("members", "code", "is_success"),
    [
        ({"status": "OK", "ErrorCode": "0"}, "0", True),
        ({"status": "OK", "ErrorCode": 0}, "0", True),
        ({"ErrorCode": "0"}, "0", True),
        ({"status": "OK"}, "0", True),
        ({"status": "FAIL", "ErrorCode": "0"}, "0", False),
        ({"status": "FAIL", "ErrorCode": "18"}, "18", False),
        ({"status": "OK", "ErrorCode": "18"}, "18", False),
        ({"status": "FAIL", "errorCode": 21}, "21", False),
        ({"status": "FAIL"}, "", False),
        ({"code": 401, "message": "Unauthorized"}, "", False),
        ({}, "", False),
    ],
)
def test_success_is_error_code_zero_without_fail(members: dict[str, Any], code: str, is_success: bool) -> None:
    reply = read(json.dumps(members).encode())
    assert (reply.code, reply.is_success) == (code, is_success)


def test_a_list_that_is_none_has_no_rows() -> None:
    assert read(told(data=None), on_row=lambda _: None).rows is None
    assert read(told(), on_row=lambda _: None).rows is None
    assert read(told(data=[]), on_row=lambda _: None).rows == 0
