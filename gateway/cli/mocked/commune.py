"""A commune at the end of a bad line: it fetches what waits for it and sends documents with a scan, if often cut."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

from gateway.cli.mocked.traffic import Teller
from gateway.client.bus import Bus, Refused
from gateway.client.message import make_event, new_id
from gateway.client.upload import Upload
from gateway.core.content import InMemory
from gateway.core.envelope import seal
from gateway.core.faults import Misconfigured
from gateway.core.jws import Signer

#: A line that fell silent is given up after this (seconds); a piece at 64 kbit/s takes a quarter of it.
_WITHIN: Final = 8.0
_PIECE: Final = 16 * 1024
_TRIES: Final = 50
_PAUSE: Final = 0.5


@dataclass(slots=True)
class Commune:
    """The commune's software. ``url``: the near end of its line; ``size``: of the scan it sends (bytes)."""

    system: str
    signer: Signer
    url: str
    public_url: str
    tell: Teller
    every: float
    seed: int
    #: To whom it sends; nobody, where it only fetches.
    to: str = ""
    size: int = 60_000

    async def work(self) -> None:
        """Fetch and send, for ever."""
        reach = Bus.reach(self.url, public_url=self.public_url, within=_WITHIN)
        async with reach as bus, asyncio.TaskGroup() as both:
            both.create_task(self._fetch(bus))
            if self.to:
                both.create_task(self._send(bus))

    async def _fetch(self, bus: Bus) -> None:
        while True:
            try:
                token = await bus.token(self.signer, self.system)
                leased = await bus.lease(token, most=10, wait=2, visibility=60)
                for each in leased:
                    self.tell("fetched", self, what=each["delivery"], attempt=each["attempt"])
                if leased:
                    await bus.settle(token, taken=[each["delivery"] for each in leased])
            except (Misconfigured, Refused, aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(_PAUSE)  # the line is away, or the bus is not there yet

    async def _send(self, bus: Bus) -> None:
        chance = random.Random(f"{self.seed} {self.system}")  # noqa: S311 - a story, no secret
        number = 0
        while True:
            await asyncio.sleep(self.every * chance.uniform(0.5, 1.5))
            number += 1
            scan = InMemory(chance.randbytes(self.size))
            envelope = seal(self._event(number, scan), self.signer)
            breaks = 0
            while not (sent := await self._sent(bus, scan, envelope)).is_there:
                breaks += sent.breaks + 1
                await asyncio.sleep(_PAUSE)
            self.tell("sent", self, what=sent.id, breaks=breaks + sent.breaks, size=self.size)

    async def _sent(self, bus: Bus, scan: InMemory, envelope: bytes) -> _Sent:
        """The scan and the document that names it; the same again is the same."""
        upload: Upload | None = None
        try:
            upload = Upload(bus, await bus.token(self.signer, self.system), scan, "application/pdf", _PIECE)
            if await upload.sent(tries=_TRIES, pause=_PAUSE):
                accepted = await bus.send(envelope)
                return _Sent(str(accepted["id"]), upload.breaks)
        except Refused as no:
            if 400 <= no.status < 500 and no.status not in {401, 408, 425, 429}:
                self.tell("trouble", self, what=str(no))
                return _Sent("", upload.breaks if upload else 0)
        except (Misconfigured, aiohttp.ClientError, TimeoutError, OSError):
            pass
        return _Sent(None, upload.breaks if upload else 0)

    def _event(self, number: int, scan: InMemory) -> dict[str, Any]:
        now = time.time()
        code = self.system.partition("/")[0]
        symbol = f"{number}/{secrets.token_hex(3).upper()}"
        document = f"{code},{datetime.now(UTC):%Y/%m/%d},{symbol}"
        data = {
            "documentId": document, "symbol": symbol, "issuingOrganId": code, "recipients": [self.to],
            "subject": "Báo cáo mẫu của xã", "confidentiality": "none",
            "files": [
                {"name": "bao-cao.pdf", "mediaType": "application/pdf", "size": scan.size, "sha256": scan.sha256}
            ],
        }  # fmt: skip
        return make_event(
            id=new_id(now, secrets.token_bytes(10)), source=self.system, contract="document.issued", version="1.0",
            subject=document, now=now, data=data, extensions={"to": self.to},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sent:
    """What came of sending: the message's id, empty where the bus will never take it, None where it is not there."""

    id: str | None
    breaks: int

    @property
    def is_there(self) -> bool:
        """Nothing is left to do."""
        return self.id is not None
