"""What stands before reading a message: its encoding made UTF-8, generation 1 told in the words of generation 2.

The bytes that came are never touched: what is made here is read and thrown away.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final
from xml.parsers import expat

from gateway.core.content import Content, NewSink
from gateway.core.edxml.encodings import as_utf8
from gateway.core.edxml.generation1 import retold, unpacked
from gateway.core.edxml.mime import looks_packed
from gateway.core.edxml.names import is_generation_1
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.values import Oddity
from gateway.core.edxml.wording import oddity, refusal

#: The oddity of a file with an access token in it.
CREDENTIALS: Final = "credentials-inside"
_HEAD: Final = 65_536
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n\x00"


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A message of generation 2 in UTF-8, or what nobody can read; what was done to it, and the limits it is under."""

    content: Content
    limits: Limits
    oddities: tuple[Oddity, ...] = ()

    @property
    def is_as_it_came(self) -> bool:
        """Whether it may be handed on as it is to who reads generation 2 in UTF-8."""
        return not self.oddities


def unwrapped(raw: Content, limits: Limits, new_sink: NewSink) -> Unwrapped:
    """``raw`` as the reader of generation 2 takes it; what is none of ours comes back as it is.

    Raises Unreadable: ``too-large``, ``wrong-encoding``, and for generation 1 what ``retold`` raises.
    """
    if raw.size > limits.size:
        raise refusal("too-large", limit=limits.size)
    content, was = as_utf8(raw, new_sink)
    oddities = [] if was is None else [oddity("converted-encoding", "edXML", value=was)]
    with content.open() as file:
        head = file.read(_HEAD)
    told = None
    if looks_packed(head):
        told = unpacked(content, limits, new_sink)
    elif is_generation_1(_root_namespace(head)):
        told = retold(content, limits, new_sink)
    if told is not None:
        content = told.content
        oddities.append(oddity("generation-1", "edXML"))
        if told.was is not None:
            oddities.append(oddity("converted-encoding", "edXML", value=told.was))
        if told.had_credentials:
            oddities.append(oddity(CREDENTIALS, "edXML"))
    # Base64 and another encoding may make of a message within its limits a longer one.
    return Unwrapped(content, replace(limits, size=max(limits.size, content.size)), tuple(oddities))


def _root_namespace(head: bytes) -> str:
    """The namespace of the first element in ``head``; empty where there is none."""
    found: list[str] = []
    parser = expat.ParserCreate("UTF-8", namespace_separator=" ")

    def start(name: str, _attributes: object) -> None:
        found.append(name.rpartition(" ")[0])
        parser.StartElementHandler = None

    parser.StartElementHandler = start
    with suppress(expat.ExpatError):
        parser.Parse(head.lstrip(_BLANKS), False)  # noqa: FBT003 - expat takes it by position alone
    return found[0] if found else ""
