"""The register's tables while messages are kept: what is asked before, and what is written with them."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from gateway.core.documents.entry import Obligation
from gateway.ports import NewMessage
from gateway.store.entries import COLUMNS, ISSUED, KNOWN, WIDTH, entry_of, sent_of
from gateway.store.lines import Lines, Wanted
from gateway.store.sqlite.rows import insert, names_of

_OF_LINE: Final = ", ".join(f"l.{name}" for name in COLUMNS.split(", "))
_NAMED: Final = "json_each(?) n CROSS JOIN documents l ON l.key = n.value ->> 0 AND l.issuer = n.value ->> 1"
_STATUSES: Final = f"SELECT {_OF_LINE}, l.message_seq, l.parked FROM {_NAMED} AND l.kind = 'status'"
_KNOWN: Final = f"""
SELECT n.value ->> 0, n.value ->> 1 FROM json_each(?) n WHERE EXISTS (
  SELECT 1 FROM documents WHERE key = n.value ->> 0 AND issuer = n.value ->> 1 AND {KNOWN})
"""
_DUTY: Final = f"{_OF_LINE}, d.message_seq, d.agency, d.name, d.answered_by, d.due"
_DUTIES: Final = f"SELECT {_DUTY} FROM {_NAMED} AND l.{ISSUED} CROSS JOIN duties d ON d.message_seq = l.message_seq"
_DUTIES_OF_CHANGES: Final = (
    f"SELECT {_DUTY} FROM json_each(?) n CROSS JOIN document_changes c ON c.key = n.value ->> 0"
    " CROSS JOIN documents l ON l.message_seq = c.message_seq AND l.issuer = n.value ->> 1"
    " CROSS JOIN duties d ON d.message_seq = l.message_seq"
)
_SENT: Final = (
    f"SELECT {_OF_LINE}, l.message_seq, m.source, m.key, l.again, m.recipients FROM {_NAMED} AND l.{KNOWN}"
    " CROSS JOIN messages m ON m.seq = l.message_seq"
)


def begun(connection: sqlite3.Connection, messages: Iterable[NewMessage]) -> Lines | None:
    """The register as far as these messages need it; None where none of them speaks of a document."""
    wanted = Wanted.of(messages)
    if wanted is None:
        return None
    lines = Lines()
    if wanted.told:
        for row in connection.execute(_STATUSES, (json.dumps(wanted.told),)):
            lines.there(row[WIDTH], row[WIDTH + 1], entry_of(row))
    if wanted.reported:
        names = json.dumps(wanted.reported)
        lines.known.update(connection.execute(_KNOWN, (names,)).fetchall())
        _learn_duties(lines, connection.execute(_DUTIES, (names,)))
    if wanted.changed:
        _learn_duties(lines, connection.execute(_DUTIES_OF_CHANGES, (json.dumps(wanted.changed),)))
    if wanted.second:
        for row in connection.execute(_SENT, (json.dumps(wanted.second),)):
            lines.sent[row[WIDTH]] = sent_of(row, names_of(row[WIDTH + 4]))
    return lines


def _learn_duties(lines: Lines, rows: Iterable[tuple[Any, ...]]) -> None:
    for row in rows:
        place, agency, name, codes, due = row[WIDTH:]
        lines.duties[place, agency, name] = Obligation(agency, name, due, tuple(json.loads(codes))), entry_of(row)


def write(connection: sqlite3.Connection, lines: Lines) -> None:
    """Write what follows from the messages that were kept."""
    insert(connection, f"documents (message_seq, {COLUMNS}, parked)", [tuple(row) for row in lines.rows])
    insert(connection, "document_changes (key, message_seq)", lines.changes)
    insert(
        connection, "duties (message_seq, agency, name, answered_by, due, level, next_at)", lines.duty_rows()
    )  # fmt: skip
    connection.executemany("UPDATE documents SET again = ? WHERE message_seq = ?", lines.note_rows())
    if lines.taken_in:
        connection.execute(
            "UPDATE documents SET parked = 0 WHERE message_seq IN (SELECT value FROM json_each(?))",
            (json.dumps(lines.taken_in),),
        )
    if lines.closed:
        connection.execute(
            "DELETE FROM duties WHERE (message_seq, agency, name) IN"
            " (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))",
            (json.dumps(lines.closed),),
        )
