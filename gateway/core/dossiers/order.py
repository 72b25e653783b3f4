"""The order in which things happened to a dossier, whatever the order in which they were told. Pure.

By the time that each event tells of itself, cut where its sender's clock runs ahead; in one instant by the course of a
dossier; then by what it says, so that a repeat stands beside what it repeats; only then by when it was sent and by id.

Clocks of two parties differ. What answers a request (what was supplemented, a payment) and is dated a little before it
came after it all the same, or the dossier would wait for ever.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.core.dossiers.event import FILED, DossierEvent, Told
from gateway.core.dossiers.parties import SKEW
from gateway.core.dossiers.statuses import (
    DONE,
    HANDED_OVER,
    PROCESSING,
    RECEIVED,
    REFUSED,
    STOPPED,
    SUPPLEMENT,
    TO_PAY,
    WITHDRAWN,
)

#: A clock may run this far ahead of the envelope's time; beyond that the envelope's time counts (seconds).
AHEAD: Final = 300.0
#: The order of what happened in one instant: registered, handed on, dealt with, waiting, answered, done, ended.
_KIND_ORDER: Final = {"registered": 0, "forwarded": 1, "supplemented": 6, "payment-notified": 6}
_STATUS_ORDER: Final = {
    None: 4, FILED: 2, RECEIVED: 3, PROCESSING: 4, SUPPLEMENT: 5, TO_PAY: 5, DONE: 7, STOPPED: 8, REFUSED: 9,
    WITHDRAWN: 9, HANDED_OVER: 9,
}  # fmt: skip


def happened_at(event: DossierEvent) -> float:
    """When it happened, as far as its sender's clock can be believed."""
    return min(event.said_at, event.sent_at + AHEAD)


def in_order(lines: Sequence[Told]) -> list[tuple[float, Told]]:
    """The lines as they happened, each with the moment at which it takes its place."""
    asked, to_pay = _requests(lines)
    placed = [(_place_of(line.event, asked, to_pay), line) for line in lines]
    return sorted(placed, key=lambda each: (each[0], _rank(each[1])))


def _requests(lines: Iterable[Told]) -> tuple[dict[str, float], dict[str, float]]:
    """When each supplement was asked for first, and each payment, by references; a payment under no reference, too."""
    asked: dict[str, float] = {}
    to_pay: dict[str, float] = {}
    for line in lines:
        event = line.event
        if event.kind == "supplement-requested":
            found = asked
        elif event.status == TO_PAY:
            found = to_pay
        else:
            continue
        at = happened_at(event)
        found[event.reference] = min(at, found.get(event.reference, at))
    return asked, to_pay


def _place_of(event: DossierEvent, asked: Mapping[str, float], to_pay: Mapping[str, float]) -> float:
    at = happened_at(event)
    if event.kind == "supplemented":
        request = asked.get(event.reference, at)
        return request if at < request <= at + SKEW else at
    if event.kind != "payment-notified" or event.status != PROCESSING or not to_pay:
        return at
    own = to_pay.get(event.reference) if event.reference else None
    if own is not None:
        return own if at < own <= at + SKEW else at
    # Offices and banks do not always call a notice by the same name: then it is the first, if it is near enough.
    first = min(to_pay.values())
    most = SKEW if to_pay.get("") == first else AHEAD
    return first if at < first <= at + most else at


def _rank(line: Told) -> tuple[object, ...]:
    event, hop = line.event, line.event.hop
    kind = _KIND_ORDER.get(event.kind)
    order = _STATUS_ORDER.get(event.status, 4) if kind is None else kind
    handed_on = (0, "") if hop is None else (hop.number, hop.to_agency)
    said = (event.agency, event.kind, event.reference, event.has_result, event.due or 0.0, handed_on, _filled(event))
    return (order, event.status or 0, said, event.sent_at, line.message, line.place)


def _filled(event: DossierEvent) -> tuple[int, tuple[str, str]]:
    """What says more stands before what says less of the same."""
    return -sum(map(bool, event.words)), event.words


def repeats_in(ordered: Iterable[Told]) -> dict[int, int]:
    """Positions of lines that say what another says already -> that one's.

    Two steps of one second are two where people read something else in them; that one way of telling leaves out what
    another says makes no other step.
    """
    seen: dict[tuple[object, ...], list[tuple[int, tuple[str, str]]]] = {}
    found: dict[int, int] = {}
    for index, line in enumerate(ordered):
        event = line.event
        said: tuple[object, ...] = (event.kind, event.code, event.reference, event.agency, event.status)
        # A notice of payment is one however often, and at whatever time, the bank calls.
        if not (event.kind.startswith("payment-") and event.reference):
            said = (*said, event.said_at, event.due, event.hop, event.has_result)
        known = seen.setdefault(said, [])
        first = next((place for place, words in known if _is_same(words, event.words)), None)
        if first is None:
            known.append((index, event.words))
        else:
            found[index] = first
    return found


def _is_same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return all(left == right or not left or not right for left, right in zip(one, other, strict=True))


def late_in(once: Sequence[tuple[int, float, Told]]) -> frozenset[int]:
    """Positions of lines (each with its moment) that arrived after what happened later."""
    found: set[int] = set()
    first = waiting = math.inf  # the least place of what is younger; the same of what is as old as the present one
    at = math.inf
    for index, moment, line in reversed(once):
        if moment < at:
            first, waiting, at = min(first, waiting), math.inf, moment
        waiting = min(waiting, line.place)
        if line.place > first:
            found.add(index)
    return frozenset(found)
