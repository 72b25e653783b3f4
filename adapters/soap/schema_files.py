"""A WSDL and the schemas that it names, read from one folder: nothing is fetched, nothing lies outside, all is bounded.

Addresses of imports are taken as file names beside the importing file; those with a scheme or of another folder are
refused. What comes out is a schema compiled by libxml2 and the trees to walk in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lxml import etree

from gateway.calls.described.description import bounded, inside
from gateway.core.faults import Misconfigured, Text

XS: Final = "http://www.w3.org/2001/XMLSchema"
WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
_MOST_BYTES: Final = 4 << 20
_MOST_FILES: Final = 100


@dataclass(slots=True)
class SchemaFiles:
    """What was read. ``schemas``: each with its target namespace; ``definitions``: every wsdl:definitions."""

    folder: Path
    definitions: list[Any] = field(default_factory=list)
    schemas: list[tuple[str, Any]] = field(default_factory=list)
    _read: dict[tuple[Path, str], str] = field(default_factory=dict)
    _texts: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, name: str, shown: str) -> SchemaFiles:
        """All that the WSDL ``name`` needs; raises Misconfigured naming the file."""
        made = cls(folder.resolve())
        made._definitions(inside(folder, name, shown), shown)
        return made

    def compiled(self, shown: str) -> Any:
        """The schema that judges requests and answers (lxml.etree.XMLSchema); raises Misconfigured."""
        root = etree.Element(f"{{{XS}}}schema", nsmap={"xs": XS})
        mine = [(space, key) for (_, space), key in self._read.items() if key.startswith("mem:top")]
        for space, key in mine:
            each = etree.SubElement(root, f"{{{XS}}}import", schemaLocation=key)
            if space:
                each.set("namespace", space)
        parser = _parser()
        parser.resolvers.add(_Beside(self._texts))
        try:
            return etree.XMLSchema(etree.fromstring(etree.tostring(root), parser))
        except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as error:
            raise _wrong(shown, f"XSD: {str(error)[:300]}") from None

    def _definitions(self, path: Path, shown: str) -> None:
        root = self._parsed(path, shown)
        if root.tag != f"{{{WSDL}}}definitions":
            raise _wrong(shown, "WSDL 1.1 (wsdl:definitions)")
        self.definitions.append(root)
        if len(self.definitions) > _MOST_FILES:
            raise _wrong(shown, f"≤ {_MOST_FILES} wsdl:import")
        for each in root.iterfind(f"{{{WSDL}}}import"):
            self._definitions(self._beside(path, each.get("location", ""), shown), shown)
        for number, schema in enumerate(root.iterfind(f"{{{WSDL}}}types/{{{XS}}}schema")):
            space = schema.get("targetNamespace", "")
            self._add(
                path, f"mem:top{len(self._texts)}", (path.with_name(f"{path.name}#{number}"), space), schema, shown
            )

    def _add(self, beside: Path, key: str, mark: tuple[Path, str], schema: Any, shown: str) -> str:
        """One schema, with those that it names; its key in place of an address."""
        if mark in self._read:
            return self._read[mark]
        if len(self._read) > _MOST_FILES:
            raise _wrong(shown, f"≤ {_MOST_FILES} xs:schema")
        self._read[mark] = key
        self._texts[key] = b""
        space = mark[1]
        self.schemas.append((space, schema))
        for kind in ("import", "include", "redefine"):
            for each in schema.iterfind(f"{{{XS}}}{kind}"):
                location = each.get("schemaLocation")
                if not location:
                    continue
                path = self._beside(beside, location, shown)
                other = self._parsed(path, shown)
                if other.tag != f"{{{XS}}}schema":
                    raise _wrong(shown, f"{location}: xs:schema")
                there = each.get("namespace", "") if kind == "import" else space
                name = f"mem:{len(self._texts)}"
                each.set("schemaLocation", self._add(path, name, (path, there), other, shown))
        # Schemas of one WSDL name each other by namespace alone.
        self._texts[key] = etree.tostring(schema)
        return key

    def _beside(self, path: Path, location: str, shown: str) -> Path:
        if not location or ":" in location or location.startswith(("/", "\\")) or "\\" in location:
            raise _wrong(shown, f'schemaLocation="{location[:100]}": tệp trong thư mục này · a file of this folder')
        found = (path.parent / location).resolve()
        if not found.is_relative_to(self.folder):
            raise _wrong(shown, f'schemaLocation="{location[:100]}": tệp trong thư mục này · a file of this folder')
        return found

    def _parsed(self, path: Path, shown: str) -> Any:
        name = f"{shown} ({path.name})"
        raw = bounded(path, name, _MOST_BYTES)
        try:
            root = etree.fromstring(raw, _parser())
        except (etree.XMLSyntaxError, ValueError) as error:
            raise _wrong(name, f"XML ({type(error).__name__})") from None
        if root.getroottree().docinfo.doctype:
            raise _wrong(name, "XML không có DOCTYPE · without a DOCTYPE")
        return root


class _Beside(etree.Resolver):
    """Gives out what was read; anything else is empty, and so no schema."""

    def __init__(self, texts: dict[str, bytes]) -> None:
        super().__init__()
        self._texts = texts

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:  # noqa: ARG002 - lxml's own signature
        """By its key alone."""
        return self.resolve_string(self._texts.get(system_url or "", b"<none/>"), context, base_url=system_url)


def _parser() -> Any:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )


def elements(schemas: list[tuple[str, Any]], kind: str) -> Iterator[tuple[str, str, Any]]:
    """(namespace, name, node) of every top-level declaration of a kind."""
    for space, schema in schemas:
        for node in schema.iterfind(f"{{{XS}}}{kind}"):
            yield space, node.get("name", ""), node


def _wrong(shown: str, needed: str) -> Misconfigured:
    wrong = Text("WSDL hoặc XSD không dùng được", "The WSDL or XSD cannot be used")
    return Misconfigured(shown, wrong, Text(f"Cần: {needed}", f"Needed: {needed}"))
