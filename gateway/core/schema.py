"""Judges data by a contract's schema, and says in two languages what is wrong with it.

The verdict is jsonschema-rs's alone (draft 2020-12, ``format`` asserted, linear-time patterns, no reference ever
fetched). The sentences are ours. A value is shown back only where the schema classes it as something else than
``personal``, and never more than 80 characters of it: what a sentence says may end in a log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from gateway.core.faults import Misconfigured, Text, Violation
from gateway.core.rule_text import join_pointer

MOST_VIOLATIONS: Final = 20
MOST_SHOWN: Final = 80
#: The annotation that classes a field, and its values (contracts/README.md says what they mean).
CLASS: Final = "x-lgsp-class"
CLASSES: Final = ("public", "internal", "personal")
_NUMBER_OF_CHOICES_SHOWN: Final = 12
_REFERENCE_STEPS: Final = 32

_FORMATS: Final = {
    "date": Text("ngày có thật, dạng 2018-09-28", "a real day, like 2018-09-28"),
    "date-time": Text("thời điểm kèm múi giờ, dạng 2018-09-28T08:30:00+07:00",
                      "a moment with its offset, like 2018-09-28T08:30:00+07:00"),
    "uuid": Text("UUID, dạng 8-4-4-4-12 chữ số thập lục phân", "a UUID, 8-4-4-4-12 hexadecimal digits"),
    "email": Text("địa chỉ thư điện tử", "an e-mail address"),
    "uri": Text("địa chỉ URI đầy đủ", "a full URI"),
}  # fmt: skip
_TYPES: Final = {
    "object": Text("đối tượng", "an object"),
    "array": Text("mảng", "an array"),
    "string": Text("chuỗi", "a string"),
    "integer": Text("số nguyên", "a whole number"),
    "number": Text("số", "a number"),
    "boolean": Text("true hoặc false", "true or false"),
    "null": Text("null", "null"),
}


@dataclass(frozen=True, slots=True)
class Schema:
    """One compiled schema; ``violations`` is empty exactly where the data is valid."""

    document: Mapping[str, Any]
    validator: jsonschema_rs.Draft202012Validator

    @classmethod
    def compiled(cls, document: Mapping[str, Any], where: str) -> Schema:
        """Compile ``document``; raises ``Misconfigured`` at ``where`` for what is no self-contained 2020-12 schema."""
        try:
            validator = jsonschema_rs.Draft202012Validator(
                dict(document),
                validate_formats=True,
                ignore_unknown_formats=False,
                offline=True,
                pattern_options=jsonschema_rs.RegexOptions(),
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            reason = str(error).splitlines()[0][:300]
            raise Misconfigured(
                where,
                Text(f"Lược đồ không dùng được: {reason}", f"The schema cannot be used: {reason}"),
                Text(
                    "Cần JSON Schema 2020-12 tự đủ: $ref chỉ trỏ vào chính nó, format đã biết, pattern đơn giản",
                    "It must be a JSON Schema 2020-12 by itself: $ref within it, known formats, plain patterns",
                ),
            ) from None
        return cls(document, validator)

    def violations(self, data: Any) -> tuple[Violation, ...]:
        """What is wrong with ``data``, at most 20, in the validator's order; empty means valid."""
        if self.validator.is_valid(data):
            return ()
        return tuple(self._told(error) for error in islice(self.validator.iter_errors(data), MOST_VIOLATIONS))

    def _told(self, error: jsonschema_rs.ValidationError) -> Violation:
        place = tuple(error.instance_path)
        rule = _rule(error)
        shown = _shown(error.instance) if field_class(self.document, place) in ("public", "internal") else None
        return Violation(join_pointer(place), rule, _sentence(rule, error.kind, shown))


def field_class(schema: Mapping[str, Any], place: Iterable[str | int]) -> str | None:
    """The class of the field at ``place`` in data of ``schema``; personal if any field above it is; None if unsaid."""
    found: str | None = None
    nodes = list(resolved(schema, schema))
    for token in place:
        nodes = [deeper for node in nodes for child in children(node, token) for deeper in resolved(schema, child)]
        classes = [str(node[CLASS]) for node in nodes if CLASS in node]
        if "personal" in classes or found == "personal":
            found = "personal"
        elif classes:
            found = classes[0]
        elif isinstance(token, str):
            found = None
    return found


def children(node: Mapping[str, Any], token: str | int) -> Iterator[Any]:
    """The schemas inside ``node`` of what stands at ``token``: a member, also where any name may stand, or an item."""
    if isinstance(token, int):
        prefix = node.get("prefixItems", [])
        yield prefix[token] if isinstance(prefix, list) and token < len(prefix) else node.get("items")
    else:
        properties = node.get("properties")
        if isinstance(properties, dict) and token in properties:
            yield properties[token]
        else:
            yield node.get("additionalProperties")


def resolved(root: Mapping[str, Any], node: Any) -> Iterator[Mapping[str, Any]]:
    """``node`` with what it refers to and what applies in the same place."""
    waiting, steps = [node], 0
    while waiting and steps < _REFERENCE_STEPS:
        steps += 1
        here = waiting.pop()
        if not isinstance(here, Mapping):
            continue
        yield here
        for keyword in ("allOf", "anyOf", "oneOf"):
            waiting.extend(here.get(keyword, []))
        waiting.extend(here[keyword] for keyword in ("if", "then", "else") if keyword in here)
        reference = here.get("$ref")
        if isinstance(reference, str) and reference.startswith("#"):
            waiting.append(at_pointer(root, reference[1:]))


def at_pointer(root: Any, pointer: str) -> Any:
    """The part of a JSON document that an RFC 6901 pointer names, or None."""
    for raw in pointer.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(root, Mapping):
            root = root.get(token)
        elif isinstance(root, list) and token.isdigit() and int(token) < len(root):
            root = root[int(token)]
        else:
            return None
    return root


def _shown(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def _named(schema_types: Any) -> Text:
    names = [schema_types] if isinstance(schema_types, str) else list(schema_types or [])
    texts = [_TYPES.get(name, Text(name, name)) for name in names]
    return Text(" hoặc ".join(text.vi for text in texts), " or ".join(text.en for text in texts))


def _rule(error: jsonschema_rs.ValidationError) -> str:
    """The keyword that was broken; of a part that is plainly ``false``, the keyword that it stands under."""
    if error.kind.name != "falseSchema":
        return error.kind.name
    last = error.schema_path[-1] if error.schema_path else ""
    return last if last in ("additionalProperties", "items", "unevaluatedItems") else "properties"


def _choices(options: Iterable[Any]) -> str:
    texts = [str(_shown(option)) for option in options if not isinstance(option, dict | list)]
    more = ", …" if len(texts) > _NUMBER_OF_CHOICES_SHOWN else ""
    return ", ".join(texts[:_NUMBER_OF_CHOICES_SHOWN]) + more


def _sentence(rule: str, kind: Any, shown: str | None) -> Text:
    """What is wrong and what would be right; ``shown`` is the value where it may be shown."""
    told = _SENTENCES.get(rule)
    if told is None:
        return Text(f"Không thoả điều kiện {rule} của hợp đồng", f"Breaks the contract's rule {rule}")
    wrong = told(kind)
    if shown is None or rule == "required":
        return wrong
    return Text(f"{wrong.vi}; đang là: {shown}", f"{wrong.en}; it is: {shown}")


def _limit(vi: str, en: str) -> Callable[[Any], Text]:
    return lambda kind: Text(vi.format(kind.limit), en.format(kind.limit))


def _required(kind: Any) -> Text:
    name = str(kind.property)[:MOST_SHOWN]
    return Text(f"Thiếu thành phần bắt buộc {name}; bên gửi bổ sung {name}",
                f"The required member {name} is missing; the sender must add {name}")  # fmt: skip


def _type(kind: Any) -> Text:
    wanted = _named(kind.types)
    return Text(f"Sai kiểu dữ liệu; cần {wanted.vi}", f"The wrong type; needed is {wanted.en}")


def _enum(kind: Any) -> Text:
    listed = _choices(kind.options)
    return Text(f"Không thuộc danh sách cho phép; cần một trong: {listed}",
                f"Not among the allowed values; needed is one of: {listed}")  # fmt: skip


def _constant(kind: Any) -> Text:
    listed = _choices([kind.expected_value])
    return Text(f"Không đúng giá trị quy định; cần: {listed}", f"Not the prescribed value; needed is: {listed}")


def _format(kind: Any) -> Text:
    wanted = _FORMATS.get(kind.format, Text(str(kind.format), str(kind.format)))
    return Text(f"Không đúng dạng; cần {wanted.vi}", f"Not in the right form; needed is {wanted.en}")


def _pattern(kind: Any) -> Text:
    wanted = str(kind.pattern)[:MOST_SHOWN]
    return Text(f"Không đúng mẫu; cần khớp {wanted}", f"Not of the right pattern; it must match {wanted}")


def _unexpected(kind: Any) -> Text:
    # The names are the sender's own text and of no class, so they are counted and not repeated.
    if not hasattr(kind, "unexpected"):
        return _forbidden(kind)
    number = len(kind.unexpected)
    return Text(f"Có {number} thành phần hợp đồng không cho phép ở đây; bên gửi bỏ đi",
                f"{number} members are not allowed here; the sender must leave them out")  # fmt: skip


def _forbidden(_: Any) -> Text:
    return Text("Hợp đồng không cho phép có gì ở đây; bên gửi bỏ đi",
                "The contract allows nothing here; the sender must leave it out")  # fmt: skip


_SENTENCES: Final[dict[str, Callable[[Any], Text]]] = {
    "required": _required,
    "type": _type,
    "enum": _enum,
    "const": _constant,
    "format": _format,
    "pattern": _pattern,
    "additionalProperties": _unexpected,
    "unevaluatedProperties": _unexpected,
    "properties": _forbidden,
    "items": _forbidden,
    "unevaluatedItems": _forbidden,
    "uniqueItems": lambda _: Text(
        "Có phần tử trùng nhau; mỗi phần tử chỉ một lần", "Items repeat; each may stand once"
    ),
    "anyOf": lambda _: Text("Không khớp cách nào hợp đồng cho phép", "Fits none of the ways that the contract allows"),
    "oneOf": lambda _: Text(
        "Phải khớp đúng một trong các cách hợp đồng cho phép",
        "Must fit exactly one of the ways that the contract allows",
    ),
    "multipleOf": lambda kind: Text(f"Phải là bội của {kind.multiple_of}", f"Must be a multiple of {kind.multiple_of}"),
    "minLength": _limit("Quá ngắn; cần ít nhất {} ký tự", "Too short; needed are at least {} characters"),
    "maxLength": _limit("Quá dài; nhiều nhất {} ký tự", "Too long; allowed are at most {} characters"),
    "minimum": _limit("Quá nhỏ; cần từ {} trở lên", "Too small; needed is {} or more"),
    "maximum": _limit("Quá lớn; nhiều nhất là {}", "Too large; allowed is {} or less"),
    "exclusiveMinimum": _limit("Quá nhỏ; phải lớn hơn {}", "Too small; it must be more than {}"),
    "exclusiveMaximum": _limit("Quá lớn; phải nhỏ hơn {}", "Too large; it must be less than {}"),
    "minItems": _limit("Quá ít phần tử; cần ít nhất {}", "Too few items; needed are at least {}"),
    "maxItems": _limit("Quá nhiều phần tử; nhiều nhất {}", "Too many items; allowed are at most {}"),
    "minProperties": _limit("Quá ít thành phần; cần ít nhất {}", "Too few members; needed are at least {}"),
    "maxProperties": _limit("Quá nhiều thành phần; nhiều nhất {}", "Too many members; allowed are at most {}"),
}
