"""JSON from outside, read so that no two readers can understand it differently (RFC 8259, I-JSON's spirit).

Refused: duplicate member names, NaN and infinities, numbers outside a double, lone surrogates, invalid
UTF-8, and nesting deeper than the caller allows.
"""

from __future__ import annotations

import re
from typing import Any, Final

import jiter

MAX_DEPTH: Final = 64
#: Only where the text holds an exponent or a very long run of digits can a number leave the range of a double.
_MAYBE_HUGE: Final = re.compile(rb"[0-9][eE]|[0-9]{300}")


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
    odd = _MAYBE_HUGE.search(raw) is not None or b"\\u" in raw
    if deep or odd:
        _inspect(value, max_depth)
    return value


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
