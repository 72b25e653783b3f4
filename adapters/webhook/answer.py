"""One answer of a recipient, read as it arrives: bytes in, events counted, never more than was agreed. No sockets."""

from __future__ import annotations

from typing import Final

import httptools

#: All header lines of an answer together, those of interim answers (RFC 9110, 15.2) included (bytes).
MAX_HEAD: Final = 64 * 1024
#: Of an answer this much is kept: enough for a recipient's receipt.
MAX_BODY: Final = 64 * 1024
#: Interim answers before the real one.
_MOST_INTERIM: Final = 16


class NotHttp(Exception):
    """What came is no HTTP/1.1 answer, or one that is not worth reading on."""


class Answer:
    """Status, header fields (names in lower case; of a repeated one the first), body as far as it is kept."""

    __slots__ = ("body", "fields", "has_head", "is_cut", "is_whole", "may_be_kept", "status")

    def __init__(self) -> None:
        self.status = 0
        self.fields: dict[str, str] = {}
        self.body = b""
        #: The header is complete: the status may be judged.
        self.has_head = False
        #: The body came to its end.
        self.is_whole = False
        #: The body is longer than is kept.
        self.is_cut = False
        #: The connection can carry another request after it.
        self.may_be_kept = False


class Reader:
    """Reads the answers of one connection, one after the other: the parser is the dear part, and lives as long."""

    __slots__ = ("_interim", "_parser", "_read", "answer")

    def __init__(self) -> None:
        #: What is being read, or was read last.
        self.answer = Answer()
        self._interim = 0
        self._read = 0
        self._parser = httptools.HttpResponseParser(self)

    def begin(self) -> Answer:
        """The next answer, of which nothing has come yet."""
        self._interim = self._read = 0
        self.answer = Answer()
        return self.answer

    def feed(self, data: bytes) -> None:
        """More bytes from the recipient; raises NotHttp. What comes after the end of the answer is a fault, too."""
        answer = self.answer
        if not answer.has_head:
            self._read += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise NotHttp("another protocol") from None
        except httptools.HttpParserError as error:
            raise NotHttp(type(error).__name__) from None
        if not answer.has_head and self._read > MAX_HEAD:
            raise NotHttp("an endless header")

    def end(self) -> None:
        """The recipient closed: the end of a body whose length it never told."""
        answer = self.answer
        if answer.has_head and not {"content-length", "transfer-encoding"} & answer.fields.keys():
            answer.is_whole = True

    # ------------------------------------------------------------------------------- called by the parser

    def on_message_begin(self) -> None:
        """An answer begins, interim ones included; one was asked for."""
        if self.answer.is_whole:
            raise NotHttp("data after the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field."""
        self.answer.fields.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """A header ended: an interim answer's is forgotten, the real one's is judged."""
        status = self._parser.get_status_code()
        if status < 200:
            self._interim += 1
            self.answer.fields.clear()
            if self._interim > _MOST_INTERIM:
                raise NotHttp("endless interim answers")
            return
        self.answer.status = status
        self.answer.has_head = True

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        answer = self.answer
        if answer.has_head and not answer.is_cut:
            answer.body += data
            answer.is_cut = len(answer.body) > MAX_BODY

    def on_message_complete(self) -> None:
        """The end, but of an interim answer."""
        answer = self.answer
        answer.is_whole = answer.has_head
        answer.may_be_kept = answer.has_head and self._parser.should_keep_alive()
