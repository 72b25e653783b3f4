"""The register's tables while messages are kept: what is asked before, and what is written with them.

Whoever keeps a line holds the lock of its document (``locks.lanes``) to the end of the transaction, so a status and its
document that come to two gateways at the same moment see one another.
"""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.core.documents.entry import Obligation
from gateway.ports import NewMessage
from gateway.store.entries import COLUMNS, ISSUED, KNOWN, WIDTH, entry_of, sent_of
from gateway.store.lines import Lines, Name, Wanted
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.rows import arrays, columns, names_of

_OF_LINE: Final = ", ".join(f"l.{name}" for name in COLUMNS.split(", "))
_NAMES: Final = "unnest($1::text[], $2::text[]) AS n (key, issuer)"
_NAMED: Final = f"{_NAMES} CROSS JOIN LATERAL (SELECT * FROM documents d WHERE d.key = n.key AND d.issuer = n.issuer"
_STATUSES: Final = f"SELECT {_OF_LINE}, l.message_seq, l.parked FROM {_NAMED} AND d.kind = 'status') l"
_KNOWN: Final = f"""
SELECT n.key, n.issuer FROM {_NAMES} CROSS JOIN LATERAL
  (SELECT FROM documents d WHERE d.key = n.key AND d.issuer = n.issuer AND d.{KNOWN} LIMIT 1) AS is_there
"""
_DUTY: Final = f"{_OF_LINE}, o.message_seq, o.agency, o.name, o.answered_by, o.due"
_OPEN: Final = "CROSS JOIN LATERAL (SELECT * FROM duties u WHERE u.message_seq = l.message_seq) o"
_DUTIES: Final = f"SELECT {_DUTY} FROM {_NAMED} AND d.{ISSUED}) l {_OPEN}"
_DUTIES_OF_CHANGES: Final = (
    f"SELECT {_DUTY} FROM {_NAMES} CROSS JOIN LATERAL (SELECT d.* FROM document_changes c"
    f" JOIN documents d ON d.message_seq = c.message_seq WHERE c.key = n.key AND d.issuer = n.issuer) l {_OPEN}"
)
_SENT: Final = (
    f"SELECT {_OF_LINE}, l.message_seq, i.source, i.key::text, l.again, i.recipients FROM {_NAMED} AND d.{KNOWN}) l"
    " JOIN messages m ON m.seq = l.message_seq JOIN ids i ON i.key = m.key"
)
_TYPES: Final = (
    "int8", "text", "text", "text", "text", "text", "text", "text", "float8", "text", "text", "text", "text", "text",
    "int2", "int2",
)  # fmt: skip


async def begun(connection: Connection, messages: Iterable[NewMessage]) -> Lines | None:
    """The register as far as these messages need it; None where none of them speaks of a document."""
    wanted = Wanted.of(messages)
    if wanted is None:
        return None
    lines = Lines()
    if wanted.told:
        for row in await connection.fetch(_STATUSES, *_columns(wanted.told)):
            lines.there(row[WIDTH], row[WIDTH + 1], entry_of(tuple(row)))
    if wanted.reported:
        names = _columns(wanted.reported)
        lines.known.update([(key, issuer) for key, issuer in await connection.fetch(_KNOWN, *names)])
        _learn_duties(lines, await connection.fetch(_DUTIES, *names))
    if wanted.changed:
        _learn_duties(lines, await connection.fetch(_DUTIES_OF_CHANGES, *_columns(wanted.changed)))
    if wanted.second:
        for row in await connection.fetch(_SENT, *_columns(wanted.second)):
            lines.sent[row[WIDTH]] = sent_of(tuple(row), names_of(row[WIDTH + 4]))
    return lines


def _columns(names: Sequence[Name]) -> list[Sequence[Any]]:
    return columns(names, 2)


def _learn_duties(lines: Lines, rows: Iterable[Sequence[Any]]) -> None:
    for each in rows:
        row = tuple(each)
        place, agency, name, codes, due = row[WIDTH:]
        lines.duties[place, agency, name] = Obligation(agency, name, due, tuple(json.loads(codes))), entry_of(row)


async def write(connection: Connection, lines: Lines) -> None:
    """Write what follows from the messages that were kept."""
    if lines.rows:
        await connection.execute(
            f"INSERT INTO documents (message_seq, {COLUMNS}, parked) SELECT * FROM unnest({arrays(_TYPES)})",
            *columns([tuple(row) for row in lines.rows], len(_TYPES)),
        )
    if lines.changes:
        await connection.execute(
            "INSERT INTO document_changes (key, message_seq) SELECT * FROM unnest($1::text[], $2::int8[])",
            *columns(lines.changes, 2),
        )
    if duties := lines.duty_rows():
        await connection.execute(
            "INSERT INTO duties (message_seq, agency, name, answered_by, due, level, next_at) SELECT * FROM"
            f" unnest({arrays(['int8', 'text', 'text', 'text', 'float8', 'int4', 'float8'])})",
            *columns(duties, 7),
        )
    if notes := lines.note_rows():
        await connection.execute(
            "UPDATE documents d SET again = n.again FROM unnest($1::text[], $2::int8[]) AS n (again, seq)"
            " WHERE d.message_seq = n.seq",
            *columns(notes, 2),
        )
    if lines.taken_in:
        await connection.execute(
            "UPDATE documents SET parked = 0 WHERE message_seq = ANY($1::int8[])", lines.taken_in
        )  # fmt: skip
    if lines.closed:
        await connection.execute(
            "DELETE FROM duties d USING unnest($1::int8[], $2::text[], $3::text[]) AS c (seq, agency, name)"
            " WHERE d.message_seq = c.seq AND d.agency = c.agency AND d.name = c.name",
            *columns(lines.closed, 3),
        )
