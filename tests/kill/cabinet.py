"""A document system without an API: drops documents into its folder and finds there what became of them."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
from dataclasses import dataclass, field
from typing import Final

from adapters.edxml_folder.stand_in import DocumentSystem, a_document
from gateway.core.documents.item import message_id
from tests.kill.province import FOLDER, PULLED, PUSHED, Province
from tests.kill.seen import Collected, Denied, History, Submitted, Told

_LOOK: Final = 0.1
_AT_FIRST: Final = 2
_MOST: Final = 6
_EACH: Final = 4


@dataclass(slots=True)
class Cabinet:
    """Two documents lie ready when the bus starts; a few more are dropped until it was enough."""

    province: Province
    history: History
    chance: random.Random
    enough: asyncio.Event
    #: SHA-256 of each file dropped -> (its name, the id of its message, the systems it is for).
    dropped: dict[str, tuple[str, str, tuple[str, ...]]] = field(default_factory=dict)

    async def work(self) -> None:
        """Drop documents and look what became of them, over every crash."""
        documents = DocumentSystem(self.province.exchange)
        for _ in range(_AT_FIRST):
            self._drop(documents)
        settled: set[str] = set()
        for turn in itertools.count(1):
            await asyncio.sleep(_LOOK)
            if not self.enough.is_set() and turn % _EACH == 0 and len(self.dropped) < _MOST:
                self._drop(documents)
            self._look(documents, settled)

    def _drop(self, documents: DocumentSystem) -> None:
        number = str(len(self.dropped) + 1)
        to = sorted({PULLED, *self.chance.sample(PUSHED, self.chance.randint(0, len(PUSHED)))})
        codes = [name.partition("/")[0] for name in to]
        raw = a_document(number, sender=FOLDER.partition("/")[0], recipients=codes)
        digest = hashlib.sha256(raw).hexdigest()
        id_ = message_id(FOLDER, digest)
        self.dropped[digest] = (f"{number}.edxml", id_, tuple(to))
        self.history.add(Submitted(id_, f"document {number}", None))
        documents.send(raw, f"{number}.edxml")

    def _look(self, documents: DocumentSystem, settled: set[str]) -> None:
        sent, refused = set(documents.sent()), documents.refused()
        for name, id_, to in self.dropped.values():
            if name in sent - settled:
                self.history.add(Collected(id_, to))
            if name in refused.keys() - settled:
                self.history.add(Denied(id_, refused[name]))
        settled |= sent | refused.keys()
        for taken in documents.collected():
            event = json.loads(taken.raw)
            said = event["data"]
            members = {name: said[name] for name in ("recipient", "delivery", "digest")}
            self.history.add(Told(event["id"], said["receipt"], said["id"], **members))
