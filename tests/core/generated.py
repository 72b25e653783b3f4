"""Documents by chance: a hypothesis strategy for any schema written in the words that our contracts use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.core.schema import at_pointer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/đ~", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=3), inner, max_size=3),
    max_leaves=4,
)
_LETTERS = st.text("/ -.,~0179aAĐđệ\u0302\u3042😀\n", max_size=12)
_CODES = st.text("-./ 0179AH–ệ", max_size=12).map("H33".__add__)
_PATTERNS = {
    "^[!-~\u00a1-\ufffd][ -~\u00a1-\ufffd]*$": _CODES,
    "^https?://[!-~\u00a1-\ufffd]": st.text("./?=-0179ahệ", max_size=12).map("https://example.vn/".__add__),
    "^[a-z0-9][a-z0-9-]*$": st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
    "^[0-9a-f]{64}$": st.text("0123456789abcdef", min_size=64, max_size=64),
    "^sha-256:[0-9a-f]{64}$": st.text("0123456789abcdef", min_size=64, max_size=64).map("sha-256:".__add__),
}
#: What a schema demands of an object beside its members one by one.
_CONDITIONS = ("minProperties", "anyOf", "oneOf", "allOf", "if", "then", "else")
_ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Local times: the zone is drawn apart.
_FIRST, _LAST = datetime(1000, 1, 2), datetime(2999, 12, 30)  # noqa: DTZ001
_FORMATS = {
    "date": st.dates(date(1000, 1, 1), date(2999, 12, 31)).map(date.isoformat),
    "date-time": st.datetimes(_FIRST, _LAST, timezones=_ZONES).map(datetime.isoformat),
    "uuid": st.uuids().map(str),
}


def documents(schema: Mapping[str, Any], *, strangers: tuple[str, ...] = ()) -> st.SearchStrategy[Any]:
    """Data valid against ``schema``; open objects may hold members of other names, ``strangers`` among them."""
    return _node(schema, schema, strangers)


def _node(root: Mapping[str, Any], node: Mapping[str, Any], strangers: tuple[str, ...]) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        return _node(root, _narrowed(at_pointer(root, node["$ref"][1:]), node), strangers)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    kinds = {"object": _object, "array": _array}
    if node["type"] in kinds:
        return kinds[node["type"]](root, node, strangers)
    if node["type"] == "integer":
        return st.integers(node.get("minimum", -(10**20)), node.get("maximum", 10**20))
    if node["type"] == "number":
        return st.integers(node.get("minimum", -(10**9)), node.get("maximum", 10**9))
    if node["type"] == "boolean":
        return st.booleans()
    return _text(node)


def _narrowed(meant: Mapping[str, Any], beside: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference means, with members that its place allows less of."""
    if "properties" not in beside:
        return meant
    members = {name: {**meant["properties"][name], **each} for name, each in beside["properties"].items()}
    return {**meant, "properties": {**meant["properties"], **members}}


def _text(node: Mapping[str, Any]) -> st.SearchStrategy[str]:
    if "format" in node:
        return _FORMATS[node["format"]]
    least, most = node.get("minLength", 0), node.get("maxLength", 1000)
    if "pattern" in node:
        known = _PATTERNS.get(node["pattern"])
        fitting = st.from_regex(node["pattern"], alphabet=st.characters(codec="utf-8", exclude_characters="\n"))
        # In Python "$" fits before a last line end too, whatever the alphabet.
        fitting = fitting.filter(lambda text: least <= len(text) <= most and not text.endswith("\n"))
        return fitting if known is None else known
    longest = st.sampled_from(["x", "/", "ệ/"]).map(lambda sign: (sign * most)[:most])
    return _LETTERS.filter(lambda text: least <= len(text) <= most) | longest


def _array(root: Mapping[str, Any], node: Mapping[str, Any], strangers: tuple[str, ...]) -> st.SearchStrategy[Any]:
    return st.lists(_node(root, node["items"], strangers), min_size=node.get("minItems", 0), max_size=3)


def _object(root: Mapping[str, Any], node: Mapping[str, Any], strangers: tuple[str, ...]) -> st.SearchStrategy[Any]:
    anything = node.get("additionalProperties")
    if isinstance(anything, Mapping) and isinstance(anything.get("type"), list):
        return st.dictionaries(st.text("ab/~", max_size=3), st.none() | st.booleans() | st.text("ab"), max_size=3)
    if isinstance(anything, Mapping):
        inner = st.dictionaries(st.text("ab", max_size=2), JSON, max_size=2)
        return st.dictionaries(st.text("ab/~", max_size=3), inner, max_size=2)
    members = {name: _node(root, each, strangers) for name, each in node.get("properties", {}).items()}
    known = st.one_of([_known(members, root, node, *way) for way in _ways(node)])
    if anything is False:
        return known
    names = st.sampled_from([name for name in (*strangers, "x-khác", "a/b~c") if name not in members])
    unknown = st.dictionaries(names, JSON, max_size=2)
    return st.tuples(unknown, known).map(lambda both: {**both[0], **both[1]})


def _known(
    members: Mapping[str, Any],
    root: Mapping[str, Any],
    node: Mapping[str, Any],
    fixed: Mapping[str, Any],
    needed: set[str],
) -> st.SearchStrategy[Any]:
    """Members that the schema names, in one of the ways that it allows."""
    required = set(node.get("required", ())) | needed
    drawn = {**members, **{name: st.just(value) for name, value in fixed.items()}}
    found = st.fixed_dictionaries(
        {name: each for name, each in drawn.items() if name in required},
        optional={name: each for name, each in drawn.items() if name not in required},
    )
    asked = {word: node[word] for word in _CONDITIONS if word in node}
    if not asked:
        return found
    return found.filter(Draft202012Validator({"$defs": root.get("$defs", {}), **asked}).is_valid)


def _ways(node: Mapping[str, Any]) -> list[tuple[dict[str, Any], set[str]]]:
    """How an object may be whole: members of a certain value, and members that there must be then."""
    if "anyOf" in node:
        return [({}, set(way["required"])) for way in node["anyOf"]]
    ways: list[tuple[dict[str, Any], set[str]]] = []
    for clause in node.get("allOf", ()):
        wanted = clause["if"]["properties"]
        if any("const" not in each for each in wanted.values()):
            continue  # found by chance, and held to the clause then
        fixed = {name: each["const"] for name, each in wanted.items()}
        ways += [(fixed, set(then["required"])) for then in clause["then"].get("anyOf", [clause["then"]])]
    return ways or [({}, set())]


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """Every value that holds no other, with its place; empty arrays and objects count."""
    parts = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    if not parts:
        return [(place, value)]
    return [found for name, part in parts for found in leaves(part, (*place, name))]


def member_names(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Every name that a schema gives to a member, at any depth."""
    found: set[str] = set()
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            found |= set(node["properties"]) if isinstance(node.get("properties"), Mapping) else set()
            waiting.extend(node.values())
    return tuple(sorted(found))
