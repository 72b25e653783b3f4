"""Agency codes in their official forms, names of systems, and the patterns over names and texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.codes import form_of, is_code, is_contract_match, is_local_name, is_text_match, split_system


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("H33", "qd20"),
        ("H33.05", "qd20"),
        ("H37.DN.001", "qd20"),
        ("G12", "qd20"),
        ("000.00.05.H33", "qcvn2016"),
        ("999.010.01.H22", None),  # odd, but in use
        ("28.22.H17", "legacy9"),
        ("00.33.W00", "centre"),
        ("020100107370", "enterprise"),
        ("0201001073701", "enterprise"),
        ("Z33", None),
        ("h33.05", None),
        ("H33.", None),
        ("H33." + "1234567890." * 3, None),
        ("H33" + ".1234567" * 4, "qd20"),
        ("H33" + ".12345678" * 4, None),
        ("", None),
    ],
)
def test_the_official_forms_are_told_apart(code: str, form: str | None) -> None:
    assert form_of(code) == form


@pytest.mark.parametrize("code", ["H33.05", "000.A53.000", "vxp.saas.03", "999.010.01.H22", "a", "x" * 64])
def test_a_code_of_an_unusual_form_is_still_a_code(code: str) -> None:
    assert is_code(code)


@pytest.mark.parametrize("code", ["", "H33 05", "H33/05", ".H33", "x" * 65, "H33.05\n", "Sở", "*", "H33.*"])
def test_what_could_be_read_as_something_else_is_no_code(code: str) -> None:
    assert not is_code(code)


@pytest.mark.parametrize("name", ["dms", "qlvb-2", "hr.v2", "0"])
def test_a_system_has_a_short_name_in_small_letters(name: str) -> None:
    assert is_local_name(name)
    assert split_system(f"H33.05/{name}") == ("H33.05", name)


@pytest.mark.parametrize("name", ["", "DMS", "-dms", "a/b", "x" * 64, "dms\n", "quản-lý"])
def test_anything_else_is_no_name_of_a_system(name: str) -> None:
    assert not is_local_name(name)
    assert split_system(f"H33.05/{name}") is None


@pytest.mark.parametrize("name", ["H33.05", "/dms", "H33.05/", "/", ""])
def test_a_system_is_named_by_its_agency_and_itself(name: str) -> None:
    assert split_system(name) is None


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("document.issued", "document.issued", True),
        ("document.issued", "document.issued.more", False),
        ("document.*", "document.issued", True),
        ("document.*", "document.a.b", True),
        ("document.*", "document", False),
        ("document.*", "documents.issued", False),
        ("*", "anything.at-all", True),
        ("document.iss*", "document.issued", False),
    ],
)
def test_a_contract_pattern_names_one_or_any_rest_or_all(pattern: str, name: str, is_match: bool) -> None:
    assert is_contract_match(pattern, name) is is_match


@given(st.text("ab*.", max_size=8), st.text("ab.", max_size=12))
def test_a_star_stands_for_any_run_of_characters(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None
    assert is_text_match(pattern, text) is expected


@given(st.text())
def test_a_single_star_matches_every_text(text: str) -> None:
    assert is_text_match("*", text)


def test_nothing_but_the_star_has_a_meaning() -> None:
    assert is_text_match("H33.[0-9]?", "H33.[0-9]?")
    assert not is_text_match("H33.0?", "H33.05")


def test_a_pattern_of_many_stars_is_answered_at_once() -> None:
    assert not is_text_match("*a" * 200 + "b", "a" * 5000)
