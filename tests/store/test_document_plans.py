"""However many documents were sent, a question to the register costs the same: each one goes through an index."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.store.sqlite import documents, lines
from gateway.store.sqlite.connection import connect
from gateway.store.sqlite.migrations import migrate, migrations

#: What grows with what is stored, by the names and letters that the statements give it.
LARGE = r"(documents|document_changes|duties|messages|[ldcm])\b"
WRITING = {
    lines: ("_STATUSES", "_KNOWN", "_DUTIES", "_DUTIES_OF_CHANGES", "_SENT"),
    documents: ("_ISSUED", "_FIND", "_PARKED", "_STORY"),
}
ASKED = [(module, name) for module, names in WRITING.items() for name in names]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(tmp_path / "ledger.db", "writer")) as connection:
        migrate(connection, tmp_path / "ledger.db", migrations())
        yield connection


def plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    values = dict.fromkeys(re.findall(r":(\w+)", statement), None)
    asked = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values or (None,) * statement.count("?"))
    return [row[3] for row in asked]


@pytest.mark.parametrize(("module", "name"), ASKED)
def test_nothing_that_grows_is_read_from_end_to_end(connection: sqlite3.Connection, module: object, name: str) -> None:
    steps = plan(connection, getattr(module, name))

    assert steps
    assert [step for step in steps if re.match(f"SCAN {LARGE}", step)] == []
    if name in {"_ISSUED", "_PARKED"}:  # the others have but the lines of one document to put in order
        assert "USE TEMP B-TREE FOR ORDER BY" not in steps


def test_duties_come_from_an_index_in_the_order_in_which_they_are_due(connection: sqlite3.Connection) -> None:
    statement = f"{documents._DUTY} WHERE TRUE ORDER BY d.due, d.message_seq, d.agency, d.name LIMIT 10"

    assert "SCAN d USING INDEX duties_due" in plan(connection, statement)
