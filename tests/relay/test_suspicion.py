"""A delivery during whose tries the gateway ends: once is an accident, more is tried apart, too much is given up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from gateway.core.failure import Symptom, error_class
from gateway.core.retry import MOST_LAPSED, respite
from gateway.ports import Accepted, HandedOver, Parcel
from tests.build import MORNING
from tests.town import Desk, SetClock, Town, a_town, wishes_for

NAME = "H33.16/dms"


class Crashing(Desk):
    """An agency's end at which the gateway dies over some messages; nothing that is under way then ends."""

    def __init__(self, is_deadly: Callable[[str], bool]) -> None:
        super().__init__()
        self.is_deadly = is_deadly
        self.died = asyncio.Event()

    async def deliver(self, parcel: Parcel) -> HandedOver:
        if self.is_deadly(parcel.message):
            self.died.set()
        await asyncio.sleep(0)
        if self.died.is_set():
            await asyncio.Event().wait()
        return await super().deliver(parcel)


@dataclass(frozen=True, slots=True)
class Lucky:
    """The town's clock, and chance from a seed."""

    clock: SetClock
    seeded: random.Random

    def now(self) -> float:
        return self.clock.now()

    def chance(self) -> float:
        return self.seeded.random()

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


async def live(town: Town) -> None:
    """One life of the gateway, until it dies or nothing is due; the next one has taken back its leases."""
    desk = town.desk(NAME)
    assert isinstance(desk, Crashing)
    for _ in range(20):
        await town.dispatch._round()
        while (tasks := town.dispatch.under_way()) and not desk.died.is_set():
            await asyncio.wait(tasks, timeout=0.001)
        if desk.died.is_set():
            break
        if not tasks:
            return
    for task in town.dispatch.under_way():
        task.cancel()
    await asyncio.gather(*town.dispatch.under_way(), return_exceptions=True)
    desk.died.clear()
    await town.ledger.lapse(town.clock.now(), owner=town.dispatch.owner)


async def state(town: Town, message: Accepted) -> str:
    return (await town.delivery(message)).state.value


async def outcomes(town: Town, message: Accepted) -> list[tuple[int, str]]:
    return [(each.number, each.outcome) for each in await town.attempts(message)]


async def interrupted(town: Town, times: int) -> None:
    """The gateway dies so often with the next delivery in its hands, without the dispatcher's asking."""
    for _ in range(times):
        (claim,) = await town.ledger.claim({NAME: 1}, owner="push:x", now=town.clock.now(), until=town.clock.now() + 28)
        assert claim.delivery.recipient == NAME
        await town.ledger.lapse(town.clock.now(), owner="push:x")


@pytest.fixture
def town() -> Town:
    return a_town(H33_16={"subscriptions": wishes_for("receipt.refused", "document.issued")})


def test_one_interruption_costs_no_time_more_cost_more_and_more_never_much() -> None:
    assert [respite(lapsed, 0.5) for lapsed in range(7)] == [0, 0, 1, 2, 4, 8, 16]
    assert respite(10_000, 0.999) < 64


async def test_an_interrupted_delivery_is_tried_again_at_once(town: Town) -> None:
    answer = await town.sent()
    await interrupted(town, 1)
    await town.work()
    assert await outcomes(town, answer) == [(1, "lapsed"), (1, "taken")]


async def test_one_that_was_interrupted_again_waits_for_a_moment_of_its_own(town: Town) -> None:
    answer = await town.sent()
    await interrupted(town, 2)
    await town.work()
    assert (await state(town, answer), (await town.delivery(answer)).due) == ("queued", MORNING + 1)
    await town.pass_time(1)
    assert await outcomes(town, answer) == [(1, "lapsed"), (1, "lapsed"), (1, "taken")]


async def test_interruptions_before_an_answer_do_not_count(town: Town) -> None:
    answer = await town.sent()
    await interrupted(town, MOST_LAPSED - 1)
    town.desk(NAME).script = [ConnectionError()]
    await town.pass_time(60)
    assert await state(town, answer) == "delivered"
    second = await town.sent(subject="b")
    await interrupted(town, 1)
    await town.work()
    assert await outcomes(town, second) == [(1, "lapsed"), (1, "taken")]


async def test_too_many_interruptions_in_a_row_make_it_dead_with_a_receipt_and_an_explanation(town: Town) -> None:
    answer = await town.sent()
    await interrupted(town, MOST_LAPSED)
    await town.work()
    delivery = await town.delivery(answer)
    assert (delivery.state.value, delivery.cause) == ("dead", "attempts")
    *lapsed, last = await town.attempts(answer)
    assert [each.outcome for each in lapsed] == ["lapsed"] * MOST_LAPSED
    assert error_class(Symptom(NAME, "x/1.0", "attempts", last.outcome, last.status, last.detail)) == "poison"
    (*_, refused) = await town.journal("receipt")
    assert (refused["receipt"], refused["cause"]) == ("refused", "attempts")
    assert town.taken_by(NAME) == []


async def test_a_replay_gives_it_as_many_tries_again(town: Town) -> None:
    answer = await town.sent()
    await interrupted(town, MOST_LAPSED)
    await town.work()
    await town.operate.replay((await town.delivery(answer)).id, "đã sửa", "operator:mau")
    await interrupted(town, 1)
    await town.work()
    assert await state(town, answer) == "delivered"


async def test_what_is_fetched_may_be_left_unsettled_as_often_as_its_recipient_likes(town: Town) -> None:
    answer = await town.sent(to="H33.20")
    for _ in range(2 * MOST_LAPSED):
        (leased,) = await town.pull.lease(town.system("H33.20/dms"), max=1, wait=0, visibility=5)
        assert leased.attempt == 1
        town.clock.moment += 6
        await town.sweep.once()
    assert (await town.delivery(answer, "H33.20/dms")).state.value == "queued"


@pytest.mark.parametrize("seed", range(5))
async def test_one_deadly_message_among_many_dies_alone(town: Town, seed: int) -> None:
    deadly = await town.sent(subject="deadly")
    others = [await town.sent(subject=f"good {n}") for n in range(7)]  # all fit into one look
    town.desks[NAME] = Crashing(lambda message: message == deadly.id)
    town.dispatch._suspicion = replace(town.dispatch._suspicion, clock=Lucky(town.clock, random.Random(seed)))

    lives = 0
    while {await state(town, each) for each in (deadly, *others)} - {"dead", "delivered"}:
        lives += 1
        assert lives < 2_000
        await live(town)
        town.clock.moment += 0.25

    assert await state(town, deadly) == "dead"
    assert [await state(town, each) for each in others] == ["delivered"] * len(others)
    assert sorted(town.taken_by(NAME)) == sorted(each.id for each in others)
