"""Far sides that tests describe in a line or two, and answers that say whatever a test wants them to."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from gateway.calls.counter import Counter, Faults
from gateway.ports import Parcel
from tests.adapters.fitting import Hands, a_parcel, an_event

Told = Callable[[web.Request, bytes], web.StreamResponse]


class Anybody:
    """A server that answers as it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.told: Told = lambda _request, _body: web.json_response({"ok": 1})
        self.counter = Counter([web.route("*", "/{rest:.*}", self._answer)], Faults(), posts=frozenset())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append((request.method, request.path_qs, dict(request.headers), body))
        return self.told(request, body)

    def says(self, body: bytes, status: int = 200) -> None:
        """The same to everybody."""
        self.told = lambda _request, _body: web.Response(body=body, status=status, content_type="application/json")


@contextlib.asynccontextmanager
async def anybody() -> AsyncIterator[Anybody]:
    """A server at a free port."""
    made = Anybody()
    await made.counter.start()
    try:
        yield made
    finally:
        await made.counter.stop()


def described(folder: Path, raw: Mapping[str, Any], name: str = "far/x.json") -> str:
    """A description as a file; its name."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(raw), encoding="utf-8")
    return name


def a_procedure(hands: Hands, code: str = "1.000001", **override: Any) -> Parcel:
    """A procedure on its way."""
    event = an_event(
        type="procedure.catalogue", dataschema="urn:lgsp:contract:procedure.catalogue:1.0", subject=code,
        data={"code": code, "name": "Cấp sổ", "isActive": True},
    )  # fmt: skip
    return a_parcel(hands.context("rest", {}), event=event, **override)


async def quickly(work: Any, seconds: float = 20) -> Any:
    """What comes of it, within a time."""
    async with asyncio.timeout(seconds):
        return await work
