"""The reference of ``ports.manifests.Manifests``: dictionaries beside the ledger in memory."""

# ruff: noqa: D102 - ports.manifests says what each method promises

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Protocol

from gateway.core.delivery import Delivery
from gateway.core.reconciliation import Direction, Gap, Kind, Line, Section, Side, Summary, within
from gateway.ports import AuditRow, Ledger, NewMessage
from gateway.ports.manifests import Day, Page, Passed, Reaction, States, Wait, place_of


class Remembering(Ledger, Protocol):
    """A ledger in memory, with all its messages."""

    def messages(self) -> list[NewMessage]:
        """Every message in order of acceptance."""

    def add(self, deliveries: Sequence[Delivery], at: float) -> None:
        """More deliveries of kept messages."""


class MemoryManifests:
    """Nothing here waits but for the ledger, which does not wait either, so each call is one transaction."""

    def __init__(self, ledger: Remembering) -> None:
        self._ledger = ledger
        self._lines: dict[tuple[Section, Side], dict[str, Line]] = {}
        self._summaries: dict[tuple[Section, Side], Summary] = {}
        self._waits: dict[tuple[str, str, str], Wait] = {}
        self._accepted: dict[tuple[str, str, str], float] = {}
        self._answered: dict[tuple[str, str, str], float] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._days: dict[date, Day] = {}
        self._gaps: dict[tuple[Any, ...], Gap] = {}

    # ------------------------------------------------------------------------------------------- what passed

    async def passed(self, direction: Direction, since: float, until: float, *, after: Any, limit: int) -> Page:
        found = await (self._sent() if direction == "sent" else self._received())
        found = [each for each in found if since <= each.line.at < until]
        first = after or 0
        page = found[first : first + limit]
        return Page(page, first + limit if len(page) == limit else None)

    async def _sent(self) -> list[Passed]:
        return [
            _passed(each, each.source, Line(each.key, each.digest, each.accepted_at))
            for each in self._ledger.messages()
            if each.digest
        ]

    async def _received(self) -> list[Passed]:
        found = []
        for message in self._ledger.messages():
            record = await self._ledger.find(message.key)
            for each in () if record is None else record.deliveries:
                for attempt in each.attempts:
                    if attempt.outcome == "taken":
                        line = Line(
                            message.key, message.digest, attempt.ended_at, each.delivery.id, each.proof is not None
                        )
                        found.append(_passed(message, each.delivery.recipient, line))
        return sorted(found, key=lambda each: each.line.at)

    # ------------------------------------------------------------------------------------------------- lines

    async def keep(self, side: Side, lines: Sequence[tuple[Section, Line]]) -> None:
        for section, line in lines:
            self._lines.setdefault((section, side), {})[line.id] = line

    async def forget(self, section: Section, side: Side, *, start: str = "", until: str = "") -> None:
        kept = self._lines.get((section, side), {})
        for id_ in [each for each in kept if within(each, start, until)]:
            del kept[id_]

    async def lines(
        self, section: Section, side: Side, *, start: str = "", until: str = "", after: str | None = None, limit: int
    ) -> list[Line]:
        kept = sorted(self._lines.get((section, side), {}).items())
        return [line for id_, line in kept if within(id_, start, until) and id_ > (after or "")][:limit]

    async def sections(self, day: date, side: Side) -> list[Section]:
        return sorted(
            section for (section, of), kept in self._lines.items() if section.day == day and of == side and kept
        )

    async def elsewhere(self, section: Section, side: Side, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for (other, of), kept in self._lines.items():
            if of == side and other != section and other[1:3] == section[1:3]:
                found |= kept.keys() & set(ids)
        return found

    # --------------------------------------------------------------------------------------------- summaries

    async def summarise(self, summaries: Sequence[Summary]) -> None:
        for each in summaries:
            self._summaries[each.section, each.side] = each

    async def summaries(self, day: date, *, system: str | None = None, side: Side | None = None) -> list[Summary]:
        found = [
            each
            for each in self._summaries.values()
            if each.section.day == day and system in {None, each.section.system} and side in {None, each.side}
        ]
        return sorted(found, key=lambda each: (each.section[1:], each.side))

    async def states(self, day: date, system: str | None = None) -> Mapping[Section, States]:
        found = {}
        for (section, side), kept in self._lines.items():
            if side != "bus" or section.day != day or section.direction != "received" or not kept:
                continue
            if system in {None, section.system}:
                keys = [((section.system, section.contract, id_), line) for id_, line in kept.items()]
                accepted = sum(line.proven or key in self._accepted for key, line in keys)
                found[section] = States(len(keys), accepted, sum(key in self._answered for key, _ in keys))
        return found

    # ------------------------------------------------------------------------------------------------- waits

    async def wait(self, waits: Sequence[Wait]) -> None:
        for each in waits:
            self._waits.setdefault((each.system, each.contract, each.id), each)

    async def react(self, reactions: Sequence[Reaction]) -> None:
        for said in reactions:
            for key, each in self._waits.items():
                is_meant = (each.agency, each.about) == (said.agency, said.about) and each.contract in said.contracts
                if is_meant and each.since <= said.at and key not in self._answered:
                    self._accepted.setdefault(key, said.at)
                    if said.is_processed:
                        self._answered[key] = said.at

    async def overdue(self, now: float, limit: int) -> list[Wait]:
        found = [
            each
            for key, each in self._waits.items()
            if each.due <= now and key not in self._answered and key not in self._told
        ]
        return sorted(found, key=lambda each: (each.due, each.system, each.contract, each.id))[:limit]

    # -------------------------------------------------------------------------------------------------- days

    async def days(self, limit: int = 62) -> list[Day]:
        return sorted(self._days.values(), key=lambda each: each.day, reverse=True)[:limit]

    async def mark(self, day: Day) -> None:
        self._days[day.day] = day

    # -------------------------------------------------------------------------------------------------- gaps

    async def settle(
        self, section: Section, kinds: Sequence[Kind], gaps: Sequence[Gap], *, now: float, audit: AuditRow | None
    ) -> list[Gap]:
        held = {
            place: gap
            for place, gap in self._gaps.items()
            if gap.section == section and gap.kind in kinds and gap.ended_at is None
        }
        found = {place_of(gap): gap for gap in gaps}
        new = {place: gap for place, gap in found.items() if place not in held}
        for place, gap in new.items():
            before = self._gaps.get(place)
            self._gaps[place] = gap if before is None else replace(before, ended_at=None, delivery=gap.delivery)
        for place in held.keys() - found.keys():
            self._gaps[place] = replace(held[place], ended_at=now)
        if new and audit is not None:
            await self._ledger.audit([audit])
        return list(new.values())

    async def note(self, gaps: Sequence[Gap], audit: AuditRow) -> list[Gap]:
        new = [gap for gap in gaps if place_of(gap) not in self._gaps]
        self._gaps |= {place_of(gap): gap for gap in new}
        self._told |= {(gap.section.system, gap.section.contract, gap.id) for gap in gaps if gap.kind == "unprocessed"}
        if new:
            await self._ledger.audit([audit])
        return new

    async def close(self, now: float) -> int:
        ended = [place for place, gap in self._gaps.items() if gap.ended_at is None and self._is_over(gap)]
        for place in ended:
            self._gaps[place] = replace(self._gaps[place], ended_at=now)
        return len(ended)

    def _is_over(self, gap: Gap) -> bool:
        section = gap.section
        if gap.kind == "unprocessed":
            return (section.system, section.contract, gap.id) in self._answered
        side = {"lost": "system", "unsaid": "system", "unknown": "bus", "unarrived": "bus"}.get(gap.kind)
        return any(
            of == side and other[1:3] == section[1:3] and other.day != section.day and gap.id in kept
            for (other, of), kept in self._lines.items()
        )

    async def gaps(
        self,
        *,
        day: date | None = None,
        system: str | None = None,
        kind: Kind | None = None,
        is_open: bool = True,
        after: tuple[Any, ...] | None = None,
        limit: int = 1000,
    ) -> list[Gap]:
        found = [
            gap
            for _, gap in sorted(self._gaps.items())
            if day in {None, gap.section.day}
            and system in {None, gap.section.system}
            and kind in {None, gap.kind}
            and not (is_open and gap.ended_at is not None)
            and (after is None or place_of(gap) > after)
        ]
        return found[:limit]

    async def take_up(self, gaps: Sequence[Gap], operation: str) -> None:
        for gap in gaps:
            self._gaps[place_of(gap)] = replace(self._gaps[place_of(gap)], operation=operation)

    async def repeat(self, deliveries: Sequence[Delivery]) -> int:
        made = 0
        for delivery in {each.id: each for each in deliveries}.values():
            known = await self._ledger.delivery(delivery.id)
            if known is None and await self._ledger.find(delivery.message) is not None:
                self._ledger.add([delivery], delivery.due)
                made += 1
        return made

    async def retire(self, before: date, limit: int) -> int:
        old = [
            (kept, id_)
            for (section, side), kept in sorted(self._lines.items())
            if section.day < before
            for id_ in sorted(kept)
        ][:limit]
        for kept, id_ in old:
            del kept[id_]
        if len(old) < limit:
            self._summaries = {key: each for key, each in self._summaries.items() if key[0].day >= before}
            self._days = {day: each for day, each in self._days.items() if day >= before}
            over = self._answered.keys() | self._told
            self._waits = {key: each for key, each in self._waits.items() if each.day >= before or key not in over}
            self._gaps = {
                place: gap for place, gap in self._gaps.items() if gap.section.day >= before or gap.ended_at is None
            }
        return len(old)


def _passed(message: NewMessage, system: str, line: Line) -> Passed:
    entry, dossier = message.entry, message.dossier
    about = entry.key if entry is not None else dossier.code if dossier is not None else message.subject
    return Passed(
        system,
        message.type,
        line,
        about,
        "" if dossier is None else dossier.parent,
        "" if entry is None else entry.code,
    )
