"""Recipients that behave: one answers POSTs, the other leases and settles; now and then each puts something off."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import aiohttp
from aiohttp import web

from gateway.client.bus import Bus, Refused
from gateway.core import jws
from gateway.core.faults import Misconfigured
from gateway.core.jws import Signer
from tests.kill.province import SENDER, Province
from tests.kill.seen import Arrived, Heard, History, Said, Told
from tests.kill.traffic import UNKNOWN

_PAUSE: Final = 0.05
_VISIBILITY: Final = 1.0
_MOST_PUT_OFF: Final = 2


@contextlib.asynccontextmanager
async def listening(province: Province, history: History, seed: str) -> AsyncIterator[None]:
    """The recipients that are pushed to: each POST is noted, then answered 200, or sometimes 503 for a start."""

    async def taken_in(request: web.Request) -> web.Response:
        recipient = request.path.removeprefix("/")
        delivery, attempt = request.headers["webhook-id"], int(request.headers["lgsp-attempt"])
        body = await request.read()
        history.add(Arrived(recipient, delivery, request.headers["lgsp-message"], attempt, _digest(body), time.time()))
        luck = random.Random(f"{seed} {delivery} {attempt}").random()
        if luck < 0.15 and attempt <= _MOST_PUT_OFF:
            history.add(Said(recipient, delivery, "later"))
            return web.Response(status=503)
        history.add(Said(recipient, delivery, "taken"))
        return web.Response(status=200)

    app = web.Application()
    app.router.add_post("/{code}/{system}", taken_in)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", province.sink_port, reuse_address=True).start()
    try:
        yield
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Inbox:
    """A recipient that pulls. Before ``tired`` is set it sometimes gives a delivery back or forgets it."""

    system: str
    bus: Bus
    signer: Signer
    province: Province
    history: History
    chance: random.Random
    tired: asyncio.Event
    _token: str = field(default="")

    async def work(self) -> None:
        """Lease and settle, over every crash."""
        while True:
            try:
                if not self._token:
                    self._token = await self.bus.token(self.signer, self.system)
                await self._round()
            except (Misconfigured, *UNKNOWN):
                await asyncio.sleep(_PAUSE)
            except Refused as refused:
                if refused.status == 503:
                    await asyncio.sleep(_PAUSE)
                elif refused.status == 401:
                    self._token = ""
                else:
                    raise

    async def can_read(self, sha256: str) -> bool:
        """Whether the bus hands this recipient the file with this digest, whole."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self.bus.session.get(f"{self.bus.url}/v1/files/{sha256}", headers=headers) as answer:
            return answer.status == 200 and hashlib.sha256(await answer.read()).hexdigest() == sha256

    async def _round(self) -> None:
        asked = time.time()
        leased = await self.bus.lease(self._token, most=self.chance.randint(1, 20), wait=0.5, visibility=_VISIBILITY)
        words: dict[str, Literal["taken", "later"]] = {}
        for each in leased:
            self._note(each, asked + _VISIBILITY)
            luck = 1.0 if self.tired.is_set() else self.chance.random()
            if luck >= 0.05:
                words[each["delivery"]] = "later" if luck < 0.15 else "taken"
        for delivery, word in words.items():
            self.history.add(Said(self.system, delivery, word))
        if words:
            await self._settle(words)

    async def _settle(self, words: dict[str, Literal["taken", "later"]]) -> None:
        taken = [delivery for delivery, word in words.items() if word == "taken"]
        later = [{"delivery": delivery, "seconds": 0.1} for delivery, word in words.items() if word == "later"]
        async with self.bus.session.post(
            f"{self.bus.url}/v1/inbox/settle",
            json={"taken": taken, "later": later},
            headers={"Authorization": f"Bearer {self._token}"},
        ) as answer:
            text = await answer.text()
            if answer.status != 200:
                raise aiohttp.ClientPayloadError(f"settle: {answer.status}")
        unknown = json.loads(text)["unknown"]
        self.history.add(*(Heard(self.system, delivery, delivery not in unknown) for delivery in taken))

    def _note(self, leased: dict[str, Any], until: float) -> None:
        body: str = leased["envelope"]
        event = json.loads(jws.split(body.encode()).payload)
        # a translation names the message that it was made of
        message = event.get("originid", event["id"])
        digest = _digest(body.encode())
        self.history.add(
            Arrived(self.system, leased["delivery"], message, leased["attempt"], digest, time.time(), until)
        )
        if self.system == SENDER and self.province.said_by_gateway(body, "ce+jws") is not None:
            said = event["data"]
            members = {name: said[name] for name in ("recipient", "delivery", "digest")}
            self.history.add(Told(event["id"], said["receipt"], said["id"], **members))


def _digest(body: bytes) -> str:
    return "sha-256:" + hashlib.sha256(body).hexdigest()
