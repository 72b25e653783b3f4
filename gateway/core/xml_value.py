"""XML as plain values and back: what rules can read and write, within limits and without any document type. Pure.

An element with element children is an object (names without their prefix; one that comes several times is a list),
any other is its text. Attributes are not read. Written elements stand in an order that somebody names: services that
check the order of a sequence refuse every other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lxml import etree

MOST_BYTES: Final = 8 << 20
_DEEPEST: Final = 40
_MOST_ELEMENTS: Final = 200_000
SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
#: The same frame as SOAP 1.2 writes it.
SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"


class XmlFault(ValueError):
    """It is no XML as this file says; the text names the reason, never the content."""


class Tag(NamedTuple):
    """The element around what is asked: its name, namespace and prefix; whether its children are in that, too."""

    name: str
    namespace: str = ""
    prefix: str = ""
    is_qualified: bool = True


def read_xml(raw: bytes) -> dict[str, Any]:
    """``{root's name: value}``; raises XmlFault."""
    if len(raw) > MOST_BYTES:
        raise XmlFault("too large")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    if b"<!DOCTYPE" in raw[:4096]:
        raise XmlFault("a document type")
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlFault(type(error).__name__) from None
    if root.getroottree().docinfo.doctype:
        raise XmlFault("a document type")
    if sum(1 for _ in root.iter()) > _MOST_ELEMENTS:
        raise XmlFault("too many elements")
    return {etree.QName(root).localname: _value(root, 1)}


def read_soap(raw: bytes) -> dict[str, Any]:
    """What stands in the body of a SOAP envelope, the envelope left out; raises XmlFault for anything else."""
    value = read_xml(raw)
    envelope = value.get("Envelope")
    body = envelope.get("Body") if isinstance(envelope, dict) else None
    if not isinstance(body, dict):
        raise XmlFault("no SOAP body")
    return body


def write_xml(value: Mapping[str, Any], tag: Tag, order: Sequence[str] = ()) -> bytes:
    """``value`` as the children of an element, in the order of ``order`` (names, with ``/`` below their parents').

    Raises XmlFault where a member has no place in an order that is given, or its text cannot stand in XML.
    """
    return bytes(etree.tostring(_written(value, tag, order), xml_declaration=True, encoding="UTF-8"))


def write_soap(value: Mapping[str, Any], tag: Tag, order: Sequence[str] = (), frame: str = SOAP) -> bytes:
    """The same inside a SOAP envelope; ``frame`` is its namespace."""
    envelope = etree.Element(etree.QName(frame, "Envelope"), nsmap={"soap": frame})
    body = etree.SubElement(envelope, etree.QName(frame, "Body"))
    body.append(_written(value, tag, order))
    return bytes(etree.tostring(envelope, xml_declaration=True, encoding="UTF-8"))


def _value(element: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise XmlFault("nested too deeply")
    children = [child for child in element if isinstance(child.tag, str)]
    if not children:
        return element.text or ""
    found: dict[str, Any] = {}
    many: set[str] = set()
    for child in children:
        name, value = etree.QName(child).localname, _value(child, depth + 1)
        if name not in found:
            found[name] = value
        elif name in many:
            found[name].append(value)
        else:
            found[name] = [found[name], value]
            many.add(name)
    return found


def _written(value: Mapping[str, Any], tag: Tag, order: Sequence[str]) -> Any:
    places = {path: position for position, path in enumerate(order)}
    space = tag.namespace or None
    try:
        root = etree.Element(etree.QName(space, tag.name), nsmap={tag.prefix or None: space} if space else None)
        _fill((root, ""), value, space if tag.is_qualified else None, places)
    except (ValueError, TypeError):
        raise XmlFault("something that XML cannot hold, or that has no place in the order") from None
    return root


def _fill(parent: tuple[Any, str], value: Mapping[str, Any], space: str | None, places: Mapping[str, int]) -> None:
    above, at = parent
    if at.count("/") > _DEEPEST:
        raise XmlFault("nested too deeply")
    names = list(value)
    if places:
        if any(at + name not in places for name in names):
            raise XmlFault("a member has no place in the order")
        names.sort(key=lambda name: places[at + name])
    for name in names:
        for item in value[name] if isinstance(value[name], list) else [value[name]]:
            element = etree.SubElement(above, etree.QName(space, name))
            if isinstance(item, Mapping):
                _fill((element, f"{at}{name}/"), item, space, places)
            elif item is not None:
                element.text = ("true" if item else "false") if isinstance(item, bool) else str(item)
