"""The request as a provider wants it, and what its answer means: both are data from the settings. No sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from gateway.core.faults import Misconfigured, Text
from gateway.core.rule_text import split_pointer

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_DEEPEST: Final = 8
_LONGEST_REFERENCE: Final = 100


def members_filled(template: Any, values: Mapping[str, str]) -> Any:
    """``template`` with every text in it filled; a placeholder that is filled is not looked into again."""
    match template:
        case str():
            return _PLACEHOLDER.sub(lambda found: values[found[1]], template)
        case Mapping():
            return {name: members_filled(value, values) for name, value in template.items()}
        case list() | tuple():
            return [members_filled(value, values) for value in template]
        case _:
            return template


def check_template(template: Any, names: frozenset[str], where: str, *, is_flat: bool = False) -> None:
    """Raises Misconfigured naming ``where`` for an unknown placeholder, too much nesting, or a member that is no text
    where all must be (``is_flat``).
    """
    for depth, value in _leaves(template, 0):
        if depth > (1 if is_flat else _DEEPEST) or (is_flat and not isinstance(value, str)):
            raise _wrong(
                where, "Mẫu lồng quá sâu hoặc không phải chuỗi", "The template is nested too deeply, or no text"
            )
        if isinstance(value, str):
            unknown = [name for name in _PLACEHOLDER.findall(value) if name not in names]
            if unknown or re.search(r"[{}]", _PLACEHOLDER.sub("", value)):
                known = ", ".join(f"{{{name}}}" for name in sorted(names))
                raise _wrong(where, f"Chỗ điền không đúng; có: {known}", f"A wrong placeholder; there are: {known}")


def _leaves(template: Any, depth: int) -> Iterator[tuple[int, Any]]:
    if depth > _DEEPEST:
        yield depth, None
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from _leaves(value, depth + 1)
    elif isinstance(template, list | tuple):
        for value in template:
            yield from _leaves(value, depth + 1)
    else:
        yield depth, template


def _wrong(where: str, vi: str, en: str) -> Misconfigured:
    return Misconfigured(
        where,
        Text(vi, en),
        Text("Sửa mẫu trong agencies/ rồi lgsp apply", "Mend the template in agencies/, then apply"),
    )


def written(form: str, members: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body and its media type."""
    if form == "json":
        return json.dumps(members, ensure_ascii=False).encode(), "application/json; charset=utf-8"
    return urlencode(members).encode(), "application/x-www-form-urlencoded; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a member of the answer means: ``taken`` and ``refused`` (for good) are its values as text."""

    member: str | None
    taken: frozenset[str]
    refused: frozenset[str]
    reference: str | None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Meaning:
        """As the setting ``answer`` says."""
        return cls(
            settings.get("member"),
            frozenset(settings.get("taken", ())),
            frozenset(settings.get("refused", ())),
            settings.get("reference"),
        )

    def name(self, answer: Any) -> str | None:
        """The provider's own name for the message."""
        found = None if self.reference is None else value_at(answer, self.reference)
        return found[:_LONGEST_REFERENCE] if found and found.isprintable() else None


def value_at(document: Any, pointer: str) -> str | None:
    """The text, number or truth value at an RFC 6901 pointer, as text; None where there is none."""
    for token in split_pointer(pointer):
        if isinstance(document, Mapping):
            document = document.get(token)
        elif isinstance(document, Sequence) and not isinstance(document, str) and token.isdecimal():
            document = document[int(token)] if int(token) < len(document) else None
        else:
            return None
    match document:
        case bool():
            return "true" if document else "false"
        case str() | int():
            return str(document)
        case float() if document.is_integer():
            return str(int(document))
        case _:
            return None
