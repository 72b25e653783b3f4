"""Who has something due, leasing it, and taking leases back."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from gateway.core.delivery import Delivery, Held, LeaseExpired
from gateway.core.envelope import PRIORITIES
from gateway.ports import Claim
from gateway.store.sqlite.rows import DELIVERY, DELIVERY_WIDTH, delivery_of, insert, move, names_of
from gateway.store.sqlite.writer import one_by_one

_LEVELS: Final = range(len(PRIORITIES))
_FAR: Final = 1e300

_DUE_AT_LEVEL: Final = (
    "EXISTS (SELECT 1 FROM deliveries WHERE state = 'queued' AND recipient = r.recipient AND priority = {level}"
    " AND due <= ?1 AND (expires IS NULL OR expires > ?1))"
)
_NEXT_AT_LEVEL: Final = (
    "coalesce((SELECT min(due) FROM deliveries WHERE state = 'queued' AND recipient = r.recipient"
    " AND priority = {level} AND due > ?1), {far})"
)
#: Jumps from recipient to recipient and from priority to priority, so a backlog costs nothing.
_DUE: Final = """
WITH RECURSIVE r (recipient) AS (
  SELECT min(recipient) FROM deliveries WHERE state = 'queued'
  UNION ALL
  SELECT (SELECT min(recipient) FROM deliveries WHERE state = 'queued' AND recipient > r.recipient)
    FROM r WHERE r.recipient IS NOT NULL
)
SELECT json_group_array(recipient) FILTER (WHERE is_due), min(following) FROM (
  SELECT recipient, {is_due} AS is_due, min({following}) AS following FROM r WHERE recipient IS NOT NULL
)
""".format(
    is_due=" OR ".join(_DUE_AT_LEVEL.format(level=level) for level in _LEVELS),
    following=", ".join(_NEXT_AT_LEVEL.format(level=level, far=_FAR) for level in _LEVELS),
)

_AT_LEVEL: Final = (
    "SELECT * FROM (SELECT seq FROM deliveries WHERE state = 'queued' AND recipient = ?1 AND priority = {level}"
    " AND due <= ?2 AND (expires IS NULL OR expires > ?2) ORDER BY due, seq LIMIT ?3)"
)
#: The places of what is to be leased: urgent first, then by due, then by age.
_NEXT: Final = "{levels} LIMIT ?3".format(
    levels=" UNION ALL ".join(_AT_LEVEL.format(level=level) for level in reversed(_LEVELS))
)
#: The same of named deliveries, one by one through their ids.
_PROBE: Final = """
SELECT d.seq FROM json_each(?1) q CROSS JOIN deliveries d ON d.id = q.value
  WHERE d.state = 'queued' AND d.due <= ?2 AND (d.expires IS NULL OR d.expires > ?2)
"""
_LEASE: Final = (
    "UPDATE deliveries SET state = 'leased', lease_owner = ?, lease_until = ?, leased_at = ?"
    " WHERE seq IN (SELECT value FROM json_each(?))"
)
_LEASED: Final = f"""
SELECT {DELIVERY}, b.envelope, m.id, m.type, m.version, m.digest, m.recipients
  FROM json_each(?) q CROSS JOIN deliveries d ON d.seq = q.value
  CROSS JOIN messages m ON m.seq = d.message_seq CROSS JOIN bodies b ON b.message_seq = d.message_seq
  ORDER BY q.key
"""

_OVERDUE: Final = f"""
SELECT {DELIVERY} FROM deliveries d INDEXED BY deliveries_overdue CROSS JOIN messages m ON m.seq = d.message_seq
  WHERE d.state = 'queued' AND d.recipient = ? AND d.deadline <= ? ORDER BY d.deadline LIMIT ?
"""


def overdue(connection: sqlite3.Connection, recipient: str, now: float, limit: int) -> list[Delivery]:
    """Queued deliveries whose deadline has passed."""
    return [delivery_of(row) for row in connection.execute(_OVERDUE, (recipient, now, limit))]


def due(connection: sqlite3.Connection, now: float) -> tuple[frozenset[str], float | None]:
    """Recipients with claimable deliveries, and when another queued one is due."""
    recipients, following = connection.execute(_DUE, (now,)).fetchone()
    return frozenset(json.loads(recipients)), None if following is None or following >= _FAR else following


@dataclass(frozen=True, slots=True)
class Wish:
    """What a claimer asks for: how many of each recipient, for whom, from when to when."""

    wanted: Mapping[str, int]
    owner: str
    now: float
    until: float
    probers: Sequence[str] = ()


def _claim(connection: sqlite3.Connection, wish: Wish) -> list[Claim]:
    seqs = [
        seq
        for recipient, limit in wish.wanted.items()
        for (seq,) in connection.execute(_NEXT, (recipient, wish.now, limit))
    ]
    if wish.probers:
        probing = connection.execute(_PROBE, (json.dumps(list(wish.probers)), wish.now))
        seqs = list(dict.fromkeys([*seqs, *(seq for (seq,) in probing)]))
    if not seqs:
        return []
    places = json.dumps(seqs)
    connection.execute(_LEASE, (wish.owner, wish.until, wish.now, places))
    claims: list[Claim] = []
    for row in connection.execute(_LEASED, (places,)):
        envelope, id_, type_, version, digest, recipients = row[DELIVERY_WIDTH:]
        claims.append(Claim(delivery_of(row), envelope, id_, type_, version, digest, names_of(recipients)))
    return claims


#: Lease what is due.
CLAIM: Final = one_by_one(_claim, "claim")

_ENDED: Final = f"""
SELECT {DELIVERY}, d.seq, d.leased_at, h.recipient FROM deliveries d INDEXED BY deliveries_leased
  CROSS JOIN messages m ON m.seq = d.message_seq LEFT JOIN holds h ON h.recipient = d.recipient
  WHERE d.state = 'leased' AND
"""


def _lapse(connection: sqlite3.Connection, asked: tuple[float, str | None]) -> list[Delivery]:
    now, owner = asked
    condition, value = ("d.lease_until <= ?", now) if owner is None else ("d.lease_owner = ?", owner)
    given_back: list[tuple[int, Delivery]] = []
    attempts: list[tuple[Any, ...]] = []
    rows = connection.execute(f"{_ENDED} {condition}", (value,)).fetchall()
    for row in sorted(rows, key=itemgetter(DELIVERY_WIDTH)):
        leased = delivery_of(row)
        seq, leased_at, held = row[DELIVERY_WIDTH:]
        until = now if leased.lease_until is None else leased.lease_until
        attempts.append((seq, leased.attempts + 1, leased_at, min(now, until), "lapsed"))
        queued = leased.after(LeaseExpired(now))
        given_back.append((seq, queued if held is None else queued.after(Held(now))))
    insert(connection, "attempts (delivery_seq, number, started_at, ended_at, outcome)", attempts)
    move(connection, given_back)
    return [delivery for _, delivery in given_back]


#: Give back leases that ended, or all of one owner.
LAPSE: Final = one_by_one(_lapse, "lapse")
