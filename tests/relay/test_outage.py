"""A destination that is down: one delivery probes it, the others lose nothing, and it comes back by a slope."""

from __future__ import annotations

import asyncio

import pytest

from gateway.core.breaker import FULL_WIDTH
from gateway.core.delivery import Delivery, State
from gateway.core.faults import Busy, Text, TransientFailure
from gateway.ports import Accepted
from tests.town import Town, a_town, eventually

NAME = "H33.16/dms"
HOUR = 3600.0


@pytest.fixture
def town() -> Town:
    return a_town()


async def send(town: Town, count: int) -> None:
    """``count`` messages on lanes of their own."""
    for number in range(count):
        assert isinstance(await town.send(subject=f"H33.05,2026/11/23,{number}/STC-VP"), Accepted)


async def attempts(town: Town) -> list[int]:
    """Attempts used up by each delivery to the destination, oldest first."""
    return [each.attempts for each in await town.ledger.deliveries(recipient=NAME, limit=10_000)]


async def test_while_a_destination_is_down_one_delivery_probes_it_and_the_others_use_up_no_attempts(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("connection refused")] * 10_000
    await send(town, 100)
    await town.work()
    await town.pass_time(HOUR, step=30)

    used = await attempts(town)
    assert sum(1 for each in used if each == 0) == 100 - FULL_WIDTH
    assert max(used) > 5
    assert sorted(used)[-2] == 1


async def test_an_outage_of_three_days_makes_no_dead_letter_keeps_order_and_leaves_the_others_alone(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("connection refused")] * 100_000
    same = [f"{number}" for number in range(2000)]
    for number in same:
        await town.send(subject=f"lane {int(number) % 20}", correlationid=number)
    await town.send(to="H33.30")
    await town.work()
    assert len(town.desk("H33.30/dms").parcels) == 1
    await town.pass_time(72 * HOUR, step=900)
    town.desk(NAME).script.clear()
    await town.pass_time(2 * HOUR, step=60)

    deliveries = await town.ledger.deliveries(recipient=NAME, limit=10_000)
    assert {each.state for each in deliveries} == {State.DELIVERED}
    came = [(parcel.event["subject"], int(parcel.event["correlationid"])) for parcel in town.desk(NAME).parcels]
    assert len(came) == 2000
    for lane in range(20):
        order = [number for subject, number in came if subject == f"lane {lane}"]
        assert order == sorted(order)


async def test_what_runs_out_of_time_during_an_outage_dies_by_its_deadline_without_an_attempt(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("connection refused")] * 100_000
    await send(town, 20)
    await town.work()
    await town.pass_time(15 * 24 * HOUR, step=HOUR)

    deliveries = await town.ledger.deliveries(recipient=NAME, limit=100)
    assert {each.state for each in deliveries} == {State.DEAD}
    assert {each.cause for each in deliveries} == {"deadline"}
    assert min(await attempts(town)) == 0


async def test_a_prober_that_is_discarded_makes_way_for_the_next(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("connection refused")] * FULL_WIDTH
    await send(town, 20)
    await town.work()
    (prober,) = town.outages.probers(town.clock.now() + HOUR, {}).values()
    await town.operate.discard(prober, "thử", "Nguyễn Văn Mẫu")
    await town.pass_time(HOUR, step=30)

    states = [each.state for each in await town.ledger.deliveries(recipient=NAME, limit=100)]
    assert states.count(State.DELIVERED) == 19
    assert states.count(State.DISCARDED) == 1


async def test_an_outage_is_remembered_across_a_restart(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("connection refused")] * FULL_WIDTH
    await send(town, 20)
    await town.work()
    assert town.outages.down() == {NAME}
    before = await attempts(town)
    town.outages._breakers.clear()
    await town.outages.load()
    await town.work()

    assert town.outages.down() == {NAME}
    assert await attempts(town) == before


async def test_one_message_that_draws_errors_does_not_stop_the_others(town: Town) -> None:
    town.desk(NAME).poison = "H33.05,2026/11/23,0/STC-VP"
    await send(town, 30)
    await town.pass_time(HOUR, step=10)

    states = [each.state for each in await town.ledger.deliveries(recipient=NAME, limit=100)]
    assert states.count(State.DELIVERED) == 29
    assert states.count(State.QUEUED) == 1


async def test_a_dispatcher_that_starts_while_the_ledger_cannot_be_written_begins_as_soon_as_it_can(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapse, tries = town.ledger.lapse, 0

    async def busy_twice(now: float, *, owner: str | None = None) -> list[Delivery]:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise Busy("overloaded", Text("đầy", "full"), retry_after=1)
        return await lapse(now, owner=owner)

    monkeypatch.setattr(town.ledger, "lapse", busy_twice)
    monkeypatch.setattr("gateway.relay.dispatch.TICK", 0.01)
    await send(town, 1)
    running = asyncio.create_task(town.dispatch.run())

    async def taken() -> bool:
        return bool(town.desk(NAME).parcels)

    await eventually(taken)
    await town.dispatch.drain()
    await running

    assert tries >= 3
