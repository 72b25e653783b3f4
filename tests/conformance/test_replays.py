"""The promises of ``ports.replays``: one suite, inherited by every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.delivery import Deferred, Delivered, Delivery, Discarded, Refused, Replayed, Signal, State
from gateway.core.replay import Phase, Plan
from gateway.ports import Attempt, Change, Ledger
from gateway.ports.failures import Failures, Sought
from gateway.ports.replays import Move, Operation, Replays
from gateway.store.memory import MemoryLedger
from gateway.store.memory_failures import MemoryFailures
from gateway.store.memory_replays import MemoryReplays
from gateway.store.postgres.failures import PostgresFailures
from gateway.store.postgres.ledger import PostgresLedger
from gateway.store.postgres.replays import PostgresReplays
from gateway.store.sqlite.failures import SqliteFailures
from gateway.store.sqlite.ledger import SqliteLedger
from gateway.store.sqlite.replays import SqliteReplays
from tests.build import MORNING, RECIPIENT, a_message, an_audit_row
from tests.emptied import emptied
from tests.servers.sharing import within

NOW = MORNING + 60
OTHER = "H33.09/dms"


class Ward:
    """A ledger, what knows about its failures, and what keeps operations on them."""

    def __init__(self, ledger: Ledger, failures: Failures, replays: Replays) -> None:
        self.ledger, self.failures, self.replays = ledger, failures, replays

    async def dead(self, *names: str, to: str = RECIPIENT) -> list[str]:
        """Deliveries that a recipient refused, one message each."""
        await self.ledger.accept_many([a_message(name, to=(to,)) for name in names])
        claims = await self.ledger.claim({to: len(names)}, owner="one", now=NOW, until=NOW + 30)
        for claim in claims:
            await self.end(claim.delivery.id, Refused())
        while await self.failures.look():
            pass
        return [claim.delivery.id for claim in claims]

    async def at(self, id_: str) -> Delivery:
        found = await self.ledger.delivery(id_)
        assert found is not None
        return found

    async def end(self, id_: str, signal: Signal) -> None:
        """A step of one delivery, with an attempt."""
        before = await self.at(id_)
        attempt = Attempt(before.attempts + 1, NOW, NOW + 1, "failed", 500, "no")
        assert await self.ledger.record_many([Change(before, before.after(signal), attempt)], now=NOW) == [True]

    async def planned(
        self, *, id: str = "op1", phase: Phase = Phase.RUNNING, recipient: str | None = None
    ) -> Operation:
        """An operation on all that is dead."""
        candidates = await self.replays.candidates(Sought(recipient), None, now=NOW)
        made = Operation(
            id, "replay", phase, Sought(recipient), 0, Plan(window=(60, 120)), "đã sửa", "operator:mau",
            len(candidates), NOW, {"expired": 2}, 1, next_at=NOW,
        )  # fmt: skip
        await self.replays.plan(made, [each.place for each in candidates], an_audit_row("replay.started"))
        return made

    async def put_back(self, ids: Sequence[str], *, op: str = "op1", owner: str = "one") -> list[bool] | None:
        """Move these deliveries of an operation, each with an audit row."""
        moves = []
        for id_ in ids:
            delivery = await self.at(id_)
            change = Change(delivery, delivery.after(Replayed(NOW)))
            moves.append(Move(id_, change, an_audit_row("delivery.replayed", details={"delivery": id_})))
        return await self.replays.move(op, moves, owner=owner, next_at=NOW + 7, now=NOW)

    async def audited(self, event: str) -> int:
        leaves = await self.ledger.journal(limit=1000)
        return sum(f'"audit":"{event}"'.encode() in body for _, _, body in leaves)


class ReplaysSuite:
    """Every promise; a backend adds how to make it in an empty folder."""

    def new(self, folder: Path) -> Ward:
        raise LookupError("the test class of a backend makes it")

    @pytest.fixture
    async def ward(self, tmp_path: Path) -> AsyncIterator[Ward]:
        made = self.new(tmp_path)
        await made.ledger.open()
        yield made
        await made.ledger.close()

    async def test_a_filter_means_what_is_dead_in_order_of_acceptance(self, ward: Ward) -> None:
        ids = await ward.dead("1", "2", "3")
        others = await ward.dead("4", to=OTHER)
        await ward.ledger.accept_many([a_message("5")])

        found = await ward.replays.candidates(Sought(), None, now=NOW)
        assert [each.delivery for each in found] == ids + others
        assert [each.place for each in found] == sorted(each.place for each in found)
        assert {(each.state, each.has_body, each.expires) for each in found} == {(State.DEAD, True, None)}
        narrowed = await ward.replays.candidates(Sought(recipient=OTHER, cause="refused"), None, now=NOW)
        assert [each.delivery for each in narrowed] == others
        assert await ward.replays.candidates(Sought(group="0123456789ab"), None, now=NOW) == []

    async def test_names_are_ids_of_deliveries_or_messages_whatever_their_state(self, ward: Ward) -> None:
        (dead,) = await ward.dead("1")
        sent = a_message("2", to=(RECIPIENT, OTHER))
        await ward.ledger.accept_many([sent])

        found = await ward.replays.candidates(Sought(), [dead.upper(), sent.key, dead, "unknown"], now=NOW)
        assert [each.delivery for each in found] == [dead, *(each.id for each in sent.deliveries)]
        assert [each.state for each in found] == [State.DEAD, State.QUEUED, State.QUEUED]

    async def test_a_group_that_is_stuck_is_meant_by_its_fingerprint_alone(self, ward: Ward) -> None:
        sent = [a_message(number, subject="one dossier") for number in range(3)]
        await ward.ledger.accept_many(sent)
        await ward.end(
            (await ward.ledger.claim({RECIPIENT: 1}, owner="one", now=NOW, until=NOW))[0].delivery.id, Refused()
        )
        await ward.failures.look()
        behind = next(each for each in await ward.failures.groups(Sought(), now=NOW) if each.error == "behind-dead")

        found = await ward.replays.candidates(Sought(group=behind.fingerprint), None, now=NOW)
        assert [each.delivery for each in found] == [each.deliveries[0].id for each in sent[1:]]
        assert len(await ward.replays.candidates(Sought(), None, now=NOW)) == 1

    async def test_an_operation_is_kept_as_it_was_planned_with_its_audit_row(self, ward: Ward) -> None:
        await ward.dead("1", "2")
        made = await ward.planned(phase=Phase.PLANNED, recipient=RECIPIENT)

        assert await ward.replays.find("op1") == made
        assert await ward.replays.listed() == [made]
        assert await ward.replays.counts("op1") == {"waiting": 2}
        assert await ward.audited("replay.started") == 1
        assert await ward.replays.find("op2") is None
        assert await ward.replays.counts("op2") == {}
        assert await ward.replays.items("op2") == []

    async def test_operations_are_listed_the_youngest_first(self, ward: Ward) -> None:
        await ward.dead("1")
        for number in range(3):
            await ward.planned(id=f"op{number}")
        assert [each.id for each in await ward.replays.listed(limit=2)] == ["op2", "op1"]

    async def test_the_snapshot_is_frozen(self, ward: Ward) -> None:
        first = await ward.dead("1")
        await ward.planned()
        await ward.dead("2")

        assert [each.delivery for each in await ward.replays.items("op1")] == first

    async def test_a_phase_is_changed_only_from_the_one_expected(self, ward: Ward) -> None:
        await ward.dead("1")
        made = await ward.planned()
        paused = replace(made, phase=Phase.PAUSED, why="x", started_at=NOW)

        assert await ward.replays.change(Phase.RUNNING, paused, an_audit_row("replay.paused"))
        assert not await ward.replays.change(Phase.RUNNING, made, an_audit_row("replay.paused"))
        assert await ward.replays.find("op1") == paused
        assert await ward.audited("replay.paused") == 1

    async def test_one_gateway_drives_a_running_operation_until_its_lease_ends(self, ward: Ward) -> None:
        await ward.dead("1")
        await ward.planned(id="op0", phase=Phase.PLANNED)
        made = await ward.planned()

        assert await ward.replays.lease("one", now=NOW, until=NOW + 5) == [made]
        assert await ward.replays.lease("two", now=NOW + 4.9, until=NOW + 9) == []
        assert await ward.replays.lease("one", now=NOW + 4.9, until=NOW + 9) == [made]
        assert await ward.replays.lease("two", now=NOW + 9, until=NOW + 14) == [made]

    async def test_turns_come_in_order_of_acceptance_and_each_but_once(self, ward: Ward) -> None:
        ids = await ward.dead("1", "2", "3")
        await ward.planned()
        await ward.replays.lease("one", now=NOW, until=NOW + 5)

        turns = await ward.replays.turns("op1", 2)
        assert [(turn.delivery.id, turn.has_body) for turn in turns] == [(ids[0], True), (ids[1], True)]
        assert await ward.put_back(ids[:2]) == [True, True]
        assert [turn.delivery.id for turn in await ward.replays.turns("op1", 9)] == [ids[2]]
        assert [(await ward.at(id_)).state for id_ in ids] == [State.QUEUED, State.QUEUED, State.DEAD]
        assert await ward.audited("delivery.replayed") == 2
        found = await ward.replays.find("op1")
        assert found is not None
        assert found.next_at == NOW + 7

    async def test_a_delivery_is_moved_once_by_an_operation_even_if_it_died_again(self, ward: Ward) -> None:
        (id_,) = await ward.dead("1")
        await ward.planned()
        await ward.replays.lease("one", now=NOW, until=NOW + 5)
        assert await ward.put_back([id_]) == [True]
        await ward.ledger.claim({RECIPIENT: 1}, owner="one", now=NOW, until=NOW + 30)
        await ward.end(id_, Refused())

        assert await ward.put_back([id_]) == [False]
        assert (await ward.at(id_)).replays == 1
        assert await ward.replays.counts("op1") == {"failed": 1}
        assert await ward.audited("delivery.replayed") == 1

    async def test_nothing_is_moved_without_the_lease_or_while_it_does_not_run(self, ward: Ward) -> None:
        ids = await ward.dead("1")
        made = await ward.planned()
        assert await ward.put_back(ids) is None
        await ward.replays.lease("one", now=NOW, until=NOW + 5)
        assert await ward.put_back(ids, owner="two") is None
        await ward.replays.change(Phase.RUNNING, replace(made, phase=Phase.PAUSED), an_audit_row())
        assert await ward.put_back(ids) is None
        assert await ward.put_back(ids, op="op2") is None
        assert (await ward.at(ids[0])).state is State.DEAD

    async def test_one_that_moved_meanwhile_waits_on_and_one_that_cannot_is_skipped_with_its_reason(
        self, ward: Ward
    ) -> None:
        ids = await ward.dead("1", "2")
        await ward.planned()
        await ward.replays.lease("one", now=NOW, until=NOW + 5)
        stale = await ward.at(ids[0])
        await ward.end(ids[0], Discarded())

        late = Move(ids[0], Change(stale, stale.after(Replayed(NOW))), an_audit_row("delivery.replayed"))
        skip = Move(ids[1], skipped="body-gone")
        assert await ward.replays.move("op1", [late, skip], owner="one", next_at=NOW, now=NOW) == [False, True]
        assert await ward.replays.counts("op1") == {"waiting": 1, "skipped": 1}
        assert [each.reason for each in await ward.replays.items("op1", outcome="skipped")] == ["body-gone"]
        assert await ward.audited("delivery.replayed") == 0

    async def test_outcomes_follow_the_deliveries_by_themselves(self, ward: Ward) -> None:
        ids = await ward.dead("1", "2", "3", "4", "5")
        await ward.planned()
        await ward.replays.lease("one", now=NOW, until=NOW + 5)
        await ward.put_back(ids)
        assert await ward.replays.counts("op1") == {"sent": 5}

        await ward.ledger.claim({RECIPIENT: 4}, owner="one", now=NOW, until=NOW + 30)
        signals: list[Signal] = [Delivered(), Refused(), Deferred(NOW + 60)]
        for id_, signal in zip(ids, signals, strict=False):
            await ward.end(id_, signal)
        assert await ward.replays.counts("op1") == {"delivered": 1, "failed": 1, "failing": 1, "sent": 2}

        await ward.ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row())
        assert await ward.replays.counts("op1") == {"delivered": 1, "failed": 1, "held": 2, "sent": 1}
        await ward.end(ids[1], Discarded())
        await ward.ledger.release(RECIPIENT, at=NOW, audit=an_audit_row())
        outcomes = [(each.delivery, each.outcome) for each in await ward.replays.items("op1")]
        assert outcomes == list(zip(ids, ("delivered", "discarded", "failing", "sent", "sent"), strict=True))

    async def test_what_another_operation_did_later_does_not_count_for_the_first(self, ward: Ward) -> None:
        (id_,) = await ward.dead("1")
        await ward.planned()
        await ward.replays.lease("one", now=NOW, until=NOW + 5)
        await ward.put_back([id_])
        await ward.ledger.claim({RECIPIENT: 1}, owner="one", now=NOW, until=NOW + 30)
        await ward.end(id_, Refused())
        await ward.failures.look()
        await ward.planned(id="op2")
        await ward.replays.lease("one", now=NOW, until=NOW + 5)
        await ward.put_back([id_], op="op2")
        await ward.ledger.claim({RECIPIENT: 1}, owner="one", now=NOW, until=NOW + 30)
        await ward.end(id_, Delivered())

        assert await ward.replays.counts("op1") == {"failed": 1}
        assert await ward.replays.counts("op2") == {"delivered": 1}

    async def test_what_is_put_back_for_a_destination_on_hold_is_held(self, ward: Ward) -> None:
        ids = await ward.dead("1")
        await ward.ledger.hold(RECIPIENT, at=NOW, audit=an_audit_row())
        await ward.planned()
        await ward.replays.lease("one", now=NOW, until=NOW + 5)

        assert await ward.put_back(ids) == [True]
        assert await ward.replays.counts("op1") == {"held": 1}
        assert (await ward.replays.progress("op1", judged=50)).in_flight == 0

    async def test_progress_tells_what_waits_what_is_under_way_and_how_the_last_ones_went(self, ward: Ward) -> None:
        ids = await ward.dead("1", "2", "3", "4", "5")
        made = await ward.planned()
        await ward.replays.lease("one", now=NOW, until=NOW + 5)
        await ward.put_back(ids[:4])
        await ward.ledger.claim({RECIPIENT: 3}, owner="one", now=NOW, until=NOW + 30)
        signals: list[Signal] = [Refused(), Delivered(), Deferred(NOW + 60)]
        for id_, signal in zip(ids, signals, strict=False):
            await ward.end(id_, signal)

        progress = await ward.replays.progress("op1", judged=2)
        assert (progress.waiting, progress.moved, progress.in_flight) == (1, 4, 1)
        assert list(progress.recent) == [True, False]

        await ward.replays.change(Phase.RUNNING, replace(made, phase=Phase.STOPPED), an_audit_row())
        await ward.replays.change(Phase.STOPPED, made, an_audit_row())
        assert list((await ward.replays.progress("op1", judged=9)).recent) == []

    async def test_items_are_told_page_by_page_and_by_outcome(self, ward: Ward) -> None:
        ids = await ward.dead("1", "2", "3")
        await ward.planned()
        await ward.replays.lease("one", now=NOW, until=NOW + 5)
        await ward.put_back(ids[1:2])

        page = await ward.replays.items("op1", limit=2)
        rest = await ward.replays.items("op1", after=page[-1].delivery)
        assert [each.delivery for each in (*page, *rest)] == ids
        assert [each.delivery for each in await ward.replays.items("op1", outcome="sent")] == ids[1:2]
        assert {each.recipient for each in page} == {RECIPIENT}


class TestMemoryReplays(ReplaysSuite):
    def new(self, folder: Path) -> Ward:
        ledger = MemoryLedger()
        failures = MemoryFailures(ledger)
        return Ward(ledger, failures, MemoryReplays(ledger, failures))


class TestSqliteReplays(ReplaysSuite):
    def new(self, folder: Path) -> Ward:
        ledger = SqliteLedger(folder / "ledger.db")
        return Ward(ledger, SqliteFailures(ledger), SqliteReplays(ledger))


class TestPostgresReplays(ReplaysSuite):
    @pytest.fixture
    async def ward(self, postgres_suite_url: str) -> AsyncIterator[Ward]:
        ledger = await emptied(PostgresLedger(postgres_suite_url))
        yield Ward(ledger, PostgresFailures(ledger), PostgresReplays(ledger))
        await ledger.close()


class TestPostgresReplaysBehindPgBouncer(ReplaysSuite):
    """Where each transaction gets another connection."""

    @pytest.fixture
    async def ward(self, postgres_suite_url: str, postgres_bouncer: str) -> AsyncIterator[Ward]:
        through = within(postgres_bouncer, postgres_suite_url.rpartition("/")[2])
        ledger = await emptied(PostgresLedger(through, pgbouncer=True))
        yield Ward(ledger, PostgresFailures(ledger), PostgresReplays(ledger))
        await ledger.close()
