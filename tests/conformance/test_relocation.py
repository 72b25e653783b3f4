"""The promises of ``ports.relocation``: one suite, inherited by every pair of stores between which a province moves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway import checkpoints
from gateway.core.delivery import Delivered, State
from gateway.core.faults import Busy, Misconfigured
from gateway.ports import Change, Ledger
from gateway.ports.backfills import Backfills
from gateway.ports.failures import Failures, Sought
from gateway.ports.relocation import TABLES, Export, Import, Origin, Reached, Row, Table
from gateway.ports.replays import Replays
from gateway.relay.relocate import Compared, compare, copy
from gateway.store.sqlite.backfills import backfills_of
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.relocation import SqliteExport, SqliteImport
from gateway.store.sqlite.replays import failures_and_replays
from tests.build import MORNING, a_key, a_message, an_audit_row
from tests.busy import LATE, NOW, OTHER, PUSHED, keep_busy

WHOLE = {table.name: table for table in TABLES}


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

    def export(self) -> Export:
        raise NotImplementedError

    def moving_in(self) -> Import:
        raise NotImplementedError

    async def busy(self) -> None:
        """A ledger in the middle of its work, closed."""
        ledger = self.ledger()
        await ledger.open()
        await keep_busy(ledger, *self.beside(ledger))
        await ledger.close()


class SqliteHouse(House):
    def __init__(self, path: Path) -> None:
        self.path = path

    def ledger(self) -> Ledger:
        return SqliteLedger(self.path)

    def beside(self, ledger: Ledger) -> tuple[Failures, Replays, Backfills]:
        return (*failures_and_replays(ledger), backfills_of(ledger))

    def export(self) -> Export:
        return SqliteExport(self.path)

    def moving_in(self) -> Import:
        return SqliteImport(self.path)


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


async def rows(reading: Export | Import, table: Table, after: Row | None = None) -> list[Row]:
    return [row async for page in reading.pages(table, after) for row in page]


class RelocationSuite:
    """Every promise; a pair of stores adds its two ends."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> House:
        raise LookupError("the test class of a pair makes it")

    @pytest.fixture
    def target(self, tmp_path: Path) -> House:
        raise LookupError("the test class of a pair makes it")

    @pytest.fixture(autouse=True)
    def _disarmed(self) -> Iterator[None]:
        yield
        checkpoints.disarm()

    @pytest.fixture
    async def busy(self, source: House) -> House:
        await source.busy()
        return source

    @pytest.fixture
    async def left(self, busy: House) -> AsyncIterator[Export]:
        opened = busy.export()
        await opened.open()
        yield opened
        await opened.close()

    # ------------------------------------------------------------------------------------------- what is there

    async def test_the_busy_ledger_has_something_in_every_table_and_every_state(self, left: Export) -> None:
        assert [table.name for table in TABLES if await left.count(table) == 0] == []
        place = WHOLE["deliveries"].columns.index("state")
        assert {row[place] for row in await rows(left, WHOLE["deliveries"])} == {state.value for state in State}

    @pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
    async def test_rows_come_by_key_each_once_and_from_any_key_on(self, left: Export, table: Table) -> None:
        every = await rows(left, table)
        keys = [table.key(row) for row in every]
        assert keys == sorted(set(keys))
        assert await rows(left, table, keys[0]) == every[1:]
        assert await rows(left, table, keys[-1]) == []
        assert await left.count(table) == len(every)

    async def test_everything_arrives_with_its_place(self, busy: House, target: House) -> None:
        found = await move(busy, target)
        assert [each.table for each in found if not each.is_equal] == []
        assert [each.table for each in found] == [table.name for table in TABLES]
        assert all(each.left == each.here > 0 and each.left_digest == each.here_digest for each in found)

    async def test_the_new_ledger_answers_what_the_old_one_did(self, busy: House, target: House) -> None:
        await move(busy, target)
        told = []
        for house in (busy, target):
            ledger = house.ledger()
            await ledger.open()
            told.append(await everything(ledger, *house.beside(ledger)))
            await ledger.close()
        before, after = told
        *leaves, (_, _, last) = after.pop("journal")
        assert leaves == before.pop("journal")
        assert last.startswith(b'{"audit":"store.moved"')
        assert after == before

    async def test_the_new_ledger_goes_on(self, busy: House, target: House) -> None:
        await move(busy, target)
        ledger = target.ledger()
        await ledger.open()
        failures, replays, backfills = target.beside(ledger)

        (answer,) = await ledger.accept_many([a_message("plain 0", envelope=b"another")])
        assert getattr(answer, "repeated", False), "a repeat is known"
        await ledger.accept_many([a_message("new", subject="refused", to=(OTHER,))])
        (new,) = [
            await ledger.delivery(each.id) for each in a_message("new", subject="refused", to=(OTHER,)).deliveries
        ]
        assert new is not None
        assert new.state is State.BLOCKED, "what is open in its lane came before it"
        # the leases that were under way lapse, and everything that is due can be delivered
        assert len(await ledger.lapse(NOW + 60)) == 2
        for recipient in (PUSHED, OTHER, LATE):
            while claims := await ledger.claim({recipient: 50}, owner="new", now=NOW + 700, until=NOW + 800):
                changes = [Change(claim.delivery, claim.delivery.after(Delivered())) for claim in claims]
                assert all(await ledger.record_many(changes, now=NOW + 700))
        counts = await replays.counts("op-1")
        assert counts["delivered"] == 1, "what was put back by the operation is followed still"
        await failures.look()
        assert {group.kind for group in await failures.groups(Sought(), now=NOW)} == {"dead", "held", "stuck"}
        (running,) = await backfills.lease("new", now=NOW + 60, until=NOW + 65)
        assert (running.made, running.reached) == (2, 2)
        await ledger.close()

    # ---------------------------------------------------------------------------------------- stopped and begun

    @pytest.mark.parametrize("point", ["relocate.page-written", "relocate.page-kept"])
    async def test_killed_again_and_again_it_goes_on_and_nothing_comes_twice(
        self, busy: House, target: House, point: str
    ) -> None:
        for count in (1, 3, 5):
            checkpoints.arm(point, count, crash)
            with pytest.raises(Crashed):
                await move(busy, target)
        checkpoints.disarm()
        found = await move(busy, target)
        assert [each.table for each in found if not each.is_equal] == []

    async def test_a_move_goes_on_behind_what_is_there(self, busy: House, target: House) -> None:
        checkpoints.arm("relocate.page-kept", 12, crash)
        with pytest.raises(Crashed):
            await move(busy, target)

        old, new = busy.export(), target.moving_in()
        reached = await new.look(await old.open())
        await old.close()
        assert reached is not None
        assert [name for name, each in reached.items() if each.is_whole] == [table.name for table in TABLES[:11]]
        assert reached["derived"] == Reached((a_key("translated"),), 1)

    async def test_what_changed_in_between_is_brought_over_anew(self, busy: House, target: House) -> None:
        await move(busy, target, is_finished=False)
        ledger = busy.ledger()
        await ledger.open()
        await ledger.claim({PUSHED: 1}, owner="one", now=NOW, until=NOW + 30)
        await ledger.close()

        old, new = busy.export(), target.moving_in()
        assert await new.look(await old.open()) == {}
        await old.close()
        assert [each.table for each in await move(busy, target) if not each.is_equal] == []

    async def test_a_row_that_is_not_the_same_is_found(self, busy: House, target: House) -> None:
        class Forgetful(type(busy.export())):  # type: ignore[misc]
            async def pages(self, table: Table, after: Row | None = None) -> AsyncIterator[Sequence[Row]]:
                async for page in super().pages(table, after):
                    yield page[1:] if table.name == "proofs" else page

        await move(busy, target, is_finished=False)
        old, new = busy.export(), target.moving_in()
        origin = await old.open()
        old.__class__ = Forgetful
        await new.begin(origin)
        found = [each for each in await compare(old, new, nobody) if not each.is_equal]
        await new.close()
        await old.close()
        assert [(each.table, each.here - each.left) for each in found] == [("proofs", 1)]
        assert found[0].differs_at is not None

    # ------------------------------------------------------------------------------------------------ who may not

    async def test_a_ledger_that_a_gateway_uses_is_not_left(self, busy: House) -> None:
        running = busy.ledger()
        await running.open()
        with pytest.raises(Misconfigured, match=r"(?i)uses this"):
            await busy.export().open()
        await running.close()

    async def test_no_gateway_works_on_a_ledger_that_is_being_left(self, busy: House, left: Export) -> None:
        del left
        ledger = busy.ledger()
        with pytest.raises((Busy, Misconfigured)):
            await ledger.open()

    async def test_a_ledger_that_was_left_is_not_opened_again(self, busy: House) -> None:
        opened = busy.export()
        await opened.open()
        await opened.leave("postgresql://db.example.vn/lgsp", at=NOW)
        await opened.close()

        with pytest.raises(Misconfigured, match=re.escape("moved to postgresql://db.example.vn/lgsp")):
            await busy.ledger().open()
        assert (await opened.open()).gone_to == "postgresql://db.example.vn/lgsp"
        await opened.close()

    async def test_no_gateway_opens_what_is_half_there(self, busy: House, target: House) -> None:
        checkpoints.arm("relocate.page-kept", 12, crash)
        with pytest.raises(Crashed):
            await move(busy, target)
        with pytest.raises(Misconfigured, match="migrate-store"):
            await target.ledger().open()

    async def test_what_holds_something_else_is_not_moved_into(self, busy: House, target: House) -> None:
        ledger = target.ledger()
        await ledger.open()
        await ledger.accept_many([a_message()])
        await ledger.close()
        origin = await (old := busy.export()).open()
        await old.close()

        for ask in (target.moving_in().look, target.moving_in().begin):
            with pytest.raises(Misconfigured, match=r"already"):
                await ask(origin)

    async def test_a_move_from_elsewhere_is_not_mixed_in(self, busy: House, target: House) -> None:
        await move(busy, target, is_finished=False)
        with pytest.raises(Misconfigured, match=r"already|another"):
            await target.moving_in().look(Origin("of another province", "x"))

    async def test_what_was_finished_is_known(self, busy: House, target: House) -> None:
        await move(busy, target)
        origin = await (old := busy.export()).open()
        await old.close()
        assert await target.moving_in().look(origin) is None


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
        "requests": await backfills.listed(),
    }


class TestFromSqliteToSqlite(RelocationSuite):
    @pytest.fixture
    def source(self, tmp_path: Path) -> House:
        return SqliteHouse(tmp_path / "old.db")

    @pytest.fixture
    def target(self, tmp_path: Path) -> House:
        return SqliteHouse(tmp_path / "new.db")
