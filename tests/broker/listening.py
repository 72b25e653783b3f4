"""What tests of brokers do again and again: wait until a gateway reads its queues, hear what was announced."""

from __future__ import annotations

import asyncio
import time

from gateway.broker.rabbitmq import RabbitBroker
from gateway.ports import Broker


async def until_reading(broker: Broker, *recipients: str, within: float = 10) -> None:
    """Wait until the broker reads the queues of these systems."""
    assert isinstance(broker, RabbitBroker)
    end = time.monotonic() + within
    while broker._session is None or not all(broker._session.reads(each) for each in recipients):
        assert time.monotonic() < end, "RabbitMQ is not read in time"
        await asyncio.sleep(0.02)


async def hear(broker: Broker, expected: set[str], within: float = 5) -> None:
    """Wait, as often as it takes, until just these systems were heard of."""
    end = time.monotonic() + within
    heard: set[str] = set()
    while heard != expected:
        left = end - time.monotonic()
        assert left > 0, f"heard {heard} instead of {expected}"
        heard |= await broker.wait(left)


async def told_across(first: RabbitBroker, second: RabbitBroker, within: float = 8) -> None:
    """Announcements of the first reach the second, again or still."""
    end = time.monotonic() + within
    while True:
        assert time.monotonic() < end, "the second does not hear the first"
        first.announce(frozenset({"H33.16/dms"}))
        _, heard = await asyncio.gather(first.wait(0.05), second.wait(0.05))
        if heard and first.is_connected and second.is_connected:
            return
