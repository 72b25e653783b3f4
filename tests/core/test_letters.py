"""Letters are put together in a time that grows with the text alone."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.agency_reading import read_told
from gateway.core.documents.key import document_key, plain_text
from gateway.core.letters import MOST_MARKS, composed


@given(st.text(st.sampled_from("aăâđeêơưạảấầẩẫậợ \u0300\u0301\u0302\u0323\u031bㄱ가각ᄀ\U0001d15e"), max_size=40))
def test_text_is_composed_as_unicode_says(text: str) -> None:
    assert composed(text) == unicodedata.normalize("NFC", text)


def test_a_letter_of_as_many_marks_as_any_has_is_composed() -> None:
    text = "a" + "\u0301" * MOST_MARKS + " " + "e\u0302\u0301"
    assert composed(text) == unicodedata.normalize("NFC", text)
    assert composed(text).endswith("ế")


def test_a_letter_of_more_marks_is_left_as_it_is_and_costs_nothing() -> None:
    text = "a" + "\u0301\u0323" * 500_000
    started = time.process_time()
    assert composed(text) == text
    assert time.process_time() - started < 1


def test_long_texts_without_a_letter_of_ascii_are_composed_too() -> None:
    text = "ế" * 100_000 + "字" * 100_000
    assert composed(unicodedata.normalize("NFD", text)) == text


@pytest.mark.parametrize(
    "use",
    [
        lambda text: document_key(text, str),
        plain_text,
        lambda text: read_told([{"code": "H37", "name": text}], via="H33.14/axis", old=None, day=date(2026, 11, 23)),
    ],
    ids=["the key of a document", "its texts as they compare", "the name of an agency on a list"],
)
def test_nobody_who_compares_what_others_wrote_pays_for_their_marks(use: Callable[[str], object]) -> None:
    text = "a" + "\u0323\u0301" * 50_000
    started = time.process_time()
    use(text)
    assert time.process_time() - started < 1
