"""A message as a tree of named nodes, and the tree as XML in whatever prefix, order, spelling and spacing is wanted."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.core.edxml.values import DocumentMessage, StatusMessage

Message = DocumentMessage | StatusMessage
EDXML: Final = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", '"': "&quot;"})


@dataclass(frozen=True)
class Written:
    """What a vendor's software made of a message.

    ``expected``: what is read of it, differences by that vendor included; ``warnings``: those that must be among the
    reader's; ``refused``: the name under which it must be refused instead.
    """

    raw: bytes
    expected: Message
    warnings: frozenset[str] = frozenset()
    refused: str | None = None


#: One vendor's software: the same message and the same state of chance give the same bytes.
Writer = Callable[[Message, random.Random], Written]


@dataclass
class Node:
    """An element: text or children; ``stands`` even where it says nothing."""

    name: str
    text: str = ""
    children: list[Node] = field(default_factory=list)
    attributes: str = ""
    stands: bool = False

    def says_something(self) -> bool:
        """Whether it would be missed."""
        return bool(self.text) or self.stands or any(child.says_something() for child in self.children)

    def child(self, name: str) -> Node:
        """Its first child of that name."""
        return next(child for child in self.children if child.name == name)

    def every(self, name: str) -> list[Node]:
        """All nodes of that name, itself and below."""
        return [self] * (self.name == name) + [found for child in self.children for found in child.every(name)]


def leaf(name: str, value: object) -> Node:
    """An element with a text; empty for None."""
    if isinstance(value, bool):
        return Node(name, str(value).lower())
    return Node(name, "" if value is None else str(value))


def group(name: str, *children: Node, stands: bool = False, attributes: str = "") -> Node:
    """An element with elements in it."""
    return Node(name, children=list(children), stands=stands, attributes=attributes)


def escaped(text: str) -> str:
    """The text as XML."""
    return text.translate(_ESCAPES)


@dataclass(frozen=True)
class Hand:
    """How a vendor writes XML: the prefix before names, what they are called, whether empty elements are written."""

    prefix: str = "edXML:"
    spelt: Mapping[str, str] = field(default_factory=dict)
    empties: bool = False
    indent: str = "  "
    end: str = "\n"
    aside: str = ""

    def lines(self, nodes: Sequence[Node], depth: int) -> str:
        """The nodes as indented lines."""
        return "".join(self._lines(node, depth) for node in nodes if self.empties or node.says_something())

    def _lines(self, node: Node, depth: int) -> str:
        name = f"{self.prefix}{self.spelt.get(node.name, node.name)}"
        margin, attributes = self.indent * depth, node.attributes
        if node.children:
            inside = self.lines(node.children, depth + 1)
            return f"{margin}<{name}{attributes}>{self.end}{inside}{margin}</{name}>{self.end}"
        if not node.text:
            return f"{margin}<{name}{attributes}/>{self.end}"
        aside = f"{margin}{self.aside}{self.end}" if self.aside else ""
        return f"{aside}{margin}<{name}{attributes}>{escaped(node.text)}</{name}>{self.end}"
