"""Writing steps of deliveries, freeing what waited behind them, holding and releasing destinations."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Final

from gateway.core.breaker import Breaker
from gateway.core.delivery import Delivery, Freed, Held, Released, State
from gateway.ports import AuditRow, Change
from gateway.store.leaves import audit_leaf
from gateway.store.sqlite.rows import DELIVERY, DELIVERY_WIDTH, OPEN, STUCK, delivery_of, insert, move, step
from gateway.store.sqlite.writer import Step, one_by_one
from gateway.store.waves import Timed, waves

#: The heads of lanes in which something just ended, where they waited for it.
_HEADS: Final = f"""
SELECT {DELIVERY}, d.seq, q.key FROM json_each(?) q
  CROSS JOIN deliveries d ON d.seq = (
    SELECT min(seq) FROM deliveries WHERE lane IS NOT NULL AND lane = q.value AND {OPEN}
  )
  CROSS JOIN messages m ON m.seq = d.message_seq
  WHERE d.state = 'blocked'
"""

_GRANT: Final = """
INSERT OR IGNORE INTO file_rights (sha256, system)
SELECT f.sha256, d.recipient FROM json_each(?) q
  CROSS JOIN deliveries d ON d.seq = q.value CROSS JOIN message_files f ON f.message_seq = d.message_seq
"""


def _record(connection: sqlite3.Connection, requests: Sequence[tuple[Sequence[Change], float]]) -> list[list[bool]]:
    holds = {recipient for (recipient,) in connection.execute("SELECT recipient FROM holds")}
    written: list[bool] = []
    for wave in waves([(change, now) for changes, now in requests for change in changes]):
        written += _write(connection, wave, holds)
    answers = iter(written)
    return [[next(answers) for _ in changes] for changes, _ in requests]


def _write(connection: sqlite3.Connection, wave: list[Timed], holds: set[str]) -> list[bool]:
    seqs = step(connection, [(change.before, _held(change.after, now, holds)) for change, now in wave])
    done = [(seq, change, now) for change, now in wave if (seq := seqs.get(change.before.id)) is not None]
    insert(
        connection,
        "attempts (delivery_seq, number, started_at, ended_at, outcome, status, detail)",
        [
            (seq, tried.number, tried.started_at, tried.ended_at, tried.outcome, tried.status, tried.detail)
            for seq, change, _ in done
            if (tried := change.attempt) is not None
        ],
    )
    insert(
        connection,
        "journal (kind, body)",
        [("receipt", change.leaf) for _, change, _ in done if change.leaf is not None],
    )
    audit(connection, [change.audit for _, change, _ in done if change.audit is not None])
    for seq, change, _ in done:
        if change.after.owes_outcome and change.leaf is not None:
            connection.execute("INSERT OR REPLACE INTO outcomes VALUES (?, ?)", (seq, change.leaf))
        if change.proof is not None:
            connection.execute("INSERT OR REPLACE INTO proofs VALUES (?, ?)", (seq, change.proof))
    if taken := [seq for seq, change, _ in done if change.after.state is State.DELIVERED]:
        connection.execute(_GRANT, (json.dumps(taken),))
    ended = {
        change.after.lane: now for _, change, now in done if change.after.is_over and change.after.lane is not None
    }
    if ended:
        _free_next(connection, ended, holds)
    return [change.before.id in seqs for change, _ in wave]


def _free_next(connection: sqlite3.Connection, ended: dict[str, float], holds: set[str]) -> None:
    """Free what heads these lanes now (lane -> moment) where it is blocked."""
    lanes, moments = list(ended), list(ended.values())
    freed = []
    for row in connection.execute(_HEADS, (json.dumps(lanes),)).fetchall():
        seq, place = row[DELIVERY_WIDTH:]
        now = moments[int(place)]
        freed.append((seq, _held(delivery_of(row).after(Freed(now)), now, holds)))
    move(connection, freed)


def _held(delivery: Delivery, now: float, holds: set[str]) -> Delivery:
    """The delivery, or where it is queued for a destination on hold, that same held."""
    if holds and delivery.state is State.QUEUED and delivery.recipient in holds:
        return delivery.after(Held(now))
    return delivery


#: Write steps: all that wait are one batch.
RECORD: Final = Step(_record, "record")


def _told(connection: sqlite3.Connection, deliveries: Sequence[Delivery]) -> None:
    asked = json.dumps([[delivery.id, delivery.state.value, delivery.replays] for delivery in deliveries])
    connection.execute(
        "UPDATE deliveries SET owes_outcome = 0 WHERE owes_outcome = 1 AND seq IN ("
        " SELECT d.seq FROM json_each(?) q CROSS JOIN deliveries d ON d.id = json_extract(q.value, '$[0]')"
        " WHERE d.state = json_extract(q.value, '$[1]') AND d.replays = json_extract(q.value, '$[2]'))",
        (asked,),
    )
    connection.execute(
        "DELETE FROM outcomes WHERE delivery_seq IN ("
        " SELECT d.seq FROM json_each(?) q CROSS JOIN deliveries d ON d.id = json_extract(q.value, '$[0]')"
        " WHERE d.owes_outcome = 0)",
        (asked,),
    )


def owed(connection: sqlite3.Connection, delivery: str) -> bytes | None:
    """The payload of the outcome that is owed for a delivery."""
    found = connection.execute(
        "SELECT leaf FROM outcomes WHERE delivery_seq = (SELECT seq FROM deliveries WHERE id = ?)", (delivery,)
    ).fetchone()
    return None if found is None else bytes(found[0])


def breakers(connection: sqlite3.Connection) -> dict[str, Breaker]:
    """Every destination that failed lately."""
    rows = connection.execute("SELECT recipient, failures, since, is_open, prober, width FROM breakers")
    return {name: Breaker(failures, since, is_open == 1, prober, width)
            for name, failures, since, is_open, prober, width in rows}  # fmt: skip


def _keep_breaker(connection: sqlite3.Connection, asked: tuple[str, Breaker]) -> None:
    recipient, kept = asked
    if kept.is_quiet:
        connection.execute("DELETE FROM breakers WHERE recipient = ?", (recipient,))
        return
    connection.execute(
        "INSERT OR REPLACE INTO breakers VALUES (?, ?, ?, ?, ?, ?)",
        (recipient, kept.failures, kept.since, int(kept.is_open), kept.prober, kept.width),
    )


#: Remember how a destination is.
BREAKER: Final = one_by_one(_keep_breaker)

#: Clear what was owed.
TOLD: Final = one_by_one(_told, "told")

_Asked = tuple[str, float, AuditRow]


def audit(connection: sqlite3.Connection, rows: Sequence[AuditRow]) -> None:
    """Write audit rows to the journal."""
    insert(connection, "journal (kind, body)", [("audit", audit_leaf(row)) for row in rows])


_OF_DESTINATION: Final = (
    f"SELECT {DELIVERY}, d.seq FROM deliveries d CROSS JOIN messages m ON m.seq = d.message_seq"
    " WHERE d.recipient = ? AND d.state = "
)
_QUEUED: Final = f"{_OF_DESTINATION} 'queued'"
_HELD: Final = f"{_OF_DESTINATION} 'held' AND d.{STUCK}"


def _hold(connection: sqlite3.Connection, asked: _Asked) -> int:
    recipient, at, row = asked
    connection.execute("INSERT OR IGNORE INTO holds VALUES (?, ?)", (recipient, at))
    audit(connection, [row])
    queued = connection.execute(_QUEUED, (recipient,)).fetchall()
    move(connection, [(one[DELIVERY_WIDTH], delivery_of(one).after(Held(at))) for one in queued])
    return len(queued)


def _release(connection: sqlite3.Connection, asked: _Asked) -> int:
    recipient, at, row = asked
    connection.execute("DELETE FROM holds WHERE recipient = ?", (recipient,))
    audit(connection, [row])
    held = connection.execute(_HELD, (recipient,)).fetchall()
    move(connection, [(one[DELIVERY_WIDTH], delivery_of(one).after(Released(at))) for one in held])
    return len(held)


def holds(connection: sqlite3.Connection) -> dict[str, float]:
    """Destinations on hold, and since when."""
    return dict(connection.execute("SELECT recipient, since FROM holds ORDER BY recipient").fetchall())


#: Put a destination on hold, lift the hold: (recipient, moment, audit row).
HOLD: Final = one_by_one(_hold)
RELEASE: Final = one_by_one(_release)


def _audit(connection: sqlite3.Connection, requests: Sequence[Sequence[AuditRow]]) -> list[None]:
    audit(connection, list(chain.from_iterable(requests)))
    return [None for _ in requests]


#: Keep audit rows.
AUDIT: Final = Step(_audit)
