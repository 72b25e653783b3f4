"""Steps of deliveries that may be written side by side: whatever the database, one must not depend on another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.ports import Change

#: A step, and the moment at which it is written.
Timed = tuple[Change, float]


def waves(changes: Sequence[Timed]) -> Iterator[list[Timed]]:
    """The changes in order, cut where one may depend on an earlier one: the same delivery, or the same lane."""
    wave: list[Timed] = []
    touched: set[str] = set()
    for change, now in changes:
        before = change.before
        names = {before.id} if before.lane is None else {before.id, before.lane}
        if not touched.isdisjoint(names):
            yield wave
            wave, touched = [], set()
        wave.append((change, now))
        touched |= names
    if wave:
        yield wave
