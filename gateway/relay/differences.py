"""Comparing one manifest with the other side's: the ids that differ, and why each of them is, or is not, missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gateway.core.merkle import Tree
from gateway.core.reconciliation import EDGE, Gap, Kind, Line, Section, Summary, bounds_of, is_covered
from gateway.ports import Clock, Ledger, Record
from gateway.ports.manifests import Manifests
from gateway.relay.gather import Gather

#: Gaps of one section that are named; the rest is told by one that says so.
MOST: Final = 10_000
#: What a comparison finds: all but what takes time to be missing.
FOUND: Final[tuple[Kind, ...]] = ("lost", "unknown", "unarrived", "unsaid", "altered", "unexplained")
#: How long after a day its edges wait for what the next day's manifest says (seconds).
_WAITS: Final = 2 * 86400.0


@dataclass(slots=True)
class _Differing:
    """Lines that one side has and the other has not, and those of which the digests differ."""

    ours: dict[str, Line] = field(default_factory=dict)
    theirs: dict[str, Line] = field(default_factory=dict)
    altered: list[Line] = field(default_factory=list)
    is_explained: bool = True


@dataclass(frozen=True, slots=True)
class Differences:
    """The step for one section; it changes nothing."""

    manifests: Manifests
    ledger: Ledger
    gather: Gather
    clock: Clock

    async def of(self, theirs: Summary) -> list[Gap]:
        """What differs between the bus and a system, by what the system said; nothing where both roots are the same."""
        section = theirs.section
        if await self._is_same(theirs):
            return []
        if not theirs.covers:
            return [Gap(section, "unexplained", "", self.clock.now())]
        found = await self._walked(theirs)
        await self._leave_out_other_days(section, found)
        is_sent = section.direction == "sent"
        return [
            *(self._gap(section, "unsaid" if is_sent else "lost", line) for line in found.ours.values()),
            *(self._gap(section, "unarrived" if is_sent else "unknown", line) for line in found.theirs.values()),
            *(self._gap(section, "altered", line) for line in found.altered),
            *(() if found.is_explained else (Gap(section, "unexplained", "", self.clock.now()),)),
        ]

    async def _is_same(self, theirs: Summary) -> bool:
        kept = await self.manifests.summaries(theirs.section.day, system=theirs.section.system, side="bus")
        ours = next((each for each in kept if each.section == theirs.section), None)
        if (0 if ours is None else ours.count) != theirs.count:
            return False
        if ours is not None and ours.form == theirs.form:
            return ours.root == theirs.root
        return (await self.gather.root(theirs.section, "bus", theirs.form))[1] == theirs.root

    async def _walked(self, theirs: Summary) -> _Differing:
        """Both sides, id by id, where the system named its ids; elsewhere it must be what the bus has."""
        found, tree = _Differing(), Tree()
        section, covers = theirs.section, theirs.covers
        async for mine, other in paired(self.gather.lines(section, "bus"), self.gather.lines(section, "system")):
            line = mine or other
            if line is None or not is_covered(line.id, covers):
                if mine is not None:
                    tree.add(mine.leaf(theirs.form))
                continue
            if other is not None:
                tree.add(other.leaf(theirs.form))
            if len(found.ours) + len(found.theirs) + len(found.altered) >= MOST:
                found.is_explained = False
                break
            if mine is None:
                found.theirs[line.id] = line
            elif other is None:
                found.ours[line.id] = line
            elif theirs.form == "digests" and mine.digest and other.digest and mine.digest != other.digest:
                found.altered.append(mine)
        else:
            found.is_explained = (tree.count, tree.root().hex()) == (theirs.count, theirs.root)
        return found

    async def _leave_out_other_days(self, section: Section, found: _Differing) -> None:
        """What stands on another day is not missing, nor is what the bus knows by another of its ids."""
        for id_ in await self.manifests.elsewhere(section, "system", list(found.ours)):
            del found.ours[id_]
        for id_ in await self.manifests.elsewhere(section, "bus", list(found.theirs)):
            del found.theirs[id_]
        for id_ in list(found.theirs):
            record = await self.known(id_)
            if record is not None and _has_part(record, section):
                del found.theirs[id_]
                found.ours.pop(record.key, None)
        if await self._waits_for_next_day(section):
            end = bounds_of(section.day)[1]
            for id_ in [id_ for id_, line in found.ours.items() if line.at >= end - EDGE]:
                del found.ours[id_]

    async def _waits_for_next_day(self, section: Section) -> bool:
        if self.clock.now() >= bounds_of(section.day)[1] + _WAITS:
            return False
        following = section.day + timedelta(days=1)
        return not await self.manifests.summaries(following, system=section.system, side="system")

    async def known(self, id_: str) -> Record | None:
        """The message that a system means: by its id, a translation's or a delivery's."""
        record = await self.ledger.find(id_)
        if record is None and (delivery := await self.ledger.delivery(id_)) is not None:
            record = await self.ledger.find(delivery.message)
        return record

    def _gap(self, section: Section, kind: Kind, line: Line) -> Gap:
        return Gap(section, kind, line.id, self.clock.now(), line.at, line.delivery)


def _has_part(record: Record, section: Section) -> bool:
    if section.direction == "sent":
        return record.source == section.system
    return any(each.delivery.recipient == section.system for each in record.deliveries)


async def paired(
    ours: AsyncIterator[Line], theirs: AsyncIterator[Line]
) -> AsyncIterator[tuple[Line | None, Line | None]]:
    """Two lists in rising order of ids, side by side: both lines of an id, or the one that there is."""
    mine, other = await anext(ours, None), await anext(theirs, None)
    while mine is not None or other is not None:
        if other is None or (mine is not None and mine.id < other.id):
            yield mine, None
            mine = await anext(ours, None)
        elif mine is None or other.id < mine.id:
            yield None, other
            other = await anext(theirs, None)
        else:
            yield mine, other
            mine, other = await anext(ours, None), await anext(theirs, None)
