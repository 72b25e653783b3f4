"""The promises of ``ports.agency_lists``: one suite, inherited by every backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.agency_list import AgencyList, Entry
from gateway.ports import AuditRow, Ledger
from gateway.ports.agency_lists import AgencyLists, KeptList, Proposal
from gateway.store.memory import MemoryLedger
from gateway.store.memory_agency_lists import MemoryAgencyLists
from gateway.store.postgres.agency_lists import PostgresAgencyLists
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.sqlite.agency_lists import SqliteAgencyLists
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, an_audit_row
from tests.emptied import emptied
from tests.servers.sharing import within

NOW = MORNING + 60


def a_list(*codes: str, source: str = "axis") -> AgencyList:
    return AgencyList.of(source, [Entry(code, f"Cơ quan {code}") for code in codes])


def a_proposal(new: AgencyList, base: str | None = None, **override: Any) -> Proposal:
    made: dict[str, Any] = {
        "source": new.source, "made_at": NOW, "made_by": "operator:mau", "base": base, "digest": new.digest,
        "count": new.count, "summary": {"counts": {"added": new.count}, "changes": [{"name": "Sở"}]}, **override,
    }  # fmt: skip
    return Proposal(**made)


class Office:
    """A ledger, and what keeps lists on it."""

    def __init__(self, ledger: Ledger, lists: AgencyLists) -> None:
        self.ledger, self.lists = ledger, lists

    async def propose(self, new: AgencyList, base: str | None = None, **override: Any) -> Proposal:
        row = an_audit_row("directory.proposed")
        return await self.lists.propose(a_proposal(new, base, **override), new.pack(), row)

    async def decide(self, number: int, phase: Any = "approved") -> bool:
        row = AuditRow(NOW + 5, "operator:mau", f"directory.{phase}", {"proposal": number})
        return await self.lists.decide(number, phase, by="operator:mau", reason="đã đối chiếu", audit=row)

    async def events(self) -> list[bytes]:
        return [body for _, _, body in await self.ledger.journal(limit=1000)]


class AgencyListsSuite:
    """Inherit it and make a new office, or bring one that is open."""

    def new(self, folder: Path) -> Office:
        raise NotImplementedError

    @pytest.fixture
    async def office(self, tmp_path: Path) -> AsyncIterator[Office]:
        office = self.new(tmp_path)
        await office.ledger.open()
        yield office
        await office.ledger.close()

    async def test_nothing_is_known_at_first(self, office: Office) -> None:
        assert list(await office.lists.listed()) == []
        assert list(await office.lists.proposals()) == []
        assert await office.lists.find(1) is None
        assert await office.lists.proposed(1) is None
        assert await office.lists.body("axis", "00") is None

    async def test_a_proposal_waits_and_changes_nothing(self, office: Office) -> None:
        before = await office.ledger.registry_version()
        new = a_list("H33")
        kept = await office.propose(new)

        assert kept.number > 0
        assert kept.phase == "waiting"
        assert await office.lists.find(kept.number) == kept
        assert list(await office.lists.proposals(phase="waiting")) == [kept]
        assert await office.lists.proposed(kept.number) == new.pack()
        assert list(await office.lists.listed()) == [KeptList("axis", None, 0, None, NOW)]
        assert await office.lists.body("axis", new.digest) is None
        assert await office.ledger.registry_version() == before

    async def test_an_approved_list_is_in_force_and_the_registry_has_another_version(self, office: Office) -> None:
        before = await office.ledger.registry_version()
        new = a_list("H33", "H33.05")
        kept = await office.propose(new)

        assert await office.decide(kept.number)
        assert list(await office.lists.listed()) == [KeptList("axis", new.digest, 2, NOW + 5, NOW)]
        body = await office.lists.body("axis", new.digest)
        assert body is not None
        assert AgencyList.unpack("axis", body) == new
        assert await office.ledger.registry_version() == before + 1
        decided = await office.lists.find(kept.number)
        assert decided is not None
        assert (decided.phase, decided.decided_by, decided.decision, decided.decided_at) == (
            "approved", "operator:mau", "đã đối chiếu", NOW + 5,
        )  # fmt: skip
        assert decided.summary == kept.summary
        assert await office.lists.proposed(kept.number) is None

    async def test_a_rejected_proposal_leaves_everything_as_it_was(self, office: Office) -> None:
        before = await office.ledger.registry_version()
        kept = await office.propose(a_list("H33"))

        assert await office.decide(kept.number, "rejected")
        assert [each.digest for each in await office.lists.listed()] == [None]
        assert await office.ledger.registry_version() == before
        assert [each.phase for each in await office.lists.proposals()] == ["rejected"]

    async def test_what_was_decided_cannot_be_decided_again(self, office: Office) -> None:
        kept = await office.propose(a_list("H33"))
        assert await office.decide(kept.number, "rejected")
        count = len(await office.events())

        assert not await office.decide(kept.number)
        assert not await office.decide(kept.number + 7)
        assert len(await office.events()) == count

    async def test_each_act_is_on_record(self, office: Office) -> None:
        kept = await office.propose(a_list("H33"))
        await office.decide(kept.number)
        assert [
            b"directory.proposed" in (await office.events())[0],
            b"directory.approved" in (await office.events())[1],
        ]

    async def test_a_younger_proposal_takes_the_place_of_the_one_that_waits_for_its_source(
        self, office: Office
    ) -> None:
        first = await office.propose(a_list("H33"))
        other = await office.propose(a_list("H27", source="so-noi-vu"))
        second = await office.propose(a_list("H33", "H33.05"))

        assert second.number > other.number > first.number
        assert {each.number: each.phase for each in await office.lists.proposals()} == {
            first.number: "superseded", other.number: "waiting", second.number: "waiting",
        }  # fmt: skip
        assert await office.lists.proposed(first.number) is None
        assert not await office.decide(first.number)

    async def test_the_same_list_proposed_again_is_the_same_proposal(self, office: Office) -> None:
        first = await office.propose(a_list("H33"))
        count = len(await office.events())

        assert await office.propose(a_list("H33"), made_at=NOW + 60) == first
        assert len(await office.events()) == count
        assert [each.checked_at for each in await office.lists.listed()] == [NOW + 60]

    async def test_a_proposal_from_another_base_than_the_list_in_force_is_not_approved(self, office: Office) -> None:
        new = a_list("H33")
        kept = await office.propose(new)
        await office.decide(kept.number)
        stale = await office.propose(a_list("H33", "H33.05"), base=None)

        assert not await office.decide(stale.number)
        assert await office.decide(stale.number, "rejected")
        good = await office.propose(a_list("H33", "H33.06"), base=new.digest)
        assert await office.decide(good.number)
        assert await office.lists.body("axis", new.digest) is None

    async def test_that_a_source_was_asked_is_remembered_and_its_list_stays(self, office: Office) -> None:
        new = a_list("H33")
        await office.decide((await office.propose(new)).number)
        await office.lists.check("axis", NOW + 86400)
        await office.lists.check("never", NOW + 1)
        assert list(await office.lists.listed()) == [
            KeptList("axis", new.digest, 1, NOW + 5, NOW + 86400), KeptList("never", None, 0, None, NOW + 1),
        ]  # fmt: skip

    async def test_the_youngest_proposals_come_first_and_no_more_than_asked_for(self, office: Office) -> None:
        numbers = [(await office.propose(a_list("H33", source=f"s{n}"))).number for n in range(3)]
        assert [each.number for each in await office.lists.proposals(limit=2)] == [numbers[2], numbers[1]]


class TestMemoryAgencyLists(AgencyListsSuite):
    def new(self, folder: Path) -> Office:
        ledger = MemoryLedger()
        return Office(ledger, MemoryAgencyLists(ledger))


class DurableAgencyListsSuite(AgencyListsSuite):
    """What a store that outlives its process promises beside."""

    async def test_the_last_of_two_that_decide_at_once_changes_nothing(self, office: Office) -> None:
        before = await office.ledger.registry_version()
        kept = await office.propose(a_list("H33"))
        done = await asyncio.gather(*(office.decide(kept.number) for _ in range(5)))
        assert sorted(done) == [False] * 4 + [True]
        assert await office.ledger.registry_version() == before + 1

    async def test_of_several_proposals_at_once_one_waits(self, office: Office) -> None:
        await asyncio.gather(*(office.propose(a_list("H33", f"H33.0{n}")) for n in range(5)))
        phases = [each.phase for each in await office.lists.proposals()]
        assert phases == ["waiting"] + ["superseded"] * 4


class TestSqliteAgencyLists(DurableAgencyListsSuite):
    def new(self, folder: Path) -> Office:
        ledger = SqliteLedger(folder / "ledger.db")
        return Office(ledger, SqliteAgencyLists(ledger))


class TestPostgresAgencyLists(DurableAgencyListsSuite):
    @pytest.fixture
    async def office(self, postgres_suite_url: str) -> AsyncIterator[Office]:
        ledger = await emptied(PostgresLedger(postgres_suite_url))
        yield Office(ledger, PostgresAgencyLists(ledger))
        await ledger.close()


class TestPostgresAgencyListsBehindPgBouncer(DurableAgencyListsSuite):
    """Where each transaction gets another connection."""

    @pytest.fixture
    async def office(self, postgres_suite_url: str, postgres_bouncer: str) -> AsyncIterator[Office]:
        through = within(postgres_bouncer, postgres_suite_url.rpartition("/")[2])
        ledger = await emptied(PostgresLedger(through, pgbouncer=True))
        yield Office(ledger, PostgresAgencyLists(ledger))
        await ledger.close()
