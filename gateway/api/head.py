"""The head of a plain POST of messages: read strictly, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import httptools

from gateway.api.taking import BATCH, DOOR, SEALED

#: How every plain post begins; a connection that begins otherwise is none.
BEGINNING: Final = f"POST {DOOR} HTTP/1.1\r\n".encode()
END: Final = b"\r\n\r\n"
#: A head is at most this long, and has at most so many fields.
MAX_HEAD: Final = 8190
_MOST_FIELDS: Final = 64
#: Fields that ask for something that a plain post does not know.
_NOT_PLAIN: Final = frozenset(
    (b"expect", b"transfer-encoding", b"content-encoding", b"upgrade", b"authorization", b"trailer", b"te")
)


@dataclass(slots=True)
class Head:
    """What a plain post says before its body: its kind, its length in bytes, how to answer, whom it belongs to."""

    kind: str = ""
    size: int = -1
    language: str = ""
    trace: str = ""
    is_plain: bool = True
    _fields: int = field(default=0, repr=False)

    @property
    def is_batch(self) -> bool:
        """Whether the body is a batch of envelopes."""
        return self.kind == BATCH

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field; called by the parser, which has checked its form."""
        self._fields += 1
        match name.lower():
            case b"content-type":
                self.is_plain &= not self.kind
                self.kind = value.decode("latin-1").partition(";")[0].strip().lower()
            case b"content-length":
                self.size = int(value) if len(value) < 10 else -1
            case b"accept-language":
                self.is_plain &= not self.language
                self.language = value.decode("latin-1")
            case b"traceparent":
                self.trace = value.decode("latin-1")
            case b"connection":
                self.is_plain &= value.lower() == b"keep-alive"
            case other:
                self.is_plain &= other not in _NOT_PLAIN


@lru_cache(maxsize=256)
def read_head(raw: bytes) -> Head | None:
    """The head in ``raw`` (all of it, the empty line included); None where it is not a plain post in good form.

    A sender says the same again and again: the same bytes are read once, and nobody changes what they say.
    """
    head = Head()
    try:
        httptools.HttpRequestParser(head).feed_data(raw)
    except httptools.HttpParserError:
        return None
    is_one = head.is_plain and head.kind in {SEALED, BATCH} and head.size > 0 and head._fields <= _MOST_FIELDS
    return head if is_one else None
