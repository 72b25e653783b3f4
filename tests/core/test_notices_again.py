"""What an applicant is told of a dossier that its office registers anew."""

from __future__ import annotations

from typing import Any

from gateway.core.dossiers.history import dossier_of
from gateway.core.notices.notice import Notice, notice_of
from gateway.core.notices.wording import read_wordings
from tests.core.dossier_told import CODE, HOUR, ONE_STOP, an_event, told

FIRST, LATER = 100 * HOUR, 200 * HOUR


def notice_after(*more: Any) -> Notice:
    """Of the last of these, after the office received the dossier."""
    lines = told([an_event("registered", status=2, due=FIRST), *more])
    return notice_of(
        {"type": "dossier.registered", "data": {"dossierCode": CODE}}, dossier_of(CODE, lines), lines[-1].message
    )


def again(when: float, status: int, due: float | None = None) -> Any:
    return an_event("registered", ONE_STOP, when, status=status, due=due)


def test_a_dossier_is_received_once() -> None:
    assert notice_after().is_news
    assert not notice_after().is_again
    assert not notice_after(again(HOUR, 2, FIRST)).is_news
    assert not notice_after(again(HOUR, 2)).is_news


def test_a_new_due_date_or_status_is_news_and_no_second_receipt() -> None:
    for notice in (notice_after(again(HOUR, 2, LATER)), notice_after(again(HOUR, 4, FIRST))):
        assert (notice.is_news, notice.is_again) == (True, True)


def test_what_another_message_says_more_of_is_left_to_that() -> None:
    assert not notice_after(again(HOUR, 4), again(2 * HOUR, 5, FIRST)).is_news


def test_words_for_what_is_said_again_stand_before_those_of_a_status() -> None:
    text = b"""
    [default.text]
    vi = "a {due}"
    en = "a {due}"
    [status.2.text]
    vi = "received"
    en = "received"
    [again.text]
    vi = "now {due}"
    en = "now {due}"
    """
    wording = read_wordings({"x": text}, parts=frozenset({"text"}), names=frozenset({"due"}), where="texts")["x"]
    assert wording.said("text", notice_after(), {}).en == "received"
    assert wording.said("text", notice_after(again(HOUR, 2, LATER)), {}).en.startswith("now ")
