"""The reference of ``ports.documents``: the register of documents, in the memory of one process."""

# ruff: noqa: D102 - ports.documents says what each method promises

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from gateway.core.documents.entry import DocumentEntry
from gateway.core.documents.matching import (
    Brought,
    Sent,
    Served,
    already_served,
    is_answered,
    lines_of,
    open_obligations,
    place_of_note,
    served_before,
)
from gateway.ports import AuditRow, Ledger, NewMessage
from gateway.ports.documents import Duty, Registered


@dataclass(slots=True)
class Lines:
    """What a ledger in memory keeps of documents: lines in order of places, those given up, open duties."""

    lines: dict[str, Registered] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    #: (message, agency, name) -> the duty and the codes that answer it.
    duties: dict[tuple[str, str, str], tuple[Duty, tuple[str, ...]]] = field(default_factory=dict)
    #: place -> items that came by a second way and were not kept.
    again: dict[int, tuple[Brought, ...]] = field(default_factory=dict)
    _last: int = 0

    def keep(self, new: NewMessage) -> Served | None:
        """Add the line of a new message and do what follows; or say who was served before, and do nothing."""
        entry = new.entry
        if entry is None:
            return None
        if new.unless_served and (before := self._served(new, entry)) is not None:
            return before
        about = [line for line in self.about(entry.key, entry.issuer) if line.entry.is_vouched]
        is_parked = entry.is_status and entry.is_vouched and all(line.entry.is_status for line in about)
        self._last += 1
        line = Registered(self._last, new.key, new.source, new.accepted_at, entry, is_parked, new.recipients)
        self.lines[new.key] = line
        if not entry.is_vouched:
            return None
        if entry.is_status:
            self._answer(entry)
        else:
            self._owe(line, [each for each in about if each.entry.is_status])
        return None

    def _served(self, new: NewMessage, entry: DocumentEntry) -> Served | None:
        vouched = [line for line in self.lines.values() if line.entry.is_vouched]
        same = lines_of(entry, [self._sent(line) for line in vouched])
        item = Brought(new.source, new.key, entry.recipients, new.recipients)
        statuses = [(line.place, line.entry) for line in vouched if line.entry.is_status]
        before = served_before(item, entry, same, statuses)
        if not already_served(entry, new.recipients, before):
            return None
        if (place := place_of_note(item, same)) is not None:
            self.again[place] = (*self.again.get(place, ()), item)
        return before

    def _sent(self, line: Registered) -> Sent:
        first = Brought(line.source, line.message, line.entry.recipients, line.systems)
        return Sent(line.place, line.entry, first, self.again.get(line.place, ()))

    def about(self, key: str, issuer: str) -> Iterator[Registered]:
        """Lines with this key."""
        return (line for line in self.lines.values() if (line.entry.key, line.entry.issuer) == (key, issuer))

    def _answer(self, status: DocumentEntry) -> None:
        for id_, (duty, codes) in list(self.duties.items()):
            line = self.lines[duty.message].entry
            owed = next(each for each in line.obligations if (each.agency, each.name) == id_[1:])
            if is_answered(replace(owed, answered_by=codes), line, status):
                del self.duties[id_]

    def _owe(self, line: Registered, statuses: Sequence[Registered]) -> None:
        there = [(each.entry, each.is_parked or each.message in self.given_up) for each in statuses]
        for owed in open_obligations(line.entry, there):
            duty = Duty(
                line.message, line.entry.key, line.entry.issuer, owed.agency, owed.name, owed.due, 0, owed.due
            )  # fmt: skip
            self.duties[line.message, owed.agency, owed.name] = duty, owed.answered_by
        for each in statuses:
            self.lines[each.message] = replace(each, is_parked=False)
            self.given_up.discard(each.message)

    def forget(self, message: str) -> None:
        """Retention: the message's line goes, and what is owed for it."""
        if (line := self.lines.pop(message, None)) is not None:
            self.again.pop(line.place, None)
        self.given_up.discard(message)
        self.duties = {id_: kept for id_, kept in self.duties.items() if id_[0] != message}


class Remembering(Ledger, Protocol):
    """A ledger in memory, with what it keeps of documents."""

    @property
    def lines(self) -> Lines:
        """What it keeps of documents."""


class MemoryRegister:
    """Nothing here waits but for the ledger, which does not wait either, so each call is one transaction."""

    def __init__(self, ledger: Remembering) -> None:
        self._ledger = ledger

    @property
    def _lines(self) -> list[Registered]:
        return list(self._ledger.lines.lines.values())

    async def story(self, key: str, issuer: str) -> list[Registered]:
        mine = [line for line in self._lines if line.entry.issuer == issuer]
        issued = [line for line in mine if not line.entry.is_status]
        issued = [line for line in issued if line.entry.key == key or key in line.entry.concerned]
        keys = {key, *(line.entry.key for line in issued)}
        return [line for line in mine if line in issued or (line.entry.is_status and line.entry.key in keys)]

    async def issued(self, agency: str, *, before: int | None = None, limit: int = 100) -> list[Registered]:
        found = [line for line in self._lines if line.entry.issuer == agency and not line.entry.is_status]
        return [line for line in reversed(found) if before is None or line.place < before][:limit]

    async def find(self, key: str, *, limit: int = 20) -> list[Registered]:
        return [line for line in reversed(self._lines) if line.entry.key == key and line.entry.kind == "new"][:limit]

    async def parked(self, *, is_given_up: bool = False, limit: int = 100) -> list[Registered]:
        given_up = self._ledger.lines.given_up
        return [line for line in self._lines if (line.message in given_up if is_given_up else line.is_parked)][:limit]

    async def unpark(self, places: Sequence[int], audit: Sequence[AuditRow]) -> bool:
        meant = [line for line in self._lines if line.place in set(places)]
        if not meant or not all(line.is_parked for line in meant):
            return False
        self._ledger.lines.lines.update({line.message: replace(line, is_parked=False) for line in meant})
        self._ledger.lines.given_up |= {line.message for line in meant}
        await self._ledger.audit(audit)
        return True

    async def duties(self, *, due_by: float | None = None, agency: str | None = None, limit: int = 500) -> list[Duty]:
        every = sorted((duty for duty, _ in self._ledger.lines.duties.values()), key=_first_due)
        wanted = [duty for duty in every if due_by is None or duty.next_at <= due_by]
        return [duty for duty in wanted if agency in {None, duty.agency}][:limit]

    async def remind(self, duty: Duty, *, next_at: float | None, audit: AuditRow) -> bool:
        following = math.inf if next_at is None else next_at
        return await self._change(duty, replace(duty, level=duty.level + 1, next_at=following), audit)

    async def postpone(self, duty: Duty, *, next_at: float, audit: AuditRow | None = None) -> bool:
        return await self._change(duty, replace(duty, next_at=next_at), audit)

    async def _change(self, duty: Duty, after: Duty, audit: AuditRow | None) -> bool:
        duties = self._ledger.lines.duties
        kept, codes = duties.get((duty.message, duty.agency, duty.name), (None, ()))
        if kept is None or kept.level != duty.level:
            return False
        duties[duty.message, duty.agency, duty.name] = replace(kept, level=after.level, next_at=after.next_at), codes
        if audit is not None:
            await self._ledger.audit([audit])
        return True


def _first_due(duty: Duty) -> tuple[float, str, str, str]:
    return duty.due, duty.message, duty.agency, duty.name
