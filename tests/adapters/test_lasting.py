"""Hand-overs that outlast a try: never two of one delivery at a time, and each try learns how the last one ended."""

from __future__ import annotations

import asyncio

import pytest

from gateway.calls.lasting import Lasting
from gateway.core.faults import PermanentFailure, TimedOut
from gateway.core.handover import HandedOver


class Slow:
    """A hand-over that ends when it is let go."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self.failure = failure

    async def __call__(self) -> HandedOver:
        self.begun += 1
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        return HandedOver(200, reference="there")


async def test_what_goes_on_is_begun_once_and_its_end_is_told_to_the_next_try() -> None:
    lasting, work = Lasting(patience=0.02), Slow()
    for _ in range(3):
        with pytest.raises(TimedOut):
            await lasting.of("d", work)
    work.go.set()
    assert (await lasting.of("d", work)).reference == "there"
    assert work.begun == 1


async def test_an_end_that_came_between_two_tries_is_told_once() -> None:
    lasting, work = Lasting(patience=0.02), Slow(PermanentFailure("no"))
    with pytest.raises(TimedOut):
        await lasting.of("d", work)
    work.go.set()
    await asyncio.sleep(0.02)
    for begun in (1, 2):
        with pytest.raises(PermanentFailure):
            await lasting.of("d", work)
        assert work.begun == begun


async def test_two_deliveries_do_not_wait_for_each_other() -> None:
    lasting, slow, quick = Lasting(patience=0.02), Slow(), Slow()
    quick.go.set()
    with pytest.raises(TimedOut):
        await lasting.of("slow", slow)
    assert (await lasting.of("quick", quick)).status == 200
    await lasting.close()


async def test_closing_stops_what_is_under_way_and_those_who_wait_do_not_know_how_it_ended() -> None:
    lasting, work = Lasting(patience=5), Slow()
    waiting = asyncio.ensure_future(lasting.of("d", work))
    await asyncio.sleep(0.01)
    await lasting.close()
    with pytest.raises(TimedOut):
        await waiting
