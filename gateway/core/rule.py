"""One rule of a translation between two majors of a contract: what it reads, what it writes, what it loses.

A translation builds its result from nothing: what no rule writes is not there, so an unknown member can never
slip under a name that means something else in the other major. Every rule is total. Where its source is absent,
or is of a kind that the rule does not turn, it writes nothing; where its target is already written, the first
rule stands. No rule evaluates an expression, matches a pattern, calls Python or reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

#: Where a rule reads or writes: member names from the record (or the item) down; () is the whole of it.
Path = tuple[str, ...]
#: Where a value stands in the data: member names and array positions.
Place = tuple[str | int, ...]


class _Absent:
    """The value of what is not there; JSON's null is something that is there."""

    __slots__ = ()


ABSENT: Final = _Absent()


class Carried(NamedTuple):
    """One value that reached the result: from where to where, and whether nothing of it was lost on the way."""

    source: Place
    target: Place
    exact: bool


def value_at(record: Any, path: Path) -> Any:
    """The value at ``path`` in ``record`` (members only, never array positions), or ``ABSENT``."""
    for name in path:
        if not isinstance(record, dict) or name not in record:
            return ABSENT
        record = record[name]
    return record


def copied(value: Any) -> Any:
    """``value`` with arrays and objects of its own, so that nobody's input is ever written to."""
    if isinstance(value, dict):
        return {name: copied(member) for name, member in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


def same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1, 1 is 1.0."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


@dataclass(slots=True)
class Page:
    """The result while it is being written, with an account of where each part came from."""

    source: Place = ()
    target: Place = ()
    root: Any = ABSENT
    carried: list[Carried] = field(default_factory=list)

    def put(self, path: Path, value: Any) -> bool:
        """Write ``value`` at ``path`` unless something stands there already; whether it was written."""
        if not path:
            if self.root is not ABSENT:
                return False
            self.root = value
            return True
        if self.root is ABSENT:
            self.root = {}
        place = self.root
        for name in path[:-1]:
            if not isinstance(place, dict):
                return False
            place = place.setdefault(name, {})
        if not isinstance(place, dict) or path[-1] in place:
            return False
        place[path[-1]] = value
        return True

    def carry(self, source: Place, target: Place, *, exact: bool) -> None:
        """Note that ``source`` reached ``target``; both relative to this page."""
        self.carried.append(Carried((*self.source, *source), (*self.target, *target), exact))


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds where the value at ``at`` is one of ``values``; without ``values``, where it is there or not."""

    at: Path
    values: tuple[Any, ...] | None = None
    present: bool = True

    def holds(self, record: Any) -> bool:
        """Whether ``record`` fulfils the condition."""
        value = value_at(record, self.at)
        if self.values is None:
            return (value is not ABSENT) is self.present
        return any(same(value, each) for each in self.values)


class Rule(Protocol):
    """What every rule promises: which places it writes and reads, and to write them without ever failing."""

    @property
    def targets(self) -> tuple[Path, ...]:
        """The places that the rule may write."""

    @property
    def sources(self) -> tuple[Path, ...]:
        """The places that the rule reads (and hands on, or drops on purpose)."""

    def write(self, record: Any, page: Page) -> None:
        """Read ``record``, write to ``page``."""


#: A rule and the condition under which it applies, if it has one.
Guarded = tuple[Condition | None, Rule]


def write_all(rules: tuple[Guarded, ...], record: Any, page: Page) -> None:
    """Apply ``rules`` in their order to one record."""
    for condition, rule in rules:
        if condition is None or condition.holds(record):
            rule.write(record, page)
