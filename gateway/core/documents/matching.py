"""What lines of the register do to one another: which duties a status closes, what was served before. Pure.

The stores ask these rules inside the transaction that keeps a message, so that all three of them do the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from gateway.core.documents.entry import DocumentEntry, Obligation

#: Answers to a recall, an update or a replacement: agreed, refused.
CHANGE_ANSWERS: Final = frozenset({"15", "16"})


class Served(NamedTuple):
    """Whom a document went to before: agencies, and the systems that were sent it."""

    agencies: frozenset[str]
    systems: frozenset[str]


class Brought(NamedTuple):
    """An item of a document as it came: from which system, as which message, for which agencies, to which systems."""

    source: str
    message: str
    agencies: tuple[str, ...]
    systems: tuple[str, ...]


class Sent(NamedTuple):
    """A line of the register as a second way sees it: the item that was kept, and those noted with it that were not."""

    place: int
    entry: DocumentEntry
    first: Brought
    again: tuple[Brought, ...] = ()


#: Of a name: source -> messages.
_Counts = dict[str, dict[str, set[str]]]


def is_answered(obligation: Obligation, line: DocumentEntry, status: DocumentEntry) -> bool:
    """Whether a status fulfils what an agency owes for a document.

    Its successor does it in a closed agency's place. It speaks of that document or, answering a change (15, 16), of the
    one that was to be changed. What its source may not say fulfils nothing.
    """
    if (
        not status.is_vouched
        or status.issuer != line.issuer
        or obligation.agency not in {status.reporter, *status.stands_for}
    ):
        return False
    codes = {code for code, _ in status.told} & set(obligation.answered_by)
    if status.key != line.key:
        return status.key in line.concerned and not codes.isdisjoint(CHANGE_ANSWERS)
    return bool(codes)


def open_obligations(line: DocumentEntry, statuses: Iterable[tuple[DocumentEntry, bool]]) -> list[Obligation]:
    """What is owed for a line that arrives now, each rule of an agency once, less what is answered already.

    ``statuses``: those on the same document so far, and whether each was parked until now. A line that changes a
    document under the same id is answered only by what was parked: the others answered the document itself. Nothing is
    owed for a line whose source may not speak for the issuer.
    """
    owed = {(each.agency, each.name): each for each in line.obligations}
    if not owed or not line.is_vouched:
        return []
    is_change = line.key in line.concerned
    there = [status for status, was_parked in statuses if was_parked or not is_change]
    return [each for each in owed.values() if not any(is_answered(each, line, status) for status in there)]


def is_refusal(line: DocumentEntry, status: DocumentEntry) -> bool:
    """Whether a status refuses a document (02), or a change to one (16): what comes after it is a new asking."""
    if status.issuer != line.issuer:
        return False
    codes = {code for code, _ in status.told}
    if status.key == line.key:
        return "02" in codes or (line.kind != "new" and "16" in codes)
    return status.key in line.concerned and "16" in codes


def lines_of(new: DocumentEntry, lines: Iterable[Sent]) -> list[Sent]:
    """The lines that are the document that comes, in order of places."""
    if new.fingerprint is None:
        return []
    same = (line for line in lines if (line.entry.fingerprint, line.entry.issuer) == (new.fingerprint, new.issuer))
    return sorted(same, key=lambda line: line.place)


def served_before(
    item: Brought, new: DocumentEntry, lines: Sequence[Sent], statuses: Iterable[tuple[int, DocumentEntry]]
) -> Served:
    """Who was sent the document that ``item`` brings by another way, so that this way is the second.

    An issuer may send the same words twice and mean it, and each way brings each sending once; so items are counted,
    kept or not. An agency was served where another source brought more items for it than the item's own source did
    until now. One source alone never makes a second way: its own identity is its own judge. What came before an
    agency's last refusal does not count for that agency. A repeat is preferred to a loss.

    ``lines``: :func:`lines_of`; ``statuses``: those on the document and on what it changes, with their places.
    """
    refused: dict[str, int] = {}
    for place, status in statuses:
        if is_refusal(new, status):
            refused[status.reporter] = max(place, refused.get(status.reporter, place))
    agencies: _Counts = {}
    systems: _Counts = {}
    for line in lines:
        for each in (line.first, *line.again):
            for names, counts in ((each.agencies, agencies), (each.systems, systems)):
                for name in names:
                    if refused.get(name.partition("/")[0], -1) < line.place:
                        counts.setdefault(name, {}).setdefault(each.source, set()).add(each.message)
    return Served(_served(item, agencies), _served(item, systems))


def _served(item: Brought, counts: _Counts) -> frozenset[str]:
    served = set()
    for name, by_source in counts.items():
        own = len(by_source.get(item.source, set()) - {item.message})
        if any(len(items) > own for source, items in by_source.items() if source != item.source):
            served.add(name)
    return frozenset(served)


def place_of_note(item: Brought, lines: Sequence[Sent]) -> int | None:
    """The line with which it is noted that an item came and was not kept: the last by another way.

    It is forgotten with that line, so no sooner than what it is counted against. None where it is noted already.
    """
    if any(item.message == each.message for line in lines for each in line.again):
        return None
    return next((line.place for line in reversed(lines) if line.first.source != item.source), None)


def already_served(new: DocumentEntry, systems: Iterable[str], before: Served) -> bool:
    """Whether anybody to whom a document would go now was sent it before.

    ``systems``: where it would go. An agency with systems of its own is judged by these, as each of them gets what it
    subscribes to; one that is reached by way of another system by its code.
    """
    going = list(systems)
    for agency in before.agencies.intersection(new.recipients):
        own = [system for system in going if system.partition("/")[0] == agency]
        if not own or not before.systems.isdisjoint(own):
            return True
    return False


def left_to_serve(to: Iterable[tuple[str, str]], systems: Iterable[str], before: Served) -> tuple[str, ...]:
    """The names to which it may still go, of ``to`` (each name as written, with its agency), in their order."""
    going = list(systems)
    left: dict[str, None] = {}
    for name, agency in to:
        if agency not in before.agencies:
            left[name] = None
            continue
        own = [system for system in going if system.partition("/")[0] == agency]
        left.update(dict.fromkeys([system for system in own if system not in before.systems]))
    return tuple(left)
