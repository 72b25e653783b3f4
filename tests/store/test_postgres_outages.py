"""A database that goes away: callers hear it soon and honestly, nothing is half written, and work goes on after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway import checkpoints
from gateway.core.delivery import Delivered
from gateway.core.faults import Busy, Misconfigured
from gateway.ports import Accepted, Change, Ledger
from gateway.store.postgres import connection as connections
from gateway.store.postgres import locks
from gateway.store.postgres.connection import Connection
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.writer import Step, one_by_one
from tests.build import MORNING, RECIPIENT, a_message, an_attempt
from tests.conformance.ledger_tale import NOW, keep, lease
from tests.emptied import emptied
from tests.servers import PrivatePostgres
from tests.servers.databases import in_a_loop_of_its_own
from tests.servers.sharing import within


@pytest.fixture
async def ledger(postgres_suite_url: str) -> AsyncIterator[PostgresLedger]:
    ledger = await emptied(PostgresLedger(postgres_suite_url))
    yield ledger
    await ledger.close()


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    checkpoints.disarm()


def cut_off(ledger: PostgresLedger) -> Callable[[], None]:
    """Ends every connection of the ledger's database, as an operator of the server may do at any time."""

    async def once() -> None:
        connection = await asyncpg.connect(within(ledger.url, "postgres"))
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                ledger.url.rpartition("/")[2],
            )
        finally:
            await connection.close()

    return lambda: in_a_loop_of_its_own(once)


# ------------------------------------------------------------------------------------------------- lost connections


@pytest.mark.parametrize("point", ["store.accept-asked", "store.accept-written"])
async def test_an_accept_that_is_cut_off_keeps_nothing_and_the_next_call_works(
    ledger: PostgresLedger, point: str
) -> None:
    sent = a_message()
    await keep(ledger, a_message("before"))
    checkpoints.arm(point, 1, cut_off(ledger))

    with pytest.raises(Busy) as told:
        await ledger.accept_many([sent])

    assert (told.value.problem, told.value.retry_after) == ("overloaded", 5.0)
    assert await ledger.find(sent.key) is None
    assert len(await ledger.journal()) == 1
    assert await ledger.accept_many([sent]) == [Accepted(sent.id, sent.recipients, sent.receipt)]


async def test_what_was_committed_before_the_cut_is_answered_as_a_repeat(ledger: PostgresLedger) -> None:
    sent = a_message()
    checkpoints.arm("store.accept-committed", 1, cut_off(ledger))

    await keep(ledger, sent)

    again = await _at_last(lambda: ledger.accept_many([sent]))
    assert again == [Accepted(sent.id, sent.recipients, sent.receipt, repeated=True)]


async def test_a_step_that_is_cut_off_is_not_written_and_may_come_again(ledger: PostgresLedger) -> None:
    await keep(ledger, a_message())
    (claim,) = await lease(ledger)
    change = Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt(), leaf=b"leaf", proof=b"proof")
    checkpoints.arm("store.record-written", 1, cut_off(ledger))

    with pytest.raises(Busy):
        await ledger.record_many([change], now=NOW)

    assert await ledger.delivery(claim.delivery.id) == claim.delivery
    assert await ledger.record_many([change], now=NOW) == [True]


async def test_everyone_in_a_group_that_is_cut_off_hears_it(ledger: PostgresLedger) -> None:
    checkpoints.arm("store.accept-written", 1, cut_off(ledger))

    answers = await asyncio.gather(
        *(ledger.accept_many([a_message(number)]) for number in range(20)), return_exceptions=True
    )

    assert {type(answer) for answer in answers} == {Busy}
    assert await ledger.deliveries() == []


async def test_a_question_that_is_cut_off_hears_it_and_the_next_is_answered(ledger: PostgresLedger) -> None:
    async def asked(connection: Connection) -> object:
        await asyncio.to_thread(cut_off(ledger))
        return await connection.fetchval("SELECT 1")

    with pytest.raises(Busy):
        await ledger.read(asked)

    assert await ledger.due(MORNING) == (frozenset(), None)


# --------------------------------------------------------------------------------------------- a server that is away


async def test_a_restart_of_the_server_is_heard_at_once_and_survived() -> None:
    server = PrivatePostgres()
    with server:
        ledger = PostgresLedger(server.url)
        await ledger.open()
        kept = a_message("kept")
        await keep(ledger, kept)

        await asyncio.to_thread(server.kill)
        for call in (
            lambda: ledger.accept_many([a_message("lost")]),
            lambda: ledger.due(NOW),
            lambda: ledger.find(kept.key),
            lambda: ledger.claim({RECIPIENT: 1}, owner="one", now=NOW, until=NOW + 1),
        ):
            begun = time.monotonic()
            with pytest.raises(Busy):
                await call()
            assert time.monotonic() - begun < 2
        assert not await ledger.is_writable()

        await asyncio.to_thread(server.start)
        assert await ledger.is_writable()
        assert [claim.envelope for claim in await lease(ledger)] == [kept.envelope]
        assert await ledger.find(a_message("lost").key) is None

        await _of_one_that_hangs(server, ledger)
        await ledger.close()


async def _of_one_that_hangs(server: PrivatePostgres, ledger: Ledger) -> None:
    """A server that takes connections and says nothing: callers wait no longer than the limit."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(connections, "_LIMIT", 1.0)
        patched.setattr(connections, "_TURN", 1.0)
        await asyncio.to_thread(server.pause)
        try:
            begun = time.monotonic()
            answers = await asyncio.gather(
                ledger.accept_many([a_message("hangs")]), ledger.due(NOW), return_exceptions=True
            )
            assert {type(answer) for answer in answers} == {Busy}
            assert time.monotonic() - begun < 3
        finally:
            await asyncio.to_thread(server.resume)
        assert await _at_last(lambda: ledger.due(NOW)) is not None


async def test_a_server_that_does_not_run_is_a_mistake_to_tell_the_administrator() -> None:
    ledger = PostgresLedger("postgresql://lgsp:secret-word@127.0.0.1:9/ledger")

    with pytest.raises(Misconfigured) as told:
        await ledger.open()

    assert "127.0.0.1:9/ledger" in str(told.value)
    assert "secret-word" not in f"{told.value.wrong} {told.value.right}"


async def test_a_database_that_is_not_there_and_a_wrong_password_are_mistakes(postgres_server: str) -> None:
    ledger = PostgresLedger(within(postgres_server, "no_such_database"))

    with pytest.raises(Misconfigured) as told:
        await ledger.open()

    assert "no_such_database" in told.value.wrong.vi


async def test_a_pgbouncer_that_the_settings_do_not_tell_of_is_a_mistake_that_names_the_setting(
    postgres_bouncer: str,
) -> None:
    with pytest.raises(Misconfigured) as told:
        await PostgresLedger(postgres_bouncer).open()

    assert "pgbouncer = true" in told.value.right.vi


async def test_a_ledger_that_was_closed_says_so_like_one_that_is_away(postgres_suite_url: str) -> None:
    ledger = PostgresLedger(postgres_suite_url)
    await ledger.open()
    await ledger.close()
    await ledger.close()

    with pytest.raises(Busy):
        await ledger.accept_many([a_message()])
    with pytest.raises(Busy):
        await ledger.due(NOW)


async def test_a_gateway_that_stops_in_the_midst_of_a_transaction_does_not_stop_the_others(
    postgres_suite_url: str, ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections._SETTINGS, "idle_in_transaction_session_timeout", "300")
    stopped = PostgresLedger(postgres_suite_url)
    await stopped.open()
    sent, is_held, goes_on = a_message(), asyncio.Event(), asyncio.Event()

    async def stop(connection: Connection, _: None) -> None:
        await connection.execute("INSERT INTO once VALUES ('half', 1)")
        is_held.set()
        await goes_on.wait()

    held = locks.lanes([sent.deliveries[0].lane])
    call = asyncio.create_task(stopped.write(one_by_one(stop, locks=lambda _: held), None))
    await is_held.wait()

    await keep(ledger, sent)

    goes_on.set()
    with pytest.raises(Busy):
        await call
    assert await ledger.use_once("half", until=1.0, now=0.0)
    await stopped.close()


# ------------------------------------------------------------------------------------------------------- the writer


async def test_callers_that_wait_side_by_side_share_a_transaction(ledger: PostgresLedger) -> None:
    before = ledger.commits

    await asyncio.gather(*(ledger.accept_many([a_message(number)]) for number in range(40)))

    assert ledger.commits - before <= 3


async def test_a_step_that_fails_spoils_no_other(ledger: PostgresLedger) -> None:
    async def put(connection: Connection, tokens: list[str]) -> list[str]:
        for token in tokens:
            await connection.execute("INSERT INTO once VALUES ($1, 1)", token)
        return tokens

    step: Step[str, str] = Step(put)  # type: ignore[arg-type]
    answers = await asyncio.gather(
        *(ledger.write(step, token) for token in ("a", "b", "a", "c")), return_exceptions=True
    )

    assert answers[0] == "a" or answers[2] == "a"
    assert [answers[1], answers[3]] == ["b", "c"]
    assert sum(isinstance(answer, asyncpg.UniqueViolationError) for answer in answers) == 1


async def test_a_step_that_hides_a_failed_statement_is_not_told_as_done(ledger: PostgresLedger) -> None:
    async def hide(connection: Connection, _: None) -> None:
        await connection.execute("INSERT INTO once VALUES ('hidden', 1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO once VALUES ('hidden', 1)")

    with pytest.raises(RuntimeError):
        await ledger.write(one_by_one(hide), None)

    assert await ledger.use_once("hidden", until=1.0, now=0.0)


async def test_transactions_that_block_each_other_are_tried_again(
    postgres_suite_url: str, ledger: PostgresLedger
) -> None:
    other = PostgresLedger(postgres_suite_url)
    await other.open()
    await ledger.count_refusals({("a", 1, "x"): 1, ("b", 1, "x"): 1})

    async def both(connection: Connection, order: str) -> None:
        for address in order:
            await connection.execute("UPDATE refusals SET count = count + 1 WHERE address = $1", address)
            await asyncio.sleep(0.05)

    step = one_by_one(both)
    await asyncio.gather(ledger.write(step, "ab"), other.write(step, "ba"))

    async def counts(connection: Connection) -> list[int]:
        return [count for (count,) in await connection.fetch("SELECT count FROM refusals")]

    assert await ledger.read(counts) == [3, 3]
    await other.close()


async def test_a_caller_that_gives_up_leaves_its_message_whole(ledger: PostgresLedger) -> None:
    sent = a_message()
    call = asyncio.create_task(ledger.accept_many([sent]))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    again = await ledger.accept_many([sent])
    assert again in (
        [Accepted(sent.id, sent.recipients, sent.receipt)],
        [Accepted(sent.id, sent.recipients, sent.receipt, repeated=True)],
    )


async def test_too_many_callers_are_turned_away(ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.postgres.writer.WAITING", 5)

    answers = await asyncio.gather(
        *(ledger.accept_many([a_message(number)]) for number in range(8)), return_exceptions=True
    )

    assert [isinstance(answer, Busy) for answer in answers] == [False] * 5 + [True] * 3


async def _at_last(call: Callable[[], object]) -> object:
    """What the call answers once the connections that were cut off are noticed: at most one call finds out."""
    try:
        return await call()  # type: ignore[misc]
    except Busy:
        return await call()  # type: ignore[misc]
