"""The agency in small: consumes from its queue with aio-pika, checks signatures by its own code, and misbehaves.

Of the adapter it shares nothing but the name and shape of the queue; what that computes differently, this notices.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError, DeliveryError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from yarl import URL

from gateway.core.agency_queue import EXCHANGE, AgencyQueue
from gateway.ports import Parcel

#: What the agency does with one message. ``die`` breaks the connection before it says anything.
Deed = Literal["take", "reject", "requeue", "die"]
_LARGEST: Final = 256 * 1024
#: Eight of these are more than a queue holds.
_FILLER: Final = 8 << 20
_PATIENCE: Final = 10.0
_PAUSE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Received:
    """One message as it came: its body, its header fields, what its signature proved, what was done with it."""

    headers: Mapping[str, Any]
    body: bytes
    content_type: str | None
    is_signed: bool
    is_redelivered: bool
    deed: Deed

    @property
    def delivery(self) -> str:
        """The delivery id, by which a repeat is known."""
        return str(self.headers.get("webhook-id", ""))


@dataclass(frozen=True, slots=True)
class Word:
    """What the agency tells the bus of a message it took from the queue (``acknowledge = "receipt"``)."""

    verdict: str = "taken"
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class AmqpDesk:
    """A consumer on this machine. ``script`` holds deeds to be done once each, ``delay`` makes it slow (seconds)."""

    url: str
    queue: AgencyQueue
    public_key: Ed25519PublicKey | None = None
    script: list[Deed] = field(default_factory=list)
    #: What it says of the next messages, then ``word``; None says nothing.
    words: list[Word | None] = field(default_factory=list)
    word: Word | None = field(default_factory=Word)
    delay: float = 0.0
    on_received: Callable[[Received], None] | None = None
    received: list[Received] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)
    _connection: AbstractConnection | None = None
    _channel: AbstractChannel | None = None
    _at_work: int = 0

    @property
    def trouble(self) -> tuple[type[BaseException], ...]:
        """What may be raised where RabbitMQ is away or does not let it in."""
        return (AMQPError, OSError)

    async def start(self) -> None:
        """Connect and consume; raises what aio-pika raises where it may not."""
        self._connection = await aio_pika.connect(self.url)
        self._channel = await self._connection.channel(publisher_confirms=True)
        await self._channel.set_qos(prefetch_count=20)
        queue = await self._channel.get_queue(self.queue.name, ensure=False)
        await queue.consume(self._take)

    async def stop(self) -> None:
        """Consume no more; what it holds goes back to the queue."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(AMQPError, OSError):
                await asyncio.wait_for(connection.close(), 5)

    async def go_on(self) -> None:
        """Consume for ever: after each death or lost connection, again."""
        while True:
            await asyncio.sleep(_PAUSE)
            if self._connection is None or not self._connection.connected.is_set():
                await self.stop()
                with contextlib.suppress(*self.trouble):
                    await self.start()

    def taken(self) -> list[Received]:
        """What it took for good, repeats among them."""
        return [each for each in self.received if each.deed == "take" and each.delivery]

    async def arrivals(self) -> list[str]:
        """Delivery ids of what was taken, once nothing waits in the queue any more."""
        async with asyncio.timeout(_PATIENCE):
            # The queue tells its length to those who ask, and to nobody else.
            while await self._waiting() or self._at_work:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return [each.delivery for each in self.taken()]

    async def go_down(self) -> None:
        """Stop consuming for so long that the queue is full."""
        await self.stop()
        async with await aio_pika.connect(self.url) as line:
            channel = await line.channel(publisher_confirms=True)
            with contextlib.suppress(DeliveryError):
                while True:
                    await channel.default_exchange.publish(aio_pika.Message(bytes(_FILLER)), self.queue.name)

    async def come_back(self) -> None:
        """Consume again, what fills the queue first."""
        await self.start()
        await self.arrivals()

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A message larger than it says it can read."""
        return replace(parcel, body=parcel.body + b"." * _LARGEST)

    async def _waiting(self) -> int:
        if self._channel is None:
            return 0
        queue = await self._channel.declare_queue(self.queue.name, passive=True)
        return int(queue.declaration_result.message_count or 0)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        self._at_work += 1
        try:
            # A broken line takes back what was not acknowledged: it comes again.
            with contextlib.suppress(AMQPError, OSError):
                await self._do(message)
        finally:
            self._at_work -= 1

    async def _do(self, message: AbstractIncomingMessage) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        is_message = "webhook-id" in message.headers
        deed = self.script.pop(0) if self.script and is_message else "take"
        received = Received(
            dict(message.headers), message.body, message.content_type, self._is_signed(message),
            bool(message.redelivered), deed,
        )  # fmt: skip
        self.received.append(received)
        if self.on_received is not None:
            self.on_received(received)
        if deed == "die":
            await self.stop()
            return
        if deed == "take":
            await self._tell(message)
            await message.ack()
        else:
            await message.reject(requeue=deed == "requeue")

    async def _tell(self, message: AbstractIncomingMessage) -> None:
        """Say what became of it, where the bus asks to be told."""
        if message.reply_to is None or self._channel is None:
            return
        word = self.words.pop(0) if self.words else self.word
        if word is None:
            return
        exchange = await self._channel.get_exchange(message.reply_to, ensure=False)
        said = aio_pika.Message(
            word.body, headers=dict(word.headers), type=word.verdict, correlation_id=message.message_id
        )
        await exchange.publish(said, "", mandatory=False)

    def _is_signed(self, message: AbstractIncomingMessage) -> bool:
        """Standard Webhooks: ``ID.TIMESTAMP.BODY`` under Ed25519."""
        headers = message.headers
        stamp = str(headers.get("webhook-timestamp"))
        signed = f"{message.message_id}.{stamp}.".encode() + message.body
        version, _, encoded = str(headers.get("webhook-signature", "")).partition(",")
        if version != "v1a" or self.public_key is None:
            return False
        try:
            self.public_key.verify(base64.b64decode(encoded, validate=True), signed)
        except (InvalidSignature, ValueError):
            return False
        return True


def desk_of(broker_url: str, system: str, password: str) -> AmqpDesk:
    """The consumer of one system at the bus's RabbitMQ, with its own user's password."""
    queue = AgencyQueue(system)
    return AmqpDesk(str(URL(broker_url).with_user(queue.name).with_password(password)), queue)


async def make_queue(url: str, queue: AgencyQueue) -> None:
    """What ``lgsp apply`` makes of it before the agency comes; ``url`` names a user who may."""
    async with await aio_pika.connect(url) as line:
        channel = await line.channel()
        exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.DIRECT, durable=True)
        await channel.declare_queue(queue.rejected, durable=True, arguments=dict(queue.rejected_arguments))
        made = await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
        await made.bind(exchange, queue.name)
        if queue.settles:
            await channel.declare_exchange(queue.settle, aio_pika.ExchangeType.FANOUT, durable=True)


@contextlib.asynccontextmanager
async def agency(
    folder: Path,  # noqa: ARG001 - the suite's shape
    url: str = "amqp://guest:guest@127.0.0.1:5672/",
    *,
    system: str = "H33.16/dms",
    **settings: Any,
) -> AsyncIterator[AmqpDesk]:
    """A consuming recipient at the RabbitMQ of ``url`` whose settings fit the adapter beside this file."""
    queue = AgencyQueue(system, settles=settings.get("acknowledge") == "receipt")
    desk = AmqpDesk(url, queue, settings={"timeout": 10, "largest": _LARGEST, **settings})
    await make_queue(url, queue)
    await desk.start()
    try:
        yield desk
    finally:
        await desk.stop()
