"""Operations of a WSDL 1.1 with a document/literal binding: which element is asked, which answered, which action.

The address in a WSDL is never called: the settings say where the service is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from adapters.soap.schema_files import WSDL, SchemaFiles
from adapters.soap.schema_tree import SchemaTree
from gateway.core.faults import Misconfigured, Text

Version = Literal["1.1", "1.2"]
_BINDINGS: Final = {
    "1.1": "http://schemas.xmlsoap.org/wsdl/soap/",
    "1.2": "http://schemas.xmlsoap.org/wsdl/soap12/",
}


@dataclass(frozen=True, slots=True)
class Element:
    """A top-level element: its tag, and its declaration."""

    tag: str
    node: Any


@dataclass(frozen=True, slots=True)
class Offered:
    """One operation. ``answer`` is None where it is one-way."""

    name: str
    action: str
    asked: Element
    answer: Element | None


@dataclass(frozen=True, slots=True)
class Wsdl:
    """What a service offers over one version of SOAP. ``judge``: the compiled schema."""

    version: Version
    operations: Mapping[str, Offered]
    tree: SchemaTree
    judge: Any

    @classmethod
    def read(cls, folder: Path, name: str, version: Version, shown: str) -> Wsdl:
        """Raises Misconfigured naming ``shown`` for what cannot be spoken."""
        files = SchemaFiles.of(folder, name, shown)
        tree = SchemaTree(files)
        reader = _Reader(files, tree, version, shown)
        operations = {each.name: each for each in reader.operations()}
        if not operations:
            raise _wrong(shown, Text(f"WSDL không có binding document/literal cho SOAP {version}",
                                     f"The WSDL has no document/literal binding for SOAP {version}"),
                         Text('Ghi soap = "1.1" hoặc "1.2" đúng với WSDL; kiểu rpc chưa được hỗ trợ.',
                              'Set soap = "1.1" or "1.2" as the WSDL says; rpc is not spoken.'))  # fmt: skip
        return cls(version, operations, tree, files.compiled(shown))

    def offered(self, name: str, where: str) -> Offered:
        """An operation by its name; raises Misconfigured naming ``where``."""
        found = self.operations.get(name)
        if found is None:
            known = ", ".join(sorted(self.operations))[:500]
            raise _wrong(where, Text(f"WSDL không có thao tác {name}", f"The WSDL has no operation {name}"),
                         Text(f"Chọn trong: {known}.", f"Choose among: {known}."))  # fmt: skip
        return found


@dataclass(frozen=True, slots=True)
class _Reader:
    files: SchemaFiles
    tree: SchemaTree
    version: Version
    shown: str

    def operations(self) -> Iterator[Offered]:
        soap = _BINDINGS[self.version]
        ports = {
            operation.get("name"): operation
            for root in self.files.definitions
            for operation in root.iterfind(f"{{{WSDL}}}portType/{{{WSDL}}}operation")
        }
        for root in self.files.definitions:
            for binding in root.iterfind(f"{{{WSDL}}}binding"):
                head = binding.find(f"{{{soap}}}binding")
                if head is None:
                    continue
                for each in binding.iterfind(f"{{{WSDL}}}operation"):
                    own = each.find(f"{{{soap}}}operation")
                    style = (None if own is None else own.get("style")) or head.get("style", "document")
                    uses = {body.get("use", "literal") for body in each.iter(f"{{{soap}}}body")}
                    port = ports.get(each.get("name"))
                    if style != "document" or uses - {"literal"} or port is None:
                        continue
                    asked = self._element(port, "input")
                    if asked is not None:
                        action = "" if own is None else own.get("soapAction", "")
                        yield Offered(each.get("name"), action, asked, self._element(port, "output"))

    def _element(self, port: Any, direction: str) -> Element | None:
        message = port.find(f"{{{WSDL}}}{direction}")
        if message is None:
            return None
        wanted = message.get("message", "").rpartition(":")[2]
        for root in self.files.definitions:
            for each in root.iterfind(f"{{{WSDL}}}message"):
                part = each.find(f"{{{WSDL}}}part")
                if each.get("name") != wanted or part is None or not part.get("element"):
                    continue
                prefix, _, local = part.get("element").rpartition(":")
                space = part.nsmap.get(prefix or None, "")
                node = self.tree.element(space, local)
                if node is None:
                    raise _wrong(self.shown, Text(f"XSD không có phần tử {local}", f"No schema declares {local}"),
                                 Text("Đặt đủ tệp XSD cạnh WSDL.", "Put every XSD beside the WSDL."))  # fmt: skip
                return Element(f"{{{space}}}{local}" if space else local, node)
        return None


def _wrong(where: str, wrong: Text, right: Text) -> Misconfigured:
    return Misconfigured(where, wrong, right)
