"""What a contract classes as personal is masked wherever data is shown; what has no class counts as personal."""

from __future__ import annotations

import json

import pytest

from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.contract import Version
from gateway.core.masking import MASK, masked
from gateway.core.schema import field_class
from tests.core.generated import leaves

CATALOG = read_catalog([builtin_folder()])
VERSIONS = [version for name in CATALOG.names() for version in CATALOG.contracts[name].versions]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.dataschema)
def test_of_every_example_just_what_is_public_or_internal_is_shown(version: Version) -> None:
    for example in version.examples:
        shown = dict(leaves(masked(version.schema, example.data)))
        for place, value in leaves(example.data):
            if place not in shown or isinstance(value, dict | list):
                continue
            is_open = field_class(version.schema, place) in ("public", "internal")
            assert shown[place] == (value if is_open else MASK), place


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.dataschema)
def test_nothing_is_shown_under_a_schema_that_is_not_known(version: Version) -> None:
    for example in version.examples:
        assert set(masked({}, example.data)) <= {MASK}


def test_members_that_the_contract_does_not_know_are_counted_and_neither_named_nor_shown() -> None:
    schema = {"properties": {"code": {"x-lgsp-class": "public"}, "who": {"x-lgsp-class": "personal", "properties": {
        "code": {"x-lgsp-class": "public"}}}}}  # fmt: skip
    data = {"code": "A", "Nguyễn Văn Mẫu": 1, "khác": {"x": 2}, "who": {"code": "B", "Nguyễn Văn Mẫu": 3}}

    assert masked(schema, data) == {"code": "A", MASK: 2, "who": {"code": MASK, MASK: 1}}
    assert "Nguyễn" not in json.dumps(masked(schema, data), ensure_ascii=False)


def test_a_list_is_shown_by_its_items_and_has_its_length() -> None:
    schema = {"properties": {"items": {"x-lgsp-class": "internal", "items": {"properties": {
        "name": {"x-lgsp-class": "personal"}, "on": {"x-lgsp-class": "public"}}}}}}  # fmt: skip

    assert masked(schema, {"items": [{"name": "A", "on": 1}, {"name": "B"}]}) == {
        "items": [{"name": MASK, "on": 1}, {"name": MASK}]
    }


@pytest.mark.parametrize("data", ["Nguyễn Văn Mẫu", 7, None, True])
def test_what_is_no_object_is_masked(data: object) -> None:
    assert masked({"properties": {}}, data) == MASK
