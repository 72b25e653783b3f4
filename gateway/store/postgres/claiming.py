"""Who has something due, leasing it, and taking leases back."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from gateway.core.delivery import Delivery, Held, LeaseExpired
from gateway.core.envelope import PRIORITIES
from gateway.ports import Claim
from gateway.store.postgres import locks
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.rows import DELIVERY, DELIVERY_WIDTH, arrays, columns, delivery_of, move, names_of
from gateway.store.postgres.writer import Step, one_by_one

_LEVELS: Final = range(len(PRIORITIES))

# LIMIT keeps the planner from answering EXISTS for all recipients at once, by reading everything that is queued.
_DUE_AT_LEVEL: Final = (
    "(SELECT true FROM deliveries WHERE state = 'queued' AND recipient = r.recipient AND priority = {level}"
    " AND due <= $1 AND (expires IS NULL OR expires > $1) ORDER BY due, seq LIMIT 1)"
)
_NEXT_AT_LEVEL: Final = (
    "(SELECT due FROM deliveries WHERE state = 'queued' AND recipient = r.recipient"
    " AND priority = {level} AND due > $1 ORDER BY due LIMIT 1)"
)
_NEXT_RECIPIENT: Final = (
    "SELECT recipient FROM deliveries WHERE state = 'queued'{beyond} ORDER BY recipient, priority, due, seq LIMIT 1"
)
#: Jumps from recipient to recipient and from priority to priority, so a backlog costs nothing.
_DUE: Final = """
WITH RECURSIVE r (recipient) AS (
  ({first}) UNION ALL SELECT ({following}) FROM r WHERE r.recipient IS NOT NULL
)
SELECT recipient, coalesce({is_due}), least({next_due}) FROM r WHERE recipient IS NOT NULL
""".format(
    first=_NEXT_RECIPIENT.format(beyond=""),
    following=_NEXT_RECIPIENT.format(beyond=" AND recipient > r.recipient"),
    is_due=", ".join(_DUE_AT_LEVEL.format(level=level) for level in _LEVELS),
    next_due=", ".join(_NEXT_AT_LEVEL.format(level=level) for level in _LEVELS),
)

_CLAIMABLE: Final = "d.state = 'queued' AND d.due <= $1 AND (d.expires IS NULL OR d.expires > $1)"
#: What another claimer is about to take is passed over. Level after level is looked at only while there is room.
_NEXT_IN_TURN: Final = f"""
SELECT c.seq FROM unnest($4::text[], $5::int[]) AS w (recipient, most)
  CROSS JOIN LATERAL (
    SELECT l.seq FROM generate_series({_LEVELS[-1]}, 0, -1) AS level
      CROSS JOIN LATERAL (
        SELECT d.seq FROM deliveries d WHERE {_CLAIMABLE} AND d.recipient = w.recipient AND d.priority = level
          ORDER BY d.due, d.seq LIMIT w.most FOR UPDATE SKIP LOCKED
      ) l LIMIT w.most
  ) c
"""
_NAMED: Final = f"SELECT d.seq FROM deliveries d WHERE {_CLAIMABLE} AND d.id = ANY($4::uuid[]) FOR UPDATE SKIP LOCKED"
_LEASE: Final = """
WITH chosen AS MATERIALIZED ({chosen})
UPDATE deliveries d SET state = 'leased', lease_owner = $2, lease_until = $3, leased_at = $1
  FROM chosen WHERE d.seq = chosen.seq RETURNING {delivery}, d.seq, d.message_seq
"""
_LEASE_IN_TURN: Final = _LEASE.format(chosen=_NEXT_IN_TURN, delivery=DELIVERY)
_LEASE_NAMED: Final = _LEASE.format(chosen=_NAMED, delivery=DELIVERY)

_OVERDUE: Final = (
    f"SELECT {DELIVERY} FROM deliveries d WHERE d.state = 'queued' AND d.recipient = $1 AND d.deadline <= $2"
    " ORDER BY d.deadline LIMIT $3"
)


async def due(connection: Connection, now: float) -> tuple[frozenset[str], float | None]:
    """Recipients with claimable deliveries, and when another queued one is due."""
    rows = await connection.fetch(_DUE, now)
    later = [following for _, _, following in rows if following is not None]
    return frozenset(recipient for recipient, is_due, _ in rows if is_due), min(later, default=None)


async def overdue(connection: Connection, recipient: str, now: float, limit: int) -> list[Delivery]:
    """Queued deliveries whose deadline has passed."""
    return [delivery_of(row) for row in await connection.fetch(_OVERDUE, recipient, now, limit)]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a claimer asks for: how many of each recipient, for whom, from when to when."""

    wanted: Mapping[str, int]
    owner: str
    now: float
    until: float
    probers: Sequence[str] = ()


async def _lease(connection: Connection, wish: Wish) -> list[Sequence[Any]]:
    """Lease for one claimer; the rows in the order in which it gets them."""
    found: list[Sequence[Any]] = []
    if wish.wanted:
        turn = {recipient: place for place, recipient in enumerate(wish.wanted)}
        found = await connection.fetch(
            _LEASE_IN_TURN, wish.now, wish.owner, wish.until, list(turn), list(wish.wanted.values())
        )
        # Urgent first, then by due, then by age.
        found.sort(key=lambda row: (turn[row[3]], -row[6], row[8], row[DELIVERY_WIDTH]))
    if wish.probers:
        found += await connection.fetch(_LEASE_NAMED, wish.now, wish.owner, wish.until, list(wish.probers))
    return found


#: Each number is given to both tables, so that only the months that are meant are looked into.
_TOLD: Final = (
    "SELECT m.seq, b.envelope, i.id, m.type, m.version, m.digest, i.recipients"
    " FROM messages m JOIN bodies b ON b.message_seq = m.seq JOIN ids i ON i.key = m.key"
    " WHERE m.seq = ANY($1::int8[]) AND b.message_seq = ANY($1::int8[])"
)


async def _told(connection: Connection, seqs: set[int]) -> dict[int, tuple[Any, ...]]:
    """Number of a message -> what is needed to hand it over."""
    rows = await connection.fetch(_TOLD, list(seqs)) if seqs else ()
    return {seq: (envelope, *head, names_of(recipients)) for seq, envelope, *head, recipients in rows}


async def _claim(connection: Connection, wishes: Sequence[Wish]) -> list[list[Claim]]:
    leased = [await _lease(connection, wish) for wish in wishes]
    told = await _told(connection, {row[DELIVERY_WIDTH + 1] for rows in leased for row in rows})
    # Where the body is gone there is nothing to hand over: such a lease lapses.
    return [
        [Claim(delivery_of(row), *told[seq]) for row in rows if (seq := row[DELIVERY_WIDTH + 1]) in told]
        for rows in leased
    ]


#: Lease what is due.
CLAIM: Final = Step(_claim, "claim")

_ENDED: Final = f"SELECT {DELIVERY}, d.seq, d.leased_at FROM deliveries d WHERE d.state = 'leased' AND"


async def _lapse(connection: Connection, asked: tuple[float, str | None]) -> list[Delivery]:
    now, owner = asked
    condition, value = ("d.lease_until <= $1", now) if owner is None else ("d.lease_owner = $1", owner)
    # What is being recorded at this moment is not lapsing.
    rows = await connection.fetch(f"{_ENDED} {condition} FOR UPDATE SKIP LOCKED", value)
    if not rows:
        return []
    holds = {recipient for (recipient,) in await connection.fetch("SELECT recipient FROM holds")}
    given_back: list[tuple[int, Delivery]] = []
    attempts: list[tuple[Any, ...]] = []
    for row in sorted(rows, key=itemgetter(DELIVERY_WIDTH)):
        leased = delivery_of(row)
        seq, leased_at = row[DELIVERY_WIDTH:]
        until = now if leased.lease_until is None else leased.lease_until
        attempts.append((seq, leased.attempts + 1, leased_at, min(now, until)))
        queued = leased.after(LeaseExpired(now))
        given_back.append((seq, queued.after(Held(now)) if queued.recipient in holds else queued))
    await connection.execute(
        "INSERT INTO attempts (seq, delivery_seq, number, started_at, ended_at, outcome) SELECT nextval('seq'), t.*,"
        f" 'lapsed' FROM unnest({arrays(['int8', 'int4', 'float8', 'float8'])}) AS t",
        *columns(attempts, 4),
    )
    await move(connection, given_back)
    return [delivery for _, delivery in given_back]


#: Give back leases that ended, or all of one owner.
LAPSE: Final = one_by_one(_lapse, "lapse", lambda _: locks.lanes(()))
