"""The AMQP adapter beyond the common promises: what a message carries, what the queue bears, what a bad line does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import aio_pika
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.amqp.adapter import Amqp, open_adapter
from adapters.amqp.settlement import RETRY_AFTER, Settlements, read_settlement
from adapters.amqp.stand_in import AmqpDesk, Word, agency
from gateway.client.link import FaultyLink, a_faulty_link
from gateway.core.agency_queue import AgencyQueue
from gateway.core.faults import Misconfigured, PermanentFailure, TimedOut, TransientFailure
from tests.adapters.fitting import WEBHOOK, Hands, a_parcel, an_event

DMS = AgencyQueue("H33.16/dms")


@dataclass(slots=True)
class Scene:
    """A RabbitMQ behind a line that may be cut, an agency that consumes from it directly, and adapters on the line."""

    hands: Hands
    desk: AmqpDesk
    link: FaultyLink

    def adapter(self, **settings: Any) -> Amqp:
        """One more open adapter of the same system."""
        return open_adapter(self.hands.context("amqp", {**self.desk.settings, **settings}))


Open = Callable[..., Awaitable[Scene]]


@pytest_asyncio.fixture
async def opened(tmp_path: Path, rabbit_url: str) -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def scene(**settings: Any) -> Scene:
            parts = urlsplit(rabbit_url)
            link = await stack.enter_async_context(a_faulty_link(cast("str", parts.hostname), cast("int", parts.port)))
            desk = await stack.enter_async_context(agency(tmp_path, rabbit_url, **settings))
            desk.public_key = cast("Ed25519PublicKey", WEBHOOK.key.public_key())
            near = parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{link.port}").geturl()
            return Scene(Hands(tmp_path, broker_url=near), desk, link)

        yield scene


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - what others do to plain fields
            await asyncio.sleep(0.01)


async def rejected(desk: AmqpDesk) -> list[str | None]:
    """Message ids in the agency's queue of the rejected, which its user may read."""
    found: list[str | None] = []
    async with await aio_pika.connect(desk.url) as line:
        queue = await (await line.channel()).get_queue(DMS.rejected, ensure=False)
        async with asyncio.timeout(5):
            while not found:
                message = await queue.get(fail=False)
                if message is not None:
                    found.append(message.message_id)
                    await message.ack()
    return found


# -------------------------------------------------------------------------------------------- what a message carries


async def test_a_message_bears_its_ids_and_a_signature_that_any_library_of_standard_webhooks_can_check(
    opened: Open,
) -> None:
    scene = await opened()
    adapter = scene.adapter()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    parcel = a_parcel(scene.hands.context("amqp", {}), event=an_event(traceparent=trace), attempt=3)
    await adapter.deliver(parcel)
    await scene.desk.arrivals()
    (came,) = scene.desk.received
    assert came.is_signed
    assert (came.body, came.content_type) == (parcel.body, "application/jose")
    assert came.headers["webhook-id"] == parcel.delivery
    assert came.headers["lgsp-message"] == parcel.message
    assert came.headers["lgsp-attempt"] == "3"
    assert came.headers["traceparent"] == trace
    await adapter.close()


async def test_words_of_the_sender_that_fit_no_header_stay_out_of_it(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter()
    for number, trace in enumerate(("00-" + "0" * 150_000, "00-\n", "đường")):
        event = an_event(traceparent="00-1", tracestate=trace)
        await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), number, event=event))
    assert len(await scene.desk.arrivals()) == 3
    assert all(each.headers["traceparent"] == "00-1" for each in scene.desk.received)
    assert not any("tracestate" in each.headers for each in scene.desk.received)
    await adapter.close()


async def test_a_message_changed_on_the_way_has_no_good_signature(opened: Open) -> None:
    scene = await opened()
    scene.desk.public_key = Ed25519PublicKey.from_public_bytes(b"\x01" * 32)
    adapter = scene.adapter()
    await adapter.deliver(a_parcel(scene.hands.context("amqp", {})))
    await scene.desk.arrivals()
    assert not scene.desk.received[0].is_signed
    await adapter.close()


async def test_the_bare_event_is_named_as_such_and_a_signature_can_be_left_out(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter(signature="none")
    await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), format="cloudevents"))
    await scene.desk.arrivals()
    (came,) = scene.desk.received
    assert came.content_type == "application/cloudevents+json"
    assert "webhook-signature" not in came.headers
    await adapter.close()


# ------------------------------------------------------------------------------------------------ what a queue bears


async def test_many_at_once_arrive_once_each(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter()
    parcels = [a_parcel(scene.hands.context("amqp", {}), n) for n in range(50)]
    await asyncio.gather(*(adapter.deliver(parcel) for parcel in parcels))
    assert sorted(await scene.desk.arrivals()) == sorted(parcel.delivery for parcel in parcels)
    await adapter.close()


async def test_what_was_handed_over_one_after_the_other_comes_in_that_order(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter()
    parcels = [a_parcel(scene.hands.context("amqp", {}), n) for n in range(10)]
    for parcel in parcels:
        await adapter.deliver(parcel)
    assert await scene.desk.arrivals() == [parcel.delivery for parcel in parcels]
    await adapter.close()


async def test_an_agency_that_dies_over_a_message_gets_it_again_under_the_same_id(opened: Open) -> None:
    scene = await opened()
    scene.desk.script = ["die"]
    adapter = scene.adapter()
    parcel = a_parcel(scene.hands.context("amqp", {}))
    await adapter.deliver(parcel)
    await until(lambda: len(scene.desk.received) == 1)
    await scene.desk.stop()
    await scene.desk.start()
    assert await scene.desk.arrivals() == [parcel.delivery]
    assert [each.is_redelivered for each in scene.desk.received] == [False, True]
    await adapter.close()


async def test_what_an_agency_rejects_is_laid_aside_and_not_lost(opened: Open) -> None:
    scene = await opened()
    scene.desk.script = ["reject"]
    adapter = scene.adapter()
    parcel = a_parcel(scene.hands.context("amqp", {}))
    await adapter.deliver(parcel)
    assert await rejected(scene.desk) == [parcel.delivery]
    await adapter.close()


async def test_a_slow_agency_does_not_slow_the_bus(opened: Open) -> None:
    scene = await opened()
    scene.desk.delay = 60
    adapter = scene.adapter()
    for n in range(5):
        await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), n))
    assert scene.desk.received == []
    await adapter.close()


async def test_a_full_queue_refuses_and_says_that_nobody_fetches(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter()
    await scene.desk.go_down()
    with pytest.raises(TransientFailure, match="fetches too little"):
        await adapter.deliver(a_parcel(scene.hands.context("amqp", {})))
    await adapter.close()


async def test_a_queue_that_somebody_deletes_is_made_again(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter()
    await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), 1))
    await scene.desk.arrivals()
    await scene.desk.stop()
    async with await aio_pika.connect(scene.desk.url) as line:
        await (await line.channel()).queue_delete(DMS.name)
    parcel = a_parcel(scene.hands.context("amqp", {}), 2)
    with pytest.raises(TransientFailure, match="made again"):
        await adapter.deliver(parcel)
    await adapter.deliver(parcel)
    await scene.desk.start()
    assert (await scene.desk.arrivals())[1:] == [parcel.delivery]
    await adapter.close()


async def test_a_queue_that_somebody_declared_without_bounds_is_not_written_to(opened: Open) -> None:
    scene = await opened()
    await scene.desk.stop()
    async with await aio_pika.connect(scene.desk.url) as line:
        channel = await line.channel()
        await channel.queue_delete(DMS.name)
        await channel.declare_queue(DMS.name, durable=True)
    adapter = scene.adapter()
    for _ in range(2):
        with pytest.raises(TransientFailure, match="declared in another way"):
            await adapter.deliver(a_parcel(scene.hands.context("amqp", {})))
    await adapter.close()


# ------------------------------------------------------------------------------------------------------ a bad line


async def test_systems_share_one_connection_and_the_last_one_closes_it(opened: Open) -> None:
    scene = await opened()
    one, two = scene.adapter(), scene.adapter()
    await one.deliver(a_parcel(scene.hands.context("amqp", {}), 1))
    await two.deliver(a_parcel(scene.hands.context("amqp", {}), 2))
    assert len(scene.link._open) == 1
    await one.close()
    await two.deliver(a_parcel(scene.hands.context("amqp", {}), 3))
    assert len(scene.link._open) == 1
    await two.close()
    await until(lambda: len(scene.link._open) == 0)


async def test_a_connection_that_is_lost_is_opened_again(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter()
    parcels = [a_parcel(scene.hands.context("amqp", {}), n) for n in range(3)]
    await adapter.deliver(parcels[0])
    scene.link.cut_after = 100
    with pytest.raises(TransientFailure):
        await adapter.deliver(parcels[1])
    await adapter.deliver(parcels[1])
    await adapter.deliver(parcels[2])
    assert set(await scene.desk.arrivals()) == {parcel.delivery for parcel in parcels}
    assert scene.link.cuts == 1
    await adapter.close()


async def test_a_connection_that_is_lost_in_quiet_times_costs_no_attempt(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter()
    parcels = [a_parcel(scene.hands.context("amqp", {}), n) for n in range(3)]
    for parcel in parcels:
        await adapter.deliver(parcel)
        for line in list(scene.link._open):
            line.cancel()
        await asyncio.sleep(0.1)
    assert await scene.desk.arrivals() == [parcel.delivery for parcel in parcels]
    await adapter.close()


async def test_a_line_that_falls_silent_is_a_time_out_and_not_the_end(opened: Open) -> None:
    scene = await opened()
    adapter, hasty = scene.adapter(), scene.adapter(timeout=0.3)
    await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), 1))
    scene.link.is_half_open = True
    with pytest.raises(TimedOut):
        await hasty.deliver(a_parcel(scene.hands.context("amqp", {}), 2))
    scene.link.is_half_open = False
    await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), 3))
    await hasty.close()
    await adapter.close()


async def test_a_broker_out_of_reach_is_told_without_its_address_or_password(opened: Open) -> None:
    scene = await opened()
    scene.hands.broker_url = "amqp://lgsp:mat-khau-bi-mat@127.0.0.1:9/"
    adapter = scene.adapter()
    with pytest.raises(TransientFailure) as caught:
        await adapter.deliver(a_parcel(scene.hands.context("amqp", {})))
    assert "mat-khau" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    assert caught.value.__cause__ is None
    await adapter.close()


async def test_a_password_that_the_broker_refuses_is_told_as_the_operators_to_mend(opened: Open) -> None:
    scene = await opened()
    scene.hands.broker_url = scene.hands.broker_url.replace("lgsp:", "lgsp:sai", 1)
    adapter = scene.adapter()
    with pytest.raises(TransientFailure, match=r"user or password.*\[broker\] url"):
        await adapter.deliver(a_parcel(scene.hands.context("amqp", {})))
    await adapter.close()


async def test_a_delivery_that_is_cancelled_ends_as_cancelled(opened: Open) -> None:
    scene = await opened()
    adapter = scene.adapter()
    await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), 1))
    scene.link.is_half_open = True
    task = asyncio.create_task(adapter.deliver(a_parcel(scene.hands.context("amqp", {}), 2)))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    scene.link.is_half_open = False
    await adapter.close()


def test_a_bus_without_rabbitmq_has_no_queue(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        open_adapter(Hands(tmp_path).context("amqp", {}))
    assert "amqp://" in caught.value.right.vi


# ------------------------------------------------------------------------------------------- the recipient's own word


async def test_taken_is_what_the_recipient_says_and_its_receipt_goes_along(opened: Open) -> None:
    scene = await opened(acknowledge="receipt")
    scene.desk.word = Word(body=b"eyJ.eyJ.c2ln")
    adapter = scene.adapter()
    handed = await adapter.deliver(a_parcel(scene.hands.context("amqp", {})))
    assert handed.receipt == b"eyJ.eyJ.c2ln"
    await adapter.close()


async def test_a_word_that_is_no_receipt_still_means_taken(opened: Open) -> None:
    scene = await opened(acknowledge="receipt")
    adapter = scene.adapter()
    for number, body in enumerate((b"", b"ok", b"." * 20_000)):
        scene.desk.word = Word(body=body)
        assert (await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), number))).receipt is None
    await adapter.close()


async def test_refused_is_for_good_and_later_is_not(opened: Open) -> None:
    scene = await opened(acknowledge="receipt")
    adapter = scene.adapter()
    scene.desk.words = [
        Word("refused", {"lgsp-reason": "Sai\nđịnh dạng" + "." * 900}),
        Word("later", {"lgsp-retry-after": 30}),
    ]
    with pytest.raises(PermanentFailure, match="Sai định dạng") as refused:
        await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), 1))
    assert len(str(refused.value)) < 300
    with pytest.raises(TransientFailure) as later:
        await adapter.deliver(a_parcel(scene.hands.context("amqp", {}), 2))
    assert later.value.retry_after == 30
    await adapter.close()


async def test_silence_is_a_time_out_and_a_word_that_comes_late_counts_at_the_next_attempt(opened: Open) -> None:
    scene = await opened(acknowledge="receipt", timeout=1)
    scene.desk.delay = 1.3
    adapter = scene.adapter()
    parcel = a_parcel(scene.hands.context("amqp", {}))
    with pytest.raises(TimedOut):
        await adapter.deliver(parcel)
    await scene.desk.arrivals()
    assert (await adapter.deliver(parcel)).status is None
    assert await scene.desk.arrivals() == [parcel.delivery]
    await adapter.close()


async def test_every_gateway_hears_the_word_whichever_asked(opened: Open) -> None:
    scene = await opened(acknowledge="receipt")
    one, two = scene.adapter(), scene.adapter()
    first, second = a_parcel(scene.hands.context("amqp", {}), 1), a_parcel(scene.hands.context("amqp", {}), 2)
    await two.deliver(second)
    await one.deliver(first)
    # The other one hears it, too, a moment sooner or later: its own attempt at the same delivery asks nobody.
    scene.desk.word = None
    for _ in range(1000):
        if first.delivery in two._settlements._kept:
            break
        await asyncio.sleep(0.01)
    await two.deliver(first)
    assert await scene.desk.arrivals() == [second.delivery, first.delivery]
    await one.close()
    await two.close()


def said(delivery: str, verdict: str = "taken", body: bytes = b"", **headers: Any) -> aio_pika.Message:
    """What an agency publishes to its settling exchange."""
    return aio_pika.Message(body, headers=headers, type=verdict, correlation_id=delivery)


async def test_what_is_no_word_at_all_is_passed_over(opened: Open) -> None:
    scene = await opened(acknowledge="receipt", timeout=1)
    scene.desk.word = Word("delivered")
    adapter = scene.adapter()
    with pytest.raises(TimedOut, match="the recipient said nothing"):
        await adapter.deliver(a_parcel(scene.hands.context("amqp", {})))
    await adapter.close()


@pytest.mark.parametrize(
    "message", [aio_pika.Message(b""), said("d", ""), said("d", "TAKEN"), aio_pika.Message(b"", type="taken")]
)
def test_a_settlement_names_a_delivery_and_one_of_three_words(message: aio_pika.Message) -> None:
    assert read_settlement(message) is None


def test_only_so_many_late_words_are_kept_and_each_is_told_once() -> None:
    heard = Settlements()
    for number in range(3000):
        heard.hear(said(f"delivery {number}"))
    assert heard.said("delivery 0") is None
    assert heard.said("delivery 2999") is not None
    assert heard.said("delivery 2999") is None
    assert sum(heard.said(f"delivery {number}") is not None for number in range(3000)) == 999


@pytest.mark.parametrize("verdict", ["refused", "later"])
def test_a_late_no_is_not_kept_as_a_replay_would_never_ask_again(verdict: str) -> None:
    heard = Settlements()
    heard.hear(said("delivery", verdict))
    assert heard.said("delivery") is None


@pytest.mark.parametrize("wish", ["soon", -1, True, None, b"1"])
def test_a_wish_that_is_no_number_of_seconds_is_none(wish: Any) -> None:
    found = read_settlement(said("d", "later", b"", **{RETRY_AFTER: wish}))
    assert found is not None
    assert found[1].retry_after is None


def test_nobody_is_put_off_for_longer_than_a_day() -> None:
    found = read_settlement(said("d", "later", b"", **{RETRY_AFTER: 10**9}))
    assert found is not None
    assert found[1].retry_after == 86_400
