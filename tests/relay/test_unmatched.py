"""Statuses of documents that never come are delivered at once, waited for a while, and then told of."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.moments import format_moment
from gateway.relay.unmatched import Unmatched
from gateway.store.memory_documents import MemoryRegister
from tests.town import Town, a_town, document, wishes_for

HOUR = 3600.0
STATUS = {"type": "document.status", "dataschema": "urn:lgsp:contract:document.status:1.0", "to": "H33.05"}


@pytest.fixture
def town() -> Town:
    return a_town(H33_05={"subscriptions": wishes_for("document.status")})


def told(town: Town, code: str = "03", **override: Any) -> dict[str, Any]:
    about = {"organId": "H33.05", "documentId": document()["documentId"]}
    data = {
        "from": {"organId": "H33.16"},
        "responseFor": about,
        "statusCode": code,
        "timestamp": format_moment(town.clock.now()),
    }
    return {**STATUS, "subject": about["documentId"], "data": {**data, **override}}


def step(town: Town) -> Unmatched:
    return Unmatched(MemoryRegister(town.ledger), town.clock, 72 * HOUR, "register:town")  # type: ignore[arg-type]


async def events(town: Town) -> list[dict[str, Any]]:
    return [row for row in await town.journal("audit") if row["audit"] == "status.unmatched"]


async def test_it_goes_to_whom_it_is_for_whether_its_document_is_known_or_not(town: Town) -> None:
    sent = await town.sent("H33.16/dms", **told(town))
    await town.work()

    assert town.taken_by("H33.05/dms") == [sent.id]


async def test_it_is_given_up_when_it_has_waited_long_enough_and_not_before(town: Town) -> None:
    sent = await town.sent("H33.16/dms", **told(town))
    unmatched = step(town)
    town.clock.moment += 72 * HOUR - 1
    assert await unmatched.once() == 0

    town.clock.moment += 1
    assert await unmatched.once() == 1
    assert await unmatched.once() == 0

    (row,) = await events(town)
    assert row["actor"] == "register:town"
    assert row["details"] == {
        "id": sent.id.lower(),
        "reporter": "H33.16",
        "issuer": "H33.05",
        "document": document()["documentId"].upper(),
        "status": "03",
    }


async def test_more_than_one_look_shows_are_given_up_in_one_go(town: Town) -> None:
    for number in range(120):
        await town.sent("H33.16/dms", **told(town, description=str(number)))
    town.clock.moment += 80 * HOUR

    assert await step(town).once() == 120
    assert len(await events(town)) == 120


async def test_whose_document_came_is_not_given_up(town: Town) -> None:
    await town.sent("H33.16/dms", **told(town))
    await town.sent(data=document(issuingOrganId="H33.05"))
    town.clock.moment += 80 * HOUR

    assert await step(town).once() == 0
    assert await events(town) == []
