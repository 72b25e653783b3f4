"""A record as some software wrote it, tidied to the names and forms that rules read: what is odd is mended or named.

Far sides write numbers for texts and texts for numbers, ``null`` for empty lists, names in another casing, and lists as
JSON or XML inside a text. Which names there are, and which of them hold days and numbers, is told by the rules
themselves, so that the mapping data beside an adapter stay the only place that knows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from lxml import etree

from gateway.core.faults import Text
from gateway.core.forms import DATE_FORMS, read_moment, read_number
from gateway.core.rule import Guarded, Path
from gateway.core.rule_kinds import Each, Reform
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.core.translation import Rules

#: Items of one list, and characters of a text that is read as JSON or XML.
_MOST_ITEMS: Final = 1000
_MOST_INNER: Final = 4 << 20
#: A text inside a text inside a text is the deepest that was ever seen.
_MOST_WRAPPED: Final = 3
_MOST_TOLD: Final = 20
_VIET_NAM: Final = timedelta(hours=7)
_FORMS_TOLD: Final = {
    "compact-date-time": "yyyyMMddHHmmss",
    "compact-date": "yyyyMMdd",
    "vn-date-time": "dd/MM/yyyy HH:mm:ss",
    "vn-date": "dd/MM/yyyy",
    "iso-date-time": "yyyy-MM-ddTHH:mm:ss+07:00",
    "iso-date": "yyyy-MM-dd",
}


@dataclass(slots=True)
class Shape:
    """What rules read at one place: the members by their names; ``form`` of a day or number; whether it is a list.

    ``is_strict``: a day or number of another form spoils the record; otherwise it is left out with a word.
    """

    members: dict[str, Shape] = field(default_factory=dict)
    form: str = ""
    is_list: bool = False
    is_strict: bool = False

    @classmethod
    def of(cls, *rules: Rules) -> Shape:
        """What any of these rule files reads."""
        shape = cls()
        for each in rules:
            shape.reads(each.rules)
        return shape

    def reads(self, rules: Iterable[Guarded]) -> None:
        """Add what these rules read."""
        for condition, rule in rules:
            if condition is not None:
                self._at(condition.at)
            for path in rule.sources:
                place = self._at(path)
                if isinstance(rule, Reform):
                    place.form, place.is_strict = rule.given, place.is_strict or rule.otherwise.keep
                if isinstance(rule, Each):
                    place.is_list = True
                    place.reads(rule.rules)

    def _at(self, path: Path) -> Shape:
        place = self
        for name in path:
            place = place.members.setdefault(name, Shape())
        return place


@dataclass(frozen=True, slots=True)
class Tidy:
    """A record that rules can read. ``unknown``: its outermost members that no rule reads, as they came.

    ``faults``: why it cannot be read; ``warnings``: what was mended or left out. Both name members, never their values.
    """

    record: dict[str, Any]
    unknown: dict[str, Any]
    faults: tuple[Text, ...]
    warnings: tuple[Text, ...]


def tidied(record: Mapping[str, Any], shape: Shape) -> Tidy:
    """``record`` with the names and forms of ``shape``: all values texts, empty ones absent, lists lists."""
    notes = _Notes()
    known, unknown = _members(record, shape, "", notes)
    return Tidy(known, unknown, tuple(notes.faults[:_MOST_TOLD]), tuple(notes.warnings[:_MOST_TOLD]))


def unwrapped(value: Any) -> Any:
    """``value``, or what is behind it where it is JSON or XML in a text; raises ValueError where it is neither."""
    for _ in range(_MOST_WRAPPED):
        if not isinstance(value, str):
            return value
        text = value.strip()
        if len(text) > _MOST_INNER:
            raise ValueError("too long")
        if text.startswith("<"):
            return _from_xml(text)
        try:
            value = parse_strict(text.encode("utf-8", "surrogatepass"))
        except StrictJsonError as error:
            raise ValueError(str(error)) from None
    if isinstance(value, str):
        raise ValueError("wrapped too often")  # noqa: TRY004 - the depth is wrong, not the type
    return value


def name_in(record: Mapping[str, Any], name: str) -> Any:
    """The member of this name in any casing; None where there is none. The exact name wins."""
    if name in record:
        return record[name]
    wanted = name.casefold()
    return next((value for key, value in record.items() if key.casefold() == wanted), None)


def canonical_bytes(record: Mapping[str, Any]) -> bytes:
    """The record as bytes that do not depend on the order of its members: what makes it itself."""
    return json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


@dataclass(slots=True)
class _Notes:
    """What is told about one record."""

    faults: list[Text] = field(default_factory=list)
    warnings: list[Text] = field(default_factory=list)


def _members(record: Mapping[str, Any], shape: Shape, at: str, notes: _Notes) -> tuple[dict[str, Any], dict[str, Any]]:
    folded = {name.casefold(): name for name in shape.members}
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    # Names as they should be first: another casing of the same name never takes its place.
    for name in sorted(record, key=lambda each: each not in shape.members):
        wanted = name if name in shape.members else folded.get(name.casefold())
        if wanted is None:
            unknown[name] = record[name]
        elif wanted not in known:
            value = _value(record[name], shape.members[wanted], f"{at}{wanted}", notes)
            if value is not None:
                known[wanted] = value
    return known, {name: unknown[name] for name in record if name in unknown}


def _value(value: Any, shape: Shape, at: str, notes: _Notes) -> Any:
    """The tidy value, None where it says nothing."""
    if value is None or value == "":
        return None
    if shape.is_list:
        return _items(value, shape, at, notes)
    if shape.members:
        found = _members(value, shape, f"{at}/", notes)[0] if isinstance(value, dict) else None
        return found or None
    text = _text(value)
    if text is None:
        notes.faults.append(
            Text(
                f"{at} phải là chữ hoặc số; phần mềm của bên gửi cần sửa rồi gửi lại",
                f"{at} must be a text or a number; the sending software must mend it and send again",
            )
        )
        return None
    return _formed(text, shape, at, notes) if text else None


def _items(value: Any, shape: Shape, at: str, notes: _Notes) -> list[dict[str, Any]] | None:
    try:
        value = unwrapped(value)
    except ValueError:
        value = 0
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list) or len(items) > _MOST_ITEMS:
        notes.faults.append(
            Text(
                f"{at} phải là danh sách (tối đa {_MOST_ITEMS} mục); phần mềm của bên gửi cần sửa rồi gửi lại",
                f"{at} must be a list (of {_MOST_ITEMS} at most); the sending software must mend it and send again",
            )
        )
        return None
    found = [_members(item, shape, f"{at}/", notes)[0] for item in items if isinstance(item, dict)]
    return [item for item in found if item] or None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return None


def _formed(text: str, shape: Shape, at: str, notes: _Notes) -> Any:
    if not shape.form or _is_of(text, shape.form):
        return text if shape.form != "integer" else int(text)
    wanted = _FORMS_TOLD.get(shape.form)
    right = (
        Text("phải là số nguyên viết bằng chữ số", "must be a whole number in digits")
        if wanted is None
        else Text(f"phải có dạng {wanted}, giờ Việt Nam", f"must be of the form {wanted}, Viet Nam's time")
    )
    if shape.is_strict:
        notes.faults.append(
            Text(
                f"{at} {right.vi}; phần mềm của bên gửi cần sửa rồi gửi lại",
                f"{at} {right.en}; the sending software must mend it and send again",
            )
        )
    else:
        notes.warnings.append(Text(f"{at} {right.vi}: đã bỏ qua", f"{at} {right.en}: left out"))
    return None


def _is_of(text: str, form: str) -> bool:
    if form in DATE_FORMS:
        return read_moment(text, form, _VIET_NAM) is not None
    return read_number(text, "text" if form == "integer" else form) is not None


# ------------------------------------------------------------------------------------------------------ XML


def _from_xml(text: str) -> Any:
    """The children of the root as items, their children as members; a root of plain members is one item."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ValueError(type(error).__name__) from None
    if root.getroottree().docinfo.doctype:
        raise ValueError("a document type")
    children = [child for child in root if isinstance(child.tag, str)]
    if any(len(child) for child in children):
        return [_of_element(child) for child in children]
    return [_of_element(root)] if children else []


def _of_element(element: Any, depth: int = 0) -> Any:
    children = [child for child in element if isinstance(child.tag, str)]
    if not children:
        return element.text or ""
    if depth > _MOST_WRAPPED:
        raise ValueError("nested too deeply")
    names = [etree.QName(child).localname for child in children]
    if len(set(names)) < len(names):
        return [_of_element(child, depth + 1) for child in children]
    return {name: _of_element(child, depth + 1) for name, child in zip(names, children, strict=True)}
