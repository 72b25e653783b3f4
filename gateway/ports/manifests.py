"""The promise of what keeps daily manifests: what passed on a day, what each side says of it, where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple, Protocol

from gateway.core.delivery import Delivery
from gateway.core.manifest_table import Row
from gateway.core.reconciliation import Direction, Form, Gap, Kind, Line, Section, Side, Summary
from gateway.ports.records import AuditRow


@dataclass(frozen=True, slots=True)
class Passed:
    """A message that passed between the bus and ``system``, as a line of that day.

    ``about``: the document or dossier that it speaks of, else its subject; ``parent``: the dossier to which that one
    belongs; ``code``: the status that it tells of a document.
    """

    system: str
    contract: str
    line: Line
    about: str
    parent: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What passed next; ``next`` is where to go on, None at the end of the day."""

    passed: Sequence[Passed]
    next: Any = None


@dataclass(frozen=True, slots=True)
class Wait:
    """A message that was handed over at ``since`` and is to be dealt with by ``due``."""

    system: str
    contract: str
    id: str
    agency: str
    about: str
    day: date
    since: float
    due: float


@dataclass(frozen=True, slots=True)
class Reaction:
    """What ``agency`` said at ``at`` about something that it was sent by one of ``contracts``.

    ``is_processed``: it dealt with it; else it only said that it has it.
    """

    agency: str
    contracts: tuple[str, ...]
    about: str
    at: float
    is_processed: bool


class States(NamedTuple):
    """How many of a manifest the transport took, the receiver itself acknowledged, and somebody dealt with."""

    delivered: int
    accepted: int
    processed: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day that was gathered, and when it was compared last."""

    day: date
    gathered_at: float
    compared_at: float | None = None


class Manifests(Protocol):
    """Keeps manifests. Each call is one transaction; none of them is part of accepting or delivering anything."""

    async def passed(self, direction: Direction, since: float, until: float, *, after: Any, limit: int) -> Page:
        """What the bus accepted (``sent``) or handed over (``received``) in that time, each once and in one order.

        An indexed range: it costs as much as passed in that time, however much is stored.
        """

    async def keep(self, side: Side, lines: Sequence[tuple[Section, Line]]) -> None:
        """Keep lines; one that is there already is replaced."""

    async def forget(self, section: Section, side: Side, *, start: str = "", until: str = "") -> None:
        """Forget the lines of a range of ids."""

    async def lines(
        self, section: Section, side: Side, *, start: str = "", until: str = "", after: str | None = None, limit: int
    ) -> list[Line]:
        """Lines of a range in rising order of ids, behind ``after``."""

    async def sections(self, day: date, side: Side) -> list[Section]:
        """The sections of a day of which there are lines, in order."""

    async def summarise(self, summaries: Sequence[Summary]) -> None:
        """Keep what a side says of sections; it replaces what that side said before."""

    async def summaries(self, day: date, *, system: str | None = None, side: Side | None = None) -> list[Summary]:
        """What was said of a day, by section."""

    async def states(self, day: date, system: str | None = None) -> Mapping[Section, States]:
        """How far what was handed over on a day has come."""

    async def elsewhere(self, section: Section, side: Side, ids: Sequence[str]) -> set[str]:
        """Which of these ids that side lists for the system and direction on any other day, or in another contract."""

    async def wait(self, waits: Sequence[Wait]) -> None:
        """Remember what is to be dealt with; what is known already stays as it is."""

    async def react(self, reactions: Sequence[Reaction]) -> None:
        """Note what agencies said about what they were sent before that moment."""

    async def overdue(self, now: float, limit: int) -> list[Wait]:
        """What should have been dealt with by now and was not, and was not told yet; the longest overdue first."""

    async def days(self, limit: int = 62) -> list[Day]:
        """Days that were gathered, the youngest first."""

    async def mark(self, day: Day) -> None:
        """Keep when a day was gathered and compared."""

    async def settle(
        self, section: Section, kinds: Sequence[Kind], gaps: Sequence[Gap], *, now: float, audit: AuditRow | None
    ) -> list[Gap]:
        """The gaps of a section of these kinds are these: keeps new ones, opens again what had ended, ends the others.

        Answers those that were not open before; ``audit`` is written where there are such.
        """

    async def note(self, gaps: Sequence[Gap], audit: AuditRow) -> list[Gap]:
        """Keep gaps beside those there are; answers the new ones. ``audit`` is written where there are such."""

    async def close(self, now: float) -> int:
        """End gaps that are none any more: listed meanwhile by the side that lacked it, or dealt with."""

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
        """Gaps by day, system, direction, contract, kind and id; ``after``: :func:`place_of` the last one seen."""

    async def take_up(self, gaps: Sequence[Gap], operation: str) -> None:
        """Note by which operation these are sent again."""

    async def repeat(self, deliveries: Sequence[Delivery]) -> int:
        """Keep second deliveries of messages that are kept, each id once; answers how many are new."""

    async def retire(self, before: date, limit: int) -> int:
        """Forget lines of days before, at most so many, with what was said of such days; answers how many lines."""


def place_of(gap: Gap) -> tuple[Any, ...]:
    """What tells a gap apart from all others, in their order."""
    return (gap.section.day.isoformat(), *gap.section[1:], gap.kind, gap.id)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a system says of one of its sections, or of the ids of it from ``start`` on and before ``until``.

    ``lines``: its ids, in any order; None where it gives its count and root alone. ``contract`` empty: it does not
    know; the bus looks where each of the ids stands. ``root`` None: as the lines make it.
    """

    direction: Direction
    contract: str
    lines: Sequence[Line] | None
    form: Form = "digests"
    count: int | None = None
    root: str | None = None
    start: str = ""
    until: str = ""


class Stating(Protocol):
    """An adapter whose system can be asked for its side of a day; beside what it is else."""

    async def fetch_manifest(self, day: date) -> Sequence[Statement] | None:
        """All that the system sent and received on a day in Viet Nam; None where it does not say yet.

        Raises as ``deliver`` does.
        """


def statements_of(rows: Iterable[Row], direction: Direction) -> list[Statement]:
    """What a table says, by direction and contract; ids alone where any digest is missing. An empty one: nothing."""
    found: dict[tuple[Direction, str], list[Line]] = {}
    for row in rows:
        found.setdefault((row.direction, row.contract), []).append(Line(row.id, row.digest))
    if not found:
        return [Statement(direction, "", (), "ids")]
    return [
        Statement(way, contract, lines, "digests" if all(line.digest for line in lines) else "ids")
        for (way, contract), lines in sorted(found.items())
    ]
