"""Elements to fields: order-free, either spelling, empty as absent, and every unknown element kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lxml import etree

from gateway.core.edxml.dates import Dated, read_date, read_moment
from gateway.core.edxml.parse import EDXML, Limits
from gateway.core.edxml.values import Extra, Oddity
from gateway.core.edxml.wording import oddity, refusal
from gateway.core.faults import Text
from gateway.core.letters import composed

#: The regulation's own misspelling is the official one; vendors who spell it right are understood.
_ALIASES: Final = {
    "Business": "Bussiness",
    "BusinessDocType": "BussinessDocType",
    "BusinessDocReason": "BussinessDocReason",
    "BusinessDocumentInfo": "BussinessDocumentInfo",
}
#: Elements that only hold the others together: paths leave them out.
_FRAME: Final = frozenset({"edXML", "edXMLEnvelope", "edXMLHeader", "edXMLBody"})
#: What stands before a name's closing brace where the name is ours: our namespace, or none.
_OURS: Final = frozenset({f"{{{EDXML}", ""})
_READABLE: Final = 100
_TRUE: Final = frozenset({"true", "1"})
_FALSE: Final = frozenset({"false", "0"})


class Findings:
    """What is met on the way through a message: oddities, and elements to be kept."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.warnings: list[Oddity] = []
        self.extra: list[Extra] = []

    def warn(self, name: str, where: str, **facts: str | int | Text) -> None:
        """Note the oddity ``name`` at ``where``; after the hundredth only that there are more."""
        if len(self.warnings) < _READABLE:
            self.warnings.append(oddity(name, where, **facts))
        elif len(self.warnings) == _READABLE:
            self.warnings.append(oddity("more-oddities", where, value=_READABLE))

    def keep(self, place: str, element: etree._Element) -> None:
        """Keep an unknown element found at ``place``; Unreadable ``too-many`` past the limit."""
        if len(self.extra) >= self.limits.extras:
            raise refusal("too-many", limit=self.limits.extras, what=Text("phần tử lạ", "unknown elements"))
        self.extra.append(Extra(place, canonical(element)))


class Part:
    """One element with known children, or the absence of it: then every field reads as absent.

    ``knows`` names the children that may stand once, ``lists`` those that may be repeated. Children without text
    are dropped; unknown ones, and repeated ones that should not be, go to ``findings.extra`` - or, where
    ``closed``, the message is refused as ``unknown-format``, because what stands there might be its very content.
    """

    def __init__(
        self,
        findings: Findings,
        element: etree._Element | None,
        place: str,
        knows: Sequence[str] = (),
        lists: Sequence[str] = (),
        *,
        closed: bool = False,
    ) -> None:
        self.findings = findings
        self.place = place
        self.present = element is not None
        self._attributes = {} if element is None else dict(element.attrib)
        self._under = "" if place in _FRAME else f"{place}/"
        self._children: dict[str, list[etree._Element]] = {}
        for child in () if element is None else element:
            name = _known_name(child)
            if name in lists or (name in knows and name not in self._children):
                if _says_something(child):
                    self._children.setdefault(name, []).append(child)
            elif _says_something(child) or any(node.attrib for node in child.iter()):
                if closed:
                    shown = f"{place}/{etree.QName(child).localname}"
                    reason = Text(
                        f"có phần tử lạ hoặc lặp {shown}", f"it has an element {shown} where none or one may be"
                    )
                    raise refusal("unknown-format", reason=reason)
                if name in knows:
                    self.warn("repeated-element", name, element=name)
                findings.keep(place, child)

    def has(self, name: str) -> bool:
        """Whether the child ``name`` says anything."""
        return name in self._children

    def attribute(self, name: str) -> str | None:
        """The element's own attribute of that name, of whatever namespace, without blanks around it; None for none."""
        found = (value for key, value in self._attributes.items() if etree.QName(str(key)).localname == name)
        return clean(str(next(found, ""))) or None

    def names_in(self, name: str) -> frozenset[str]:
        """The official names of what stands in the child ``name`` and says something; nothing is noted."""
        found = (child for element in self._children.get(name, ()) for child in element)
        return frozenset(_known_name(child) for child in found if _says_something(child))

    def part(self, name: str, knows: Sequence[str], lists: Sequence[str] = (), *, closed: bool = False) -> Part:
        """The child ``name`` with its own children; an absent part where there is none."""
        element = self._children[name][0] if name in self._children else None
        return Part(self.findings, element, f"{self._under}{name}", knows, lists, closed=closed)

    def parts(self, name: str, knows: Sequence[str], lists: Sequence[str] = ()) -> list[Part]:
        """The repeated child ``name``, numbered from 1 in their places."""
        return [
            Part(self.findings, child, f"{self._under}{name}[{number}]", knows, lists)
            for number, child in enumerate(self._children.get(name, ()), start=1)
        ]

    def text(self, name: str) -> str | None:
        """The child's text, NFC, without blanks around it; None where absent or empty."""
        return next(iter(self.texts(name)), None)

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of the repeated child ``name``, empty ones left out."""
        found = (self._text_of(child, name) for child in self._children.get(name, ()))
        return tuple(text for text in found if text)

    def payload(self, name: str) -> str | None:
        """The child's text as it stands, of any length (an attachment's base64); None where absent."""
        return "".join(self._children[name][0].itertext()) if name in self._children else None

    def date(self, name: str) -> str | None:
        """The child's date as ISO; None, with a warning, where no such day exists."""
        text = self.text(name)
        return None if text is None else self._dated(name, text, read_date(text), "date-form")

    def moment(self, name: str) -> str | None:
        """The child's moment as ISO in Viet Nam's time; None, with a warning, where it names none."""
        text = self.text(name)
        return None if text is None else self._dated(name, text, read_moment(text), "timestamp-form")

    def number(self, name: str) -> int | None:
        """The child's whole number, at most nine digits; None, with a warning, where it is none."""
        text = self.text(name)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) <= 9:
            return int(text)
        self.warn("odd-number", name, value=text)
        return None

    def flag(self, name: str) -> bool | None:
        """The child's yes or no (``1``, ``0``, ``true``, ``false``); None, with a warning, where it is neither."""
        text = self.text(name)
        if text is None:
            return None
        word = text.casefold()
        if word not in _TRUE | _FALSE:
            self.warn("odd-flag", name, value=text)
            return None
        return word in _TRUE

    def warn(self, oddity_name: str, name: str, **facts: str | int | Text) -> None:
        """Note an oddity about the child ``name``."""
        self.findings.warn(oddity_name, f"{self._under}{name}", **facts)

    def _dated(self, name: str, text: str, dated: Dated | None, form: str) -> str | None:
        if dated is None:
            self.warn("impossible-date", name, value=text)
            return None
        if not dated.official:
            self.warn(form, name, value=text, taken=dated.iso)
        return dated.iso

    def _text_of(self, child: etree._Element, name: str) -> str | None:
        if len(child):
            self.warn("unexpected-markup", name)
        text = clean("".join(child.itertext()))
        if len(text) > self.findings.limits.text:
            raise refusal("too-large", limit=self.findings.limits.text)
        return text or None


def clean(text: str) -> str:
    """``text`` as values hold it: NFC (see ``letters``), without blanks around it."""
    return composed(text).strip()


def canonical(element: etree._Element) -> str:
    """The element as a piece of XML that stands alone: exclusive C14N, so that reading it again gives the same."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False).decode()


def blank_elements(root: etree._Element) -> int:
    """How many elements under ``root`` hold neither text nor elements, the vendors' signature blocks left aside."""
    return sum(
        1
        for element in root.iter()
        if not len(element)
        and not (element.text or "").strip()
        and not any(
            etree.QName(above).localname in {"Signature", "DigitalSignature"} for above in element.iterancestors()
        )
        and etree.QName(element).localname not in {"Signature", "DigitalSignature"}
    )


def _known_name(child: etree._Element) -> str:
    """The child's official name; its full name in braces, which nothing knows, if it is of a foreign namespace."""
    tag = str(child.tag)
    namespace, _, local = tag.rpartition("}")
    return _ALIASES.get(local, local) if namespace in _OURS or local == "Signature" else tag


def _says_something(element: etree._Element) -> bool:
    text = element.text
    if text and not text.isspace():
        return True
    return len(element) > 0 and any(text and not text.isspace() for text in element.itertext())
