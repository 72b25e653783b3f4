"""RabbitMQ only wakes: what it loses the gateways find by themselves, and what it repeats their leases refuse."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from gateway.broker.rabbitmq.topology import DELIVERIES, queue_of
from tests.cluster.fleet import Cluster, Fleet, until
from tests.kill.life import Stage, round_of
from tests.kill.province import PUSHED, Template
from tests.servers.rabbitmq import RabbitApi

QUEUES: Final = {queue_of(recipient) for recipient in PUSHED}
_REPEATS: Final = 5


@dataclass(slots=True)
class Thief:
    """Reads the queues beside the gateways: what it gets nobody else hears of, or everybody hears again and again."""

    channel: AbstractChannel
    stolen: int = 0
    repeated: int = 0

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Let one message disappear, and multiply the next."""
        if (self.stolen + self.repeated) % 2:
            self.stolen += 1
        else:
            self.repeated += 1
            exchange = await self.channel.get_exchange(DELIVERIES, ensure=False)
            for _ in range(_REPEATS):
                await exchange.publish(aio_pika.Message(message.body), message.routing_key or "")
        await message.ack()


@contextlib.asynccontextmanager
async def a_thief(url: str) -> AsyncIterator[Thief]:
    async with await aio_pika.connect(url) as connection:
        thief = Thief(await connection.channel())
        for name in QUEUES:
            queue = await thief.channel.get_queue(name)
            await queue.consume(thief.take)
        yield thief


async def test_nothing_is_lost_with_what_the_broker_loses_and_nothing_comes_twice_for_what_it_repeats(
    postgres_url: str, rabbit_url: str, rabbit_api: RabbitApi, tmp_path: Path
) -> None:
    async def robbed(stage: Stage, _: random.Random) -> None:
        fleet = stage.province
        assert isinstance(fleet, Fleet)
        await stage.begin()
        await fleet.until_ready()
        await until(lambda: rabbit_api.queues(vhost).keys() >= QUEUES)
        async with a_thief(rabbit_url) as thief:
            await until(lambda: min(thief.stolen, thief.repeated) >= 5)

    vhost = rabbit_url.rpartition("/")[2]
    template = await asyncio.to_thread(Template.made, tmp_path / "template")
    cluster = Cluster(template, postgres_url, rabbit_url)
    played = await round_of(cluster, tmp_path / "province", "robbed", robbed)

    assert not played.broken, str(played)
