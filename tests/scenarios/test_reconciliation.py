"""A day of traffic in virtual time, messages removed on either side: the manifests name exactly those, by morning.

The town's own steps carry the day; what is removed is drawn anew for each seed. What a receiver lost is brought back by
one action, once, whoever asks how often.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.core.calendar import Calendar
from gateway.core.delivery import State
from gateway.core.faults import IllegalStep, Rejected
from gateway.core.moments import day_of
from gateway.core.reconciliation import Direction, Gap, Line, bounds_of, summary_of
from gateway.core.replay import Phase, Plan
from gateway.ports import Accepted, Adapter
from gateway.ports.manifests import Manifests, Statement, States
from gateway.relay.differences import Differences
from gateway.relay.gather import Gather
from gateway.relay.missing import ReplayMissing
from gateway.relay.operations import Operations
from gateway.relay.reconcile import Reconcile
from gateway.relay.replay import Replay
from gateway.relay.settle import Settlement
from gateway.store.memory import MemoryLedger
from gateway.store.memory_failures import MemoryFailures
from gateway.store.memory_manifests import MemoryManifests
from gateway.store.memory_replays import MemoryReplays
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.manifests import SqliteManifests
from gateway.store.sqlite.replays import failures_and_replays
from tests.build import MORNING
from tests.town import Town, a_town, document, wishes_for

SENDER, THERE = "H33.05/dms", "H33.16/dms"
DAY = day_of(MORNING)
WHO = "operator:mau"
QUICK = Plan(rate=1000, canary=(), stop_percent=None)


@dataclass
class Books:
    """A town, what its agencies write down of what they send and take, and the step that compares."""

    town: Town
    sent: dict[str, str] = field(default_factory=dict)
    manifests: Manifests = field(init=False)
    reconcile: Reconcile = field(init=False)
    missing: ReplayMissing = field(init=False)
    replay: Replay = field(init=False)
    #: What the systems that can be asked say of a day.
    told: dict[str, list[Statement]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        town, ledger = self.town, self.town.ledger
        if isinstance(ledger, SqliteLedger):
            self.manifests = SqliteManifests(ledger)
            failures, replays = failures_and_replays(ledger)
        else:
            assert isinstance(ledger, MemoryLedger)
            self.manifests = MemoryManifests(ledger)
            failures = MemoryFailures(ledger)  # type: ignore[assignment]
            replays = MemoryReplays(ledger, failures)  # type: ignore[assignment]
        calendar = Calendar()
        gather = Gather(self.manifests, lambda: town.directory, lambda: town.catalog, lambda: calendar, town.clock)
        self.reconcile = Reconcile(
            self.manifests, gather, Differences(self.manifests, ledger, gather, town.clock), lambda: town.directory,
            lambda: calendar, town.clock, self._adapter, lambda system: system.name in self.told,
        )  # fmt: skip
        numbers = count(1)
        operations = Operations(
            replays, failures, ledger, lambda: town.directory, town.clock, lambda: f"op{next(numbers)}"
        )
        self.missing = ReplayMissing(self.manifests, operations, ledger, town.clock)
        self.replay = Replay(
            replays, failures, ledger, Settlement(lambda: town.directory), lambda: town.directory, town.clock, "one",
            town.broker.announce,
        )  # fmt: skip

    def _adapter(self, system: object) -> Adapter:
        told, name = self.told, system.name  # type: ignore[attr-defined]

        class _Asked:
            async def fetch_manifest(self, _: date) -> list[Statement]:
                return told[name]

        return _Asked()  # type: ignore[return-value]

    async def send(self, number: int, **override: Any) -> str:
        accepted = await self.town.sent(subject=f"H33.05,2026/11/23,{number}/STC-VP", **override)
        assert isinstance(accepted, Accepted)
        self.sent[accepted.id.lower()] = accepted.id
        return accepted.id.lower()

    async def traffic(self, how_many: int) -> None:
        for number in range(how_many):
            await self.send(number)
            self.town.clock.moment += 60
            await self.town.work()

    def taken(self) -> list[str]:
        return [each.lower() for each in self.town.taken_by(THERE)]

    async def morning(self, days: int = 1) -> None:
        """Half past seven, so many days later."""
        self.town.clock.moment = bounds_of(DAY)[0] + days * 86400 + 7.5 * 3600 + 60
        await self.reconcile.once()

    async def say(self, system: str, direction: Direction, ids: list[str], day: date = DAY) -> None:
        """The system gives its side, ids alone."""
        said = Statement(direction, "document.issued", [Line(each) for each in ids], "ids")
        await self.reconcile.said(system, day, [said], is_all=False)

    async def gaps(self) -> set[tuple[str, str, str]]:
        return {(gap.section.system, gap.kind, gap.id) for gap in await self.open()}

    async def open(self) -> list[Gap]:
        return await self.manifests.gaps()

    async def drive(self) -> None:
        for _ in range(30):
            self.town.clock.moment += max(await self.replay.once(), 0.01)
            await self.town.work()


@pytest.fixture(params=["memory", "sqlite"])
async def books(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    ledger = MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    yield Books(a_town(ledger=ledger))
    await ledger.close()


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_removed_on_either_side_is_named_and_nothing_else(books: Books, seed: int) -> None:
    luck = random.Random(seed)
    await books.traffic(25)
    taken = books.taken()
    assert len(taken) == 25
    lost = set(luck.sample(taken, luck.randint(0, 6)))
    unsaid = set(luck.sample(sorted(books.sent), luck.randint(0, 4)))
    stray = {f"0193c0de-0000-7000-8000-{luck.randrange(10**12):012d}" for _ in range(luck.randint(0, 3))}
    unarrived = {f"0193c0df-0000-7000-8000-{luck.randrange(10**12):012d}" for _ in range(luck.randint(0, 3))}
    theirs = [each for each in taken if each not in lost] + sorted(stray)
    own = [each for each in books.sent if each not in unsaid] + sorted(unarrived)
    luck.shuffle(theirs)
    luck.shuffle(own)
    await books.say(THERE, "received", theirs)
    await books.say(SENDER, "sent", own)
    await books.morning()
    assert await books.gaps() == {
        *((THERE, "lost", each) for each in lost),
        *((THERE, "unknown", each) for each in stray),
        *((SENDER, "unsaid", each) for each in unsaid),
        *((SENDER, "unarrived", each) for each in unarrived),
    }
    if not lost:
        return
    # One action; asked twice, and by two at once, it brings each back once.
    before = len(books.taken())
    seen = await books.missing.preview(DAY, THERE)
    assert {gap.id for gap in seen.gaps} == lost
    assert len(books.taken()) == before
    operation = await books.missing.do(seen, reason="máy chủ bên nhận mất ổ đĩa", author=WHO, plan=QUICK)
    await books.drive()
    again = await books.missing.preview(DAY, THERE)
    with pytest.raises(IllegalStep):
        await books.missing.do(again, reason="lần nữa", author=WHO)
    assert sorted(books.taken()[before:]) == sorted(lost)
    assert {gap.operation for gap in await books.open() if gap.kind == "lost"} == {operation.id}
    # The next day it says that it has them: they are missing no more.
    next_day = DAY + timedelta(days=1)
    await books.say(THERE, "received", sorted(lost), next_day)
    await books.morning(2)
    assert not any(kind == "lost" for _, kind, _ in await books.gaps())


async def test_two_equal_days_are_one_comparison_of_roots(books: Books) -> None:
    await books.traffic(5)
    await books.morning()
    (ours,) = await books.manifests.summaries(DAY, system=THERE, side="bus")
    said = Statement("received", "document.issued", None, count=ours.count, root=ours.root)
    (judged,) = await books.reconcile.said(THERE, DAY, [said], is_all=True)
    assert judged.is_compared
    assert judged.is_same
    assert await books.open() == []


async def test_a_difference_is_found_by_asking_for_branches_alone(books: Books) -> None:
    await books.traffic(40)
    await books.morning()
    lines = sorted(
        Line(each.line.id, each.line.digest)
        for each in (await books.manifests.passed("received", *bounds_of(DAY), after=None, limit=99)).passed
        if each.system == THERE
    )
    lost, kept = lines[17], [*lines[:17], *lines[18:]]
    section = (await books.manifests.summaries(DAY, system=THERE, side="bus"))[0].section
    whole = summary_of(section, "system", kept)
    claimed = Statement("received", "document.issued", None, count=whole.count, root=whole.root)
    (judged,) = await books.reconcile.said(THERE, DAY, [claimed], is_all=True)
    assert [gap.kind for gap in judged.gaps] == ["unexplained"]
    # Of sixteen parts one differs; the system names the ids of that one.
    unlike = []
    for part in judged.parts:
        own = [line for line in kept if part.start <= line.id and (not part.until or line.id < part.until)]
        if (summary_of(section, "system", own).root, len(own)) != (part.root, part.count):
            unlike.append((part, own))
    ((part, own),) = unlike
    assert len(own) < 5
    said = Statement("received", "document.issued", own, start=part.start, until=part.until)
    (judged,) = await books.reconcile.said(THERE, DAY, [said], is_all=False)
    assert [(gap.kind, gap.id) for gap in judged.gaps] == [("lost", lost.id)]


async def test_what_passed_around_midnight_is_not_missing(books: Books) -> None:
    books.town.clock.moment = bounds_of(DAY)[1] - 0.5
    late = await books.send(1)
    await books.town.work()
    await books.say(THERE, "received", [])  # by its own clock it came after midnight
    await books.morning()
    assert await books.open() == []
    await books.say(THERE, "received", [late], DAY + timedelta(days=1))
    await books.morning(2)
    assert await books.open() == []


async def test_one_that_the_next_day_does_not_list_either_is_missing(books: Books) -> None:
    books.town.clock.moment = bounds_of(DAY)[1] - 0.5
    late = await books.send(1)
    await books.town.work()
    await books.say(THERE, "received", [])
    await books.morning()
    await books.say(THERE, "received", [], DAY + timedelta(days=1))
    await books.morning(2)
    assert await books.gaps() == {(THERE, "lost", late)}


async def test_other_bytes_under_the_same_id_are_named(books: Books) -> None:
    await books.traffic(3)
    one, *others = books.taken()
    records = [await books.town.record(each) for each in others]
    said = [Line(each.key, each.digest) for each in records]
    statement = Statement("received", "document.issued", [*said, Line(one, "0" * 64)])
    await books.reconcile.said(THERE, DAY, [statement], is_all=True)
    await books.morning()
    assert await books.gaps() == {(THERE, "altered", one)}


async def test_nothing_is_compared_before_offices_open(books: Books) -> None:
    await books.traffic(2)
    await books.say(THERE, "received", [])
    books.town.clock.moment = bounds_of(DAY)[1] + 3 * 3600
    await books.reconcile.once()
    assert await books.open() == []
    assert [each.compared_at for each in await books.manifests.days()] == [None]
    await books.morning()
    assert len(await books.open()) == 2


async def test_a_system_that_says_nothing_is_not_accused(books: Books) -> None:
    await books.traffic(2)
    await books.morning()
    assert await books.open() == []


async def test_a_system_that_can_be_asked_is_asked(books: Books) -> None:
    await books.traffic(3)
    gone, *rest = books.taken()
    books.told[THERE] = [Statement("received", "", [Line(each) for each in rest], "ids")]
    await books.morning()
    assert await books.gaps() == {(THERE, "lost", gone)}


async def test_old_software_may_name_deliveries_and_leave_the_contract_out(books: Books) -> None:
    await books.traffic(4)
    gone, *rest = books.taken()
    names = [(await books.town.delivery(each)).id for each in rest]
    said = Statement("received", "", [Line(each) for each in [*names, "một tệp lạ"]], "ids")
    await books.morning()
    await books.reconcile.said(THERE, DAY, [said], is_all=True)
    assert await books.gaps() == {(THERE, "lost", gone), (THERE, "unknown", "một tệp lạ")}


async def test_delivered_accepted_and_processed_are_counted_apart_and_what_nobody_dealt_with_is_named(
    books: Books,
) -> None:
    books.town.change(SENDER, subscriptions=wishes_for("document.status"))
    for number in range(3):
        await books.send(number, data=document(documentId=f"H33.05,2026/11/23,{number}/STC-VP"))
        await books.town.work()
    _, processed, _ = books.taken()
    for number, code in ((0, "01"), (1, "06")):
        books.town.clock.moment += 60
        key = f"H33.05,2026/11/23,{number}/STC-VP"
        status = {
            "from": {"organId": "H33.16", "organName": "Sở Y tế"}, "statusCode": code,
            "responseFor": {"organId": "H33.05", "code": f"{number}/STC-VP", "documentId": key,
                            "promulgationDate": "2026-11-23"},
            "timestamp": "2026-11-23T09:20:11+07:00",
        }  # fmt: skip
        members = {"type": "document.status", "dataschema": "urn:lgsp:contract:document.status:1.0"}
        await books.town.sent("H33.16/dms", subject=key, to="H33.05", data=status, **members)
    await books.morning()
    (counts,) = [
        each for section, each in (await books.manifests.states(DAY)).items()
        if section.system == THERE and section.contract == "document.issued"
    ]  # fmt: skip
    assert counts == States(3, 2, 1)
    for days in range(2, 8):
        await books.morning(days)
    overdue = {each for system, kind, each in await books.gaps() if kind == "unprocessed" and system == THERE}
    assert len(overdue) == 2
    assert processed not in overdue


async def test_sending_again_needs_a_reason_and_is_on_record(books: Books) -> None:
    await books.traffic(2)
    await books.say(THERE, "received", [])
    await books.morning()
    seen = await books.missing.preview(DAY, THERE)
    with pytest.raises(Rejected):
        await books.missing.do(seen, reason=" ", author=WHO)
    operation = await books.missing.do(seen, reason="mất dữ liệu", author=WHO)
    assert operation.phase is Phase.RUNNING
    (row,) = [each for each in await books.town.journal("audit") if each["audit"] == "manifest.replayed"]
    assert row["actor"] == WHO
    assert row["details"]["reason"] == "mất dữ liệu"
    (row,) = [each for each in await books.town.journal("audit") if each["audit"] == "manifest.differs"]
    assert row["details"]["counts"] == {"lost": 2}


async def test_a_gateway_that_was_away_makes_up_for_the_days(books: Books) -> None:
    await books.traffic(1)
    await books.morning()
    await books.morning(5)
    assert [each.day for each in await books.manifests.days()] == [DAY + timedelta(days=n) for n in (4, 3, 2, 1, 0)]


async def test_what_is_lost_twice_is_brought_back_twice(books: Books) -> None:
    await books.traffic(1)
    (only,) = books.taken()
    await books.say(THERE, "received", [])
    await books.morning()
    await books.missing.do(await books.missing.preview(DAY, THERE), reason="mất", author=WHO, plan=QUICK)
    await books.drive()
    assert books.taken() == [only, only]
    next_day = DAY + timedelta(days=1)
    await books.say(THERE, "received", [], next_day)
    await books.morning(2)
    await books.missing.do(await books.missing.preview(next_day, THERE), reason="lại mất", author=WHO, plan=QUICK)
    await books.drive()
    assert books.taken() == [only, only, only]
    record = await books.town.record(only)
    assert [each.delivery.state for each in record.deliveries if each.delivery.recipient == THERE] == [
        State.DELIVERED
    ] * 3
