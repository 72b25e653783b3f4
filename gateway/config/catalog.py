"""Reads contracts: every folder a contract, every version folder a version; files on disk or the same files in memory.

Reading is quick and strict about form (names, JSON, a schema that compiles, rules that parse), so that every start
can do it. Whether a contract is fit to be published is asked in ``gateway.config.publication``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jiter

import gateway
from gateway.config.manifest import Manifest
from gateway.core.contract import (
    Catalog,
    Contract,
    Example,
    Version,
    is_contract_name,
    parse_label,
)
from gateway.core.faults import Misconfigured, Text
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.core.translation import Rules

MOST_FILES: Final = 2000
MOST_BYTES: Final = 16 * 1024 * 1024
_MANIFEST: Final = "contract.toml"
_VERSION_FILE: Final = re.compile(
    r"(?P<label>[^/]+)/(?:(?P<part>schema|up|down)\.json|examples/(?P<side>good|bad)/(?P<example>[^/]+)\.json)\Z"
)
#: A bad example that ends in a schema keyword, ``no-signer.required.json``, must fail by that rule.
_NAMED_RULE: Final = re.compile(
    r".+\.(?P<rule>type|enum|const|required|format|pattern|multipleOf|not|anyOf|oneOf|contains|propertyNames|uniqueItems"
    r"|exclusiveM(?:in|ax)imum|m(?:in|ax)imum|m(?:in|ax)(?:Length|Items|Properties)"
    r"|additionalProperties|unevaluated(?:Properties|Items)|properties|items)\Z"
)


def builtin_folder() -> Path:
    """The contracts that come with the gateway: ``contracts/`` beside the package, in a checkout as in a wheel."""
    return Path(gateway.__file__).resolve().parent.parent / "contracts"


def read_catalog(folders: Iterable[Path]) -> Catalog:
    """The contracts in ``folders``, each subfolder one.

    Raises ``Misconfigured`` for a folder that is not there, one without ``contract.toml``, a name that comes twice.
    """
    found: dict[str, tuple[Contract, Path]] = {}
    for folder in folders:
        if not folder.is_dir():
            raise Misconfigured(
                str(folder),
                Text("Không có thư mục hợp đồng dữ liệu này", "There is no such folder of contracts"),
                Text(
                    "Tạo thư mục, hoặc sửa [contracts] folders trong lgsp.toml",
                    "Make the folder, or mend [contracts] folders in lgsp.toml",
                ),
            )
        for inside in sorted(folder.iterdir()):
            if not inside.is_dir() or inside.name.startswith((".", "_")):
                continue
            contract = read_contract(inside)
            if contract.name in found:
                raise Misconfigured(
                    str(inside),
                    Text(
                        f"Hợp đồng {contract.name} đã có ở {found[contract.name][1]}",
                        f"The contract {contract.name} is already in {found[contract.name][1]}",
                    ),
                    Text(
                        "Mỗi tên hợp đồng chỉ ở một thư mục: đổi tên hoặc bỏ một bên",
                        "A contract's name stands in one folder only: rename or remove one of them",
                    ),
                )
            found[contract.name] = (contract, inside)
    return Catalog.of(contract for contract, _ in found.values())


def read_contract(folder: Path) -> Contract:
    """The contract in ``folder``, named after it; raises ``Misconfigured`` with file and line or key."""
    return contract_from_documents(folder.name, documents_of(folder), str(folder))


def documents_of(folder: Path) -> dict[str, bytes]:
    """Path below ``folder`` (with ``/``) -> bytes, of every file that belongs to the contract in it.

    A JSON or TOML file that stands where none belongs is refused, as it is most likely a slip; others are ignored.
    """
    found: dict[str, bytes] = {}
    size = 0
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.suffix not in {".json", ".toml"} or not path.is_file() or relative.startswith("."):
            continue
        size += path.stat().st_size
        if len(found) >= MOST_FILES or size > MOST_BYTES:
            raise Misconfigured(
                str(folder),
                Text("Hợp đồng có quá nhiều tệp hoặc quá lớn", "The contract has too many files, or is too large"),
                Text(
                    f"Nhiều nhất {MOST_FILES} tệp và {MOST_BYTES} byte",
                    f"At most {MOST_FILES} files and {MOST_BYTES} bytes",
                ),
            )
        found[relative] = path.read_bytes()
    return found


def contract_from_documents(name: str, documents: Mapping[str, bytes], where: str | None = None) -> Contract:
    """The contract ``name`` from its files as ``documents_of`` gives them; ``where`` is said in errors.

    Raises ``Misconfigured`` for whatever is wrong in form.
    """
    return _Reading(name, documents, where or f"contracts/{name}").contract()


def publish_check(contract: Contract, where: str) -> None:
    """Whether ``contract`` may be published; raises ``Misconfigured`` with all that stands in the way.

    The same as ``gateway.config.publication.publish_check``.
    """
    from gateway.config import publication  # noqa: PLC0415  (jsonschema is slow to load, and not needed at a start)

    publication.publish_check(contract, where)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One contract being read."""

    name: str
    documents: Mapping[str, bytes]
    where: str

    def contract(self) -> Contract:
        if not is_contract_name(self.name):
            raise self._wrong(
                "",
                Text(f"Tên hợp đồng không hợp lệ: {self.name}", f"This is no contract name: {self.name}"),
                Text(
                    "Chữ thường, các từ nối bằng dấu chấm, ví dụ document.issued",
                    "Lower-case words with dots between, such as document.issued",
                ),
            )
        if _MANIFEST not in self.documents:
            raise self._wrong(
                _MANIFEST,
                Text("Thiếu tệp contract.toml", "The file contract.toml is missing"),
                Text("Mỗi thư mục hợp đồng có một contract.toml", "Every contract's folder has one"),
            )
        manifest = Manifest.read(self.documents[_MANIFEST], f"{self.where}/{_MANIFEST}")
        states = manifest.states
        versions = tuple(self._version(label, files, states) for label, files in self._by_version().items())
        if not versions:
            raise self._wrong(
                "",
                Text("Hợp đồng chưa có phiên bản nào", "The contract has no version"),
                Text("Thêm thư mục 1.0 với schema.json", "Add a folder 1.0 with schema.json"),
            )
        unknown = sorted(set(states) - {version.label for version in versions})
        if unknown:
            known = ", ".join(version.label for version in versions)
            raise manifest.mistake("states", f"không có phiên bản {unknown[0]}", f"no version {unknown[0]}", known)
        return Contract(
            name=self.name,
            title=manifest.title,
            owner=manifest.owner,
            kind=manifest.kind,
            ordering=manifest.ordering,
            personal=manifest.personal,
            answer=manifest.answer,
            processed=manifest.processed,
            register=manifest.register,
            versions=tuple(sorted(versions, key=lambda version: (version.major, version.minor))),
        )

    def _wrong(self, place: str, wrong: Text, right: Text) -> Misconfigured:
        return Misconfigured(f"{self.where}/{place}" if place else self.where, wrong, right)

    def _by_version(self) -> dict[str, dict[str, bytes]]:
        versions: dict[str, dict[str, bytes]] = {}
        for path, content in sorted(self.documents.items()):
            if path == _MANIFEST:
                continue
            place = _VERSION_FILE.match(path)
            if place is None or parse_label(place["label"]) is None:
                raise self._wrong(
                    path,
                    Text("Tệp không nằm đúng chỗ", "The file stands where none belongs"),
                    Text(
                        "MAJOR.MINOR/schema.json, up.json, down.json, examples/good/*.json, examples/bad/*.json",
                        "MAJOR.MINOR/schema.json, up.json, down.json, examples/good/*.json, examples/bad/*.json",
                    ),
                )
            versions.setdefault(place["label"], {})[path] = content
        return versions

    def _version(self, label: str, files: dict[str, bytes], states: Mapping[str, str]) -> Version:
        major, minor = parse_label(label) or (0, 0)
        schema_path = f"{label}/schema.json"
        if schema_path not in files:
            raise self._wrong(
                schema_path,
                Text("Thiếu lược đồ của phiên bản", "The version's schema is missing"),
                Text("JSON Schema 2020-12", "a JSON Schema 2020-12"),
            )
        schema = self._json(schema_path)
        if not isinstance(schema, dict):
            raise self._wrong(
                schema_path,
                Text("Lược đồ phải là một đối tượng", "The schema must be an object"),
                Text('{"type": "object", …}', '{"type": "object", …}'),
            )
        examples: dict[str, list[Example]] = {"good": [], "bad": []}
        for path in files:
            place = _VERSION_FILE.match(path)
            if place is not None and place["side"]:
                rule = _NAMED_RULE.match(place["example"]) if place["side"] == "bad" else None
                found = Example(place["example"], self._json(path), rule["rule"] if rule else None)
                examples[place["side"]].append(found)
        try:
            return Version(
                name=self.name,
                major=major,
                minor=minor,
                state=states.get(label, "active"),
                schema=schema,
                examples=tuple(examples["good"]),
                counterexamples=tuple(examples["bad"]),
                up=self._rules(f"{label}/up.json"),
                down=self._rules(f"{label}/down.json"),
            )
        except Misconfigured as fault:
            where = fault.where if fault.where.startswith(self.where) else f"{self.where}/{schema_path}"
            raise Misconfigured(where, fault.wrong, fault.right) from None

    def _rules(self, path: str) -> Rules | None:
        return Rules.parse(self.documents[path], f"{self.where}/{path}") if path in self.documents else None

    def _json(self, path: str) -> Any:
        try:
            return parse_strict(self.documents[path])
        except StrictJsonError as broken:
            line = _line_of_mistake(self.documents[path])
            raise self._wrong(
                f"{path}:{line}",
                Text(f"JSON sai: {broken}", f"Broken JSON: {broken}"),
                Text("RFC 8259, UTF-8, không trùng tên thành phần", "RFC 8259 in UTF-8, no member name twice"),
            ) from None


def _line_of_mistake(content: bytes) -> int:
    """The line at which the parser stopped; 1 where the fault has no line (nesting, a lone surrogate)."""
    try:
        jiter.from_json(content, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as broken:
        found = re.search(r"at line (\d+)", str(broken))
        return int(found[1]) if found else 1
    return 1
