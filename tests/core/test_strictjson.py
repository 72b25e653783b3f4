"""JSON from outside means one thing only, or is refused, and the refusal never repeats the content."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.strictjson import StrictJsonError, parse_strict

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


def refusal_of(raw: bytes, **limits: int) -> str | None:
    """Why these bytes are refused; None where they are read."""
    try:
        parse_strict(raw, **limits)
    except StrictJsonError as refusal:
        return str(refusal)
    return None


@given(VALUES)
def test_whatever_can_be_written_is_read_as_it_was(value: Any) -> None:
    assert parse_strict(json.dumps(value).encode()) == value
    assert parse_strict(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=100))
def test_whatever_comes_in_is_read_or_refused_with_a_reason(raw: bytes) -> None:
    assert refusal_of(raw) != ""


@given(st.text('{}[]:,"\\ud8 0e9+-.tfn', max_size=40))
def test_what_is_read_here_is_read_alike_by_another_reader(text: str) -> None:
    if refusal_of(text.encode()) is None:
        assert parse_strict(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "raw",
    [b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b'[{"b":{"a":1,"a":1}}]', '{"đ":1,"\\u0111":2}'.encode()],
)
def test_a_doubled_member_name_is_refused_in_whatever_spelling(raw: bytes) -> None:
    assert refusal_of(raw) == "a doubled member name"


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "1E+309", "9" * 400, "-" + "9" * 310, "9" * 320 + ".5", "9" * 5000]
)
def test_a_number_outside_a_double_is_refused_wherever_it_stands(number: str) -> None:
    for raw in (number, f"[{number}]", f'{{"a":[[{number}]]}}'):
        assert refusal_of(raw.encode()) in {"a number outside a double", "number out of range"}


@pytest.mark.parametrize("number", ["1e308", "-1.7976931348623157e308", "1" + "0" * 308, "1e-400", "-0", "0.1"])
def test_a_number_that_a_double_can_hold_is_read(number: str) -> None:
    assert math.isfinite(parse_strict(number.encode()))


@pytest.mark.parametrize(
    "raw", ["NaN", "Infinity", "-Infinity", "nan", "[NaN]", "01", "+1", ".5", "1.", "0x1", "1_000"]
)
def test_what_is_no_number_in_json_is_refused(raw: str) -> None:
    assert refusal_of(raw.encode())


@pytest.mark.parametrize(
    "raw",
    [
        b'"\\ud83d"', b'"\\ude00"', b'"\\ude00\\ud83d"', b'"\\ud83dx"', b'{"\\ud83d":1}', b'["a","\\udfff"]',
        b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\xaf"', b'"\xf4\x90\x80\x80"', b'{"\xff":1}',
    ],
)  # fmt: skip
def test_half_a_character_is_refused_in_names_and_values(raw: bytes) -> None:
    assert refusal_of(raw)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert parse_strict(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"\xef\xbb\xbf{}", b"{} x", b"{}{}", b"{}\x00", b"[1,]", b'{"a":1,}', b"/**/1", b"'a'", b'"\x01"',
     b'"\t"', b'"\\x41"', b'"\\u12"', b'"abc', b"{a:1}", b"\xc2\xa0{}", b"\x0c{}", b"True", "{}".encode("utf-16")],
)  # fmt: skip
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    assert refusal_of(raw)


@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_sixty_four_levels_are_read_and_sixty_five_are_not(left: bytes, right: bytes) -> None:
    levels = left.count(b"[") + left.count(b"{")
    assert refusal_of(left * (64 // levels) + b"1" + right * (64 // levels)) is None
    assert refusal_of(b"[" + left * (64 // levels) + b"1" + right * (64 // levels) + b"]") == "nested deeper than 64"


def test_brackets_within_texts_are_no_levels() -> None:
    assert refusal_of(b'["' + b"[{" * 500 + b'"]') is None


def test_many_siblings_are_no_levels() -> None:
    assert refusal_of(b"[" + b"[]," * 500 + b"{}]") is None


def test_the_caller_may_allow_fewer_levels() -> None:
    assert refusal_of(b"[[1]]", max_depth=2) is None
    assert refusal_of(b"[[[1]]]", max_depth=2) == "nested deeper than 2"


def test_levels_without_end_are_refused_quickly() -> None:
    assert refusal_of(b"[" * 1_000_000) == "recursion limit exceeded"


@pytest.mark.parametrize("raw", [b'{"Nguyen Van Mau":1,"Nguyen Van Mau":2}', b'{"a":"Nguyen Van Mau" x}'])
def test_a_refusal_never_repeats_the_content(raw: bytes) -> None:
    assert "Nguyen" not in (refusal_of(raw) or "Nguyen")
