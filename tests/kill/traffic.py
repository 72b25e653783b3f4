"""Senders that behave: messages by a seed, one post at a time per lane, the very same bytes again until answered."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from gateway.client.message import make_event
from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.envelope import seal
from gateway.core.jws import Signer
from gateway.core.moments import format_moment
from tests.kill.province import ASLEEP, PULLED, PUSHED, SENDER
from tests.kill.seen import Answered, Denied, History, Submitted

#: Failures after which a sender cannot know whether the bus took the message.
UNKNOWN: Final = (aiohttp.ClientError, TimeoutError)
#: Senders side by side, each with its own lanes.
DESKS: Final = 3
_LANES: Final = 2
#: A desk makes so many posts in quick succession, and then goes on at an easy pace until it was enough.
_QUICK: Final = 10
#: After it was told to finish, a desk makes so many more: the lanes go on over the crash.
_LAST: Final = 2
_PAUSE: Final = 0.04
#: Messages that are posted once more together, at most.
_TOGETHER: Final = 100
_LIFE_OF_EXPIRING: Final = 0.8
_RECIPIENTS: Final = (*PUSHED, PULLED)


def example() -> dict[str, Any]:
    """The data of a document that names no file: the first good example that its contract gives."""
    version = read_catalog([builtin_folder()]).find("document.issued", "1.0")
    if version is None:
        raise LookupError("document.issued/1.0 is built in")
    found: dict[str, Any] = next(each.data for each in version.examples if "sha256" not in str(each.data))
    return found


_EXAMPLE: Final = example()


@dataclass(frozen=True, slots=True)
class Load:
    """How much traffic there is: senders side by side, how many messages each makes, and how fast."""

    desks: int = DESKS
    #: Of each desk: so many, whatever happens; beyond that only until it was enough, and never more than ``most``.
    least: int = 0
    most: int = 100
    #: The longest pause between two posts (seconds), once the first ones were made in quick succession.
    easy: float = 0.25
    #: For so long (seconds) all of it may take to come to its end, once nobody disturbs the bus any more. Less than a
    #: push lease by default, which a process that starts must take back at once.
    drained: float = 25.0
    #: Whether connections are used again; else each request may meet another gateway.
    is_kept_alive: bool = True


@dataclass(frozen=True, slots=True)
class Envelope:
    """A sealed message and what the history says of it."""

    submitted: Submitted
    body: bytes


@dataclass(slots=True)
class Desk:
    """One sender: makes messages for its own lanes by chance from a seed, posts them, never two posts at a time."""

    number: int
    url: str
    signer: Signer
    session: aiohttp.ClientSession
    history: History
    chance: random.Random
    #: Set when there was enough traffic.
    enough: asyncio.Event
    load: Load = field(default_factory=Load)
    sent: list[Envelope] = field(default_factory=list)
    #: What became of posts that earned no answer, or were turned away for the moment.
    unanswered: list[str] = field(default_factory=list)

    async def work(self) -> None:
        """Once the bus listens, post until it is enough, then a little more."""
        await self._listens()
        for number in itertools.count():
            made = len(self.sent)
            if made >= self.load.most or (made >= self.load.least and self.enough.is_set()):
                break
            await self._one_more()
            pause = _PAUSE if number < _QUICK else self.load.easy
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.enough.wait(), pause * self.chance.random())
        for _ in range(_LAST):
            await self._one_more()

    async def _listens(self) -> None:
        while True:
            try:
                async with self.session.get(f"{self.url}/health/live"):
                    return
            except UNKNOWN:
                await asyncio.sleep(_PAUSE)

    async def _one_more(self) -> None:
        size = 1 if self.chance.random() < 0.7 else self.chance.randint(2, 5)
        await self.post([self._message() for _ in range(size)])

    async def post(self, envelopes: Sequence[Envelope]) -> None:
        """Hand envelopes in, until there is an answer; now and then hand them in once more."""
        self.sent += envelopes
        self.history.add(*(each.submitted for each in envelopes))
        await self.until_answered(envelopes)
        if self.chance.random() < 0.1:
            await self.until_answered(envelopes)

    async def once_more(self) -> None:
        """Hand in everything again that was ever handed in."""
        for start in range(0, len(self.sent), _TOGETHER):
            await self.until_answered(self.sent[start : start + _TOGETHER])

    async def until_answered(self, envelopes: Sequence[Envelope]) -> None:
        """Post the very same bytes again after every unknown outcome, and note the answers."""
        while True:
            try:
                answers = await self._posted(envelopes)
            except UNKNOWN as unknown:
                self.unanswered.append(repr(unknown))
                await asyncio.sleep(_PAUSE)
                continue
            for each, answer in zip(envelopes, answers, strict=True):
                self._note(each.submitted.id, answer)
            return

    async def _posted(self, envelopes: Sequence[Envelope]) -> list[dict[str, Any]]:
        is_batch = len(envelopes) > 1
        async with self.session.post(
            f"{self.url}/v1/messages",
            data=b"\n".join(each.body for each in envelopes),
            headers={"Content-Type": "application/x-ndjson" if is_batch else "application/jose"},
        ) as answer:
            text = await answer.text()
            if answer.status == 503:
                raise aiohttp.ClientPayloadError("the bus is busy")
        return [json.loads(line) for line in text.splitlines()] if is_batch else [json.loads(text)]

    def _note(self, id_: str, answer: dict[str, Any]) -> None:
        if answer.get("state") == "accepted" and answer["id"] == id_:
            self.history.add(Answered(id_, tuple(answer["recipients"]), answer["receipt"]))
        else:
            self.history.add(Denied(id_, str(answer.get("type", answer)).rpartition(":")[2]))

    def _message(self) -> Envelope:
        now = time.time()
        lane = f"desk {self.number} dossier {self.chance.randrange(_LANES)}"
        expires = self.chance.random() < 0.15 and not self.enough.is_set()
        if expires:
            lane, to = f"{lane}, urgent", [ASLEEP]
        else:
            to = self.chance.sample(_RECIPIENTS, self.chance.randint(1, len(_RECIPIENTS)))
        event = make_event(
            id=str(uuid.UUID(int=self.chance.getrandbits(128), version=4)),
            source=SENDER,
            contract="document.issued",
            version="1.0",
            subject=lane,
            now=now,
            data={**_EXAMPLE, "subject": f"V/v báo cáo số {len(self.sent) + 1}"},
            extensions={
                "to": " ".join(to),
                "priority": self.chance.choice(("normal", "urgent")),
                "expirytime": format_moment(now + _LIFE_OF_EXPIRING) if expires else None,
            },
        )
        body = seal(event, self.signer)
        digest = "sha-256:" + hashlib.sha256(body).hexdigest()
        return Envelope(Submitted(event["id"], lane, digest, expires), body)
