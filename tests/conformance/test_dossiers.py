"""The promises of ``ports.dossiers``: one suite, inherited by every backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.core.delivery import Delivered
from gateway.core.dossiers.event import Hop, Told
from gateway.core.retention import Ages
from gateway.ports import Accepted, Change, Ledger, NewMessage, Taken
from gateway.ports.dossiers import DossierRegister
from gateway.store.memory import MemoryLedger
from gateway.store.memory_dossiers import MemoryDossierRegister
from gateway.store.postgres.dossiers import PostgresDossierRegister, dossiers_of
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.sqlite.dossiers import SqliteDossierRegister
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, a_digest, a_message, an_audit_row
from tests.conformance.ledger_tale import NOW, lease
from tests.conformance.test_documents import retention_of
from tests.conformance.test_retention import ALL, DATA, LATER
from tests.emptied import emptied
from tests.servers.sharing import within
from tests.told import CODE, LEAD, NEXT, a_head, a_telling, an_event

CHILD = "000.00.05.H33-261012-0009"
DAY = 86400.0


@dataclass(slots=True)
class Counter:
    """A ledger and its register of dossiers."""

    ledger: Ledger
    register: DossierRegister

    async def keep(self, *messages: NewMessage) -> None:
        answers = await self.ledger.accept_many(messages)
        assert [type(answer) for answer in answers] == [Accepted] * len(messages)

    async def kinds(self, code: str = CODE) -> list[str]:
        return [line.event.kind for line in await self.register.story(code)]

    async def settled(self, code: str = CODE, **override: object) -> None:
        """Work a head out of the lines, as far as a test of keeping needs one."""
        story = await self.register.story(code)
        assert await self.register.settle(a_head(story[-1].place, code, **override))

    async def codes(self, **asked: object) -> list[str]:
        return [head.code for head in await self.register.heads(**asked)]  # type: ignore[arg-type]

    async def deliver(self) -> None:
        done = [Change(each.delivery, each.delivery.after(Delivered())) for each in await lease(self.ledger)]
        assert all(await self.ledger.record_many(done, now=NOW))

    async def retire(self, ages: Ages) -> None:
        """What is old goes, months later."""
        if isinstance(self.ledger, PostgresLedger):
            await self.ledger.ensure_partitions(LATER)
        retention = retention_of(self.ledger)
        found = await retention.retire(ages, now=LATER, limit=2)
        while found.mark is not None:
            found = await retention.retire(ages, now=LATER, limit=2, after=found.mark)


class RegisterSuite:
    """Every promise; a backend adds how to make both in an empty folder."""

    def new(self, folder: Path) -> Counter:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def counter(self, tmp_path: Path) -> AsyncIterator[Counter]:
        made = self.new(tmp_path)
        await made.ledger.open()
        yield made
        await made.ledger.close()

    # ------------------------------------------------------------------------------------------------------- lines

    async def test_a_line_is_kept_with_its_message_to_the_last_letter(self, counter: Counter) -> None:
        registered = an_event(
            written="h33.16-261012-0007", status=1, due=MORNING + DAY, procedure="1.001234", channel="online",
            parent="H33.16-261012-0001", recipients=(NEXT, "H33.21"), received_at=MORNING - 90.25, finished_at=MORNING,
            addressee=NEXT,
        )  # fmt: skip
        forwarded = an_event("forwarded", hop=Hop(1, LEAD, NEXT, MORNING + 3600.25, CHILD))
        last = an_event("result-issued", status=9, reference="KQ-1", has_result=True, agency=NEXT)
        sent = [a_telling(number, of=of) for number, of in enumerate((registered, forwarded, last))]
        await counter.keep(a_message("of no dossier"), *sent)

        story = await counter.register.story(CODE)

        assert [line.event for line in story] == [registered, forwarded, last]
        assert story == [
            Told(line.place, new.key, new.source, new.accepted_at, line.event)
            for line, new in zip(story, sent, strict=True)
        ]
        assert sorted({line.place for line in story}) == [line.place for line in story]
        assert await counter.register.story("H33.16-261012-9999") == []

    async def test_what_is_not_kept_leaves_no_line(self, counter: Counter) -> None:
        sent = a_telling()
        await counter.keep(sent)

        answers = await counter.ledger.accept_many(
            [sent, replace(sent, repeat_digest=a_digest("other")), a_telling("lacks a file", files=(a_digest("f"),))]
        )

        assert isinstance(answers[0], Accepted)
        assert answers[0].repeated
        assert answers[1] == Taken()
        assert await counter.kinds() == ["registered"]
        await counter.settled()
        assert isinstance((await counter.ledger.accept_many([sent]))[0], Accepted)
        assert await counter.register.unsettled() == []

    async def test_lines_of_one_batch_are_in_its_order_and_of_their_own_dossiers(self, counter: Counter) -> None:
        await counter.keep(
            a_telling(1), a_telling(2, of=an_event(code=CHILD)), a_telling(3, of=an_event("progressed", status=4))
        )

        assert await counter.kinds() == ["registered", "progressed"]
        assert await counter.kinds(CHILD) == ["registered"]

    async def test_children_are_those_that_name_it_and_those_that_its_hops_name(self, counter: Counter) -> None:
        await counter.keep(
            a_telling(1, of=an_event(code="C-1", parent=CODE)),
            a_telling(2, of=an_event("progressed", code="C-1", parent=CODE)),
            a_telling(3, of=an_event("forwarded", hop=Hop(1, LEAD, NEXT, None, CHILD))),
            a_telling(4, of=an_event("forwarded", hop=Hop(2, NEXT, LEAD))),
            a_telling(5, of=an_event(code="C-2", parent="C-1")),
            a_telling(6, of=an_event(code="C-3")),
        )

        assert sorted(await counter.register.children(CODE)) == sorted([CHILD, "C-1"])
        assert await counter.register.children("C-1") == ["C-2"]
        assert await counter.register.children("C-3") == []
        assert await counter.register.children("") == []

    # ------------------------------------------------------------------------------------------------------- heads

    async def test_a_dossier_is_unsettled_from_a_line_on_until_its_head_knows_it(self, counter: Counter) -> None:
        await counter.keep(a_telling(1), a_telling(2, of=an_event(code=CHILD)))
        assert await counter.register.unsettled() == [CODE, CHILD]
        assert await counter.register.unsettled(limit=1) == [CODE]

        await counter.settled()
        assert await counter.register.unsettled() == [CHILD]

        await counter.keep(a_telling(3, of=an_event("progressed", status=4)))
        assert await counter.register.unsettled() == [CHILD, CODE]
        await counter.settled()
        await counter.settled(CHILD)
        assert await counter.register.unsettled() == []

    async def test_a_head_is_kept_to_the_last_letter_in_place_of_the_one_before(self, counter: Counter) -> None:
        await counter.keep(a_telling())
        (line,) = await counter.register.story(CODE)
        first = a_head(line.place)
        assert await counter.register.head(CODE) is None

        assert await counter.register.settle(first)
        assert await counter.register.head(CODE) == first

        then = a_head(
            line.place, status=None, status_at=None, received_at=None, due=None, finished_at=MORNING, next_look=None,
            flags=("late", "out-of-order"), track=((1, MORNING), (2, MORNING + 0.5)), parent=CHILD, lead="",
            warned=((NEXT, 1, MORNING + 0.25), (LEAD, 0, MORNING)),
        )  # fmt: skip
        assert await counter.register.settle(then)
        assert await counter.register.head(CODE) == then

    async def test_a_head_that_knows_less_than_is_there_is_not_kept(self, counter: Counter) -> None:
        await counter.keep(a_telling(1))
        (line,) = await counter.register.story(CODE)
        await counter.keep(a_telling(2, of=an_event("progressed", status=4)))

        assert not await counter.register.settle(a_head(line.place), [an_audit_row()])

        assert await counter.register.head(CODE) is None
        assert await counter.ledger.journal(after=2) == []
        await counter.settled()
        assert not await counter.register.settle(a_head(line.place))
        assert await counter.register.unsettled() == []

    async def test_what_is_told_of_a_deadline_is_kept_with_the_head_or_not_at_all(self, counter: Counter) -> None:
        await counter.keep(a_telling(1))
        (line,) = await counter.register.story(CODE)

        assert await counter.register.settle(a_head(line.place), [an_audit_row("dossier.overdue")])

        ((_, kind, body),) = await counter.ledger.journal(after=1)
        assert kind == "audit"
        assert b"dossier.overdue" in body

    async def test_many_heads_may_be_kept_at_the_same_moment(self, counter: Counter) -> None:
        codes = [f"H33.16-261012-{number:04}" for number in range(30)]
        await counter.keep(*(a_telling(code, of=an_event(code=code)) for code in codes))

        await asyncio.gather(*(counter.settled(code) for code in reversed(codes)))

        assert await counter.register.unsettled() == []
        assert await counter.codes(limit=7) == codes[:7]

    async def test_heads_are_listed_by_code_page_by_page(self, counter: Counter) -> None:
        for code, lead, status in (("A", LEAD, 2), ("B", NEXT, 2), ("C", LEAD, 4), ("D", LEAD, 2), ("a", NEXT, None)):
            await counter.keep(a_telling(code, of=an_event(code=code)))
            await counter.settled(code, lead=lead, status=status)

        assert await counter.codes() == ["A", "B", "C", "D", "a"]
        assert await counter.codes(limit=2, after="B") == ["C", "D"]
        assert await counter.codes(lead=LEAD) == ["A", "C", "D"]
        assert await counter.codes(lead=LEAD, after="A", limit=1) == ["C"]
        assert await counter.codes(status=2) == ["A", "B", "D"]
        assert await counter.codes(lead=LEAD, status=2, after="A") == ["D"]
        assert await counter.codes(lead="H33.99") == []

    async def test_those_whose_deadline_passed_come_the_earliest_first(self, counter: Counter) -> None:
        for code, look in (("A", MORNING + 60), ("B", MORNING), ("C", None), ("D", MORNING + 61)):
            await counter.keep(a_telling(code, of=an_event(code=code)))
            await counter.settled(code, next_look=look)

        async def due(now: float, limit: int = 200) -> list[str]:
            return [head.code for head in await counter.register.due(now, limit=limit)]

        assert await due(MORNING - 1) == []
        assert await due(MORNING + 60) == ["B", "A"]
        assert await due(MORNING + 60, limit=1) == ["B"]

    async def test_a_period_has_those_not_received_after_its_end_and_not_finished_before_its_begin(
        self, counter: Counter
    ) -> None:
        since, until = MORNING, MORNING + 30 * DAY
        moments: dict[str, tuple[float | None, float | None]] = {
            "before and after": (since - DAY, until + DAY),
            "before and within": (since - DAY, since),
            "before and never": (since - DAY, None),
            "finished before": (since - DAY, since - 1),
            "received after": (until, None),
            "unreceived": (None, None),
            "refused before": (None, since - 1),
            "within": (since + DAY, since + 2 * DAY),
        }
        for code, (received_at, finished_at) in moments.items():
            await counter.keep(a_telling(code, of=an_event(code=code)))
            await counter.settled(code, received_at=received_at, finished_at=finished_at)

        async def ended(**asked: object) -> list[str]:
            return [head.code for head in await counter.register.ended(since, until, **asked)]  # type: ignore[arg-type]

        assert await ended() == ["before and after", "before and never", "before and within", "unreceived", "within"]
        assert await ended(limit=2) == ["before and after", "before and never"]
        assert await ended(after="before and never", limit=2) == ["before and within", "unreceived"]


class TestMemoryRegister(RegisterSuite):
    def new(self, folder: Path) -> Counter:
        ledger = MemoryLedger()
        return Counter(ledger, MemoryDossierRegister(ledger))


class TestSqliteRegister(RegisterSuite):
    def new(self, folder: Path) -> Counter:
        ledger = SqliteLedger(folder / "ledger.db")
        return Counter(ledger, SqliteDossierRegister(ledger))


class TestPostgresRegister(RegisterSuite):
    @pytest.fixture
    async def counter(self, postgres_suite_url: str) -> AsyncIterator[Counter]:
        ledger = await emptied(PostgresLedger(postgres_suite_url))
        yield Counter(ledger, PostgresDossierRegister(ledger))
        await ledger.close()

    async def test_lines_that_come_to_two_gateways_at_once_are_all_known_to_the_head_in_the_end(
        self, counter: Counter, postgres_suite_url: str
    ) -> None:
        elsewhere = PostgresLedger(postgres_suite_url)
        await elsewhere.open()
        is_over = asyncio.Event()

        async def settle() -> None:
            while not is_over.is_set() or await counter.register.unsettled():
                for code in await counter.register.unsettled():
                    story = await counter.register.story(code)
                    head = a_head(story[-1].place, code, track=tuple((line.place, 0.0) for line in story))
                    await counter.register.settle(head)

        async def tell(ledger: Ledger, who: str) -> None:
            for number in range(25):
                await ledger.accept_many([a_telling(f"{who} {number}", of=an_event("progressed", status=4))])

        try:
            settling = asyncio.create_task(settle())
            await asyncio.gather(tell(counter.ledger, "one"), tell(elsewhere, "other"))
            is_over.set()
            await settling
        finally:
            await elsewhere.close()

        head = await counter.register.head(CODE)
        assert head is not None
        assert [place for place, _ in head.track] == [line.place for line in await counter.register.story(CODE)]
        assert len(head.track) == 50


class TestPostgresRegisterBehindPgBouncer(RegisterSuite):
    @pytest.fixture
    async def counter(self, postgres_suite_url: str, postgres_bouncer: str) -> AsyncIterator[Counter]:
        through = within(postgres_bouncer, postgres_suite_url.rpartition("/")[2])
        ledger = await emptied(PostgresLedger(through, pgbouncer=True))
        yield Counter(ledger, dossiers_of(ledger))
        await ledger.close()


class AgeingSuite:
    """What becomes of dossiers when they are old; a backend adds how to make both, alone in their database."""

    def new(self, folder: Path, url: str) -> Counter:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def counter(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Counter]:
        url = str(request.getfixturevalue("postgres_url")) if type(self) is TestAgeingInPostgres else ""
        made = self.new(tmp_path, url)
        await made.ledger.open()
        yield made
        await made.ledger.close()

    async def test_lines_stay_though_the_data_of_their_messages_go(self, counter: Counter) -> None:
        sent = a_telling()
        await counter.keep(sent)
        await counter.deliver()
        await counter.settled()

        await counter.retire(DATA)

        assert await counter.ledger.envelope(sent.key) is None
        assert await counter.kinds() == ["registered"]
        assert await counter.codes() == [CODE]

    async def test_a_dossier_goes_as_a_whole_and_only_when_all_of_it_is_old_and_settled(self, counter: Counter) -> None:
        every = [f"old {number}" for number in range(5)]
        await counter.keep(*(a_telling(code, of=an_event(code=code)) for code in [*every, "unsettled"]))
        await counter.keep(*(a_telling(f"more of {code}", of=an_event("progressed", code=code)) for code in every))
        await counter.deliver()
        for code in every:
            await counter.settled(code)

        await counter.retire(ALL)

        assert await counter.codes() == []
        assert [await counter.kinds(code) for code in every] == [[]] * len(every)
        # its message is gone, what it said of the dossier is not: nobody has looked at it yet
        assert await counter.kinds("unsettled") == ["registered"]
        assert await counter.register.unsettled() == ["unsettled"]
        (line,) = await counter.register.story("unsettled")
        assert (line.source, line.accepted_at) == (f"{LEAD}/dms", MORNING)


class TestAgeingInMemory(AgeingSuite):
    def new(self, folder: Path, url: str) -> Counter:
        ledger = MemoryLedger()
        return Counter(ledger, MemoryDossierRegister(ledger))


class TestAgeingInSqlite(AgeingSuite):
    def new(self, folder: Path, url: str) -> Counter:
        ledger = SqliteLedger(folder / "ledger.db")
        return Counter(ledger, SqliteDossierRegister(ledger))


class TestAgeingInPostgres(AgeingSuite):
    def new(self, folder: Path, url: str) -> Counter:
        ledger = PostgresLedger(url)
        return Counter(ledger, PostgresDossierRegister(ledger))
