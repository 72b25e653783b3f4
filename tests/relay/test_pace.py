"""A sender that is faster than its registration allows waits; nobody else does."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.directory import Directory
from gateway.core.faults import Fault
from gateway.core.rate import Rate
from gateway.ports import Accepted
from tests.town import Town, a_town


def paced(town: Town, name: str, rate: Rate) -> None:
    """Register ``name`` with a pace."""
    agencies = [
        replace(each, systems=tuple(replace(s, rate=rate) if s.name == name else s for s in each.systems))
        for each in town.directory.agencies.values()
    ]
    town.directory = Directory(agencies, town.directory.agreements, gateway=town.directory.gateway, version=2)


async def test_beyond_its_burst_a_sender_is_told_when_to_come_back() -> None:
    town = a_town()
    paced(town, "H33.05/dms", Rate(per_minute=60, burst=2))
    answers = [await town.send() for _ in range(3)]

    assert [isinstance(each, Accepted) for each in answers] == [True, True, False]
    refused = answers[2]
    assert isinstance(refused, Fault)
    assert (refused.problem, refused.retry_after) == ("rate-limited", 1.0)
    town.clock.moment += 1.0
    assert isinstance(await town.send(), Accepted)


async def test_others_are_not_slowed_by_it() -> None:
    town = a_town()
    paced(town, "H33.05/dms", Rate(per_minute=60, burst=1))
    await town.send()

    assert isinstance(await town.send("H33.16/dms", to="H33.30"), Accepted)


async def test_what_was_turned_away_may_come_again_under_the_same_id_and_leaves_a_count_not_a_row() -> None:
    town = a_town()
    paced(town, "H33.05/dms", Rate(per_minute=60, burst=1))
    await town.send()
    envelope = town.envelope()
    first = (await town.accept.sealed_many([envelope], address="192.0.2.1"))[0]
    town.clock.moment += 60.0
    again = (await town.accept.sealed_many([envelope], address="192.0.2.1"))[0]

    assert isinstance(first, Fault)
    assert isinstance(again, Accepted)
    assert not again.repeated
    assert not [body for _, kind, body in await town.ledger.journal(limit=1000) if kind == "audit"]
    assert town.accept.refusals.total() == 1


async def test_without_a_pace_there_is_no_limit() -> None:
    town = a_town()

    assert all([isinstance(await town.send(), Accepted) for _ in range(200)])
