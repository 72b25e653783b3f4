"""What a new list of agencies would change: entry by entry, counted, and marked where it looks wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gateway.core.agency_list import AgencyList, Entry
from gateway.core.faults import Text

Kind = Literal["added", "gone", "renamed", "moved", "aliases", "closed", "carrier", "level"]
#: In the order in which they are told, with their names for people.
KINDS: Final[Mapping[Kind, Text]] = {
    "gone": Text("không còn trong danh sách", "gone"),
    "closed": Text("đóng mã hoặc đổi cơ quan kế thừa", "closed, or another successor"),
    "moved": Text("đổi cấp trên", "moved below another agency"),
    "renamed": Text("đổi tên", "renamed"),
    "aliases": Text("đổi mã khác", "other codes changed"),
    "carrier": Text("đổi hệ thống chuyển hộ", "another carrier"),
    "level": Text("đổi cấp", "another level"),
    "added": Text("mới", "added"),
}
#: Changes of one kind that are kept with a proposal; all of them are counted.
SHOWN: Final = 500
#: More than this share of the old list gone looks like a list that was cut.
_SUSPICIOUS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs about one agency: ``before`` and ``after`` in words, empty where there is nothing."""

    kind: Kind
    code: str
    name: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """From a list of ``before`` entries to one of ``after``: how many of each kind, and the first of each."""

    before: int
    after: int
    counts: Mapping[str, int] = field(default_factory=dict)
    shown: tuple[Change, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the lists say the same."""
        return not self.counts

    @property
    def is_suspicious(self) -> bool:
        """Whether more than a tenth of what there was is gone."""
        return self.counts.get("gone", 0) > _SUSPICIOUS * self.before

    def as_json(self) -> dict[str, Any]:
        """As it is kept and shown to programs."""
        return {
            "before": self.before,
            "after": self.after,
            "suspicious": self.is_suspicious,
            "counts": {kind: self.counts[kind] for kind in KINDS if kind in self.counts},
            "changes": [
                {"kind": each.kind, "code": each.code, "name": each.name}
                | ({"before": each.before} if each.before else {})
                | ({"after": each.after} if each.after else {})
                for each in self.shown
            ],
        }


def changes(old: AgencyList | None, new: AgencyList) -> Changes:
    """What differs. Of each kind the first SHOWN are told, in order of codes."""
    counts: Counter[str] = Counter()
    shown: dict[str, list[Change]] = {kind: [] for kind in KINDS}
    for each in _every(old, new):
        counts[each.kind] += 1
        if len(shown[each.kind]) < SHOWN:
            shown[each.kind].append(each)
    told = tuple(each for kind in KINDS for each in shown[kind])
    return Changes(0 if old is None else old.count, new.count, dict(counts), told)


def _every(old: AgencyList | None, new: AgencyList) -> Iterator[Change]:
    before = iter(()) if old is None else old.lines()
    for one, other in _beside(before, new.lines()):
        if one is None and other is not None:
            entry = Entry.of_line(other)
            yield Change("added", entry.code, entry.name, after=_closing(entry))
        elif one is not None and other is None:
            entry = Entry.of_line(one)
            yield Change("gone", entry.code, entry.name, before=_closing(entry))
        elif one is not None and other is not None and one != other:
            yield from _differing(Entry.of_line(one), Entry.of_line(other))


def _beside(before: Iterable[bytes], after: Iterable[bytes]) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Lines of two lists in order of codes, those with one code beside each other."""
    ones, others = iter(before), iter(after)
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        first = None if one is None else one.partition(b"\t")[0]
        second = None if other is None else other.partition(b"\t")[0]
        is_one = first is not None and (second is None or first <= second)
        is_other = second is not None and (first is None or second <= first)
        yield one if is_one else None, other if is_other else None
        one = next(ones, None) if is_one else one
        other = next(others, None) if is_other else other


def _differing(one: Entry, other: Entry) -> Iterator[Change]:
    said: tuple[tuple[Kind, str, str], ...] = (
        ("renamed", one.name, other.name),
        ("moved", one.parent or "", other.parent or ""),
        ("aliases", " ".join(one.aliases), " ".join(other.aliases)),
        ("closed", _closing(one), _closing(other)),
        ("carrier", one.via or "", other.via or ""),
        ("level", one.level, other.level),
    )
    for kind, before, after in said:
        if before != after:
            yield Change(kind, other.code, other.name, before, after)


def _closing(entry: Entry) -> str:
    """``2025-07-01 → H01``."""
    if entry.closed is None:
        return ""
    return entry.closed.isoformat() + (f" → {entry.successor}" if entry.successor else "")
