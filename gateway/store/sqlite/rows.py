"""Rows and values: how a delivery lies in its table, and statements that write many rows at once.

Many rows go in one statement because each statement costs a hand-over between threads, whatever its size.
"""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from gateway.core.delivery import Delivery, State

#: Rows in one statement at most (a power of two): few distinct statements, each prepared once.
CHUNK: Final = 64
#: Conditions of the partial indexes: a question must spell them the same, else SQLite does not use the index.
#: Deliveries that keep their lane waiting; what ends by itself where it expires; what an operator asks about.
OPEN: Final = "state IN ('queued', 'leased', 'held', 'blocked', 'dead')"
EXPIRING: Final = "state IN ('queued', 'held', 'blocked')"
STUCK: Final = "state IN ('held', 'blocked', 'dead', 'expired', 'discarded')"

#: What :func:`delivery_of` reads, from ``deliveries d JOIN messages m``.
DELIVERY: Final = (
    "d.id, m.key, m.source, d.recipient, d.contract, d.lane, d.priority, d.state, d.due, d.patience, d.deadline,"
    " d.patience_left, d.notbefore, d.expires, d.attempts, d.spent, d.lease_owner, d.lease_until, d.cause, d.replays,"
    " d.owes_outcome"
)
DELIVERY_WIDTH: Final = 21

#: Lists of recipients of so many characters are remembered; longer ones would fill the memory.
_SHORT: Final = 512
#: Made once: ``json.dumps`` with options makes one each time.
_ENCODE: Final = json.JSONEncoder(ensure_ascii=False).encode

_STATES: Final = {state.value: state for state in State}
_NAMES: Final = {state: state.value for state in State}
#: The columns that a step may change.
_MOVING: Final = (
    "state, due, deadline, patience_left, attempts, spent, lease_owner, lease_until, cause, replays, owes_outcome"
).split(", ")


def delivery_of(row: Sequence[Any]) -> Delivery:
    """A delivery from the columns DELIVERY, wherever more follow."""
    values: list[Any] = [*row[:7], _STATES[row[7]], *row[8:20], row[20] == 1]
    return Delivery(*values)


def moving(delivery: Delivery) -> tuple[Any, ...]:
    """The values of the columns that a step may change."""
    return (
        _NAMES[delivery.state], delivery.due, delivery.deadline, delivery.left, delivery.attempts, delivery.spent,
        delivery.lease_owner, delivery.lease_until, delivery.cause, delivery.replays, int(delivery.owes_outcome),
    )  # fmt: skip


def fixed(delivery: Delivery) -> tuple[Any, ...]:
    """The values of the columns that never change but for the keys."""
    return (
        delivery.recipient, delivery.contract, delivery.lane, delivery.priority,
        delivery.patience, delivery.notbefore, delivery.expires,
    )  # fmt: skip


INSERT_DELIVERY: Final = (
    "deliveries (seq, id, message_seq, recipient, contract, lane, priority, patience, notbefore, expires, "
    + ", ".join(_MOVING)
    + ")"
)


def chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """The rows, at most CHUNK at a time and always a power of two.

    Each number of rows is a statement of its own, which stays in memory, prepared and with its last values bound.
    """
    start = 0
    while start < len(rows):
        size = min(CHUNK, 1 << (len(rows) - start).bit_length() - 1)
        yield rows[start : start + size]
        start += size


def names_of(text: str) -> tuple[str, ...]:
    """The systems in a column of recipients; the same few lists come again and again."""
    return _names(text) if len(text) <= _SHORT else tuple(json.loads(text))


@lru_cache(maxsize=1024)
def _names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def text_of(names: tuple[str, ...]) -> str:
    """A column of recipients, as :func:`names_of` reads it."""
    return _ENCODE(names)


@lru_cache(maxsize=1024)
def _with_values(before: str, rows: int, width: int, after: str) -> str:
    one = "(" + ", ".join("?" * width) + ")"
    return f"{before}{', '.join([one] * rows)}{after}"


def with_values(
    connection: sqlite3.Connection, before: str, rows: Sequence[tuple[Any, ...]], after: str = ""
) -> sqlite3.Cursor:
    """Run ``before (?, …), (?, …) after`` over rows of equal width, at most CHUNK of them."""
    return connection.execute(_with_values(before, len(rows), len(rows[0]), after), tuple(chain.from_iterable(rows)))


def insert(connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows; ``into`` names the table and its columns, a constant of the program."""
    for chunk in chunks(rows):
        with_values(connection, f"INSERT INTO {into} VALUES ", chunk)


_MOVE: Final = (
    "UPDATE deliveries SET "
    + ", ".join(f"{column} = v.column{place}" for place, column in enumerate(_MOVING, start=2))
    + " FROM (VALUES ",
    ") AS v WHERE deliveries.seq = v.column1",
)

_STEP: Final = (
    "UPDATE deliveries SET "
    + ", ".join(f"{column} = v.column{place}" for place, column in enumerate(_MOVING, start=2 + len(_MOVING)))
    + " FROM (VALUES ",
    ") AS v WHERE deliveries.id = v.column1"
    + "".join(f" AND deliveries.{column} IS v.column{place}" for place, column in enumerate(_MOVING, start=2))
    + " RETURNING id, seq",
)


def move(connection: sqlite3.Connection, deliveries: Sequence[tuple[int, Delivery]]) -> None:
    """Write deliveries as they now are, by ``seq``."""
    for chunk in chunks([(seq, *moving(delivery)) for seq, delivery in deliveries]):
        with_values(connection, _MOVE[0], chunk, _MOVE[1])


def step(connection: sqlite3.Connection, steps: Sequence[tuple[Delivery, Delivery]]) -> dict[str, int]:
    """Write each delivery as it is after its step where it is in the table exactly as before; id -> ``seq`` of these.

    What never changes follows from the id, so only what a step may change is compared. No delivery comes twice.
    """
    found: dict[str, int] = {}
    for chunk in chunks([(before.id, *moving(before), *moving(after)) for before, after in steps]):
        found.update(with_values(connection, _STEP[0], chunk, _STEP[1]).fetchall())
    return found
