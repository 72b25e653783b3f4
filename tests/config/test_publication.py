"""The gate of publication: what would break traffic later does not pass, and is explained by its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.config.catalog import contract_from_documents, publish_check
from gateway.config.publication import advice
from gateway.core.faults import Misconfigured

TOML = 'title = { vi = "Hồ sơ chuyển", en = "Dossier moved" }\nowner = "H33.14"\n'.encode()
SCHEMA = {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}}
FILE = {"name": "a", "mediaType": "b", "size": 1, "sha256": "a" * 64}


def files(schema: Any = SCHEMA, good: Any = ({"code": "1"},), bad: Any = (), **more: Any) -> dict[str, bytes]:
    found: dict[str, Any] = {"1.0/schema.json": schema}
    found |= {f"1.0/examples/good/{number}.json": data for number, data in enumerate(good)}
    found |= {f"1.0/examples/bad/{name}.json": data for name, data in dict(bad).items()}
    found |= {name.replace("__", "/").replace("_", ".", 1) + ".json": data for name, data in more.items()}
    return {"contract.toml": TOML, **{path: json.dumps(data).encode() for path, data in found.items()}}


def refusals(documents: dict[str, bytes]) -> list[str]:
    contract = contract_from_documents("dossier.moved", documents, "here")
    try:
        publish_check(contract, "here")
    except Misconfigured as fault:
        return [str(found) for found in (fault, *fault.also)]
    return []


def test_a_plain_contract_as_the_interface_describes_it_passes() -> None:
    assert refusals(files(bad={"no-code": {}, "code.type": {"code": 1}})) == []


@pytest.mark.parametrize(
    ("member", "where"),
    [
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "#/$schema"),
        ({"$id": "https://example.vn/other"}, "#/$id"),
        ({"requierd": ["a"]}, "#: There is no keyword requierd"),
        ({"properties": {"a": {"maxLenght": 3}}}, "#/properties/a: There is no keyword maxLenght"),
        ({"items": {"pattern": "^(a+)+$"}}, "#/items/pattern"),
        ({"items": {"pattern": "\\s"}}, "#/items/pattern"),
        ({"patternProperties": {"^(a|a)*$": {}}}, "#/pattern"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}}, "leads back to itself"),
        ({"additionalProperties": {"$ref": "#"}}, "leads back to itself"),
        ({"$defs": {"a": {"$dynamicRef": "#a"}}}, "$dynamicRef is not allowed"),
        ({"x-own": {"a": {}}, "items": {"$ref": "#/x-own/a"}}, "#/items/$ref"),
    ],
)
def test_a_schema_that_is_not_plain_is_refused_by_its_place(member: dict[str, Any], where: str) -> None:
    found = refusals(files({**SCHEMA, **member}))

    assert any(where in each for each in found), found


def test_a_schema_that_is_too_deep_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"not": deep} if not deep else {"items": deep}

    assert any("too deep" in each for each in refusals(files({**SCHEMA, "items": deep})))


@pytest.mark.parametrize("extra", [{"x-note": {"any": "thing"}}, {"nullable": True}, {"$comment": "words"}])
def test_annotations_are_no_mistake(extra: dict[str, Any]) -> None:
    assert refusals(files({**SCHEMA, **extra})) == []


def test_a_good_example_that_fails_is_refused_by_its_place_in_the_data() -> None:
    found = refusals(files(good=[{"code": "1"}, {"code": 5}]))

    assert ["good/1.json#/code" in each for each in found] == [True]


def test_a_bad_example_that_passes_is_refused() -> None:
    assert any("A bad example passes" in each for each in refusals(files(bad={"fine": {"code": "1"}})))


def test_a_bad_example_must_fail_by_the_rule_that_its_name_says() -> None:
    found = refusals(files(bad={"no-code.maxLength": {}}))

    assert any("fails by required, not by maxLength" in each for each in found)


def test_some_good_example_must_do_without_files() -> None:
    with_file = {"code": "1", "file": FILE}

    assert any("names no file" in each for each in refusals(files(good=[with_file])))
    assert any("names no file" in each for each in refusals(files(good=[])))
    assert refusals(files(good=[with_file, {"code": "1"}])) == []


def test_what_the_two_validators_judge_differently_is_refused() -> None:
    schema = {**SCHEMA, "properties": {"code": {"type": "string", "format": "email"}}}

    assert any("do not agree" in each for each in refusals(files(schema, good=[{}, {"code": "a@"}], bad={})))


NEW = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
UP = {"rules": [{"move": "/code", "to": "/id"}]}
DOWN = {"rules": [{"move": "/id", "to": "/code"}]}
NEXT: dict[str, Any] = {"2_0__schema": NEW, "2_0__examples__good__a": {"id": "1"}}


def test_a_new_major_with_rules_both_ways_passes() -> None:
    assert refusals(files(**NEXT, **{"2_0__up": UP, "2_0__down": DOWN})) == []


def test_a_new_major_without_rules_is_refused() -> None:
    found = refusals(files(**NEXT, **{"2_0__up": UP}))

    assert [each.split(":")[0] for each in found] == ["here/2.0/down.json"]


def test_rules_in_the_first_major_or_in_a_later_minor_are_refused() -> None:
    found = refusals(files(**NEXT, **{"1_0__up": UP, "2_0__up": UP, "2_0__down": DOWN, "2_1__schema": NEW,
                                      "2_1__examples__good__a": {"id": "1"}, "2_1__down": DOWN}))  # fmt: skip

    assert [each.split(":")[0] for each in found] == ["here/1.0/up.json", "here/2.1/down.json"]


@pytest.mark.parametrize(("up", "down", "wrong"), [
    ({"rules": [{"keep": ["/code"]}]}, DOWN, "here/2.0/up.json"),
    (UP, {"rules": [{"keep": ["/id"]}]}, "here/2.0/down.json"),
])  # fmt: skip
def test_rules_whose_result_breaks_the_other_major_are_refused(up: Any, down: Any, wrong: str) -> None:
    found = refusals(files(**NEXT, **{"2_0__up": up, "2_0__down": down}))

    assert [each.split(":")[0] for each in found] == [wrong]


def test_all_mistakes_are_shown_at_once() -> None:
    assert len(refusals(files({**SCHEMA, "requierd": [], "items": {"pattern": "(a+)+"}}))) == 2


def test_advice_asks_for_descriptions_classes_titles_and_named_bad_examples() -> None:
    told = [str(each) for each in advice(contract_from_documents("dossier.moved", files()), "here")]

    for word in ("No description in both languages", "x-lgsp-class is missing", "No title", "No bad example"):
        assert any(word in each for each in told), word


def test_advice_names_what_the_rules_forgot() -> None:
    wider = {**NEW, "properties": {"id": {"type": "string"}, "list": {"items": {"properties": {"a": {}, "b": {}}}}}}
    rules = {"rules": [{"move": "/id", "to": "/code"},
                       {"each": "/list", "to": "/list", "rules": [{"keep": ["/a"]}]}]}  # fmt: skip
    documents = files(**{**NEXT, "2_0__schema": wider, "2_0__up": UP, "2_0__down": rules})

    told = [str(each) for each in advice(contract_from_documents("dossier.moved", documents), "here")]

    assert [each for each in told if "No rule speaks of" in each] == [
        "here/2.0/down.json: No rule speaks of /list/*/b. Move it, or name it in remove"
    ]
