"""Long texts leave a JSON answer piece by piece: the same text as if it had been read whole, whatever the cuts."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import lifting
from gateway.core.content import InMemory, MemorySink, whole
from gateway.core.lifting import from_base64, lift, to_base64
from gateway.core.strictjson import StrictJsonError


@dataclass(frozen=True, slots=True)
class Dripping:
    """A file that comes a few bytes at a time."""

    data: bytes
    drop: int
    sha256: str = ""

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        drop = self.drop

        class _Drip(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                return super().read(drop)

        return _Drip(self.data)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(TEXTS, TEXTS, st.integers(1, 40), st.booleans())
def test_a_lifted_text_is_the_text(long: str, short: str, drop: int, is_ascii: bool) -> None:
    raw = json.dumps({"data": {"edxml": long, "x": [1, short]}, "code": 200}, ensure_ascii=is_ascii).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifting, "LONG", 10)
        lifted = lift(Dripping(raw, drop), MemorySink)
    found = lifted.text("data", "edxml")
    assert found is not None
    assert whole(found).decode() == long
    assert lifted.value["code"] == 200


def test_nothing_long_stays_in_memory_but_the_sink() -> None:
    raw = json.dumps({"data": {"edxml": "a" * 1_000_000, "attachments": [{"fileContent": "b" * 500_000}]}}).encode()
    lifted = lift(InMemory(raw), MemorySink)
    assert len(json.dumps(lifted.value)) < 200
    text = lifted.text("data", "edxml")
    assert text is not None
    assert text.size == 1_000_000
    assert lifted.text("data", "nothing") is None
    assert lifted.text("data") is None


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>no</html>",
        b'{"a": "b',
        b'{"a": "' + b"x" * 70_000,
        b'{"a": "' + b"x" * 70_000 + b'\\q"}',
        b'{"a": "' + b"x" * 70_000 + b"\\u12",
        b'{"a": "\\u12zz                 "}',
        b'{"a": "\xff"}',
        b'{"a": 1, "a": 2}',
        b"[" + b" " * (9 << 20) + b"]",
        b"",
    ],
)
def test_what_is_no_json_is_told(raw: bytes) -> None:
    with pytest.raises(StrictJsonError):
        lift(InMemory(raw), MemorySink)


@pytest.mark.parametrize("number", ["0", "x", "", "\u00b2", "\u0663", "9" * 5000])
def test_a_text_cannot_pass_for_a_lifted_one(number: str) -> None:
    lifted = lift(InMemory(json.dumps({"a": f"\x00lifted:{number}"}).encode()), MemorySink)
    assert lifted.text("a") is None


@given(st.binary(max_size=200), st.integers(1, 30))
def test_base64_goes_both_ways(data: bytes, drop: int) -> None:
    text = to_base64(Dripping(data, drop), MemorySink)
    assert whole(text) == base64.b64encode(data)
    assert whole(from_base64(Dripping(whole(text), drop), MemorySink)) == data


def test_blanks_in_base64_do_no_harm() -> None:
    assert whole(from_base64(InMemory(b" YW\r\nJj\n"), MemorySink)) == b"abc"


@pytest.mark.parametrize("text", [b"YWJ", b"YW=jYWJj", b"YQ==YWJj", b"YW*j", "Vă=".encode()])
def test_wrong_base64_is_told(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the promise is this class
        from_base64(Dripping(text, 4), MemorySink)
