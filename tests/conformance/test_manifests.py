"""The promises of ``ports.manifests.Manifests``: one suite, inherited by every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.core.delivery import Delivered, Refused, Replayed, State, second
from gateway.core.moments import day_of
from gateway.core.reconciliation import Direction, Gap, Line, Section, bounds_of, summary_of
from gateway.ports import AuditRow, Change, Ledger
from gateway.ports.manifests import Day, Manifests, Passed, Reaction, States, Wait, place_of
from gateway.store.memory import MemoryLedger
from gateway.store.memory_manifests import MemoryManifests
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.manifests import manifests_of as postgres_manifests
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.manifests import manifests_of as sqlite_manifests
from tests.build import MORNING, SENDER, a_digest, a_key, a_message, an_attempt, an_audit_row
from tests.told import CODE, a_telling, an_event

Both = tuple[Ledger, Manifests]
DAY = day_of(MORNING)
NEXT = DAY + timedelta(days=1)
THERE = "H33.16/dms"
SECTION = Section(DAY, THERE, "received", "document.issued")


def lines(*numbers: int) -> list[Line]:
    made = [Line(a_key(str(n)), a_digest(str(n)), MORNING + n + 0.5, a_key(f"d{n}"), n == 1) for n in numbers]
    return sorted(made)


def gap(number: int = 1, **override: Any) -> Gap:
    (line,) = lines(number)
    made = Gap(SECTION, "lost", line.id, MORNING + 9.5, line.at, line.delivery)
    return replace(made, **override)


def row() -> AuditRow:
    return an_audit_row("manifest.differs")


async def rows_of(ledger: Ledger) -> int:
    return sum(b"manifest.differs" in body for _, _, body in await ledger.journal())


async def handed_over(ledger: Ledger, *names: str, at: float = MORNING + 60, **override: Any) -> None:
    """Messages that were accepted in the morning, and then handed over."""
    await ledger.accept_many([a_message(name, subject=name, to=(THERE,), **override) for name in names])
    claims = await ledger.claim({THERE: 1000}, owner="one", now=MORNING + 60, until=MORNING + 90)
    changes = [
        Change(each.delivery, each.delivery.after(Delivered()), an_attempt(ended_at=at), proof=b"p" if n == 0 else None)
        for n, each in enumerate(claims)
    ]
    assert all(await ledger.record_many(changes, now=at))


async def every(manifests: Manifests, direction: Direction, day: date = DAY, *, limit: int = 2) -> list[Passed]:
    found: list[Passed] = []
    page = await manifests.passed(direction, *bounds_of(day), after=None, limit=limit)
    found += page.passed
    while page.next is not None:
        page = await manifests.passed(direction, *bounds_of(day), after=page.next, limit=limit)
        assert len(page.passed) <= limit
        found += page.passed
    return found


class ManifestsSuite:
    """Every promise; a backend adds how to make both, in an empty folder or database."""

    def new(self, folder: Path) -> Both:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def both(self, tmp_path: Path) -> AsyncIterator[Both]:
        made = self.new(tmp_path)
        await made[0].open()
        yield made
        await made[0].close()

    # --------------------------------------------------------------------------------------------- what passed

    async def test_what_the_bus_accepted_on_a_day_is_told_page_by_page(self, both: Both) -> None:
        ledger, manifests = both
        names = [f"m{n}" for n in range(5)]
        await ledger.accept_many([a_message(name, subject=name) for name in names])
        found = await every(manifests, "sent")
        assert [each.line.id for each in found] == [a_key(name) for name in names]
        assert {(each.system, each.contract) for each in found} == {(SENDER, "document.issued")}
        assert [each.about for each in found] == names
        assert all(len(each.line.digest) == 64 and each.line.delivery == "" for each in found)
        assert await every(manifests, "received") == []

    async def test_a_day_ends_at_midnight_in_viet_nam(self, both: Both) -> None:
        ledger, manifests = both
        start, end = bounds_of(DAY)
        for name, at in (("before", start - 0.5), ("first", start), ("last", end - 0.5), ("after", end)):
            await ledger.accept_many([a_message(name, accepted_at=at)])
        assert [each.line.id for each in await every(manifests, "sent")] == [a_key("first"), a_key("last")]
        assert [each.line.id for each in await every(manifests, "sent", NEXT)] == [a_key("after")]

    async def test_what_was_handed_over_is_told_with_its_delivery_and_whether_it_was_proven(self, both: Both) -> None:
        ledger, manifests = both
        await handed_over(ledger, "a", "b", "c")
        found = await every(manifests, "received")
        assert sorted(each.line.id for each in found) == sorted(a_key(name) for name in "abc")
        assert sum(each.line.proven for each in found) == 1
        for each in found:
            assert each.system == THERE
            kept = await ledger.delivery(each.line.delivery)
            assert kept is not None
            assert kept.message == each.line.id
            assert kept.state is State.DELIVERED

    async def test_it_belongs_to_the_day_on_which_it_was_handed_over(self, both: Both) -> None:
        ledger, manifests = both
        await handed_over(ledger, "late", at=bounds_of(NEXT)[0] + 1)
        assert await every(manifests, "received") == []
        assert len(await every(manifests, "received", NEXT)) == 1

    async def test_what_is_under_way_or_was_refused_is_not_in_it(self, both: Both) -> None:
        ledger, manifests = both
        await ledger.accept_many([a_message("refused", to=(THERE,)), a_message("waiting", to=(THERE,), subject="x")])
        claim, *_ = await ledger.claim({THERE: 1}, owner="one", now=MORNING + 60, until=MORNING + 90)
        refused = Change(claim.delivery, claim.delivery.after(Refused()), an_attempt(outcome="refused", status=422))
        await ledger.record_many([refused], now=MORNING + 61)
        assert await every(manifests, "received") == []

    async def test_a_message_about_a_dossier_names_it_and_the_one_it_belongs_to(self, both: Both) -> None:
        ledger, manifests = both
        await ledger.accept_many([a_telling("t", of=an_event(parent="cha"), to=(THERE,))])
        (found,) = await every(manifests, "sent")
        assert (found.about, found.parent) == (CODE, "cha")

    # ------------------------------------------------------------------------------------------------- lines

    async def test_lines_are_kept_by_id_and_read_by_range(self, both: Both) -> None:
        _, manifests = both
        kept = lines(1, 2, 3, 4, 5)
        await manifests.keep("bus", [(SECTION, line) for line in reversed(kept)])
        await manifests.keep("bus", [(SECTION, kept[0])])
        assert await manifests.lines(SECTION, "bus", limit=10) == kept
        assert await manifests.lines(SECTION, "bus", limit=2) == kept[:2]
        assert await manifests.lines(SECTION, "bus", after=kept[1].id, limit=2) == kept[2:4]
        assert await manifests.lines(SECTION, "bus", start=kept[1].id, until=kept[3].id, limit=9) == kept[1:3]
        assert await manifests.lines(SECTION, "system", limit=9) == []
        assert await manifests.sections(DAY, "bus") == [SECTION]
        assert await manifests.sections(NEXT, "bus") == []

    async def test_a_range_is_forgotten_and_nothing_else(self, both: Both) -> None:
        _, manifests = both
        kept = lines(1, 2, 3, 4)
        for side in ("bus", "system"):
            await manifests.keep(side, [(SECTION, line) for line in kept])
        await manifests.forget(SECTION, "system", start=kept[1].id, until=kept[2].id)
        assert await manifests.lines(SECTION, "system", limit=9) == [kept[0], *kept[2:]]
        await manifests.forget(SECTION, "system")
        assert await manifests.lines(SECTION, "system", limit=9) == []
        assert await manifests.lines(SECTION, "bus", limit=9) == kept

    async def test_it_knows_which_ids_stand_on_another_day(self, both: Both) -> None:
        _, manifests = both
        one, two, three = lines(1, 2, 3)
        other = SECTION._replace(day=NEXT)
        await manifests.keep("system", [(SECTION, one), (other, two), (other._replace(system="X"), three)])
        assert await manifests.elsewhere(SECTION, "system", [one.id, two.id, three.id]) == {two.id}
        assert await manifests.elsewhere(SECTION, "bus", [two.id]) == set()
        assert await manifests.elsewhere(SECTION, "system", []) == set()

    async def test_what_a_side_says_replaces_what_it_said_before(self, both: Both) -> None:
        _, manifests = both
        first, then = (summary_of(SECTION, "system", lines(*ns), said_at=MORNING) for ns in ((1, 2), (1, 2, 3)))
        ours = replace(summary_of(SECTION, "bus", lines(1, 2)), covers=(("", "m"), ("p", "")))
        await manifests.summarise([first, ours])
        await manifests.summarise([then])
        assert await manifests.summaries(DAY) == [ours, then]
        assert await manifests.summaries(DAY, side="system") == [then]
        assert await manifests.summaries(DAY, system="X") == []

    # ------------------------------------------------------------------------------------- what becomes of it

    async def test_delivered_accepted_and_processed_are_told_apart(self, both: Both) -> None:
        _, manifests = both
        kept = lines(1, 2, 3, 4)
        await manifests.keep("bus", [(SECTION, line) for line in kept])
        waits = [Wait(THERE, SECTION.contract, line.id, "H33.16", line.id, DAY, line.at, line.at + 9) for line in kept]
        await manifests.wait(waits)
        await manifests.wait(waits)
        assert await manifests.states(DAY) == {SECTION: States(4, 1, 0)}
        two, three = lines(2)[0], lines(3)[0]
        at = MORNING + 20.5
        await manifests.react([Reaction("H33.16", ("document.issued",), two.id, at, is_processed=False)])
        await manifests.react([Reaction("H33.16", ("x", "document.issued"), three.id, at, is_processed=True)])
        assert await manifests.states(DAY, THERE) == {SECTION: States(4, 3, 1)}
        assert await manifests.states(DAY, "X") == {}
        assert {each.id for each in await manifests.overdue(MORNING + 99, 9)} == {
            line.id for line in kept if line.id != three.id
        }

    async def test_only_the_recipient_can_deal_with_it_and_only_after_it_had_it(self, both: Both) -> None:
        _, manifests = both
        wait = Wait(THERE, "document.issued", a_key("1"), "H33.16", "số 1", DAY, MORNING, MORNING + 9)
        await manifests.wait([wait])
        wrong = Reaction("H33.99", ("document.issued",), "số 1", MORNING + 1, is_processed=True)
        early = replace(wrong, agency="H33.16", at=MORNING - 1)
        other = replace(wrong, agency="H33.16", contracts=("dossier.forwarded",))
        await manifests.react([wrong, early, other])
        assert await manifests.overdue(MORNING + 9, 5) == [wait]
        assert await manifests.overdue(MORNING + 8, 5) == []

    async def test_what_is_overdue_is_told_once_and_ends_when_it_is_dealt_with(self, both: Both) -> None:
        ledger, manifests = both
        wait = Wait(THERE, "document.issued", gap().id, "H33.16", "số 1", DAY, MORNING, MORNING + 9)
        await manifests.wait([wait])
        late = gap(kind="unprocessed")
        assert await manifests.note([late], row()) == [late]
        assert await manifests.note([late], row()) == []
        assert await rows_of(ledger) == 1
        assert await manifests.overdue(MORNING + 99, 5) == []
        assert await manifests.close(MORNING + 100) == 0
        await manifests.react([Reaction("H33.16", ("document.issued",), "số 1", MORNING + 101, is_processed=True)])
        assert await manifests.close(MORNING + 102) == 1
        assert await manifests.gaps() == []

    async def test_days_are_known_the_youngest_first(self, both: Both) -> None:
        _, manifests = both
        await manifests.mark(Day(DAY, MORNING))
        await manifests.mark(Day(NEXT, MORNING + 1))
        await manifests.mark(Day(DAY, MORNING, MORNING + 2))
        assert await manifests.days() == [Day(NEXT, MORNING + 1), Day(DAY, MORNING, MORNING + 2)]
        assert await manifests.days(1) == [Day(NEXT, MORNING + 1)]

    # -------------------------------------------------------------------------------------------------- gaps

    async def test_a_gap_is_new_once_ends_when_it_is_gone_and_opens_again(self, both: Both) -> None:
        ledger, manifests = both
        one, two = gap(1), gap(2)
        assert await manifests.settle(SECTION, ["lost"], [one, two], now=MORNING + 9.5, audit=row()) == [one, two]
        assert await manifests.settle(SECTION, ["lost"], [one, two], now=MORNING + 10, audit=row()) == []
        assert await manifests.settle(SECTION, ["unknown"], [], now=MORNING + 10, audit=row()) == []
        assert len(await manifests.gaps()) == 2
        await manifests.settle(SECTION, ["lost"], [two], now=MORNING + 11, audit=row())
        assert await manifests.gaps() == [two]
        assert replace(one, ended_at=MORNING + 11) in await manifests.gaps(is_open=False)
        await manifests.settle(SECTION, ["lost"], [one, two], now=MORNING + 12, audit=None)
        assert len(await manifests.gaps()) == 2
        assert await rows_of(ledger) == 1

    async def test_gaps_are_read_by_day_system_and_kind_page_by_page(self, both: Both) -> None:
        _, manifests = both
        other = SECTION._replace(day=NEXT, system="H33.20/dms")
        every_gap = [gap(1), gap(2), gap(3, kind="unknown"), gap(4, section=other)]
        await manifests.note(every_gap, row())
        ordered = sorted(every_gap, key=place_of)
        assert await manifests.gaps() == ordered
        assert await manifests.gaps(limit=2) == ordered[:2]
        assert await manifests.gaps(after=place_of(ordered[1])) == ordered[2:]
        assert await manifests.gaps(day=NEXT) == [gap(4, section=other)]
        assert await manifests.gaps(system=THERE, kind="unknown") == [gap(3, kind="unknown")]

    async def test_what_turns_up_on_another_day_is_no_gap_any_more(self, both: Both) -> None:
        _, manifests = both
        lost, unknown = gap(1), gap(2, kind="unknown")
        await manifests.note([lost, unknown], row())
        (one,), (two,) = lines(1), lines(2)
        other = SECTION._replace(day=NEXT)
        await manifests.keep("bus", [(other, one)])
        await manifests.keep("system", [(other, two)])
        assert await manifests.close(MORNING + 99) == 0
        await manifests.keep("system", [(other, one)])
        assert await manifests.close(MORNING + 99) == 1
        assert await manifests.gaps() == [unknown]
        await manifests.keep("bus", [(other, two)])
        assert await manifests.close(MORNING + 100) == 1

    async def test_a_gap_tells_by_which_operation_it_is_sent_again(self, both: Both) -> None:
        _, manifests = both
        await manifests.note([gap(1), gap(2)], row())
        await manifests.take_up([gap(1)], "op-1")
        assert {each.id: each.operation for each in await manifests.gaps()} == {gap(1).id: "op-1", gap(2).id: None}

    # ------------------------------------------------------------------------------------------------- again

    async def test_a_second_delivery_is_made_once_and_goes_out_when_it_is_replayed(self, both: Both) -> None:
        ledger, manifests = both
        await handed_over(ledger, "a")
        (found,) = await every(manifests, "received")
        first = await ledger.delivery(found.line.delivery)
        assert first is not None
        again = second(first, MORNING + 100)
        assert await manifests.repeat([again, again]) == 1
        assert await manifests.repeat([again]) == 0
        assert await ledger.delivery(again.id) == again
        assert await ledger.delivery(first.id) == first
        assert await ledger.claim({THERE: 9}, owner="one", now=MORNING + 200, until=MORNING + 230) == []
        assert await ledger.record_many([Change(again, again.after(Replayed(MORNING + 200)))], now=MORNING + 200)
        (claim,) = await ledger.claim({THERE: 9}, owner="one", now=MORNING + 200, until=MORNING + 230)
        assert claim.delivery.id == again.id
        delivered = Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt(ended_at=MORNING + 201))
        assert await ledger.record_many([delivered], now=MORNING + 201) == [True]
        record = await ledger.find(first.message)
        assert record is not None
        assert {each.delivery.id for each in record.deliveries} == {first.id, again.id}

    async def test_nothing_is_made_of_a_message_that_is_not_kept(self, both: Both) -> None:
        ledger, manifests = both
        await handed_over(ledger, "a")
        (found,) = await every(manifests, "received")
        first = await ledger.delivery(found.line.delivery)
        assert first is not None
        assert await manifests.repeat([second(first._replace(message=a_key("nobody's")), MORNING)]) == 0

    async def test_old_days_are_forgotten_a_little_at_a_time_and_open_gaps_stay(self, both: Both) -> None:
        _, manifests = both
        young = SECTION._replace(day=NEXT)
        await manifests.keep("bus", [(each, line) for each in (SECTION, young) for line in lines(1, 2, 3)])
        await manifests.summarise([summary_of(each, "bus", lines(1, 2, 3)) for each in (SECTION, young)])
        await manifests.mark(Day(DAY, MORNING))
        await manifests.mark(Day(NEXT, MORNING))
        await manifests.note([gap(1), gap(2)], row())
        await manifests.settle(SECTION, ["lost"], [gap(1)], now=MORNING + 10, audit=None)
        assert [await manifests.retire(NEXT, 2) for _ in range(3)] == [2, 1, 0]
        assert await manifests.sections(DAY, "bus") == []
        assert await manifests.summaries(DAY) == []
        assert len(await manifests.lines(young, "bus", limit=9)) == 3
        assert await manifests.days() == [Day(NEXT, MORNING)]
        assert await manifests.gaps(is_open=False) == [gap(1)]


class TestMemoryManifests(ManifestsSuite):
    def new(self, folder: Path) -> Both:
        ledger = MemoryLedger()
        return ledger, MemoryManifests(ledger)


class TestSqliteManifests(ManifestsSuite):
    def new(self, folder: Path) -> Both:
        ledger = SqliteLedger(folder / "ledger.db")
        return ledger, sqlite_manifests(ledger)


class TestPostgresManifests(ManifestsSuite):
    @pytest.fixture
    async def both(self, postgres_url: str) -> AsyncIterator[Both]:
        ledger = PostgresLedger(postgres_url)
        await ledger.open()
        yield ledger, postgres_manifests(ledger)
        await ledger.close()
