"""The suites that backends inherit speak as plainly as tests do; and one database for those of PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import one_by_one
from tests.servers import databases
from tests.servers.sharing import within

for suite in ("tale", "accepting", "lanes", "steps", "office"):
    pytest.register_assert_rewrite(f"tests.conformance.ledger_{suite}")


@pytest.fixture(scope="session")
def postgres_suite_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The address of one database for many tests, each of which empties it first: making one takes longer."""
    name = f"{postgres_template}_suite_{secrets.token_hex(6)}"
    databases.make(postgres_server, name, postgres_template)
    yield within(postgres_server, name)
    databases.drop(postgres_server, name)


_DELETIONS = """
SELECT string_agg('DELETE FROM ' || c.relname, '; ') FROM pg_class c
  WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname NOT IN ('meta', 'schema_versions')
"""


async def _empty(connection: Connection, _: None) -> None:
    await connection.execute("SET LOCAL session_replication_role = replica")  # no triggers
    await connection.execute(await connection.fetchval(_DELETIONS))
    await connection.execute("UPDATE meta SET value = 0")


_EMPTY = one_by_one(_empty)


async def emptied(ledger: PostgresLedger) -> PostgresLedger:
    """The ledger, opened and with all tables as empty as on its first day."""
    await ledger.open()
    await ledger.write(_EMPTY, None)
    return ledger
