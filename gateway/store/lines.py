"""What becomes of the register while messages are kept one after the other: shared by stores with rows.

A store asks its tables what :class:`Wanted` names, tells it to :class:`Lines`, lets it keep each message in turn, and
writes the rows that came of it: all in the transaction that keeps the messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.core.documents.entry import DocumentEntry, Obligation
from gateway.core.documents.matching import (
    CHANGE_ANSWERS,
    Brought,
    Sent,
    Served,
    already_served,
    is_answered,
    lines_of,
    open_obligations,
    place_of_note,
    served_before,
)
from gateway.ports import NewMessage
from gateway.store.entries import MATCHED, WAITING, codes_text, notes_text, row_of

#: A document: its key and its issuer.
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be known before messages are kept; each list without doubles, in order."""

    #: Documents that come. Which statuses are there on these, and on what those change that may come again?
    issued: tuple[Name, ...]
    told: tuple[Name, ...]
    #: Documents that statuses report on: are they there, and what is owed for them? Those whose change is answered.
    reported: tuple[Name, ...]
    changed: tuple[Name, ...]
    #: Documents that go only where they were not sent before: to whom were they?
    second: tuple[Name, ...]

    @classmethod
    def of(cls, messages: Iterable[NewMessage]) -> Wanted | None:
        """None where no message speaks of a document."""
        issued: dict[Name, None] = {}
        told: dict[Name, None] = {}
        reported: dict[Name, None] = {}
        changed: dict[Name, None] = {}
        second: dict[Name, None] = {}
        for new in messages:
            entry = new.entry
            if entry is None:
                continue
            name = entry.key, entry.issuer
            if entry.is_status:
                reported[name] = None
                if any(code in CHANGE_ANSWERS for code, _ in entry.told):
                    changed[name] = None
            else:
                issued[name] = told[name] = None
                if new.unless_served:
                    second[name] = None
                    told |= dict.fromkeys([(key, entry.issuer) for key in entry.concerned])
        if not issued and not reported:
            return None
        return cls(tuple(issued), tuple(told), tuple(reported), tuple(changed), tuple(second))

    @property
    def every(self) -> tuple[Name, ...]:
        """All documents that messages speak of."""
        return tuple(dict.fromkeys([*self.issued, *self.reported]))


@dataclass(slots=True)
class _Status:
    """A status that is there: in the tables at ``place``, or as row ``at`` of those that will be inserted."""

    entry: DocumentEntry
    parked: int
    place: int
    at: int | None = None


@dataclass(slots=True)
class Lines:
    """The register as far as a batch of messages needs it, and the rows that follow from them."""

    #: What the tables say. Documents that are there; open duties by place, agency and name, with the line they are for;
    #: lines of documents that may be the same as one that comes, by place.
    known: set[Name] = field(default_factory=set)
    duties: dict[tuple[int, str, str], tuple[Obligation, DocumentEntry]] = field(default_factory=dict)
    sent: dict[int, Sent] = field(default_factory=dict)
    _statuses: dict[Name, list[_Status]] = field(default_factory=dict)
    #: What is to be written.
    rows: list[list[Any]] = field(default_factory=list)
    changes: list[tuple[str, int]] = field(default_factory=list)
    owed: dict[tuple[int, str, str], Obligation] = field(default_factory=dict)
    closed: list[tuple[int, str, str]] = field(default_factory=list)
    taken_in: list[int] = field(default_factory=list)
    noted: set[int] = field(default_factory=set)

    def there(self, place: int, parked: int, entry: DocumentEntry) -> None:
        """A status that the tables hold."""
        if entry.is_vouched:
            self._statuses.setdefault((entry.key, entry.issuer), []).append(_Status(entry, parked, place))

    def served(self, new: NewMessage) -> Served | None:
        """Who was served before, where for that the message must not be kept; that it came is noted."""
        entry = new.entry
        if entry is None or not new.unless_served:
            return None
        same = lines_of(entry, self.sent.values())
        item = Brought(new.source, new.key, entry.recipients, new.recipients)
        names = [(key, entry.issuer) for key in (entry.key, *entry.concerned)]
        statuses = [(each.place, each.entry) for name in names for each in self._statuses.get(name, ())]
        before = served_before(item, entry, same, statuses)
        if not already_served(entry, new.recipients, before):
            return None
        if (place := place_of_note(item, same)) is not None:
            line = self.sent[place]
            self.sent[place] = line._replace(again=(*line.again, item))
            self.noted.add(place)
        return before

    def keep(self, place: int, new: NewMessage) -> None:
        """The line of a message that is kept at ``place``, and what follows from it."""
        entry = new.entry
        if entry is None:
            return
        name = entry.key, entry.issuer
        parked = WAITING if entry.is_status and entry.is_vouched and name not in self.known else MATCHED
        self.rows.append([place, *row_of(entry), parked])
        self.changes += [(key, place) for key in entry.concerned]
        if not entry.is_vouched:
            return
        if entry.is_status:
            self._statuses.setdefault(name, []).append(_Status(entry, parked, place, len(self.rows) - 1))
            self._answer(entry)
            return
        self.sent[place] = Sent(place, entry, Brought(new.source, new.key, entry.recipients, new.recipients))
        self.known.add(name)
        if entry.obligations or name in self._statuses:
            self._owe(place, entry, self._statuses.get(name, ()))

    def _answer(self, status: DocumentEntry) -> None:
        for id_, (owed, line) in list(self.duties.items()):
            if is_answered(owed, line, status):
                del self.duties[id_]
                if self.owed.pop(id_, None) is None:
                    self.closed.append(id_)

    def _owe(self, place: int, line: DocumentEntry, statuses: Sequence[_Status]) -> None:
        for owed in open_obligations(line, [(each.entry, each.parked != MATCHED) for each in statuses]):
            id_ = place, owed.agency, owed.name
            self.owed[id_] = owed
            self.duties[id_] = owed, line
        for each in statuses:
            if each.parked == MATCHED:
                continue
            each.parked = MATCHED
            if each.at is None:
                self.taken_in.append(each.place)
            else:
                self.rows[each.at][-1] = MATCHED

    def note_rows(self) -> list[tuple[str, int]]:
        """What is noted with lines now: all their notes, and the place."""
        return [(notes_text(self.sent[place].again), place) for place in sorted(self.noted)]

    def duty_rows(self) -> list[tuple[Any, ...]]:
        """Rows of new duties: place, agency, name, codes, due, level, next."""
        return [
            (place, agency, name, codes_text(owed.answered_by), owed.due, 0, owed.due)
            for (place, agency, name), owed in self.owed.items()
        ]
