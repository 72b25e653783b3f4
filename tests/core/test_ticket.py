"""Tickets: good for their holder until their moment, by their issuer's secret alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ticket import holds, issue

SECRET = b"a secret"
UNTIL = 1_800_000_000.0


def test_a_ticket_is_good_until_its_moment_for_its_holder_by_its_secret() -> None:
    ticket = issue(SECRET, "H33.05/motcua", UNTIL)
    assert holds(ticket, SECRET, "H33.05/motcua", UNTIL - 1)
    assert not holds(ticket, SECRET, "H33.05/motcua", UNTIL)
    assert not holds(ticket, SECRET, "H33.16/motcua", UNTIL - 1)
    assert not holds(ticket, b"another", "H33.05/motcua", UNTIL - 1)


def test_whoever_holds_the_secret_makes_the_same_ticket_so_nothing_is_remembered() -> None:
    assert issue(SECRET, "a", UNTIL) == issue(SECRET, "a", UNTIL + 0.5)


def test_the_secret_does_not_stand_in_it_and_it_fits_into_a_header() -> None:
    ticket = issue(SECRET, "H33.05/motcua", UNTIL)
    assert SECRET.decode() not in ticket
    assert ticket.isascii()
    assert set("./+= \r\n") & set(ticket) == {"."}


@pytest.mark.parametrize("moment", ["", "1800000001", "18000000000", "-1", "1e9", "²", "9" * 100])
def test_a_ticket_whose_moment_was_changed_is_none(moment: str) -> None:
    proof = issue(SECRET, "a", UNTIL).partition(".")[2]
    assert not holds(f"{moment}.{proof}", SECRET, "a", 0.0)


@given(st.text())
def test_no_text_is_a_ticket_by_chance_or_makes_trouble(text: str) -> None:
    assert not holds(text, SECRET, "a", 0.0)
    assert not holds(f"1800000000.{text}", SECRET, "a", 0.0)
