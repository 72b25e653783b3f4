"""Long texts lifted out of a JSON answer piece by piece, and base64 both ways: files in answers need no memory.

Far sides put a whole document into one member of a JSON object. What is short is read as JSON always is; a longer text
goes into a sink as it comes, decoded, and only its place is kept.
"""

from __future__ import annotations

import base64
import codecs
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.base64_text import Base64Text
from gateway.core.content import Content, InMemory, NewSink, Sink, pieces
from gateway.core.strictjson import StrictJsonError, parse_strict

#: A text longer than this goes into a sink (characters).
LONG: Final = 64 * 1024
#: What may be left of an answer when its long texts are gone (bytes).
_MOST_REST: Final = 8 << 20
#: Long texts in one answer.
_MOST_LIFTED: Final = 200
#: What stands in the place of a lifted text; a control character can stand in no JSON text unescaped.
_MARK: Final = "\\u0000lifted:"
_QUOTE_OR_ESCAPE: Final = re.compile(r'["\\]')
_ESCAPE: Final = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|[^u])", re.DOTALL)
_HIGH: Final = re.compile(r"\\u[dD][89abAB][0-9A-Fa-f]{2}\Z")


@dataclass(frozen=True, slots=True)
class Lifted:
    """An answer as JSON whose long texts were lifted; see :meth:`text`."""

    value: Any
    _texts: tuple[Content, ...]

    def text(self, *path: str | int) -> Content | None:
        """The text at a path of member names and array positions as UTF-8 bytes, lifted or not; None where there is
        none.
        """
        value = self.value
        for name in path:
            value = _below(value, name)
        if not isinstance(value, str):
            return None
        if value.startswith("\x00lifted:"):
            number = value.partition(":")[2]
            # The far side may have written this: of other digits, or more of them, no number is made.
            is_one = number.isascii() and number.isdigit() and len(number) <= len(str(_MOST_LIFTED))
            return self._texts[int(number)] if is_one and int(number) < len(self._texts) else None
        return InMemory(value.encode("utf-8", "surrogatepass"))


def _below(value: Any, name: str | int) -> Any:
    if isinstance(name, int):
        return value[name] if isinstance(value, list) and 0 <= name < len(value) else None
    return value.get(name) if isinstance(value, dict) else None


def lift(content: Content, new_sink: NewSink) -> Lifted:
    """The JSON in ``content``, its long texts in sinks.

    Raises StrictJsonError where it is no JSON, or where too much of it is left besides long texts.
    """
    scan = _Scan(new_sink)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces(content):
            scan.feed(decoder.decode(piece))
        scan.feed(decoder.decode(b"", final=True))
    except UnicodeDecodeError:
        raise StrictJsonError("invalid UTF-8") from None
    value = parse_strict(scan.rest())
    return Lifted(value, tuple(scan.texts))


class _Scan:
    """Reads JSON text as it comes: inside a string or outside, nothing more is understood."""

    def __init__(self, new_sink: NewSink) -> None:
        self._new_sink = new_sink
        self._rest: list[str] = []
        self._size = 0
        self._pending = ""
        self._inside = False
        #: The string being read, undecoded, until it is found to be long.
        self._short: list[str] = []
        self._length = 0
        self._sink: Sink | None = None
        self.texts: list[Content] = []

    def feed(self, text: str) -> None:
        """More of it."""
        text, self._pending = self._pending + text, ""
        at = 0
        while at < len(text):
            if not self._inside:
                quote = text.find('"', at)
                if quote < 0:
                    self._keep(text[at:])
                    return
                self._keep(text[at:quote])
                self._inside, at = True, quote + 1
                continue
            end, self._pending, is_closed = _string(text, at)
            self._take(text[at:end])
            if not is_closed:
                return
            self._close()
            at = end + 1

    def rest(self) -> bytes:
        """The JSON without its long texts; raises StrictJsonError where it broke off inside one."""
        if self._inside:
            raise StrictJsonError("the text breaks off")
        return "".join(self._rest).encode("utf-8", "surrogatepass")

    def _keep(self, text: str) -> None:
        self._size += len(text)
        if self._size > _MOST_REST:
            raise StrictJsonError("too large")
        self._rest.append(text)

    def _take(self, raw: str) -> None:
        self._length += len(raw)
        if self._sink is None:
            self._short.append(raw)
            if self._length <= LONG:
                return
            if len(self.texts) >= _MOST_LIFTED:
                raise StrictJsonError("too many long texts")
            self._sink = self._new_sink()
            raw = "".join(self._short)
            self._short = []
        self._sink.write(_decoded(raw))

    def _close(self) -> None:
        if self._sink is None:
            self._keep('"' + "".join(self._short) + '"')
        else:
            self._keep(f'"{_MARK}{len(self.texts)}"')
            self.texts.append(self._sink.done())
        self._inside, self._short, self._length, self._sink = False, [], 0, None


def _string(text: str, at: int) -> tuple[int, str, bool]:
    """Up to where the string that goes on at ``at`` can be taken, what must wait for more, and whether it closes."""
    start = at
    while (found := _QUOTE_OR_ESCAPE.search(text, at)) is not None:
        if found.group() == '"':
            return found.start(), "", True
        escape = _ESCAPE.match(text, found.start())
        # The two halves of a letter beyond the first plane belong together.
        is_half = escape is not None and _HIGH.match(escape.group()) and len(text) - escape.end() < 6
        if escape is None or is_half:
            # It may be complete once more has come.
            if len(text) - found.start() >= 12:
                raise StrictJsonError("a broken escape")
            return max(start, found.start()), text[found.start() :], False
        at = escape.end()
        if _HIGH.match(escape.group()) and (low := _ESCAPE.match(text, at)) is not None:
            at = low.end()
    return len(text), "", False


def _decoded(raw: str) -> bytes:
    if "\\" not in raw:
        return raw.encode()
    try:
        return str(json.loads(f'"{raw}"')).encode()
    except ValueError:
        raise StrictJsonError("a broken text") from None


# --------------------------------------------------------------------------------------------------- base64


def from_base64(text: Content, new_sink: NewSink) -> Content:
    """The bytes behind base64 text, blanks in it left out; raises ValueError for anything else in it."""
    sink = new_sink()
    decoder = Base64Text(sink.write)
    for piece in pieces(text):
        decoder.feed(piece)
    decoder.end()
    return sink.done()


def to_base64(content: Content, new_sink: NewSink) -> Content:
    """``content`` as base64 text without blanks."""
    sink = new_sink()
    left = b""
    for piece in pieces(content):
        left += piece
        ready = len(left) - len(left) % 3
        sink.write(base64.b64encode(left[:ready]))
        left = left[ready:]
    sink.write(base64.b64encode(left))
    return sink.done()
