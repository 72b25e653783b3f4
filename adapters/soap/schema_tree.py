"""What a schema says of the order of elements: values written in it, and elements read into values by it.

Understood: sequences, choices, xs:all, groups, references, extensions and restrictions of complex types. A member
``@name`` is an attribute, ``#text`` the text of an element that has attributes, too; null is xsi:nil.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from lxml import etree

from adapters.soap.schema_files import XS, SchemaFiles, elements

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_DEEPEST: Final = 40
_MOST_ELEMENTS: Final = 200_000
_GROUPING: Final = {f"{{{XS}}}{name}" for name in ("sequence", "choice", "all")}


class Unfit(ValueError):
    """A value has no place in the schema; the text names members, never what is in them."""


class Particle(NamedTuple):
    """A child that may stand in an element. ``tag``: its name with namespace; ``node``: its declaration."""

    name: str
    tag: str
    node: Any
    is_list: bool


class SchemaTree:
    """All declarations of a WSDL's schemas."""

    def __init__(self, files: SchemaFiles) -> None:
        self._home = {schema: space for space, schema in files.schemas}
        self._elements = {(space, name): node for space, name, node in elements(files.schemas, "element")}
        self._types = {(space, name): node for space, name, node in elements(files.schemas, "complexType")}
        self._groups = {(space, name): node for space, name, node in elements(files.schemas, "group")}
        self._known: dict[Any, list[Particle]] = {}

    def element(self, space: str, name: str) -> Any:
        """The declaration of a top-level element; None where there is none."""
        return self._elements.get((space, name))

    def written(self, tag: str, node: Any, value: Mapping[str, Any]) -> Any:
        """An element with this value, its children in the schema's order; raises Unfit."""
        root = etree.Element(tag, nsmap={"s": tag[1:].partition("}")[0]} if tag.startswith("{") else None)
        try:
            self._fill(root, node, value, "", 1)
        except (ValueError, TypeError) as error:
            if isinstance(error, Unfit):
                raise
            raise Unfit("something that XML cannot hold") from None
        return root

    def value(self, element: Any, node: Any) -> Any:
        """What an element says: a text, or an object whose repeatable members are lists. Raises Unfit beyond limits."""
        if sum(1 for _ in element.iter()) > _MOST_ELEMENTS:
            raise Unfit("too many elements")
        return self._value(element, node, 1)

    def _fill(self, element: Any, node: Any, value: Any, at: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise Unfit("nested too deeply")
        if value is None:
            element.set(f"{{{_XSI}}}nil", "true")
            return
        if not isinstance(value, Mapping):
            element.text = _text(value, at)
            return
        particles = self.particles(node)
        names = {particle.name for particle in particles}
        for name, each in value.items():
            if name == "#text":
                element.text = _text(each, at)
            elif name.startswith("@"):
                element.set(name[1:], _text(each, f"{at}/{name}"))
            elif name not in names:
                raise Unfit(f"{at}/{name} has no place in the schema")
        written: set[str] = set()
        for particle in particles:
            if particle.name not in value or particle.name in written:
                continue
            written.add(particle.name)
            given = value[particle.name]
            for each in given if isinstance(given, list) else [given]:
                child = etree.SubElement(element, particle.tag)
                self._fill(child, particle.node, each, f"{at}/{particle.name}", depth + 1)

    def _value(self, element: Any, node: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            raise Unfit("nested too deeply")
        if element.get(f"{{{_XSI}}}nil") in {"true", "1"}:
            return None
        marks = {f"@{name}": str(text) for name, text in element.attrib.items() if not name.startswith("{")}
        children = [child for child in element if isinstance(child.tag, str)]
        known = {particle.tag: particle for particle in (self.particles(node) if node is not None else ())}
        if not children and not known:
            return {**marks, "#text": element.text or ""} if marks else element.text or ""
        found: dict[str, Any] = dict(marks)
        for child in children:
            particle = known.get(child.tag)
            name = etree.QName(child).localname
            value = self._value(child, None if particle is None else particle.node, depth + 1)
            is_list = particle is not None and particle.is_list
            if name not in found:
                found[name] = [value] if is_list else value
            elif isinstance(found[name], list):
                found[name].append(value)
            else:
                found[name] = [found[name], value]
        return found

    def particles(self, node: Any) -> list[Particle]:
        """The children that an element's declaration allows, in order; none of one that holds text."""
        known = self._known.get(node)
        if known is None:
            kind = self._type(node)
            known = self._known[node] = [] if kind is None else list(self._inside(kind, is_list=False, depth=1))
        return known

    def _type(self, node: Any) -> Any:
        own = node.find(f"{{{XS}}}complexType")
        return own if own is not None else self._found(self._types, node, node.get("type"))

    def _inside(self, node: Any, *, is_list: bool, depth: int) -> Iterator[Particle]:
        """The particles of a type, a group, a sequence, a choice or a derivation."""
        if depth > _DEEPEST:
            return
        for child in node:
            many = is_list or child.get("maxOccurs", "1") not in {"0", "1"}
            tag = child.tag
            if tag == f"{{{XS}}}element":
                yield self._particle(child, many)
            elif tag in _GROUPING:
                yield from self._inside(child, is_list=many, depth=depth + 1)
            elif tag == f"{{{XS}}}group":
                group = self._found(self._groups, child, child.get("ref"))
                if group is not None:
                    yield from self._inside(group, is_list=many, depth=depth + 1)
            elif tag == f"{{{XS}}}complexContent":
                yield from self._inside(child, is_list=is_list, depth=depth + 1)
            elif tag == f"{{{XS}}}extension":
                base = self._found(self._types, child, child.get("base"))
                if base is not None:
                    yield from self._inside(base, is_list=is_list, depth=depth + 1)
                yield from self._inside(child, is_list=is_list, depth=depth + 1)
            elif tag == f"{{{XS}}}restriction":
                yield from self._inside(child, is_list=is_list, depth=depth + 1)

    def _particle(self, node: Any, many: bool) -> Particle:  # noqa: FBT001 - a member of what it makes
        if node.get("ref"):
            key = self._key(self._elements, node, node.get("ref"))
            space, name = key
            return Particle(name, f"{{{space}}}{name}" if space else name, self._elements.get(key, node), many)
        name = node.get("name", "")
        schema = next(each for each in node.iterancestors(f"{{{XS}}}schema"))
        form = node.get("form") or schema.get("elementFormDefault", "unqualified")
        space = self._home.get(schema, "")
        return Particle(name, f"{{{space}}}{name}" if form == "qualified" and space else name, node, many)

    def _found(self, where: Mapping[tuple[str, str], Any], node: Any, name: str | None) -> Any:
        return None if not name else where.get(self._key(where, node, name))

    def _key(self, where: Mapping[tuple[str, str], Any], node: Any, name: str) -> tuple[str, str]:
        """A QName's namespace and name; without a prefix, of the schema that includes this one."""
        prefix, _, local = name.rpartition(":")
        space = node.nsmap.get(prefix or None) or ""
        if (space, local) not in where and not prefix:
            schema = next(iter(node.iterancestors(f"{{{XS}}}schema")), None)
            space = self._home.get(schema, space)
        return space, local


def _text(value: Any, at: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Unfit(f"{at or '/'} must be a text or a number")
