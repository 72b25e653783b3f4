"""Questions about messages and deliveries; each is an index away, however much is stored."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from gateway.core.delivery import ENDED, Delivery, State
from gateway.ports import Attempt, Derived, Record, RecordedDelivery
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.rows import DELIVERY, DELIVERY_WIDTH, delivery_of, is_uuid, names_of
from gateway.store.postgres.writer import one_by_one

# A message's deliveries have higher numbers than the message, attempts than their delivery: so these questions leave
# out the months before. The key of a translation leads to the message that was translated.
_FIND: Final = """
SELECT m.key::text, i.id, i.source, m.type, m.version, m.subject, m.accepted_at, m.digest, i.recipients, i.receipt
  FROM messages m JOIN ids i ON i.key = m.key WHERE m.seq = $1 AND m.digest <> ''
"""
_SEQ: Final = "SELECT message_seq FROM ids WHERE key = $1"
_DELIVERIES: Final = f"""
SELECT {DELIVERY}, d.seq, (
    SELECT h.id::text FROM deliveries h WHERE d.state = 'blocked' AND h.lane IS NOT NULL AND h.lane = d.lane
      ORDER BY h.seq LIMIT 1)
  FROM every_delivery d WHERE d.message_seq = $1 AND d.seq > $1 ORDER BY d.seq
"""
_PROOFS: Final = "SELECT delivery_seq, proof FROM proofs WHERE delivery_seq = ANY($1::int8[])"
_ATTEMPTS: Final = """
SELECT delivery_seq, number, started_at, ended_at, outcome, status, detail FROM attempts
  WHERE delivery_seq = ANY($1::int8[]) AND seq > $2 ORDER BY seq
"""


async def find(connection: Connection, key: str) -> Record | None:
    """A message with its deliveries, by its key or by that of one of its translations."""
    seq = await connection.fetchval(_SEQ, key) if is_uuid(key) else None
    row = None if seq is None else await connection.fetchrow(_FIND, seq)
    if row is None:
        return None
    *fields, recipients, receipt = row
    named = names_of(recipients)
    place = {recipient: index for index, recipient in enumerate(named)}
    rows = await connection.fetch(_DELIVERIES, seq)
    rows.sort(key=lambda one: place.get(one[3], len(place)))
    numbers = [one[DELIVERY_WIDTH] for one in rows]
    attempts = defaultdict(list)
    for of, *attempt in await connection.fetch(_ATTEMPTS, numbers, seq):
        attempts[of].append(Attempt(*attempt))
    proofs = dict(await connection.fetch(_PROOFS, numbers))
    recorded = []
    for one in rows:
        number, blocked_by = one[DELIVERY_WIDTH:]
        recorded.append(RecordedDelivery(delivery_of(one), tuple(attempts[number]), blocked_by, proofs.get(number)))
    fields += [named, receipt, tuple(recorded)]
    return Record(*fields)


async def envelope(connection: Connection, key: str) -> bytes | None:
    """The original envelope of a message, where it is still kept."""
    if not is_uuid(key):
        return None
    seq = await connection.fetchval("SELECT message_seq FROM ids WHERE key = $1 AND target IS NULL", key)
    body: bytes | None = await connection.fetchval("SELECT envelope FROM bodies WHERE message_seq = $1", seq)
    return body


async def delivery(connection: Connection, id: str) -> Delivery | None:
    """One delivery by id."""
    if not is_uuid(id):
        return None
    for table in ("deliveries", "ended"):
        if (row := await connection.fetchrow(f"SELECT {DELIVERY} FROM {table} d WHERE d.id = $1", id)) is not None:
            return delivery_of(row)
    return None


@dataclass(frozen=True, slots=True)
class Sought:
    """Which deliveries are asked for: their states (none: all), recipient (None: any), and how many at most."""

    states: Sequence[str]
    recipient: str | None
    limit: int


async def deliveries(connection: Connection, sought: Sought) -> list[Delivery]:
    """Deliveries by state and recipient, oldest first; each state lies in one table and has an index of its own."""
    rows: list[Sequence[Any]] = []
    whose = "d.recipient = $1" if sought.recipient else "$1::text IS NULL"
    for state in dict.fromkeys(sought.states or (each.value for each in State)):
        table = "ended" if State(state) in ENDED else "deliveries"
        rows += await connection.fetch(
            f"SELECT {DELIVERY}, d.seq FROM {table} d WHERE d.state = '{State(state).value}' AND {whose}"
            " ORDER BY d.seq LIMIT $2",
            sought.recipient, sought.limit,
        )  # fmt: skip
    rows.sort(key=itemgetter(DELIVERY_WIDTH))
    return [delivery_of(row) for row in rows[: sought.limit]]


_EXPIRED: Final = (
    f"SELECT {DELIVERY}, d.seq FROM deliveries d WHERE d.expires IS NOT NULL AND d.expires <= $1"
    " AND d.state IN ('queued', 'held', 'blocked') ORDER BY d.expires, d.seq LIMIT $2"
)


async def expired(connection: Connection, now: float, limit: int) -> list[Delivery]:
    """Deliveries whose ``expires`` passed before they were taken, the youngest first."""
    rows = await connection.fetch(_EXPIRED, now, limit)
    return [delivery_of(row) for row in sorted(rows, key=itemgetter(DELIVERY_WIDTH), reverse=True)]


async def derived(connection: Connection, message: str, target: str) -> Derived | None:
    """The kept translation of a message."""
    seq = await connection.fetchval("SELECT message_seq FROM ids WHERE key = $1 AND target IS NULL", message)
    row = await connection.fetchrow(
        "SELECT key::text, envelope FROM derived WHERE message_seq = $1 AND target = $2 AND envelope <> ''", seq, target
    )
    return None if row is None else Derived(row[0], message, target, row[1])


_KEEP_DERIVED: Final = """
WITH kept AS (
  INSERT INTO derived (message_seq, target, key, envelope)
    SELECT message_seq, $3, $1, $4 FROM ids WHERE key = $2 AND target IS NULL
    ON CONFLICT (message_seq, target) DO NOTHING RETURNING message_seq
)
INSERT INTO ids (key, message_seq, target) SELECT $1, message_seq, $3 FROM kept
"""


async def _keep_derived(connection: Connection, made: Derived) -> Derived:
    # Who makes the same at the same time waits here, and then finds the first one.
    await connection.execute(_KEEP_DERIVED, made.key, made.message, made.target, made.envelope)
    return await derived(connection, made.message, made.target) or made


#: Keep a translation, unless one is kept.
KEEP_DERIVED: Final = one_by_one(_keep_derived)
