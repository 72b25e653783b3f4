"""The sheet an edXML message is written on: elements that vanish when empty, texts escaped, prefixes exact."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from lxml import etree

from gateway.core.content import Content, Sink, pieces
from gateway.core.edxml.fields import canonical, clean
from gateway.core.edxml.parse import EDXML
from gateway.core.edxml.values import Extra, Unwritable
from gateway.core.faults import Text

#: The prefix is declared where the official software declares it: on the envelope, and again on each content.
DECLARED: Final = f' xmlns:edXML="{EDXML}"'
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_NUMBER: Final = re.compile(r"\[\d+\]\Z")


class Branch:
    """An element being written; one that comes to hold nothing is left out, unless it has to stand."""

    def __init__(self, tag: str, attributes: str = "", *, stands: bool = False) -> None:
        self._tag = tag
        self._attributes = attributes
        self.stands = stands
        self._inside: list[Branch | str | _Encoded] = []

    def add(self, branch: Branch) -> Branch:
        """Hang ``branch`` under this one, and give it back."""
        self._inside.append(branch)
        return branch

    def branch(self, name: str, attributes: str = "", *, stands: bool = False) -> Branch:
        """A new prefixed element under this one."""
        return self.add(Branch(f"edXML:{name}", attributes, stands=stands))

    def leaf(self, name: str, value: str | int | bool | None) -> None:  # noqa: FBT001 - a flag is a value here
        """A prefixed element with a text; nothing for None or a text of blanks. Raises Unwritable."""
        text = escaped(value)
        if text:
            self._inside.append(f"<edXML:{name}>{text}</edXML:{name}>")

    def raw(self, xml: str) -> None:
        """A finished piece of XML."""
        self._inside.append(xml)

    def encoded(self, name: str, attributes: str, content: Content) -> None:
        """A prefixed element with a file in base64."""
        self._inside.append(_Encoded(f"<edXML:{name}{attributes}>", content, f"</edXML:{name}>"))

    def render(self, into: list[str | Content], depth: int = 0) -> None:
        """Append this element's lines to ``into``, two blanks a level; a file stands there for its base64."""
        if not (self.stands or self.says_something()):
            return
        indent = "  " * depth
        into.append(f"{indent}<{self._tag}{self._attributes}>\n")
        for inside in self._inside:
            if isinstance(inside, Branch):
                inside.render(into, depth + 1)
            elif isinstance(inside, _Encoded):
                into += [f"{indent}  {inside.opening}", inside.content, f"{inside.closing}\n"]
            else:
                into.append(f"{indent}  {inside}\n")
        into.append(f"{indent}</{self._tag}>\n")

    def says_something(self) -> bool:
        """Whether anything in here would be written."""
        return any(
            not isinstance(inside, Branch) or inside.stands or inside.says_something() for inside in self._inside
        )


class _Encoded(NamedTuple):
    """An element whose text is a file in base64."""

    opening: str
    content: Content
    closing: str


class Sheet:
    """A message being written, with its branches by the places that extras name."""

    def __init__(self) -> None:
        self.root = Branch("edXML", f' xmlns="{EDXML}"', stands=True)
        envelope = self.root.add(Branch("edXML:edXMLEnvelope", DECLARED, stands=True))
        self.header = envelope.branch("edXMLHeader", stands=True)
        self.envelope = envelope
        self.message = self.header.branch("MessageHeader", stands=True)
        self.places = {"edXMLHeader": self.header, "MessageHeader": self.message}

    def at(self, place: str, branch: Branch) -> Branch:
        """Note that ``branch`` stands at ``place``."""
        self.places[place] = branch
        return branch

    def under(self, place: str, name: str, *, number: int | None = None, stands: bool = False) -> Branch:
        """A new branch ``name`` under ``place``, noted with its number where it is one of several."""
        mark = "" if number is None else f"[{number}]"
        return self.at(f"{place}/{name}{mark}", self.places[place].branch(name, stands=stands))

    def give_back(self, extras: tuple[Extra, ...]) -> None:
        """Put every extra under the element it was found in, or the nearest one above that is still there."""
        for extra in extras:
            place = extra.place
            while place and place not in self.places:
                place = _NUMBER.sub("", place) if _NUMBER.search(place) else place.rpartition("/")[0]
            self.places.get(place, self.header).raw(_extra(extra))

    def written(self, sink: Sink) -> Content:
        """The whole file, in ``sink``."""
        lines: list[str | Content] = ['<?xml version="1.0" encoding="UTF-8"?>\n']
        self.root.render(lines)
        gathered: list[str] = []
        for line in lines:
            if isinstance(line, str):
                gathered.append(line)
                continue
            sink.write("".join(gathered).encode())
            gathered.clear()
            for encoded in _base64(line):
                sink.write(encoded)
        sink.write("".join(gathered).encode())
        return sink.done()


def _base64(content: Content) -> Iterator[bytes]:
    """The file in base64 without line breaks."""
    held = b""
    for piece in pieces(content):
        held += piece
        # Three bytes make four letters: what is left over waits for the next piece.
        even = len(held) // 3 * 3
        yield base64.b64encode(held[:even])
        held = held[even:]
    yield base64.b64encode(held)


def escaped(value: str | float | None) -> str:
    """The value as text of an element, empty for None; flags in small letters. Raises Unwritable ``not-xml-text``."""
    if value is None:
        return ""
    text = clean(str(value).lower() if isinstance(value, bool) else str(value))
    if _NOT_XML.search(text):
        raise Unwritable(
            "not-xml-text",
            Text(
                "Nội dung có ký tự điều khiển mà XML không chứa được. Đơn vị gửi cần bỏ ký tự đó rồi gửi lại.",
                "A text holds a control character that XML cannot carry. The sender must remove it and send again.",
            ),
        )
    return text.translate(_ESCAPES)


def _extra(extra: Extra) -> str:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False)
    try:
        element = etree.fromstring(extra.xml.encode(), parser)
        doctype = element.getroottree().docinfo.doctype
    except (etree.XMLSyntaxError, ValueError):
        doctype = "unreadable"
        element = None
    if element is None or doctype:
        raise Unwritable(
            "bad-extra",
            Text(
                f"Phần tử bổ sung tại {extra.place[:80]} không phải là XML hợp lệ. Đơn vị gửi cần sửa rồi gửi lại.",
                f"The extra element at {extra.place[:80]} is not valid XML. The sender must mend it and send again.",
            ),
        )
    alone = canonical(element)
    tag, _, _ = alone.partition(">")
    # Here it comes to stand under a default namespace that is not its own.
    return alone if ' xmlns="' in tag else re.sub(r"^<[^\s/>]+", r'\g<0> xmlns=""', alone)
