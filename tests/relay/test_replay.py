"""Replays and discards of many deliveries: seen before, careful, resumable, each delivery once, all of it on record."""

from __future__ import annotations

from itertools import count

import pytest

from gateway.core.delivery import State
from gateway.core.faults import IllegalStep, PermanentFailure, Rejected, TransientFailure
from gateway.core.replay import Phase, Plan
from gateway.ports.failures import Sought
from gateway.ports.replays import Operation
from gateway.relay.operations import Operations
from gateway.relay.replay import LEASE, Replay
from gateway.relay.settle import Settlement
from gateway.store.memory_failures import MemoryFailures
from gateway.store.memory_replays import MemoryReplays
from tests.town import Town, a_town

NAME = "H33.16/dms"
WHO = "operator:mau"
QUICK = Plan(rate=1000, canary=(), stop_percent=None)


class Office:
    """A town, its operators' desk, and gateways that drive operations."""

    def __init__(self) -> None:
        self.town: Town = a_town()
        numbers = count(1)
        failures = MemoryFailures(self.town.ledger)
        self.replays = MemoryReplays(self.town.ledger, failures)
        self.failures = failures
        self.operations = Operations(
            self.replays, failures, self.town.ledger, lambda: self.town.directory, self.town.clock,
            lambda: f"op{next(numbers)}",
        )  # fmt: skip
        self.gateway = self.new_gateway("one")

    def new_gateway(self, owner: str) -> Replay:
        return Replay(
            self.replays, self.failures, self.town.ledger, Settlement(lambda: self.town.directory),
            lambda: self.town.directory, self.town.clock, owner, self.town.broker.announce,
        )  # fmt: skip

    async def dead(self, how_many: int, **override: str) -> list[str]:
        """Messages that the recipient refused, each with a subject of its own; answers their ids."""
        sent = []
        for number in range(how_many):
            self.town.desk(NAME).script = [PermanentFailure("no", 422)]
            sent.append((await self.town.sent(**{"subject": f"subject {number}", **override})).id)
            await self.town.work()
        return sent

    async def begin(self, plan: Plan = QUICK) -> Operation:
        seen = await self.operations.preview("replay", Sought(), None, plan)
        return await self.operations.create(seen, reason="đã sửa", author=WHO, start=True)

    async def drive(self, seconds: float, *, gateway: Replay | None = None, deliver: bool = True) -> None:
        """Let time pass while a gateway drives operations and delivers."""
        end = self.town.clock.moment + seconds
        while self.town.clock.moment < end:
            wait = await (gateway or self.gateway).once()
            if deliver:
                await self.town.work()
            self.town.clock.moment = min(end, self.town.clock.moment + wait)

    async def phase(self, operation: Operation) -> Phase:
        return (await self.operations.find(operation.id)).phase

    async def audited(self, event: str) -> list[dict[str, object]]:
        return [row["details"] for row in await self.town.journal("audit") if row["audit"] == event]


@pytest.fixture
def office() -> Office:
    return Office()


async def test_what_would_be_done_is_seen_before_and_nothing_is_changed_by_looking(office: Office) -> None:
    await office.dead(7)
    before = await office.town.ledger.journal(limit=1000)
    seen = await office.operations.preview("replay", Sought(), None, Plan(rate=2))

    assert (seen.eligible, seen.left_out, seen.is_held, seen.seconds, len(seen.sample)) == (7, {}, 0, 3.5, 5)
    assert await office.replays.listed() == []
    assert await office.town.ledger.journal(limit=1000) == before


async def test_what_cannot_be_replayed_is_counted_by_its_reason(office: Office) -> None:
    dead = await office.dead(2)
    expiring = await office.dead(1, expirytime="2026-11-23T01:05:00Z", subject="soon over")
    delivered = await office.town.sent(subject="sound")
    await office.town.work()
    office.town.clock.moment += 600

    named = [*dead, *expiring, delivered.id, "unknown"]
    seen = await office.operations.preview("replay", Sought(), named, QUICK)
    assert (seen.eligible, seen.left_out, seen.named) == (2, {"expired": 1, "delivered": 1}, 5)


async def test_a_destination_on_hold_is_eligible_and_said_to_wait_there(office: Office) -> None:
    await office.dead(2)
    await office.town.operate.hold(NAME, "bảo trì", WHO)
    seen = await office.operations.preview("replay", Sought(), None, QUICK)
    assert (seen.eligible, seen.is_held) == (2, 2)


async def test_everything_in_the_snapshot_is_put_back_in_order_and_delivered(office: Office) -> None:
    sent = await office.dead(30)
    operation = await office.begin()
    await office.drive(5)

    assert office.town.taken_by(NAME) == sent
    assert await office.replays.counts(operation.id) == {"delivered": 30}
    assert await office.phase(operation) is Phase.DONE


async def test_one_entry_tells_of_the_operation_and_one_of_each_delivery_with_its_id(office: Office) -> None:
    await office.dead(3)
    operation = await office.begin()
    await office.drive(5)

    assert await office.audited("replay.started") == [{"operation": operation.id, "deliveries": 3, "reason": "đã sửa"}]
    each = await office.audited("delivery.replayed")
    assert [row["operation"] for row in each] == [operation.id] * 3
    assert await office.audited("replay.done") == [{"operation": operation.id, "counts": {"delivered": 3}}]


async def test_what_died_after_the_look_is_not_in_it(office: Office) -> None:
    first = await office.dead(1)
    seen = await office.operations.preview("replay", Sought(), None, QUICK)
    await office.dead(1, subject="later")
    await office.operations.create(seen, reason="đã sửa", author=WHO, start=True)
    await office.drive(5)
    assert office.town.taken_by(NAME) == first


async def test_a_canary_that_fails_stops_the_replay_and_the_rest_stays_dead(office: Office) -> None:
    await office.dead(20)
    operation = await office.begin(Plan(rate=1000))
    office.town.desk(NAME).script = [PermanentFailure("still no", 422)]
    await office.drive(5)

    stopped = await office.operations.find(operation.id)
    assert (stopped.phase, stopped.why) == (Phase.STOPPED, "1/1")
    assert await office.replays.counts(operation.id) == {"failed": 1, "waiting": 19}
    assert await office.audited("replay.stopped") == [
        {"operation": operation.id, "counts": {"failed": 1, "waiting": 19}, "failing": "1/1"}
    ]


async def test_one_that_must_be_tried_again_counts_as_failing(office: Office) -> None:
    await office.dead(3)
    operation = await office.begin(Plan(rate=1000))
    office.town.desk(NAME).script = [TransientFailure("busy", 503)]
    await office.drive(3)
    assert await office.phase(operation) is Phase.STOPPED
    assert await office.replays.counts(operation.id) == {"failing": 1, "waiting": 2}


async def test_a_stopped_replay_goes_on_when_an_operator_says_so(office: Office) -> None:
    await office.dead(20)
    operation = await office.begin(Plan(rate=1000))
    office.town.desk(NAME).script = [PermanentFailure("still no", 422)]
    await office.drive(3)
    await office.operations.turn(operation.id, "resume", author=WHO)
    await office.drive(5)
    assert await office.replays.counts(operation.id) == {"failed": 1, "delivered": 19}
    assert await office.phase(operation) is Phase.DONE


async def test_a_paused_replay_moves_nothing_and_a_resumed_one_the_rest(office: Office) -> None:
    await office.dead(40)
    operation = await office.begin(Plan(rate=10, canary=()))
    await office.drive(2)
    await office.operations.turn(operation.id, "pause", author=WHO)
    paused = await office.replays.counts(operation.id)
    assert 10 <= paused["delivered"] <= 31

    await office.drive(10)
    assert await office.replays.counts(operation.id) == paused
    await office.operations.turn(operation.id, "resume", author=WHO)
    await office.drive(10)
    assert await office.replays.counts(operation.id) == {"delivered": 40}


async def test_a_cancelled_replay_leaves_the_rest_dead_for_good(office: Office) -> None:
    await office.dead(40)
    operation = await office.begin(Plan(rate=10, canary=()))
    await office.drive(1)
    cancelled = await office.operations.turn(operation.id, "cancel", author=WHO)
    assert cancelled.ended_at == office.town.clock.moment
    await office.drive(10)
    assert (await office.replays.counts(operation.id))["waiting"] >= 10
    with pytest.raises(IllegalStep):
        await office.operations.turn(operation.id, "resume", author=WHO)


async def test_a_planned_one_moves_nothing_before_it_is_started(office: Office) -> None:
    await office.dead(1)
    seen = await office.operations.preview("replay", Sought(), None, QUICK)
    operation = await office.operations.create(seen, reason="đã sửa", author=WHO, start=False)
    await office.drive(5)
    assert await office.replays.counts(operation.id) == {"waiting": 1}
    await office.operations.turn(operation.id, "start", author=WHO)
    await office.drive(5)
    assert await office.replays.counts(operation.id) == {"delivered": 1}


async def test_another_gateway_goes_on_when_the_lease_of_a_dead_one_ends(office: Office) -> None:
    sent = await office.dead(40)
    operation = await office.begin(Plan(rate=10, canary=()))
    await office.drive(1.5)
    other = office.new_gateway("two")
    begun = await office.replays.counts(operation.id)
    await office.drive(1, gateway=other)
    assert await office.replays.counts(operation.id) == begun, "the lease is still the first one's"

    await office.drive(LEASE + 10, gateway=other)
    assert await office.replays.counts(operation.id) == {"delivered": 40}
    assert office.town.taken_by(NAME) == sent
    assert len(await office.audited("delivery.replayed")) == 40


async def test_the_rate_is_kept(office: Office) -> None:
    await office.dead(60)
    await office.begin(Plan(rate=5, canary=()))
    await office.drive(4)
    assert 15 <= len(office.town.taken_by(NAME)) <= 26


async def test_what_somebody_else_dealt_with_meanwhile_is_skipped_with_the_reason(office: Office) -> None:
    sent = await office.dead(2)
    operation = await office.begin()
    delivery = await office.town.delivery(sent[0])
    await office.town.operate.discard(delivery.id, "gửi nhầm", WHO)
    await office.drive(5)
    assert await office.replays.counts(operation.id) == {"skipped": 1, "delivered": 1}
    (skipped,) = await office.replays.items(operation.id, outcome="skipped")
    assert (skipped.delivery, skipped.reason) == (delivery.id, "discarded")


async def test_two_replays_of_the_same_delivery_put_it_back_once(office: Office) -> None:
    sent = await office.dead(1)
    first, second = await office.begin(), await office.begin()
    await office.drive(5)
    assert office.town.taken_by(NAME) == sent
    counts = [await office.replays.counts(each.id) for each in (first, second)]
    assert counts == [{"delivered": 1}, {"skipped": 1}]


async def test_the_followers_of_a_lane_wait_until_the_replayed_one_ended(office: Office) -> None:
    office.town.desk(NAME).script = [PermanentFailure("no", 422)]
    sent = [await office.town.sent(subject="one dossier") for _ in range(3)]
    await office.town.work()
    await office.begin()
    await office.drive(5)
    assert office.town.taken_by(NAME) == [each.id for each in sent]


async def test_a_discard_of_many_ends_them_and_tells_their_senders(office: Office) -> None:
    sent = await office.dead(3)
    seen = await office.operations.preview("discard", Sought(), None, QUICK)
    operation = await office.operations.create(seen, reason="gửi nhầm", author=WHO, start=True)
    await office.drive(3)
    await office.town.pass_time(3)

    assert await office.replays.counts(operation.id) == {"discarded": 3}
    assert {(await office.town.delivery(each)).state for each in sent} == {State.DISCARDED}
    told = [parcel.event for parcel in office.town.desk("H33.05/dms").parcels]
    discarded = [event["causationid"] for event in told if event["type"] == "receipt.discarded"]
    assert sorted(discarded) == sorted(sent)
    assert len(await office.audited("delivery.discarded")) == 3


async def test_a_reason_is_mandatory_and_something_must_be_possible(office: Office) -> None:
    await office.dead(1)
    seen = await office.operations.preview("replay", Sought(), None, QUICK)
    with pytest.raises(Rejected, match="reason"):
        await office.operations.create(seen, reason="  ", author=WHO, start=True)
    nothing = await office.operations.preview("replay", Sought(recipient="H33.30/dms"), None, QUICK)
    with pytest.raises(IllegalStep):
        await office.operations.create(nothing, reason="đã sửa", author=WHO, start=True)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(rate=0), Plan(rate=1e6), Plan(rate=float("nan")), Plan(canary=(0,)), Plan(canary=(999, 2)),
        Plan(stop_percent=101), Plan(stop_window=0), Plan(most=0), Plan(window=(0, 1440)),
    ],
)  # fmt: skip
async def test_a_plan_that_cannot_be_carried_out_is_refused(office: Office, plan: Plan) -> None:
    with pytest.raises(Rejected, match="bad-request"):
        await office.operations.preview("replay", Sought(), None, plan)


async def test_an_unknown_operation_is_told(office: Office) -> None:
    with pytest.raises(Rejected, match="op9"):
        await office.operations.turn("op9", "pause", author=WHO)
