"""Data as it may be shown to a person or stand in a log: what a contract classes as personal is masked. Pure.

One function for every place that shows data. What no class is said for counts as personal, and so does a member that
the contract does not know: its name may itself be somebody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.core.schema import CLASS, children, resolved

#: What stands where something may not be shown.
MASK: Final = "•••"
_SHOWN: Final = frozenset({"public", "internal"})
_DEEPEST: Final = 64

_Nodes = Sequence[Mapping[str, Any]]


def masked(schema: Mapping[str, Any], data: Any) -> Any:
    """``data`` with the same shape, less what ``schema`` does not class as public or internal.

    Members of objects keep their names where the schema names them; all others become one, named by the mask, that
    says how many they were. Whatever stands below something personal is personal. Under an empty schema all is masked.
    """
    return _masked(schema, list(resolved(schema, schema)), data, None, 0)


def _masked(root: Mapping[str, Any], nodes: _Nodes, data: Any, told: str | None, depth: int) -> Any:
    if depth > _DEEPEST:
        return MASK
    if isinstance(data, Mapping):
        return _members(root, nodes, data, told, depth)
    if isinstance(data, list | tuple):
        items = []
        for number, item in enumerate(data):
            inner = _below(root, nodes, number)
            items.append(_masked(root, inner, item, _class_of(inner, told, told), depth + 1))
        return items
    return data if told in _SHOWN else MASK


def _members(root: Mapping[str, Any], nodes: _Nodes, data: Mapping[str, Any], told: str | None, depth: int) -> Any:
    found: dict[str, Any] = {}
    unknown = 0
    for name, value in data.items():
        inner = _below(root, nodes, name)
        if not inner:
            unknown += 1
            continue
        found[name] = _masked(root, inner, value, _class_of(inner, told, None), depth + 1)
    return {**found, **({MASK: unknown} if unknown else {})}


def _below(root: Mapping[str, Any], nodes: _Nodes, token: str | int) -> _Nodes:
    return [deeper for node in nodes for child in children(node, token) for deeper in resolved(root, child)]


def _class_of(nodes: _Nodes, above: str | None, unsaid: str | None) -> str | None:
    """What a place is classed as: personal below something personal, else what is said, the strictest of it."""
    classes = [str(node[CLASS]) for node in nodes if CLASS in node]
    if above == "personal" or "personal" in classes:
        return "personal"
    return classes[0] if classes else unsaid
