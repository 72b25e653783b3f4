"""The promises of ``ports.Broker``: whoever waits is woken, and hears of everybody announced meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.broker.local import LocalBroker
from gateway.broker.rabbitmq import RabbitBroker
from gateway.ports import Broker
from tests.broker.listening import hear, until_reading
from tests.servers.private import free_ports


class BrokerSuite:
    """Every promise; a backend adds how to make its broker. ``silence`` is how long nothing must be heard."""

    silence = 0.01

    def new_broker(self) -> Broker:
        raise LookupError("the test class of a backend makes the broker")

    async def until_ready(self, broker: Broker) -> None:
        """Wait for what a backend does in the background."""

    @pytest.fixture
    async def broker(self) -> AsyncIterator[Broker]:
        broker = self.new_broker()
        await broker.open()
        await self.until_ready(broker)
        yield broker
        await asyncio.wait_for(broker.close(), 5)

    async def test_whoever_waits_is_woken_by_an_announcement(self, broker: Broker) -> None:
        waiting = asyncio.create_task(broker.wait(30))
        await asyncio.sleep(0)
        broker.announce(frozenset({"H33.16/dms"}))

        assert await asyncio.wait_for(waiting, 30) == frozenset({"H33.16/dms"})

    async def test_announcements_before_the_wait_are_all_heard(self, broker: Broker) -> None:
        broker.announce(frozenset({"H33.16/dms"}), {"H33.16/dms": ["d-1", "d-2"]})
        broker.announce(frozenset({"H33.09/dms", "H33.16/dms"}), {"H33.09/dms": ["d-3"]})

        await hear(broker, {"H33.16/dms", "H33.09/dms"})

    async def test_what_was_heard_is_not_heard_again(self, broker: Broker) -> None:
        broker.announce(frozenset({"H33.16/dms"}))
        await broker.wait(5)

        assert await broker.wait(self.silence) == frozenset()

    async def test_silence_ends_with_the_time_limit(self, broker: Broker) -> None:
        assert await asyncio.wait_for(broker.wait(0.01), 5) == frozenset()
        assert await asyncio.wait_for(broker.wait(0), 5) == frozenset()

    async def test_an_announcement_of_nobody_wakes_too(self, broker: Broker) -> None:
        waiting = asyncio.create_task(broker.wait(30))
        await asyncio.sleep(0)
        broker.announce(frozenset())

        assert await asyncio.wait_for(waiting, 30) == frozenset()

    async def test_a_ring_is_heard_at_once_and_merged_with_others(self, broker: Broker) -> None:
        broker.ring(frozenset({"H33.16/dms"}))
        broker.ring(frozenset({"H33.09/dms", "H33.16/dms"}))

        assert await asyncio.wait_for(broker.wait(30), 5) == frozenset({"H33.16/dms", "H33.09/dms"})

    async def test_what_is_asked_for_later_is_not_heard_now(self, broker: Broker) -> None:
        broker.later("H33.16/dms", "d-1", 30)
        broker.later("H33.16/dms", "d-1", 14 * 86_400)

        assert await broker.wait(self.silence) == frozenset()

    async def test_a_wait_that_is_given_up_takes_nothing_away(self, broker: Broker) -> None:
        waiting = asyncio.create_task(broker.wait(30))
        await asyncio.sleep(0)
        waiting.cancel()
        broker.announce(frozenset({"H33.16/dms"}))

        await hear(broker, {"H33.16/dms"})

    async def test_it_is_begun_and_let_go_of_twice_without_harm(self, broker: Broker) -> None:
        await broker.open()
        await asyncio.wait_for(broker.close(), 5)
        await asyncio.wait_for(broker.close(), 5)
        broker.announce(frozenset({"H33.16/dms"}), {"H33.16/dms": ["d-1"]})
        broker.later("H33.16/dms", "d-1", 30)

        assert await broker.wait(5) == frozenset({"H33.16/dms"})


class TestLocalBroker(BrokerSuite):
    def new_broker(self) -> Broker:
        return LocalBroker()

    async def test_announcements_before_the_wait_are_merged_and_heard_at_once(self, broker: Broker) -> None:
        broker.announce(frozenset({"H33.16/dms"}))
        broker.announce(frozenset({"H33.09/dms", "H33.16/dms"}))

        assert await asyncio.wait_for(broker.wait(30), 5) == frozenset({"H33.16/dms", "H33.09/dms"})


class TestRabbitBroker(BrokerSuite):
    silence = 0.1

    @pytest.fixture(autouse=True)
    def _at(self, rabbit_url: str) -> None:
        self.url = rabbit_url

    def new_broker(self) -> Broker:
        return RabbitBroker(self.url, "gw1.0", known=lambda: ["H33.09/dms", "H33.16/dms"])

    async def until_ready(self, broker: Broker) -> None:
        await until_reading(broker, "H33.09/dms", "H33.16/dms")


class TestRabbitBrokerWhileItIsAway(BrokerSuite):
    def new_broker(self) -> Broker:
        (nobody,) = free_ports(1)
        return RabbitBroker(f"amqp://lgsp:secret@127.0.0.1:{nobody}/", "gw1.0", known=lambda: ["H33.16/dms"])
