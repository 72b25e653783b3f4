"""A system in small that signs for itself and fetches at the inbox: it sends, fetches, uploads and looks at files."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import aiohttp

from gateway.client.bus import Bus, Refused
from gateway.client.message import make_event, new_id
from gateway.client.upload import Upload
from gateway.core import jws
from gateway.core.content import InMemory
from gateway.core.envelope import seal
from gateway.core.faults import Misconfigured
from gateway.core.strictjson import parse_strict

_T = TypeVar("_T")
PURPOSE: Final = "giai-quyet-tthc"
#: What a line does that is away, or a bus that is not there yet.
AWAY: Final = (Misconfigured, aiohttp.ClientError, TimeoutError, OSError)
_PASSES: Final = frozenset({401, 408, 425, 429})
_PAUSE: Final = 0.3
#: A file is fetched on from where the line broke so often, while its delivery is on loan.
_TRIES: Final = 20
#: What goes up at a time (bytes): a piece at 64 kbit/s takes two seconds.
_PIECE: Final = 16 * 1024


@dataclass(slots=True)
class Desk:
    """The system. ``token_life``: seconds after which it asks for a new token."""

    system: str
    signer: jws.Signer
    bus: Bus
    token_life: float = 60.0
    #: What it fetched, each once: event id -> event; and under how many deliveries each came.
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: Counter[str] = field(default_factory=Counter)
    #: SHA-256 of the files that it fetched and found whole.
    files: set[str] = field(default_factory=set)
    _parts: dict[str, bytearray] = field(default_factory=dict)
    _deliveries: set[str] = field(default_factory=set)
    _token: str = ""
    _since: float = 0.0

    async def say(self, contract: str, data: Mapping[str, Any], *, to: str, subject: str) -> str:
        """Send one message, again until it is taken; its id. Raises Refused where it never will be."""
        now = time.time()
        event = make_event(
            id=new_id(now, os.urandom(10)), source=self.system, contract=contract, version="1.0", subject=subject,
            now=now, data=dict(data),
            extensions={"to": to, "purpose": None if contract.startswith("document.") else PURPOSE},
        )  # fmt: skip
        envelope = seal(event, self.signer)
        await patiently(lambda: self.bus.send(envelope))
        return str(event["id"])

    async def fetch(self) -> list[dict[str, Any]]:
        """Lease what waits, keep it, then settle it; the leases. Raises what the line does (AWAY), or Refused."""
        token = await self.token()
        leased = await self.bus.lease(token, most=10, wait=1, visibility=10)
        for each in leased:
            event = parse_strict(jws.split(each["envelope"].encode()).payload)
            await self._look_at_files(event["data"])
            if each["delivery"] not in self._deliveries:
                self._deliveries.add(each["delivery"])
                self.times[event["id"]] += 1
            self.events[event["id"]] = event
        if leased:
            await self.bus.settle(token, taken=[each["delivery"] for each in leased])
        return leased

    async def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Bring a file to the bus however often the line breaks; the file object that messages name it by."""
        file = InMemory(content)
        upload = Upload(self.bus, await patiently(self.token), file, "application/pdf", _PIECE)

        async def whole() -> None:
            upload.token = await self.token()
            if not await upload.sent(tries=3, pause=_PAUSE):
                raise TimeoutError

        await patiently(whole)
        return {"name": name, "mediaType": "application/pdf", "size": file.size, "sha256": file.sha256}

    async def download(self, sha256: str) -> bytes:
        """A file that a message to this system names. Raises what the line does (AWAY); the next call goes on there."""
        part = self._parts.setdefault(sha256, bytearray())
        fields = {"Authorization": f"Bearer {await self.token()}"} | ({"Range": f"bytes={len(part)}-"} if part else {})
        async with self.bus.session.get(f"{self.bus.url}/v1/files/{sha256}", headers=fields) as answer:
            if answer.status != 206:
                part.clear()
            answer.raise_for_status()
            async for piece in answer.content.iter_any():
                part += piece
        return bytes(self._parts.pop(sha256))

    async def token(self) -> str:
        """A token that still holds. Raises what the line does (AWAY), or Refused."""
        if not self._token or time.monotonic() - self._since > self.token_life:
            self._token, self._since = await self.bus.token(self.signer, self.system), time.monotonic()
        return self._token

    def found(self, contract: str, is_it: Callable[[Mapping[str, Any]], bool]) -> int:
        """How often a message of a contract came whose data is such."""
        mine = [each for each in self.events.values() if each["type"] == contract and is_it(each["data"])]
        return sum(self.times[each["id"]] for each in mine)

    async def _look_at_files(self, data: Any) -> None:
        for sha256 in set(files_in(data)) - self.files:
            for _ in range(_TRIES):
                with contextlib.suppress(*AWAY):
                    if hashlib.sha256(await self.download(sha256)).hexdigest() == sha256:
                        self.files.add(sha256)
                        break
                await asyncio.sleep(_PAUSE)


async def patiently(act: Callable[[], Awaitable[_T]]) -> _T:
    """Do it, again until it is done: a line that is away comes back. Raises Refused where it never will be done."""
    while True:
        try:
            return await act()
        except Refused as no:
            if 400 <= no.status < 500 and no.status not in _PASSES:
                raise
        except AWAY:
            pass
        await asyncio.sleep(_PAUSE)


def files_in(value: Any) -> list[str]:
    """SHA-256 of every file that a message names."""
    if isinstance(value, Mapping):
        own = [str(value["sha256"])] if "sha256" in value and "mediaType" in value else []
        return own + [each for inner in value.values() for each in files_in(inner)]
    return [each for inner in value for each in files_in(inner)] if isinstance(value, list) else []
