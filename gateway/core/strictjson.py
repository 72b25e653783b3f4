"""JSON from outside, read so that no two readers can understand it differently (RFC 8259, I-JSON's spirit).

Refused: duplicate member names, NaN and infinities, numbers outside a double, lone surrogates, invalid
UTF-8, and nesting deeper than the caller allows.
"""

from __future__ import annotations

import re
from typing import Any, Final

import jiter

MAX_DEPTH: Final = 64
#: A number can leave the range of a double only by an exponent of three digits or by a very long run of digits.
#: The text is looked at with every digit written as 0: a fixed letter to look for is found many times faster.
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789E", b"000000000e")
_HUGE_EXPONENT: Final = re.compile(rb"e\+?000+\s*(?:[,\]}]|\Z)")
_LONG_RUN: Final = b"0" * 200


class StrictJsonError(ValueError):
    """The bytes are not JSON as this file says; the text names the reason, never the content."""


def parse_strict(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value behind ``raw``; raises StrictJsonError. The outermost array or object has depth 1."""
    try:
        value = jiter.from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise StrictJsonError(_reason(str(error))) from None
    except RecursionError:
        raise StrictJsonError("nested too deeply") from None
    deep = raw.count(b"{") + raw.count(b"[") > max_depth
    if deep or b"\\u" in raw or _may_be_huge(raw):
        _inspect(value, max_depth)
    return value


def _may_be_huge(raw: bytes) -> bool:
    alike = raw.translate(_DIGITS_ALIKE)
    return _LONG_RUN in alike or _HUGE_EXPONENT.search(alike) is not None


def _reason(said: str) -> str:
    """The parser's words without the place, and without the doubled name, which is content."""
    return "a doubled member name" if said.startswith("Detected duplicate key") else said.split(" at line", 1)[0]


def _inspect(root: Any, max_depth: int) -> None:
    waiting: list[tuple[Any, int]] = [(root, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict):
            if depth > max_depth:
                raise StrictJsonError(f"nested deeper than {max_depth}")
            for name in value:
                _scalar(name)
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            if depth > max_depth:
                raise StrictJsonError(f"nested deeper than {max_depth}")
            waiting.extend((item, depth + 1) for item in value)
        else:
            _scalar(value)


def _scalar(value: Any) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise StrictJsonError("a lone surrogate") from None
    elif isinstance(value, float):
        if value in (float("inf"), float("-inf")):
            raise StrictJsonError("a number outside a double")
    elif isinstance(value, int):
        try:
            float(value)
        except OverflowError:
            raise StrictJsonError("a number outside a double") from None
