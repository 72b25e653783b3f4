"""The agency in small, for the suite and for demonstrations: it reads its inbox folder and writes to its outbox."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.ports import Parcel


@dataclass(slots=True)
class JsonAgency:
    """What tests/conformance/test_adapters.py asks of a stand-in; the last four only where the adapter collects."""

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
        wanted = {name: event[name] for name in ("type", "to", "subject", "data")}
        wanted["version"] = str(event["dataschema"]).rpartition(":")[2]
        (self.folder / "outbox" / "a.json").write_text(json.dumps(wanted), encoding="utf-8")

    async def drop_rubbish(self) -> None:
        """Want to send something that is no message."""
        (self.folder / "outbox" / "rubbish.json").write_bytes(b"rubbish")

    async def waiting(self) -> list[str]:
        """What is not settled."""
        return [path.name for path in (self.folder / "outbox").glob("*.json")]

    async def refusals(self) -> list[str]:
        """The reasons it was told, in words."""
        return [path.read_text("utf-8") for path in (self.folder / "refused").glob("*.reason.txt")]


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[JsonAgency]:
    """An agency whose settings fit the adapter beside this file."""
    home = folder / "agency"
    for name in ("inbox", "outbox"):
        (home / name).mkdir(parents=True)
    yield JsonAgency(home, {"folder": str(home)})
