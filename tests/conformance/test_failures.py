"""The promises of ``ports.failures``: one suite, inherited by every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.delivery import Deferred, Discarded, GaveUp, Refused, Replayed, State
from gateway.core.failure import STUCK_AFTER, STUCK_ATTEMPTS
from gateway.ports import Attempt, AttemptOutcome, Change, Ledger
from gateway.ports.failures import Failures, Group, Sought
from gateway.store.memory import MemoryLedger
from gateway.store.memory_failures import MemoryFailures
from gateway.store.postgres.failures import PostgresFailures
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.sqlite.failures import SqliteFailures
from gateway.store.sqlite.ledger import SqliteLedger
from tests.build import MORNING, RECIPIENT, a_message, an_audit_row
from tests.emptied import emptied
from tests.servers.sharing import within

NOW = MORNING + 60
OTHER = "H33.09/dms"
REFUSED = Refused()


class Ward:
    """A ledger, and what knows about its failures."""

    def __init__(self, ledger: Ledger, failures: Failures) -> None:
        self.ledger, self.failures = ledger, failures

    async def fail(
        self,
        name: str,
        detail: str = "no",
        *,
        status: int | None = 422,
        outcome: AttemptOutcome = "refused",
        signal: Refused | GaveUp | Deferred = REFUSED,
        now: float = NOW,
        to: str = RECIPIENT,
    ) -> str:
        """Accept a message to ``to``, try it once, and let that end so; answers the delivery's id."""
        await self.ledger.accept_many([a_message(name, to=(to,))])
        return await self.fail_again(to, detail, status=status, outcome=outcome, signal=signal, now=now)

    async def fail_again(
        self, to: str, detail: str, *, status: int | None, outcome: AttemptOutcome,
        signal: Refused | GaveUp | Deferred, now: float,
    ) -> str:  # fmt: skip
        (claim,) = await self.ledger.claim({to: 1}, owner="one", now=now, until=now + 30)
        attempt = Attempt(claim.delivery.attempts + 1, now, now + 1, outcome, status, detail)
        change = Change(claim.delivery, claim.delivery.after(signal), attempt)
        assert await self.ledger.record_many([change], now=now) == [True]
        return claim.delivery.id

    async def groups(self, *, now: float = NOW, **sought: object) -> list[Group]:
        while await self.failures.look():
            pass
        return await self.failures.groups(Sought(**sought), now=now)  # type: ignore[arg-type]


class FailuresSuite:
    """Every promise; a backend adds how to make both in an empty folder."""

    def new(self, folder: Path) -> Ward:
        raise LookupError("the test class of a backend makes them")

    @pytest.fixture
    async def ward(self, tmp_path: Path) -> AsyncIterator[Ward]:
        made = self.new(tmp_path)
        await made.ledger.open()
        yield made
        await made.ledger.close()

    async def test_nothing_has_failed_in_an_empty_ledger(self, ward: Ward) -> None:
        assert await ward.groups() == []
        assert await ward.failures.members(Sought(), now=NOW) == []
        assert await ward.failures.backlog() == {}

    async def test_what_died_alike_is_one_group_with_its_count_and_first_and_last_moment(self, ward: Ward) -> None:
        first = await ward.fail("1", "line 7 is wrong", now=NOW)
        second = await ward.fail("2", "line 12 is wrong", now=NOW + 5)
        other = await ward.fail("3", "no such page", now=NOW + 6)

        large, small = await ward.groups()

        assert (large.kind, large.recipient, large.contract) == ("dead", RECIPIENT, "document.issued/1.0")
        assert (large.error, large.cause, large.text, large.count) == ("refused", "refused", "line <n> is wrong", 2)
        assert (large.first, large.last) == (NOW + 1, NOW + 6)
        assert large.samples == (second, first)
        assert (small.count, small.samples) == (1, (other,))

    async def test_a_group_lists_its_deliveries_page_by_page_in_order_of_acceptance(self, ward: Ward) -> None:
        ids = [await ward.fail(f"{number}") for number in range(5)]
        await ward.fail("other", "something else")
        group = (await ward.groups())[0].fingerprint

        page = await ward.failures.members(Sought(group=group), now=NOW, limit=2)
        rest = await ward.failures.members(Sought(group=group), now=NOW, after=page[-1].delivery, limit=10)

        assert [each.delivery for each in (*page, *rest)] == ids
        assert (page[0].state, page[0].error, page[0].status, page[0].detail) == ("dead", "refused", 422, "no")
        assert page[0].message == a_message("0").id

    async def test_what_leaves_the_dead_leaves_its_group_and_may_come_back_to_another(self, ward: Ward) -> None:
        id_ = await ward.fail("1", "first")
        assert [group.text for group in await ward.groups()] == ["first"]

        dead = await ward.ledger.delivery(id_)
        assert dead is not None
        await ward.ledger.record_many([Change(dead, dead.after(Replayed(NOW)))], now=NOW)
        assert await ward.groups() == []

        await ward.fail_again(RECIPIENT, "second", status=422, outcome="refused", signal=Refused(), now=NOW)
        assert [(group.text, group.count) for group in await ward.groups()] == [("second", 1)]

    async def test_what_is_discarded_is_no_failure_any_more(self, ward: Ward) -> None:
        for name in ("looked at", "not looked at"):
            dead = await ward.ledger.delivery(await ward.fail(name))
            assert dead is not None
            if name == "looked at":
                assert [group.count for group in await ward.groups()] == [1]
            await ward.ledger.record_many([Change(dead, dead.after(Discarded()))], now=NOW)
            assert await ward.groups() == []
            assert await ward.failures.look() == 0

    async def test_groups_are_narrowed_by_recipient_contract_moment_cause_and_group(self, ward: Ward) -> None:
        await ward.fail("1", now=NOW)
        await ward.fail("2", "slow", to=OTHER, status=None, outcome="timeout", signal=GaveUp("deadline"), now=NOW + 50)
        refused, late = sorted(await ward.groups(), key=lambda group: group.first)

        assert await ward.groups(recipient=OTHER) == [late]
        assert await ward.groups(contract="document.issued") == sorted([refused, late], key=lambda g: g.fingerprint)
        assert await ward.groups(contract="document.issued/2.0") == []
        assert await ward.groups(contract="document") == []
        assert await ward.groups(since=NOW + 20) == [late]
        assert await ward.groups(until=NOW + 20) == [refused]
        assert await ward.groups(cause="deadline") == await ward.groups(cause="timeout") == [late]
        assert await ward.groups(group=refused.fingerprint) == [refused]

    async def test_one_that_fails_again_and_again_is_stuck_while_it_is_still_tried(self, ward: Ward) -> None:
        await ward.ledger.accept_many([a_message("1")])
        id_ = ""
        for number in range(STUCK_ATTEMPTS):
            assert await ward.groups() == []
            now = NOW + number
            id_ = await ward.fail_again(
                RECIPIENT, "busy", status=503, outcome="failed", signal=Deferred(now + 1), now=now
            )

        (group,) = await ward.groups(now=NOW + 10)
        assert (group.kind, group.error, group.cause, group.samples[0]) == ("stuck", "busy", None, id_)
        (member,) = await ward.failures.members(Sought(group=group.fingerprint), now=NOW + 10)
        assert (member.state, member.attempts, member.status) == ("queued", STUCK_ATTEMPTS, 503)

    async def test_what_nobody_fetches_or_tries_for_long_is_stuck(self, ward: Ward) -> None:
        await ward.ledger.accept_many([a_message("pushed"), a_message("pulled", to=(OTHER,), patience=None)])
        assert await ward.groups(now=NOW) == []

        found = await ward.groups(now=MORNING + STUCK_AFTER)
        assert {(group.recipient, group.error) for group in found} == {(RECIPIENT, "waiting"), (OTHER, "unfetched")}

    async def test_what_waits_behind_a_dead_one_is_stuck_and_says_so(self, ward: Ward) -> None:
        await ward.ledger.accept_many([a_message(number, subject="one dossier") for number in range(3)])
        await ward.fail_again(RECIPIENT, "no", status=422, outcome="refused", signal=Refused(), now=NOW)

        found = {group.error: group for group in await ward.groups()}
        assert {error: group.count for error, group in found.items()} == {"refused": 1, "behind-dead": 2}
        assert found["behind-dead"].kind == "stuck"

    async def test_what_is_held_is_a_group_of_its_own_kind(self, ward: Ward) -> None:
        await ward.ledger.accept_many([a_message(number, subject="one dossier") for number in range(2)])
        await ward.ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row())

        assert {(group.error, group.kind) for group in await ward.groups()} == {
            ("held", "held"), ("behind-held", "stuck"),
        }  # fmt: skip

    async def test_a_lease_that_ended_and_was_not_taken_back_is_stuck(self, ward: Ward) -> None:
        await ward.ledger.accept_many([a_message()])
        await ward.ledger.claim({RECIPIENT: 1}, owner="one", now=NOW, until=NOW + 30)

        assert await ward.groups(now=NOW + 60) == []
        assert [group.error for group in await ward.groups(now=NOW + 91)] == ["leased-long"]

    async def test_the_backlog_counts_by_recipient_and_state_what_has_not_ended(self, ward: Ward) -> None:
        await ward.fail("1")
        await ward.ledger.accept_many([a_message("2", to=(OTHER,)), a_message("3", to=(OTHER,), subject="subject 2")])
        await ward.ledger.accept_many([a_message("4", to=(RECIPIENT,))])
        await ward.ledger.claim({RECIPIENT: 1}, owner="one", now=NOW, until=NOW + 30)

        found = await ward.failures.backlog()
        assert found[RECIPIENT] == {State.DEAD: 1, State.LEASED: 1}
        assert found[OTHER] == {State.QUEUED: 1, State.BLOCKED: 1}


class TestMemoryFailures(FailuresSuite):
    def new(self, folder: Path) -> Ward:
        ledger = MemoryLedger()
        return Ward(ledger, MemoryFailures(ledger))


class TestSqliteFailures(FailuresSuite):
    def new(self, folder: Path) -> Ward:
        ledger = SqliteLedger(folder / "ledger.db")
        return Ward(ledger, SqliteFailures(ledger))


class TestPostgresFailures(FailuresSuite):
    @pytest.fixture
    async def ward(self, postgres_suite_url: str) -> AsyncIterator[Ward]:
        ledger = await emptied(PostgresLedger(postgres_suite_url))
        yield Ward(ledger, PostgresFailures(ledger))
        await ledger.close()


class TestPostgresFailuresBehindPgBouncer(FailuresSuite):
    """Where each transaction gets another connection."""

    @pytest.fixture
    async def ward(self, postgres_suite_url: str, postgres_bouncer: str) -> AsyncIterator[Ward]:
        through = within(postgres_bouncer, postgres_suite_url.rpartition("/")[2])
        ledger = await emptied(PostgresLedger(through, pgbouncer=True))
        yield Ward(ledger, PostgresFailures(ledger))
        await ledger.close()
