"""Inner formats as data: what an answer is wrapped in, taken off step by step. Pure.

    unpack = ["json"]                        strict JSON
    unpack = ["json", "/message", "xml"]     XML in a text inside JSON
    unpack = ["json-in-text"]                JSON encoded twice, three times at most
    unpack = ["loose-json"]                  strict JSON where it is; else the careless kind, which is marked dirty
    unpack = ["soap"] | ["xml"] | ["text"]

A step that begins with ``/`` is a JSON pointer. ``Unpacking.parse`` once, ``apply(bytes)`` for each answer; what goes
wrong is a Wrapped fault whose text never holds content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from gateway.core.faults import Misconfigured, Text
from gateway.core.loose_json import parse_loose
from gateway.core.rule import ABSENT, Path, value_at
from gateway.core.rule_text import split_pointer
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.core.xml_value import XmlFault, read_soap, read_xml

FORMATS: Final = ("json", "json-in-text", "loose-json", "xml", "soap", "text")
_MOST_WRAPPED: Final = 3
_DECLARATION: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?<\?xml[^>]{0,200}\?>")
_MOST_STEPS: Final = 12


class Wrapped(ValueError):
    """The answer is not wrapped as it was described; the text names the step, never the content."""


class Unpacked(NamedTuple):
    """What was inside. ``is_dirty``: it was no JSON, and read all the same."""

    value: Any
    is_dirty: bool = False


@dataclass(frozen=True, slots=True)
class Unpacking:
    """The steps of one answer."""

    steps: tuple[str | Path, ...]

    @classmethod
    def parse(cls, raw: Sequence[str], where: str) -> Unpacking:
        """Raises Misconfigured naming ``where`` for a step that there is not."""
        steps: list[str | Path] = []
        for each in raw:
            try:
                steps.append(split_pointer(each) if each.startswith("/") else each)
            except ValueError:
                steps.append("?")
        if len(steps) > _MOST_STEPS or any(isinstance(each, str) and each not in FORMATS for each in steps):
            raise Misconfigured(
                where,
                Text("Có bước mở gói không hiểu được", "A step of unpacking is not understood"),
                Text(f"Dùng con trỏ JSON hoặc: {', '.join(FORMATS)}.", f"Use a JSON pointer or: {', '.join(FORMATS)}."),
            )
        return cls(tuple(steps))

    def apply(self, value: Any) -> Unpacked:
        """What is inside ``value`` (bytes, or a value that an earlier unpacking left); raises Wrapped."""
        is_dirty = False
        for step in self.steps:
            if isinstance(step, tuple):
                value = value_at(value, step)
                value = None if value is ABSENT else value
            elif value is None:
                return Unpacked(None, is_dirty)
            else:
                try:
                    value, dirty = _opened(step, value)
                except (StrictJsonError, XmlFault) as error:
                    raise Wrapped(f"{step}: {error}") from None
                is_dirty = is_dirty or dirty
        return Unpacked(value, is_dirty)


def _opened(step: str, value: Any) -> tuple[Any, bool]:
    raw = value if isinstance(value, bytes) else _bytes(value)
    if step == "text":
        return raw.decode("utf-8", "replace"), False
    if step in {"xml", "soap"}:
        # Inside a text an XML declaration lies about the encoding: software writes "utf-16" there.
        raw = raw.strip() if isinstance(value, bytes) else _DECLARATION.sub(b"", raw.strip(), count=1)
        return read_soap(raw) if step == "soap" else read_xml(raw), False
    if step == "json-in-text":
        return _unwrapped(raw), False
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return parse_strict(raw), False
    except StrictJsonError:
        if step != "loose-json":
            raise
    return parse_loose(raw), True


def _unwrapped(raw: bytes) -> Any:
    value = parse_strict(raw.removeprefix(b"\xef\xbb\xbf"))
    for _ in range(_MOST_WRAPPED - 1):
        if not isinstance(value, str):
            return value
        value = parse_strict(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, str):
        raise StrictJsonError("encoded too often")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise StrictJsonError("no text where one was expected")
    return value.encode("utf-8", "surrogatepass")
