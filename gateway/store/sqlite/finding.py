"""Questions about messages and deliveries; each is an index away, however much is stored."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from gateway.core.delivery import Delivery, State
from gateway.ports import Attempt, Derived, Record, RecordedDelivery
from gateway.store.sqlite.rows import DELIVERY, DELIVERY_WIDTH, EXPIRING, OPEN, STUCK, delivery_of, names_of
from gateway.store.sqlite.writer import one_by_one

_DELIVERIES: Final = f"SELECT {DELIVERY}, d.seq FROM deliveries d CROSS JOIN messages m ON m.seq = d.message_seq"

_MESSAGE: Final = (
    "SELECT seq, key, id, source, type, version, subject, accepted_at, digest, recipients, receipt FROM messages"
)
_DIGEST: Final = 8
_HEAD: Final = f"SELECT id FROM deliveries WHERE lane IS NOT NULL AND lane = ? AND {OPEN} ORDER BY seq LIMIT 1"


def find(connection: sqlite3.Connection, key: str) -> Record | None:
    """A message with its deliveries, by its key or by that of one of its translations."""
    row = connection.execute(f"{_MESSAGE} WHERE key = ?", (key,)).fetchone()
    if row is None:
        row = connection.execute(
            f"{_MESSAGE} WHERE seq = (SELECT message_seq FROM derived WHERE key = ?)", (key,)
        ).fetchone()
    if row is None:
        return None
    seq, *fields, recipients, receipt = row
    if not row[_DIGEST]:
        return None  # all that is left of it is what a repeat is
    named = names_of(recipients)
    place = {recipient: index for index, recipient in enumerate(named)}
    rows = connection.execute(f"{_DELIVERIES} WHERE d.message_seq = ? ORDER BY d.seq", (seq,)).fetchall()
    rows.sort(key=lambda one: place.get(one[3], len(place)))
    fields += [named, receipt, tuple(_recorded(connection, one) for one in rows)]
    return Record(*fields)


def _recorded(connection: sqlite3.Connection, row: Sequence[Any]) -> RecordedDelivery:
    delivery, seq = delivery_of(row), row[DELIVERY_WIDTH]
    attempts = connection.execute(
        "SELECT number, started_at, ended_at, outcome, status, detail FROM attempts"
        " WHERE delivery_seq = ? ORDER BY seq",
        (seq,),
    )
    blocked_by = proof = None
    if delivery.state is State.BLOCKED:
        (blocked_by,) = connection.execute(_HEAD, (delivery.lane,)).fetchone()
    if (kept := connection.execute("SELECT proof FROM proofs WHERE delivery_seq = ?", (seq,)).fetchone()) is not None:
        (proof,) = kept
    return RecordedDelivery(delivery, tuple(Attempt(*attempt) for attempt in attempts), blocked_by, proof)


def envelope(connection: sqlite3.Connection, key: str) -> bytes | None:
    """The original envelope of a message, where it is still kept."""
    row = connection.execute(
        "SELECT b.envelope FROM messages m JOIN bodies b ON b.message_seq = m.seq WHERE m.key = ?", (key,)
    ).fetchone()
    return None if row is None else bytes(row[0])


def delivery(connection: sqlite3.Connection, id: str) -> Delivery | None:
    """One delivery by id."""
    row = connection.execute(f"{_DELIVERIES} WHERE d.id = ?", (id,)).fetchone()
    return None if row is None else delivery_of(row)


#: How each state is looked up by its partial index; what was delivered has none and is told oldest first.
_IN_STATE: Final[Mapping[str, str]] = {
    State.QUEUED.value: "d.state = 'queued'",
    State.LEASED.value: "d.state = 'leased'",
    State.DELIVERED.value: "d.state = 'delivered'",
    **{
        state.value: f"d.state = '{state.value}' AND d.{STUCK}"
        for state in (State.HELD, State.BLOCKED, State.DEAD, State.EXPIRED, State.DISCARDED)
    },
}


@dataclass(frozen=True, slots=True)
class Sought:
    """Which deliveries are asked for: their states (none: all), recipient (None: any), and how many at most."""

    states: Sequence[str]
    recipient: str | None
    limit: int


def deliveries(connection: sqlite3.Connection, sought: Sought) -> list[Delivery]:
    """Deliveries by state and recipient, oldest first."""
    conditions = [_IN_STATE[state] for state in dict.fromkeys(sought.states)] or ["TRUE"]
    rows: list[tuple[Any, ...]] = []
    for condition in conditions:
        asked = f"{_DELIVERIES} WHERE {condition} AND ({'d.recipient = ?1' if sought.recipient else '?1 IS NULL'})"
        rows += connection.execute(f"{asked} ORDER BY d.seq LIMIT ?2", (sought.recipient, sought.limit))
    rows.sort(key=itemgetter(DELIVERY_WIDTH))
    return [delivery_of(row) for row in rows[: sought.limit]]


_EXPIRED: Final = (
    f"{_DELIVERIES} WHERE d.expires IS NOT NULL AND d.expires <= ? AND d.{EXPIRING} ORDER BY d.expires, d.seq LIMIT ?"
)
_OWING: Final = f"{_DELIVERIES} WHERE d.owes_outcome = 1 ORDER BY d.seq LIMIT ?"


def expired(connection: sqlite3.Connection, now: float, limit: int) -> list[Delivery]:
    """Deliveries whose ``expires`` passed before they were taken, the youngest first."""
    rows = connection.execute(_EXPIRED, (now, limit)).fetchall()
    return [delivery_of(row) for row in sorted(rows, key=itemgetter(DELIVERY_WIDTH), reverse=True)]


def owing(connection: sqlite3.Connection, limit: int) -> list[Delivery]:
    """Deliveries that owe their sender an outcome message, oldest first."""
    return [delivery_of(row) for row in connection.execute(_OWING, (limit,))]


_DERIVED: Final = (
    "SELECT x.key, m.key, x.target, x.envelope FROM messages m JOIN derived x ON x.message_seq = m.seq"
    " WHERE m.key = ? AND x.target = ? AND x.envelope <> x''"
)


def derived(connection: sqlite3.Connection, message: str, target: str) -> Derived | None:
    """The kept translation of a message."""
    row = connection.execute(_DERIVED, (message, target)).fetchone()
    return None if row is None else Derived(*row)


def _keep_derived(connection: sqlite3.Connection, made: Derived) -> Derived:
    kept = derived(connection, made.message, made.target)
    if kept is None:
        connection.execute(
            "INSERT INTO derived (key, message_seq, target, envelope) SELECT ?, seq, ?, ? FROM messages WHERE key = ?",
            (made.key, made.target, made.envelope, made.message),
        )
    return kept or made


#: Keep a translation, unless one is kept.
KEEP_DERIVED: Final = one_by_one(_keep_derived)
