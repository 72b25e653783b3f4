"""Contracts as values: names, versions, verdicts and what the verdicts say to people."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.contract import Catalog, Contract, Version, is_contract_name, parse_dataschema, parse_label
from gateway.core.faults import Misconfigured, Text
from gateway.core.schema import field_class
from gateway.core.translation import Rules

PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["code"],
    "properties": {
        "code": {"type": "string", "x-lgsp-class": "public", "maxLength": 5},
        "status": {"enum": ["new", "old"], "x-lgsp-class": "public"},
        "note": {"type": "string", "x-lgsp-class": "internal", "maxLength": 10},
        "day": {"type": "string", "format": "date", "x-lgsp-class": "public"},
        "name": {"type": "integer", "x-lgsp-class": "personal"},
        "unclassed": {"type": "integer"},
        "home": {"x-lgsp-class": "personal", "$ref": "#/$defs/address"},
        "offices": {"type": "array", "x-lgsp-class": "public", "items": {"$ref": "#/$defs/address"}},
        "tags": {"type": "array", "x-lgsp-class": "public", "items": {"type": "string"}},
        "file": {"properties": {"size": {}}, "additionalProperties": False, "x-lgsp-class": "public"},
        "empty": {"additionalProperties": False, "x-lgsp-class": "public"},
    },
    "$defs": {
        "address": {"type": "object", "properties": {"street": {"type": "string", "x-lgsp-class": "public"}}},
    },
}


def version(major: int = 1, minor: int = 0, schema: dict[str, Any] | None = None, **more: Any) -> Version:
    return Version("person.known", major, minor, "active", PERSON if schema is None else schema, **more)


def contract(*versions: Version, name: str = "person.known") -> Contract:
    return Contract(name, Text("Người", "Person"), "H33", versions=versions)


def message(data: Any) -> Text:
    (violation,) = version().check(data)
    return violation.message


@pytest.mark.parametrize("name", ["document.issued", "receipt.delivered", "a", "one-stop.dossier2.moved"])
def test_a_contract_name_is_lower_case_words_with_dots(name: str) -> None:
    assert is_contract_name(name)


@pytest.mark.parametrize("name", ["", "Document", "a..b", ".a", "a.", "a-.b", "-a", "a_b", "1a", "a\n", "đ", "a" * 101])
def test_anything_else_is_no_contract_name(name: str) -> None:
    assert not is_contract_name(name)


def test_a_dataschema_names_contract_and_version() -> None:
    assert parse_dataschema("urn:lgsp:contract:document.issued:2.0") == ("document.issued", "2.0")
    assert version(2, 3).dataschema == "urn:lgsp:contract:person.known:2.3"


@pytest.mark.parametrize(
    "dataschema",
    [
        "", "document.issued/1.0", "urn:lgsp:contract:document.issued", "urn:lgsp:contract:document.issued:1",
        "urn:lgsp:contract:document.issued:01.0", "urn:lgsp:contract:document.issued:1.00",
        "urn:lgsp:contract:document.issued:1.0:x", "urn:lgsp:contract::1.0", "urn:lgsp:contract:document.issued:1.0\n",
        "URN:lgsp:contract:document.issued:1.0", "urn:lgsp:contract:document.issued:٣.0",
    ],
)  # fmt: skip
def test_any_other_dataschema_names_nothing(dataschema: str) -> None:
    assert parse_dataschema(dataschema) is None


def test_majors_start_at_one() -> None:
    assert (parse_label("1.0"), parse_label("12.34"), parse_label("0.1")) == ((1, 0), (12, 34), None)


def test_valid_data_has_no_violations() -> None:
    assert version().check({"code": "H33", "day": "2018-09-28", "anything": [None]}) == ()


def test_a_missing_member_is_named_and_the_pointer_names_the_object_that_lacks_it() -> None:
    (violation,) = version().check({})

    assert (violation.pointer, violation.rule) == ("", "required")
    assert "code" in violation.message.vi
    assert "code" in violation.message.en


def test_a_pointer_escapes_what_a_name_may_hold() -> None:
    odd = version(schema={"properties": {"a/b~c": {"items": {"type": "string"}}}})

    assert [found.pointer for found in odd.check({"a/b~c": ["x", 1]})] == ["/a~1b~0c/1"]


def test_formats_are_asserted() -> None:
    assert "2018-02-30" in message({"code": "H33", "day": "2018-02-30"}).vi


def test_what_would_be_right_is_said_in_both_languages() -> None:
    assert message({"code": "H33", "status": "gone"}) == Text(
        "Không thuộc danh sách cho phép; cần một trong: new, old; đang là: gone",
        "Not among the allowed values; needed is one of: new, old; it is: gone",
    )


def test_a_personal_value_is_never_shown() -> None:
    told = message({"code": "H33", "name": "Nguyễn Văn Mẫu"})

    assert "Mẫu" not in told.vi + told.en


def test_what_lies_inside_a_personal_field_is_personal() -> None:
    told = message({"code": "H33", "home": {"street": 12345}})

    assert "12345" not in told.vi + told.en
    assert "12345" in message({"code": "H33", "offices": [{"street": 12345}]}).vi


def test_a_value_without_class_or_name_in_the_schema_is_not_shown() -> None:
    assert "4711x" not in message({"code": "H33", "unclassed": "4711x"}).vi
    assert field_class(PERSON, ("no-such", "name")) is None
    assert field_class(PERSON, ("tags", 3)) == "public"


def test_of_a_long_value_at_most_80_characters_are_shown() -> None:
    told = message({"code": "H33", "note": "ă" * 500})

    assert 70 < told.vi.count("ă") <= 80


def test_names_that_are_not_allowed_are_counted_and_not_repeated() -> None:
    told = message({"code": "H33", "file": {"Nguyễn Văn Mẫu": 1, "b": 2}})

    assert "2" in told.en
    assert "Mẫu" not in told.vi + told.en


def test_where_nothing_may_stand_the_rule_is_still_the_schemas_keyword() -> None:
    (violation,) = version().check({"code": "H33", "empty": {"b": 2}})

    assert (violation.pointer, violation.rule) == ("/empty", "additionalProperties")
    assert "sender must leave it out" in violation.message.en


@pytest.mark.parametrize(
    ("schema", "data", "rule"),
    [
        ({"uniqueItems": True}, [1, 1], "uniqueItems"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, "anyOf"),
        ({"oneOf": [{"type": "string"}, {"maximum": 3}]}, 5, "oneOf"),
        ({"multipleOf": 5}, 7, "multipleOf"),
        ({"const": "x"}, "y", "const"),
        ({"pattern": "^a$"}, "b", "pattern"),
        ({"minimum": 5}, 1, "minimum"),
        ({"exclusiveMaximum": 5}, 5, "exclusiveMaximum"),
        ({"minItems": 2}, [], "minItems"),
        ({"maxProperties": 0}, {"a": 1}, "maxProperties"),
        ({"properties": {"a": False}}, {"a": 1}, "properties"),
        ({"prefixItems": [{}], "items": False}, [1, 2], "items"),
        ({"not": {}}, 1, "not"),
        ({"contains": {"type": "null"}}, [1], "contains"),
    ],
)
def test_every_rule_has_a_sentence_in_both_languages(schema: dict[str, Any], data: Any, rule: str) -> None:
    (violation,) = version(schema=schema).check(data)

    assert violation.rule == rule
    assert len(violation.message.vi) > 15
    assert len(violation.message.en) > 15


def test_at_most_twenty_violations_are_told() -> None:
    assert len(version().check({"code": "H33", "tags": list(range(1000))})) == 20


@pytest.mark.parametrize("data", [None, True, 3, "text", [], [{}]])
def test_data_that_is_no_object_is_judged_too(data: Any) -> None:
    assert [found.rule for found in version().check(data)] == ["type"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nothing"},
        {"$ref": "https://example.vn/schema.json"},
        {"$ref": "#/$defs/none"},
        {"pattern": "(?=a)"},
        {"format": "no-such-format"},
        {"properties": []},
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_when_the_version_is_made(schema: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match=r"person\.known/1\.0/schema\.json"):
        version(schema=schema)


def rules(word: str) -> Rules:
    return Rules.parse(f'{{"rules": [{word}]}}'.encode())


THREE = contract(
    version(1),
    version(1, 1),
    version(2, up=rules('{"move": "/a", "to": "/b"}'), down=rules('{"move": "/b", "to": "/a"}')),
    version(2, 1),
    version(3, up=rules('{"move": "/b", "to": "/c"}'), down=rules('{"move": "/c", "to": "/b"}')),
)


def test_a_translation_leads_over_all_majors_to_the_first_minor() -> None:
    catalog = Catalog.of([THREE])

    up, down = catalog.translation("person.known", 1, 3), catalog.translation("person.known", 3, 1)

    assert up is not None
    assert down is not None
    assert (up.target, up.apply({"a": 1}), down.target, down.apply({"c": 1})) == ("3.0", {"c": 1}, "1.0", {"a": 1})


def test_there_is_no_translation_within_a_major_nor_to_what_is_not_there() -> None:
    catalog = Catalog.of([THREE])
    asked = [("person.known", 2, 2), ("person.known", 1, 4), ("person.known", 4, 1), ("no.such", 1, 2)]

    assert [catalog.translation(*each) for each in asked] == [None] * 4


def test_there_is_no_translation_where_rules_are_missing() -> None:
    assert Catalog.of([contract(version(1), version(2))]).translation("person.known", 1, 2) is None


def test_a_catalog_finds_by_name_and_label() -> None:
    catalog = Catalog.of([THREE])

    found = catalog.find("person.known", "2.1")

    assert found is not None
    assert found.label == "2.1"
    assert [catalog.find("person.known", "2.2"), catalog.find("no.such", "1.0"), catalog.contract("no.such")] == [
        None
    ] * 3


def test_a_province_adds_its_own_contracts_to_the_built_in_ones() -> None:
    own = contract(version(), name="dossier.moved")

    both = Catalog.of([THREE]).merged(Catalog.of([own]))

    assert (both.names(), both.contract("dossier.moved")) == (("dossier.moved", "person.known"), own)
