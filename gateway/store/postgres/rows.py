"""Rows and values: how a delivery lies in its tables, and statements that write many of them at once.

Many rows travel as one array for each column, so a statement is one text however many they are, prepared once.
"""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from gateway.core.delivery import Delivery, State
from gateway.store.postgres.connection import Connection

#: What :func:`delivery_of` reads, from ``deliveries d``, ``ended d`` or ``every_delivery d``.
DELIVERY: Final = (
    "d.id::text, d.message::text, d.source, d.recipient, d.contract, d.lane, d.priority, d.state, d.due, d.patience,"
    " d.deadline, d.patience_left, d.notbefore, d.expires, d.attempts, d.spent, d.lease_owner, d.lease_until, d.cause,"
    " d.replays, d.owes_outcome"
)
DELIVERY_WIDTH: Final = 21

#: Lists of recipients of so many characters are remembered; longer ones would fill the memory.
_SHORT: Final = 512
_STATES: Final = {state.value: state for state in State}
_NAMES: Final = {state: state.value for state in State}
#: The columns that a step may change, and those that never change, with their types.
MOVING: Final = {
    "state": "text", "due": "float8", "deadline": "float8", "patience_left": "float8", "attempts": "int4",
    "spent": "int4", "lease_owner": "text", "lease_until": "float8", "cause": "text", "replays": "int4",
    "owes_outcome": "bool",
}  # fmt: skip
FIXED: Final = {
    "id": "uuid", "message": "uuid", "source": "text", "recipient": "text", "contract": "text", "lane": "text",
    "priority": "int2", "patience": "float8", "notbefore": "float8", "expires": "float8",
}  # fmt: skip


def delivery_of(row: Sequence[Any]) -> Delivery:
    """A delivery from the columns DELIVERY, wherever more follow."""
    values: list[Any] = [*row[:7], _STATES[row[7]], *row[8:DELIVERY_WIDTH]]
    return Delivery(*values)


def moving(delivery: Delivery) -> tuple[Any, ...]:
    """The values of the columns MOVING."""
    return (
        _NAMES[delivery.state], delivery.due, delivery.deadline, delivery.left, delivery.attempts, delivery.spent,
        delivery.lease_owner, delivery.lease_until, delivery.cause, delivery.replays, delivery.owes_outcome,
    )  # fmt: skip


def fixed(delivery: Delivery) -> tuple[Any, ...]:
    """The values of the columns FIXED."""
    return (
        delivery.id, delivery.message, delivery.source, delivery.recipient, delivery.contract, delivery.lane,
        delivery.priority, delivery.patience, delivery.notbefore, delivery.expires,
    )  # fmt: skip


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """Rows of a width as arrays, one for each column: the parameters of ``unnest``."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


def arrays(types: Iterable[str], first: int = 1) -> str:
    """``$1::text[], $2::float8[]`` and so on: the arguments of ``unnest`` for columns of these types."""
    return ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, first))


def names_of(text: str) -> tuple[str, ...]:
    """The systems in a column of recipients; the same few short lists come again and again."""
    return _names(text) if len(text) <= _SHORT else tuple(json.loads(text))


@lru_cache(maxsize=1024)
def _names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def is_uuid(text: str) -> bool:
    """Whether a text from outside can be an id at all."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


_MOVE: Final = (
    f"UPDATE deliveries d SET {', '.join(f'{name} = v.{name}' for name in MOVING)}"
    f" FROM unnest({arrays(['int8', *MOVING.values()])}) AS v (seq, {', '.join(MOVING)}) WHERE d.seq = v.seq"
)


async def move(connection: Connection, deliveries: Sequence[tuple[int, Delivery]]) -> None:
    """Write deliveries that are not over as they now are, by ``seq``: rows that this transaction has locked."""
    if deliveries:
        rows = [(seq, *moving(delivery)) for seq, delivery in deliveries]
        await connection.execute(_MOVE, *columns(rows, len(MOVING) + 1))
