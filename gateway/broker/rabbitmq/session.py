"""One connection to RabbitMQ and all that lives in it: whatever goes wrong in it ends it, and the next one is whole.

A channel that the broker closed stays closed, a queue that was deleted takes its readers with it. Instead of mending
such things one by one, a session ends at the first of them; what was heard and not acted on is heard again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final, Literal, NamedTuple, NoReturn

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelPreconditionFailed, DeliveryError, PublishError
from yarl import URL

from gateway.broker.rabbitmq import topology
from gateway.broker.rabbitmq.notice import Notice
from gateway.broker.rabbitmq.topology import DELIVERIES, MOST_GIVEN, PARKING, Step
from gateway.telemetry import PARKED

#: Seconds for a connection to be made; for the broker to answer one question; between two questions whether it lives.
CONNECT: Final = 5.0
ANSWER: Final = 5.0
LOOK: Final = 5.0
#: Seconds for a queue that is stuck to be deleted: the broker itself waits for it first.
DELETE: Final = 15.0
#: A peer that says nothing for three times so long (seconds) is gone; the questions above find it sooner.
HEARTBEAT: Final = 10
#: Messages of one queue that this gateway holds at most: what it has not acted on is not kept from the others.
PREFETCH: Final = 4

log = structlog.get_logger()
# What the libraries would say about a lost connection, at every try, is said once in our own words.
for _library in ("aio_pika", "aiormq"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)


class Lost(Exception):
    """The session cannot go on."""


class Heard(NamedTuple):
    """A message as it came; ``tag`` counts up within a session, ``given`` says how often it was given out before."""

    recipient: str
    body: bytes
    tag: int
    given: int


class _Answer(NamedTuple):
    what: Literal["take", "pass-on", "park"]
    tag: int


@dataclass(slots=True, eq=False)
class Session:
    """Opened by :meth:`open`, works in :meth:`run` until it is lost or cancelled, let go of by :meth:`close`."""

    node: str
    steps: Sequence[Step]
    #: Called with each message, in order; answered later by :meth:`take` or at once by :meth:`park`.
    on_heard: Callable[[Session, Heard], None]
    #: Systems whose queues are to be read; None for whoever is announced.
    known: Callable[[], Iterable[str]] | None
    #: Queues that did not answer although the broker did; whoever opens the next session makes them anew.
    doubted: set[str]
    _connection: AbstractConnection | None = None
    _exchanges: dict[str, AbstractExchange] = field(default_factory=dict)
    _queues: dict[str, tuple[AbstractQueue, str]] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _channels: list[AbstractChannel] = field(default_factory=list)
    _answers: asyncio.Queue[_Answer] = field(default_factory=asyncio.Queue)
    _look: asyncio.Event = field(default_factory=asyncio.Event)
    _is_blocked: bool = False
    _lost: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, url: URL, tls: SSLContext | None) -> None:
        """Connect and see that exchanges, retry queues and parking are there; raises whatever went wrong."""
        self._connection = await aio_pika.connect(
            url.with_query(heartbeat=HEARTBEAT, name=f"lgsp {self.node}"), ssl_context=tls, timeout=CONNECT
        )
        self._connection.close_callbacks.add(self._on_lost)
        # One channel speaks, one hears, one makes queues: that one may be closed for a mistake without harm.
        for prefetch in (0, PREFETCH, 0):
            await self._add_channel(prefetch)
        for channel in self._channels[:2]:
            channel.close_callbacks.add(self._on_lost)
        hearing = await self._channels[1].get_underlay_channel()
        hearing.on_consumer_cancel_callbacks.add(self._on_lost)
        await self._declare_common()

    async def _add_channel(self, prefetch: int) -> None:
        channel = self._connected().channel(on_return_raises=True)
        await channel.initialize(timeout=ANSWER)
        if prefetch:
            await channel.set_qos(prefetch_count=prefetch, timeout=ANSWER)
        self._channels.append(channel)

    def _connected(self) -> AbstractConnection:
        if self._connection is None:
            raise Lost
        return self._connection

    async def _declare_common(self) -> None:
        await self._declare_exchange(DELIVERIES, "direct")
        for name, arguments in [
            (PARKING, topology.PARK),
            *((step.name, topology.retry_arguments(step)) for step in self.steps),
        ]:
            await self._declare_exchange(name, "fanout")
            await self._declare_queue(name, arguments, name, "")

    async def _declare_exchange(self, name: str, kind: str) -> None:
        speaking, _, making = self._channels
        await making.declare_exchange(name, kind, durable=True, timeout=ANSWER)
        self._exchanges[name] = await speaking.get_exchange(name, ensure=False)

    async def _declare_queue(self, name: str, arguments: Mapping[str, Any], exchange: str, key: str) -> None:
        if name in self.doubted:
            await self._channels[2].queue_delete(name, timeout=DELETE)
            self.doubted.discard(name)
            log.warning("broker.remade", queue=name)
        try:
            await self._channels[2].declare_queue(name, durable=True, arguments=dict(arguments), timeout=ANSWER)
        except ChannelPreconditionFailed:
            # Somebody made it otherwise: it serves as it is. The mistake cost the channel.
            log.warning("broker.differs", queue=name)
            self._channels.pop()
            await self._add_channel(0)
        making = await self._channels[2].get_queue(name, ensure=False)
        await making.bind(exchange, key, timeout=ANSWER)

    # ------------------------------------------------------------------------------------- at work

    async def run(self) -> None:
        """Read queues, answer, look whether the broker lives; ends by raising."""
        async with asyncio.TaskGroup() as tasks:
            for work in (self._watch, self._answer, self._keep_queues):
                tasks.create_task(work())

    async def _watch(self) -> None:
        await self._lost.wait()
        raise Lost

    async def _answer(self) -> None:
        hearing = await self._channels[1].get_underlay_channel()
        while True:
            what, tag = await self._answers.get()
            if what == "park":
                await hearing.basic_reject(tag, requeue=False)
            else:
                await hearing.basic_ack(tag, multiple=what == "take")

    async def _keep_queues(self) -> None:
        while True:
            wanted = self._asked if self.known is None else set(filter(topology.is_nameable, self.known()))
            for recipient in sorted(wanted - self._queues.keys()):
                await self._read(recipient)
            for recipient in sorted(self._queues.keys() - wanted):
                await self._let_go(recipient)
            await self._until_unblocked()
            parking = await self._channels[2].declare_queue(PARKING, passive=True, timeout=ANSWER)
            PARKED.set(parking.declaration_result.message_count or 0)
            self._look.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._look.wait()

    async def _read(self, recipient: str) -> None:
        name = topology.queue_of(recipient)
        await self._declare_queue(name, topology.DELIVER, DELIVERIES, recipient)
        queue = await self._channels[1].get_queue(name, ensure=False)

        async def heard(message: AbstractIncomingMessage) -> None:
            given = message.headers.get("x-delivery-count", 0)
            count = given if isinstance(given, int) else MOST_GIVEN
            self.on_heard(self, Heard(recipient, message.body, message.delivery_tag or 0, count))

        try:
            tag = await queue.consume(heard, consumer_tag=f"{self.node}:{recipient}", timeout=ANSWER)
        except TimeoutError:
            await self._doubt(name)
        self._queues[recipient] = (queue, tag)

    async def _doubt(self, queue: str) -> NoReturn:
        """One queue did not answer in time: is it the queue, or all of the broker? A crash may leave a queue so.

        The library closes the channel of an unanswered question, which may end the session before this is said.
        """
        self.doubted.add(queue)
        try:
            await self._channels[2].declare_queue(PARKING, passive=True, timeout=ANSWER)
        except Exception:
            self.doubted.discard(queue)
            raise
        raise Lost

    async def _let_go(self, recipient: str) -> None:
        queue, tag = self._queues.pop(recipient)
        await queue.cancel(tag, timeout=ANSWER)

    async def _until_unblocked(self) -> None:
        """A broker short of memory or disk reads nothing of who publishes, be it an answer: patience, it lives."""
        if await self._find_blocked():
            transport = self._connected().transport
            if transport is not None:
                await transport.ready()
            self._is_blocked = False

    async def _find_blocked(self) -> bool:
        transport = self._connected().transport
        if transport is not None:
            try:
                async with asyncio.timeout(0.01):
                    await transport.ready()
            except TimeoutError:
                self._is_blocked = True
        return self._is_blocked

    # -------------------------------------------------------------------------------- what is asked of it

    def reads(self, recipient: str) -> bool:
        """Whether the broker can be told of it: where its queue is read here, too, somebody does hear of it."""
        if recipient in self._queues:
            return not self._is_blocked
        if self.known is None:
            self._asked.add(recipient)
            self._look.set()
        return False

    async def publish(self, notice: Notice, step: Step | None = None) -> bool:
        """Put a notice where readers, or those of the time after ``step``, find it; answers whether the broker has it.

        Raises where the session cannot go on.
        """
        exchange = self._exchanges[DELIVERIES if step is None else step.name]
        message = aio_pika.Message(
            notice.written(), content_type="application/json", delivery_mode=aio_pika.DeliveryMode.PERSISTENT
        )
        try:
            await exchange.publish(message, notice.recipient, timeout=ANSWER)
        except PublishError:
            raise  # no queue is bound there any more: all is made anew
        except DeliveryError:
            return False  # the queue is full
        except TimeoutError:
            if not await self._find_blocked():
                await self._doubt(topology.queue_of(notice.recipient) if step is None else step.name)
            self._look.set()
            return False
        return True

    def take(self, tag: int) -> None:
        """Everything heard up to ``tag`` was acted on."""
        self._answers.put_nowait(_Answer("take", tag))

    def park(self, tag: int) -> None:
        """One message is for people."""
        self._answers.put_nowait(_Answer("park", tag))

    def pass_on(self, tag: int) -> None:
        """One message lives on in another."""
        self._answers.put_nowait(_Answer("pass-on", tag))

    async def close(self) -> None:
        """Let go; what was not answered is given to another gateway. Waits at most three seconds; never raises."""
        if self._connection is not None:
            await _within(3.0, self._connection.close())

    def _on_lost(self, *_: object) -> None:
        self._lost.set()


async def _within(seconds: float, work: Awaitable[object]) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.wait([task], timeout=seconds)
    if task.done() and not task.cancelled():
        task.exception()
    task.cancel()
