"""What is old leaves the file row by row, in steps so short that who else writes hardly waits.

The order of acceptance is that of time, so what is old is found by its place, and nothing young is read. A message's
row stays for ever as the memory of what a repeat is; without its metadata it is blank but for that. So do the ids of
translations, without their envelopes.
"""

# ruff: noqa: D102, S608 - ports.retention says what each method promises; every value of a statement is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from gateway.core.delivery import ENDED
from gateway.core.retention import CLASSES, Ages, Kept
from gateway.ports import Ledger
from gateway.ports.retention import Mark, Retired
from gateway.store.sqlite import dossier_lines
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.writer import one_by_one

#: Bytes of bodies that one step removes; the last one may go over it. Each page of them is read to be freed.
_MOST_BYTES: Final = 4 * 1024 * 1024
_START: Final[Mark] = (CLASSES[0], "", 0)


class SqliteRetention:
    """Keeps every promise of ``ports.retention.Retention`` in the file of a SqliteLedger, by its one writer."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger

    async def retire(self, ages: Ages, *, now: float, limit: int, after: Mark | None = None) -> Retired:
        return await self._ledger.write(RETIRE, Asked(ages, now, limit, after or _START))


def retention_of(ledger: Ledger) -> SqliteRetention:
    """What lies in the file of a ledger beside it; raises TypeError for a ledger that is no :class:`SqliteLedger`."""
    if not isinstance(ledger, SqliteLedger):
        raise TypeError("not a ledger of this store")
    return SqliteRetention(ledger)


@dataclass(frozen=True, slots=True)
class Asked:
    """What :data:`RETIRE` is asked for."""

    ages: Ages
    now: float
    limit: int
    after: Mark


def _retire(connection: sqlite3.Connection, asked: Asked) -> Retired:
    """One step of the class that ``after`` names; its mark says where the next one begins."""
    name, type_, seq = cast("tuple[Kept, str, int]", asked.after)
    found = Retired()
    if (age := asked.ages.of(name)) is not None:
        until = asked.now - age
        match name:
            case "data":
                found = _strip(connection, until, seq, asked.limit)
            case "attempts":
                found = _trim(connection, until, seq, asked.limit)
            case _:
                found = _forget(connection, until, type_, seq, asked.limit)
    if found.mark is not None:
        return replace(found, mark=(name, *found.mark))
    later = CLASSES[CLASSES.index(name) + 1 :]
    return replace(found, mark=(later[0], "", 0) if later else None)


#: Remove what is old, from a mark on.
RETIRE: Final = one_by_one(_retire)


def _last(connection: sqlite3.Connection, until: float) -> int:
    """The place of the last message accepted by ``until``, or of one near it where a clock went back."""
    low, high = 0, connection.execute("SELECT coalesce(max(seq), 0) FROM messages").fetchone()[0]
    while low < high:
        middle = (low + high + 1) // 2
        at = connection.execute("SELECT accepted_at FROM messages WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,))
        if at.fetchone()[0] <= until:
            low = middle
        else:
            high = middle - 1
    return int(low)


_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(ENDED))
#: Of these messages, those accepted by a moment with which all is done.
_DONE: Final = f"""
SELECT m.seq FROM json_each(?) q CROSS JOIN messages m ON m.seq = q.value
  WHERE m.accepted_at <= ? AND NOT EXISTS (
    SELECT 1 FROM deliveries d WHERE d.message_seq = m.seq AND (d.state NOT IN ({_ENDED}) OR d.owes_outcome = 1))
"""


def _done(connection: sqlite3.Connection, seqs: Sequence[int], until: float) -> str:
    """Those of the messages that may go, as a JSON list."""
    return json.dumps([seq for (seq,) in connection.execute(_DONE, (json.dumps(list(seqs)), until))])


_THESE: Final = "IN (SELECT value FROM json_each(?))"


def _strip(connection: sqlite3.Connection, until: float, after: int, limit: int) -> Retired:
    rows = connection.execute(
        "SELECT message_seq, length(envelope) FROM bodies WHERE message_seq > ? AND message_seq <= ?"
        " ORDER BY message_seq LIMIT ?",
        (after, _last(connection, until), limit),
    ).fetchall()
    seqs: list[int] = []
    size = 0
    for seq, length in rows:
        seqs.append(seq)
        size += length
        if size >= _MOST_BYTES:
            break
    count = _drop_bodies(connection, _done(connection, seqs, until))
    is_last = len(seqs) == len(rows) < limit
    return Retired(bodies=count, mark=None if is_last else ("", seqs[-1]))


def _drop_bodies(connection: sqlite3.Connection, done: str) -> int:
    count = connection.execute(f"DELETE FROM bodies WHERE message_seq {_THESE}", (done,)).rowcount
    connection.execute(f"UPDATE derived SET envelope = x'' WHERE message_seq {_THESE}", (done,))
    connection.execute(f"DELETE FROM message_files WHERE message_seq {_THESE}", (done,))
    return count


def _trim(connection: sqlite3.Connection, until: float, after: int, limit: int) -> Retired:
    rows = connection.execute(
        "SELECT seq, delivery_seq, ended_at FROM attempts WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    ).fetchall()
    old = [(seq, of) for seq, of, ended_at in rows if ended_at <= until]
    opened = connection.execute(
        f"SELECT seq FROM deliveries WHERE state NOT IN ({_ENDED}) AND seq {_THESE}",
        (json.dumps([of for _, of in old]),),
    )
    needed = {seq for (seq,) in opened}
    over = json.dumps([seq for seq, of in old if of not in needed])
    count = connection.execute(f"DELETE FROM attempts WHERE seq {_THESE}", (over,)).rowcount
    # In the order in which they ended: where the last one is young all that follow are.
    is_last = len(rows) < limit or rows[-1][2] > until
    return Retired(attempts=count, mark=None if is_last else ("", rows[-1][0]))


def _old_of_types(
    connection: sqlite3.Connection, until: float, type_: str, seq: int, limit: int
) -> Iterator[tuple[str, int]]:
    """Old messages that are not blank yet, behind this one in the order of the index: (type, place).

    What is blank has no type; each type is looked for by itself, so neither what is blank nor what is young is read.
    """
    last = _last(connection, until)
    while limit > 0:
        rows = connection.execute(
            "SELECT seq FROM messages INDEXED BY messages_by_type WHERE type = ? AND type <> '' AND seq > ?"
            " AND seq <= ? ORDER BY seq LIMIT ?",
            (type_, seq, last, limit),
        ).fetchall()
        limit -= len(rows)
        yield from ((type_, found) for (found,) in rows)
        if limit > 0:
            following = connection.execute(
                "SELECT min(type) FROM messages INDEXED BY messages_by_type WHERE type > ?", (type_,)
            ).fetchone()[0]
            if following is None:
                return
            type_, seq = following, 0


def _forget(connection: sqlite3.Connection, until: float, type_: str, seq: int, limit: int) -> Retired:
    found = list(_old_of_types(connection, until, type_, seq, limit))
    done = _done(connection, [place for _, place in found], until)
    _drop_bodies(connection, done)
    gone = connection.execute(f"DELETE FROM deliveries WHERE message_seq {_THESE} RETURNING seq", (done,)).fetchall()
    _drop_deliveries(connection, [place for (place,) in gone])
    for table in ("documents", "document_changes", "duties"):
        connection.execute(f"DELETE FROM {table} WHERE message_seq {_THESE}", (done,))
    count = connection.execute(
        f"UPDATE messages SET type = '', version = '', subject = '', digest = '' WHERE seq {_THESE}", (done,)
    ).rowcount
    is_more = dossier_lines.forget(connection, _last(connection, until), limit)
    if len(found) < limit:
        return Retired(messages=count, mark=(type_, seq) if is_more else None)
    return Retired(messages=count, mark=found[-1])


#: What operations remember of these deliveries: in each they lie side by side.
_ITEMS: Final = """
DELETE FROM replay_items WHERE (operation, delivery_seq) IN (
  SELECT i.operation, i.delivery_seq FROM replays r CROSS JOIN replay_items i
    ON i.operation = r.number AND i.delivery_seq BETWEEN ?1 AND ?2
    WHERE i.delivery_seq IN (SELECT value FROM json_each(?3)))
"""


def _drop_deliveries(connection: sqlite3.Connection, seqs: Sequence[int]) -> None:
    if not seqs:
        return
    places = json.dumps(list(seqs))
    for table in ("attempts", "proofs"):
        connection.execute(f"DELETE FROM {table} WHERE delivery_seq {_THESE}", (places,))
    connection.execute(_ITEMS, (min(seqs), max(seqs), places))
