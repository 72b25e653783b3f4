"""The order in which things happened to a dossier, whatever the order in which they were told. Pure.

By the time that each event tells of itself, cut where its sender's clock runs ahead; in one instant by the course of a
dossier; then by what it says, so that a repeat stands beside what it repeats; only then by when it was sent and by id.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.core.dossiers.event import FILED, DossierEvent, Told
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


def in_order(lines: Iterable[Told]) -> list[Told]:
    """The lines as they happened."""
    return sorted(lines, key=_rank)


def _rank(line: Told) -> tuple[object, ...]:
    event, hop = line.event, line.event.hop
    kind = _KIND_ORDER.get(event.kind)
    order = _STATUS_ORDER.get(event.status, 4) if kind is None else kind
    handed_on = (0, "") if hop is None else (hop.number, hop.to_agency)
    said = (event.agency, event.kind, event.reference, event.has_result, event.due or 0.0, handed_on)
    return (happened_at(event), order, event.status or 0, said, event.sent_at, line.message, line.place)


def repeats_in(ordered: Iterable[Told]) -> dict[int, int]:
    """Positions of lines that say what another says already -> that one's."""
    seen: dict[tuple[object, ...], int] = {}
    found: dict[int, int] = {}
    for index, line in enumerate(ordered):
        event = line.event
        said: tuple[object, ...] = (event.kind, event.code, event.reference, event.agency, event.status)
        # A notice of payment is one however often, and at whatever time, the bank calls.
        if not (event.kind.startswith("payment-") and event.reference):
            said = (*said, event.said_at, event.due, event.hop, event.has_result)
        first = seen.setdefault(said, index)
        if first != index:
            found[index] = first
    return found


def late_in(once: Sequence[tuple[int, Told]]) -> frozenset[int]:
    """Positions of lines that arrived after what happened later."""
    found: set[int] = set()
    first = waiting = math.inf  # the least place of what is younger; the same of what is as old as the present one
    at = math.inf
    for index, line in reversed(once):
        moment = happened_at(line.event)
        if moment < at:
            first, waiting, at = min(first, waiting), math.inf, moment
        waiting = min(waiting, line.place)
        if line.place > first:
            found.add(index)
    return frozenset(found)
