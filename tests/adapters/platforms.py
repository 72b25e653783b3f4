"""What the tests of document platforms share: an adapter before its platform in small, parcels with real letters."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.core.content import InMemory
from gateway.core.documents.item import Sender, collected
from gateway.core.documents.sample import sample_letter, sample_status
from gateway.core.edxml.parse import Limits
from gateway.core.handover import Collected, Parcel
from gateway.ports import AdapterContext
from tests.adapters.fitting import Hands, a_parcel

#: Whole seconds: what lists tell is to the second.
STEP = 1.0


@dataclass(slots=True)
class Facing:
    """An adapter, its platform, and what the test holds on to."""

    name: str
    platform: Any
    hands: Hands
    context: AdapterContext
    adapter: Any
    opened: list[Any] = field(default_factory=list)

    def anew(self, **settings: Any) -> Any:
        """The adapter of a process that started just now."""
        kind = importlib.import_module(f"adapters.{self.name}.adapter")
        made = kind.open_adapter(self.hands.context(self.name, {**self.platform.settings, **settings}))
        self.opened.append(made)
        return made

    def letter(
        self, number: str = "12", name: str | int = 1, *, raw: bytes | None = None, **override: Any
    ) -> tuple[Parcel, bytes]:
        """A parcel whose message came as an .edxml file from H33.05 for H33.16, and that file."""
        raw = sample_letter(number, sender="H33.05", receivers=("H33.16",)) if raw is None else raw
        self.hands.files[hashlib.sha256(raw).hexdigest()] = raw
        item = collected(
            InMemory(raw), name="a.edxml", token="a", sender=Sender("H33.05/dms", is_declared=True, limits=Limits()),
            now=self.hands.moment,
        )  # fmt: skip
        assert isinstance(item, Collected)
        for file in item.files:
            with file.content.open() as opened:
                self.hands.files[file.sha256] = opened.read()
        event: Mapping[str, Any] = {**item.event, "source": "H33.05/dms"}
        return a_parcel(self.context, name, event=event, **override), raw

    def status(self, code: str, name: str | int = 2, *, document_id: str = "H37.01,2026/11/23,12/UBND-VP") -> Parcel:
        """A parcel with a report of H33.16 on a document of H37.01."""
        raw = sample_status(document_id, code, sender="H33.16", receiver="H37.01", symbol="12/UBND-VP")
        return self.letter(name=name, raw=raw)[0]


@asynccontextmanager
async def facing(name: str, folder: Path) -> AsyncIterator[Facing]:
    """An adapter before its platform in small."""
    stand_in = importlib.import_module(f"adapters.{name}.stand_in")
    kind = importlib.import_module(f"adapters.{name}.adapter")
    async with stand_in.agency(folder) as platform:
        hands = Hands(folder)
        context = hands.context(name, platform.settings)
        made = Facing(name, platform, hands, context, kind.open_adapter(context))
        yield made
        for adapter in (made.adapter, *made.opened):
            await adapter.close()
