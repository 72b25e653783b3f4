"""What happens in the province: software in small brings things, calls the bus and tells what reached it, by a seed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp

from gateway.cli.mocked.cast import Cast
from gateway.cli.mocked.standing import Standing
from gateway.core.content import whole
from gateway.core.visit import Call, Reply

#: Says what happened: the event's name, at whom, and what there is to say.
Teller = Callable[..., None]
_LOOK: Final = 0.3
_WITHIN: Final = 20.0
#: What is dropped there is a document on its way to another office.
DOCUMENTS: Final = frozenset({"edxml_folder", "vdxp"})


@dataclass(slots=True)
class Actor:
    """One system's software at work."""

    standing: Standing
    tell: Teller
    every: float
    seed: int
    #: What it does: waits to be asked, calls the bus at ``door`` (empty where there is no bus).
    collects: bool
    answers: bool
    door: str = ""
    #: Where it finds the bus' own doors, and what it is known by there.
    bus: str = ""
    secret: str = ""
    #: Where what it brings is counted; it brings nothing by itself where it plays a part in the lives of dossiers.
    cast: Cast = field(default_factory=Cast)
    has_part: bool = False
    _known: set[str] = field(default_factory=set)
    _number: int = 0
    _is_reached: bool = True

    async def work(self) -> None:
        """Bring and tell, for ever."""
        async with asyncio.TaskGroup() as both:
            if not self.has_part:
                both.create_task(self._bring())
            both.create_task(self._watch())

    def connect(self) -> None:
        """Tell the software where the bus is, and who it is there."""
        software, system = self.standing.software, self.standing.placed.system
        told = {"door": self.door, "bus": self.bus, "system": system, "agency": system.partition("/")[0]}
        told |= {"inbox_secret": self.secret}
        for name, value in told.items():
            if isinstance(getattr(software, name, None), str):
                setattr(software, name, value)

    async def _bring(self) -> None:
        chance = random.Random(f"{self.seed} {self.standing.placed.system}")  # noqa: S311 - a story, no secret
        software = self.standing.software
        timeout = aiohttp.ClientTimeout(total=_WITHIN)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
            while True:
                await asyncio.sleep(self.every * chance.uniform(0.5, 1.5))
                self._number += 1
                event = an_event(self._number, uuid.UUID(int=chance.getrandbits(128), version=4))
                with self._trouble_is_told():
                    if self.collects and hasattr(software, "drop"):
                        await software.drop(event)
                        self.tell("dropped", self.standing, id=event["id"])
                        self._note(event["data"]["subject"])
                if self.door and self.answers and hasattr(software, "visit"):
                    await self._call(session, software.visit(event))

    def _note(self, subject: str) -> None:
        """A document is on its way, where it has one to go to."""
        if self.cast.desks and self.standing.placed.adapter in DOCUMENTS:
            self.cast.tally.bring("document", subject, seen=lambda: self.cast.with_subject(subject))

    async def _call(self, session: aiohttp.ClientSession, call: Call) -> None:
        url = f"{self.door}{quote(call.path)}" + (f"?{urlencode(call.query)}" if call.query else "")
        try:
            body = whole(call.body)
            async with session.request(call.method, url, data=body, headers=call.fields) as answer:
                fields = {name.lower(): value for name, value in answer.headers.items()}
                kind = fields.get("content-type", "application/octet-stream")
                reply = Reply(await answer.read(), answer.status, kind, fields)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if self._is_reached:
                self.tell("unreachable", self.standing, why=type(error).__name__)
            self._is_reached = False
            return
        self._is_reached = True
        yes = bool(self.standing.software.said_yes(reply))
        self.tell("called", self.standing, status=reply.status, yes=yes)

    async def _watch(self) -> None:
        software = self.standing.software
        while True:
            await asyncio.sleep(_LOOK)
            with self._trouble_is_told():
                if self.secret and hasattr(software, "fetch"):
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                        await software.fetch()
                for delivery in await software.arrivals():
                    self._once("arrived", delivery)
                if self.collects and hasattr(software, "refusals"):
                    for note in await software.refusals():
                        self._once("refused", str(note))

    def _once(self, event: str, what: str) -> None:
        if f"{event} {what}" not in self._known:
            self._known.add(f"{event} {what}")
            self.tell(event, self.standing, what=what[:300])

    @contextlib.contextmanager
    def _trouble_is_told(self) -> Any:
        """One software's trouble is its own: the others go on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - stand-ins of a province's own may raise anything
            self._once("trouble", f"{type(error).__name__}: {error}")


def an_event(number: int, id: uuid.UUID) -> Mapping[str, Any]:
    """What software is asked to bring: a document on its way to H33.16, as the adapters' suite has it."""
    now = datetime.now(UTC)
    document = f"H33.05,{now:%Y/%m/%d},{number}/MAU-{id.hex[:6]}"
    data = {
        "documentId": document, "symbol": f"{number}/MAU-{id.hex[:6]}", "issuingOrganId": "H33.05",
        "recipients": ["H33.16"], "subject": f"Việc mẫu số {number}-{id.hex[:8]}", "confidentiality": "none",
    }  # fmt: skip
    return {
        "specversion": "1.0", "id": str(id), "source": "H33.05/dms", "type": "document.issued",
        "dataschema": "urn:lgsp:contract:document.issued:1.0", "subject": document,
        "time": now.isoformat(timespec="seconds").replace("+00:00", "Z"), "datacontenttype": "application/json",
        "to": "H33.16", "data": data,
    }  # fmt: skip
