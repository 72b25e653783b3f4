"""Gathering a day: what passed between the bus and each system, as lines and roots, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gateway.core.calendar import Calendar
from gateway.core.contract import Catalog, Processed
from gateway.core.directory import Directory
from gateway.core.merkle import Tree
from gateway.core.moments import day_of
from gateway.core.reconciliation import DIRECTIONS, Form, Line, Section, Side, Summary, bounds_of
from gateway.ports import Clock
from gateway.ports.manifests import Day, Manifests, Passed, Reaction, Wait

#: Rows that are read or written at a time, and the pause after them (seconds): the ledger is others' most of the time.
PAGE: Final = 1000
PAUSE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Gather:
    """The step. It reads what the ledger keeps anyway: nothing of it is part of accepting or delivering."""

    manifests: Manifests
    directory: Callable[[], Directory]
    catalog: Callable[[], Catalog]
    calendar: Callable[[], Calendar]
    clock: Clock

    async def day(self, day: date) -> None:
        """Gather a day that is over; doing it again gives the same."""
        answering = self._answering()
        since, until = bounds_of(day)
        for direction in reversed(DIRECTIONS):  # what was received first: it may be dealt with on the same day
            after = None
            while True:
                page = await self.manifests.passed(direction, since, until, after=after, limit=PAGE)
                found = [each for each in page.passed if self.directory().system(each.system) is not None]
                lines = [(Section(day, each.system, direction, each.contract), each.line) for each in found]
                await self.manifests.keep("bus", lines)
                if direction == "received":
                    await self.manifests.wait([wait for each in found if (wait := self._wait(day, each)) is not None])
                else:
                    await self.manifests.react([said for each in found for said in _reactions(each, answering)])
                if page.next is None:
                    break
                after = page.next
                await self.clock.sleep(PAUSE)
        await self.summarise(day)
        await self.manifests.mark(Day(day, self.clock.now()))

    async def summarise(self, day: date) -> None:
        """Keep the counts and roots of the bus's side of a day."""
        for section in await self.manifests.sections(day, "bus"):
            count, root = await self.root(section, "bus", "digests")
            whole = Summary(section, "bus", "digests", count, root, self.clock.now(), (("", ""),))
            await self.manifests.summarise([whole])

    async def root(
        self, section: Section, side: Side, form: Form, *, start: str = "", until: str = ""
    ) -> tuple[int, str]:
        """How many lines a range has, and their root in hex."""
        tree = Tree()
        async for line in self.lines(section, side, start=start, until=until):
            tree.add(line.leaf(form))
        return tree.count, tree.root().hex()

    async def lines(self, section: Section, side: Side, *, start: str = "", until: str = "") -> AsyncIterator[Line]:
        """The lines of a range in order of ids; a page of them in memory."""
        after: str | None = None
        while True:
            page = await self.manifests.lines(section, side, start=start, until=until, after=after, limit=PAGE)
            for line in page:
                yield line
            if len(page) < PAGE:
                return
            after = page[-1].id

    def _wait(self, day: date, passed: Passed) -> Wait | None:
        contract = self.catalog().contract(passed.contract)
        if contract is None or contract.processed is None:
            return None
        calendar, at = self.calendar(), passed.line.at
        due = calendar.closing(calendar.add_working_days(day_of(at), contract.processed.within))
        agency = passed.system.partition("/")[0]
        return Wait(passed.system, passed.contract, passed.line.id, agency, passed.about, day, at, due)

    def _answering(self) -> dict[str, list[tuple[str, Processed]]]:
        """Contract -> what it may show of others: (their name, by what it is shown)."""
        found: dict[str, list[tuple[str, Processed]]] = {}
        for contract in self.catalog().contracts.values():
            if contract.processed is not None:
                for name in contract.processed.by:
                    found.setdefault(name, []).append((contract.name, contract.processed))
        return found


def _reactions(passed: Passed, answering: dict[str, list[tuple[str, Processed]]]) -> Sequence[Reaction]:
    """What a message shows of what its agency was sent before."""
    agency = passed.system.partition("/")[0]
    made: list[Reaction] = []
    for name, shown in answering.get(passed.contract, ()):
        is_processed = not shown.codes or passed.code in shown.codes
        if is_processed or passed.code in shown.accepted:
            made += [
                Reaction(agency, (name,), about, passed.line.at, is_processed)
                for about in {passed.about, passed.parent} - {""}
            ]
    return made
