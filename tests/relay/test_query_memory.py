"""Answers out of memory: only where an agreement allows it, only to the same question, logged as such, sealed anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.config.picture import agreement_of
from gateway.core.envelope import seal
from gateway.relay.answers import Answers
from gateway.relay.query import Reply
from tests.relay.test_query import AGREEMENT, ASKER, FOUND, PERSON, Office, answer_of, office
from tests.town import GATEWAY

__all__ = ["office"]

MINUTE = replace(AGREEMENT, cache=60.0)


async def test_without_a_word_in_the_agreement_the_provider_is_asked_each_time(office: Office) -> None:
    await office.ask()
    await office.ask()
    assert len(office.asked) == 2


async def test_the_same_question_is_answered_from_memory_sealed_anew_and_logged_as_such(office: Office) -> None:
    office.agree(MINUTE)
    office.says.append(answer_of(office, FOUND))
    first = await office.ask()
    again_event = office.event(data={"officer": {"account": "khac.nv"}, "dossierCode": "H33.01-261123-0002"})
    again = await office.ask(seal(again_event, office.town.signers[ASKER]))
    assert len(office.asked) == 1
    assert again["data"] == first["data"] == FOUND
    assert (again["source"], again["queryid"]) == (GATEWAY, again_event["id"])
    assert again["id"] != first["id"]
    rows = [row["details"] for row in await office.audited() if row["audit"] == "query.answered"]
    assert [(row.get("cached", False), row["officer"]) for row in rows] == [(False, "mau.nv"), (True, "khac.nv")]
    assert [each.outcome for each in await office.log.logged()] == ["answered", "answered"]


async def test_what_is_asked_otherwise_is_asked_of_the_provider(office: Office) -> None:
    office.agree(MINUTE)
    asked: list[dict[str, Any]] = [
        {}, {"data": {"fields": ["/name"]}}, {"data": {"fields": ["/birth"]}}, {"data": {"birth": "1980"}},
        {"subject": "000000000009"}, {"to": "H33.16/dms"},
    ]  # fmt: skip
    for override in asked:
        await office.ask(**override)
    assert len(office.asked) == len(asked) - 1, "the provider's own name is the same provider"


async def test_an_agreement_that_allows_none_forbids_it_for_the_others(office: Office) -> None:
    office.agree(MINUTE, replace(AGREEMENT, id="DC-1"))
    await office.ask()
    await office.ask()
    assert len(office.asked) == 2


async def test_nothing_is_given_across_agreements_or_after_one_ended(office: Office) -> None:
    office.agree(MINUTE)
    await office.ask()
    office.agree(replace(MINUTE, id="DC-1"))
    await office.ask()
    assert len(office.asked) == 2
    office.agree()
    assert await office.refused() == "no-agreement"


async def test_it_ends_with_its_seconds(office: Office) -> None:
    office.agree(MINUTE)
    await office.ask()
    office.town.clock.moment += 59
    await office.ask(time=office.town.event(ASKER)["time"])
    assert len(office.asked) == 1
    office.town.clock.moment += 2
    await office.ask(time=office.town.event(ASKER)["time"])
    assert len(office.asked) == 2


async def test_that_there_is_no_record_is_never_remembered_and_room_is_bounded(office: Office) -> None:
    office.agree(MINUTE)
    office.says += [Reply(), Reply()]
    assert [await office.refused(), await office.refused()] == ["no-record", "no-record"]
    small = replace(office.queries, answers=Answers(most=2))
    office.queries = small
    for number in (1, 2, 3, 1):
        await office.ask(subject=f"00000000000{number}")
    assert len(office.asked) == 6
    assert PERSON not in repr(small.answers)


def test_an_agreement_lets_answers_be_given_again_for_as_long_as_it_says_and_else_never() -> None:
    body = {
        "id": "TC", "title": "Tra cứu", "basis": "NĐ 47/2020/NĐ-CP", "purpose": "giai-quyet-tthc", "from": ["H33.05"],
        "to": ["H33.16"], "contracts": ["citizen.lookup"], "valid_from": "2026-01-01", "valid_until": "2026-12-31",
    }  # fmt: skip

    assert agreement_of(body).cache == 0
    assert agreement_of({**body, "cache": "60s"}).cache == 60
