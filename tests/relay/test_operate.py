"""What an operator does: hold, release, replay, discard; who did it and why is kept, and what cannot be is said."""

from __future__ import annotations

import pytest

from gateway.core.delivery import State
from gateway.core.faults import IllegalStep, PermanentFailure, Rejected
from gateway.core.moments import format_moment
from gateway.ports import Accepted
from tests.build import MORNING
from tests.town import Town, a_town

NAME = "H33.16/dms"
WHO = "operator:mau"


@pytest.fixture
def town() -> Town:
    return a_town()


async def dead(town: Town, **override: str) -> Accepted:
    town.desk(NAME).script = [PermanentFailure("no")]
    answer = await town.sent(**override)
    await town.work()
    return answer


async def rows(town: Town, event: str) -> list[dict[str, object]]:
    return [{**row["details"], "actor": row["actor"]} for row in await town.journal("audit") if row["audit"] == event]


async def test_a_hold_stops_a_destination_and_says_how_many_wait(town: Town) -> None:
    for name in "abc":
        await town.sent(subject=name)
    assert await town.operate.hold("000.00.16.H33/dms", "bảo trì", WHO) == 3
    await town.pass_time(3)
    assert town.desk(NAME).parcels == []
    assert await rows(town, "destination.held") == [{"recipient": NAME, "reason": "bảo trì", "actor": WHO}]
    assert await town.ledger.holds() == {NAME: MORNING}


async def test_a_hold_stops_no_other_destination(town: Town) -> None:
    await town.operate.hold(NAME, "bảo trì", WHO)
    await town.sent(to="H33.16 H33.30")
    await town.work()
    assert len(town.desk("H33.30/dms").parcels) == 1


async def test_release_lets_everything_go_on(town: Town) -> None:
    sent = [await town.sent(subject=name) for name in "abc"]
    await town.operate.hold(NAME, "bảo trì", WHO)
    assert await town.operate.release(NAME, "xong", WHO) == 3
    await town.work()
    assert town.taken_by(NAME) == [each.id for each in sent]
    assert await rows(town, "destination.released") == [{"recipient": NAME, "reason": "xong", "actor": WHO}]


async def test_a_second_hold_and_a_release_of_nothing_do_no_harm(town: Town) -> None:
    assert await town.operate.release(NAME, "xong", WHO) == 0
    assert await town.operate.hold(NAME, "bảo trì", WHO) == 0
    town.clock.moment += 5
    assert await town.operate.hold(NAME, "bảo trì", WHO) == 0
    assert await town.ledger.holds() == {NAME: MORNING}


@pytest.mark.parametrize("name", ["H33.16", "H33.99/dms", "", "nobody"])
async def test_what_is_no_system_cannot_be_held_or_released(town: Town, name: str) -> None:
    with pytest.raises(Rejected, match="not-found"):
        await town.operate.hold(name, "x", WHO)
    with pytest.raises(Rejected, match="not-found"):
        await town.operate.release(name, "x", WHO)
    assert await town.journal("audit") == []


async def test_a_dead_delivery_is_put_back(town: Town) -> None:
    answer = await dead(town)
    after = await town.operate.replay((await town.delivery(answer)).id, "đã sửa", WHO)
    assert (after.state, after.replays) == (State.QUEUED, 1)
    await town.work()
    assert (await town.delivery(answer)).state is State.DELIVERED
    assert await rows(town, "delivery.replayed") == [{"delivery": after.id, "reason": "đã sửa", "actor": WHO}]


async def test_what_is_replayed_for_a_destination_on_hold_is_held(town: Town) -> None:
    answer = await dead(town)
    await town.operate.hold(NAME, "bảo trì", WHO)
    await town.operate.replay((await town.delivery(answer)).id, "đã sửa", WHO)
    assert (await town.delivery(answer)).state is State.HELD


async def test_only_the_dead_are_replayed(town: Town) -> None:
    first, second = [await town.sent(subject="dossier 1") for _ in range(2)]
    for answer in (first, second):  # queued, blocked
        with pytest.raises(IllegalStep, match="illegal-state"):
            await town.operate.replay((await town.delivery(answer)).id, "x", WHO)
    await town.work()
    with pytest.raises(IllegalStep):  # delivered
        await town.operate.replay((await town.delivery(first)).id, "x", WHO)
    assert await rows(town, "delivery.replayed") == []


async def test_one_past_its_expirytime_is_not_replayed(town: Town) -> None:
    answer = await dead(town, expirytime=format_moment(MORNING + 60))
    delivery = await town.delivery(answer)
    town.clock.moment += 60
    with pytest.raises(IllegalStep, match="expirytime"):
        await town.operate.replay(delivery.id, "x", WHO)
    assert await town.delivery(answer) == delivery


async def test_but_it_may_be_discarded(town: Town) -> None:
    answer = await dead(town, expirytime=format_moment(MORNING + 60))
    town.clock.moment += 60
    await town.operate.discard((await town.delivery(answer)).id, "quá hạn", WHO)
    assert (await town.delivery(answer)).state is State.DISCARDED


async def test_queued_held_blocked_and_dead_ones_may_be_discarded(town: Town) -> None:
    queued = await town.sent(to="H33.20", subject="queued")
    blocked = await town.sent(to="H33.20", subject="queued")
    gone = await dead(town)
    await town.operate.hold(NAME, "bảo trì", WHO)
    held = await town.sent(subject="held")
    for answer, name in ((blocked, "H33.20/dms"), (queued, "H33.20/dms"), (gone, NAME), (held, NAME)):
        delivery = await town.delivery(answer, name)
        after = await town.operate.discard(delivery.id, "gửi nhầm", WHO)
        assert after.state is State.DISCARDED
    assert len(await rows(town, "delivery.discarded")) == 4


async def test_one_that_is_out_for_delivery_or_has_ended_may_not_be_discarded(town: Town) -> None:
    answer = await town.sent(to="H33.20")
    (leased,) = await town.pull.lease(town.system("H33.20/dms"), max=1, wait=0, visibility=30)
    with pytest.raises(IllegalStep):
        await town.operate.discard(leased.delivery, "x", WHO)
    await town.pull.settle(town.system("H33.20/dms"), taken=[(leased.delivery, None)], refused=(), later=())
    with pytest.raises(IllegalStep):
        await town.operate.discard(leased.delivery, "x", WHO)
    assert (await town.delivery(answer, "H33.20/dms")).state is State.DELIVERED


async def test_a_discarded_one_has_its_receipt(town: Town) -> None:
    answer = await town.sent()
    town.clock.moment += 9
    delivery = await town.delivery(answer)
    await town.operate.discard(delivery.id, "gửi nhầm", WHO)
    (*_, receipt) = await town.journal("receipt")
    assert (receipt["receipt"], receipt["delivery"], receipt["at"]) == (
        "discarded", delivery.id, format_moment(MORNING + 9),
    )  # fmt: skip


async def test_a_delivery_that_there_is_not_is_not_found(town: Town) -> None:
    for act in (town.operate.replay, town.operate.discard):
        with pytest.raises(Rejected, match="not-found"):
            await act("no such delivery", "x", WHO)


async def test_a_reason_is_kept_to_500_characters(town: Town) -> None:
    await town.operate.hold(NAME, "x" * 9000, WHO)
    (row,) = await rows(town, "destination.held")
    assert row["reason"] == "x" * 500
