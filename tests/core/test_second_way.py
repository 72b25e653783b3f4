"""What comes by a second way, and what is sent twice: each line brings each sending once, so items are counted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.documents.entry import DocumentEntry
from gateway.core.documents.matching import (
    Brought,
    Sent,
    already_served,
    is_refusal,
    lines_of,
    place_of_note,
    served_before,
)

LETTER = DocumentEntry("new", "G22,2026/11/23,7/VP", "G22", "G22", ("H33.16",), fingerprint="f" * 64)
RECALL = replace(LETTER, kind="recall", key="G22,2026/11/24,8/VP", concerned=(LETTER.key,), fingerprint="e" * 64)
LINES = {"A": "H33.14/axis", "P": "H33.14/platform", "O": "H33.14/folder", "G": "G22/dms"}


@dataclass
class Book:
    """A register of one document, for as many agencies as its items name."""

    document: DocumentEntry = LETTER
    lines: list[Sent] = field(default_factory=list)
    statuses: list[tuple[int, DocumentEntry]] = field(default_factory=list)
    place: int = 0

    def brings(self, by: str, name: str, *to: str) -> bool:
        """An item comes; whether it is delivered."""
        self.place += 1
        entry = replace(self.document, recipients=to or self.document.recipients)
        systems = tuple(f"{agency}/dms" for agency in entry.recipients)
        item = Brought(LINES[by], name, entry.recipients, systems)
        same = lines_of(entry, self.lines)
        if not already_served(entry, systems, served_before(item, entry, same, self.statuses)):
            self.lines.append(Sent(self.place, entry, item))
            return True
        if (noted := place_of_note(item, same)) is not None:
            self.lines = [
                line._replace(again=(*line.again, item)) if line.place == noted else line for line in self.lines
            ]
        return False

    def answers(self, code: str, *, by: str = "H33.16", about: DocumentEntry | None = None) -> None:
        self.place += 1
        self.statuses.append(
            (self.place, DocumentEntry("status", (about or self.document).key, "G22", by, ("G22",), code=code))
        )

    def run(self, story: str) -> str:
        """Items by line, a number telling one from the other, and answers of the agency: those that were delivered."""
        delivered = []
        for word in story.split():
            if word.isdigit():
                self.answers(word)
            elif self.brings(word[0], word):
                delivered.append(word)
        return " ".join(delivered)


@pytest.mark.parametrize(
    ("story", "delivered"),
    [
        pytest.param("A1 P1", "A1", id="one sending by two ways"),
        pytest.param("A1 A2", "A1 A2", id="two sendings by one line"),
        pytest.param("A1 P1 A2 P2", "A1 A2", id="two sendings by both, in step"),
        pytest.param("A1 A2 P1 P2", "A1 A2", id="two sendings by both, one line late"),
        pytest.param("A1 P1 P2 A2", "A1 P2", id="two sendings by both, crosswise"),
        pytest.param("P1 A1 A2", "P1 A2", id="the second by the line that was late with the first"),
        pytest.param("P1 A1 A1 P2 A2", "P1 P2", id="a line brings its item again since nobody heard that it came"),
        pytest.param("G1 A1 G2 A2 A3", "G1 G2 A3", id="the issuer's own system, and the axis that brings it back"),
        pytest.param("A1 P1 O1 O2 P2 A2", "A1 O2", id="three ways"),
        pytest.param("A1 02 P1", "A1 P1", id="refused, then by the other line"),
        pytest.param("A1 P1 02 P2 A2", "A1 P2", id="refused, then by both"),
        pytest.param("A1 03 P1 15 P1", "A1", id="received, which asks for nothing anew"),
    ],
)
def test_what_is_delivered_of_a_letter(story: str, delivered: str) -> None:
    assert Book().run(story) == delivered


@pytest.mark.parametrize(
    ("story", "delivered"),
    [
        pytest.param("A1 P1 16 A2 P2", "A1 A2", id="refused, and asked for again by both"),
        pytest.param("A1 P1 16 P2", "A1 P2", id="refused, and asked for again by the other line"),
        pytest.param("A1 16 P1", "A1 P1", id="refused before the other line brought it: once too often, never lost"),
        pytest.param("A1 15 P1", "A1", id="agreed"),
    ],
)
def test_what_is_delivered_of_a_recall(story: str, delivered: str) -> None:
    assert Book(RECALL).run(story) == delivered


def test_the_refusal_of_one_agency_is_not_that_of_another() -> None:
    book = Book(RECALL)
    assert book.brings("A", "A1", "H33.16", "H33.21")
    book.answers("16", about=LETTER)
    assert not book.brings("P", "P1", "H33.21")
    assert book.brings("P", "P2", "H33.16")


def test_a_letter_that_lists_one_item_for_each_agency_is_one_sending() -> None:
    book = Book()
    assert book.brings("A", "A1", "H33.16", "H33.21")
    assert not book.brings("P", "P1", "H33.16")
    assert not book.brings("P", "P2", "H33.21")
    assert book.brings("P", "P3", "H33.16")


@pytest.mark.parametrize(
    ("line", "code", "about", "is_one"),
    [
        (LETTER, "02", LETTER, True),
        (LETTER, "16", LETTER, False),
        (LETTER, "03", LETTER, False),
        (RECALL, "16", RECALL, True),
        (RECALL, "16", LETTER, True),
        (RECALL, "02", RECALL, True),
        (RECALL, "02", LETTER, False),
        (RECALL, "15", LETTER, False),
    ],
)
def test_what_refuses(line: DocumentEntry, code: str, about: DocumentEntry, is_one: bool) -> None:
    status = DocumentEntry("status", about.key, "G22", "H33.16", ("G22",), code=code)
    assert is_refusal(line, status) is is_one
    assert not is_refusal(line, replace(status, issuer="G23"))


@given(st.lists(st.sampled_from("APO"), max_size=30))
def test_however_lines_mix_as_many_are_delivered_as_the_line_with_the_most_brought(order: list[str]) -> None:
    book = Book()
    delivered = sum(book.brings(by, f"{by}{number}") for number, by in enumerate(order))
    assert delivered == max((order.count(by) for by in LINES), default=0)


@given(st.lists(st.tuples(st.sampled_from("AP"), st.sampled_from(["", "02"])), max_size=20))
def test_nothing_that_a_line_brings_is_lost_whatever_is_refused(order: list[tuple[str, str]]) -> None:
    book = Book()
    delivered = 0
    for number, (by, answer) in enumerate(order):
        delivered += book.brings(by, f"{by}{number}")
        if answer:
            book.answers(answer)
    assert delivered >= max(sum(by == each for each, _ in order) for by in "AP")
