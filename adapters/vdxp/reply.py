"""An answer of the axis read as it comes: its small members, the rows of its list, or the document in its base64.

Lists hold a hundred thousand agencies and documents two hundred megabytes: neither has to fit into memory.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from gateway.core.base64_text import Base64Text, NotBase64
from gateway.core.content import PIECE, Content, Sink

#: One value that is held in memory: a row, a message (characters).
_LONGEST_VALUE: Final = 1 << 20
_MOST_MEMBERS: Final = 100
#: Rows of a list, whatever they are.
_MOST_ROWS: Final = 1_000_000
_BLANKS: Final = " \t\r\n"


class NotAReply(Exception):
    """The bytes are not the JSON object that an answer is."""


@dataclass(slots=True)
class Reply:
    """An answer's members but ``data``; what ``data`` held; how many rows it had where it was a list."""

    members: dict[str, Any] = field(default_factory=dict)
    data: Any = None
    content: Content | None = None
    rows: int | None = None

    @property
    def code(self) -> str:
        """ErrorCode as text; where there is none, ``0`` for status OK and empty otherwise."""
        for name in ("ErrorCode", "errorCode"):
            value = self.members.get(name)
            if value is not None:
                return str(value).strip()
        return "0" if str(self.members.get("status", "")).upper() in {"OK", "SUCCESS"} else ""

    @property
    def is_success(self) -> bool:
        """ErrorCode 0, and no FAIL beside it."""
        return self.code == "0" and str(self.members.get("status", "OK")).upper() != "FAIL"


def read_reply(
    file: BinaryIO, *, on_row: Callable[[dict[str, Any]], None] | None = None, sink: Sink | None = None
) -> Reply:
    """The answer in ``file``.

    ``on_row`` is given each object of a list in ``data``; ``sink`` takes what its base64 says; without either ``data``
    is kept as it is. Raises NotAReply, NotBase64. An error of the axis may only show after its rows: look at the reply
    before using them.
    """
    text = _Text(file)
    reply = Reply()
    text.expect("{")
    if text.peek() == "}":
        return reply
    for _ in range(_MOST_MEMBERS):
        name = text.value()
        if not isinstance(name, str):
            raise NotAReply
        text.expect(":")
        first = text.peek()
        if name == "data" and on_row is not None and first == "[":
            reply.rows = _rows(text, on_row)
        elif name == "data" and sink is not None and first == '"':
            reply.content = _decoded(text, sink)
        elif name == "data":
            reply.data = text.value()
        else:
            reply.members[name] = text.value()
        if text.peek() != ",":
            text.expect("}")
            return reply
        text.expect(",")
    raise NotAReply


def _rows(text: _Text, on_row: Callable[[dict[str, Any]], None]) -> int:
    text.expect("[")
    count = 0
    if text.peek() == "]":
        text.expect("]")
        return 0
    while True:
        row = text.value()
        count += 1
        if count > _MOST_ROWS:
            raise NotAReply
        if isinstance(row, dict):
            on_row(row)
        if text.peek() != ",":
            text.expect("]")
            return count
        text.expect(",")


def _decoded(text: _Text, sink: Sink) -> Content:
    # Either alphabet is read, and an end without its padding.
    decoder = Base64Text(sink.write, takes_url=True, may_lack_padding=True)
    for piece in text.string():
        try:
            decoder.feed(piece.encode("ascii"))
        except UnicodeEncodeError:
            raise NotBase64("a letter that is no base64") from None
    decoder.end()
    return sink.done()


class _Text:
    """JSON text, a piece at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(parse_constant=_refuse)
        self._buffer = ""
        self._at = 0
        self._is_over = False

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _BLANKS:
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def expect(self, character: str) -> None:
        """Step over ``character``; raises NotAReply where another one stands."""
        if self.peek() != character:
            raise NotAReply
        self._at += 1

    def value(self) -> Any:
        """The next whole value."""
        self.peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._buffer, self._at)
            except (json.JSONDecodeError, RecursionError):
                end, value = -1, None
            # A number may go on in the next piece.
            if end >= 0 and (end < len(self._buffer) or self._is_over):
                self._at = end
                return value
            if len(self._buffer) - self._at > _LONGEST_VALUE or not self._more():
                if end >= 0:
                    self._at = end
                    return value
                raise NotAReply

    def string(self) -> Any:
        """The next string, in pieces."""
        self.expect('"')
        while True:
            stop = self._stop()
            yield self._buffer[self._at : stop]
            self._at = stop
            mark = self._buffer[stop : stop + 1]
            if mark == '"':
                self._at += 1
                return
            if mark and self._has_escape():
                piece, length = _unescaped(self._buffer[self._at : self._at + 6])
                yield piece
                self._at += length
            elif not self._more():
                raise NotAReply

    def _stop(self) -> int:
        """Where the next quote or backslash stands, or the end of what was read."""
        quote = self._buffer.find('"', self._at)
        end = len(self._buffer) if quote < 0 else quote
        escape = self._buffer.find("\\", self._at, end)
        return end if escape < 0 else escape

    def _has_escape(self) -> bool:
        length = 6 if self._buffer[self._at + 1 : self._at + 2] == "u" else 2
        return len(self._buffer) - self._at >= length

    def _more(self) -> bool:
        """Read on; False at the end."""
        if self._is_over:
            return False
        piece = self._file.read(PIECE)
        try:
            text = self._decode.decode(piece, final=not piece)
        except UnicodeDecodeError:
            raise NotAReply from None
        self._buffer, self._at = self._buffer[self._at :] + text, 0
        self._is_over = not piece
        return not self._is_over


def _unescaped(six: str) -> tuple[str, int]:
    length = 6 if six[1] == "u" else 2
    try:
        return json.loads(f'"{six[:length]}"'), length
    except ValueError:
        raise NotAReply from None


def _refuse(_: str) -> Any:
    raise NotAReply
