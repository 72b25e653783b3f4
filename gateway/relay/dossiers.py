"""Looking at dossiers: where each stands, worked out from what was said; and telling of deadlines that are passed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

import structlog

from gateway.core.calendar import Calendar
from gateway.core.contract import Catalog, parse_dataschema
from gateway.core.directory import Directory
from gateway.core.documents.registrar import agency_of, canonical_by
from gateway.core.dossiers.code import compared
from gateway.core.dossiers.composed import composed
from gateway.core.dossiers.dossier import Dossier, Head
from gateway.core.dossiers.event import DossierEvent, Told
from gateway.core.dossiers.heads import Deadline
from gateway.core.dossiers.history import dossier_of, is_of_record
from gateway.core.dossiers.linked import linked
from gateway.core.dossiers.overdue import Named, head_with, is_overdue, missed, named
from gateway.core.dossiers.reading import event_of
from gateway.core.dossiers.seeing import parties_in, readable_by
from gateway.core.dossiers.table import Table, by_lead, tables_of
from gateway.core.envelope import Event
from gateway.core.faults import Busy
from gateway.core.routing import Route
from gateway.core.unread import Unread
from gateway.ports import AuditRow, Clock, Ledger
from gateway.ports.dossiers import DossierRegister
from gateway.telemetry import DOSSIERS_OVERDUE

#: Dossiers that are worked out at a time, and lines of one beyond which that is done beside the loop.
_TOGETHER: Final = 50
_LONG: Final = 40
#: Parts of one dossier that are looked up under codes of their own.
_MOST_PARTS: Final = 50
#: Dossiers that one run works out or looks at: what is left waits for the next.
_MOST: Final = 1000
#: What could not be worked out is tried again after this (seconds).
_AGAIN: Final = 600.0
#: Heads that a list of late ones looks at before it says how to go on.
_MOST_SEEN: Final = 5000
_PAGE: Final = 200
#: Heads that are counted at a time.
_OF_TABLE: Final = 2000
#: Messages of a dossier that are read again for its record: of more than these the first and the last.
_FIRST_READ: Final = 100
_LAST_READ: Final = 400
_MOST_BYTES: Final = 64 * 1024 * 1024

log = structlog.get_logger()


def said_of_dossier(
    event: Event, routes: Sequence[Route], directory: Directory, now: float, calendar: Calendar
) -> DossierEvent | None:
    """What a message says of a dossier; None where it speaks of none."""
    canonical = canonical_by(directory)
    agency = canonical(event.source.partition("/")[0])
    if event.to is None:
        names: Iterable[str] = [route.system.agency for route in routes]
    else:
        names = [agency_of(name, directory, now) for name in event.to]
    sender = directory.system(event.source)
    is_portal = sender is not None and sender.is_portal
    return event_of(event, agency, tuple(dict.fromkeys(names)), canonical, calendar, is_portal=is_portal)


@dataclass(frozen=True, slots=True)
class Dossiers:
    """The step: asks the register what was said, and the ledger for the messages that said it."""

    register: DossierRegister
    ledger: Ledger
    catalog: Callable[[], Catalog]
    calendar: Callable[[], Calendar]
    clock: Clock
    #: What this process is called in the journal.
    owner: str
    #: Codes that could not be worked out -> when that is tried again.
    _later: dict[str, float] = field(default_factory=dict)
    #: One of the two works at a time, so that what was told of is not forgotten by a head that was read before.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def view(self, code: str) -> Dossier | None:
        """A dossier by its code as anybody writes it, with its record; None of an unknown one."""
        dossier = await self.course(code)
        if dossier is None:
            return None
        return await self._recorded(dossier, [step.told for step in dossier.steps if is_of_record(step)])

    async def view_for(self, code: str, agencies: Collection[str]) -> Dossier | None:
        """A dossier as one of its parties may see it, ``agencies`` being that one and its like; None for anybody else.

        Its record is made of what was sent by them or to them.
        """
        dossier = await self.course_for(code, agencies)
        return None if dossier is None else await self._recorded(dossier, readable_by(dossier, agencies))

    async def course_for(self, code: str, agencies: Collection[str]) -> Dossier | None:
        """The same without its record."""
        dossier = await self.course(code)
        return None if dossier is None or parties_in(dossier).isdisjoint(agencies) else dossier

    async def _recorded(self, dossier: Dossier, lines: Sequence[Told]) -> Dossier:
        data = await self.data_of(lines)
        return replace(dossier, record=await asyncio.to_thread(composed, dossier, data))

    async def course(self, code: str) -> Dossier | None:
        """A dossier by its code as anybody writes it, without its record; None of an unknown one."""
        plain = compared(code)
        story = await self.register.story(plain)
        if not story:
            return None
        dossier = await self._with_parts(await self._worked_out(plain, story))
        children = (*dossier.children, *await self.register.children(plain))
        return replace(dossier, children=tuple(dict.fromkeys(children)))

    async def heads(
        self, *, lead: str | None = None, status: int | None = None, is_late: bool = False, after: str = "", limit: int
    ) -> tuple[list[Head], str | None]:
        """Dossiers by code behind ``after``, and behind which to go on; None where that was all.

        ``is_late``: only those that are. They are looked for among so many at a time, so there may be fewer than
        ``limit`` though more follow.
        """
        found: list[Head] = []
        now, seen = self.clock.now(), 0
        while seen < _MOST_SEEN:
            many = max(limit, _PAGE) if is_late else limit
            page = await self.register.heads(lead=lead, status=status, after=after, limit=many)
            for head in page:
                after = head.code
                if not is_late or is_overdue(head, now):
                    found.append(head)
                if len(found) >= limit:
                    return found, after
            if len(page) < many:
                return found, None
            seen += len(page)
        return found, after

    async def tables(
        self, since: float, until: float, *, lead: str | None = None, by: Callable[[Head], str] = by_lead
    ) -> dict[str, Table]:
        """The tables of a period (``until`` is not included), of one agency or of all, ``by`` agency or otherwise."""
        found: dict[str, Table] = {}
        after: str | None = ""
        while after is not None:
            page = await self.register.ended(since, until, after=after, limit=_OF_TABLE)
            mine = [head for head in page if lead in {None, head.lead}]
            for name, part in (await asyncio.to_thread(tables_of, mine, since, until, by)).items():
                found[name] = found.get(name, Table()) + part
            after = page[-1].code if len(page) == _OF_TABLE else None
        return {name: found[name] for name in sorted(found)}

    async def children(self, code: str) -> Sequence[str]:
        """Codes of the dossiers that belong to this one."""
        return await self.register.children(compared(code))

    async def settle_once(self) -> int:
        """Work out anew where those stand of which something was said; answers how many. Done twice it does no harm."""
        async with self._turn:
            return await self._settle_all(self.clock.now())

    async def _settle_all(self, now: float) -> int:
        settled = 0
        for code in [code for code, at in self._later.items() if at <= now]:
            del self._later[code]
        while settled < _MOST:
            found = await self.register.unsettled(limit=_TOGETHER + len(self._later))
            codes = [code for code in found if code not in self._later][:_TOGETHER]
            if not codes:
                break
            done = await asyncio.gather(
                *(self._or_later(self._settle, code, now) for code in codes), return_exceptions=True
            )
            for each in done:
                if isinstance(each, BaseException):
                    raise each
            settled += len(codes)
        return settled

    async def look_once(self, now: float | None = None) -> int:
        """Tell of each deadline that was passed, once; answers of how many.

        In the journal, the log and a counter stand the dossier's code and whose deadline it was, nothing of anybody's.
        """
        async with self._turn:
            return await self._look_at_all(self.clock.now() if now is None else now)

    async def _look_at_all(self, now: float) -> int:
        told = 0
        seen: set[str] = set()
        while len(seen) < _MOST:
            left_out = seen | self._later.keys()
            found = await self.register.due(now, limit=_TOGETHER + len(left_out))
            codes = [head.code for head in found if head.code not in left_out][:_TOGETHER]
            if not codes:
                break
            for code in codes:
                told += await self._or_later(self._look, code, now) or 0
            seen.update(codes)
        return told

    async def _settle(self, code: str, _: float) -> None:
        parent = await self._settle_one(code)
        if parent:  # what was said of a part may have ended it there
            await self._settle_one(parent)

    async def _settle_one(self, code: str) -> str:
        """Keep the head of a dossier; answers the dossier that it belongs to."""
        story, kept = await self.register.story(code), await self.register.head(code)
        if not story:
            return ""
        dossier = await self._with_parts(await self._worked_out(code, story))
        await self.register.settle(head_with(dossier, story[-1].place, _warned(kept)))
        return dossier.parent

    async def _look(self, code: str, now: float) -> int:
        story, kept = await self.register.story(code), await self.register.head(code)
        if kept is None or not story:
            return 0
        dossier = await self._with_parts(await self._worked_out(code, story))
        late = missed(dossier, _warned(kept), now)
        head = head_with(dossier, story[-1].place, [*_warned(kept), *map(named, late)])
        rows = [AuditRow(now, self.owner, "dossier.overdue", _told(dossier, each)) for each in late]
        if not await self.register.settle(head, rows):
            return 0  # something was said at this very moment: the next round sees it
        for each in late:
            DOSSIERS_OVERDUE.labels("dossier" if each.hop is None else "hop").inc()
            log.warning("dossier.overdue", **_told(dossier, each))
        return len(late)

    async def _or_later(self, work: Any, code: str, now: float) -> Any:
        """One that cannot be worked out is told, put off for ten minutes, and holds back no other."""
        try:
            return await work(code, now)
        except Busy:  # it is not the dossier's fault
            raise
        except Exception:
            log.exception("step.failed", step=f"dossiers{work.__name__}", dossier=code)
            self._later[code] = now + _AGAIN
            return None

    async def data_of(self, lines: Sequence[Told]) -> dict[str, Mapping[str, Any]]:
        """What these messages brought, by their keys, each in the newest major of its contract.

        One whose body is no longer kept, or that no rules lead to there, is left out; so is what is beyond a bound.
        """
        found: dict[str, Mapping[str, Any]] = {}
        first, size = lines[:_FIRST_READ], 0
        for line in (*first, *lines[len(first) :][-_LAST_READ:]):
            envelope = await self.ledger.envelope(line.message)
            size += len(envelope or b"")
            if size > _MOST_BYTES:
                break
            data = None if envelope is None else await asyncio.to_thread(self._newest, envelope)
            if data is not None:
                found[line.message] = data
        return found

    def _newest(self, envelope: bytes) -> Mapping[str, Any] | None:
        event = Unread(envelope)
        name, label = parse_dataschema(event["dataschema"]) or ("", "")
        contract = self.catalog().contract(name)
        if contract is None:
            return None
        major, newest = int(label.partition(".")[0]), contract.majors()[-1]
        if major == newest:
            return cast("Mapping[str, Any]", event["data"])
        chain = self.catalog().translation(name, major, newest)
        return None if chain is None else chain.apply(event["data"])

    async def _with_parts(self, dossier: Dossier) -> Dossier:
        """With its parts as far as the dossiers are under whose codes other agencies work on them."""
        codes = dict.fromkeys([leg.hop.child for leg in dossier.legs if leg.hop.child and leg.ended_at is None])
        stories = {code: await self.register.story(code) for code in list(codes)[:_MOST_PARTS]}
        parts = {code: await self._worked_out(code, story) for code, story in stories.items() if story}
        return linked(dossier, parts) if parts else dossier

    async def _worked_out(self, code: str, story: Sequence[Told]) -> Dossier:
        if len(story) <= _LONG:
            return dossier_of(code, story, self.calendar())
        return await asyncio.to_thread(dossier_of, code, story, self.calendar())


def _warned(head: Head | None) -> tuple[Named, ...]:
    return () if head is None else head.warned


def _told(dossier: Dossier, late: Deadline) -> dict[str, Any]:
    hop = {} if late.hop is None else {"hop": late.hop.number}
    return {"dossier": dossier.code, "agency": late.agency, "due": late.due, **hop}
