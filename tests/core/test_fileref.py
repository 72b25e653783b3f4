"""Files that a message names, wherever they stand in its data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.fileref import files_named, is_file
from tests.build import a_digest


def a_file(label: str = "a", **override: Any) -> dict[str, Any]:
    """A file named as contracts do."""
    made = {"name": f"{label}.pdf", "mediaType": "application/pdf", "size": 7, "sha256": a_digest(label)}
    return {key: value for key, value in {**made, **override}.items() if value is not None}


def test_a_file_is_named_by_name_media_type_size_and_digest() -> None:
    assert is_file(a_file())
    assert is_file(a_file(note="bản ký số"))


@pytest.mark.parametrize("missing", ["name", "mediaType", "size", "sha256"])
def test_what_lacks_one_of_the_four_names_no_file(missing: str) -> None:
    override: dict[str, Any] = {missing: None}
    assert not is_file(a_file(**override))


@pytest.mark.parametrize("digest", [a_digest("a").upper(), a_digest("a")[:-1], a_digest("a") + "\n", 7, "g" * 64])
def test_a_digest_is_64_hex_digits_in_lower_case(digest: object) -> None:
    assert not is_file(a_file(sha256=digest))


def test_files_are_found_at_any_depth_in_order_of_appearance_each_once() -> None:
    data = {"raw": a_file("1"), "files": [a_file("2"), {"deep": [a_file("3")]}, a_file("1")], "last": a_file("4")}
    assert files_named(data) == tuple(a_digest(name) for name in "1234")


def test_a_file_within_a_file_is_found_too() -> None:
    assert files_named([a_file("1", parts=[a_file("2")])]) == (a_digest("1"), a_digest("2"))


@pytest.mark.parametrize("data", [None, "text", 7, [], {}, [[]], a_digest("a"), {"sha256": a_digest("a")}])
def test_data_without_files_names_none(data: object) -> None:
    assert files_named(data) == ()


SCALARS = st.none() | st.integers() | st.text(max_size=5)


@given(st.recursive(SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(SCALARS, x, max_size=3), max_leaves=8))
def test_any_data_can_be_looked_through(data: object) -> None:
    assert files_named(data) == ()


def test_data_of_any_depth_can_be_looked_through() -> None:
    data: Any = a_file("deep")
    for _ in range(5000):
        data = [data]
    assert files_named(data) == (a_digest("deep"),)
