"""What the book says of PostgreSQL in step: a lost first machine loses no receipt, and who waits has none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway.core.faults import Busy
from gateway.ports import Accepted, NewMessage
from gateway.store.postgres.ledger import PostgresLedger
from tests.build import a_key, a_message
from tests.deploy.reading import program
from tests.servers.postgres import PrivatePostgres
from tests.servers.private import Unavailable

NAME = "lgsp_db2"


class Standby(PrivatePostgres):
    """A copy of another PostgreSQL, made and kept in step as the book does it."""

    def __init__(self, first: PrivatePostgres) -> None:
        super().__init__()
        self._first = first
        self._copier = program("pg_basebackup", "postgresql", "/usr/lib/postgresql/*/bin")
        self.password = first.password

    def _prepare(self) -> None:
        source = f"{self._first.url.rpartition('/')[0]}?application_name={NAME}"
        options = ["--write-recovery-conf", "--create-slot", "--slot", NAME, "--checkpoint=fast", "--no-sync"]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        copied = self.run([self._copier, "-D", self.folder / "data", "-d", source, *options], environment)
        if copied.wait(60) != 0:
            raise Unavailable(f"pg_basebackup failed: {self.said()}")
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"port = {self.port}\nwal_retrieve_retry_interval = 200ms\n")

    def _answers(self) -> bool:
        status = self.folder / "data" / "postmaster.pid"
        return status.exists() and status.read_text().split()[-1] in {"ready", "standby"}


@pytest.fixture(scope="module")
def machines() -> Iterator[tuple[PrivatePostgres, Standby]]:
    """A first machine and a standby that streams from it, each commit waiting for both."""
    program("postgres", "postgresql", "/usr/lib/postgresql/*/bin")
    with PrivatePostgres() as first, Standby(first) as standby:
        asyncio.run(ask(first, f"ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 ({NAME}, lgsp_db3)'"))
        asyncio.run(ask(first, "SELECT pg_reload_conf()"))
        asyncio.run(until(first, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'", 1))
        yield first, standby


async def ask(server: PrivatePostgres, question: str) -> object:
    """One question or act, by a connection of its own."""
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def until(server: PrivatePostgres, question: str, answer: object) -> None:
    """Ask until it is so."""
    for _ in range(400):
        if await ask(server, question) == answer:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(question)


async def accepted_at_last(ledger: PostgresLedger, message: NewMessage) -> None:
    """As a sender does who hears 503: the same again until it is taken."""
    for _ in range(200):
        try:
            await ledger.accept_many([message])
        except Busy:
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError("never accepted")


def both(*servers: PrivatePostgres) -> str:
    """The ledger's address that names all machines, as cluster/README.md shows it."""
    account = urlsplit(servers[0].url).netloc.rpartition("@")[0]
    hosts = ",".join(f"127.0.0.1:{each.port}" for each in servers)
    return f"postgresql://{account}@{hosts}/postgres?target_session_attrs=read-write"


async def test_a_lost_first_machine_loses_nothing_that_was_answered_and_what_waited_was_never_answered(
    machines: tuple[PrivatePostgres, Standby],
) -> None:
    first, standby = machines
    ledger = PostgresLedger(both(first, standby), pool=3)
    await ledger.open()
    try:
        answered = [a_message(number) for number in range(40)]
        assert all(isinstance(each, Accepted) for each in await ledger.accept_many(answered))

        # The standby is away: a commit waits, and nobody sees what it would bring.
        standby.kill()
        waiting = asyncio.create_task(ledger.accept_many([a_message("waits")]))
        await until(first, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", 1)
        await asyncio.sleep(0.3)
        assert not waiting.done()
        assert await ask(first, "SELECT count(*) FROM ids") == 40

        # It comes back, and all goes on.
        standby.start()
        assert all(isinstance(each, Accepted) for each in await waiting)
        answered.append(a_message("waits"))

        # The first machine is gone for good; somebody lets the standby take its place.
        first.kill()
        await ask(standby, "SELECT pg_promote()")
        await accepted_at_last(ledger, a_message("afterwards"))
        found = [await ledger.find(a_key(name)) for name in (*range(40), "waits", "afterwards")]
        assert None not in found
    finally:
        await ledger.close()
