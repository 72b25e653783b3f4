"""The bus in small for software that calls it: takes what contracts allow, knows dossiers as the register does."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from aiohttp import web

from gateway.config.catalog import builtin_folder, read_catalog
from gateway.core.content import InMemory
from gateway.core.contract import Catalog
from gateway.core.dossiers.code import compared
from gateway.core.dossiers.composed import composed
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.event import Told
from gateway.core.dossiers.history import dossier_of
from gateway.core.dossiers.reading import event_of
from gateway.core.faults import Fault, Text
from gateway.core.moments import parse_moment
from gateway.ports import AdapterContext, Call, Collected, NotReceived, Received
from tests.adapters.fitting import Hands


@functools.cache
def catalog() -> Catalog:
    """The contracts that come with the product."""
    return read_catalog([builtin_folder()])


def violations(event: dict[str, Any]) -> list[str]:
    """Which rules of its contract the data of an event break."""
    name, label = event["dataschema"].removeprefix("urn:lgsp:contract:").rsplit(":", 1)
    version = catalog().find(name, label)
    assert version is not None
    return [f"{each.pointer} {each.rule}" for each in version.check(event["data"])]


@dataclass(slots=True)
class Bus:
    """Takes items as the bus does: the same origin is the same message. ``instead``: what to answer or raise next."""

    agency: str = "H33.16"
    taken: list[Collected] = field(default_factory=list)
    lines: dict[str, list[Told]] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    instead: list[Fault | NotReceived | None] = field(default_factory=list)
    repeats: int = 0

    async def take(self, item: Collected) -> Received | NotReceived:
        """Take one item."""
        answer = self.instead.pop(0) if self.instead else None
        if isinstance(answer, Fault):
            raise answer
        if answer is not None:
            return answer
        found = violations(dict(item.event))
        if found:
            return NotReceived("contract-violation", Text(" ".join(found), " ".join(found)))
        if item.origin in {each.origin for each in self.taken}:
            self.repeats += 1
            return Received(str(item.event["id"]), repeated=True)
        self.taken.append(item)
        self.tell(dict(item.event), self.agency)
        return Received(str(item.event["id"]))

    def tell(self, event: dict[str, Any], agency: str, *recipients: str) -> None:
        """Another agency's message, or a taken one, is in the register."""
        moment = parse_moment(event["time"])
        sent = SimpleNamespace(
            type=event["type"], version=event["dataschema"].rpartition(":")[2], time=moment, data=event["data"]
        )
        line = event_of(sent, agency, recipients, lambda code: code, is_portal=agency == "H33")
        if line is not None:
            lines = self.lines.setdefault(line.code, [])
            lines.append(Told(sum(map(len, self.lines.values())) + 1, event["id"], f"{agency}/x", line.sent_at, line))
            self.data[event["id"]] = event["data"]

    async def known(self, code: str) -> Dossier | None:
        """As ``AdapterContext.dossier`` says."""
        lines = self.lines.get(compared(code))
        if not lines:
            return None
        dossier = dossier_of(compared(code), lines)
        return replace(dossier, record=composed(dossier, self.data))

    def events(self) -> list[tuple[str, Any]]:
        """Kind and status of what was taken, in order."""
        return [(str(each.event["type"]), each.event["data"]["status"]["code"]) for each in self.taken]


def context_of(hands: Hands, adapter: str, settings: Any, bus: Bus) -> AdapterContext:
    """A context whose register is this bus'."""
    return replace(
        hands.context(adapter, settings),
        dossier=bus.known,
        link=lambda sha256, name: f"https://bus.example.vn/files/{sha256[:8]}/{name}",
    )


@asynccontextmanager
async def door(adapter: Any, bus: Bus) -> AsyncIterator[str]:
    """The adapter's door on this machine: whatever is asked there, it answers."""

    async def visit(request: web.Request) -> web.Response:
        fields = {name.lower(): value for name, value in request.headers.items()}
        query = {name: request.query[name] for name in request.query}
        body = InMemory(await request.read())
        path = request.path.removeprefix("/in/").lstrip("/")
        call = Call(request.method, path, query, fields, body, request.remote or "")
        try:
            reply = await adapter.answer(call, bus.take)
        except Fault as fault:
            return web.json_response({"problem": fault.problem}, status=503)
        return web.Response(body=reply.body, status=reply.status, content_type=reply.media_type, headers=reply.fields)

    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/in/{path:.*}", visit)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/in"
    finally:
        await runner.cleanup()


def an_event_of(kind: str, version: str, data: dict[str, Any], *, time: str = "2026-11-23T02:00:00Z") -> dict[str, Any]:
    """An event of the bus about a dossier."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {data} {time}")),
        "source": "H33/portal",
        "type": kind,
        "dataschema": f"urn:lgsp:contract:{kind}:{version}",
        "subject": data.get("dossierCode", "x"),
        "time": time,
        "datacontenttype": "application/json",
        "purpose": "giai-quyet-tthc",
        "data": data,
    }
