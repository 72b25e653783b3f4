"""The kinds of rule that a translation may hold, each with what it writes and when nothing of a value is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

from gateway.core.forms import NUMBER_FORMS, read_day, read_moment, read_number, write_moment, write_number
from gateway.core.rule import ABSENT, Carried, Guarded, Page, Path, Place, copied, same, value_at, write_all


@dataclass(frozen=True, slots=True)
class Move:
    """``keep``, ``move``, ``copy``, ``rename``: a value as it is, with all that is in it."""

    source: Path
    target: Path

    @property
    def targets(self) -> tuple[Path, ...]:
        """The one place written."""
        return (self.target,)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The one place read."""
        return (self.source,)

    def write(self, record: Any, page: Page) -> None:
        """Write a copy of the value."""
        value = value_at(record, self.source)
        if value is not ABSENT and page.put(self.target, copied(value)):
            page.carry(self.source, self.target, exact=True)


@dataclass(frozen=True, slots=True)
class Remove:
    """``remove``: a loss that the author chose; writes nothing, and says that nothing was forgotten."""

    source: Path
    targets: tuple[Path, ...] = ()

    @property
    def sources(self) -> tuple[Path, ...]:
        """The place that is dropped on purpose."""
        return (self.source,)

    def write(self, record: Any, page: Page) -> None:
        """Write nothing."""


@dataclass(frozen=True, slots=True)
class Constant:
    """``constant`` and ``default``: a value of the author's; a default (``fills``) only where nothing stands yet."""

    value: Any
    target: Path
    fills: bool = False
    sources: tuple[Path, ...] = ()

    @property
    def targets(self) -> tuple[Path, ...]:
        """The one place written."""
        return (self.target,)

    def write(self, record: Any, page: Page) -> None:  # noqa: ARG002  (a constant depends on nothing)
        """Write the value."""
        page.put(self.target, copied(self.value))


def joined(parts: list[str], separator: str) -> str:
    """``parts`` with ``separator`` between them; parts missing at the end leave no separator behind."""
    while parts and not parts[-1]:
        parts = parts[:-1]
    return separator.join(parts)


@dataclass(frozen=True, slots=True)
class Join:
    """``join``: several texts in one, cut at ``limit`` characters; a missing one counts as empty."""

    sources: tuple[Path, ...]
    separator: str
    target: Path
    limit: int

    @property
    def targets(self) -> tuple[Path, ...]:
        """The one place written."""
        return (self.target,)

    def write(self, record: Any, page: Page) -> None:
        """Write the joined text; exact where splitting it again gives the same parts."""
        values = [value_at(record, source) for source in self.sources]
        parts = [value if isinstance(value, str) else "" for value in values]
        text = joined(parts, self.separator)
        if not text or not page.put(self.target, text[: self.limit]):
            return
        again = text[: self.limit].split(self.separator, len(parts) - 1)
        exact = again + [""] * (len(parts) - len(again)) == parts
        for source, part in zip(self.sources, parts, strict=True):
            if part:
                page.carry(source, self.target, exact=exact)


@dataclass(frozen=True, slots=True)
class Split:
    """``split``: one text into several at the first separators, each cut at ``limit``; empty parts are left out."""

    source: Path
    separator: str
    targets: tuple[Path, ...]
    limit: int

    @property
    def sources(self) -> tuple[Path, ...]:
        """The one place read."""
        return (self.source,)

    def write(self, record: Any, page: Page) -> None:
        """Write the parts; exact where joining them again gives the same text."""
        value = value_at(record, self.source)
        if not isinstance(value, str):
            return
        parts = [part[: self.limit] for part in value.split(self.separator, len(self.targets) - 1)]
        exact = joined(parts, self.separator) == value
        for target, part in zip(self.targets, parts, strict=False):
            if part and page.put(target, part):
                page.carry(self.source, target, exact=exact)


class Otherwise(NamedTuple):
    """What becomes of a value that a rule cannot turn: kept as it is, dropped, or replaced by ``value``."""

    keep: bool = False
    value: Any = ABSENT


def settle(otherwise: Otherwise, value: Any, source: Path, target: Path, page: Page, *, exact: bool) -> None:
    """Write what ``otherwise`` says for ``value``; only a kept value may count as carried whole."""
    if otherwise.keep:
        if page.put(target, copied(value)):
            page.carry(source, target, exact=exact)
    elif otherwise.value is not ABSENT:
        page.put(target, copied(otherwise.value))


class Code(NamedTuple):
    """One line of a code list, in force from ``since`` to ``until`` (both days included)."""

    source: Any
    target: Any
    since: date | None = None
    until: date | None = None

    def in_force(self, day: date | None) -> bool:
        """Whether the line holds on ``day``; a dated line never holds on an unknown day."""
        if self.since is None and self.until is None:
            return True
        return day is not None and (self.since or day) <= day <= (self.until or day)


@dataclass(frozen=True, slots=True)
class Recode:
    """``map``: a code of one list into a code of the other, by the lines in force on the day found at ``on``."""

    source: Path
    target: Path
    codes: tuple[Code, ...]
    on: Path | None
    otherwise: Otherwise

    @property
    def targets(self) -> tuple[Path, ...]:
        """The one place written."""
        return (self.target,)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The one place read."""
        return (self.source,)

    def write(self, record: Any, page: Page) -> None:
        """Write the other list's code; exact where no other line leads to the same code."""
        value = value_at(record, self.source)
        if value is ABSENT:
            return
        day = None if self.on is None else read_day(value_at(record, self.on))
        line = next((code for code in self.codes if same(code.source, value) and code.in_force(day)), None)
        if line is None:
            alone = not any(same(code.target, value) for code in self.codes)
            settle(self.otherwise, value, self.source, self.target, page, exact=alone)
        elif page.put(self.target, copied(line.target)):
            alone = sum(same(code.target, line.target) for code in self.codes) == 1
            page.carry(self.source, self.target, exact=alone)


@dataclass(frozen=True, slots=True)
class Reform:
    """``date`` and ``number``: the same day, moment or number in another form."""

    source: Path
    target: Path
    given: str
    wanted: str
    offset: timedelta
    width: int
    otherwise: Otherwise

    @property
    def targets(self) -> tuple[Path, ...]:
        """The one place written."""
        return (self.target,)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The one place read."""
        return (self.source,)

    def write(self, record: Any, page: Page) -> None:
        """Write the new form; exact where turning it back gives the same value."""
        value = value_at(record, self.source)
        if value is ABSENT:
            return
        turned = self._turned(value, self.given, self.wanted)
        if turned is ABSENT:
            settle(self.otherwise, value, self.source, self.target, page, exact=False)
        elif page.put(self.target, turned):
            exact = same(self._turned(turned, self.wanted, self.given), value)
            page.carry(self.source, self.target, exact=exact)

    def _turned(self, value: Any, given: str, wanted: str) -> Any:
        if given in NUMBER_FORMS:
            number = read_number(value, given)
            return ABSENT if number is None else write_number(number, wanted, self.width)
        moment = read_moment(value, given, self.offset)
        return ABSENT if moment is None else write_moment(moment, wanted, self.offset)


@dataclass(frozen=True, slots=True)
class Each:
    """``each``: the items of an array one by one, by rules of their own; a single value counts as an array of one."""

    source: Path
    target: Path
    rules: tuple[Guarded, ...]
    first: bool

    @property
    def targets(self) -> tuple[Path, ...]:
        """The one place written."""
        return (self.target,)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The array read."""
        return (self.source,)

    def write(self, record: Any, page: Page) -> None:
        """Write the array of results, or with ``first`` the first item's result alone."""
        value = value_at(record, self.source)
        if value is ABSENT:
            return
        items: list[tuple[int | None, Any]] = [(None, value)]
        if isinstance(value, list):
            items = list(enumerate(value))
        results: list[Any] = []
        accounts: list[list[Carried]] = []
        for position, item in items[:1] if self.first else items:
            source: Place = self.source if position is None else (*self.source, position)
            target: Place = self.target if self.first else (*self.target, len(results))
            inner = Page(source=(*page.source, *source), target=(*page.target, *target))
            self._write_item(item, inner)
            if inner.root is not ABSENT:
                results.append(inner.root)
                accounts.append(inner.carried)
        if self.first and not results:
            return
        if page.put(self.target, results[0] if self.first else results):
            for account in accounts:
                page.carried.extend(account)
            if not items and not self.first:
                page.carry(self.source, self.target, exact=True)

    def _write_item(self, item: Any, page: Page) -> None:
        write_all(self.rules, item, page)
        whole = any(() in rule.targets for _, rule in self.rules)
        if page.root is ABSENT and not whole and isinstance(item, dict):
            page.root = {}
            if not item:
                page.carry((), (), exact=True)
