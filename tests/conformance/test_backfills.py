"""The promises of ``ports.backfills``: one suite, inherited by every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.backfill import Phase
from gateway.core.delivery import Delivered, Delivery, State
from gateway.ports import Change, Ledger
from gateway.ports.backfills import Backfills, Made, Request, Slice
from gateway.store.memory import MemoryLedger
from gateway.store.memory_backfills import MemoryBackfills
from gateway.store.postgres.backfills import PostgresBackfills
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.sqlite.backfills import SqliteBackfills
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, RECIPIENT, a_delivery, a_key, a_message, an_attempt, an_audit_row
from tests.emptied import emptied
from tests.servers.sharing import within

NOW = MORNING + 3600
LATE = "H33.40/dms"


def a_request(id: str = "r1", **override: Any) -> Request:
    """What H33.40 missed of document.issued in the hour after the MORNING."""
    made: dict[str, Any] = {
        "system": LATE,
        "contract": "document.issued",
        "since": MORNING,
        "until": NOW,
        "reason": "mới kết nối",
        "asked_at": NOW,
        **override,
    }
    return Request(id, **made)


def due(*names: str | int, **override: Any) -> list[Delivery]:
    """Deliveries of messages to the late system, as if accepted NOW."""
    return [a_delivery(name, recipient=LATE, accepted_at=NOW, **override) for name in names]


class Office:
    """A ledger, and what keeps requests on it."""

    def __init__(self, ledger: Ledger, backfills: Backfills) -> None:
        self.ledger, self.backfills = ledger, backfills

    async def keep(self, *names: str | int, **override: Any) -> None:
        await self.ledger.accept_many([a_message(name, **override) for name in names])

    async def asked(self, id: str = "r1", **override: Any) -> Request:
        return await self.backfills.ask(a_request(id, **override), an_audit_row("request.asked"))

    async def turned(self, request: Request, phase: Phase, **override: Any) -> bool:
        row = an_audit_row(f"request.{phase.value}")
        return await self.backfills.change(request.phase, replace(request, phase=phase, **override), row)

    async def running(self, owner: str = "one") -> Request:
        """A running request that ``owner`` drives."""
        asked = await self.asked()
        assert await self.turned(asked, Phase.APPROVED)
        assert await self.turned(replace(asked, phase=Phase.APPROVED), Phase.RUNNING)
        (leased,) = await self.backfills.lease(owner, now=NOW, until=NOW + 5)
        return leased

    async def missed(self, request: Request, after: int = 0, limit: int = 100) -> Slice:
        return await self.backfills.missed(request, after=after, limit=limit)

    async def make(self, request: Request, end: int, deliveries: Sequence[Delivery], **override: Any) -> bool:
        made = Made(Slice((), end), deliveries, override.pop("left_out", {}))
        asked: dict[str, Any] = {"owner": "one", "audit": an_audit_row("request.slice"), "now": NOW, **override}
        return await self.backfills.make(request, made, **asked)

    async def now(self, id: str = "r1") -> Request:
        found = await self.backfills.find(id)
        assert found is not None
        return found

    async def states(self, name: str | int) -> dict[str, State]:
        record = await self.ledger.find(a_key(name))
        assert record is not None
        return {each.delivery.recipient: each.delivery.state for each in record.deliveries}

    async def audited(self) -> list[str]:
        leaves = await self.ledger.journal(limit=1000)
        return [
            body.decode().partition('"audit":"')[2].partition('"')[0] for _, kind, body in leaves if kind == "audit"
        ]


class BackfillsSuite:
    """Every promise; a backend adds how to make both in an empty folder."""

    def new(self, folder: Path) -> Office:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def office(self, tmp_path: Path) -> AsyncIterator[Office]:
        made = self.new(tmp_path)
        await made.ledger.open()
        yield made
        await made.ledger.close()

    # ---------------------------------------------------------------------------------------------- requests

    async def test_a_request_is_kept_as_it_was_asked_with_the_youngest_message_of_that_moment(
        self, office: Office
    ) -> None:
        await office.keep(1, 2)

        asked = await office.asked()

        assert asked == replace(a_request(), last=asked.last)
        assert asked.last > 0
        assert await office.backfills.find("r1") == asked
        assert await office.backfills.find("r2") is None
        assert await office.audited() == ["request.asked"]

    async def test_a_system_has_one_open_request_for_a_contract(self, office: Office) -> None:
        first = await office.asked()

        assert await office.asked("r2") == first
        assert await office.backfills.find("r2") is None
        assert (await office.asked("r3", contract="document.status")).id == "r3"
        assert (await office.asked("r4", system="H33.41/dms")).id == "r4"

        await office.turned(first, Phase.REFUSED)
        assert (await office.asked("r5")).id == "r5"
        assert await office.audited() == ["request.asked", "request.asked", "request.asked", "request.refused",
                                          "request.asked"]  # fmt: skip

    async def test_requests_are_listed_by_system_and_phase_the_youngest_first(self, office: Office) -> None:
        first = await office.asked()
        await office.turned(first, Phase.CANCELLED, decided_by="operator:mau", decision="thôi", decided_at=NOW)
        await office.asked("r2")
        await office.asked("r3", system="H33.41/dms")

        async def ids(**asked: Any) -> list[str]:
            return [each.id for each in await office.backfills.listed(**asked)]

        assert await ids() == ["r3", "r2", "r1"]
        assert await ids(system=LATE) == ["r2", "r1"]
        assert await ids(phase=Phase.ASKED) == ["r3", "r2"]
        assert await ids(system=LATE, phase=Phase.CANCELLED) == ["r1"]
        assert await ids(limit=1) == ["r3"]

    async def test_a_phase_is_left_once(self, office: Office) -> None:
        asked = await office.asked()

        assert await office.turned(asked, Phase.APPROVED, decided_by="operator:mau", decision="đúng", decided_at=NOW)
        assert not await office.turned(asked, Phase.REFUSED)

        kept = await office.now()
        assert (kept.phase, kept.decided_by, kept.decision, kept.decided_at, kept.ended_at) == (
            Phase.APPROVED, "operator:mau", "đúng", NOW, None,
        )  # fmt: skip
        assert await office.audited() == ["request.asked", "request.approved"]

    async def test_only_what_is_approved_or_running_is_driven_and_by_one(self, office: Office) -> None:
        asked = await office.asked()
        assert await office.backfills.lease("one", now=NOW, until=NOW + 5) == []
        await office.turned(asked, Phase.APPROVED)

        (leased,) = await office.backfills.lease("one", now=NOW, until=NOW + 5)
        assert leased.phase is Phase.APPROVED
        assert await office.backfills.lease("two", now=NOW + 4, until=NOW + 9) == []
        assert len(await office.backfills.lease("one", now=NOW + 4, until=NOW + 9)) == 1
        assert len(await office.backfills.lease("two", now=NOW + 9, until=NOW + 14)) == 1

        await office.turned(leased, Phase.CANCELLED)
        assert await office.backfills.lease("two", now=NOW + 9, until=NOW + 14) == []

    # ------------------------------------------------------------------------------------------- what is meant

    async def test_what_was_missed_comes_in_order_of_acceptance_whatever_the_clock_said(self, office: Office) -> None:
        await office.keep("a", accepted_at=MORNING + 20)
        await office.keep("b", accepted_at=MORNING + 10)
        await office.keep("c", accepted_at=MORNING + 30)
        request = await office.asked()

        found = (await office.missed(request)).found

        assert [each.envelope for each in found] == [a_message(name).envelope for name in "abc"]
        assert [each.source for each in found] == ["H33.05/dms"] * 3
        assert sorted(each.place for each in found) == [each.place for each in found]

    async def test_another_contract_an_earlier_and_a_later_message_are_not_meant(self, office: Office) -> None:
        await office.keep("early", accepted_at=MORNING - 0.001)
        await office.keep("first", accepted_at=MORNING)
        await office.keep("status", type="document.status")
        await office.keep("last", accepted_at=NOW - 0.001)
        await office.keep("at the end", accepted_at=NOW)
        request = await office.asked()
        await office.keep("after it was asked", accepted_at=MORNING + 1)

        found = (await office.missed(request)).found

        assert [each.envelope for each in found] == [a_message(name).envelope for name in ("first", "last")]
        assert await office.backfills.count(request, most=100) == 2
        assert await office.backfills.count(request, most=1) == 1

    async def test_slices_follow_each_other_and_the_last_one_reaches_the_end(self, office: Office) -> None:
        await office.keep(*range(5))
        request = await office.asked()

        seen: list[bytes | None] = []
        place = rounds = 0
        while place < request.last:
            piece = await office.missed(request, after=place, limit=2)
            seen += [each.envelope for each in piece.found]
            place, rounds = piece.end, rounds + 1

        assert seen == [a_message(number).envelope for number in range(5)]
        assert (place, rounds) == (request.last, 3)

    async def test_of_a_message_that_the_system_has_already_no_body_is_read(self, office: Office) -> None:
        await office.keep("mine", to=(RECIPIENT, LATE))
        await office.keep("other")
        request = await office.asked()

        first, second = (await office.missed(request)).found

        assert (first.is_recipient, first.envelope) == (True, None)
        assert (second.is_recipient, second.envelope) == (False, a_message("other").envelope)

    async def test_what_waits_for_a_system_is_counted(self, office: Office) -> None:
        await office.keep(*range(4))

        assert await office.backfills.waiting(RECIPIENT, most=10) == 4
        assert await office.backfills.waiting(RECIPIENT, most=3) == 3
        assert await office.backfills.waiting(LATE, most=3) == 0

    # ------------------------------------------------------------------------------------------- what is made

    async def test_a_slice_makes_deliveries_that_are_claimed_in_order_and_leaves_the_receipt_as_it_was(
        self, office: Office
    ) -> None:
        await office.keep(1, 2)
        request = await office.running()
        before = await office.ledger.find(a_key(1))

        assert await office.make(request, request.last, due(1, 2), left_out={"expired": 3})

        claims = await office.ledger.claim({LATE: 10}, owner="push", now=NOW, until=NOW + 30)
        assert [claim.id for claim in claims] == [a_message(1).id, a_message(2).id]
        assert {claim.recipients for claim in claims} == {(RECIPIENT,)}
        record = await office.ledger.find(a_key(1))
        assert record is not None
        assert before is not None
        assert (record.recipients, record.receipt) == (before.recipients, before.receipt)
        assert [each.delivery.recipient for each in record.deliveries] == [RECIPIENT, LATE]
        kept = await office.now()
        assert (kept.reached, kept.made, kept.left_out) == (request.last, 2, {"expired": 3})
        assert (await office.audited())[-1] == "request.slice"

    async def test_counts_add_up_over_slices(self, office: Office) -> None:
        await office.keep(1, 2)
        request = await office.running()

        assert await office.make(request, 1, due(1), left_out={"expired": 1, "no-agreement": 1})
        assert await office.make(replace(request, reached=1), 2, due(2), left_out={"expired": 2})

        kept = await office.now()
        assert (kept.reached, kept.made, kept.left_out) == (2, 2, {"expired": 3, "no-agreement": 1})

    async def test_a_slice_is_made_once(self, office: Office) -> None:
        await office.keep(1, 2)
        request = await office.running()
        await office.make(request, 1, due(1))

        assert not await office.make(request, 1, due(1))
        assert not await office.make(request, 1, due(2))

        assert ((await office.now()).made, await office.states(2)) == (1, {RECIPIENT: State.QUEUED})

    async def test_a_message_has_one_delivery_for_a_system_whatever_is_asked(self, office: Office) -> None:
        await office.keep(1, to=(RECIPIENT, LATE))
        request = await office.running()

        assert not await office.make(request, request.last, due(1))

        assert ((await office.now()).reached, await office.states(1)) == (
            0, {RECIPIENT: State.QUEUED, LATE: State.QUEUED},
        )  # fmt: skip

    @pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.DONE])
    async def test_nothing_is_made_for_a_request_that_is_over(self, office: Office, phase: Phase) -> None:
        await office.keep(1)
        request = await office.running()
        await office.turned(request, phase)

        assert not await office.make(request, request.last, due(1))
        assert await office.states(1) == {RECIPIENT: State.QUEUED}

    async def test_nothing_is_made_by_a_gateway_that_does_not_drive_it(self, office: Office) -> None:
        await office.keep(1)
        request = await office.running()

        assert not await office.make(request, request.last, due(1), owner="two")
        assert await office.states(1) == {RECIPIENT: State.QUEUED}

    async def test_a_new_delivery_waits_behind_what_is_open_in_its_lane(self, office: Office) -> None:
        await office.keep("old", "older still", subject="lane")
        request = await office.running()
        await office.keep("young", subject="lane", to=(LATE,))

        assert await office.make(request, request.last, due("old", "older still", subject="lane"))

        assert (await office.states("young"))[LATE] is State.QUEUED
        assert (await office.states("old"))[LATE] is State.BLOCKED
        for name in ("young", "old", "older still"):
            (claim,) = await office.ledger.claim({LATE: 10}, owner="push", now=NOW, until=NOW + 30)
            assert claim.id == a_message(name).id
            change = Change(claim.delivery, claim.delivery.after(Delivered()), an_attempt())
            assert await office.ledger.record_many([change], now=NOW) == [True]

    async def test_a_new_delivery_to_a_destination_on_hold_is_held(self, office: Office) -> None:
        await office.keep(1)
        request = await office.running()
        await office.ledger.hold(LATE, at=NOW, audit=an_audit_row())

        assert await office.make(request, request.last, due(1))

        assert (await office.states(1))[LATE] is State.HELD

    async def test_a_slice_without_a_delivery_is_a_slice(self, office: Office) -> None:
        await office.keep(1)
        request = await office.running()

        assert await office.make(request, request.last, [], left_out={"not-addressed": 1})

        assert (await office.now()).reached == request.last


class TestMemoryBackfills(BackfillsSuite):
    def new(self, folder: Path) -> Office:
        ledger = MemoryLedger()
        return Office(ledger, MemoryBackfills(ledger))


class DurableBackfillsSuite(BackfillsSuite):
    """What a store whose bodies are not in memory promises beside."""

    async def test_a_slice_holds_no_more_bodies_than_memory_bears(self, office: Office) -> None:
        await office.keep(*range(5), envelope=b"x" * (3 * 1024 * 1024))
        request = await office.asked()

        piece = await office.missed(request)

        assert (len(piece.found), piece.end) == (3, piece.found[-1].place)
        assert len((await office.missed(request, after=piece.end)).found) == 2


class TestSqliteBackfills(DurableBackfillsSuite):
    def new(self, folder: Path) -> Office:
        ledger = SqliteLedger(folder / "ledger.db")
        return Office(ledger, SqliteBackfills(ledger))


class TestPostgresBackfills(DurableBackfillsSuite):
    @pytest.fixture
    async def office(self, postgres_suite_url: str) -> AsyncIterator[Office]:
        ledger = await emptied(PostgresLedger(postgres_suite_url))
        yield Office(ledger, PostgresBackfills(ledger))
        await ledger.close()


class TestPostgresBackfillsBehindPgBouncer(DurableBackfillsSuite):
    """Where each transaction gets another connection."""

    @pytest.fixture
    async def office(self, postgres_suite_url: str, postgres_bouncer: str) -> AsyncIterator[Office]:
        through = within(postgres_bouncer, postgres_suite_url.rpartition("/")[2])
        ledger = await emptied(PostgresLedger(through, pgbouncer=True))
        yield Office(ledger, PostgresBackfills(ledger))
        await ledger.close()
