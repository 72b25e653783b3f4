"""Beyond the promises: several gateways on one RabbitMQ, and what happens when it, or something in it, goes away."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import unquote

import aio_pika
import pytest
from aiormq import spec
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gateway.broker.rabbitmq import RabbitBroker, session
from gateway.broker.rabbitmq import broker as broker_module
from gateway.broker.rabbitmq.notice import MOST_IDS
from gateway.broker.rabbitmq.topology import (
    DELIVER,
    DELIVERIES,
    MOST_GIVEN,
    PARKING,
    STEPS,
    Step,
    queue_of,
    step_within,
)
from gateway.telemetry import REGISTRY
from tests.broker.listening import hear, told_across, until_reading
from tests.servers.rabbitmq import RabbitApi

DMS = "H33.16/dms"
QUICK = (Step("200ms", 0.2), Step("500ms", 0.5))
Gateways = Callable[..., RabbitBroker]


@pytest.fixture
async def gateways(rabbit_url: str) -> AsyncIterator[Gateways]:
    """Makes gateways' ends, not opened yet, and lets go of them."""
    made: list[RabbitBroker] = []

    def make(url: str = rabbit_url, **options: object) -> RabbitBroker:
        named = {"known": lambda: [DMS], "steps": QUICK, **options}
        made.append(RabbitBroker(url, f"gw{len(made)}.0", **named))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        await each.close()


@pytest.fixture
async def channel(rabbit_url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """What an operator, or a stranger, may do at the same RabbitMQ."""
    connection = await aio_pika.connect(rabbit_url)
    channel = await connection.channel()
    yield channel
    await connection.close()


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gateways ask ten times a second whether all is as it was."""
    monkeypatch.setattr(session, "LOOK", 0.1)


@pytest.fixture
def said() -> Iterator[list[EventDict]]:
    """The log's lines."""
    with capture_logs() as lines:
        yield lines


async def opened(*brokers: RabbitBroker) -> None:
    for each in brokers:
        await each.open()
    for each in brokers:
        await until_reading(each, DMS)


async def break_off(broker: RabbitBroker) -> None:
    """The process dies: its connection ends without a word."""
    current = broker._session
    assert current is not None
    assert current._connection is not None
    transport = current._connection.transport
    assert transport is not None
    broker._work.cancel()  # type: ignore[union-attr]
    await transport.connection.close()


# ------------------------------------------------------------------------------------------ several gateways


async def test_what_one_gateway_announces_exactly_one_of_several_hears(gateways: Gateways) -> None:
    three = [gateways(), gateways(), gateways()]
    await opened(*three)
    heard: Counter[int] = Counter()

    for _ in range(12):
        three[0].announce(frozenset({DMS}))
        answers = await asyncio.gather(*(each.wait(0.15) for each in three))
        assert sorted(map(len, answers)) == [0, 0, 1]
        heard[answers.index(frozenset({DMS}))] += 1

    assert len(heard) > 1, "the work is shared"


async def test_many_ids_travel_in_one_message(gateways: Gateways, channel: aio_pika.abc.AbstractChannel) -> None:
    gateway = gateways()
    await opened(gateway)
    seen = await channel.declare_queue(exclusive=True)
    await seen.bind(DELIVERIES, DMS)
    ids = [f"d-{number}" for number in range(2 * MOST_IDS + 7)]

    for each in ids:
        gateway.announce(frozenset({DMS}), {DMS: [each]})
    await hear(gateway, {DMS})

    bodies = []
    async with asyncio.timeout(5):
        async with seen.iterator(no_ack=True) as messages:
            async for message in messages:
                bodies.append(json.loads(message.body)["deliveries"])
                if sum(map(len, bodies)) == len(ids):
                    break
    assert sorted(each for body in bodies for each in body) == sorted(ids)
    assert sorted(map(len, bodies)) == [7, MOST_IDS, MOST_IDS]


async def test_who_dies_before_acting_gives_what_it_heard_to_another(gateways: Gateways) -> None:
    first, second = gateways(), gateways()
    await opened(first)
    first.announce(frozenset({DMS}))
    await hear(first, {DMS})
    await opened(second)
    assert await second.wait(0.1) == frozenset()

    await break_off(first)

    await hear(second, {DMS})


async def test_what_was_acted_on_before_dying_is_not_heard_again(gateways: Gateways) -> None:
    first, second = gateways(), gateways()
    await opened(first)
    first.announce(frozenset({DMS}))
    await hear(first, {DMS})
    assert await first.wait(0.1) == frozenset()

    await break_off(first)
    await opened(second)

    assert await second.wait(0.3) == frozenset()


async def test_a_system_announced_for_the_first_time_is_heard_of_and_gets_its_queue(
    gateways: Gateways, rabbit_api: RabbitApi, rabbit_url: str
) -> None:
    gateway = gateways(known=None)
    await gateway.open()
    await until_reading(gateway)

    gateway.announce(frozenset({"H33.77/one-window"}))
    await hear(gateway, {"H33.77/one-window"})

    await until_reading(gateway, "H33.77/one-window")
    assert queue_of("H33.77/one-window") in rabbit_api.queues(vhost_of(rabbit_url))


@pytest.mark.usefixtures("looking_often")
async def test_a_system_that_fetches_is_heard_of_here_and_has_no_queue_until_it_is_delivered_to(
    gateways: Gateways, rabbit_api: RabbitApi, rabbit_url: str
) -> None:
    known = [DMS]
    gateway = gateways(known=lambda: known)
    await opened(gateway)

    gateway.announce(frozenset({"H33.20/dms"}))
    await hear(gateway, {"H33.20/dms"})
    await asyncio.sleep(0.2)
    assert queue_of("H33.20/dms") not in rabbit_api.queues(vhost_of(rabbit_url))

    known.append("H33.20/dms")
    await until_reading(gateway, "H33.20/dms")


async def test_a_name_that_no_queue_can_bear_disturbs_nobody(gateways: Gateways) -> None:
    gateway = gateways(known=lambda: [DMS, "Một cửa", "x" * 300])
    await opened(gateway)
    gateway.announce(frozenset({DMS, "Một cửa", "x" * 300}))
    gateway.later("Một cửa", "d-1", 60)

    await hear(gateway, {DMS, "Một cửa", "x" * 300})
    assert gateway.is_connected


@pytest.mark.usefixtures("looking_often")
async def test_a_system_that_is_no_longer_known_is_no_longer_read(
    gateways: Gateways, channel: aio_pika.abc.AbstractChannel
) -> None:
    known = [DMS, "H33.09/dms"]
    gateway = gateways(known=lambda: known)
    await opened(gateway)
    await until_reading(gateway, "H33.09/dms")

    known.remove("H33.09/dms")

    end = time.monotonic() + 5
    while (await passive(channel, queue_of("H33.09/dms"))).consumer_count:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    assert (await passive(channel, queue_of(DMS))).consumer_count == 1


# ------------------------------------------------------------------------------------------ later


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(4.9, None), (5, "5s"), (9.9, "5s"), (29, "10s"), (60, "1m"), (3599, "15m"), (14 * 86_400, "1h")],
)
def test_the_longest_step_that_is_not_too_long_is_taken(seconds: float, label: str | None) -> None:
    step = step_within(seconds, STEPS)
    assert (None if step is None else step.label) == label


async def test_retry_queues_are_seen_by_name_and_keep_for_as_long_as_they_say(
    gateways: Gateways, rabbit_api: RabbitApi, rabbit_url: str
) -> None:
    await opened(gateways(steps=STEPS))

    kept = {
        name.removeprefix("lgsp.retry."): queue["arguments"]["x-message-ttl"] / 1000
        for name, queue in rabbit_api.queues(vhost_of(rabbit_url)).items()
        if name.startswith("lgsp.retry.")
    }
    assert kept == {"5s": 5, "10s": 10, "30s": 30, "1m": 60, "5m": 300, "15m": 900, "1h": 3600}


async def test_what_is_due_later_comes_back_through_the_steps_and_one_gateway_hears_of_it(gateways: Gateways) -> None:
    two = [gateways(), gateways()]
    await opened(*two)
    began = time.monotonic()
    two[0].later(DMS, "d-1", 0.9)

    answers: list[frozenset[str]] = []
    while not any(answers):
        assert time.monotonic() - began < 5
        answers = list(await asyncio.gather(*(each.wait(0.05) for each in two)))

    # The steps within it are 500 and 200 ms; what is left after them is shorter than any.
    assert 0.65 < time.monotonic() - began < 1.5
    assert sorted(map(len, answers)) == [0, 1]


# ------------------------------------------------------------------------------------------ poison


async def test_what_cannot_be_read_ends_in_parking_and_is_told(
    gateways: Gateways, channel: aio_pika.abc.AbstractChannel, said: list[EventDict]
) -> None:
    gateway = gateways()
    await opened(gateway)
    before = parkings("unreadable")
    exchange = await channel.get_exchange(DELIVERIES)
    for body in (b"", b"\xff", b"[]", b'{"deliveries": 7}', b'{"deliveries": ["d"], "due": [1, 2]}', b"[" * 5_000):
        await exchange.publish(aio_pika.Message(body), DMS)

    await until_parked(channel, 6)
    assert await gateway.wait(0.05) == frozenset()
    assert parkings("unreadable") == before + 6
    assert [line["reason"] for line in said if line["event"] == "broker.parked"] == ["unreadable"] * 6

    gateway.announce(frozenset({DMS}))
    await hear(gateway, {DMS})


async def test_what_is_given_out_again_and_again_ends_in_parking_and_its_ids_are_told(
    gateways: Gateways, channel: aio_pika.abc.AbstractChannel, said: list[EventDict]
) -> None:
    await channel.declare_exchange(PARKING, "fanout", durable=True)
    queue = await channel.declare_queue(queue_of(DMS), durable=True, arguments=dict(DELIVER))
    body = json.dumps({"deliveries": ["d-1", "d-2"]}).encode()
    await channel.default_exchange.publish(aio_pika.Message(body), queue_of(DMS))
    for _ in range(MOST_GIVEN):
        message = await queue.get(timeout=5)
        assert message is not None
        await message.nack(requeue=True)

    await opened(gateways())

    await until_parked(channel, 1)
    told = [(line["reason"], line["deliveries"]) for line in said if line["event"] == "broker.parked"]
    assert told == [("redelivered", ["d-1", "d-2"])]
    kept = await (await channel.get_queue(PARKING)).get(timeout=5)
    assert kept is not None
    assert kept.body == body


# ------------------------------------------------------------------------------------------ what goes away


async def test_a_connection_closed_by_force_is_made_again_and_nothing_announced_is_lost(
    gateways: Gateways, rabbit_api: RabbitApi, rabbit_url: str
) -> None:
    first, second = gateways(), gateways()
    await opened(first, second)
    end = time.monotonic() + 10
    while rabbit_api.close_connections(vhost_of(rabbit_url)) < 2:
        assert time.monotonic() < end
        await asyncio.sleep(0.1)

    first.announce(frozenset({DMS}), {DMS: ["d-1"]})
    answers = await asyncio.gather(first.wait(1), second.wait(1))
    assert any(answers)

    await opened(first, second)
    await told_across(first, second)


@pytest.mark.parametrize("what", ["queue of a system", "exchange of deliveries", "parking", "virtual host", "binding"])
@pytest.mark.usefixtures("looking_often")
async def test_what_is_deleted_while_it_runs_is_made_again(
    gateways: Gateways,
    channel: aio_pika.abc.AbstractChannel,
    rabbit_api: RabbitApi,
    rabbit_url: str,
    what: str,
) -> None:
    first, second = gateways(), gateways()
    await opened(first, second)
    match what:
        case "queue of a system":
            await channel.queue_delete(queue_of(DMS))
        case "exchange of deliveries":
            await channel.exchange_delete(DELIVERIES)
        case "parking":
            await channel.queue_delete(PARKING)
        case "virtual host":
            rabbit_api.drop_vhost(vhost_of(rabbit_url))
            rabbit_api.make_vhost(vhost_of(rabbit_url))
        case _:
            await (await channel.get_queue(queue_of(DMS))).unbind(DELIVERIES, DMS)

    first.announce(frozenset({DMS}), {DMS: ["d-1"]})
    answers = await asyncio.gather(first.wait(0.5), second.wait(0.5))
    assert any(answers), "heard here where nobody else can"

    await told_across(first, second)


async def test_a_retry_queue_that_is_deleted_is_made_again(
    gateways: Gateways, channel: aio_pika.abc.AbstractChannel, rabbit_api: RabbitApi, rabbit_url: str
) -> None:
    gateway = gateways()
    await opened(gateway)
    await channel.queue_delete("lgsp.retry.200ms")
    assert "lgsp.retry.200ms" not in rabbit_api.queues(vhost_of(rabbit_url))

    gateway.later(DMS, "d-1", 0.3)

    end = time.monotonic() + 5
    while "lgsp.retry.200ms" not in rabbit_api.queues(vhost_of(rabbit_url)):
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def test_a_queue_that_no_longer_answers_is_made_anew(
    gateways: Gateways, channel: aio_pika.abc.AbstractChannel, said: list[EventDict]
) -> None:
    first, second = gateways(), gateways()
    await channel.declare_queue(queue_of(DMS), durable=True, arguments={"x-queue-type": "quorum"})
    first._doubted.add(queue_of(DMS))
    await opened(first)
    await opened(second)

    await told_across(first, second)
    assert [line["queue"] for line in said if line["event"] == "broker.remade"] == [queue_of(DMS)]
    assert not any(line["event"] == "broker.differs" for line in said)


async def test_a_queue_that_was_made_otherwise_serves_as_it_is(
    gateways: Gateways, channel: aio_pika.abc.AbstractChannel, said: list[EventDict]
) -> None:
    await channel.declare_queue(queue_of(DMS), durable=True)
    await channel.declare_queue(PARKING, durable=True)
    first, second = gateways(), gateways()
    await opened(first, second)

    await told_across(first, second)
    differing = {line["queue"] for line in said if line["event"] == "broker.differs"}
    assert differing == {queue_of(DMS), PARKING}


async def test_what_cannot_be_told_at_once_is_bounded_and_rings_here(
    gateways: Gateways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "MOST_PENDING", 100)
    gateway = gateways()
    await opened(gateway)

    for number in range(1_000):
        gateway.announce(frozenset({DMS}), {DMS: [f"d-{number}"]})
        gateway.later(DMS, f"d-{number}", 60)
    assert gateway._count <= 100
    assert sum(map(len, gateway._pending.values())) <= 100
    await hear(gateway, {DMS})


# ------------------------------------------------------------------------------------------ means


def vhost_of(url: str) -> str:
    return unquote(url.rpartition("/")[2])


def parkings(reason: str) -> float:
    return REGISTRY.get_sample_value("lgsp_broker_parkings_total", {"reason": reason}) or 0


async def passive(channel: aio_pika.abc.AbstractChannel, name: str) -> spec.Queue.DeclareOk:
    return (await channel.declare_queue(name, passive=True)).declaration_result


async def until_parked(channel: aio_pika.abc.AbstractChannel, count: int) -> None:
    end = time.monotonic() + 5
    while (await passive(channel, PARKING)).message_count != count:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
