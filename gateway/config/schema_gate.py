"""The gate for a schema in itself: a self-contained, finite, plainly written JSON Schema 2020-12."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.config.oracle import FORMATS, meta_errors
from gateway.config.pattern import PatternError, check_pattern
from gateway.core.contract import Version
from gateway.core.faults import Misconfigured, Text
from gateway.core.schema import at_pointer

MOST_DEPTH: Final = 32
MOST_SCHEMAS: Final = 3000
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ONE: Final = frozenset(
    "items contains additionalProperties propertyNames not if then else unevaluatedItems"
    " unevaluatedProperties contentSchema".split()
)
_MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_PLAIN: Final = frozenset(
    "$schema $id $ref $anchor $comment title description default examples deprecated readOnly writeOnly type enum const"
    " minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format minItems maxItems"
    " uniqueItems minContains maxContains required minProperties maxProperties dependentRequired contentEncoding"
    " contentMediaType".split()
)
_KEYWORDS: Final = _ONE | _MANY | _NAMED | _PLAIN
#: What points elsewhere, or gives a place a name that one cannot follow by reading on.
_FOREIGN: Final = frozenset({"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"})


def mistake(where: str, vi: str, en: str, right_vi: str, right_en: str) -> Misconfigured:
    """One finding, in both languages."""
    return Misconfigured(where, Text(vi, en), Text(right_vi, right_en))


def schema_refusals(version: Version, where: str) -> Iterator[Misconfigured]:
    """What makes the schema of ``version`` unfit, whatever the data."""
    for place, reason in meta_errors(version.schema):
        yield mistake(
            f"{where}#{place}",
            f"Không phải JSON Schema 2020-12: {reason}",
            f"Not a JSON Schema 2020-12: {reason}",
            "Sửa từ khoá này theo chuẩn",
            "Mend the keyword as the standard says",
        )
        return
    if version.schema.get("$schema", _DIALECT) != _DIALECT:
        yield mistake(
            f"{where}#/$schema", "Sai phiên bản JSON Schema", "Another dialect of JSON Schema", _DIALECT, _DIALECT
        )
    if version.schema.get("$id", version.dataschema) != version.dataschema:
        yield mistake(
            f"{where}#/$id",
            "$id không phải của phiên bản này",
            "$id is not this version's",
            version.dataschema,
            version.dataschema,
        )
    places = frozenset(node.pointer for node in nodes(version.schema))
    for count, node in enumerate(nodes(version.schema)):
        if node.depth > MOST_DEPTH or count > MOST_SCHEMAS:
            yield mistake(
                f"{where}#{node.pointer}",
                "Lược đồ quá sâu hoặc quá lớn",
                "The schema is too deep or large",
                f"Sâu nhất {MOST_DEPTH} tầng, nhiều nhất {MOST_SCHEMAS} lược đồ con",
                f"At most {MOST_DEPTH} levels and {MOST_SCHEMAS} parts",
            )
            return
        yield from _node_refusals(node, places, f"{where}#{node.pointer}")
    if _has_circle(version.schema):
        yield mistake(
            where,
            "$ref đi vòng",
            "A $ref leads back to itself",
            "Lược đồ phải có độ sâu hữu hạn",
            "The schema must end: write the levels out",
        )


@dataclass(frozen=True, slots=True)
class Node:
    """One schema inside a schema; ``name`` is the property that it describes, if it describes one."""

    schema: Mapping[str, Any]
    pointer: str
    depth: int
    name: str | None = None


def nodes(root: Mapping[str, Any]) -> Iterator[Node]:
    """The schema itself and every schema inside it, down to just below the depth allowed."""
    waiting = [Node(root, "", 0)]
    while waiting:
        node = waiting.pop()
        yield node
        if node.depth <= MOST_DEPTH:
            waiting.extend(_inner(node))


def _inner(node: Node) -> Iterator[Node]:
    for keyword, value in node.schema.items():
        deeper, here = node.depth + 1, f"{node.pointer}/{keyword}"
        if keyword in _ONE and isinstance(value, Mapping):
            yield Node(value, here, deeper)
        elif keyword in _MANY:
            yield from (Node(each, f"{here}/{n}", deeper) for n, each in enumerate(value) if isinstance(each, Mapping))
        elif keyword in _NAMED:
            for name, each in value.items():
                if isinstance(each, Mapping):
                    escaped = name.replace("~", "~0").replace("/", "~1")
                    yield Node(each, f"{here}/{escaped}", deeper, name if keyword == "properties" else None)


def _node_refusals(node: Node, places: frozenset[str], where: str) -> Iterator[Misconfigured]:
    for keyword in node.schema:
        meant = next(iter(difflib.get_close_matches(keyword, sorted(_KEYWORDS), n=1, cutoff=0.8)), None)
        if keyword in _FOREIGN:
            yield mistake(where, f"Không dùng {keyword}", f"{keyword} is not allowed", "Dùng $ref", "Use $ref")
        elif keyword not in _KEYWORDS and not keyword.startswith("x-") and meant is not None:
            yield mistake(where, f"Không có từ khoá {keyword}", f"There is no keyword {keyword}", meant, meant)
    form = node.schema.get("format")
    if form is not None and form not in FORMATS:
        known = ", ".join(sorted(FORMATS))
        yield mistake(f"{where}/format", f"Không biết dạng {form}", f"The format {form} is not known", known, known)
    reference = node.schema.get("$ref")
    if reference is not None and (reference[:1] != "#" or reference[1:] not in places):
        yield mistake(
            f"{where}/$ref",
            "$ref trỏ ra ngoài lược đồ hoặc vào chỗ trống",
            "The $ref leaves the schema, or leads to nothing",
            "#/$defs/…",
            "#/$defs/…",
        )
    for pattern in (node.schema.get("pattern"), *node.schema.get("patternProperties", {})):
        if isinstance(pattern, str):
            try:
                check_pattern(pattern)
            except PatternError as refused:
                yield mistake(
                    f"{where}/pattern",
                    f"Mẫu không dùng được: {refused}",
                    f"The pattern is refused: {refused}",
                    "Viết rõ các ký tự, không lồng lặp; ví dụ ^[0-9]{12}$",
                    "Write the characters out, nest no repetition; such as ^[0-9]{12}$",
                )


def _has_circle(root: Mapping[str, Any]) -> bool:
    """Whether following references and parts from the root could go on for ever."""
    leads: dict[str, set[str]] = {}
    for node in nodes(root):
        reference = node.schema.get("$ref")
        leads[node.pointer] = {inner.pointer for inner in _inner(node)}
        if isinstance(reference, str):
            leads[node.pointer].add(reference[1:])
    ended: set[str] = set()
    while True:
        ready = {place for place, onward in leads.items() if place not in ended and onward & set(leads) <= ended}
        if not ready:
            return len(ended) < len(leads)
        ended |= ready


def unsettled(settled: frozenset[tuple[str, ...]], schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of ``schema`` that no rule hands on or removes: losses by oversight, as pointers with ``*``."""
    found: list[str] = []
    waiting: list[tuple[tuple[str, ...], Any]] = [((), schema)]
    while waiting:
        place, node = waiting.pop()
        if any(place[: len(whole)] == whole for whole in settled) or not isinstance(node, Mapping):
            continue
        reference = node.get("$ref")
        if isinstance(reference, str):
            node = {**at_pointer(schema, reference[1:]), **{k: v for k, v in node.items() if k != "$ref"}}
        inner = [((*place, name), each) for name, each in node.get("properties", {}).items()]
        if "items" in node:
            inner.append(((*place, "*"), node["items"]))
        waiting.extend(inner)
        if not inner:
            found.append("/" + "/".join(place))
    return tuple(sorted(found))
