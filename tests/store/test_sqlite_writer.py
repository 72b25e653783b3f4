"""The writer thread: many callers, few commits; a failure is told to whom it concerns and leaves nothing half done."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.core.faults import Busy
from gateway.ports import Accepted
from gateway.store.sqlite import connection as connections
from gateway.store.sqlite import writer as writers
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.writer import Step, Writer, one_by_one
from tests.build import a_message, an_audit_row


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    yield ledger
    await ledger.close()


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(tmp_path / "numbers.db")
    connection = connections.connect(tmp_path / "numbers.db", "writer")
    connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    writer.start(connection)
    yield writer
    await asyncio.to_thread(writer.stop)


def numbers(folder: Path) -> list[int]:
    """What is committed, as another connection sees it."""
    with contextlib.closing(sqlite3.connect(folder / "numbers.db")) as reader:
        return [n for (n,) in reader.execute("SELECT n FROM numbers ORDER BY n")]


def _put(connection: sqlite3.Connection, n: int) -> int:
    connection.execute("INSERT INTO numbers VALUES (?)", (n,))
    return n


PUT = one_by_one(_put)


class Gate:
    """Keeps the writer busy until it is opened."""

    def __init__(self) -> None:
        self.is_entered = threading.Event()
        self._is_open = threading.Event()
        self.step: Step[None, None] = one_by_one(self._wait)

    def _wait(self, _: sqlite3.Connection, __: None) -> None:
        self.is_entered.set()
        self._is_open.wait(30)

    def open(self) -> None:
        self._is_open.set()


@contextlib.asynccontextmanager
async def kept_busy(writer: Writer) -> AsyncIterator[None]:
    """While this lasts, what is asked of the writer waits; afterwards it is one group."""
    gate = Gate()
    busy = asyncio.create_task(writer.do(gate.step, None))
    await asyncio.to_thread(gate.is_entered.wait, 30)
    try:
        yield
    finally:
        gate.open()
        await busy


@contextlib.contextmanager
def a_full_disk(size: int) -> Iterator[None]:
    """No file of this process grows over ``size`` bytes: writing to the log fails in the middle of a commit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_callers_that_wait_together_share_one_commit(ledger: SqliteLedger) -> None:
    before = ledger._writer.commits

    async with kept_busy(ledger._writer):
        waiting = [asyncio.create_task(ledger.accept_many([a_message(n)])) for n in range(200)]
        await asyncio.sleep(0)
    answers = [answer for (answer,) in await asyncio.gather(*waiting)]

    assert all(isinstance(answer, Accepted) and not answer.repeated for answer in answers)
    assert ledger._writer.commits == before + 2, "one for whoever kept it busy, one for all"


async def test_equal_steps_side_by_side_are_run_as_one(writer: Writer) -> None:
    runs: list[list[int]] = []

    def run(_: sqlite3.Connection, payloads: object) -> list[int]:
        assert isinstance(payloads, list)
        runs.append(payloads)
        return [n * 10 for n in payloads]

    merged: Step[int, int] = Step(run)
    async with kept_busy(writer):
        waiting = [asyncio.create_task(writer.do(merged, n)) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        waiting += [asyncio.create_task(writer.do(PUT, 4)), asyncio.create_task(writer.do(merged, 5))]
        await asyncio.sleep(0)

    assert await asyncio.gather(*waiting) == [10, 20, 30, 4, 50]
    assert runs == [[1, 2, 3], [5]]


async def test_a_step_that_fails_is_told_its_own_caller_and_spoils_no_other(writer: Writer, tmp_path: Path) -> None:
    def fail(connection: sqlite3.Connection, n: int) -> int:
        _put(connection, n)
        raise LookupError("a mistake in the program")

    failing = one_by_one(fail)
    async with kept_busy(writer):
        waiting = [asyncio.create_task(writer.do(step, n)) for step, n in ((PUT, 1), (failing, 2), (PUT, 3), (PUT, 1))]
        await asyncio.sleep(0)
    first, mistake, third, doubled = await asyncio.gather(*waiting, return_exceptions=True)

    assert (first, third) == (1, 3)
    assert isinstance(mistake, LookupError)
    assert isinstance(doubled, sqlite3.IntegrityError)
    assert numbers(tmp_path) == [1, 3]


async def test_who_hears_of_success_can_read_it_from_another_connection(writer: Writer, tmp_path: Path) -> None:
    for n in range(20):
        await writer.do(PUT, n)
        assert numbers(tmp_path)[-1] == n


async def test_a_disk_that_fills_up_is_told_to_everyone_and_nothing_is_half_done(ledger: SqliteLedger) -> None:
    await ledger.accept_many([a_message("before")])

    with a_full_disk(64 * 1024):
        async with kept_busy(ledger._writer):
            batches = [[a_message(f"{n}.{m}", envelope=b"x" * 3000) for m in range(20)] for n in range(3)]
            waiting = [asyncio.create_task(ledger.accept_many(batch)) for batch in batches]
            await asyncio.sleep(0)
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert not await ledger.is_writable()

    for failure in failures:
        assert isinstance(failure, Busy)
        assert (failure.problem, failure.retry_after) == ("overloaded", 5.0)
        assert "chưa có gì được lưu" in failure.detail.vi
    assert len(await ledger.deliveries(limit=1000)) == 1
    assert len(await ledger.journal()) == 1

    assert await ledger.is_writable()
    (again,) = await ledger.accept_many([batches[0][0]])
    assert isinstance(again, Accepted)
    assert not again.repeated


async def test_a_commit_that_fails_fails_everyone_in_it(writer: Writer, tmp_path: Path) -> None:
    """The deferred reference is judged by COMMIT alone, so every step has succeeded before."""

    def make(connection: sqlite3.Connection, _: None) -> None:
        connection.execute("CREATE TABLE children (of INTEGER REFERENCES numbers (n) DEFERRABLE INITIALLY DEFERRED)")

    def orphan(connection: sqlite3.Connection, _: None) -> None:
        connection.execute("INSERT INTO children VALUES (99)")

    await writer.do(one_by_one(make), None)
    assert writer._connection is not None
    writer._connection.execute("PRAGMA foreign_keys = ON")
    async with kept_busy(writer):
        waiting = [asyncio.create_task(writer.do(PUT, 1)), asyncio.create_task(writer.do(one_by_one(orphan), None))]
        await asyncio.sleep(0)
    failures = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(failure) for failure in failures] == [sqlite3.IntegrityError] * 2
    assert numbers(tmp_path) == []
    assert await writer.do(PUT, 2) == 2


async def test_a_file_locked_by_another_process_is_a_fault_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_BUSY_TIMEOUT", 50)
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Busy):
        await ledger.accept_many([a_message()])
    assert not await ledger.is_writable()
    assert await ledger.deliveries() == [], "reading goes on"

    other.execute("COMMIT")
    other.close()
    (answer,) = await ledger.accept_many([a_message()])
    assert answer == Accepted(a_message().id, a_message().recipients, a_message().receipt)
    await ledger.close()


async def test_a_caller_that_is_cancelled_before_its_turn_leaves_nothing(writer: Writer, tmp_path: Path) -> None:
    async with kept_busy(writer):
        waiting = asyncio.create_task(writer.do(PUT, 1))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert await writer.do(PUT, 2) == 2
    assert numbers(tmp_path) == [2]


async def test_a_caller_that_is_cancelled_during_its_turn_leaves_it_whole(writer: Writer, tmp_path: Path) -> None:
    gate = Gate()

    def slow(connection: sqlite3.Connection, n: int) -> None:
        _put(connection, n)
        gate.step.run(connection, [None])
        _put(connection, n + 1)

    working = asyncio.create_task(writer.do(one_by_one(slow), 1))
    await asyncio.to_thread(gate.is_entered.wait, 30)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    gate.open()

    assert await writer.do(PUT, 3) == 3
    assert numbers(tmp_path) == [1, 2, 3]


def test_a_caller_whose_loop_is_gone_holds_nobody_up(tmp_path: Path) -> None:
    gate = Gate()
    writer = Writer(tmp_path / "numbers.db")
    connection = connections.connect(tmp_path / "numbers.db", "writer")
    connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    writer.start(connection)

    def slow(connection: sqlite3.Connection, n: int) -> None:
        gate.step.run(connection, [None])
        _put(connection, n)

    async def leave() -> None:
        asyncio.get_running_loop().call_later(0.01, asyncio.get_running_loop().stop)
        await writer.do(one_by_one(slow), 1)

    loop = asyncio.new_event_loop()
    abandoned = loop.create_task(leave())
    abandoned._log_destroy_pending = False  # type: ignore[attr-defined]  # it is meant
    loop.run_forever()
    loop.close()
    gate.open()

    assert asyncio.run(writer.do(PUT, 2)) == 2
    writer.stop()
    assert not abandoned.done()
    assert numbers(tmp_path) == [1, 2]


async def test_when_too_many_wait_the_next_is_turned_away_at_once(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "WAITING", 2)

    async with kept_busy(writer):
        waiting = [asyncio.create_task(writer.do(PUT, n)) for n in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await writer.do(PUT, 3)

    assert await asyncio.gather(*waiting) == [1, 2]


async def test_what_was_asked_before_the_close_is_done_and_after_it_refused(ledger: SqliteLedger) -> None:
    async with kept_busy(ledger._writer):
        waiting = asyncio.create_task(ledger.audit([an_audit_row()]))
        await asyncio.sleep(0)
        closing = asyncio.create_task(ledger.close())
        await asyncio.sleep(0.01)
    await asyncio.gather(waiting, closing)

    with pytest.raises(Busy):
        await ledger.audit([an_audit_row()])
    again = SqliteLedger(ledger.path)
    await again.open()
    assert len(await again.journal()) == 1
    await again.close()
