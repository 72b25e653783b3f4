"""The reference of ``ports.dossiers``: the register of dossiers, in the memory of one process."""

# ruff: noqa: D102 - ports.dossiers says what each method promises

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.dossiers.dossier import Head
from gateway.core.dossiers.event import Told
from gateway.ports import AuditRow, Ledger, NewMessage


@dataclass(slots=True)
class DossierLines:
    """What a ledger in memory keeps of dossiers: lines by code, in order of places, and heads."""

    lines: dict[str, list[Told]] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    _last: int = 0

    def kept(self, new: NewMessage) -> NewMessage:
        """The new message, when its line is added, where it has one."""
        if (event := new.dossier) is not None:
            self._last += 1
            line = Told(self._last, new.key, new.source, new.accepted_at, event)
            self.lines.setdefault(event.code, []).append(line)
        return new

    def younger(self, code: str) -> list[Told]:
        """Lines that its head does not know."""
        head = self.heads.get(code)
        return [line for line in self.lines.get(code, ()) if head is None or line.place > head.place]

    def forget(self, until: float) -> None:
        """Retention: a dossier goes as a whole, when its youngest line is old and its head knows it."""
        for code in [each for each in self.heads if not self.younger(each)]:
            if all(line.accepted_at <= until for line in self.lines.get(code, ())):
                self.lines.pop(code, None)
                del self.heads[code]


class Remembering(Ledger, Protocol):
    """A ledger in memory, with what it keeps of dossiers."""

    @property
    def dossiers(self) -> DossierLines:
        """What it keeps of dossiers."""


class MemoryDossierRegister:
    """Nothing here waits but for the ledger, which does not wait either, so each call is one transaction."""

    def __init__(self, ledger: Remembering) -> None:
        self._ledger = ledger

    @property
    def _kept(self) -> DossierLines:
        return self._ledger.dossiers

    @property
    def _heads(self) -> list[Head]:
        return [head for _, head in sorted(self._kept.heads.items())]

    async def story(self, code: str) -> list[Told]:
        return list(self._kept.lines.get(code, ()))

    async def children(self, code: str) -> list[str]:
        every = [line.event for lines in self._kept.lines.values() for line in lines]
        named = {event.code for event in every if code and event.parent == code}
        named |= {event.hop.child for event in every if event.code == code and event.hop is not None}
        return sorted(named - {"", code})

    async def unsettled(self, *, limit: int = 200) -> list[str]:
        waiting = [(lines[0].place, code) for code in self._kept.lines if (lines := self._kept.younger(code))]
        return [code for _, code in sorted(waiting)][:limit]

    async def settle(self, head: Head, audit: Sequence[AuditRow] = ()) -> bool:
        kept = self._kept.heads.get(head.code)
        lines = self._kept.lines.get(head.code, ())
        if any(line.place > head.place for line in lines) or (kept is not None and kept.place > head.place):
            return False
        self._kept.heads[head.code] = head
        await self._ledger.audit(audit)
        return True

    async def head(self, code: str) -> Head | None:
        return self._kept.heads.get(code)

    async def heads(
        self, *, lead: str | None = None, status: int | None = None, after: str = "", limit: int = 100
    ) -> list[Head]:
        found = [head for head in self._heads if lead in {None, head.lead} and status in {None, head.status}]
        return [head for head in found if head.code > after][:limit]

    async def due(self, now: float, *, limit: int = 200) -> list[Head]:
        passed = [(head.next_look, head.code, head) for head in self._heads if head.next_look is not None]
        return [head for at, _, head in sorted(passed, key=lambda each: each[:2]) if at <= now][:limit]

    async def ended(self, since: float, until: float, *, after: str = "", limit: int = 1000) -> list[Head]:
        received = [head for head in self._heads if head.received_at is None or head.received_at < until]
        concerned = [head for head in received if head.finished_at is None or head.finished_at >= since]
        return [head for head in concerned if head.code > after][:limit]
