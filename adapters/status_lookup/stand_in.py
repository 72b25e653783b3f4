"""A kiosk in small: it asks how a dossier stands, as JSON or as a browser does, and shows what it was told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from gateway.core.content import InMemory
from gateway.ports import Call, Parcel, Reply

#: It only asks: a call brings the bus nothing to take.
BRINGS: Final = False
CODE: Final = "H33.05-261120-0012"
_BROWSER: Final = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the kiosk was answered."""

    status: int
    fields: Mapping[str, str]
    text: str

    @property
    def told(self) -> dict[str, Any]:
        """The JSON of it."""
        read: dict[str, Any] = json.loads(self.text)
        return read


@dataclass(slots=True)
class Kiosk:
    """A caller over HTTP: ``door`` is the address of the system's door, with its slash."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    door: str = ""

    async def ask(self, code: str, secret: str = "", *, as_browser: bool = False) -> Shown:
        """Ask over HTTP: a program by query, a browser by sending its form."""
        said = {"code": code, **({"secret": secret} if secret else {})}
        async with aiohttp.ClientSession() as session:
            sent = (
                session.post(self.door, data=said, headers=_BROWSER)
                if as_browser
                else session.get(self.door, params=said)
            )
            async with sent as answer:
                fields = {name.lower(): value for name, value in answer.headers.items()}
                return Shown(answer.status, fields, await answer.text())

    async def arrivals(self) -> list[str]:
        """Nothing ever arrives by itself."""
        return []

    async def go_down(self) -> None:
        """A kiosk that is away makes no difference."""

    async def come_back(self) -> None:
        """As above."""

    def hopeless(self, parcel: Parcel) -> Parcel:
        """Nothing is handed over here, so nothing is refused here."""
        return parcel

    def visit(self, event: Mapping[str, Any]) -> Call:
        """Somebody who knows the secret asks."""
        return asked(str(event.get("subject", CODE))[:50], "345678")

    def rubbish_visit(self) -> Call:
        """Something that is no question."""
        fields = {"content-type": "application/x-www-form-urlencoded"}
        return Call("POST", "", {}, fields, InMemory(b"\xff\xfe"), "127.0.0.1")

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """Somebody asks who does not know the secret."""
        return asked(str(event.get("subject", CODE))[:50], "000000")

    def said_yes(self, reply: Reply) -> bool:
        """Whether the answer tells of a dossier."""
        return reply.status == 200 and reply.media_type.startswith("application/json")


def asked(code: str, secret: str = "", *, address: str = "127.0.0.1", **fields: str) -> Call:
    """A program's question."""
    return Call("GET", "", {"code": code, "secret": secret}, dict(fields), InMemory(b""), address)


def sent(code: str, secret: str = "", *, address: str = "127.0.0.1") -> Call:
    """The form as a browser sends it."""
    fields = {**_BROWSER, "content-type": "application/x-www-form-urlencoded"}
    return Call("POST", "", {}, fields, InMemory(urlencode({"code": code, "secret": secret}).encode()), address)


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Kiosk]:  # noqa: ARG001 - the suite's shape
    """A kiosk whose system's settings fit the adapter beside this file."""
    yield Kiosk({"answer_milliseconds": 10})
