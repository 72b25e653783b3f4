"""Who asked what of whom, when and why: the log of queries, read. Whoever reads it leaves a row in the audit.

A look at one person's queries is found by the keyed mark alone, and the row says that mark: so it can be told later who
looked at who had looked. Nothing here knows what was answered, as nobody kept it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

from gateway.ports import AuditRow, Clock, Ledger
from gateway.ports.queries import Logged, Outcome, QueryLog

PAGE: Final = 1000
#: Where a page ended: the moment and the key of its last query.
Place = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Sought:
    """Which queries; moments in seconds since 1970, ``until`` not included."""

    source: str | None = None
    provider: str | None = None
    since: float | None = None
    until: float | None = None
    outcome: Outcome | None = None
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Lookups:
    """The step: what was asked, told to people who may know it."""

    log: QueryLog
    ledger: Ledger
    clock: Clock
    mark: Callable[[str], str]

    async def looked(self, actor: str, sought: Sought, *, form: str) -> None:
        """Put on record that ``actor`` reads the log; before anything of it is shown. ``form``: in which way."""
        event = "query.log-read" if sought.mark is None else "query.looked-up"
        named = {"source": sought.source, "provider": sought.provider, "since": sought.since, "until": sought.until,
                 "outcome": sought.outcome, "mark": sought.mark}  # fmt: skip
        details: dict[str, Any] = {"form": form, **{name: value for name, value in named.items() if value is not None}}
        await self.ledger.audit([AuditRow(self.clock.now(), actor, event, details)])

    async def page(
        self, sought: Sought, *, before: Place | None = None, limit: int = PAGE
    ) -> tuple[list[Logged], Place | None]:
        """Queries, the youngest first, and where the next page begins; None where this is the last.

        With an ``outcome`` a page may hold fewer than ``limit`` and still have a next.
        """
        found = await self.log.logged(
            mark=sought.mark, source=sought.source, provider=sought.provider, since=sought.since, until=sought.until,
            before=before, limit=limit,
        )  # fmt: skip
        last = found[-1].asking if len(found) == limit else None
        kept = [each for each in found if sought.outcome in {None, each.outcome}]
        return kept, None if last is None else (last.asked_at, last.key)

    async def every(self, sought: Sought) -> AsyncIterator[Logged]:
        """All of them, the youngest first, page by page: no more than a page is held."""
        before: Place | None = None
        while True:
            found, before = await self.page(sought, before=before)
            for each in found:
                yield each
            if before is None:
                return

    async def counted(self, since: float, until: float) -> dict[tuple[str, str, str], Counter[str]]:
        """How many were asked by (agency, contract, provider), by outcome."""
        counts: dict[tuple[str, str, str], Counter[str]] = {}
        async for each in self.every(Sought(since=since, until=until)):
            asking = each.asking
            unit = asking.source.partition("/")[0], asking.contract, asking.provider.partition("/")[0]
            counts.setdefault(unit, Counter())[each.outcome] += 1
        return dict(sorted(counts.items()))
