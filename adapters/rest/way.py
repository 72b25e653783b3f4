"""One call by HTTP alone: JSON, a form or XML in the body, or nothing but an address."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from gateway.calls.described.parts import Answer
from gateway.calls.described.way import Heard, NotHeard
from gateway.core.faults import Misconfigured, PermanentFailure, Text
from gateway.core.operation import Asked, Operation
from gateway.core.operation_steps import Tables
from gateway.core.rule import value_at
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.core.visit import Call, Reply
from gateway.core.xml_value import Tag, XmlFault, read_xml, write_xml

#: How one call is told in a description, as JSON Schema.
SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["verb", "path"],
    "properties": {
        "verb": {"enum": ["GET", "POST", "PUT", "PATCH", "DELETE"]},
        "path": {"type": "string", "maxLength": 1000, "pattern": "^[A-Za-z0-9._~/{}-]*$"},
        "path_values": {
            "type": "object",
            "maxProperties": 20,
            "propertyNames": {"pattern": "^[A-Za-z_]{1,40}$"},
            "additionalProperties": {"type": "string", "maxLength": 500, "pattern": "^/"},
        },
    },
}
_NAMED: Final = re.compile(r"\{([^{}]*)\}")
_MOST_PAIRS: Final = 1000
#: A value in a path (characters).
_LONGEST: Final = 200
_JSON_DEPTH: Final = 40
_UNREADABLE: Final = Text(
    "Không đọc được nội dung theo mô tả. Bên gửi kiểm tra định dạng (UTF-8) rồi gửi lại.",
    "The body cannot be read as described. The sender must look at its format (UTF-8) and send again.",
)
_NO_PART: Final = Text(
    "Không có đường dẫn hoặc phương thức này. Bên gửi kiểm tra địa chỉ.",
    "There is no such path or method. The sender must look at the address.",
)


@dataclass(frozen=True, slots=True)
class Addressed(Operation):
    """An operation whose path may hold any printable value, escaped: codes of old databases have slashes and blanks."""

    @classmethod
    def made(cls, plain: Operation) -> Addressed:
        """What ``plain`` says."""
        return cls(**{each.name: getattr(plain, each.name) for each in fields(plain)})

    def request(self, record: Mapping[str, Any]) -> Asked:
        """As the operation says; raises PermanentFailure for a value that may stand in no path."""
        asked = Operation.request(replace(self, path="", path_values={}), record)
        return asked._replace(path=_NAMED.sub(lambda match: self._escaped(match[1], record), self.path))

    def _escaped(self, name: str, record: Mapping[str, Any]) -> str:
        found = value_at(record, self.path_values[name])
        text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
        # Some servers unescape before they look at the path: nothing may climb out of it even then.
        climbs = any(part.strip() in {"", ".", ".."} for part in re.split(r"[/\\]", text))
        if climbs or len(text) > _LONGEST or not text.isprintable():
            raise PermanentFailure(f"nothing that may stand in a path gives {name}")
        return quote(text, safe="")


class Plain:
    """The way of HTTP alone."""

    def operation(self, raw: Mapping[str, Any], where: str, tables: Tables) -> Operation:
        """The operation of one call's table; raises Misconfigured."""
        named, given = set(_NAMED.findall(raw["path"])), set(raw.get("path_values", {}))
        if named != given or raw["path"].count("{") != len(_NAMED.findall(raw["path"])):
            raise Misconfigured(
                f"{where}.path_values",
                Text("Tên trong path và path_values không khớp", "path and path_values do not name the same"),
                Text(
                    'Ví dụ: path = "/thua/{ma}" cần path_values = { ma = "/data/parcelCode" }.',
                    'For example: path = "/thua/{ma}" needs path_values = { ma = "/data/parcelCode" }.',
                ),
            )
        request = {"format": "none" if raw["verb"] in {"GET", "DELETE"} else "json", **raw.get("request", {})}
        return Addressed.made(Operation.parse({**raw, "request": request}, where, tables))

    def heard(self, parts: Sequence[Answer], call: Call, body: bytes) -> Heard:
        """What a call brought; raises NotHeard."""
        here = [part for part in parts if part.path == call.path.strip("/")]
        part = next((part for part in here if part.verb == call.method), None)
        if part is None:
            raise NotHeard(405 if here else 404, _NO_PART)
        try:
            return Heard(part, _read(part.format, body))
        except (StrictJsonError, XmlFault, ValueError):
            raise NotHeard(400, _UNREADABLE) from None

    def replied(self, part: Answer | None, outcome: Mapping[str, Any], status: int | None = None) -> Reply:
        """The reply, in JSON or, where the part is XML, as the rules make it."""
        told = None if part is None else part.yes if "received" in outcome else part.no
        if told is None or told.rules is None:
            value: Any = {name: outcome[name] for name in ("received", "refused") if name in outcome}
        else:
            value = told.rules.apply(outcome)
        chosen = status or (400 if told is None else told.status)
        if part is not None and part.format == "xml":
            return _in_xml(value, chosen)
        return Reply(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), chosen)


def _in_xml(value: Any, status: int) -> Reply:
    """A value of one member is that element; any other lies in an element ``reply``."""
    name, inner = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("reply", value)
    if not isinstance(inner, dict):
        name, inner = "reply", value
    try:
        return Reply(write_xml(inner, Tag(name)), status, "application/xml")
    except XmlFault:
        return Reply(b"<reply/>", status, "application/xml")


def _read(form: str, body: bytes) -> Any:
    if form == "json":
        return parse_strict(body.removeprefix(b"\xef\xbb\xbf"), max_depth=_JSON_DEPTH)
    if form == "xml":
        return read_xml(body.strip())
    pairs = parse_qsl(
        body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_PAIRS
    )
    return dict(pairs)
