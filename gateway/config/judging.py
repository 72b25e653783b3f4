"""Judges a document against its published JSON Schema and says in words what is wrong and what would be right.

A schema may carry ``x-right``: ``{"vi": …, "en": …}`` beside a rule; it is shown as what would be right. What is
sound is told by the quick validator; the one that explains takes two seconds to load and is asked about mistakes alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs

from gateway.config.documents import Document, Step, nearest
from gateway.core.faults import Misconfigured, Text

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

SCHEMAS: Final = Path(__file__).parent / "schemas"
_KINDS: Final = {
    "string": Text("một chuỗi trong dấu nháy kép", "text in double quotes"),
    "integer": Text("một số nguyên", "a whole number"),
    "number": Text("một số", "a number"),
    "boolean": Text("true hoặc false", "true or false"),
    "array": Text("một danh sách trong ngoặc vuông [ ]", "a list in square brackets [ ]"),
    "object": Text("một bảng (nhóm khoá)", "a table of keys"),
    "null": Text("giá trị rỗng", "nothing"),
}


@cache
def schema(name: str) -> Mapping[str, Any]:
    """The published schema of ``lgsp``, ``agency`` or ``agreement`` documents."""
    loaded: Mapping[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    return loaded


def judge(
    document: Document, rules: Mapping[str, Any], *, below: Sequence[Step] = (), values: object = None
) -> list[Misconfigured]:
    """Every mistake of ``document`` against ``rules``; ``below`` and ``values`` judge one part of it only."""
    judged = document.values if values is None else values
    if _is_sound(judged, rules):
        return []
    found = _explainer(rules).iter_errors(judged)
    return [mistake for error in _sorted(found) for mistake in _told(document, tuple(below), error)]


def _is_sound(values: object, rules: Mapping[str, Any]) -> bool:
    try:
        validator = jsonschema_rs.Draft202012Validator(dict(rules), validate_formats=True, offline=True)
        return validator.is_valid(values)
    except (ValueError, jsonschema_rs.ReferencingError):  # a schema or a TOML value that only the other one can read
        return False


def _explainer(rules: Mapping[str, Any]) -> Any:
    import jsonschema  # noqa: PLC0415 - slow to load, and a start without mistakes does not need it
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415

    def pattern(_judge: object, pattern: str, value: object, _rules: object) -> Iterator[ValidationError]:
        """As in ECMA-262, where ``$`` is the very end of the text; Python's lets a line end stand after it."""
        if isinstance(value, str) and re.search(re.sub(r"\$\Z", r"\\Z", pattern), value) is None:
            yield ValidationError(f"{value!r} does not match {pattern!r}")

    judge = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
        jsonschema.Draft202012Validator, {"pattern": pattern}
    )
    return judge(rules, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def _sorted(errors: Iterable[ValidationError]) -> list[ValidationError]:
    return sorted(errors, key=lambda error: ([str(step).rjust(6) for step in error.absolute_path], error.message))


def _told(document: Document, below: tuple[Step, ...], error: ValidationError) -> list[Misconfigured]:
    path = (*below, *error.absolute_path)
    rule, rules = str(error.validator), error.schema if isinstance(error.schema, Mapping) else {}
    if rule == "additionalProperties" and isinstance(error.instance, dict):
        known = list(rules.get("properties", {}))
        return [document.mistake((*path, name), *_unknown(name, known)) for name in error.instance if name not in known]
    if rule == "required" and isinstance(error.instance, dict):
        # one error comes for each missing member; the name is only in its message
        missing = error.message.split("'")[1]
        known = list(rules.get("properties", {}))
        if any(name not in known and nearest(name, known) == missing for name in error.instance):
            return []  # it is there under a misspelt name, which is told already
        inner = rules.get("properties", {}).get(missing, {})
        wrong = Text(f"Thiếu khoá {missing}", f"The key {missing} is missing")
        return [document.mistake(path, wrong, _right(inner) or _generic_right(missing))]
    if rule in {"anyOf", "oneOf"} and error.context:
        closest = min(error.context, key=lambda inner: (-len(inner.absolute_path), str(inner.validator) == "type"))
        if _right(error.schema) is None:
            return _told(document, below, closest)
    wrong, right = _sentence(error)
    return [document.mistake(path, wrong, _right(error.schema) or right)]


def _right(rules: object) -> Text | None:
    said = rules.get("x-right") if isinstance(rules, Mapping) else None
    return Text(said["vi"], said["en"]) if isinstance(said, Mapping) and {"vi", "en"} <= said.keys() else None


def _generic_right(name: str) -> Text:
    return Text(f"Hãy thêm một dòng {name} = …", f"Add a line {name} = …")


def _unknown(name: str, known: Sequence[str]) -> tuple[Text, Text]:
    wrong = Text(f"Không có khoá nào tên là {name}", f"There is no key named {name}")
    meant = nearest(name, known)
    if meant is not None:
        return wrong, Text(f"Có phải ý là {meant}?", f"Did you mean {meant}?")
    listed = ", ".join(known) or "∅"
    return wrong, Text(f"Hãy bỏ dòng này. Các khoá được dùng: {listed}.", f"Leave it out. Known keys: {listed}.")


def _shown(error: ValidationError) -> str:
    """The value as it was written, cut short; nothing of one that the schema calls secret (``writeOnly``)."""
    if isinstance(error.schema, Mapping) and error.schema.get("writeOnly"):
        return "…"
    said = json.dumps(error.instance, ensure_ascii=False)
    return said if len(said) <= 80 else said[:77] + "…"


def _sentence(error: ValidationError) -> tuple[Text, Text]:
    value, limit = _shown(error), error.validator_value
    tell = _SENTENCES.get(str(error.validator))
    if tell is not None:
        return tell(value, limit)
    return (
        Text(
            f"Giá trị {value} không hợp lệ ({error.validator})", f"The value {value} is not valid ({error.validator})"
        ),
        Text("Hãy xem lược đồ của tệp này.", "See the schema of this file."),
    )


def _type(value: str, limit: Any) -> tuple[Text, Text]:
    kinds = [_KINDS[kind] for kind in ([limit] if isinstance(limit, str) else limit)]
    vi, en = " hoặc ".join(kind.vi for kind in kinds), " or ".join(kind.en for kind in kinds)
    return Text(f"Giá trị {value} sai kiểu", f"{value} is of the wrong kind"), Text(
        f"Phải là {vi}.", f"It must be {en}."
    )


def _enum(value: str, limit: Any) -> tuple[Text, Text]:
    listed = ", ".join(str(one) for one in limit)
    meant = nearest(value.strip('"'), [str(one) for one in limit])
    wrong = Text(f"Giá trị {value} không nằm trong các giá trị cho phép", f"{value} is not one of the values allowed")
    if meant is not None:
        return wrong, Text(f"Phải là một trong: {listed}. Có phải ý là {meant}?",
                           f"It must be one of: {listed}. Did you mean {meant}?")  # fmt: skip
    return wrong, Text(f"Phải là một trong: {listed}.", f"It must be one of: {listed}.")


def _plain(vi: str, en: str, right_vi: str, right_en: str) -> Callable[[str, Any], tuple[Text, Text]]:
    def tell(value: str, limit: Any) -> tuple[Text, Text]:
        return Text(vi.format(v=value, n=limit), en.format(v=value, n=limit)), Text(
            right_vi.format(v=value, n=limit), right_en.format(v=value, n=limit)
        )

    return tell


_SENTENCES: Final[dict[str, Callable[[str, Any], tuple[Text, Text]]]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda value, limit: _enum(value, [limit]),
    "pattern": _plain("Giá trị {v} sai mẫu", "{v} does not have the right form", "Phải theo mẫu {n}.",
                      "It must match {n}."),
    "format": _plain("Giá trị {v} không đúng dạng {n}", "{v} is not a valid {n}", "Hãy ghi đúng dạng {n}.",
                     "Write a valid {n}."),
    "minLength": _plain("Giá trị {v} quá ngắn", "{v} is too short", "Cần ít nhất {n} ký tự.",
                        "At least {n} characters are needed."),
    "maxLength": _plain("Giá trị {v} quá dài", "{v} is too long", "Không quá {n} ký tự.", "At most {n} characters."),
    "minItems": _plain("Danh sách {v} quá ngắn", "The list {v} is too short", "Cần ít nhất {n} mục.",
                       "At least {n} entries are needed."),
    "maxItems": _plain("Danh sách quá dài", "The list is too long", "Không quá {n} mục.", "At most {n} entries."),
    "uniqueItems": _plain("Danh sách {v} có mục lặp lại", "The list {v} repeats itself", "Mỗi mục chỉ ghi một lần.",
                          "Write each entry once."),
    "minimum": _plain("Số {v} quá nhỏ", "{v} is too small", "Phải từ {n} trở lên.", "It must be at least {n}."),
    "exclusiveMinimum": _plain("Số {v} quá nhỏ", "{v} is too small", "Phải lớn hơn {n}.", "It must be over {n}."),
    "maximum": _plain("Số {v} quá lớn", "{v} is too large", "Không được quá {n}.", "It must be at most {n}."),
}  # fmt: skip
