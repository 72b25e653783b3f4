"""Patterns that a contract may hold: read alike by both engines, and impossible to hang one with."""

from __future__ import annotations

import re
import time

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.pattern import PatternError, check_pattern, for_python

GOOD = [
    "", "^", "a", "^[0-9a-f]{64}$", "^\\d{12}$", "^[A-Y][0-9]{2}(\\.[0-9A-Z]{1,10}){0,8}$", "^(ab|cd)*$",
    "^[^/]+/.+$",
    "^(?:x|y)?z$", "a\\.b\\$c", "[À-ỹ ]+", "^[\\w.]+$", "(-[a-z0-9]+)*", "^a{2,}$", "[a-]", "^[12]", "(a(b(c)))",
]  # fmt: skip
BAD = [
    "(a+)+", "(a*)*", "(a|a)*", "(a|ab)*", "((a)(b+))*", "(\\.(a|b))*", "(.a*)+", "(\\.[.a]+)*", "a+?", "a*+",
    "a{2}{3}",
    "\\s", "\\b", "\\p{L}", "\\1", "\\x41", "\\", "(?=a)", "(?<!a)", "(?i)a", "(?P<n>a)", "a$b", "^^", "(^a)", "(", ")",
    "[", "[]", "[b-a]", "[a&&b]", "[[:alpha:]]", "[\\w-z]", "a{,3}", "a{3,2}", "a{1001}", "{", "}", "]", "*", "a" * 501,
    "a*b*c*d*e*", "(" * 9 + ")" * 9, "a{٣}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", GOOD)
def test_a_plain_pattern_passes(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize("pattern", BAD)
def test_a_pattern_that_is_dangerous_or_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", GOOD)
@given(text=st.text("ab.cdxyz0٣-_/\n\r \u2028ếAZ$", max_size=8) | st.from_regex("[A-Y][0-9]{2}(\\.[0-9A-Z]{1,3})*"))
def test_both_engines_read_what_passes_alike(pattern: str, text: str) -> None:
    fast = jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())

    assert fast.is_valid(text) is (re.search(for_python(pattern), text) is not None)


@pytest.mark.parametrize("pattern", GOOD)
def test_no_text_hangs_pythons_engine_on_what_passes(pattern: str) -> None:
    compiled = re.compile(for_python(pattern))
    start = time.process_time()

    for text in ("a" * 300, "-a" * 150, "A00" + ".AAAAAAAAAA" * 30 + "!", "ab" * 150 + "!", "/" * 300 + "\n"):
        compiled.search(text)

    assert time.process_time() - start < 1
