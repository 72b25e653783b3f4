"""Back-pressure at the front door: who is beyond what the bus can do is told so at once, the others are served."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from gateway.core.faults import Busy
from gateway.ports import Accepted
from gateway.relay.turnstile import Turnstile
from tests.town import a_town


def test_who_would_be_too_many_is_told_when_to_come_back() -> None:
    turnstile = Turnstile(most=10)
    with turnstile.passed(6):
        with pytest.raises(Busy) as told, turnstile.passed(5):
            pass
        assert (told.value.problem, told.value.retry_after) == ("overloaded", 5.0)
        assert "6" in told.value.detail.vi
        with turnstile.passed(4):
            assert turnstile.inside == 10
    assert turnstile.inside == 0


def test_a_batch_alone_always_passes_and_one_that_fails_leaves_its_place() -> None:
    turnstile = Turnstile(most=10)
    with pytest.raises(ValueError, match="inside"), turnstile.passed(11):
        raise ValueError("inside")
    assert turnstile.inside == 0


async def test_steps_come_in_order_and_a_large_batch_makes_way_for_a_small_one() -> None:
    turnstile = Turnstile()

    def step(body: bytes) -> bytes:
        time.sleep(0.0002)
        return body.upper()

    ended: list[str] = []

    async def batch(name: str, count: int) -> None:
        bodies = [f"{name}{number}".encode() for number in range(count)]
        assert await turnstile.by_turns(step, bodies) == [body.upper() for body in bodies]
        ended.append(name)

    await asyncio.gather(*(batch(f"large-{each}-", 200) for each in range(4)), batch("small-", 20), batch("few-", 2))
    assert ended[:2] == ["few-", "small-"]


async def test_between_two_turns_everything_else_has_one_however_many_batches_wait() -> None:
    turnstile = Turnstile()
    turns: list[int] = []

    async def bystander() -> None:
        while len(steps) < 1200:
            turns.append(len(steps))
            await asyncio.sleep(0)

    steps: list[int] = []

    def step(number: int) -> None:
        time.sleep(0.0001)
        steps.append(number)

    await asyncio.gather(bystander(), *(turnstile.by_turns(step, range(200)) for _ in range(6)))
    assert max(later - sooner for sooner, later in pairwise(turns)) <= 51  # 5 ms and the step in which they end
    assert len(steps) == 1200


async def test_the_front_door_sheds_load_whole_and_takes_the_same_later() -> None:
    town = a_town()
    town.accept.turnstile.most = 12
    bodies = [town.envelope(subject=f"VB-{number}") for number in range(9)]
    first = asyncio.create_task(town.accept.sealed_many(bodies, address="192.0.2.1"))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await town.accept.sealed_many(bodies, address="192.0.2.1")
    assert all(isinstance(each, Accepted) for each in await first)
    again = await town.accept.sealed_many(bodies, address="192.0.2.1")
    assert [each.repeated for each in again if isinstance(each, Accepted)] == [True] * 9
