"""Names as expat tells them (namespace, name and prefix in one), and how they are written again in generation 2."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape, quoteattr

from gateway.core.edxml.beginning import GENERATION_1
from gateway.core.edxml.parse import EDXML, SOAP

_XML: Final = "http://www.w3.org/XML/1998/namespace"


def is_generation_1(namespace: str) -> bool:
    """Whether an element of ``namespace`` belongs to generation 1."""
    return namespace.startswith(GENERATION_1) or namespace in SOAP


def escaped(text: str) -> str:
    """The text as XML, a carriage return in it included: a bare one would be read as a line feed."""
    return escape(text, {"\r": "&#13;"})


def split(name: str) -> tuple[str, str, str]:
    """Namespace, name and prefix of what expat calls an element or attribute."""
    parts = name.split(" ")
    if len(parts) == 1:
        return "", name, ""
    return parts[0], parts[1], parts[2] if len(parts) > 2 else ""


def small(name: str) -> str:
    """The name in small letters without what divides its words: makers write Content-Type, ContentType, contentType."""
    return name.replace("-", "").replace("_", "").casefold()


def all_pairs(attributes: list[str]) -> list[tuple[str, str]]:
    """Names and values of expat's list of both."""
    return list(zip(attributes[::2], attributes[1::2], strict=True))


def pairs(attributes: list[str]) -> list[tuple[str, str]]:
    """The same with the names alone, without namespace and prefix."""
    return [(split(name)[1], value) for name, value in all_pairs(attributes)]


def written(namespace: str, local: str, prefix: str) -> tuple[str, str]:
    """The tag of a copied element, and the declaration it needs; what is generation 1 or in no namespace becomes 2."""
    if namespace in {"", EDXML} or is_generation_1(namespace):
        return f"edXML:{local}", ""
    own = prefix if prefix not in {"", "xml", "edXML"} else "other"
    return f"{own}:{local}", f" xmlns:{own}={quoteattr(namespace)}"


def attribute(number: int, name: str, value: str) -> str:
    """A copied attribute, the ``number``th of its element; empty for SOAP's own, whose packaging is gone."""
    namespace, local, _ = split(name)
    if namespace in SOAP:
        return ""
    if namespace == "":
        return f" {local}={quoteattr(value)}"
    if namespace == _XML:
        return f" xml:{local}={quoteattr(value)}"
    return f" xmlns:a{number}={quoteattr(namespace)} a{number}:{local}={quoteattr(value)}"
