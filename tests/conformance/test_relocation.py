"""The promises of ``ports.relocation``: one suite, inherited by every pair of stores between which a province moves."""

from __future__ import annotations

import re
import secrets
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest

from gateway import checkpoints
from gateway.compose.choices import agency_lists_of, dossiers_of
from gateway.core.agency_list import AgencyList
from gateway.core.delivery import Delivered, State
from gateway.core.faults import Busy, Misconfigured
from gateway.ports import Change, Derived, Ledger, Taken
from gateway.ports.backfills import Backfills
from gateway.ports.failures import Failures, Sought
from gateway.ports.relocation import TABLES, Export, Import, Origin, Reached, Row, Table
from gateway.ports.replays import Replays
from gateway.ports.retention import Retention
from gateway.relay.relocate import Compared, compare, copy
from gateway.store.postgres import backfills as postgres_backfills
from gateway.store.postgres import replays as postgres_replays
from gateway.store.postgres import retention as postgres_retention
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.relocation import PostgresExport, PostgresImport
from gateway.store.sqlite import retention as sqlite_retention
from gateway.store.sqlite.backfills import backfills_of
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.relocation import SqliteExport, SqliteImport
from gateway.store.sqlite.replays import failures_and_replays
from tests.build import MORNING, a_key, a_message, an_audit_row
from tests.busy import AXIS, LATE, NOW, OTHER, PUSHED, keep_busy, plain
from tests.conformance.test_retention import ALL, DATA, Archive, again
from tests.servers import databases
from tests.servers.databases import in_a_loop_of_its_own
from tests.servers.sharing import within
from tests.told import CODE, a_telling, an_event


class Crashed(BaseException):
    """The process ends here."""


def crash() -> None:
    raise Crashed


def nobody(*_: object) -> None:
    """Hears how far it is."""


class House:
    """One end of a move: its ledger with what lies beside it, and how it is left or moved into."""

    def ledger(self) -> Ledger:
        raise NotImplementedError

    def beside(self, ledger: Ledger) -> tuple[Failures, Replays, Backfills]:
        raise NotImplementedError

    def retention(self, ledger: Ledger) -> Retention:
        raise NotImplementedError

    def export(self) -> Export:
        raise NotImplementedError

    def moving_in(self) -> Import:
        raise NotImplementedError


class SqliteHouse(House):
    def __init__(self, path: Path) -> None:
        self.path = path

    def ledger(self) -> Ledger:
        return SqliteLedger(self.path)

    def beside(self, ledger: Ledger) -> tuple[Failures, Replays, Backfills]:
        return (*failures_and_replays(ledger), backfills_of(ledger))

    def retention(self, ledger: Ledger) -> Retention:
        return sqlite_retention.retention_of(ledger)

    def export(self) -> Export:
        return SqliteExport(self.path)

    def moving_in(self) -> Import:
        return SqliteImport(self.path)


class PostgresHouse(House):
    def __init__(self, url: str) -> None:
        self.url = url

    def ledger(self) -> Ledger:
        return PostgresLedger(self.url)

    def beside(self, ledger: Ledger) -> tuple[Failures, Replays, Backfills]:
        return (*postgres_replays.failures_and_replays(ledger), postgres_backfills.backfills_of(ledger))

    def retention(self, ledger: Ledger) -> Retention:
        return postgres_retention.retention_of(ledger)

    def export(self) -> Export:
        return PostgresExport(self.url)

    def moving_in(self) -> Import:
        return PostgresImport(self.url)


async def make_busy(house: House) -> None:
    """A ledger in the middle of its work, closed."""
    ledger = house.ledger()
    await ledger.open()
    await keep_busy(ledger, *house.beside(ledger))
    await ledger.close()


async def move(source: House, target: House, *, is_finished: bool = True) -> list[Compared]:
    """All of it, going on where it was interrupted; what was compared at the end."""
    old, new = source.export(), target.moving_in()
    origin = await old.open()
    try:
        await copy(old, new, dict(await new.begin(origin)), nobody)
        found = await compare(old, new, nobody)
        if is_finished:
            await new.finish(an_audit_row("store.moved"))
    finally:
        await new.close()
        await old.close()
    return found


async def move_in_part(source: House, target: House) -> None:
    """All tables to ``derived``, and no more: the process ends there."""
    checkpoints.arm("relocate.page-kept", 12, crash)
    with pytest.raises(Crashed):
        await move(source, target)


async def look(source: House, target: House) -> Mapping[str, Reached] | None:
    """How far a move has come, to whom looks before he goes on."""
    old, new = source.export(), target.moving_in()
    try:
        return await new.look(await old.open())
    finally:
        await new.close()
        await old.close()


async def rows(reading: Export | Import, table: Table, after: Row | None = None) -> list[Row]:
    return [row async for page in reading.pages(table, after) for row in page]


async def dossiers_go_on(ledger: Ledger) -> None:
    """What was said of a dossier is there in its order, what comes is behind it, and its head is worked out again."""
    register = dossiers_of(ledger)
    assert await register.unsettled() == [CODE, "con"]
    await ledger.accept_many([a_telling("in the new one", of=an_event("result-issued", status=9))])
    story = await register.story(CODE)
    assert [line.event.kind for line in story] == ["registered", "forwarded", "progressed", "result-issued"]
    head = await register.head(CODE)
    assert head is not None
    assert head.place == story[1].place
    assert await register.children(CODE) == ["con", "của H33.05"]
    assert not await register.settle(replace(head, place=story[2].place))
    assert await register.settle(replace(head, place=story[3].place))
    assert await register.unsettled() == ["con"]


class RelocationSuite:
    """Every promise; a pair of stores adds its two ends."""

    @pytest.fixture
    def busy(self) -> House:
        raise LookupError("the test class of a pair makes it")

    @pytest.fixture
    def target(self) -> House:
        raise LookupError("the test class of a pair makes it")

    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for store in ("sqlite", "postgres"):
            monkeypatch.setattr(f"gateway.store.{store}.relocation.PAGE_ROWS", 7)

    @pytest.fixture(autouse=True)
    def _disarmed(self) -> Iterator[None]:
        yield
        checkpoints.disarm()

    # ------------------------------------------------------------------------------------------- what is there

    @pytest.mark.usefixtures("small_pages")
    async def test_rows_of_every_table_come_by_key_each_once_and_from_any_key_on(self, busy: House) -> None:
        left = busy.export()
        await left.open()
        for table in TABLES:
            every = await rows(left, table)
            keys = [table.key(row) for row in every]
            assert keys, f"the busy ledger has nothing in {table.name}"
            assert keys == sorted(set(keys))
            assert await rows(left, table, keys[0]) == every[1:]
            assert await rows(left, table, keys[-1]) == []
            assert await left.count(table) == len(every)
            if table.name == "deliveries":
                assert {row[table.columns.index("state")] for row in every} == {state.value for state in State}
        await left.close()

    async def test_everything_arrives_and_the_new_ledger_answers_what_the_old_one_did(
        self, busy: House, target: House
    ) -> None:
        found = await move(busy, target)
        assert [each.table for each in found if not each.is_equal] == []
        assert [each.table for each in found] == [table.name for table in TABLES]
        assert all(each.left == each.here > 0 and each.left_digest == each.here_digest for each in found)
        assert await look(busy, target) is None, "what was finished is known"

        told = []
        for house in (target, busy):
            ledger = house.ledger()
            await ledger.open()
            told.append(await everything(ledger, *house.beside(ledger)))
            await ledger.close()
        after, before = told
        *leaves, (_, _, last) = after.pop("journal")
        assert leaves == before.pop("journal")
        assert last.startswith(b'{"audit":"store.moved"')
        assert after == before

    async def test_an_old_ledger_that_was_used_after_the_move_is_noticed(self, busy: House, target: House) -> None:
        await move(busy, target)
        ledger = busy.ledger()
        await ledger.open()
        await ledger.accept_many([a_message("after the move")])
        await ledger.close()
        with pytest.raises(Misconfigured, match="the old one has changed since"):
            await look(busy, target)

    async def test_the_new_ledger_goes_on(self, busy: House, target: House) -> None:
        await move(busy, target)
        ledger = target.ledger()
        await ledger.open()
        failures, replays, backfills = target.beside(ledger)

        (answer,) = await ledger.accept_many([a_message("plain 0", envelope=b"another")])
        assert getattr(answer, "repeated", False), "a repeat is known"
        new = a_message("new", subject="refused", to=(OTHER,))
        await ledger.accept_many([new])
        delivery = await ledger.delivery(new.deliveries[0].id)
        assert delivery is not None
        assert delivery.state is State.BLOCKED, "what is open in its lane came before it"
        # the leases that were under way lapse, and everything that is due can be delivered
        assert len(await ledger.lapse(NOW + 60)) == 2
        for recipient in (PUSHED, OTHER, LATE):
            while claims := await ledger.claim({recipient: 50}, owner="new", now=NOW + 700, until=NOW + 800):
                changes = [Change(claim.delivery, claim.delivery.after(Delivered())) for claim in claims]
                assert all(await ledger.record_many(changes, now=NOW + 700))
        assert (await replays.counts("op-1"))["delivered"] == 1, "what an operation put back is followed still"
        await failures.look()
        assert {group.kind for group in await failures.groups(Sought(), now=NOW)} == {"dead", "held", "stuck"}
        (running,) = await backfills.lease("new", now=NOW + 60, until=NOW + 65)
        missed = await backfills.missed(running, after=running.reached, limit=1)
        assert (running.made, [each.envelope for each in missed.found]) == (2, [plain(2)])
        asked = await backfills.ask(replace(running, id="r-3", system="H33.41/dms"), an_audit_row("request.asked"))
        assert asked.id == "r-3"
        assert [each.id for each in await backfills.listed(limit=1)] == ["r-3"], "the youngest is the youngest"
        lists = agency_lists_of(ledger)
        assert AgencyList.unpack(AXIS, await lists.body(AXIS, "first") or b"").count == 1
        (waiting,) = await lists.proposals(phase="waiting")
        row = an_audit_row("directory.approved")
        assert await lists.decide(waiting.number, "approved", by="operator:mau", reason="đúng", audit=row)
        assert AgencyList.unpack(AXIS, await lists.body(AXIS, "second") or b"").count == 2
        again = await lists.propose(replace(waiting, digest="third", base="second"), b"", row)
        assert again.number == waiting.number + 1, "the youngest is the youngest"
        await dossiers_go_on(ledger)
        await ledger.close()

    async def test_what_retention_left_arrives_and_ids_stay_taken(self, busy: House, target: House) -> None:
        done = a_message("done", to=())
        made = Derived(a_key("of done"), done.key, "document.issued/2.0", b"translated")
        ledger = busy.ledger()
        await ledger.open()
        await ledger.accept_many([done])
        await ledger.keep_derived(made)
        archive = Archive(ledger, busy.beside(ledger)[2], busy.retention(ledger))
        await archive.retire(DATA)
        assert await ledger.envelope(done.key) is None
        await ledger.close()

        assert [each.table for each in await move(busy, target) if not each.is_equal] == []
        ledger = target.ledger()
        await ledger.open()
        assert await ledger.accept_many([done, a_message("new", key=made.key)]) == [again(done), Taken()]
        assert await ledger.envelope(done.key) is None
        assert await ledger.derived(done.key, made.target) is None
        assert await ledger.find(made.key) == await ledger.find(done.key) is not None
        await ledger.close()

    # ---------------------------------------------------------------------------------------- stopped and begun

    @pytest.mark.usefixtures("small_pages")
    @pytest.mark.parametrize("point", ["relocate.page-written", "relocate.page-kept"])
    async def test_killed_again_and_again_it_goes_on_and_nothing_comes_twice(
        self, busy: House, target: House, point: str
    ) -> None:
        for count in (1, 9, 20):
            checkpoints.arm(point, count, crash)
            with pytest.raises(Crashed):
                await move(busy, target)
        checkpoints.disarm()
        found = await move(busy, target)
        assert [each.table for each in found if not each.is_equal] == []

    async def test_what_is_half_there_is_known_and_nobody_else_takes_it(self, busy: House, target: House) -> None:
        await move_in_part(busy, target)

        reached = await look(busy, target)
        assert reached is not None
        assert [name for name, each in reached.items() if each.is_whole] == [table.name for table in TABLES[:11]]
        assert reached["derived"] == Reached((a_key("translated"),), 1)
        with pytest.raises(Misconfigured, match="migrate-store"):
            await target.ledger().open()
        with pytest.raises(Misconfigured, match="already"):
            await target.moving_in().look(Origin("of another province", "x"))

    async def test_what_changed_in_between_is_brought_over_anew(self, busy: House, target: House) -> None:
        await move_in_part(busy, target)
        checkpoints.disarm()
        ledger = busy.ledger()
        await ledger.open()
        await ledger.claim({PUSHED: 1}, owner="one", now=NOW, until=NOW + 30)
        await ledger.close()

        assert await look(busy, target) == {}
        assert [each.table for each in await move(busy, target) if not each.is_equal] == []

    async def test_a_row_that_is_not_the_same_is_found(self, busy: House, target: House) -> None:
        class Forgetful(type(busy.export())):  # type: ignore[misc]
            async def pages(self, table: Table, after: Row | None = None) -> AsyncGenerator[Sequence[Row], None]:
                async for page in super().pages(table, after):
                    yield page[1:] if table.name == "proofs" else page

        old, new = busy.export(), target.moving_in()
        old.__class__ = Forgetful
        origin = await old.open()
        await copy(old, new, dict(await new.begin(origin)), nobody)
        old.__class__ = type(busy.export())
        found = [each for each in await compare(old, new, nobody) if not each.is_equal]
        await new.close()
        await old.close()
        assert [(each.table, each.here - each.left) for each in found] == [("proofs", -1)]
        assert found[0].differs_at is not None

    # ------------------------------------------------------------------------------------------------ who may not

    async def test_no_ledger_is_left_under_a_gateway_and_no_gateway_works_on_what_is_or_was_left(
        self, busy: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.store.sqlite.connection._BUSY_TIMEOUT", 50)
        running = busy.ledger()
        await running.open()
        with pytest.raises(Misconfigured, match=r"uses this database"):
            await busy.export().open()
        await running.close()

        opened = busy.export()
        await opened.open()
        with pytest.raises((Busy, Misconfigured)):
            await busy.ledger().open()
        await opened.leave("postgresql://db.example.vn/lgsp", at=NOW)
        await opened.close()

        with pytest.raises(Misconfigured, match=re.escape("moved to postgresql://db.example.vn/lgsp")):
            await busy.ledger().open()
        assert (await opened.open()).gone_to == "postgresql://db.example.vn/lgsp"
        await opened.close()

    async def test_what_holds_something_else_is_not_moved_into(self, busy: House, target: House) -> None:
        ledger = target.ledger()
        await ledger.open()
        await ledger.accept_many([a_message()])
        await ledger.close()

        with pytest.raises(Misconfigured, match="already"):
            await look(busy, target)
        with pytest.raises(Misconfigured, match="already"):
            await move(busy, target)


async def everything(ledger: Ledger, failures: Failures, replays: Replays, backfills: Backfills) -> dict[str, Any]:
    """What a ledger and those beside it answer to every question that can be asked of what is kept."""
    names = [*(f"plain {n}" for n in range(40)), "refused", "gave up 2", "with a file", "to be held 1", "under way 0"]
    keys = [a_key(name) for name in names]
    every = await ledger.deliveries(limit=10_000)
    return {
        "records": [await ledger.find(key) for key in (*keys, a_key("translated"))],
        "envelopes": [await ledger.envelope(key) for key in keys],
        "derived": await ledger.derived(a_key("plain 1"), "document.issued/2.0"),
        "deliveries": every,
        "owing": await ledger.owing(),
        "owed": [await ledger.owed(each.id) for each in every],
        "due": await ledger.due(NOW),
        "journal": await ledger.journal(limit=10_000),
        "registry": await ledger.registry(),
        "holds": await ledger.holds(),
        "breakers": await ledger.breakers(),
        "groups": await failures.groups(Sought(), now=NOW),
        "members": await failures.members(Sought(), now=MORNING + 86400),
        "backlog": await failures.backlog(),
        "operations": [(each, await replays.items(each.id)) for each in await replays.listed()],
        # places are each store's own; that they lead to the same is shown by going on
        "requests": [replace(each, last=0, reached=0) for each in await backfills.listed()],
    }


@pytest.fixture(scope="module")
def busy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A busy ledger, to be copied."""
    path = tmp_path_factory.mktemp("busy") / "lgsp.db"
    in_a_loop_of_its_own(partial(make_busy, SqliteHouse(path)))
    return path


@pytest.fixture(scope="module")
def busy_database(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The name of the same in PostgreSQL."""
    name = f"{postgres_template}_{secrets.token_hex(6)}"
    databases.make(postgres_server, name, postgres_template)
    in_a_loop_of_its_own(partial(make_busy, PostgresHouse(within(postgres_server, name))))
    yield name
    databases.drop(postgres_server, name)


class TestFromSqliteToPostgres(RelocationSuite):
    @pytest.fixture
    def busy(self, busy_file: Path, tmp_path: Path) -> House:
        return SqliteHouse(Path(shutil.copy(busy_file, tmp_path / "old.db")))

    @pytest.fixture
    def target(self, postgres_url: str) -> House:
        return PostgresHouse(postgres_url)


class TestFromPostgresToSqlite(RelocationSuite):
    @pytest.fixture
    def busy(self, postgres_server: str, busy_database: str) -> Iterator[House]:
        name = f"{busy_database}_{secrets.token_hex(4)}"
        databases.make(postgres_server, name, busy_database)
        yield PostgresHouse(within(postgres_server, name))
        databases.drop(postgres_server, name)

    @pytest.fixture
    def target(self, tmp_path: Path) -> House:
        return SqliteHouse(tmp_path / "new.db")


async def retired(house: House) -> None:
    """All that is old leaves a ledger, which is closed again."""
    ledger = house.ledger()
    await ledger.open()
    await Archive(ledger, house.beside(ledger)[2], house.retention(ledger)).retire(ALL)
    await ledger.close()


async def test_a_file_that_knows_of_messages_only_what_a_repeat_is_moves_to_a_cluster(
    busy_file: Path, tmp_path: Path, postgres_url: str
) -> None:
    busy, target = SqliteHouse(Path(shutil.copy(busy_file, tmp_path / "old.db"))), PostgresHouse(postgres_url)
    await retired(busy)

    assert [each.table for each in await move(busy, target) if not each.is_equal] == []
    told = []
    for house in (busy, target):
        ledger = house.ledger()
        await ledger.open()
        found = await everything(ledger, *house.beside(ledger))
        assert found["records"].count(None) > 10
        told.append({name: answer for name, answer in found.items() if name != "journal"})
        (answer,) = await ledger.accept_many([a_message("plain 0", envelope=b"another")])
        assert getattr(answer, "repeated", False)
        await ledger.close()
    assert told[0] == told[1]


async def test_a_cluster_that_has_forgotten_messages_stays_where_it_is(
    postgres_server: str, busy_database: str
) -> None:
    name = f"{busy_database}_{secrets.token_hex(4)}"
    databases.make(postgres_server, name, busy_database)
    house = PostgresHouse(within(postgres_server, name))
    await retired(house)

    with pytest.raises(Misconfigured, match="what its retention allows"):
        await house.export().open()
    databases.drop(postgres_server, name)


async def test_a_pgbouncer_may_stand_between(
    busy_file: Path, tmp_path: Path, postgres_url: str, postgres_bouncer: str
) -> None:
    behind = PostgresHouse(within(postgres_bouncer, postgres_url.rpartition("/")[2]))
    old, new = SqliteHouse(Path(shutil.copy(busy_file, tmp_path / "old.db"))), SqliteHouse(tmp_path / "new.db")
    for source, target in ((old, behind), (behind, new)):
        assert [each.table for each in await move(source, target) if not each.is_equal] == []


#: What belongs to those that run now, or to the tables themselves.
STAYS = {"schema_versions", "processes", "paces"}


async def test_no_column_of_a_file_is_forgotten(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "lgsp.db")
    await ledger.open()
    await ledger.close()
    with closing(sqlite3.connect(ledger.path)) as opened:
        names = {name for (name,) in opened.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        columns = {
            (name, column)
            for name in names - STAYS
            for (column,) in opened.execute("SELECT name FROM pragma_table_info(?)", (name,))
        }
    assert columns == {(table.name, column) for table in TABLES for column in table.columns}


async def test_no_column_of_a_cluster_is_forgotten(postgres_url: str) -> None:
    travelling = {(table.name, column) for table in TABLES for column in table.columns}
    # where a message lies in two tables, its deliveries too, and the journal's leaves in runs
    of_ids = {"key", "message_seq", "target", "id", "source", "repeat_digest", "recipients", "receipt"}
    here = (travelling - {("messages", name) for name in of_ids - {"key"}}) | {("ids", name) for name in of_ids}
    here |= {("deliveries", name) for name in ("message", "source")}
    here |= {("ended", name) for table, name in here if table == "deliveries"}
    here -= {("journal", name) for name in ("number", "body")}
    here |= {("journal", name) for name in ("seq", "first", "size", "bodies")}
    connection = await asyncpg.connect(postgres_url)
    rows = await connection.fetch(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND a.attnum > 0 AND NOT a.attisdropped"
    )
    await connection.close()
    assert {(table, name) for table, name in rows if table not in STAYS} == here
