"""What the law wants noticed of a document that was accepted: words that may betray a secret, that it came late.

An alarm, no more: the document is accepted before, and goes its way. What is told is the rule and the place, never the
text. A crash between the two leaves a document without its alarm; its acceptance is what must not be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, NamedTuple

import structlog

from gateway.core.documents.entry import DocumentEntry
from gateway.core.envelope import Event
from gateway.core.law.rules import Late, Law
from gateway.core.law.watchwords import LOOKED_AT, Found
from gateway.core.moments import VIET_NAM, format_moment
from gateway.ports import AuditRow, Ledger, NewMessage
from gateway.telemetry import LATE, WORDS

#: Majors of the contract whose data is known here.
_KNOWN: Final = ("1.", "2.")
#: Answers that are remembered: documents of a few days come again and again.
_REMEMBERED: Final = 1000
#: Viet Nam's clocks are ahead of UTC by this (seconds).
_AHEAD: Final = VIET_NAM.utcoffset(None).total_seconds()

log = structlog.get_logger()


class Noticed(NamedTuple):
    """Something about a document that is worth telling once it is accepted."""

    event: Event
    source: str
    at: float
    is_suspect: bool
    late: Late | None


@dataclass(frozen=True, slots=True)
class Watched(NewMessage):
    """A message of which something was noticed: kept like any other, told once it is."""

    noticed: Noticed | None = None

    @classmethod
    def of(cls, message: NewMessage, noticed: Noticed) -> Watched:
        """The message with what was noticed of it."""
        return cls(**{each.name: getattr(message, each.name) for each in fields(message)}, noticed=noticed)


@dataclass(frozen=True, slots=True)
class Vigil:
    """Looks at documents while they are judged, and tells what it noticed of those that were kept."""

    ledger: Ledger
    law: Callable[[], Law] = Law
    _late: dict[tuple[int, str, int, int], tuple[Law, Late | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Each word's count begins at nothing: of a series that begins at one, Prometheus sees no increase."""
        for each in self.law().watch.watchwords:
            WORDS.labels(each.id)

    def notice(self, event: Event, source: str, entry: DocumentEntry | None, now: float) -> Noticed | None:
        """A quick look at a message of system ``source``; None where there is nothing to tell, as nearly always."""
        if event.type != LOOKED_AT or event.version[:2] not in _KNOWN:
            return None
        is_suspect = self.law().watch.is_suspect(event.data)
        late = None if entry is None or entry.issued_on is None else self._lateness(event, source, entry, now)
        return Noticed(event, source, now, is_suspect, late) if is_suspect or late is not None else None

    def _lateness(self, event: Event, source: str, entry: DocumentEntry, now: float) -> Late | None:
        if source.partition("/")[0] != entry.issuer or entry.issued_on is None:
            return None
        law = self.law()
        asked = (id(law), entry.issued_on, event.priority, int((now + _AHEAD) // 86400))
        known = self._late.get(asked)
        if known is None:
            if len(self._late) >= _REMEMBERED:
                self._late.clear()
            # The law is kept beside its answer, so that no other one can have its identity meanwhile.
            known = self._late[asked] = law, law.dispatch(entry.issued_on, priority=event.priority, at=now)
        late = known[1]
        return late if late is not None and late.due < now else None

    async def tell(self, noticed: Sequence[Noticed]) -> None:
        """Raise the alarms of documents that are accepted by now; whatever fails here is told and hinders nobody."""
        try:
            rows = [row for each in noticed for row in await self._rows(each)]
            if rows:
                await self.ledger.audit(rows)
        except Exception:
            log.exception("step.failed", step="vigil")

    async def _rows(self, noticed: Noticed) -> list[AuditRow]:
        event, source, at = noticed.event, noticed.source, noticed.at
        rows: list[AuditRow] = []
        for rule, pointer in await self._found(noticed):
            WORDS.labels(rule).inc()
            log.warning("document.words", message_id=event.id, agency=source, rule=rule, pointer=pointer)
            rows.append(AuditRow(at, source, "document.words", {"id": event.id, "rule": rule, "pointer": pointer}))
        if noticed.late is not None:
            rule, due = noticed.late.rule.id, format_moment(noticed.late.due)
            LATE.labels(rule).inc()
            log.info("document.late", message_id=event.id, agency=source, rule=rule, due=due)
            rows.append(AuditRow(at, source, "document.late", {"id": event.id, "rule": rule, "due": due}))
        return rows

    async def _found(self, noticed: Noticed) -> tuple[Found, ...]:
        if not noticed.is_suspect:
            return ()
        # Beside the loop: the time goes with the length of the texts.
        return await asyncio.to_thread(self.law().watch.look, noticed.event.data, noticed.at)
