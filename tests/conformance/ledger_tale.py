"""How the ledger suites speak: accept, lease, record, in one line each."""

from __future__ import annotations

import pytest

from gateway.core.delivery import Delivered, Delivery, Signal
from gateway.ports import Acceptance, Accepted, Attempt, Change, Claim, Ledger, NewMessage
from tests.build import MORNING, RECIPIENT

#: When things happen unless a test says otherwise: a minute after acceptance.
NOW = MORNING + 60
LEASE = 30.0


class LedgerTale:
    """What every suite of ledger promises needs; a backend's test class says how to make its ledger."""

    @pytest.fixture
    def ledger(self) -> Ledger:
        raise LookupError("the test class of a backend makes the ledger")


async def keep(ledger: Ledger, *messages: NewMessage) -> list[Acceptance]:
    """Accept messages, all of which must be kept."""
    answers = await ledger.accept_many(messages)
    assert all(isinstance(answer, Accepted) and not answer.repeated for answer in answers)
    return answers


async def lease(
    ledger: Ledger, recipient: str = RECIPIENT, limit: int = 10, *, now: float = NOW, owner: str = "one"
) -> list[Claim]:
    """Claim for one recipient, for LEASE seconds."""
    return await ledger.claim({recipient: limit}, owner=owner, now=now, until=now + LEASE)


async def names(ledger: Ledger, recipient: str = RECIPIENT, *, now: float = NOW) -> list[bytes]:
    """The envelopes that are claimable for a recipient, in the order in which they are handed out."""
    return [claim.envelope for claim in await lease(ledger, recipient, now=now)]


async def step(
    ledger: Ledger, before: Delivery, signal: Signal, *, now: float = NOW, attempt: Attempt | None = None
) -> bool:
    """Record one step; says whether it was written."""
    (written,) = await ledger.record_many([Change(before, before.after(signal), attempt)], now=now)
    return written


async def at(ledger: Ledger, message: NewMessage, place: int = 0) -> Delivery:
    """A delivery of a message as the ledger has it now."""
    delivery = await ledger.delivery(message.deliveries[place].id)
    assert delivery is not None
    return delivery


async def states(ledger: Ledger, *messages: NewMessage) -> list[str]:
    """The state of the first delivery of each message."""
    return [(await at(ledger, message)).state.value for message in messages]


async def deliver(ledger: Ledger, message: NewMessage, *, now: float = NOW) -> None:
    """Bring the first delivery of a message, which nobody has leased, to its recipient."""
    assert await step(ledger, await at(ledger, message), Delivered(), now=now)
