"""The inbox: one delivery a lane, leases that lapse without harm, settling that may come late or twice."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.agreement import Subscription
from gateway.core.delivery import State
from gateway.core.envelope import digest_of
from gateway.core.faults import Busy, Text
from gateway.core.jws import split
from gateway.core.moments import format_moment
from gateway.ports import Accepted, Claim
from gateway.relay.pull import MAX_ANSWER, Leased
from gateway.relay.translate import Rendered
from tests.build import MORNING, a_key
from tests.town import Town, a_town, document, wishes_for

READER = "H33.20/dms"
DAY = 86400.0


@pytest.fixture
def town() -> Town:
    return a_town()


async def lease(town: Town, most: int = 10, *, visibility: float = 30) -> list[Leased]:
    return await town.pull.lease(town.system(READER), max=most, wait=0, visibility=visibility)


async def settle(town: Town, name: str = READER, **answer: Any) -> tuple[int, list[str]]:
    made = {"taken": (), "refused": (), "later": (), **answer}
    return await town.pull.settle(town.system(name), **made)


async def take(town: Town, *ids: str) -> tuple[int, list[str]]:
    return await settle(town, taken=[(id_, None) for id_ in ids])


async def sent(town: Town, **override: Any) -> Accepted:
    return await town.sent(to="H33.20", **override)


async def state(town: Town, message: Accepted) -> str:
    return (await town.delivery(message, READER)).state.value


async def outcomes(town: Town, message: Accepted) -> list[tuple[int, str]]:
    return [(each.number, each.outcome) for each in await town.attempts(message, READER)]


# --------------------------------------------------------------------------------------------------- leasing


async def test_a_lease_hands_out_the_original_envelope_and_the_number_of_the_attempt(town: Town) -> None:
    raw = town.envelope(to="H33.20")
    (answer,) = await town.accept.sealed_many([raw], address="")
    assert isinstance(answer, Accepted)
    (leased,) = await lease(town)
    delivery = await town.delivery(answer, READER)
    assert leased == Leased(delivery.id, 1, raw.decode())
    assert (delivery.state, delivery.lease_until) == (State.LEASED, MORNING + 30)


async def test_what_is_leased_is_not_leased_again(town: Town) -> None:
    await sent(town)
    assert len(await lease(town)) == 1
    assert await lease(town) == []


async def test_others_deliveries_are_not_handed_out(town: Town) -> None:
    await town.sent(to="H33.16 H33.30")
    assert await lease(town) == []


async def test_at_most_so_many_as_were_asked_for(town: Town) -> None:
    for number in range(5):
        await sent(town, subject=f"dossier {number}")
    assert len(await lease(town, 3)) == 3
    assert len(await lease(town, 3)) == 2


async def test_of_a_lane_only_the_first_until_it_is_settled(town: Town) -> None:
    ids = [(await sent(town, subject="dossier 1")).id for _ in range(3)]
    seen = []
    for _ in range(3):
        (leased,) = await lease(town)
        seen.append(json.loads(split(leased.envelope.encode()).payload)["id"])
        assert await take(town, leased.delivery) == (1, [])
    assert seen == ids


async def test_the_most_urgent_comes_first(town: Town) -> None:
    for word in ("normal", "express", "urgent"):
        await sent(town, subject=word, priority=word)
    seen = [split(each.envelope.encode()).payload for each in await lease(town)]
    assert [json.loads(each)["subject"] for each in seen] == ["express", "urgent", "normal"]


async def test_what_is_not_due_yet_is_not_handed_out(town: Town) -> None:
    await sent(town, notbefore=format_moment(MORNING + 10))
    assert await lease(town) == []
    town.clock.moment += 10
    assert len(await lease(town)) == 1


async def test_an_answer_holds_at_most_8_mib_and_the_rest_keeps_its_place(town: Town) -> None:
    assert MAX_ANSWER == 8 * 1024 * 1024
    big = document(note="x" * 750_000)
    for number in range(12):
        await sent(town, subject=f"dossier {number}", data=big)
    first = await lease(town, 50)
    answer = json.dumps(
        [{"delivery": each.delivery, "attempt": each.attempt, "envelope": each.envelope} for each in first]
    )
    assert 7 * 1024 * 1024 < len(answer) <= MAX_ANSWER
    second = await lease(town, 50)
    assert len(first) + len(second) == 12
    assert {each.attempt for each in second} == {1}
    subjects = [json.loads(split(each.envelope.encode()).payload)["subject"] for each in (*first, *second)]
    assert subjects == [f"dossier {number}" for number in range(12)]


async def test_a_bare_event_is_handed_out_where_it_is_wanted_so_and_weighs_what_it_weighs() -> None:
    wish = wishes_for("document.issued", format="cloudevents")
    town = a_town(H33_20={"adapter": "inbox", "subscriptions": wish})
    for number in range(12):
        await sent(town, subject=f"dossier {number}", data=document(note="ữ" * 240_000))
    leased = await lease(town, 50)
    assert len(json.dumps([each.envelope for each in leased])) <= MAX_ANSWER
    assert json.loads(leased[0].envelope)["subject"] == "dossier 0"


async def test_another_major_is_handed_out_translated() -> None:
    town = a_town(H33_20={"adapter": "inbox", "subscriptions": wishes_for("document.issued", version="2.0")})
    answer = await sent(town)
    (leased,) = await lease(town)
    assert json.loads(split(leased.envelope.encode()).payload)["originid"] == answer.id
    await take(town, leased.delivery)
    (*_, receipt) = await town.journal("receipt")
    assert receipt["delivered_digest"] == digest_of(leased.envelope.encode())


async def test_what_can_never_be_translated_is_refused_and_stops_no_other() -> None:
    town = a_town(H33_20={"adapter": "inbox", "subscriptions": wishes_for("document.issued", version="7.0")})
    dead = await sent(town, subject="a")
    town.change(READER, subscriptions=wishes_for("document.issued", version="7.0"))
    assert await lease(town) == []
    assert await state(town, dead) == "dead"
    town.change(READER, subscriptions=wishes_for("document.issued"))
    await sent(town, subject="b")
    assert len(await lease(town)) == 1


async def test_what_cannot_be_made_ready_for_an_unforeseen_reason_comes_later_and_stops_no_other(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = await sent(town, subject="odd")
    render = type(town.pull.translate).render

    async def stumbling(self: Any, claim: Claim, wanted: str) -> Rendered:
        if claim.id == odd.id:
            raise ZeroDivisionError
        return await render(self, claim, wanted)

    monkeypatch.setattr(type(town.pull.translate), "render", stumbling)
    await sent(town, subject="plain")
    assert len(await lease(town)) == 1
    monkeypatch.undo()
    assert await state(town, odd) == "queued"
    town.clock.moment += 31
    (again,) = await lease(town)
    assert (again.delivery, again.attempt) == ((await town.delivery(odd, READER)).id, 1)


async def test_what_cannot_be_made_ready_while_the_ledger_is_away_is_there_at_the_next_asking(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Rendered:
        raise Busy("overloaded", Text("bận", "busy"), retry_after=1.0)

    answer = await sent(town)
    monkeypatch.setattr(type(town.pull.translate), "render", away)
    assert await lease(town) == []
    monkeypatch.undo()
    (again,) = await lease(town)
    assert (again.delivery, again.attempt) == ((await town.delivery(answer, READER)).id, 1)


async def test_who_waits_is_woken_by_what_arrives(town: Town) -> None:
    waiting = asyncio.create_task(town.pull.lease(town.system(READER), max=1, wait=60, visibility=30))
    await asyncio.sleep(0.01)
    await sent(town)
    town.pull.notify(frozenset({READER}))
    async with asyncio.timeout(5):
        (leased,) = await waiting
    assert leased.attempt == 1


async def test_who_waits_in_vain_gets_an_empty_answer_when_the_time_is_over(town: Town) -> None:
    waiting = asyncio.create_task(town.pull.lease(town.system(READER), max=1, wait=20, visibility=30))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    town.clock.moment += 21
    town.pull.notify(frozenset({READER}))
    async with asyncio.timeout(5):
        assert await waiting == []


# ---------------------------------------------------------------------------------------- lapsed and later


async def test_a_lapsed_lease_uses_up_no_attempt_and_the_next_has_the_same_number(town: Town) -> None:
    answer = await sent(town)
    (first,) = await lease(town, visibility=5)
    await town.pass_time(6)
    (second,) = await lease(town)
    assert (second.delivery, second.attempt, second.envelope) == (first.delivery, 1, first.envelope)
    await take(town, second.delivery)
    assert await outcomes(town, answer) == [(1, "lapsed"), (1, "taken")]


async def test_later_uses_up_no_attempt_either(town: Town) -> None:
    answer = await sent(town)
    (first,) = await lease(town)
    assert await settle(town, later=[(first.delivery, 100)]) == (1, [])
    assert (await town.delivery(answer, READER)).due == MORNING + 100
    await town.pass_time(99)
    assert await lease(town) == []
    await town.pass_time(2)
    (again,) = await lease(town)
    assert again.attempt == 1
    assert await outcomes(town, answer) == []


async def test_a_late_taken_counts(town: Town) -> None:
    answer = await sent(town)
    (leased,) = await lease(town, visibility=5)
    await town.pass_time(60)
    assert await state(town, answer) == "queued"
    assert await take(town, leased.delivery) == (1, [])
    assert await state(town, answer) == "delivered"


async def test_a_late_taken_counts_even_on_hold(town: Town) -> None:
    answer = await sent(town)
    (leased,) = await lease(town, visibility=5)
    await town.operate.hold(READER, "bảo trì", "operator:mau")
    await town.pass_time(60)
    assert await state(town, answer) == "held"
    assert await take(town, leased.delivery) == (1, [])


async def test_what_is_pulled_is_never_given_up(town: Town) -> None:
    answer = await sent(town)
    for _ in range(4):
        await town.pass_time(30 * DAY, step=10 * DAY)
        await lease(town, visibility=1)
    await town.pass_time(2)
    assert await state(town, answer) == "queued"
    assert (await town.delivery(answer, READER)).attempts == 0


async def test_but_it_expires(town: Town) -> None:
    answer = await sent(town, expirytime=format_moment(MORNING + DAY))
    await town.pass_time(2 * DAY, step=DAY)
    assert await state(town, answer) == "expired"
    assert await lease(town) == []


# -------------------------------------------------------------------------------------------------- settling


async def test_what_was_taken_has_its_attempt_and_receipt(town: Town) -> None:
    answer = await sent(town)
    (leased,) = await lease(town)
    town.clock.moment += 7
    assert await take(town, leased.delivery) == (1, [])
    assert await outcomes(town, answer) == [(1, "taken")]
    (*_, receipt) = await town.journal("receipt")
    assert (receipt["receipt"], receipt["recipient"], receipt["at"]) == (
        "delivered", READER, format_moment(MORNING + 7),
    )  # fmt: skip
    assert "delivered_digest" not in receipt


async def test_what_was_refused_is_dead_with_its_reason_and_blocks_its_lane(town: Town) -> None:
    first, second = [await sent(town, subject="dossier 1") for _ in range(2)]
    (leased,) = await lease(town)
    assert await settle(town, refused=[(leased.delivery, "sai mẫu")]) == (1, [])
    delivery = await town.delivery(first, READER)
    assert (delivery.state, delivery.cause) == (State.DEAD, "refused")
    (attempt,) = await town.attempts(first, READER)
    assert (attempt.outcome, attempt.detail) == ("refused", "sai mẫu")
    assert await state(town, second) == "blocked"
    assert await lease(town) == []


async def test_to_say_the_same_twice_is_to_say_it_once(town: Town) -> None:
    taken, refused = [await sent(town, subject=name) for name in ("a", "b")]
    one, two = await lease(town)
    for _ in range(2):
        answer = await settle(town, taken=[(one.delivery, None)], refused=[(two.delivery, "sai mẫu")])
        assert answer == (2, [])
    assert await outcomes(town, taken) == [(1, "taken")]
    assert await outcomes(town, refused) == [(1, "refused")]
    assert [each["receipt"] for each in await town.journal("receipt")][2:] == ["delivered", "refused"]


async def test_what_is_not_the_recipients_or_no_longer_open_is_unknown(town: Town) -> None:
    other = await town.sent(to="H33.16", subject="other")
    blocked = [await sent(town, subject="dossier 1") for _ in range(2)][1]
    ids = [
        a_key("nothing"),
        "not even an id",
        (await town.delivery(other)).id,
        (await town.delivery(blocked, READER)).id,
    ]
    assert await take(town, *ids) == (0, ids)
    assert await settle(town, refused=[(ids[2], "x")], later=[(ids[3], 1)]) == (0, [ids[2], ids[3]])
    assert (await town.delivery(other)).state is State.QUEUED


async def test_one_answer_may_hold_all_three_words(town: Town) -> None:
    for name in "abc":
        await sent(town, subject=name)
    a, b, c = [each.delivery for each in await lease(town)]
    assert await settle(town, taken=[(a, None), ("x", None)], refused=[(b, "no")], later=[(c, 5)]) == (3, ["x"])
    states = [each.state.value for each in await town.ledger.deliveries(recipient=READER)]
    assert states == ["delivered", "dead", "queued"]


async def test_who_settles_hears_of_what_is_next_in_the_lane(town: Town) -> None:
    for _ in range(2):
        await sent(town, subject="dossier 1")
    (leased,) = await lease(town)
    await town.broker.wait(0)
    await take(town, leased.delivery)
    assert await town.broker.wait(0) == {READER}
    assert len(await lease(town)) == 1


async def test_a_subscription_that_ended_leaves_the_original(town: Town) -> None:
    raw = town.envelope(to="H33.20")
    await town.accept.sealed_many([raw], address="")
    town.change(READER, subscriptions={})
    (leased,) = await lease(town)
    assert leased.envelope == raw.decode()
    assert await take(town, leased.delivery) == (1, [])


async def test_a_wish_that_changes_between_lease_and_settling_loses_nothing(town: Town) -> None:
    answer = await sent(town)
    (leased,) = await lease(town)
    wish = Subscription("document.issued", "2.0")
    town.change(READER, subscriptions={"document.issued": replace(wish, format="cloudevents")})
    assert await take(town, leased.delivery) == (1, [])
    assert await state(town, answer) == "delivered"
