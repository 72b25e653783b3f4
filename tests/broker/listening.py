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
