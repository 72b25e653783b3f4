"""Who takes part in the story of one dossier, what they do, and how it is seen from outside."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.cli.demo.telling import PATIENCE, Telling
from gateway.client.bus import Bus
from gateway.client.message import make_event, new_id
from gateway.client.upload import Upload
from gateway.compose import Gateway
from gateway.core import jws
from gateway.core.content import InMemory
from gateway.core.dossiers.dossier import Dossier
from gateway.core.envelope import seal
from gateway.core.strictjson import parse_strict

#: The dossier, as the portal numbers it; its applicant is nobody.
CODE: Final = "000.00.01.H33-261123-0001"
PURPOSE: Final = "giai-quyet-tthc"
APPLICANT: Final = {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}
PROCEDURE: Final = {"code": "1.004199", "name": "Đăng ký biến động quyền sử dụng đất"}
_VIET_NAM: Final = timedelta(hours=7)


@dataclass(slots=True)
class Desk:
    """A system that signs for itself and fetches: what officers do that no national wire shape has a word for."""

    system: str
    signer: jws.Signer
    client: Any
    bus: Bus
    #: What it fetched, by contract.
    fetched: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)

    async def say(self, contract: str, data: Mapping[str, Any], *, to: str, subject: str = CODE) -> dict[str, Any]:
        """Send one message; the 202 body."""
        now = time.time()
        event = make_event(
            id=new_id(now, os.urandom(10)), source=self.system, contract=contract, version="1.0", subject=subject,
            now=now, data=dict(data), extensions={"to": to, "purpose": PURPOSE},
        )  # fmt: skip
        return await self.bus.send(seal(event, self.signer))

    async def fetch(self) -> None:
        """Take whatever waits."""
        for lease in await self.client.take_all():
            self.deliveries.append(lease.delivery)
            self.fetched.append(parse_strict(jws.split(lease.envelope.encode()).payload))

    async def got(self, contract: str) -> dict[str, Any]:
        """The data of the last message of a contract; waits for it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            await self.fetch()
            found = [each["data"] for each in self.fetched if each["type"] == contract]
            if found:
                data: dict[str, Any] = found[-1]
                return data
            await asyncio.sleep(0.1)
        raise TimeoutError(f"{self.system} never got {contract}")

    async def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """Bring a file to the bus; the file object that messages name it by."""
        token = await self.bus.token(self.signer, self.system)
        file = InMemory(content)
        await Upload(self.bus, token, file, "application/pdf").sent(tries=3)
        return {"name": name, "mediaType": "application/pdf", "size": file.size, "sha256": file.sha256}

    async def download(self, sha256: str) -> bytes:
        """A file that a message to this system names."""
        fields = {"Authorization": f"Bearer {await self.bus.token(self.signer, self.system)}"}
        async with self.bus.session.get(f"{self.bus.url}/v1/files/{sha256}", headers=fields) as answer:
            answer.raise_for_status()
            return await answer.read()


@dataclass(slots=True)
class OneStop(Telling):
    """The telling of one dossier."""

    gateway: Gateway = field(init=False)
    bus: Bus = field(init=False)
    portal: Any = field(init=False)
    calling: Any = field(init=False)
    office: Any = field(init=False)
    district: Any = field(init=False)
    signing: Any = field(init=False)
    bank: Any = field(init=False)
    post: Any = field(init=False)
    mail: Any = field(init=False)
    sms: Any = field(init=False)
    kiosk: Any = field(init=False)
    centre: Desk = field(init=False)
    land: Desk = field(init=False)
    #: What the portal showed at each station, in order.
    stations: list[str] = field(default_factory=list)
    legs: list[dict[str, Any]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    deliveries: int = 0

    def counts(self) -> dict[str, Any]:
        """The figures at the end."""
        return {
            "dossier": CODE, "stations": self.stations, "shown": self.portal.of(CODE).statuses, "legs": self.legs,
            "flags": self.flags, "deliveries": self.deliveries, "lost": self.lost, "failures": self.failures,
        }  # fmt: skip

    async def dossier(self) -> Dossier | None:
        """Where the dossier stands, as the bus knows it."""
        return await self.gateway.dossiers.view(CODE)

    async def came(self, ready: Callable[[], Awaitable[bool]], what: str) -> bool:
        """Wait until something has come about; a wait in vain is a failure of the story."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if await ready():
                return True
            await asyncio.sleep(0.1)
        self.failures.append(f"waited in vain for {what}")
        return False

    async def station(self, status: str, vi: str, en: str) -> None:
        """The portal shows a status; checked against the bus' own view."""

        async def stands() -> bool:
            known = await self.dossier()
            is_here = known is not None and str(known.status) == status
            return is_here and bool(self.portal.table.status(CODE) == status) and await self.is_quiet()

        came = await self.came(stands, f"status {status}")
        self.stations.append(str(self.portal.table.status(CODE)))
        self.check(came, f"cổng quốc gia hiện trạng thái {status}: {vi}", f"the portal shows status {status}: {en}")

    async def is_quiet(self) -> bool:
        """Whether nothing is on its way to who is called."""
        under_way = await self.gateway.ledger.deliveries(states=("queued", "leased", "blocked"), limit=500)
        fetching = ("/app", "/land", "H33.07/onestop")
        return not [each for each in under_way if not each.recipient.endswith(fetching)]


def moment(seconds: float = 0.0) -> str:
    """Now and so many seconds, in RFC 3339."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def stamp(seconds: float = 0.0) -> str:
    """The same as the portal writes it."""
    return (datetime.now(UTC) + _VIET_NAM + timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%S")
