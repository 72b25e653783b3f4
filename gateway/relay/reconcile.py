"""Reconciliation: by each morning every system's day is compared with the bus's, and what is missing is named."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

import structlog

from gateway.core.calendar import Calendar
from gateway.core.directory import Directory, System
from gateway.core.faults import Rejected, Text, Violation
from gateway.core.moments import day_of
from gateway.core.reconciliation import (
    DIRECTIONS,
    WHOLE_PART,
    Form,
    Gap,
    Line,
    Part,
    Parts,
    Section,
    Summary,
    bounds_of,
    summary_of,
)
from gateway.ports import Adapter, AuditRow, Clock
from gateway.ports.manifests import Manifests, Statement
from gateway.relay.differences import FOUND, MOST, Differences
from gateway.relay.gather import PAGE, Gather
from gateway.telemetry import MANIFEST_GAPS

#: A day is gathered so long after its end (seconds), when all that belongs to it has been written.
SETTLES: Final = 600.0
#: Days that a gateway which was away makes up for, days that a system may speak of, and days that are kept.
CATCH_UP: Final = 31
KEPT: Final = 62
#: How long a system may take to tell its day (seconds).
LIMIT: Final = 120.0
_SAMPLE: Final = 20
_DAY: Final = timedelta(days=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a statement. ``is_compared``: False where the day is not over yet: it is compared later.

    ``parts``: the bus's side of the range, where the roots differ and the ids given do not say why.
    """

    section: Section
    is_compared: bool
    is_same: bool
    gaps: tuple[Gap, ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconcile:
    """The step that one of the processes on a ledger runs every few minutes."""

    manifests: Manifests
    gather: Gather
    differences: Differences
    directory: Callable[[], Directory]
    calendar: Callable[[], Calendar]
    clock: Clock
    adapter_of: Callable[[System], Adapter]
    #: Whether a system's adapter can be asked for its side.
    states: Callable[[System], bool]
    _rests: dict[str, date] = field(default_factory=dict)

    async def once(self) -> None:
        """Gather the days that are over; in office hours compare those that were not, and tell what is missing."""
        now = self.clock.now()
        await self._gather(day_of(now - SETTLES) - _DAY)
        if self.calendar().is_working_time(now):
            await self.compare_days()

    async def _gather(self, last: date) -> None:
        known = await self.manifests.days(1)
        first = last if not known else max(known[0].day + _DAY, last - CATCH_UP * _DAY)
        while first <= last:
            await self.gather.day(first)
            first += _DAY

    async def compare_days(self) -> None:
        """Compare each day that was gathered and not compared, the one before it again, and tell what is missing."""
        days = {each.day: each for each in await self.manifests.days(CATCH_UP + 1)}
        waiting = sorted(day for day, each in days.items() if each.compared_at is None)
        if not waiting:
            return
        # What passed around midnight is told apart by the manifests of both days.
        for day in sorted({*waiting, waiting[0] - _DAY} & days.keys()):
            await self._ask(day)
        for day in sorted({*waiting, waiting[0] - _DAY} & days.keys()):
            for theirs in await self.manifests.summaries(day, side="system"):
                await self._compared(theirs)
            await self.manifests.mark(replace(days[day], compared_at=self.clock.now()))
        await self._tell_overdue(bounds_of(waiting[-1])[1])
        await self.manifests.close(self.clock.now())
        while await self.manifests.retire(waiting[-1] - KEPT * _DAY, PAGE):
            await self.clock.sleep(0.02)
        await self._count()

    async def _ask(self, day: date) -> None:
        """Ask the systems that can be asked; one system's trouble must not stop the others'."""
        for system in self.directory().systems.values():
            if not self.states(system) or await self.manifests.summaries(day, system=system.name, side="system"):
                continue
            try:
                fetch = getattr(self.adapter_of(system), "fetch_manifest")  # noqa: B009 - an optional capability
                async with asyncio.timeout(LIMIT):
                    said: Sequence[Statement] | None = await fetch(day)
                if said is not None:
                    await self.keep(system.name, day, said, is_all=True)
            except Exception as error:  # noqa: BLE001 - as the docstring says
                log.warning("manifest.not-fetched", agency=system.name, detail=f"{type(error).__name__}: {error}"[:300])

    # ----------------------------------------------------------------------------------------- what systems say

    async def said(self, system: str, day: date, said: Sequence[Statement], *, is_all: bool) -> list[Judged]:
        """Keep what a system says of a day, and compare it where that day was gathered.

        ``is_all``: what it does not speak of did not happen there. Raises Rejected ``bad-request``.
        """
        summaries = await self.keep(system, day, said, is_all=is_all)
        known = {each.day for each in await self.manifests.days(KEPT)}
        judged = []
        for each in summaries:
            if day not in known:
                judged.append(Judged(each.section, is_compared=False, is_same=False))
                continue
            gaps = await self._compared(each)
            is_open = any(gap.kind == "unexplained" for gap in gaps)
            parts = (await self.parts(each.section, each.form))[0] if is_open else ()
            judged.append(Judged(each.section, is_compared=True, is_same=not gaps, gaps=tuple(gaps), parts=parts))
        if day in known:
            await self.manifests.close(self.clock.now())
            await self._count()
        return judged

    async def keep(self, system: str, day: date, said: Sequence[Statement], *, is_all: bool) -> list[Summary]:
        """Keep what a system says; answers the summaries, as they are now."""
        today = day_of(self.clock.now())
        if not today - KEPT * _DAY <= day <= today:
            raise _refused("day", f"chỉ nhận {KEPT} ngày gần đây", f"only the last {KEPT} days are taken")
        placed = [each for one in said for each in await self._placed(system, day, one)]
        made = [await self._kept(Section(day, system, each.direction, each.contract), each) for each in placed]
        # A table without contracts speaks of a whole direction.
        whole = set(DIRECTIONS) if is_all else {each.direction for each in said if not each.contract}
        if whole:
            spoken = {each.section for each in made}
            before = [each.section for each in await self.manifests.summaries(day, system=system, side="system")]
            unspoken = sorted({*await self._ours(day, system), *before} - spoken)
            made += [
                await self._kept(section, Statement(section.direction, section.contract, ()))
                for section in unspoken
                if section.direction in whole
            ]
        return made

    async def _kept(self, section: Section, said: Statement) -> Summary:
        before = await self.manifests.summaries(section.day, system=section.system, side="system")
        old = next((each for each in before if each.section == section), None)
        now = self.clock.now()
        if said.lines is None:
            if said.count is None or said.root is None:
                raise _refused("root", "cần count và root, hoặc ids", "count and root are needed, or ids")
            is_same = old is not None and (old.form, old.count, old.root) == (said.form, said.count, said.root)
            if not is_same:
                await self.manifests.forget(section, "system")
            covers = old.covers if old is not None and is_same else ()
            summary = Summary(section, "system", said.form, said.count, said.root, now, covers)
        else:
            lines = sorted({line.id: line for line in said.lines}.values())
            whole = summary_of(section, "system", lines, form=said.form, said_at=now)
            is_part = bool(said.start or said.until)
            await self.manifests.forget(section, "system", start=said.start, until=said.until)
            for first in range(0, len(lines), PAGE):
                await self.manifests.keep("system", [(section, line) for line in lines[first : first + PAGE]])
            summary = whole if said.root is None else replace(whole, root=said.root, count=said.count or whole.count)
            if is_part:
                if old is None and said.root is None:
                    raise _refused("root", "hãy gửi root của cả ngày trước", "give the root of the whole day first")
                base = summary if old is None else old
                kept = () if old is None or old.covers == (("", ""),) else old.covers
                summary = replace(base, covers=(*kept, (said.start, said.until)), said_at=now)
        await self.manifests.summarise([summary])
        return summary

    async def _placed(self, system: str, day: date, said: Statement) -> list[Statement]:
        """A statement by contract, where it does not say of which its ids are: as the bus has them."""
        if said.contract or said.lines is None:
            return [said]
        wanted = {line.id: line for line in said.lines}
        placed: dict[str, list[Line]] = {}
        for section in await self._ours(day, system):
            if section.direction == said.direction:
                placed[section.contract] = []
                async for line in self.gather.lines(section, "bus"):
                    # Old software knows a message by the name of its file or its delivery.
                    for name in {line.id, line.delivery} & wanted.keys():
                        placed[section.contract].append(wanted.pop(name)._replace(id=line.id))
        for id_ in list(wanted)[:MOST]:
            if (record := await self.differences.known(id_)) is not None:
                placed.setdefault(record.type, []).append(wanted.pop(id_)._replace(id=record.key))
        if wanted:
            placed["?"] = list(wanted.values())
        return [replace(said, contract=contract, lines=lines) for contract, lines in placed.items()]

    async def _ours(self, day: date, system: str) -> list[Section]:
        return [each for each in await self.manifests.sections(day, "bus") if each.system == system]

    async def parts(
        self, section: Section, form: Form, *, start: str = "", until: str = ""
    ) -> tuple[tuple[Part, ...], tuple[Line, ...]]:
        """The bus's side of a range in parts, each with its root; a short range with its lines, too."""
        count, _ = await self.gather.root(section, "bus", form, start=start, until=until)
        parts, lines = Parts.of(count, form, start, until), []
        async for line in self.gather.lines(section, "bus", start=start, until=until):
            parts.add(line)
            if count <= WHOLE_PART:
                lines.append(line)
        return parts.all(), tuple(lines)

    # ----------------------------------------------------------------------------------------- what is missing

    async def _compared(self, theirs: Summary) -> list[Gap]:
        section = theirs.section
        gaps = await self.differences.of(theirs)
        counts = Counter(gap.kind for gap in gaps)
        details = {
            "day": section.day.isoformat(), "system": section.system, "direction": section.direction,
            "contract": section.contract, "counts": dict(counts), "ids": [gap.id for gap in gaps[:_SAMPLE]],
        }  # fmt: skip
        now = self.clock.now()
        row = AuditRow(now, self.directory().gateway, "manifest.differs", details)
        new = await self.manifests.settle(section, FOUND, gaps, now=now, audit=row)
        if new:
            self._log(section, Counter(gap.kind for gap in new))
        return gaps

    async def _tell_overdue(self, end: float) -> None:
        """What was to be dealt with by the end of the last day of which every answer is known."""
        now = self.clock.now()
        while waits := await self.manifests.overdue(end, PAGE):
            gaps = [
                Gap(Section(each.day, each.system, "received", each.contract), "unprocessed", each.id, now, each.since)
                for each in waits
            ]
            details = {"count": len(gaps), "ids": [gap.id for gap in gaps[:_SAMPLE]]}
            new = await self.manifests.note(gaps, AuditRow(now, self.directory().gateway, "manifest.overdue", details))
            for section, count in Counter(gap.section for gap in new).items():
                self._log(section, {"unprocessed": count})

    def _log(self, section: Section, counts: dict[str, int] | Counter[str]) -> None:
        log.warning(
            "manifest.differs",
            agency=section.system,
            day=section.day.isoformat(),
            direction=section.direction,
            contract=section.contract,
            counts=dict(counts),
        )

    async def _count(self) -> None:
        """Set the gauge to what is missing now."""
        found: Counter[tuple[str, str]] = Counter()
        gaps = await self.manifests.gaps(limit=FIGURES)
        found.update((gap.section.system, gap.kind) for gap in gaps)
        MANIFEST_GAPS.clear()
        for (system, kind), count in found.items():
            MANIFEST_GAPS.labels(system, kind).set(count)


#: Gaps that the gauge counts to.
FIGURES: Final = 10_000


def _refused(name: str, vi: str, en: str) -> Rejected:
    return Rejected(
        "bad-request",
        Text(f"Không nhận được bản kê: {vi}.", f"The manifest cannot be taken: {en}."),
        (Violation(f"/{name}", "value", Text(vi, en)),),
    )
