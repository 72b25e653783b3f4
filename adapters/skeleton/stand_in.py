"""The agency in small, for the suite and for demonstrations: it reads its inbox, writes to its outbox, and calls."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from gateway.core.content import InMemory
from gateway.ports import Call, Parcel, Reply

SECRET: Final = "made up for this stand-in alone"  # noqa: S105


@dataclass(slots=True)
class JsonAgency:
    """What tests/conformance/test_adapters.py asks of a stand-in; ``drop`` and what follows where the adapter collects,
    ``visit`` and what follows where it answers.
    """

    folder: Path
    settings: Mapping[str, Any]

    async def arrivals(self) -> list[str]:
        """Delivery ids of what arrived, in order."""
        paths = sorted((self.folder / "inbox").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_bytes())["delivery"] for path in paths]

    async def go_down(self) -> None:
        """Be out of reach."""
        self.folder.rename(self.folder.with_suffix(".away"))

    async def come_back(self) -> None:
        """Be there again."""
        self.folder.with_suffix(".away").rename(self.folder)

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A parcel that this agency will never take."""
        return replace(parcel, event={**parcel.event, "type": "sensor.reading"})

    async def drop(self, event: Mapping[str, Any]) -> None:
        """Want to send something."""
        (self.folder / "outbox" / "a.json").write_bytes(_written(event))

    async def drop_rubbish(self) -> None:
        """Want to send something that is no message."""
        (self.folder / "outbox" / "rubbish.json").write_bytes(b"rubbish")

    async def waiting(self) -> list[str]:
        """What is not settled."""
        return [path.name for path in (self.folder / "outbox").glob("*.json")]

    async def refusals(self) -> list[str]:
        """The reasons it was told, in words."""
        return [path.read_text("utf-8") for path in (self.folder / "refused").glob("*.reason.txt")]

    def visit(self, event: Mapping[str, Any]) -> Call:
        """A call that brings one event."""
        return Call("POST", "events", {}, {"x-api-key": SECRET}, InMemory(_written(event)), "127.0.0.1")

    def rubbish_visit(self) -> Call:
        """A call that brings what is no event."""
        return replace(self.visit({"type": "", "dataschema": ""}), body=InMemory(b"rubbish"))

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """A call of somebody who does not know the secret."""
        return replace(self.visit(event), fields={"x-api-key": "guessed"})

    def said_yes(self, reply: Reply) -> bool:
        """Whether the agency's software takes the reply for success."""
        return reply.status == 200 and bool(json.loads(reply.body).get("taken"))


def _written(event: Mapping[str, Any]) -> bytes:
    """An event as this agency writes it."""
    wanted = {name: event[name] for name in ("type", "to", "subject", "data") if name in event}
    return json.dumps({**wanted, "version": str(event["dataschema"]).rpartition(":")[2]}).encode()


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[JsonAgency]:
    """An agency whose settings fit the adapter beside this file."""
    home = folder / "agency"
    for name in ("inbox", "outbox"):
        (home / name).mkdir(parents=True)
    (home / "caller").write_text(SECRET, encoding="ascii")
    yield JsonAgency(home, {"folder": str(home), "caller_header": "X-API-Key", "caller_secret_file": "agency/caller"})
