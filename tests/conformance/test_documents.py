"""The promises of ``ports.documents``: one suite, inherited by every backend."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.documents.matching import Served
from gateway.ports import Accepted, Ledger, NewMessage, Taken
from gateway.ports.documents import Duty, Register, Registered
from gateway.ports.retention import Retention
from gateway.store.memory import MemoryLedger
from gateway.store.memory_documents import MemoryRegister
from gateway.store.memory_retention import MemoryRetention
from gateway.store.postgres.documents import PostgresRegister, register_of
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.retention import PostgresRetention
from gateway.store.sqlite.documents import SqliteRegister
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.retention import SqliteRetention
from tests.build import MORNING, a_digest, a_key, a_message, an_audit_row
from tests.conformance.test_retention import ALL, LATER
from tests.emptied import emptied
from tests.registered import DUE, ISSUER, KEY, ONE, OTHER, a_document, a_status, owed
from tests.servers.sharing import within


@dataclass(slots=True)
class Archive:
    """A ledger and its register."""

    ledger: Ledger
    register: Register

    async def keep(self, *messages: NewMessage) -> None:
        answers = await self.ledger.accept_many(messages)
        assert [type(answer) for answer in answers] == [Accepted] * len(messages)

    async def story(self, key: str = KEY, issuer: str = ISSUER) -> list[str]:
        """The messages of a story by what they say: kind and code."""
        return [f"{line.entry.kind} {line.entry.code}".strip() for line in await self.register.story(key, issuer)]

    async def parked(self, **asked: Any) -> list[str]:
        return [line.message for line in await self.register.parked(**asked)]

    async def duties(self, **asked: Any) -> list[tuple[str, str]]:
        return [(duty.agency, duty.name) for duty in await self.register.duties(**asked)]

    async def retire(self) -> None:
        """All that is old goes, months later."""
        if isinstance(self.ledger, PostgresLedger):
            await self.ledger.ensure_partitions(LATER)
        retention = retention_of(self.ledger)
        found = await retention.retire(ALL, now=LATER, limit=100)
        while found.mark is not None:
            found = await retention.retire(ALL, now=LATER, limit=100, after=found.mark)

    async def audited(self) -> list[str]:
        leaves = await self.ledger.journal(limit=1000)
        return [
            body.decode().partition('"audit":"')[2].partition('"')[0] for _, kind, body in leaves if kind == "audit"
        ]


def retention_of(ledger: Ledger) -> Retention:
    if isinstance(ledger, PostgresLedger):
        return PostgresRetention(ledger)
    if isinstance(ledger, SqliteLedger):
        return SqliteRetention(ledger)
    assert isinstance(ledger, MemoryLedger)
    return MemoryRetention(ledger)


class RegisterSuite:
    """Every promise; a backend adds how to make both in an empty folder."""

    def new(self, folder: Path) -> Archive:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def archive(self, tmp_path: Path) -> AsyncIterator[Archive]:
        made = self.new(tmp_path)
        await made.ledger.open()
        yield made
        await made.ledger.close()

    # ------------------------------------------------------------------------------------------------------- lines

    async def test_a_line_is_kept_with_its_message_to_the_last_letter(self, archive: Archive) -> None:
        sent = a_document(
            kind="replace", concerned=("H33.05,2026/09/01,7/STC-VP", KEY), obligations=(owed(), owed(OTHER, "answer"))
        )
        told = a_status("05", earlier=(("03", MORNING + 1.25), ("04", None)), said_at=None)
        await archive.keep(a_message("of no document"), sent, told)

        first, second = await archive.register.story(KEY, ISSUER)

        assert sent.entry is not None
        assert told.entry is not None
        assert first == Registered(
            first.place, sent.key, sent.source, sent.accepted_at, sent.entry, False, ("H33.16/dms", "H33.21/dms")
        )
        assert second == Registered(
            second.place, told.key, told.source, told.accepted_at, told.entry, False, ("H33.05/dms",)
        )
        assert first.place < second.place

    async def test_what_is_not_kept_leaves_no_line(self, archive: Archive) -> None:
        sent = a_document()
        await archive.keep(sent)

        answers = await archive.ledger.accept_many(
            [sent, replace(sent, repeat_digest=a_digest("other")), a_document("lacks a file", files=(a_digest("f"),))]
        )

        assert isinstance(answers[0], Accepted)
        assert answers[0].repeated
        assert answers[1] == Taken()
        assert await archive.story() == ["new"]

    async def test_a_story_has_the_document_what_concerns_it_and_what_was_reported_on_any(
        self, archive: Archive
    ) -> None:
        later = "H33.05,2026/10/20,1300/STC-NS"
        await archive.keep(
            a_status("01", by=OTHER),
            a_document(),
            a_document("update", kind="update", concerned=(KEY,)),
            a_document("replacement", kind="replace", document=later, concerned=(KEY,)),
            a_status("15", document=later),
            a_document("another", document="H33.05,2026/10/12,1/STC-NS"),
            a_document("of another issuer", issuer="H33.09"),
            a_status("06", name="on another issuer's", issuer="H33.09"),
            a_status("06"),
        )

        assert await archive.story() == ["status 01", "new", "update", "replace", "status 15", "status 06"]
        assert await archive.story(later) == ["replace", "status 15"]
        assert await archive.story("unheard of") == []

    async def test_a_story_may_have_statuses_alone(self, archive: Archive) -> None:
        await archive.keep(a_status("03"))

        assert await archive.story() == ["status 03"]

    async def test_what_an_agency_issued_is_listed_page_by_page_the_youngest_first(self, archive: Archive) -> None:
        await archive.keep(*[a_document(n, document=f"no {n}") for n in range(5)], a_status("03", document="no 3"))
        await archive.keep(a_document("other", issuer="H33.09"))

        first = await archive.register.issued(ISSUER, limit=3)
        rest = await archive.register.issued(ISSUER, before=first[-1].place, limit=3)

        assert [line.entry.key for line in first] == ["no 4", "no 3", "no 2"]
        assert [line.entry.key for line in rest] == ["no 1", "no 0"]
        assert await archive.register.issued("H33.77") == []

    async def test_new_documents_are_found_by_key_of_any_issuer(self, archive: Archive) -> None:
        await archive.keep(
            a_document(),
            a_document("update", kind="update", concerned=(KEY,)),
            a_document("other", issuer="H33.09"),
            a_status("03"),
        )

        assert [line.entry.issuer for line in await archive.register.find(KEY)] == ["H33.09", ISSUER]
        assert len(await archive.register.find(KEY, limit=1)) == 1
        assert await archive.register.find("unheard of") == []

    # ------------------------------------------------------------------------------------------ in another's name

    async def test_a_status_in_anothers_name_is_kept_and_closes_nothing(self, archive: Archive) -> None:
        before, after = (a_status("03", name=name, source="H33.20/dms", is_vouched=False) for name in ("1", "2"))
        await archive.keep(before)
        assert await archive.parked() == []

        await archive.keep(a_document(obligations=(owed(),)), after)

        assert await archive.duties() == [(ONE, "receipt")]
        kept = [(line.source, line.entry.is_vouched) for line in await archive.register.story(KEY, ISSUER)]
        assert kept == [("H33.20/dms", False), ("H33.05/dms", True), ("H33.20/dms", False)]
        await archive.keep(a_status("03"))
        assert await archive.duties() == []

    async def test_a_document_in_anothers_name_is_kept_and_takes_nothing_in(self, archive: Archive) -> None:
        forged = a_document("forged", source="H33.20/dms", is_vouched=False, obligations=(owed(),))
        await archive.keep(a_status("03"), forged)
        assert await archive.parked() == [a_status("03").key]
        assert await archive.duties() == []

        await archive.keep(a_status("04"))
        assert await archive.parked() == [a_status("03").key, a_status("04").key]
        await archive.keep(a_document())
        assert await archive.parked() == []
        assert await archive.story() == ["status 03", "new", "status 04", "new"]

    async def test_a_change_in_anothers_name_is_in_the_story_of_what_it_would_change(self, archive: Archive) -> None:
        await archive.keep(
            a_document(),
            a_document("f", kind="recall", document="its own", concerned=(KEY,), source="H33.20/dms", is_vouched=False),
        )

        assert [line.entry.is_vouched for line in await archive.register.story(KEY, ISSUER)] == [True, False]

    async def test_a_document_in_anothers_name_is_no_first_way(self, archive: Archive) -> None:
        await archive.keep(a_document("forged", source="H33.20/dms", is_vouched=False))

        await archive.keep(a_document("true", source="H33.14/axis", unless_served=True))

        assert await archive.story() == ["new", "new"]

    # ----------------------------------------------------------------------------------------------------- parking

    async def test_a_status_of_an_unknown_document_waits_for_it(self, archive: Archive) -> None:
        early, foreign = a_status("03"), a_status("01", name="of another issuer", issuer="H33.09")
        await archive.keep(early, foreign)
        assert await archive.parked() == [early.key, foreign.key]
        assert (await archive.register.story(KEY, ISSUER))[0].is_parked

        await archive.keep(a_document())

        assert await archive.parked() == [foreign.key]
        assert not (await archive.register.story(KEY, ISSUER))[0].is_parked

    async def test_a_status_of_a_known_document_does_not_wait(self, archive: Archive) -> None:
        await archive.keep(a_document())
        await archive.keep(a_status("03"))

        assert await archive.parked() == []

    async def test_within_one_batch_the_order_does_not_matter(self, archive: Archive) -> None:
        await archive.keep(a_status("01"), a_document(), a_status("03"))

        assert await archive.parked() == []

    async def test_a_recall_makes_its_document_known_under_the_same_id_alone(self, archive: Archive) -> None:
        await archive.keep(a_document("recall", kind="recall", document="another id", concerned=(KEY,)))
        await archive.keep(a_status("03"))
        assert await archive.parked() == [a_status("03").key]

        await archive.keep(a_document("recall of it", kind="recall", concerned=(KEY,)))
        assert await archive.parked() == []

    async def test_waiting_may_be_given_up_and_the_document_finds_its_statuses_all_the_same(
        self, archive: Archive
    ) -> None:
        early = a_status("03")
        await archive.keep(early, a_status("04"))
        places = [line.place for line in await archive.register.parked(limit=1)]

        assert await archive.register.unpark(places, [an_audit_row("status.unmatched")])
        assert await archive.parked() == [a_status("04").key]
        assert await archive.parked(is_given_up=True) == [early.key]
        assert not await archive.register.unpark(places, [an_audit_row("status.unmatched")])
        assert not await archive.register.unpark([], [])
        assert await archive.audited() == ["status.unmatched"]

        await archive.keep(a_document(obligations=(owed(),)))
        assert await archive.parked(is_given_up=True) == []
        assert await archive.story() == ["status 03", "status 04", "new"]
        assert await archive.duties() == []

    async def test_what_found_its_document_meanwhile_is_not_given_up(self, archive: Archive) -> None:
        await archive.keep(a_status("03"), a_status("03", name="other", document="unknown"))
        places = [line.place for line in await archive.register.parked()]
        await archive.keep(a_document())

        assert not await archive.register.unpark(places, [an_audit_row("status.unmatched")])
        assert await archive.parked() == [a_key("other")]
        assert await archive.audited() == []

    # ------------------------------------------------------------------------------------------------------ duties

    async def test_what_is_owed_is_open_until_it_is_answered(self, archive: Archive) -> None:
        sent = a_document(obligations=(owed(), owed(OTHER), owed(OTHER, "answer", by=("06",))))
        await archive.keep(sent)
        assert await archive.register.duties(agency=ONE) == [Duty(sent.key, KEY, ISSUER, ONE, "receipt", DUE, 0, DUE)]

        await archive.keep(a_status("01"), a_status("05"))
        assert await archive.duties() == [(ONE, "receipt"), (OTHER, "answer"), (OTHER, "receipt")]
        await archive.keep(a_status("03"))
        assert await archive.duties() == [(OTHER, "answer"), (OTHER, "receipt")]
        await archive.keep(a_status("03", by="H33.99"), a_status("02", by=OTHER))
        assert await archive.duties() == [(OTHER, "answer")]
        await archive.keep(a_status("06", by=OTHER, issuer="H33.09"))
        assert await archive.duties() == [(OTHER, "answer")]

    async def test_what_was_answered_before_it_came_is_not_owed(self, archive: Archive) -> None:
        await archive.keep(a_status("03"))
        await archive.keep(a_document(obligations=(owed(), owed(OTHER))))
        assert await archive.duties() == [(OTHER, "receipt")]

        await archive.keep(a_document("sent again", obligations=(owed(), owed(OTHER))))
        assert await archive.duties() == [(OTHER, "receipt"), (OTHER, "receipt")]

    async def test_within_one_batch_an_answer_counts_on_either_side(self, archive: Archive) -> None:
        await archive.keep(a_status("03"), a_document(obligations=(owed(), owed(OTHER))), a_status("02", by=OTHER))

        assert await archive.duties() == []

    async def test_an_earlier_status_tells_as_well(self, archive: Archive) -> None:
        await archive.keep(a_document(obligations=(owed(),)))
        await archive.keep(a_status("05", earlier=(("03", MORNING),)))

        assert await archive.duties() == []

    async def test_a_change_under_the_same_id_is_not_answered_by_what_was_said_of_the_document(
        self, archive: Archive
    ) -> None:
        await archive.keep(a_document(), a_status("03"))
        change = owed(name="change", by=("02", "03", "15", "16"))
        await archive.keep(a_document("recall", kind="recall", concerned=(KEY,), obligations=(change,)))
        assert await archive.duties() == [(ONE, "change")]

        await archive.keep(a_status("16"))
        assert await archive.duties() == []

    async def test_a_change_is_answered_under_the_id_of_what_it_changes_too(self, archive: Archive) -> None:
        update = a_document(
            "update", kind="update", document="its own id", concerned=(KEY,), obligations=(owed(by=("03", "15")),)
        )
        await archive.keep(a_document(), update)

        await archive.keep(a_status("03"))
        assert await archive.duties() == [(ONE, "receipt")]
        await archive.keep(a_status("15"))
        assert await archive.duties() == []

    async def test_duties_come_in_the_order_in_which_they_are_due(self, archive: Archive) -> None:
        await archive.keep(
            a_document(obligations=(replace(owed(), due=DUE + 60),)),
            a_document("urgent", document="urgent", obligations=(owed(),)),
        )

        assert [duty.document for duty in await archive.register.duties()] == ["urgent", KEY]
        assert [duty.document for duty in await archive.register.duties(due_by=DUE)] == ["urgent"]
        assert [duty.document for duty in await archive.register.duties(limit=1)] == ["urgent"]
        assert await archive.register.duties(due_by=DUE, agency=OTHER) == []

    async def test_a_reminder_counts_once(self, archive: Archive) -> None:
        await archive.keep(a_document(obligations=(owed(),)))
        (duty,) = await archive.register.duties()

        assert await archive.register.remind(duty, next_at=DUE + 60, audit=an_audit_row("duty.reminded"))
        assert not await archive.register.remind(duty, next_at=DUE + 60, audit=an_audit_row("duty.reminded"))
        (reminded,) = await archive.register.duties()
        assert reminded == replace(duty, level=1, next_at=DUE + 60)

        assert await archive.register.remind(reminded, next_at=None, audit=an_audit_row("duty.escalated"))
        (last,) = await archive.register.duties()
        assert (last.level, last.next_at) == (2, math.inf)
        assert await archive.register.duties(due_by=DUE * 2) == []
        assert await archive.audited() == ["duty.reminded", "duty.escalated"]

    async def test_looking_again_later_is_no_reminder(self, archive: Archive) -> None:
        await archive.keep(a_document(obligations=(owed(),)))
        (duty,) = await archive.register.duties()

        assert await archive.register.postpone(duty, next_at=DUE + 60)
        assert await archive.register.duties() == [replace(duty, next_at=DUE + 60)]
        assert await archive.register.postpone(duty, next_at=DUE + 90, audit=an_audit_row("duty.postponed"))
        assert await archive.audited() == ["duty.postponed"]

        await archive.keep(a_status("03"))
        assert not await archive.register.postpone(duty, next_at=DUE)
        assert not await archive.register.remind(duty, next_at=None, audit=an_audit_row("duty.reminded"))
        assert await archive.audited() == ["duty.postponed"]

    # -------------------------------------------------------------------------------------------- the second way

    async def test_what_was_sent_before_is_not_kept_by_a_second_way(self, archive: Archive) -> None:
        first = a_document()
        await archive.keep(first)
        again = a_document("by the axis", source="H33.14/axis", unless_served=True)

        (answer,) = await archive.ledger.accept_many([again])

        assert answer == Served(frozenset({ONE, OTHER}), frozenset({"H33.16/dms", "H33.21/dms"}))
        assert await archive.ledger.find(again.key) is None
        assert await archive.story() == ["new"]
        assert await archive.ledger.known({again.key: (again.source, again.repeat_digest)}) == {}
        for_others = a_document("by the axis", source="H33.14/axis", unless_served=True, to=("H33.40",))
        await archive.keep(for_others)

    async def test_of_two_ways_in_one_batch_one_is_the_second(self, archive: Archive) -> None:
        ways = [a_document(way, source=f"H33.14/{way}", unless_served=True) for way in ("axis", "folder")]

        answers = await archive.ledger.accept_many(ways)

        assert [type(answer) for answer in answers] == [Accepted, Served]
        assert await archive.story() == ["new"]

    async def test_of_two_ways_at_the_same_moment_one_is_the_second(self, archive: Archive) -> None:
        ways = [a_document(way, source=f"H33.14/{way}", unless_served=True) for way in ("axis", "folder", "post")]

        answers = await asyncio.gather(*(archive.ledger.accept_many([way]) for way in ways))

        assert sorted(type(answer).__name__ for (answer,) in answers) == ["Accepted", "Served", "Served"]

    async def test_a_system_that_was_not_sent_it_gets_it_by_the_second_way(self, archive: Archive) -> None:
        await archive.keep(a_document(to=(ONE,)))
        other_system = a_document("by the axis", source="H33.14/axis", to=(ONE,), unless_served=True)
        other_system = replace(other_system, recipients=("H33.16/archive",))

        await archive.keep(other_system)

    async def test_another_document_an_update_and_a_status_are_no_second_way(self, archive: Archive) -> None:
        await archive.keep(a_document())

        await archive.keep(
            a_document("corrected", fingerprint=a_digest("corrected"), source="H33.14/axis", unless_served=True),
            a_document("of another issuer", issuer="H33.09", source="H33.14/axis", unless_served=True),
            a_status("03", unless_served=True),
            a_status("03", name="again", unless_served=True),
        )

    async def test_what_its_issuer_sends_again_is_meant_to_come_again(self, archive: Archive) -> None:
        await archive.keep(a_document("first", unless_served=True))
        await archive.keep(a_document("again", unless_served=True))

        (answer,) = await archive.ledger.accept_many([a_document("folder", source="H33.05/folder", unless_served=True)])
        assert isinstance(answer, Served)

    async def test_what_one_line_brings_twice_is_delivered_twice_whoever_was_first(self, archive: Archive) -> None:
        def by(way: str, name: str) -> NewMessage:
            return a_document(name, source=f"H33.14/{way}", unless_served=True)

        async def offered(*items: NewMessage) -> list[str]:
            return [type(answer).__name__ for answer in await archive.ledger.accept_many(items)]

        assert await offered(by("post", "post 1")) == ["Accepted"]
        for _ in range(3):  # nobody heard that it came
            assert await offered(by("axis", "axis 1")) == ["Served"]
        assert await offered(by("axis", "axis 2")) == ["Accepted"]
        assert await offered(by("post", "post 2")) == ["Served"]
        together = [by("post", "post 3"), by("axis", "axis 3"), by("axis", "axis 4"), by("post", "post 4")]
        assert await offered(*together) == ["Accepted", "Served", "Accepted", "Served"]
        assert await archive.story() == ["new"] * 4

    async def test_what_an_agency_refused_may_be_asked_again_by_another_way(self, archive: Archive) -> None:
        recall: dict[str, Any] = {
            "kind": "recall",
            "document": "G22,2026/10/13,9/VP",
            "concerned": (KEY,),
            "to": (ONE,),
        }

        async def offered(way: str, name: str) -> str:
            again = a_document(name, source=f"H33.14/{way}", unless_served=True, **recall)
            (answer,) = await archive.ledger.accept_many([again])
            return type(answer).__name__

        assert await offered("axis", "first") == "Accepted"
        await archive.keep(a_status("16", by=OTHER))
        assert await offered("folder", "the same") == "Served"
        await archive.keep(a_status("16", by=ONE))
        assert await offered("post", "again") == "Accepted"
        assert await offered("axis", "again, too") == "Served"
        # refused and asked again in one batch
        once_more = a_document("once more", source="H33.14/sea", unless_served=True, **recall)
        await archive.keep(a_status("16", by=ONE, name="refused again"), once_more)


class TestMemoryRegister(RegisterSuite):
    def new(self, folder: Path) -> Archive:
        ledger = MemoryLedger()
        return Archive(ledger, MemoryRegister(ledger))


class TestSqliteRegister(RegisterSuite):
    def new(self, folder: Path) -> Archive:
        ledger = SqliteLedger(folder / "ledger.db")
        return Archive(ledger, SqliteRegister(ledger))


class TestPostgresRegister(RegisterSuite):
    @pytest.fixture
    async def archive(self, postgres_suite_url: str) -> AsyncIterator[Archive]:
        ledger = await emptied(PostgresLedger(postgres_suite_url))
        yield Archive(ledger, PostgresRegister(ledger))
        await ledger.close()

    async def test_a_status_and_its_document_that_come_to_two_gateways_at_once_find_each_other(
        self, archive: Archive, postgres_suite_url: str
    ) -> None:
        elsewhere = PostgresLedger(postgres_suite_url)
        await elsewhere.open()
        keys = [f"H33.05,2026/10/12,{number}/STC" for number in range(40)]

        async def send(key: str) -> None:
            await archive.keep(a_document(f"sent {key}", document=key, obligations=(owed(),)))

        async def report(key: str) -> None:
            await elsewhere.accept_many([a_status("03", name=f"told {key}", document=key)])

        try:
            for key in keys:
                await asyncio.gather(send(key), report(key))
        finally:
            await elsewhere.close()

        assert await archive.parked(limit=1000) == []
        assert await archive.duties() == []
        assert [len(await archive.story(key)) for key in keys] == [2] * len(keys)

    async def test_of_two_ways_to_two_gateways_at_once_one_is_the_second(
        self, archive: Archive, postgres_suite_url: str
    ) -> None:
        elsewhere = PostgresLedger(postgres_suite_url)
        await elsewhere.open()
        try:
            for number in range(20):
                ways = [
                    a_document(f"{way} {number}", document=f"no {number}", source=f"H33.14/{way}", unless_served=True)
                    for way in ("axis", "folder")
                ]
                answers = await asyncio.gather(archive.ledger.accept_many(ways[:1]), elsewhere.accept_many(ways[1:]))
                assert sorted(type(answer).__name__ for (answer,) in answers) == ["Accepted", "Served"]
        finally:
            await elsewhere.close()


class TestPostgresRegisterBehindPgBouncer(RegisterSuite):
    @pytest.fixture
    async def archive(self, postgres_suite_url: str, postgres_bouncer: str) -> AsyncIterator[Archive]:
        through = within(postgres_bouncer, postgres_suite_url.rpartition("/")[2])
        ledger = await emptied(PostgresLedger(through, pgbouncer=True))
        yield Archive(ledger, register_of(ledger))
        await ledger.close()


class AgeingSuite:
    """What becomes of lines when they are old; a backend adds how to make both, alone in their database."""

    def new(self, folder: Path, url: str) -> Archive:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def archive(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Archive]:
        url = str(request.getfixturevalue("postgres_url")) if type(self) is TestAgeingInPostgres else ""
        made = self.new(tmp_path, url)
        await made.ledger.open()
        yield made
        await made.ledger.close()

    async def test_a_line_goes_with_its_message_and_what_is_owed_for_it_too(self, archive: Archive) -> None:
        old = a_document(to=(), obligations=(owed(),), recipients=(ONE,))
        await archive.keep(old, a_document("recall", to=(), kind="recall", concerned=(KEY,)))
        await archive.keep(replace(a_status("03", document="unknown"), deliveries=(), recipients=()))
        assert await archive.duties() == [(ONE, "receipt")]

        await archive.retire()

        assert await archive.story() == []
        assert await archive.duties() == []
        assert await archive.parked() == []
        assert await archive.register.issued(ISSUER) == []
        await archive.keep(a_document("later", unless_served=True, source="H33.14/axis"))
        assert await archive.story() == ["new"]


class TestAgeingInMemory(AgeingSuite):
    def new(self, folder: Path, url: str) -> Archive:
        ledger = MemoryLedger()
        return Archive(ledger, MemoryRegister(ledger))


class TestAgeingInSqlite(AgeingSuite):
    def new(self, folder: Path, url: str) -> Archive:
        ledger = SqliteLedger(folder / "ledger.db")
        return Archive(ledger, SqliteRegister(ledger))


class TestAgeingInPostgres(AgeingSuite):
    def new(self, folder: Path, url: str) -> Archive:
        ledger = PostgresLedger(url)
        return Archive(ledger, PostgresRegister(ledger))
