"""What lines of the register do to one another: which duties a status closes, what was served before. Pure.

The stores ask these rules inside the transaction that keeps a message, so that all three of them do the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.core.documents.entry import DocumentEntry, Obligation

#: Answers to a recall, an update or a replacement: agreed, refused.
CHANGE_ANSWERS: Final = frozenset({"15", "16"})


class Served(NamedTuple):
    """Whom a document went to before: agencies, and the systems that were sent it."""

    agencies: frozenset[str]
    systems: frozenset[str]


def is_answered(obligation: Obligation, line: DocumentEntry, status: DocumentEntry) -> bool:
    """Whether a status fulfils what an agency owes for a document.

    Its successor does it in a closed agency's place. It speaks of that document or, answering a change (15, 16), of the
    one that was to be changed.
    """
    if status.issuer != line.issuer or obligation.agency not in {status.reporter, *status.stands_for}:
        return False
    codes = {code for code, _ in status.told} & set(obligation.answered_by)
    if status.key != line.key:
        return status.key in line.concerned and not codes.isdisjoint(CHANGE_ANSWERS)
    return bool(codes)


def open_obligations(line: DocumentEntry, statuses: Iterable[tuple[DocumentEntry, bool]]) -> list[Obligation]:
    """What is owed for a line that arrives now, each rule of an agency once, less what is answered already.

    ``statuses``: those on the same document so far, and whether each was parked until now. A line that changes a
    document under the same id is answered only by what was parked: the others answered the document itself.
    """
    owed = {(each.agency, each.name): each for each in line.obligations}
    if not owed:
        return []
    is_change = line.key in line.concerned
    there = [status for status, was_parked in statuses if was_parked or not is_change]
    return [each for each in owed.values() if not any(is_answered(each, line, status) for status in there)]


def is_same(line: DocumentEntry, line_source: str, new: DocumentEntry, new_source: str) -> bool:
    """Whether a line that is kept already is the document that comes (again, by another way).

    What an agency's own system sends once more it means to send once more.
    """
    if new.fingerprint is None or line.fingerprint != new.fingerprint or line.issuer != new.issuer:
        return False
    is_resent = line_source == new_source and new_source.partition("/")[0] == new.issuer
    return not is_resent


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
