"""However many dossiers there are, a question to their register costs the same: each one goes through an index."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway.core.dossiers.event import Hop
from gateway.store.dossier_rows import head_row
from gateway.store.postgres import dossier_lines as cluster_lines
from gateway.store.postgres import dossiers as cluster
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.sqlite import accepting, dossier_lines, dossiers
from gateway.store.sqlite.connection import connect
from gateway.store.sqlite.migrations import migrate, migrations
from tests.build import a_message
from tests.told import LEAD, NEXT, a_head, a_telling, an_event

#: What grows with what is stored, by the names and letters that the statements give it.
LARGE = r"(dossier_lines|dossiers|messages|[dm])\b"
LISTS = [dossiers.listing(is_lead=lead, is_status=status) for lead in (False, True) for status in (False, True)]
#: Question -> whether what it finds is put in order by an index: the others put some lines of one dossier in order.
ASKED = {
    dossiers._STORY: True, dossiers._CHILDREN: False, dossiers._UNSETTLED: True, dossiers._ONE: True,
    dossiers._DUE: True, dossiers._ENDED: False, dossiers._KEEP: True, dossier_lines._OLD: True,
    **dict.fromkeys(LISTS, True),
}  # fmt: skip
#: So many dossiers with two lines each.
MANY = 3000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(tmp_path / "ledger.db", "writer")) as connection:
        migrate(connection, tmp_path / "ledger.db", migrations())
        yield connection


@pytest.mark.parametrize("statement", ASKED)
def test_nothing_that_grows_is_read_from_end_to_end(connection: sqlite3.Connection, statement: str) -> None:
    values = dict.fromkeys(re.findall(r":(\w+)", statement), None)
    asked = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values or (None,) * statement.count("?"))
    steps = [row[3] for row in asked]

    assert [step for step in steps if re.match(f"SCAN {LARGE}", step)] == []
    if ASKED[statement]:
        assert "USE TEMP B-TREE FOR ORDER BY" not in steps


def test_a_message_of_no_dossier_costs_no_statement_more(connection: sqlite3.Connection) -> None:
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    accepting.ACCEPT.run(connection, [[a_message()]])

    assert seen
    assert [text for text in seen if "dossier" in text] == []
    accepting.ACCEPT.run(connection, [[a_telling()]])
    assert len([text for text in seen if "INTO dossier" in text]) == 2


async def test_no_question_to_a_cluster_reads_more_than_it_answers(postgres_url: str) -> None:
    ledger = PostgresLedger(postgres_url)
    await ledger.open()
    codes = [f"H33.16-261012-{number:05}" for number in range(MANY)]
    for start in range(0, MANY, 500):
        some = codes[start : start + 500]
        registered = [a_telling(code, of=an_event(code=code), deliveries=()) for code in some]
        hops = [an_event("forwarded", code=code, hop=Hop(1, LEAD, NEXT, None, f"con {code}")) for code in some]
        children = [a_telling(f"on {hop.code}", of=hop, deliveries=()) for hop in hops]
        await ledger.accept_many([*registered, *children])
    connection = await asyncpg.connect(postgres_url)
    heads = [
        a_head(
            place, code, lead=f"H33.{place % 30}", status=place % 9, next_look=1e9 + place, received_at=1e9 + place,
            finished_at=None if place % 3 else 1e9 + place,
        )
        for place, code in enumerate(codes, 1)
    ]  # fmt: skip
    await connection.executemany(cluster._KEEP, [head_row(head) for head in heads])
    await connection.execute("DELETE FROM dossiers_unsettled WHERE code > $1", codes[2000])
    await connection.execute("VACUUM ANALYZE")
    for name, value in (("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")):
        await connection.execute(f"SET {name} = {value}")  # as the ledger's own transactions begin
    asked = {
        cluster._STORY: (codes[7],),
        cluster._CHILDREN: (codes[7],),
        cluster._UNSETTLED: (10,),
        cluster._ONE: (codes[7],),
        cluster._DUE: (1e9 + 20, 10),
        cluster._ENDED: (1e9 + MANY - 60, 2e9, codes[100], 10),
        cluster.listing(is_lead=False, is_status=False): (codes[100], 10),
        cluster.listing(is_lead=True, is_status=False): (codes[100], 10, "H33.7"),
        cluster.listing(is_lead=False, is_status=True): (codes[100], 10, 3),
        cluster.listing(is_lead=True, is_status=True): (codes[100], 10, "H33.7", 7),
        cluster_lines._OLD: (2500, 2600, 10),
    }
    for statement, values in asked.items():
        plan = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values))
        steps = list(nodes(plan[0]["Plan"]))
        assert [step for step in steps if step["Node Type"] == "Seq Scan"] == [], statement
        assert max(step["Actual Rows"] + step.get("Rows Removed by Filter", 0) for step in steps) <= 60, statement
    await connection.close()
    await ledger.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)
