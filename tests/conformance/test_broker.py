"""The promises of ``ports.Broker``: whoever waits is woken, and hears of everybody announced meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from gateway.broker.local import LocalBroker
from gateway.ports import Broker


class BrokerSuite:
    """Every promise; a backend adds how to make its broker."""

    def new_broker(self) -> Broker:
        raise LookupError("the test class of a backend makes the broker")

    @pytest.fixture
    def broker(self) -> Broker:
        return self.new_broker()

    async def test_whoever_waits_is_woken_by_an_announcement(self, broker: Broker) -> None:
        waiting = asyncio.create_task(broker.wait(30))
        await asyncio.sleep(0)
        broker.announce(frozenset({"H33.16/dms"}))

        assert await asyncio.wait_for(waiting, 5) == frozenset({"H33.16/dms"})

    async def test_announcements_before_the_wait_are_merged_and_heard_at_once(self, broker: Broker) -> None:
        broker.announce(frozenset({"H33.16/dms"}))
        broker.announce(frozenset({"H33.09/dms", "H33.16/dms"}))

        assert await asyncio.wait_for(broker.wait(30), 5) == frozenset({"H33.16/dms", "H33.09/dms"})

    async def test_what_was_heard_is_not_heard_again(self, broker: Broker) -> None:
        broker.announce(frozenset({"H33.16/dms"}))
        await broker.wait(5)

        assert await broker.wait(0.01) == frozenset()

    async def test_silence_ends_with_the_time_limit(self, broker: Broker) -> None:
        assert await asyncio.wait_for(broker.wait(0.01), 5) == frozenset()
        assert await asyncio.wait_for(broker.wait(0), 5) == frozenset()

    async def test_an_announcement_of_nobody_wakes_too(self, broker: Broker) -> None:
        waiting = asyncio.create_task(broker.wait(30))
        await asyncio.sleep(0)
        broker.announce(frozenset())

        assert await asyncio.wait_for(waiting, 5) == frozenset()


class TestLocalBroker(BrokerSuite):
    def new_broker(self) -> Broker:
        return LocalBroker()
