"""JSON as careless software writes it, read as a last resort: where strict reading works, nobody comes here. Pure.

Understood besides JSON: names without quotes, a comma too much before a closing bracket, a quote inside a text that
nobody escaped, ``=`` for ``:`` and texts without quotes (a printed Java map). What was read so is *dirty*: the reader
says so, and whoever describes the far side must have allowed it. Bounded in size, depth and time (one pass).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.strictjson import StrictJsonError, parse_strict

_MOST: Final = 4 << 20
_DEEPEST: Final = 32
_BLANK: Final = " \t\r\n\ufeff"
#: What may follow the quote that ends a text.
_AFTER: Final = ",}]:="
_WORDS: Final = {"true": True, "false": False, "null": None}


def parse_loose(raw: bytes) -> Any:
    """The value; raises StrictJsonError naming the reason, never the content."""
    if len(raw) > _MOST:
        raise StrictJsonError("too large")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise StrictJsonError("invalid UTF-8") from None
    reader = _Reader(text)
    if reader.peek() not in {"{", "["}:
        raise StrictJsonError("no object and no list")
    value = reader.value(1)
    if reader.peek():
        raise StrictJsonError("more after the end")
    # What was read must be something that JSON can say: no lone surrogates, no doubled names.
    return parse_strict(json.dumps(value).encode(), max_depth=_DEEPEST + 1)


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0

    def peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at] in _BLANK:
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise StrictJsonError(f"nested deeper than {_DEEPEST}")
        sign = self.peek()
        if sign == "{":
            return self._object(depth)
        if sign == "[":
            return self._array(depth)
        if sign == '"':
            return self._quoted()
        return self._bare(",}]")

    def _object(self, depth: int) -> dict[str, Any]:
        self.at += 1
        found: dict[str, Any] = {}
        while (sign := self.peek()) != "}":
            if not sign:
                raise StrictJsonError("the text breaks off")
            name = self._quoted() if sign == '"' else str(self._word(":=,}"))
            if not name or name in found:
                raise StrictJsonError("a doubled or empty member name")
            if self.peek() not in {":", "="}:
                raise StrictJsonError("a member without a value")
            self.at += 1
            found[name] = self.value(depth + 1)
            self._next("}")
        self.at += 1
        return found

    def _array(self, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while (sign := self.peek()) != "]":
            if not sign:
                raise StrictJsonError("the text breaks off")
            found.append(self.value(depth + 1))
            self._next("]")
        self.at += 1
        return found

    def _next(self, end: str) -> None:
        sign = self.peek()
        if sign == ",":
            self.at += 1
        elif sign != end:
            raise StrictJsonError("a comma or a bracket is missing")

    def _quoted(self) -> str:
        """A text up to the first quote after which JSON can go on: one that stands before anything else is its own."""
        self.at += 1
        start = self.at
        while (found := self.text.find('"', self.at)) >= 0:
            slashes = 0
            while found - slashes > start and self.text[found - slashes - 1] == "\\":
                slashes += 1
            self.at = found + 1
            if slashes % 2:
                continue
            if self.peek() in {*_AFTER, ""}:
                return _unescaped(self.text[start:found])
            self.at = found + 1
        raise StrictJsonError("the text breaks off")

    def _bare(self, ends: str) -> Any:
        word = self._word(ends)
        if word in _WORDS:
            return _WORDS[word]
        try:
            value = json.loads(word)
        except ValueError:
            return word
        return word if isinstance(value, float) else value

    def _word(self, ends: str) -> str:
        self.peek()
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ends:
            if self.text[self.at] in '{["':
                raise StrictJsonError("a bracket or a quote inside a bare word")
            self.at += 1
        word = self.text[start : self.at].strip(_BLANK)
        if not word:
            raise StrictJsonError("an empty value")
        return word


def _unescaped(raw: str) -> str:
    """The text behind its escapes; unescaped quotes and line ends in it count as themselves."""
    if "\\" not in raw:
        return raw
    parts: list[str] = []
    at = 0
    while at < len(raw):
        step = 2 if raw[at] == "\\" else 1
        parts.append("\\" + raw[at] if raw[at] == '"' else raw[at : at + step])
        at += step
    try:
        return str(json.loads('"' + "".join(parts) + '"', strict=False))
    except ValueError:
        raise StrictJsonError("a broken escape") from None
