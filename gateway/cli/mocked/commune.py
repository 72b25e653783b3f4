"""A system that fetches for itself, at the end of a line as bad as wished, and sends documents with a scan."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.cli.mocked.cast import Cast
from gateway.cli.mocked.desk import AWAY, Desk, patiently
from gateway.cli.mocked.traffic import Teller
from gateway.client.bus import Refused

_PAUSE: Final = 0.5


@dataclass(slots=True)
class Commune:
    """Its software. ``to``: to whom it sends, nobody where it only fetches; ``size``: of the scan it sends (bytes)."""

    desk: Desk
    cast: Cast
    tell: Teller
    every: float
    seed: str
    to: str = ""
    size: int = 60_000

    @property
    def system(self) -> str:
        """Its name."""
        return self.desk.system

    async def work(self) -> None:
        """Fetch and send, for ever."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._fetch())
            if self.to:
                both.create_task(self._send())

    async def _fetch(self) -> None:
        while True:
            try:
                for each in await self.desk.fetch():
                    self.tell("fetched", self, what=each["delivery"], attempt=each["attempt"])
            except (*AWAY, Refused, ValueError):
                await asyncio.sleep(_PAUSE)  # the line is away, or the bus is not there yet

    async def _send(self) -> None:
        chance = random.Random(f"{self.seed} {self.system}")  # noqa: S311 - a story, no secret
        number = 0
        while True:
            await asyncio.sleep(self.every * chance.uniform(0.5, 1.5))
            number += 1
            try:
                sent = await self.send(number, chance.randbytes(self.size))
            except Refused as no:
                self.tell("trouble", self, what=str(no))
            else:
                self.tell("sent", self, what=sent, size=self.size)

    async def send(self, number: int, scan: bytes) -> str:
        """Bring a scan and the document that names it, until both are there; the message's id. Raises Refused."""
        code = self.system.partition("/")[0]
        subject = f"Báo cáo số {number} của {self.system}"
        note = self.cast.tally.bring(
            "document", subject, taken=lambda: False, seen=lambda: self.cast.with_subject(subject)
        )
        await patiently(self.desk.token)
        named = await self.desk.upload("bao-cao.pdf", scan)
        fetchers = [each for each in self.cast.desks if each.system.startswith(f"{self.to}/")]
        self.cast.tally.bring(
            "file", f"{self.system} {number}",
            seen=(lambda: sum(named["sha256"] in each.files for each in fetchers)) if fetchers else None,
        )  # fmt: skip
        symbol = f"{number}/BC-{self.seed.replace(' ', '.')}"
        document = f"{code},{datetime.now(UTC):%Y/%m/%d},{symbol}"
        data = {
            "documentId": document, "symbol": symbol, "issuingOrganId": code, "recipients": [self.to],
            "subject": subject, "confidentiality": "none", "files": [named],
        }  # fmt: skip
        sent = await self.desk.say("document.issued", data, to=self.to, subject=document)
        note.taken = lambda: True
        return sent
