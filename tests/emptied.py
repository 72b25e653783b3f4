"""A PostgreSQL ledger as on its first day, in a database that other tests used: making one takes ten times as long."""

from __future__ import annotations

from typing import Final

from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import one_by_one

_DELETIONS: Final = """
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
    """The ledger, opened, with every table empty."""
    await ledger.open()
    await empty(ledger)
    return ledger


async def empty(ledger: PostgresLedger) -> None:
    """Forget everything that an opened ledger keeps."""
    await ledger.write(_EMPTY, None)
