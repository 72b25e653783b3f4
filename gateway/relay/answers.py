"""Answers that may be given again for a moment, where an agreement allows it: in memory alone, few, never elsewhere.

What is kept is what was given out, already cut to the agreement; it is found again only for the same system, purpose,
members, agreements and question. Nothing of it outlives its seconds, its room, or the process.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from gateway.core.query import Question

_MOST: Final = 1000
_LARGEST: Final = 64 * 1024
#: Members of a query's data that say who asks and why, not what.
_ASKER: Final = frozenset({"officer", "dossierCode", "fields"})


class Held(NamedTuple):
    """An answer cut to its agreement: the data, its contract's version, ``sha-256:HEX`` of what the provider gave."""

    data: Mapping[str, Any]
    version: str
    digest: str


@dataclass(slots=True)
class Answers:
    """At most a thousand of them, each of at most 64 KiB."""

    most: int = _MOST
    _held: OrderedDict[str, tuple[float, Held]] = field(default_factory=OrderedDict, repr=False)

    def find(self, question: Question, now: float) -> Held | None:
        """What was answered to the same question a moment ago; None where nothing may be given again."""
        if question.cache <= 0:
            return None
        self._forget_old(now)
        found = self._held.get(_key(question))
        return None if found is None else found[1]

    def keep(self, question: Question, held: Held, now: float) -> None:
        """Keep an answer for as long as the agreements of its question allow; most allow nothing."""
        if question.cache <= 0 or len(json.dumps(held.data, ensure_ascii=False).encode()) > _LARGEST:
            return
        self._forget_old(now)
        key = _key(question)
        self._held[key] = now + question.cache, held
        self._held.move_to_end(key)
        while len(self._held) > self.most:
            self._held.popitem(last=False)

    def _forget_old(self, now: float) -> None:
        for key in [key for key, (until, _) in self._held.items() if until <= now]:
            del self._held[key]


def _key(question: Question) -> str:
    """A digest of all that makes a question the same one: memory holds nothing of what was asked."""
    event = question.event
    data = event.data if isinstance(event.data, Mapping) else {}
    fields = None if question.fields is None else sorted(map(list, question.fields))
    parts = [
        question.source.name, event.purpose, event.type, event.version, question.provider.system.name,
        list(question.agreements), fields, event.subject,
        {name: value for name, value in data.items() if name not in _ASKER},
    ]  # fmt: skip
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
