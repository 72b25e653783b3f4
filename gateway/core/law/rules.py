"""The law in force as the bus applies it: rules with dates and parameters, the calendar, the words that alarm.

Pure; everything here comes from data (``gateway.config.law``) and is asked with a moment. A rule says nothing by
itself: what it asks of whom follows from its kind, and each kind is a few lines here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final, Literal

from gateway.core.calendar import Calendar
from gateway.core.directory import Directory
from gateway.core.documents.entry import DocumentEntry, EntryKind, Obligation
from gateway.core.dossiers.deadline import Limits
from gateway.core.envelope import Event
from gateway.core.faults import Text
from gateway.core.law.deadlines import Term
from gateway.core.law.watchwords import Watch
from gateway.core.moments import VIET_NAM, day_of, parse_moment

#: ``dispatch``: by when a document has to be sent. ``answer``: what those who were sent something owe.
RuleKind = Literal["dispatch", "answer"]
#: What a reminder's text may name.
PLACES: Final = ("{document}", "{owed_by}", "{owed_to}", "{due}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, in force from ``valid_from`` to ``valid_until`` (both included; None: until further notice).

    ``due``: how long there is; ``urgent``: the same by position of the envelope's priority where it is another.
    Of kind ``answer``: ``of``, the kinds of documents that are owed an answer; ``answered_by``, the codes of statuses
    that are one; ``escalate``, when a reminder that did not help is followed by the next level
    (None: never).
    """

    id: str
    kind: RuleKind
    basis: str
    valid_from: date
    valid_until: date | None
    title: Text
    text: Text
    due: Term
    urgent: Mapping[int, Term] = field(default_factory=dict)
    of: frozenset[EntryKind] = frozenset()
    answered_by: tuple[str, ...] = ()
    escalate: Term | None = None
    escalation: Text | None = None

    def is_in_force(self, day: date) -> bool:
        """Whether ``day`` lies within the rule's dates."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    def term(self, priority: int) -> Term:
        """How long there is at this priority (0 normal to 3 express)."""
        return self.urgent.get(priority, self.due)


@dataclass(frozen=True, slots=True)
class Late:
    """A document that came to the bus after it had to be sent: by which rule, and by when that was."""

    rule: Rule
    due: float


@dataclass(frozen=True, slots=True)
class Law:
    """Every rule, the calendar they are counted on, the words that alarm. Empty, it asks nothing of anybody."""

    calendar: Calendar = field(default_factory=Calendar)
    rules: tuple[Rule, ...] = ()
    watch: Watch = field(default_factory=Watch)
    #: What units that deal with dossiers have to keep.
    dossiers: tuple[Limits, ...] = ()

    def limits(self, day: date) -> Limits | None:
        """What units have to keep on ``day``; of several the one that came into force last."""
        in_force = [each for each in self.dossiers if each.is_in_force(day)]
        return max(in_force, key=lambda each: each.valid_from, default=None)

    def rule(self, id: str) -> Rule | None:
        """The rule with this id, in force or not."""
        return next((each for each in self.rules if each.id == id), None)

    def obligations(self, entry: DocumentEntry, *, priority: int, at: float) -> tuple[Obligation, ...]:
        """What the recipients of ``entry``, accepted ``at`` with this priority (0 to 3), owe by the rules of that day.

        Who says it owes nothing to itself, nor does the document's issuer for its own document.
        """
        day = day_of(at)
        rules = [each for each in self.rules if entry.kind in each.of and each.is_in_force(day)]
        if not rules:
            return ()
        own = entry.reporter, entry.issuer
        owing = [each for each in dict.fromkeys(entry.recipients) if each not in own]
        return tuple(
            [
                Obligation(agency, rule.id, due, rule.answered_by)
                for rule, due in [(each, self.due(each, priority, at)) for each in rules]
                for agency in owing
            ]
        )

    def due(self, rule: Rule, priority: int, since: float) -> float:
        """When the rule's term ends that began at ``since``."""
        return rule.term(priority).after(since, self.calendar)

    def lateness(self, entry: DocumentEntry, *, source: str, priority: int, at: float) -> Late | None:
        """Whether a document that came ``at`` from agency ``source`` came later than it had to; None where in time.

        Nothing can be said of one whose day is not known, or that somebody else than its issuer passes on.
        """
        if entry.is_status or entry.issued_on is None or source != entry.issuer:
            return None
        late = self.dispatch(entry.issued_on, priority=priority, at=at)
        return late if late is not None and late.due < at else None

    def dispatch(self, issued_on: str | None, *, priority: int, at: float) -> Late | None:
        """By when a document of that day (``YYYY-MM-DD``) had to be sent, by the rules of the day ``at``.

        Of several rules the one that ends first; a day that is none, or lies ahead, counts as the day ``at``.
        """
        signed = _begin_of(issued_on, at)
        rules = [each for each in self.rules if each.kind == "dispatch" and each.is_in_force(day_of(at))]
        found = [Late(each, self.due(each, priority, signed)) for each in rules]
        return min(found, key=lambda each: each.due, default=None)


def owed(law: Law, directory: Directory, entry: DocumentEntry, event: Event, now: float) -> tuple[Obligation, ...]:
    """What is owed for an accepted document by the directory of the day.

    What is sent to a code that is closed is owed by the agency that stands in its place, as it is the one that answers.
    """
    day = day_of(now)
    living = [directory.recipient(code, day) for code in entry.recipients]
    codes = tuple([code if there is None else there.code for code, there in zip(entry.recipients, living, strict=True)])
    there = entry if codes == entry.recipients else replace(entry, recipients=codes)
    return law.obligations(there, priority=event.priority, at=now)


def worded(text: Text, *, document: str, owed_by: str, owed_to: str, due: float) -> Text:
    """``text`` with its places filled in; moments as people in Viet Nam write them."""
    moment = datetime.fromtimestamp(due, VIET_NAM).strftime("%H:%M %d/%m/%Y")
    values = dict(zip(PLACES, (document, owed_by, owed_to, moment), strict=True))
    return Text(_filled(text.vi, values), _filled(text.en, values))


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Each place filled once, from left to right: what is filled in is never looked at again."""
    parts: list[str] = []
    rest = text
    while rest:
        before, brace, after = rest.partition("{")
        parts.append(before)
        place = f"{{{after.partition('}')[0]}}}" if brace else ""
        if place in values:
            parts.append(values[place])
            rest = after.partition("}")[2]
        else:
            parts.append(brace)
            rest = after
    return "".join(parts)


def _begin_of(day: str | None, at: float) -> float:
    """The first moment of a day in Viet Nam; ``at`` where it is none, or has not come yet."""
    midnight = None if day is None else parse_moment(f"{day}T00:00:00+07:00")
    return at if midnight is None or midnight > at else midnight
