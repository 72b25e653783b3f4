"""The back half: what is due is handed over in order, failures are tried again, and what ends is written once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.contract import Catalog
from gateway.core.delivery import Delivery, State
from gateway.core.envelope import digest_of
from gateway.core.faults import Busy, DestinationGone, NotYet, PermanentFailure, Text, TimedOut, TransientFailure
from gateway.core.jws import split
from gateway.core.moments import format_moment
from gateway.core.retry import RetryPolicy
from gateway.ports import Accepted, Change, Claim, HandedOver, Parcel, Record
from gateway.relay import dispatch
from gateway.store.memory import MemoryLedger
from tests.build import MORNING, a_key
from tests.town import CATALOG, Desk, Town, a_town, eventually, wishes_for

HOUR, DAY = 3600.0, 86400.0
NAME = "H33.16/dms"


def patient(**policy: Any) -> dict[str, Any]:
    """Fields of a system that wants documents under this retry policy."""
    return {"subscriptions": wishes_for("document.issued", retry=RetryPolicy(**policy))}


@pytest.fixture
def town() -> Town:
    return a_town()


async def state(town: Town, message: Accepted, recipient: str = NAME) -> str:
    return (await town.delivery(message, recipient)).state.value


async def is_taken(town: Town, recipient: str, count: int) -> bool:
    """Whether a desk took so many."""
    town.broker.announce(frozenset({recipient}))
    return len(town.desk(recipient).parcels) >= count


async def outcomes(town: Town, message: Accepted) -> list[tuple[int, str]]:
    return [(each.number, each.outcome) for each in await town.attempts(message)]


async def until(town: Town, moment: float) -> None:
    """Go to ``moment`` at once, and do what is due then."""
    town.clock.moment = moment
    await town.sweep.once()
    await town.work()


# ---------------------------------------------------------------------------------------------------- taken


async def test_what_is_accepted_is_handed_over_as_the_original_bytes(town: Town) -> None:
    raw = town.envelope(id=a_key("m").upper())
    (answer,) = await town.accept.sealed_many([raw], address="")
    assert isinstance(answer, Accepted)
    await town.work()
    (parcel,) = town.desk(NAME).parcels
    delivery = await town.delivery(answer)
    assert (parcel.body, parcel.is_translated, parcel.format) == (raw, False, "jws")
    assert (parcel.delivery, parcel.message, parcel.attempt) == (delivery.id, a_key("m").upper(), 1)
    assert parcel.recipient is town.system(NAME)
    assert parcel.event["subject"] == "H33.05,2026/11/23,1/STC-VP"
    assert delivery.state is State.DELIVERED


async def test_a_delivery_that_was_taken_has_its_attempt_and_its_receipt(town: Town) -> None:
    answer = await town.sent()
    town.clock.moment += 3
    await town.work()
    (attempt,) = await town.attempts(answer)
    assert (attempt.number, attempt.outcome, attempt.status, attempt.detail) == (1, "taken", 200, None)
    assert attempt.started_at == attempt.ended_at == MORNING + 3
    accepted, delivered = await town.journal("receipt")
    assert delivered == {
        "receipt": "delivered",
        "id": answer.id,
        "digest": accepted["digest"],
        "source": "H33.05/dms",
        "type": "document.issued",
        "to": [NAME],
        "recipient": NAME,
        "delivery": (await town.delivery(answer)).id,
        "at": "2026-11-23T01:00:03.000Z",
        "gateway": "H33.14/lgsp",
    }


async def test_a_bare_event_is_handed_over_where_it_is_wanted_so() -> None:
    town = a_town(H33_16={"subscriptions": wishes_for("document.issued", format="cloudevents")})
    raw = town.envelope()
    await town.accept.sealed_many([raw], address="")
    await town.work()
    (parcel,) = town.desk(NAME).parcels
    assert (parcel.body, parcel.format) == (split(raw).payload, "cloudevents")
    (*_, delivered) = await town.journal("receipt")
    assert delivered["digest"] == digest_of(raw)
    assert delivered["delivered_digest"] == digest_of(split(raw).payload)


async def test_one_attempt_writes_one_line_that_says_everything_but_the_data(town: Town) -> None:
    answer = await town.sent()
    with structlog.testing.capture_logs() as lines:
        await town.work()
    (line,) = [line for line in lines if line["event"] == "delivery.attempted"]
    assert (line["message_id"], line["agency"], line["outcome"], line["state"]) == (
        answer.id, NAME, "taken", "delivered",
    )  # fmt: skip
    assert "hạ tầng" not in str(lines)


async def test_what_is_pulled_is_not_pushed(town: Town) -> None:
    answer = await town.sent(to="H33.20")
    await town.pass_time(5)
    assert await state(town, answer, "H33.20/dms") == "queued"
    assert town.desk("H33.20/dms").parcels == []


async def test_a_subscription_that_ended_does_not_stop_what_was_accepted(town: Town) -> None:
    answer = await town.sent()
    town.change(NAME, subscriptions={})
    town.agree()
    await town.work()
    assert await state(town, answer) == "delivered"


async def test_a_system_that_is_no_longer_registered_is_waited_for(town: Town) -> None:
    answer = await town.sent()
    there = town.directory.agencies["H33.16"]
    town.enrol(replace(there, systems=()))
    await town.work()
    assert await outcomes(town, answer) == [(1, "failed")]
    town.enrol(there)
    await until(town, MORNING + HOUR)
    assert await state(town, answer) == "delivered"


# --------------------------------------------------------------------------------------------- tried again


async def test_a_temporary_failure_is_tried_again_and_the_attempts_are_numbered(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("busy", 503), TimedOut("silence"), TransientFailure("no route")]
    answer = await town.sent()
    await town.pass_time(60)
    assert await outcomes(town, answer) == [(1, "failed"), (2, "timeout"), (3, "failed"), (4, "taken")]
    first, second, third, _ = await town.attempts(answer)
    assert (first.status, first.detail) == (503, "busy")
    assert (second.status, second.detail, third.detail) == (None, "silence", "no route")
    assert town.desk(NAME).parcels[0].attempt == 4


@pytest.mark.parametrize(("luck", "waits"), [(0.0, [5, 5, 5, 5]), (0.5, [5, 7.5, 12.5, 22.5]), (1.0, [5, 10, 20, 40])])
async def test_waits_grow_with_full_jitter_but_never_below_first(luck: float, waits: Sequence[float]) -> None:
    town = a_town(H33_16=patient(first=5, factor=2, cap=40))
    town.clock.luck = luck
    town.desk(NAME).script = [TransientFailure("busy")] * len(waits)
    answer = await town.sent()
    for wait in waits:
        await town.work()
        due = (await town.delivery(answer)).due
        assert due == town.clock.moment + wait
        town.clock.moment = due - 0.001
        await town.work()  # a moment too soon: nothing happens
        assert (await town.delivery(answer)).due == due
        town.clock.moment = due
    await town.work()
    assert await state(town, answer) == "delivered"


async def test_retry_after_is_honoured_but_not_sooner_than_first(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("busy", 503, retry_after=120), TransientFailure("busy", retry_after=1)]
    answer = await town.sent()
    await town.work()
    assert (await town.delivery(answer)).due == MORNING + 120
    await until(town, MORNING + 120)
    assert (await town.delivery(answer)).due >= MORNING + 125


async def test_what_the_bus_itself_waits_for_uses_up_no_attempt_and_says_nothing_about_the_destination(
    town: Town,
) -> None:
    waiting = NotYet("a registration is not there yet", None, 15.0)
    town.desk(NAME).script += [waiting] * 5
    message = await town.sent()
    for _ in range(5):
        await town.work()
        assert await state(town, message) == "queued"
        town.clock.moment += 15.0
    assert await town.ledger.breakers() == {}
    await town.work()
    assert await state(town, message) == "delivered"
    assert (await outcomes(town, message))[-1] == (1, "taken")


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), OSError("x"), ConnectionResetError(), RuntimeError()]
)
async def test_whatever_nobody_foresaw_is_temporary(town: Town, error: Exception) -> None:
    town.desk(NAME).script = [error]
    answer = await town.sent()
    await town.work()
    (attempt,) = await town.attempts(answer)
    assert (attempt.outcome, attempt.detail) == ("failed", f"unforeseen: {type(error).__name__}")
    assert await state(town, answer) == "queued"


async def test_an_attempt_that_hangs_is_ended_as_a_timeout(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "ATTEMPT_LIMIT", 0.02)
    town.desks[NAME] = Waiting()
    answer = await town.sent()
    await town.work()
    assert await outcomes(town, answer) == [(1, "timeout")]
    assert await state(town, answer) == "queued"


def test_a_lease_outlives_the_longest_attempt_and_ends_within_thirty_seconds() -> None:
    assert dispatch.ATTEMPT_LIMIT < dispatch.LEASE <= 30


async def test_what_the_far_side_says_is_kept_to_500_characters(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("x" * 9000)]
    answer = await town.sent()
    await town.work()
    (attempt,) = await town.attempts(answer)
    assert attempt.detail == "x" * 500


# ----------------------------------------------------------------------------------------------- given up


async def test_the_last_try_falls_on_the_deadline_and_then_the_delivery_is_dead() -> None:
    town = a_town(H33_16=patient(first=40, deadline=100))
    town.desk(NAME).script = [TransientFailure("down")] * 9
    answer = await town.sent()
    await town.pass_time(300)
    assert await state(town, answer) == "dead"
    assert [each.ended_at - MORNING for each in await town.attempts(answer)] == [1, 41, 100]
    assert (await town.delivery(answer)).cause == "deadline"
    (*_, refused) = await town.journal("receipt")
    assert (refused["receipt"], refused["cause"], refused["at"]) == (
        "refused",
        "deadline",
        format_moment(MORNING + 100),
    )


async def test_attempts_may_be_limited() -> None:
    town = a_town(H33_16=patient(first=1, attempts=3))
    town.desk(NAME).script = [TransientFailure("down")] * 9
    answer = await town.sent()
    await town.pass_time(60)
    assert len(await town.attempts(answer)) == 3
    assert (await town.delivery(answer)).cause == "attempts"


async def test_a_refusal_for_good_makes_a_delivery_dead_at_once(town: Town) -> None:
    town.desk(NAME).script = [PermanentFailure("not for us", 422)]
    answer = await town.sent()
    await town.work()
    delivery = await town.delivery(answer)
    assert (delivery.state, delivery.cause) == (State.DEAD, "refused")
    (attempt,) = await town.attempts(answer)
    assert (attempt.outcome, attempt.status, attempt.detail) == ("refused", 422, "not for us")
    await town.pass_time(60)
    assert town.taken_by(NAME) == []


async def test_after_a_replay_attempts_and_patience_count_anew() -> None:
    town = a_town(H33_16=patient(first=10, attempts=2, deadline=1000))
    town.desk(NAME).script = [TransientFailure("down")] * 3
    answer = await town.sent()
    await town.pass_time(30)
    assert await state(town, answer) == "dead"
    town.clock.moment += DAY
    await town.operate.replay((await town.delivery(answer)).id, "đã sửa", "operator:mau")
    await town.pass_time(30)
    assert await outcomes(town, answer) == [(1, "failed"), (2, "failed"), (3, "failed"), (4, "taken")]


# --------------------------------------------------------------------------------------------------- lanes


async def test_within_a_lane_a_failure_holds_up_those_behind_it_and_no_others(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("down")]
    first = await town.sent(subject="dossier 1")
    second = await town.sent(subject="dossier 1")
    other = await town.sent(subject="dossier 2")
    await town.work()
    assert town.taken_by(NAME) == [other.id]
    assert await state(town, second) == "blocked"
    (recorded,) = (await town.record(second)).deliveries
    assert recorded.blocked_by == (await town.delivery(first)).id
    await town.pass_time(30)
    assert town.taken_by(NAME) == [other.id, first.id, second.id]


async def test_behind_the_dead_the_lane_waits_for_an_operator(town: Town) -> None:
    town.desk(NAME).script = [PermanentFailure("no")]
    first, second, third = [await town.sent(subject="dossier 1") for _ in range(3)]
    await town.pass_time(DAY, step=HOUR)
    assert [await state(town, each) for each in (first, second, third)] == ["dead", "blocked", "blocked"]
    await town.operate.replay((await town.delivery(first)).id, "đã sửa", "operator:mau")
    await town.pass_time(5)
    assert town.taken_by(NAME) == [first.id, second.id, third.id]


async def test_while_the_replayed_one_is_tried_its_followers_wait(town: Town) -> None:
    town.desk(NAME).script = [PermanentFailure("no"), TransientFailure("down")]
    first, second = [await town.sent(subject="dossier 1") for _ in range(2)]
    await town.work()
    await town.operate.replay((await town.delivery(first)).id, "đã sửa", "operator:mau")
    await town.work()
    assert [await state(town, each) for each in (first, second)] == ["queued", "blocked"]
    await town.pass_time(30)
    assert town.taken_by(NAME) == [first.id, second.id]


async def test_what_is_discarded_frees_its_lane(town: Town) -> None:
    town.desk(NAME).script = [PermanentFailure("no")]
    first, second = [await town.sent(subject="dossier 1") for _ in range(2)]
    await town.work()
    await town.operate.discard((await town.delivery(first)).id, "gửi nhầm", "operator:mau")
    await town.work()
    assert [await state(town, each) for each in (first, second)] == ["discarded", "delivered"]


async def test_a_future_notbefore_holds_back_its_lane(town: Town) -> None:
    first = await town.sent(subject="dossier 1", notbefore=format_moment(MORNING + 100))
    second = await town.sent(subject="dossier 1")
    other = await town.sent(subject="dossier 2")
    await town.pass_time(99)
    assert town.taken_by(NAME) == [other.id]
    await town.pass_time(3)
    assert town.taken_by(NAME) == [other.id, first.id, second.id]


async def test_a_contract_without_order_lifts_all_this(town: Town) -> None:
    town.catalog = Catalog.of([replace(CATALOG.contracts["document.issued"], ordering="none")])
    town.desk(NAME).script = [PermanentFailure("no")]
    first = await town.sent(subject="dossier 1")
    second = await town.sent(subject="dossier 1", notbefore=format_moment(MORNING + 100))
    third = await town.sent(subject="dossier 1")
    await town.work()
    assert [await state(town, each) for each in (first, second, third)] == ["dead", "queued", "delivered"]


async def test_urgency_overtakes_between_lanes_but_never_within_one(town: Town) -> None:
    town.dispatch.concurrency = 1
    words = [
        ("a", "normal"),
        ("a", "express"),
        ("b", "normal"),
        ("c", "urgent"),
        ("d", "very-urgent"),
        ("e", "express"),
    ]
    sent = [await town.sent(subject=subject, priority=word) for subject, word in words]
    await town.work()
    order = [sent.index(next(each for each in sent if each.id == id_)) for id_ in town.taken_by(NAME)]
    assert order == [5, 4, 3, 0, 1, 2]


LUCK = st.lists(st.sampled_from(["taken", "down", "silent", "unforeseen"]), max_size=12)
LETTERS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=9)


@settings(max_examples=40)
@given(LETTERS, LUCK)
def test_whatever_fails_meanwhile_each_lane_arrives_in_order_of_acceptance(
    letters: list[tuple[str, int]], luck: list[str]
) -> None:
    failures = {"down": TransientFailure("x", 503), "silent": TimedOut("x"), "unforeseen": ValueError("x")}

    async def story() -> None:
        town = a_town(H33_16=patient(first=1, cap=4))
        town.desks[NAME] = Moody([failures.get(each) for each in luck])
        sent = defaultdict(list)
        for subject, height in letters:
            word = ["normal", "urgent", "very-urgent", "express"][height]
            sent[subject].append((await town.sent(subject=subject, priority=word)).id)
        await town.pass_time(80)
        arrived = defaultdict(list)
        for parcel in town.desk(NAME).parcels:
            arrived[parcel.event["subject"]].append(parcel.message)
        assert arrived == sent

    asyncio.run(story())


# ---------------------------------------------------------------------------------------- holds and expiry


async def test_gone_holds_the_destination_and_loses_nothing(town: Town) -> None:
    town.desk(NAME).script = [DestinationGone("gone", 410)]
    first = await town.sent(subject="dossier 1")
    await town.work()
    second = await town.sent(subject="dossier 2")
    behind = await town.sent(subject="dossier 1")
    await town.pass_time(HOUR, step=60)
    assert [await state(town, each) for each in (first, second, behind)] == ["held", "held", "blocked"]
    assert town.taken_by(NAME) == []
    (row,) = [row for row in await town.journal("audit") if row["audit"] == "destination.held"]
    assert row["details"]["recipient"] == NAME
    await town.operate.release(NAME, "đã nối lại", "operator:mau")
    await town.work()
    assert sorted(town.taken_by(NAME)) == sorted([first.id, second.id, behind.id])
    assert await outcomes(town, first) == [(1, "failed"), (2, "taken")]


async def test_patience_does_not_run_while_held_or_blocked() -> None:
    town = a_town(H33_16=patient(first=50, deadline=100))
    first = await town.sent(subject="dossier 1")
    await town.operate.hold(NAME, "bảo trì", "operator:mau")
    second = await town.sent(subject="dossier 1")
    await town.pass_time(DAY, step=HOUR)
    town.desk(NAME).script = [TransientFailure("down")] * 2
    await town.operate.release(NAME, "xong", "operator:mau")
    await town.pass_time(60)
    assert [await state(town, each) for each in (first, second)] == ["queued", "blocked"]
    await town.pass_time(60)
    assert [await state(town, each) for each in (first, second)] == ["delivered", "delivered"]


async def test_what_is_queued_for_a_destination_on_hold_is_held(town: Town) -> None:
    await town.operate.hold(NAME, "bảo trì", "operator:mau")
    answer = await town.sent()
    await town.pass_time(5)
    assert await state(town, answer) == "held"


async def test_expirytime_ends_what_is_queued_held_or_blocked(town: Town) -> None:
    soon = format_moment(MORNING + 10)
    queued = await town.sent(to="H33.20", subject="queued", expirytime=soon)
    blocked = await town.sent(to="H33.20", subject="queued", expirytime=soon)
    await town.operate.hold(NAME, "bảo trì", "operator:mau")
    held = await town.sent(subject="held", expirytime=soon)
    await town.pass_time(9)
    assert await state(town, held) == "held"
    await town.pass_time(2)
    assert [await state(town, each, "H33.20/dms") for each in (queued, blocked)] == ["expired", "expired"]
    assert await state(town, held) == "expired"


async def test_what_is_expired_is_not_handed_over_even_before_the_sweep(town: Town) -> None:
    answer = await town.sent(expirytime=format_moment(MORNING + 10))
    town.clock.moment += 10
    await town.work()
    assert town.taken_by(NAME) == []
    assert await state(town, answer) == "queued"


async def test_of_one_that_is_being_handed_over_the_answer_counts(town: Town) -> None:
    desk = Waiting()
    town.desks[NAME] = desk
    answer = await town.sent(expirytime=format_moment(MORNING + 10))
    await town.dispatch._round()
    await desk.reached.wait()
    town.clock.moment += 20
    await town.sweep.once()
    assert await state(town, answer) == "leased"
    desk.go.set()
    await town.work()
    assert await state(town, answer) == "delivered"


async def test_an_expired_one_frees_its_lane(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("down")]
    first = await town.sent(subject="dossier 1", expirytime=format_moment(MORNING + 3))
    second = await town.sent(subject="dossier 1")
    await town.pass_time(10)
    assert [await state(town, each) for each in (first, second)] == ["expired", "delivered"]


# ------------------------------------------------------------------------------- workers, crashes, the end


async def test_a_destination_is_asked_by_so_many_at_once_and_no_more(town: Town) -> None:
    desk = Waiting()
    town.desks[NAME] = desk
    for number in range(20):
        await town.sent(subject=f"dossier {number}")
    await town.dispatch._round()
    await town.dispatch._round()
    await asyncio.sleep(0)
    assert (desk.inside, town.dispatch.concurrency) == (8, 8)
    desk.go.set()
    for _ in range(5):
        await town.work()
    assert len(desk.parcels) == 20
    assert desk.most == 8


async def test_a_slow_destination_does_not_slow_the_others(town: Town) -> None:
    town.desks[NAME] = Waiting()
    for number in range(20):
        await town.sent(subject=f"dossier {number}", to="H33.16 H33.30")
    running = asyncio.create_task(town.dispatch.run())
    await eventually(lambda: is_taken(town, "H33.30/dms", 20))
    await town.dispatch.drain(limit=0.01)
    await running


async def test_a_process_that_starts_takes_back_its_own_push_leases_and_no_others(town: Town) -> None:
    mine, other = [await town.sent(subject=name) for name in ("a", "b")]
    theirs = await town.sent(to="H33.20", subject="c")
    await town.ledger.claim({NAME: 1}, owner="push:town", now=MORNING, until=MORNING + 28)
    await town.ledger.claim({NAME: 1}, owner="push:other", now=MORNING, until=MORNING + 28)
    await town.ledger.claim({"H33.20/dms": 1}, owner="pull:H33.20/dms", now=MORNING, until=MORNING + 28)
    town.clock.moment += 1
    running = asyncio.create_task(town.dispatch.run())
    await eventually(lambda: is_taken(town, NAME, 1))
    await town.dispatch.drain()
    await running
    assert await outcomes(town, mine) == [(1, "lapsed"), (1, "taken")]
    assert await state(town, other) == "leased"
    assert await state(town, theirs, "H33.20/dms") == "leased"


async def test_what_another_process_dropped_is_due_again_when_its_lease_ends(town: Town) -> None:
    answer = await town.sent()
    await town.ledger.claim({NAME: 1}, owner="push:other", now=MORNING, until=MORNING + 28)
    await town.pass_time(27)
    assert await state(town, answer) == "leased"
    await town.pass_time(2)
    assert await state(town, answer) == "delivered"
    assert await outcomes(town, answer) == [(1, "lapsed"), (1, "taken")]


async def test_a_try_after_one_that_was_cut_off_says_that_the_message_may_have_arrived(town: Town) -> None:
    await town.sent(subject="first")
    await town.ledger.claim({NAME: 1}, owner="push:other", now=MORNING, until=MORNING + 28)
    await town.sent(subject="second")
    await town.pass_time(30)
    told = {parcel.event["subject"]: parcel.may_have_arrived for parcel in town.desk(NAME).parcels}
    assert told == {"first": True, "second": False}


async def test_a_worker_whose_lease_ended_cannot_write_over_the_next_one(town: Town) -> None:
    answer = await town.sent()
    (late,) = await town.ledger.claim({NAME: 1}, owner="push:late", now=MORNING, until=MORNING + 28)
    usual = town.desk(NAME)

    class Slow(Desk):
        async def deliver(self, parcel: Parcel) -> HandedOver:
            town.desks[NAME] = usual
            await until(town, MORNING + 29)
            assert await state(town, answer) == "delivered"
            raise PermanentFailure("too late to say no")

    town.desks[NAME] = Slow()
    await town.dispatch.attempt(late)
    await town.work()
    assert await state(town, answer) == "delivered"
    assert await outcomes(town, answer) == [(1, "lapsed"), (1, "taken")]
    assert [each["receipt"] for each in await town.journal("receipt")] == ["accepted", "delivered"]


async def test_a_worker_that_stood_still_until_its_lease_ended_hands_nothing_over(town: Town) -> None:
    answer = await town.sent()
    (late,) = await town.ledger.claim({NAME: 1}, owner="push:late", now=MORNING, until=MORNING + 28)
    town.clock.moment = MORNING + 27.5
    await town.dispatch.attempt(late)
    assert town.taken_by(NAME) == []
    assert await outcomes(town, answer) == []
    await until(town, MORNING + 29)
    assert town.taken_by(NAME) == [answer.id]
    assert await outcomes(town, answer) == [(1, "lapsed"), (1, "taken")]


async def test_drain_lets_what_runs_end_and_takes_up_nothing_new(town: Town) -> None:
    desk = Waiting()
    town.desks[NAME] = desk
    first = await town.sent(subject="a")
    running = asyncio.create_task(town.dispatch.run())
    await desk.reached.wait()
    draining = asyncio.create_task(town.dispatch.drain(limit=5))
    await asyncio.sleep(0.01)
    second = await town.sent(subject="b")
    desk.go.set()
    await draining
    await running
    assert await state(town, first) == "delivered"
    assert await state(town, second) == "queued"


async def test_drain_gives_back_what_does_not_end_in_time(town: Town) -> None:
    desk = Waiting()
    town.desks[NAME] = desk
    answer = await town.sent()
    running = asyncio.create_task(town.dispatch.run())
    await desk.reached.wait()
    await town.dispatch.drain(limit=0.01)
    await running
    assert await state(town, answer) == "queued"
    assert await outcomes(town, answer) == [(1, "lapsed")]


async def test_a_ledger_that_is_away_holds_nobody_up_who_goes_and_the_lease_ends_by_itself() -> None:
    ledger = Stumbling()
    town = a_town(ledger=ledger)
    desk = Waiting()
    town.desks[NAME] = desk
    answer = await town.sent()
    running = asyncio.create_task(town.dispatch.run())
    await desk.reached.wait()
    ledger.stumbles = {"lapse"}
    await town.dispatch.drain(limit=0.01)
    await running
    assert ledger.stumbles == set()
    assert await state(town, answer) == "leased"
    await until(town, town.clock.moment + dispatch.LEASE)
    assert await outcomes(town, answer) == [(1, "lapsed")]


async def test_an_end_is_written_when_the_ledger_is_back_and_nothing_comes_twice() -> None:
    ledger = Away()
    town = a_town(ledger=ledger)
    answer = await town.sent()
    ledger.calls = 3
    running = asyncio.create_task(town.dispatch.run())
    async with asyncio.timeout(5):
        await ledger.is_back.wait()
    await town.dispatch.drain()
    await running
    assert town.taken_by(NAME) == [answer.id]
    assert await outcomes(town, answer) == [(1, "taken")]


async def test_what_was_leased_by_a_claim_whose_answer_was_lost_is_due_again_at_once() -> None:
    ledger = Away()
    desk = Waiting()
    town = a_town(ledger=ledger)
    town.desks[NAME] = desk
    first = await town.sent(subject="a")
    running = asyncio.create_task(town.dispatch.run())
    await desk.reached.wait()
    ledger.claims = 1
    second = await town.sent(subject="b")
    town.broker.announce(frozenset({NAME}))
    await eventually(ledger.has_lost_a_claim)
    assert await state(town, second) == "leased"
    third = await town.sent(subject="c")
    desk.reached.clear()
    town.broker.announce(frozenset({NAME}))
    await desk.reached.wait()  # it goes on although something is under way under the name in doubt
    assert await state(town, second) == "leased"
    desk.go.set()
    await eventually(lambda: is_taken(town, NAME, 3))
    await town.dispatch.drain()
    await running
    assert town.taken_by(NAME) == [first.id, third.id, second.id]
    assert await outcomes(town, second) == [(1, "lapsed"), (1, "taken")]


async def test_a_try_waits_for_a_ledger_that_is_away_and_blames_nobody() -> None:
    ledger = Away()
    town = a_town(ledger=ledger)
    answer = await town.sent()
    await town.ledger.claim({NAME: 1}, owner="push:x", now=town.clock.now(), until=town.clock.now() + 1)
    await town.ledger.lapse(town.clock.now(), owner="push:x")
    ledger.questions = 3
    running = asyncio.create_task(town.dispatch.run())
    async with asyncio.timeout(5):
        await ledger.is_back.wait()
    await town.dispatch.drain()
    await running
    assert ledger.questions == 0
    assert await outcomes(town, answer) == [(1, "lapsed"), (1, "taken")]
    assert await ledger.breakers() == {}


async def test_a_translation_that_the_ledger_cannot_give_now_is_no_failure_of_its_recipient(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    render, times = type(town.dispatch.translate).render, iter(range(2))

    async def away_at_first(*asked: Any) -> Any:
        if next(times, None) is not None:
            raise Busy("overloaded", Text("bận", "busy"), retry_after=1.0)
        return await render(*asked)

    monkeypatch.setattr(type(town.dispatch.translate), "render", away_at_first)
    answer = await town.sent()
    running = asyncio.create_task(town.dispatch.run())
    await eventually(lambda: is_taken(town, NAME, 1))
    await town.dispatch.drain()
    await running
    assert next(times, None) is None
    assert await outcomes(town, answer) == [(1, "taken")]


async def test_an_end_that_cannot_be_written_while_its_lease_runs_is_told_and_due_again() -> None:
    ledger = Away()
    town = a_town(ledger=ledger)
    answer = await town.sent()
    ledger.calls = 10
    past = town.clock.moment + dispatch.LEASE + 1

    async def is_told() -> bool:
        return "store.failed" in {line["event"] for line in said}

    with structlog.testing.capture_logs() as said:
        running = asyncio.create_task(town.dispatch.run())
        async with asyncio.timeout(5):
            await ledger.is_called.wait()
        town.clock.moment = past
        ledger.calls = 1
        await eventually(is_told)
        await town.dispatch.drain()
        await running
    assert await outcomes(town, answer) == [(1, "lapsed")]


async def test_a_ledger_that_fails_once_stops_neither_the_round_nor_the_delivery() -> None:
    ledger = Stumbling()
    town = a_town(ledger=ledger)
    answer = await town.sent()
    ledger.stumbles = {"due", "record_many"}
    running = asyncio.create_task(town.dispatch.run())
    await eventually(lambda: is_taken(town, NAME, 1))
    await town.dispatch.drain()
    await running
    assert ledger.stumbles == set()
    assert await outcomes(town, answer) == [(1, "lapsed")]  # taken, but not written: it will come again
    await town.work()
    assert await outcomes(town, answer) == [(1, "lapsed"), (1, "taken")]


class Moody(Desk):
    """An agency's end that takes or fails in turn, as its list of moods says."""

    def __init__(self, moods: Sequence[BaseException | None]) -> None:
        super().__init__()
        self.moods = list(moods)

    async def deliver(self, parcel: Parcel) -> HandedOver:
        mood = self.moods.pop(0) if self.moods else None
        if mood is not None:
            raise mood
        return await Desk.deliver(self, parcel)


class Waiting(Desk):
    """An agency's end that keeps everyone waiting until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.reached = asyncio.Event()
        self.inside = self.most = 0

    async def deliver(self, parcel: Parcel) -> HandedOver:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.reached.set()
        await self.go.wait()
        self.inside -= 1
        return await Desk.deliver(self, parcel)


class Away(MemoryLedger):
    """A ledger that is away for so many calls of a kind: ends, questions about a message, claims once written."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.questions = self.claims = 0
        self.is_called = asyncio.Event()
        self.is_back = asyncio.Event()

    async def record_many(self, changes: Sequence[Change], *, now: float) -> list[bool]:
        if self.calls:
            self.calls -= 1
            self.is_called.set()
            raise Busy("overloaded", Text("bận", "busy"), retry_after=1.0)
        self.is_back.set()
        return await super().record_many(changes, now=now)

    async def has_lost_a_claim(self) -> bool:
        return not self.claims

    async def claim(self, wanted: Mapping[str, int], **rest: Any) -> list[Claim]:
        claims = await super().claim(wanted, **rest)
        if claims and self.claims:
            self.claims -= 1
            raise Busy("overloaded", Text("bận", "busy"), retry_after=1.0)
        return claims

    async def find(self, key: str) -> Record | None:
        if self.questions:
            self.questions -= 1
            raise Busy("overloaded", Text("bận", "busy"), retry_after=1.0)
        return await super().find(key)


class Stumbling(MemoryLedger):
    """A ledger that fails once at each thing it is told to stumble at."""

    def __init__(self) -> None:
        super().__init__()
        self.stumbles: set[str] = set()

    async def due(self, now: float) -> tuple[frozenset[str], float | None]:
        self._stumble("due")
        return await super().due(now)

    async def record_many(self, changes: Sequence[Change], *, now: float) -> list[bool]:
        self._stumble("record_many")
        return await super().record_many(changes, now=now)

    async def lapse(self, now: float, *, owner: str | None = None) -> list[Delivery]:
        self._stumble("lapse")
        return await super().lapse(now, owner=owner)

    def _stumble(self, name: str) -> None:
        if name in self.stumbles:
            self.stumbles.remove(name)
            raise OSError("the disk does not answer")
