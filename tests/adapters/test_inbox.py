"""The inbox: the adapter that only says no, and a recipient's client against the real doors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from adapters.inbox.adapter import open_adapter
from adapters.inbox.stand_in import InboxClient
from gateway.core.faults import TransientFailure
from tests.adapters.fitting import Hands, a_parcel
from tests.api.hall import SECRET, Hall, open_hall, secret_hash, system_of

ME = "H33.20/dms"


@dataclass(slots=True)
class Counter:
    """The doors, and the recipient that knocks."""

    hall: Hall
    client: InboxClient

    async def send(self, count: int = 1) -> list[str]:
        """Messages on their way to the recipient, each in a lane of its own; answers their ids."""
        envelopes = [self.hall.town.envelope(to="H33.20", subject=f"subject {number}") for number in range(count)]
        return [(await self.hall.publish(envelope)).json["id"] for envelope in envelopes]

    async def state(self, message: str) -> str:
        """The state of the message's one delivery."""
        record = await self.hall.town.ledger.find(message)
        assert record is not None
        return record.deliveries[0].delivery.state.value


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    async with open_hall(tmp_path) as hall:
        hall.register(replace(system_of(hall, ME), secret_hash=secret_hash()))
        client = InboxClient(hall.url, ME, secret=SECRET)
        yield Counter(hall, client)
        await client.close()


async def test_a_recipient_with_a_secret_leases_and_takes(counter: Counter) -> None:
    (message,) = await counter.send()
    (leased,) = await counter.client.lease()
    assert leased.attempt == 1
    assert leased.envelope.count(".") == 2
    assert (await counter.client.settle(taken=[leased.delivery]))["settled"] == 1
    assert await counter.state(message) == "delivered"
    assert await counter.client.lease() == []


async def test_taking_all_takes_all(counter: Counter) -> None:
    messages = await counter.send(3)
    assert len(await counter.client.take_all()) == 3
    assert [await counter.state(message) for message in messages] == ["delivered"] * 3


async def test_what_is_refused_is_dead_and_what_is_put_off_comes_again(counter: Counter) -> None:
    messages = await counter.send(2)
    one, two = await counter.client.lease()
    await counter.client.settle(refused={one.delivery: "sai nơi nhận"}, later={two.delivery: 5})
    assert sorted([await counter.state(message) for message in messages]) == ["dead", "queued"]
    counter.hall.town.clock.moment += 6
    (again,) = await counter.client.lease()
    assert (again.delivery, again.attempt) == (two.delivery, 1)


async def test_a_token_that_ended_is_renewed(counter: Counter) -> None:
    counter.client._token = "ended"
    assert await counter.client.lease() == []
    assert counter.client._token != "ended"


async def test_a_wrong_secret_is_told_to_the_caller(counter: Counter) -> None:
    other = InboxClient(counter.hall.url, ME, secret="wrong")
    with pytest.raises(aiohttp.ClientResponseError) as error:
        await other.lease()
    assert error.value.status == 401
    await other.close()


async def test_what_waits_in_an_inbox_is_never_pushed(tmp_path: Path) -> None:
    context = Hands(tmp_path).context("inbox", {})
    with pytest.raises(TransientFailure, match=r"H33\.16/dms fetches its messages itself"):
        await open_adapter(context).deliver(a_parcel(context))
