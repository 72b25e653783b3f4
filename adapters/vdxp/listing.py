"""What the axis lists as waiting for us, in order, and what became of each item: offered, resting, settled. Pure.

The axis keeps one state for a document, while it may list it once for each of our agencies: it is told only when all
of those are settled. An item stays listed until then, and is offered again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.vdxp.evidence import moment_of
from adapters.vdxp.signing import is_plain
from gateway.core.faults import Text

#: A refusal (a short name and a sentence), or None where the item was taken.
Verdict = tuple[str, Text] | None

_KINDS: Final = ("edoc", "status")
_SERVICE: Final = "eDoc"
#: States of an item that nobody waits for any more.
_ENDED: Final = frozenset({"done", "fail"})
#: Settled items that are remembered, in case the axis lists them again.
_REMEMBERED: Final = 50_000
#: The longest rest of an item that could not be fetched (seconds).
_LONGEST_REST: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """One item: a document or status for one of our agencies, or for our centre."""

    kind: str
    doc_id: str
    receiver: str
    sender: str = ""
    listed: float = 0.0

    @property
    def token(self) -> str:
        """The bus' name for it."""
        return f"{self.kind}#{self.doc_id}#{self.receiver}"


def waiting_of(row: Mapping[str, Any], kind: str) -> Waiting | None:
    """The item in a row of the list of one kind; None where it is nothing that waits for us.

    That is: its names cannot be names, so that it can never be asked for; it is of another service; it is settled. An
    axis that lists both kinds whatever is asked for names the same item twice, and still it is one.
    """
    doc_id, receiver = str(row.get("docId") or ""), str(row.get("to") or "")
    if not is_plain(doc_id) or "#" in doc_id or (receiver and (not is_plain(receiver) or "#" in receiver)):
        return None
    if str(row.get("serviceType") or _SERVICE).lower() != _SERVICE.lower():
        return None
    if str(row.get("status") or "").lower() in _ENDED:
        return None
    told = str(row.get("messageType") or "").lower()
    since = moment_of(row.get("created_time")) or 0.0
    return Waiting(told if told in _KINDS else kind, doc_id, receiver, str(row.get("from") or ""), since)


def parsed(token: str) -> tuple[str, str, str] | None:
    """Kind, id and receiver behind a token; None for what is none of ours."""
    parts = token.split("#")
    if len(parts) != 3 or parts[0] not in _KINDS or not is_plain(parts[1]):
        return None
    return parts[0], parts[1], parts[2]


@dataclass(slots=True)
class Listing:
    """The items of the last look, and what is remembered of earlier ones."""

    #: Seconds until an item that was offered and not settled is offered again.
    again_after: float
    _items: dict[str, Waiting] = field(default_factory=dict)
    #: The same by document: told once all of one are settled.
    _of_document: dict[str, list[Waiting]] = field(default_factory=dict)
    _rests: dict[str, tuple[int, float]] = field(default_factory=dict)
    _verdicts: OrderedDict[str, Verdict] = field(default_factory=OrderedDict)

    def replace(self, items: Iterable[Waiting]) -> None:
        """What the axis lists now; documents before statuses, older before younger, each once."""
        order = sorted(items, key=lambda item: (_KINDS.index(item.kind), item.listed))
        self._items = {item.token: item for item in order}
        self._of_document = {}
        for item in self._items.values():
            self._of_document.setdefault(item.doc_id, []).append(item)
        self._rests = {token: rest for token, rest in self._rests.items() if token in self._items}

    def of(self, kind: str) -> list[Waiting]:
        """What was listed of one kind."""
        return [item for item in self._items.values() if item.kind == kind]

    def ready(self, now: float) -> list[Waiting]:
        """What may be offered now, in order."""
        return [
            item
            for token, item in self._items.items()
            if token not in self._verdicts and self._rests.get(token, (0, 0.0))[1] <= now
        ]

    def offered(self, item: Waiting, now: float) -> None:
        """It was handed to the bus, which settles it soon."""
        self._rests[item.token] = 0, now + self.again_after

    def failed(self, item: Waiting, now: float) -> int:
        """It could not be fetched: it rests, longer each time. Answers how often in a row."""
        failures = self._rests.get(item.token, (0, 0.0))[0] + 1
        rest = min(_LONGEST_REST, max(self.again_after, 1.0) * 2.0 ** min(failures, 10))
        self._rests[item.token] = failures, now + rest
        return failures

    def failures(self, item: Waiting) -> int:
        """How often in a row it could not be fetched."""
        return self._rests.get(item.token, (0, 0.0))[0]

    def knows(self, doc_id: str) -> bool:
        """Whether the document is listed."""
        return doc_id in self._of_document

    def settle(self, token: str, verdict: Verdict) -> bool:
        """Keep what became of an item; whether all items of its document are settled by that."""
        self._verdicts[token] = verdict
        self._verdicts.move_to_end(token)
        if len(self._verdicts) > _REMEMBERED:
            self._verdicts.popitem(last=False)
        found = parsed(token)
        return found is not None and self._is_settled(found[1])

    def unsettle(self, token: str) -> None:
        """The axis could not be told: the item will be offered again."""
        self._verdicts.pop(token, None)

    def relisted(self) -> list[str]:
        """Documents that are listed although all their items were settled: the axis has not heard, or forgot."""
        return [doc_id for doc_id in self._of_document if self._is_settled(doc_id)]

    def told(self, doc_id: str) -> None:
        """The axis knows what became of the document."""
        for item in self._of_document.pop(doc_id, ()):
            del self._items[item.token]

    def verdict(self, doc_id: str) -> tuple[str, list[tuple[str, str, Text]]]:
        """``done`` where one of our agencies took the document, else ``fail``; and each refusal with its receiver."""
        verdicts = {item.receiver: self._verdicts[item.token] for item in self._of_document.get(doc_id, ())}
        refusals = [(receiver, *each) for receiver, each in verdicts.items() if each is not None]
        return ("fail" if refusals and len(refusals) == len(verdicts) else "done"), refusals

    def _is_settled(self, doc_id: str) -> bool:
        return all(item.token in self._verdicts for item in self._of_document.get(doc_id, ()))
