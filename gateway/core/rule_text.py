"""Reads the rules of a translation from their JSON form, and refuses what is not a rule, by its place in the file.

The words of the language, each an object in the array ``rules``:

    {"keep": [POINTER, ...]}                              the same place on both sides
    {"move": POINTER, "to": POINTER}                      also "copy", where another rule reads the same place
    {"rename": POINTER, "to": NAME}                       a new name beside its old neighbours
    {"remove": [POINTER, ...]}                            a loss by decision; nothing is written
    {"constant": VALUE, "to": POINTER}                    also "default": where nothing stands yet
    {"join": [POINTER, ...], "with": TEXT, "to": POINTER, "limit": N}
    {"split": POINTER, "at": TEXT, "to": [POINTER, ...], "limit": N}
    {"map": POINTER, "to": POINTER, "codes": [{"from": V, "to": V, "since"?: DAY, "until"?: DAY}], "on"?: POINTER,
     "otherwise": "keep" | "drop" | {"value": V}}
    {"date": POINTER, "to": POINTER, "from": FORM, "as": FORM, "offset"?: "+07:00", "otherwise": ...}
    {"number": POINTER, "to": POINTER, "from": FORM, "as": FORM, "width"?: N, "otherwise": ...}
    {"each": POINTER, "to": POINTER, "rules": [...], "only"?: "first"}

Every rule may carry ``"when": {"at": POINTER, "is": V | "in": [V, ...] | "present": true | false}`` and a ``comment``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from gateway.core.faults import Misconfigured, Text
from gateway.core.forms import DATE_FORMS, NUMBER_FORMS, read_day, read_offset
from gateway.core.rule import Condition, Guarded, Path, Rule
from gateway.core.rule_kinds import Code, Constant, Each, Join, Move, Otherwise, Recode, Reform, Remove, Split
from gateway.core.strictjson import StrictJsonError, parse_strict

MOST_BYTES: Final = 256 * 1024
MOST_RULES: Final = 500
MOST_NESTING: Final = 6
MOST_TOKENS: Final = 32
MOST_TEXT: Final = 1_000_000
_SHARED: Final = frozenset({"when", "comment"})


def split_pointer(pointer: str) -> Path:
    """The reference tokens of an RFC 6901 pointer; ValueError where it is none."""
    if pointer == "":
        return ()
    if not pointer.startswith("/"):
        raise ValueError(pointer)
    tokens = pointer[1:].split("/")
    for token in tokens:
        if "~" in token.replace("~0", "").replace("~1", ""):
            raise ValueError(pointer)
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def join_pointer(place: tuple[str | int, ...]) -> str:
    """The RFC 6901 pointer of a place in a document."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in place)


def parse_rules(document: bytes, where: str) -> tuple[Guarded, ...]:
    """The rules of one file in their order.

    Raises ``Misconfigured`` naming ``where``, with the pointer of the rule that is wrong.
    """
    if len(document) > MOST_BYTES:
        raise _wrong(where, Text("Tệp quy tắc quá lớn", "The rule file is too large"), f"≤ {MOST_BYTES} byte")
    try:
        content = parse_strict(document)
    except StrictJsonError as broken:
        raise _wrong(
            where, Text(f"Không đọc được JSON: {broken}", f"This is not JSON: {broken}"), "RFC 8259, UTF-8"
        ) from None
    if not isinstance(content, dict) or not set(content) <= {"rules", "comment"}:
        raise _wrong(where, Text("Tệp quy tắc phải là một đối tượng có rules", "A rule file is an object with rules"),
                     '{"rules": [...]}')  # fmt: skip
    return _Reader(where).rules(content.get("rules"), "/rules", 0)


def _wrong(where: str, wrong: Text, right: str) -> Misconfigured:
    return Misconfigured(where, wrong, Text(f"Cần: {right}", f"Needed: {right}"))


@dataclass(slots=True)
class _Reader:
    """Reads one file; counts its rules over all levels."""

    where: str
    count: int = 0

    def rules(self, content: Any, at: str, depth: int) -> tuple[Guarded, ...]:
        if not isinstance(content, list) or not content:
            raise self.wrong(at, "phải là danh sách quy tắc", "must be a list of rules", "[{...}, ...]")
        if depth > MOST_NESTING:
            raise self.wrong(at, "lồng quá sâu", "is nested too deeply", f"≤ {MOST_NESTING}")
        found: list[Guarded] = []
        for position, raw in enumerate(content):
            self.count += 1
            if self.count > MOST_RULES:
                raise self.wrong(at, "có quá nhiều quy tắc", "holds too many rules", f"≤ {MOST_RULES}")
            for guarded in self._rule(raw, f"{at}/{position}", depth):
                self._refuse_overlap(found, guarded, f"{at}/{position}")
                found.append(guarded)
        return tuple(found)

    def wrong(self, at: str, vi: str, en: str, right: str) -> Misconfigured:
        return _wrong(f"{self.where}#{at}", Text(f"Quy tắc {vi}", f"The rule {en}"), right)

    def _rule(self, raw: Any, at: str, depth: int) -> list[Guarded]:
        words = [word for word in _WORDS if isinstance(raw, dict) and word in raw]
        if len(words) != 1:
            raise self.wrong(at, "không rõ làm việc gì", "does not say what it does", " | ".join(_WORDS))
        needed, allowed, build = _WORDS[words[0]]
        entry = _Entry(self, raw, at, depth)
        for name in raw:
            if name not in needed and name not in allowed and name not in _SHARED:
                raise self.wrong(f"{at}/{name}", "có thành phần lạ", "has an unknown member", ", ".join(needed))
        for name in needed:
            if name not in raw:
                raise self.wrong(at, f"thiếu {name}", f"lacks {name}", ", ".join(needed))
        condition = entry.condition()
        return [(condition, rule) for rule in build(entry, words[0])]

    def _refuse_overlap(self, found: list[Guarded], added: Guarded, at: str) -> None:
        """Two rules never write the same place, unless a default fills it or conditions choose between them."""
        condition, rule = added
        if isinstance(rule, Constant) and rule.fills:
            return
        written = [(target, when) for when, earlier in found for target in earlier.targets]
        for target in rule.targets:
            for other, when in written:
                apart = condition is not None and when is not None and target == other
                if not apart and (target[: len(other)] == other or other[: len(target)] == target):
                    vi, en = "ghi đè chỗ mà quy tắc khác đã ghi", "writes where another rule writes"
                    raise self.wrong(at, f"{vi}: {join_pointer(target)}", f"{en}: {join_pointer(target)}",
                                     "default, when")  # fmt: skip
            written.append((target, None))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One rule's JSON object, read member by member."""

    reader: _Reader
    raw: dict[str, Any]
    at: str
    depth: int

    def wrong(self, name: str, right: str) -> Misconfigured:
        return self.reader.wrong(f"{self.at}/{name}", f"có {name} không hợp lệ", f"has a wrong {name}", right)

    def path_of(self, value: Any, name: str) -> Path:
        try:
            path = split_pointer(value)
        except (AttributeError, ValueError, TypeError):
            raise self.wrong(name, "RFC 6901: /a/b") from None
        if len(path) > MOST_TOKENS:
            raise self.wrong(name, f"≤ {MOST_TOKENS}")
        return path

    def path(self, name: str) -> Path:
        return self.path_of(self.raw[name], name)

    def paths(self, name: str, fewest: int) -> tuple[Path, ...]:
        value = self.raw[name]
        if not isinstance(value, list) or len(value) < fewest:
            raise self.wrong(name, "[POINTER, ...]")
        return tuple(self.path_of(each, name) for each in value)

    def text(self, name: str) -> str:
        value = self.raw[name]
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "TEXT")
        return value

    def count(self, name: str, default: int, most: int) -> int:
        value = self.raw.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self.wrong(name, f"0…{most}")
        return value

    def one_of(self, name: str, forms: frozenset[str]) -> str:
        value = self.raw[name]
        if not isinstance(value, str) or value not in forms:
            raise self.wrong(name, " | ".join(sorted(forms)))
        return value

    def otherwise(self) -> Otherwise:
        value = self.raw["otherwise"]
        if value in ("keep", "drop"):
            return Otherwise(keep=value == "keep")
        if isinstance(value, dict) and set(value) == {"value"}:
            return Otherwise(value=value["value"])
        raise self.wrong("otherwise", '"keep" | "drop" | {"value": ...}')

    def condition(self) -> Condition | None:
        if "when" not in self.raw:
            return None
        value = self.raw["when"]
        right = '{"at": POINTER, "is": VALUE | "in": [...] | "present": true}'
        if not isinstance(value, dict) or len(value) != 2 or "at" not in value:
            raise self.wrong("when", right)
        at = self.path_of(value["at"], "when")
        if "is" in value:
            return Condition(at, (value["is"],))
        if isinstance(value.get("in"), list):
            return Condition(at, tuple(value["in"]))
        if isinstance(value.get("present"), bool):
            return Condition(at, None, value["present"])
        raise self.wrong("when", right)

    def codes(self) -> tuple[Code, ...]:
        lines = self.raw["codes"]
        right = '[{"from": VALUE, "to": VALUE, "since"?: DAY, "until"?: DAY}]'
        if not isinstance(lines, list) or not 0 < len(lines) <= 5000:
            raise self.wrong("codes", right)
        found = []
        for line in lines:
            if not isinstance(line, dict) or not {"from", "to"} <= set(line) <= {"from", "to", "since", "until"}:
                raise self.wrong("codes", right)
            found.append(Code(line["from"], line["to"], self._day(line, "since"), self._day(line, "until")))
        if any(code.since or code.until for code in found) and "on" not in self.raw:
            raise self.wrong("codes", '"on": POINTER')
        return tuple(found)

    def _day(self, line: dict[str, Any], name: str) -> date | None:
        if name not in line:
            return None
        day = read_day(line[name])
        if day is None:
            raise self.wrong("codes", "YYYY-MM-DD")
        return day


def _kept(entry: _Entry, word: str) -> list[Rule]:
    return [Move(path, path) for path in entry.paths(word, 1)]


def _moved(entry: _Entry, word: str) -> list[Rule]:
    return [Move(entry.path(word), entry.path("to"))]


def _renamed(entry: _Entry, word: str) -> list[Rule]:
    source = entry.path(word)
    if not source:
        raise entry.wrong(word, "/a/b")
    return [Move(source, (*source[:-1], entry.text("to")))]


def _removed(entry: _Entry, word: str) -> list[Rule]:
    return [Remove(path) for path in entry.paths(word, 1)]


def _written(entry: _Entry, word: str) -> list[Rule]:
    return [Constant(entry.raw[word], entry.path("to"), fills=word == "default")]


def _joined(entry: _Entry, word: str) -> list[Rule]:
    limit = entry.count("limit", MOST_TEXT, MOST_TEXT)
    return [Join(entry.paths(word, 2), entry.text("with"), entry.path("to"), limit)]


def _divided(entry: _Entry, word: str) -> list[Rule]:
    limit = entry.count("limit", MOST_TEXT, MOST_TEXT)
    return [Split(entry.path(word), entry.text("at"), entry.paths("to", 2), limit)]


def _recoded(entry: _Entry, word: str) -> list[Rule]:
    on = entry.path("on") if "on" in entry.raw else None
    return [Recode(entry.path(word), entry.path("to"), entry.codes(), on, entry.otherwise())]


def _reformed(entry: _Entry, word: str) -> list[Rule]:
    forms = DATE_FORMS if word == "date" else NUMBER_FORMS
    offset = read_offset(str(entry.raw.get("offset", "+07:00")))
    if offset is None:
        raise entry.wrong("offset", "+07:00")
    given, wanted = entry.one_of("from", forms), entry.one_of("as", forms)
    width = entry.count("width", 0, 18)
    return [Reform(entry.path(word), entry.path("to"), given, wanted, offset, width, entry.otherwise())]


def _itemised(entry: _Entry, word: str) -> list[Rule]:
    if entry.raw.get("only", "first") != "first":
        raise entry.wrong("only", '"first"')
    rules = entry.reader.rules(entry.raw["rules"], f"{entry.at}/rules", entry.depth + 1)
    return [Each(entry.path(word), entry.path("to"), rules, first="only" in entry.raw)]


_Builder = Callable[[_Entry, str], list[Rule]]
#: word -> the members it needs, those it may have besides, how it is read
_WORDS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], _Builder]]] = {
    "keep": (("keep",), (), _kept),
    "move": (("move", "to"), (), _moved),
    "copy": (("copy", "to"), (), _moved),
    "rename": (("rename", "to"), (), _renamed),
    "remove": (("remove",), (), _removed),
    "constant": (("constant", "to"), (), _written),
    "default": (("default", "to"), (), _written),
    "join": (("join", "with", "to"), ("limit",), _joined),
    "split": (("split", "at", "to"), ("limit",), _divided),
    "map": (("map", "to", "codes", "otherwise"), ("on",), _recoded),
    "date": (("date", "to", "from", "as", "otherwise"), ("offset",), _reformed),
    "number": (("number", "to", "from", "as", "otherwise"), ("width",), _reformed),
    "each": (("each", "to", "rules"), ("only",), _itemised),
}
