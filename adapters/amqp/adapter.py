"""Push over AMQP 0-9-1: one persistent message per delivery into the system's own bounded queue, confirmed.

What a hand-over proves is chosen by the setting ``acknowledge``. With ``queue`` the message lies on the disks of the
queue's majority, as a letter lies in a letter box; a queue that nobody empties refuses when it is full, and the rest
waits in the ledger, where it is seen. With ``receipt`` the system itself said that it took it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Sequence
from typing import Any, Final, Literal

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractMessage
from aio_pika.exceptions import ChannelPreconditionFailed, DeliveryError, PublishError
from yarl import URL

from adapters.amqp.line import Line, line_to, told
from adapters.amqp.settlement import Settlements
from gateway.core.agency_queue import EXCHANGE, AgencyQueue
from gateway.core.faults import Misconfigured, PermanentFailure, Text, TimedOut, TransientFailure
from gateway.core.jws import signature_of
from gateway.ports import AdapterContext, Collected, HandedOver, Parcel, Uncollectable

MODE: Final[Literal["push", "pull"]] = "push"
COLLECTS: Final = False
#: A header has to fit into one frame: a sender's own words in it must never break the connection that all share.
_LONGEST_TRACE: Final = 512
#: Settlements that wait for this process at the broker; more than that only if the process sleeps.
_MOST_SETTLEMENTS: Final = 10_000


class Amqp:
    """One system's queue, reached over the connection that all systems at one RabbitMQ share."""

    def __init__(self, context: AdapterContext, url: str) -> None:
        """``context.settings`` have passed the schema beside this file; ``url`` is the bus's RabbitMQ."""
        self._context = context
        self._url = url
        self._signs = context.settings.get("signature", "v1a") == "v1a"
        self._timeout = float(context.settings.get("timeout", 15))
        self._largest = int(context.settings.get("largest", 4 << 20))
        self._queue = AgencyQueue(
            context.system.name, settles=context.settings.get("acknowledge", "queue") == "receipt"
        )
        self._settlements = Settlements()
        self._line: Line | None = None
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Put one message into the queue; with ``receipt``, wait for the system's word. Raises as the port says."""
        if len(parcel.body) > self._largest:
            raise PermanentFailure(f"the recipient reads no message over {self._largest} bytes")
        delivery = parcel.delivery
        said = self._settlements.said(delivery)
        if said is not None:
            return said.judged()
        silence = "RabbitMQ did not confirm"
        word = self._settlements.expect(delivery) if self._queue.settles else None
        try:
            async with asyncio.timeout(self._timeout):
                await self._put(parcel)
                if word is None:
                    return HandedOver()
                silence = "the recipient said nothing"
                settlement = await word
        except TimeoutError:
            raise TimedOut(f"{silence} within {self._timeout:g} s") from None
        finally:
            self._settlements.forget(delivery)
        return settlement.judged()

    async def collect(self, limit: int) -> Sequence[Collected | Uncollectable]:  # noqa: ARG002 - the port's shape
        """Nothing: such a system sends for itself."""
        return ()

    async def settle(self, token: str, refusal: tuple[str, Text] | None) -> None:
        """Nothing to settle."""

    async def close(self) -> None:
        """Leave the connection to the others; the last one closes it."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(channel.close(), 1.5)
        line, self._line = self._line, None
        if line is not None:
            await line.leave()

    # ------------------------------------------------------------------------------------------ handing over

    async def _put(self, parcel: Parcel) -> None:
        """Publish and wait for the broker's word that the queue's majority holds the message."""
        with told():
            channel = await self._open_channel()
            exchange = await channel.get_exchange(EXCHANGE, ensure=False)
            try:
                await exchange.publish(self._message(parcel), self._queue.name, mandatory=True)
            except PublishError:
                # Somebody deleted the queue: a new channel makes it again.
                await self._drop(channel)
                raise TransientFailure("the recipient's queue was gone; it is made again") from None
            except DeliveryError:
                raise TransientFailure(
                    "the recipient's queue takes no more: it is full, as the recipient fetches too little, "
                    "or most of its nodes are away"
                ) from None

    def _message(self, parcel: Parcel) -> AbstractMessage:
        stamp = int(self._context.now())
        headers = {
            "webhook-id": parcel.delivery,
            "webhook-timestamp": str(stamp),
            "lgsp-message": parcel.message,
            "lgsp-attempt": str(parcel.attempt),
        }
        if self._signs:
            signed = f"{parcel.delivery}.{stamp}.".encode() + parcel.body
            signer = self._context.webhook_signer
            made = base64.b64encode(signature_of(signer.key, signer.alg, signed)).decode("ascii")
            headers["webhook-signature"] = f"v1a,{made}"
        for name in ("traceparent", "tracestate"):
            value = parcel.event.get(name)
            if isinstance(value, str) and len(value) <= _LONGEST_TRACE and value.isascii() and value.isprintable():
                headers[name] = value
        return aio_pika.Message(
            parcel.body,
            headers=dict[str, Any](headers),
            content_type="application/jose" if parcel.format == "jws" else "application/cloudevents+json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=parcel.delivery,
            timestamp=stamp,
            reply_to=self._queue.settle if self._queue.settles else None,
            app_id=self._context.user_agent,
        )

    # ---------------------------------------------------------------------------------- the queue and its channel

    async def _open_channel(self) -> AbstractChannel:
        """The channel over which messages go; where it is new, the queue is made sure of first."""
        async with self._opening:
            if self._channel is not None and not self._channel.is_closed:
                return self._channel
            if self._line is None:
                self._line = line_to(self._url)
                self._line.join()
            channel = await self._line.channel()
            try:
                await self._make_queue(channel)
            except ChannelPreconditionFailed:
                raise TransientFailure(
                    f"the queue {self._queue.name} or its exchange was declared in another way; an operator deletes it"
                ) from None
            except BaseException:
                await self._drop(channel)
                raise
            self._channel = channel
            return channel

    async def _make_queue(self, channel: AbstractChannel) -> None:
        """Declare what the system reads, and what it says of it; harmless where it is there already."""
        mine = self._queue
        exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.DIRECT, durable=True)
        await channel.declare_queue(mine.rejected, durable=True, arguments=dict(mine.rejected_arguments))
        queue = await channel.declare_queue(mine.name, durable=True, arguments=dict(mine.arguments))
        await queue.bind(exchange, mine.name)
        if not mine.settles:
            return
        settling = await channel.declare_exchange(mine.settle, aio_pika.ExchangeType.FANOUT, durable=True)
        # One for each gateway: whichever of them waits for the word hears it.
        ears = await channel.declare_queue(
            exclusive=True, auto_delete=True, arguments={"x-max-length": _MOST_SETTLEMENTS}
        )
        await ears.bind(settling)
        await ears.consume(self._hear, no_ack=True)

    async def _hear(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        self._settlements.hear(message)

    async def _drop(self, channel: AbstractChannel) -> None:
        if self._channel is channel:
            self._channel = None
        with contextlib.suppress(Exception):
            await channel.close()


def open_adapter(context: AdapterContext) -> Amqp:
    """The adapter of one system; raises Misconfigured where the bus itself has no RabbitMQ."""
    url = context.broker_url()
    if URL(url).scheme not in {"amqp", "amqps"}:
        raise Misconfigured(
            f"{context.system.name}: adapter",
            Text("Trục không dùng RabbitMQ nên không có hàng đợi", "The bus uses no RabbitMQ, so there is no queue"),
            Text(
                'Trong lgsp.toml, ghi [broker] url = "amqp://…", hoặc đổi adapter của hệ thống này.',
                'In lgsp.toml write [broker] url = "amqp://…", or give this system another adapter.',
            ),
        )
    return Amqp(context, url)
