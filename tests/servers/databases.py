"""Databases of a test's own: made as a copy of one that has all tables, dropped with whoever still uses them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]

T = TypeVar("T")
#: Whoever writes the migrations of PostgreSQL.
_LEDGER = "gateway.store.postgres.ledger"


def make(server: str, name: str, template: str | None = None) -> None:
    """A database on the server at ``server``, a copy of ``template`` or empty."""
    like = "template0" if template is None else template
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{like}"')


def drop(server: str, name: str) -> None:
    """Forget a database, sending away who uses it; nothing happens where there is none."""
    _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def drop_all(server: str, prefix: str) -> None:
    """Forget every database whose name begins so."""

    async def names() -> list[str]:
        connection = await asyncpg.connect(server)
        try:
            rows = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
            return [row[0] for row in rows]
        finally:
            await connection.close()

    for name in in_a_loop_of_its_own(names):
        drop(server, name)


def migrate(url: str) -> None:
    """Bring the database to the newest schema, as a gateway does when it starts."""
    if find_spec("gateway.store.postgres") is None or find_spec(_LEDGER) is None:
        return
    from importlib import import_module

    async def once() -> None:
        ledger = import_module(_LEDGER).PostgresLedger(url)
        await ledger.open()
        await ledger.close()

    in_a_loop_of_its_own(once)


def _execute(server: str, statement: str) -> None:
    async def once() -> None:
        connection = await asyncpg.connect(server)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    in_a_loop_of_its_own(once)


def in_a_loop_of_its_own(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of ``work``, for callers without an event loop who must not disturb the one of a test."""
    ends: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            ends.append(asyncio.run(work()))
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked for
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return ends[0]
