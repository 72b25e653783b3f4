"""Base64 text decoded as it comes, in pieces of any length: the verdict is the same however the text was cut."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Final

import pybase64

_BLANKS: Final = b" \t\r\n"
_PLAIN: Final = bytes(range(256))
#: Of the alphabet for addresses (RFC 4648, 5) into the usual one.
_OF_URL: Final = bytes.maketrans(b"-_", b"+/")


class NotBase64(ValueError):
    """The text is no base64, or not all of it; the message never holds any of it."""


class Base64Text:
    """Reads one text. Blanks in it are left out; after its padding nothing may come.

    ``takes_url``: the alphabet for addresses is read, too; ``may_lack_padding``: the end may lack its ``=``.
    """

    __slots__ = ("_alphabet", "_is_over", "_left", "_may_lack_padding", "_write")

    def __init__(
        self, write: Callable[[bytes], object], *, takes_url: bool = False, may_lack_padding: bool = False
    ) -> None:
        """``write`` takes the bytes as they come."""
        self._write = write
        self._alphabet = _OF_URL if takes_url else _PLAIN
        self._may_lack_padding = may_lack_padding
        self._left = b""
        self._is_over = False

    def feed(self, text: bytes) -> None:
        """More of it; raises NotBase64."""
        text = self._left + text.translate(self._alphabet, _BLANKS)
        ready = len(text) - len(text) % 4
        self._left = text[ready:]
        if ready:
            self._decode(text[:ready])

    def end(self) -> None:
        """There is no more; raises NotBase64 where something is missing."""
        if self._left and self._may_lack_padding:
            self._left += b"=" * (4 - len(self._left))
            self._decode(self._left)
        elif self._left:
            raise NotBase64("base64 of a length that there is not")

    def _decode(self, text: bytes) -> None:
        if self._is_over:
            raise NotBase64("more after the end of base64")
        try:
            self._write(pybase64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            raise NotBase64("something that is no base64") from None
        self._is_over = text.endswith(b"=")
