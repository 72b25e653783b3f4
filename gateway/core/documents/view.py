"""A document as its sender sees it: to whom it came, what each agency made of it, what became of each change. Pure.

What is derived (how far an agency is, its flags, what it agreed to, whether it holds a document that is in force) does
not depend on the order in which statuses arrived nor on how often: an agency's own time decides, and a repeat counts
once. The history shows everything as it arrived, repeats too, and what a system told that may not speak for the agency
it names: that stands there as its word, and nothing is derived from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from gateway.core.documents.changes import Answer, Change, Standing, answered, changes_of, standing_of
from gateway.core.documents.entry import DocumentEntry, EntryKind

#: How far an agency is with a document; the highest counts, whatever came later.
PROGRESS: Final = ("01", "03", "04", "05", "06")
#: What is shown beside that: refused to take it, asked back, agreed to a change, refused a change.
FLAGS: Final = ("02", "13", "15", "16")
#: States of deliveries, the one that is furthest from an end first: of several the first one is shown.
_TRANSPORT: Final = ("dead", "held", "blocked", "queued", "leased", "expired", "discarded", "delivered")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the register, with where its message is: the state of its delivery to each system."""

    place: int
    message: str
    accepted_at: float
    entry: DocumentEntry
    deliveries: Mapping[str, str]
    is_parked: bool = False
    source: str = ""

    @property
    def told_by(self) -> str | None:
        """The system whose word it is and no more; None where that may speak for whom it names."""
        return None if self.entry.is_vouched else self.source


@dataclass(frozen=True, slots=True)
class Told:
    """One status as it arrived: its own time and ours; ``is_repeat``: it says what was said before.

    ``told_by``: the system that told it, where that may not speak for the agency: then it counts for nothing.
    """

    code: str
    key: str
    message: str
    said_at: float | None
    accepted_at: float
    is_repeat: bool
    told_by: str | None = None


@dataclass(frozen=True, slots=True)
class Issue:
    """One message of the issuer: the document itself, sent again, or a change of it.

    ``told_by``: the system that sent it, where that may not speak for the issuer: then it counts for nothing.
    """

    kind: EntryKind
    key: str
    message: str
    accepted_at: float
    recipients: tuple[str, ...]
    told_by: str | None = None


@dataclass(frozen=True, slots=True)
class RecipientView:
    """What became of the document at one agency.

    ``transport``: the state of its delivery there, None where it was not sent there (somebody else reports), or that is
    no longer known.
    ``progress``: the highest of 01, 03, 04, 05, 06 that it told; ``flags``: which of 02, 13, 15, 16 were told.
    """

    agency: str
    transport: str | None
    progress: str | None
    flags: tuple[str, ...]
    standing: Standing
    changes: tuple[tuple[Change, Answer], ...]
    history: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class DocumentView:
    """The whole: ``is_known`` says whether the document itself came, or only reports on it."""

    key: str
    issuer: str
    document: str
    is_known: bool
    issued_on: str | None
    issues: tuple[Issue, ...]
    recipients: tuple[RecipientView, ...]

    @property
    def standing(self) -> Standing | Literal["mixed"]:
        """What it is everywhere; ``mixed`` where agencies differ."""
        sent_to = {agency for issue in self.issues if issue.told_by is None for agency in issue.recipients}
        kinds = {each.standing for each in self.recipients if each.agency in sent_to}
        return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "in-force"

    def for_agency(self, codes: frozenset[str]) -> DocumentView | None:
        """What an agency may see: its issuer all, any other its own part; None where it has none.

        ``codes``: its own, and those of the closed agencies in whose place it stands.
        """
        if self.issuer in codes:
            return self
        mine = tuple(each for each in self.recipients if each.agency in codes)
        if not mine:
            return None
        issues = tuple(
            replace(each, recipients=to)
            for each in self.issues
            if (to := tuple(code for code in each.recipients if code in codes))
        )
        # Who reports on what it was never sent learns nothing about it, not even whether it exists.
        is_party = bool(issues)
        day = self.issued_on if is_party else None
        return DocumentView(self.key, self.issuer, self.document, self.is_known and is_party, day, issues, mine)


def view_of(key: str, issuer: str, lines: Sequence[Line]) -> DocumentView | None:
    """The view from a document's story (``ports.documents.Register.story``); None where there is none."""
    if not lines:
        return None
    ordered = sorted(lines, key=lambda line: line.place)
    sent = [line for line in ordered if not line.entry.is_status]
    issued = [line for line in sent if line.entry.is_vouched]
    itself = [line for line in issued if line.entry.key == key and (key not in line.entry.concerned)]
    itself = itself or [line for line in issued if line.entry.key == key]
    told = [line for line in ordered if line.entry.is_status]
    # An answer to a change that the issuer never asked for says nothing of the document.
    keys = {key, *(line.entry.key for line in issued)}
    statuses = [line for line in told if line.entry.is_vouched and line.entry.key in keys]
    unheeded = [line for line in told if not (line.entry.is_vouched and line.entry.key in keys)]
    changes = changes_of(key, issued, statuses)
    agencies = dict.fromkeys(agency for line in issued for agency in line.entry.recipients)
    agencies |= dict.fromkeys(line.entry.reporter for line in told if line.entry.reporter != issuer)
    agencies |= dict.fromkeys(agency for change in changes for agency in change.agencies)
    heeded = (line for line in ordered if line.entry.is_vouched and line.entry.key in keys)
    first = itself[0] if itself else next(heeded, ordered[0])
    return DocumentView(
        key=key,
        issuer=issuer,
        document=first.entry.document or key,
        is_known=bool(itself),
        issued_on=first.entry.issued_on,
        issues=tuple(
            Issue(line.entry.kind, line.entry.key, line.message, line.accepted_at, line.entry.recipients, line.told_by)
            for line in sent
        ),
        recipients=_recipients(agencies, key, itself, statuses=statuses, changes=changes, unheeded=unheeded),
    )


def _recipients(
    agencies: Iterable[str],
    key: str,
    itself: Sequence[Line],
    *,
    statuses: Sequence[Line],
    changes: Sequence[Change],
    unheeded: Sequence[Line],
) -> tuple[RecipientView, ...]:
    # Sorted out once: a document may go to a thousand agencies, each with statuses of its own.
    told: dict[str, list[Line]] = {}
    shown: dict[str, list[Line]] = {}
    for line in statuses:
        told.setdefault(line.entry.reporter, []).append(line)
    for line in (*statuses, *unheeded):
        concerned = {line.entry.reporter, *(line.entry.recipients if line.entry.code == "13" else ())}
        for agency in concerned:
            shown.setdefault(agency, []).append(line)
    sent = [_Sent.of(line) for line in itself]
    return tuple(
        _recipient(agency, key, sent, changes, told=told.get(agency, ()), shown=shown.get(agency, ()))
        for agency in agencies
    )


def _recipient(
    agency: str,
    key: str,
    sent: Sequence[_Sent],
    changes: Sequence[Change],
    *,
    told: Sequence[Line],
    shown: Iterable[Line],
) -> RecipientView:
    mine = [change for change in changes if agency in change.agencies]
    answers = answered(key, mine, told)
    codes = {code for line in told if line.entry.key == key for code, _ in line.entry.told}
    flags = codes | {code for line in told for code, _ in line.entry.told if code in {"15", "16"}}
    if any(change.kind == "cancel" for change in mine):
        flags.add("13")
    return RecipientView(
        agency=agency,
        transport=_transport(agency, sent),
        progress=max((code for code in codes if code in PROGRESS), key=PROGRESS.index, default=None),
        flags=tuple(code for code in FLAGS if code in flags),
        standing=standing_of(answers),
        changes=tuple(answers),
        history=tuple(_history(shown)),
    )


def _history(lines: Iterable[Line]) -> Iterable[Told]:
    """What the agency said and what it was told (13), as it arrived."""
    seen: set[tuple[str, str, str, float | None, str | None]] = set()
    for line in sorted(lines, key=lambda line: line.place):
        for code, said_at in line.entry.told:
            what = line.entry.reporter, line.entry.key, code, said_at, line.told_by
            yield Told(code, line.entry.key, line.message, said_at, line.accepted_at, what in seen, line.told_by)
            seen.add(what)


class _Sent(NamedTuple):
    """A message of the document itself: whom it was for, and its states by the code of each system's agency.

    ``besides``: the states on the way to systems of agencies that it was not for.
    """

    recipients: frozenset[str]
    states: Mapping[str, frozenset[str]]
    besides: frozenset[str]

    @classmethod
    def of(cls, line: Line) -> _Sent:
        recipients = frozenset(line.entry.recipients)
        states: dict[str, set[str]] = {}
        for system, state in line.deliveries.items():
            states.setdefault(system.partition("/")[0], set()).add(state)
        besides = frozenset(state for code, found in states.items() if code not in recipients for state in found)
        return cls(recipients, {code: frozenset(found) for code, found in states.items()}, besides)


def _transport(agency: str, sent: Sequence[_Sent]) -> str | None:
    """Where the youngest message of the document to this agency is.

    An agency without a system of its own is reached by way of others': then where it is on its way to these.
    """
    for one in reversed(sent):
        if agency in one.recipients:
            states = one.states.get(agency) or one.besides
            return next((state for state in _TRANSPORT if state in states), None)
    return None
