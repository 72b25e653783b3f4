"""The alarm about a system from which the bus collects and that cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.core.faults import TransientFailure
from gateway.relay.silence import AGAIN, ALARM, LONGEST_REST
from gateway.telemetry import UNCOLLECTED
from tests.town import Town, a_town

NAME = "H33.05/dms"
OTHER = "H33.16/dms"
FOLDER = {"adapter": "folder", "sealing": "gateway"}


@pytest.fixture
def town() -> Iterator[Town]:
    yield a_town(H33_05=FOLDER, H33_16=FOLDER)
    UNCOLLECTED.clear()


def gauge() -> dict[str, float]:
    """What the gauge shows, by system."""
    return {sample.labels["system"]: sample.value for sample in next(iter(UNCOLLECTED.collect())).samples}


def fails(town: Town, error: Exception) -> None:
    town.desk(NAME).script = [error] * 3000


async def passing(town: Town, seconds: float) -> list[Any]:
    """What is said of silence while rounds are made for so long."""
    end = town.clock.moment + seconds
    with capture_logs() as lines:
        while town.clock.moment < end:
            town.clock.moment += min(LONGEST_REST, end - town.clock.moment)
            await town.collect.rounds()
    return [line for line in lines if line["event"] in {"collect.silent", "collect.back"}]


async def test_a_short_silence_is_shown_by_the_gauge_and_raises_no_alarm(town: Town) -> None:
    fails(town, TransientFailure("the share is gone"))
    await town.collect.rounds()
    assert await passing(town, ALARM - 60) == []
    assert gauge() == {NAME: ALARM - 60}

    town.desk(NAME).script = []
    assert await passing(town, 120) == [], "nobody was told of it, so nobody is told of its end"
    assert gauge() == {}


async def test_the_gauge_grows_while_a_system_is_left_alone(town: Town) -> None:
    fails(town, TransientFailure("the share is gone"))
    await town.collect.rounds()
    await passing(town, 600)
    before = len(town.desk(NAME).script)
    town.clock.moment += 1.0
    await town.collect.rounds()
    assert len(town.desk(NAME).script) == before
    assert gauge() == {NAME: 601.0}


async def test_an_alarm_is_raised_after_a_quarter_of_an_hour_and_each_day_until_it_is_back(town: Town) -> None:
    fails(town, TransientFailure("no connection: the share is gone"))
    await town.collect.rounds()
    (first,) = await passing(town, ALARM + 120)
    assert (first["event"], first["agency"], first["log_level"]) == ("collect.silent", NAME, "warning")
    assert ALARM <= first["seconds"] <= ALARM + LONGEST_REST
    assert first["detail"] == "TransientFailure: no connection: the share is gone"

    assert await passing(town, AGAIN - 300) == []
    (again,) = await passing(town, 600)
    assert again["event"] == "collect.silent"

    town.desk(NAME).script = []
    (back,) = await passing(town, 600)
    assert (back["event"], back["agency"]) == ("collect.back", NAME)
    assert back["seconds"] >= AGAIN
    assert gauge() == {}
    assert await passing(town, 600) == []


async def test_an_error_that_nobody_foresaw_is_told_by_its_name_alone(town: Town) -> None:
    fails(town, ValueError("password=x9y"))
    await town.collect.rounds()
    (told,) = await passing(town, ALARM + 120)
    assert told["detail"] == "ValueError"


async def test_a_silence_that_is_broken_begins_anew(town: Town) -> None:
    for _ in range(3):
        fails(town, TransientFailure("the share is gone"))
        await town.collect.rounds()
        assert await passing(town, ALARM - 60) == []
        town.desk(NAME).script = []
        assert await passing(town, 120) == []


async def test_a_system_that_is_taken_from_the_registry_is_forgotten(town: Town) -> None:
    fails(town, TransientFailure("the share is gone"))
    await town.collect.rounds()
    town.clock.moment += 5.0
    object.__setattr__(town.collect, "collects", lambda system: system.name == OTHER)
    await town.collect.rounds()
    assert gauge() == {}


async def test_who_does_not_lead_asks_nobody_and_shows_nothing(town: Town) -> None:
    fails(town, TransientFailure("the share is gone"))
    await town.collect.rounds()
    town.clock.moment += 5.0
    await town.collect.rounds()
    assert gauge() == {NAME: 5.0}

    left = len(town.desk(NAME).script)
    object.__setattr__(town.collect, "leads", lambda: False)
    town.clock.moment += 100.0
    await town.collect.rounds()
    assert len(town.desk(NAME).script) == left
    assert gauge() == {}
