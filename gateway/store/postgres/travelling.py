"""Rows of the cluster's tables as they travel (``ports.relocation``), and travelling rows put into these tables."""

# ruff: noqa: S608 - statements are put together from constants of the program; every value is bound

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, cast

from gateway.core.delivery import ENDED
from gateway.ports.relocation import Row, Table
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.partitions import Month
from gateway.store.postgres.renumbering import Calendars

#: Columns that hold a number from ``seq``, by table, and of which kind it is.
NUMBERS: Final[dict[str, dict[str, str]]] = {
    "messages": {"seq": "messages"},
    "bodies": {"message_seq": "messages"},
    "message_files": {"message_seq": "messages"},
    "derived": {"message_seq": "messages"},
    "deliveries": {"seq": "deliveries", "message_seq": "messages"},
    "attempts": {"seq": "attempts", "delivery_seq": "deliveries"},
    "proofs": {"delivery_seq": "deliveries"},
    "outcomes": {"delivery_seq": "deliveries"},
    "failures": {"delivery_seq": "deliveries"},
    "replays": {"judged_after": "deliveries"},
    "replay_items": {"delivery_seq": "deliveries"},
    "documents": {"message_seq": "messages"},
    "document_changes": {"message_seq": "messages"},
    "duties": {"message_seq": "messages"},
    "dossier_lines": {"message_seq": "messages"},
    "dossiers": {"place": "messages"},
    "dossiers_unsettled": {"first": "messages", "last": "messages"},
    "backfills": {"last": "messages", "reached": "messages"},
}
#: What a table of the journey is here, where it is not the table of that name with these columns.
_QUESTIONS: Final = {
    "meta": "SELECT name, value FROM meta WHERE name IN ('registry_version', 'pulse')",
    "messages": (
        "SELECT m.seq, m.key::text, i.id, i.source, m.type, m.version, m.subject, m.accepted_at, m.digest,"
        " i.repeat_digest, i.recipients, i.receipt FROM messages m JOIN ids i ON i.key = m.key"
    ),
    # Where retention took the translation its id is taken all the same.
    "derived": (
        "SELECT i.key::text, i.message_seq, i.target, coalesce(d.envelope, '') AS envelope FROM ids i"
        " LEFT JOIN derived d ON d.message_seq = i.message_seq AND d.target = i.target WHERE i.target IS NOT NULL"
    ),
    "deliveries": (
        "SELECT seq, id::text, message_seq, recipient, contract, lane, priority, state, due, patience, deadline,"
        " patience_left, notbefore, expires, attempts, spent, lease_owner, lease_until, cause, replays, owes_outcome,"
        " leased_at FROM every_delivery"
    ),
    "outcomes": "SELECT delivery_seq, leaf FROM outcomes WHERE leaf IS NOT NULL",
    "journal": (
        "SELECT j.first + o.place - 1 AS number, j.kind, o.body FROM journal j"
        " CROSS JOIN LATERAL unnest(j.bodies) WITH ORDINALITY AS o (body, place) WHERE j.first IS NOT NULL"
    ),
}
#: Keys that are text: compared by code points, whatever the language of the database.
_TEXT: Final = frozenset(
    {"name", "kind", "key", "recipient", "sha256", "about", "system", "token", "address", "problem", "code"}
)


def question(table: Table, *, is_behind: bool) -> str:
    """All rows of a table by key; ``is_behind``: those behind the key $1, $2 and so on."""
    asked = _QUESTIONS.get(table.name, f"SELECT {', '.join(table.columns)} FROM {table.name}")
    key = ", ".join(f'{name} COLLATE "C"' if name in _TEXT else name for name in table.columns[: table.width])
    after = ", ".join(f"${place}" for place in range(1, table.width + 1))
    return f"SELECT * FROM ({asked}) q {f'WHERE ({key}) > ({after})' if is_behind else ''} ORDER BY {key}"


class Travelling:
    """Turns numbers of this ledger into places of the one that moved in, and back; None where they are its own."""

    def __init__(self, table: Table, calendars: Calendars | None) -> None:
        numbers = {} if calendars is None else NUMBERS.get(table.name, {})
        self._at = [
            (place, calendars[numbers[name]])
            for place, name in enumerate(table.columns)
            if calendars is not None and name in numbers
        ]

    def there(self, row: Sequence[Any]) -> Row:
        """A row of this ledger as it travels; only its first columns may be told."""
        if not self._at:
            return tuple(row)
        values = list(row)
        for at, calendar in self._at:
            if at < len(values):
                values[at] = calendar.place(values[at])
        return tuple(values)

    def here(self, row: Sequence[Any]) -> Row:
        """A travelling row as it lies here; only its first columns may be told."""
        if not self._at:
            return tuple(row)
        values = list(row)
        for at, calendar in self._at:
            if at < len(values):
                values[at] = calendar.number(values[at])
        return tuple(values)


# ----------------------------------------------------------------------------------------------------------- moving in


def tell(table: Table, rows: Sequence[Row], calendars: Calendars, present: Month) -> None:
    """Let the calendars know rows that come in, in the order of their places; none is of a month to come."""
    place = {name: at for at, name in enumerate(table.columns)}
    calendar = calendars.get(table.name)
    if calendar is None:
        return
    for row in rows:
        values = cast("Sequence[Any]", row)
        month: Month
        match table.name:
            case "messages":
                month = Month.at(values[place["accepted_at"]])
            case "deliveries":
                month = Month.of(calendars["messages"].number(values[place["message_seq"]]))
            case _:
                of_delivery = Month.of(calendars["deliveries"].number(values[place["delivery_seq"]]))
                month = max(Month.at(values[place["ended_at"]]), of_delivery, key=lambda each: each.number)
        calendar.tell(values[place["seq"]], min(month, present, key=lambda each: each.number))


async def put(connection: Connection, table: Table, rows: Sequence[Row], calendars: Calendars) -> None:
    """Put travelling rows, of which the calendars were told, into the tables, inside a transaction."""
    travelling = Travelling(table, calendars)
    lying = [dict(zip(table.columns, travelling.here(row), strict=True)) for row in rows]
    await _PUT.get(table.name, _as_they_are)(connection, table.name, lying)


_Lying = list[dict[str, Any]]


async def copy(connection: Connection, name: str, columns: Sequence[str], rows: _Lying) -> None:
    """Write rows into a table, fast."""
    if rows:
        taken = itemgetter(*columns) if len(columns) > 1 else lambda row: (row[columns[0]],)
        await connection.copy_records_to_table(name, records=[taken(row) for row in rows], columns=list(columns))  # type: ignore[attr-defined]


async def _as_they_are(connection: Connection, name: str, rows: _Lying) -> None:
    await copy(connection, name, list(rows[0]) if rows else (), rows)


async def _messages(connection: Connection, _: str, rows: _Lying) -> None:
    ids = [{**row, "message_seq": row["seq"]} for row in rows]
    await copy(connection, "ids", ("key", "message_seq", "id", "source", "repeat_digest", "recipients", "receipt"), ids)
    await copy(connection, "messages", ("seq", "key", "type", "version", "subject", "accepted_at", "digest"), rows)


async def _derived(connection: Connection, name: str, rows: _Lying) -> None:
    await copy(connection, "ids", ("key", "message_seq", "target"), rows)
    await _as_they_are(connection, name, rows)


async def _deliveries(connection: Connection, _: str, rows: _Lying) -> None:
    told = await connection.fetch(
        "SELECT m.seq, m.key, i.source FROM messages m JOIN ids i ON i.key = m.key WHERE m.seq = ANY($1::int8[])",
        list({row["message_seq"] for row in rows}),
    )
    messages = {seq: {"message": key, "source": source} for seq, key, source in told}
    whole = [{**row, **messages[row["message_seq"]]} for row in rows]
    for name, is_over in (("deliveries", False), ("ended", True)):
        mine = [row for row in whole if (row["state"] in ENDED) == is_over]
        await _as_they_are(connection, name, mine)
    owing = [{"delivery_seq": row["seq"]} for row in rows if row["owes_outcome"]]
    await copy(connection, "outcomes", ("delivery_seq",), owing)


async def _outcomes(connection: Connection, _: str, rows: _Lying) -> None:
    await connection.execute(
        "INSERT INTO outcomes (delivery_seq, leaf) SELECT * FROM unnest($1::int8[], $2::bytea[])"
        " ON CONFLICT (delivery_seq) DO UPDATE SET leaf = excluded.leaf",
        [row["delivery_seq"] for row in rows],
        [row["leaf"] for row in rows],
    )


async def _journal(connection: Connection, name: str, rows: _Lying) -> None:
    await _as_they_are(connection, name, list(_runs(rows)))


def _runs(leaves: _Lying) -> Iterator[dict[str, Any]]:
    """Leaves that follow one another and are of one kind are one row, numbered by the first of them."""
    by_run: Callable[[tuple[int, dict[str, Any]]], tuple[int, str]] = lambda told: (  # noqa: E731 - a key, used once
        told[1]["number"] - told[0],
        told[1]["kind"],
    )
    for (_, kind), group in groupby(enumerate(leaves), key=by_run):
        run = [leaf for _, leaf in group]
        first, bodies = run[0]["number"], [leaf["body"] for leaf in run]
        yield {"seq": first, "first": first, "size": len(run), "kind": kind, "bodies": bodies}


_PUT: Final[dict[str, Callable[[Connection, str, _Lying], Awaitable[None]]]] = {
    "messages": _messages, "derived": _derived, "deliveries": _deliveries, "outcomes": _outcomes, "journal": _journal,
}  # fmt: skip
