"""The story of a late subscriber: it asks for what it missed, an operator approves, and everything due comes once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import checkpoints
from gateway.core.agreement import Subscription
from gateway.core.backfill import Phase
from gateway.core.delivery import State
from gateway.core.directory import Agency, System
from gateway.core.faults import IllegalStep, Rejected
from gateway.core.moments import format_moment
from gateway.ports import Accepted
from gateway.ports.backfills import Request
from gateway.store.sqlite.backfills import SqliteBackfills
from gateway.store.sqlite.ledger import SqliteLedger
from tests.town import Town, a_town, an_agreement, wishes_for

LATE = "H33.40/dms"
MAU = "operator:mau"
SLICE = 10


def join(town: Town, **fields: Any) -> System:
    """H33.40 connects today and subscribes to documents."""
    made: dict[str, Any] = {"subscriptions": wishes_for("document.issued"), "adapter": "webhook", **fields}
    system = System(LATE, "H33.40", **made)
    town.enrol(Agency("H33.40", "Sở Y tế", "province", parent="H33", systems=(system,)))
    return system


@pytest.fixture
def town() -> Town:
    return a_town(H33_16={"subscriptions": wishes_for("document.issued", "document.status")})


async def ask(town: Town, since: float | None = None, **asked: Any) -> Request:
    """H33.40 asks for the documents of the last day."""
    now = town.clock.now()
    made: dict[str, Any] = {"until": None, "reason": "mới kết nối", "contract": "document.issued", **asked}
    return await town.requests.ask(town.system(LATE), since=now - 86400 if since is None else since, **made)


async def approved(town: Town, **asked: Any) -> Request:
    request = await ask(town, **asked)
    return await town.requests.decide(request.id, "approve", reason="đúng thẩm quyền", actor=MAU)


async def send_all(town: Town, *subjects: str, **override: Any) -> list[Accepted]:
    """A message to everybody for each subject, one second apart."""
    sent = []
    for subject in subjects:
        town.clock.moment += 1
        sent.append(await town.sent(**{"to": None, "subject": subject, **override}))
    return sent


async def audited(town: Town, event: str) -> list[dict[str, Any]]:
    return [
        leaf["details"] | {"actor": leaf["actor"]} for leaf in await town.journal("audit") if leaf["audit"] == event
    ]


async def test_what_was_missed_comes_in_order_of_acceptance_after_an_operator_approves(town: Town) -> None:
    sent = await send_all(town, "a", "b", "c")
    join(town)
    request = await ask(town)
    await town.catch_up()
    await town.work()
    assert town.taken_by(LATE) == []

    await town.requests.decide(request.id, "approve", reason="đúng thẩm quyền", actor=MAU)
    await town.catch_up()
    await town.work()

    assert town.taken_by(LATE) == [each.id for each in sent]
    done = await town.requests.find(request.id)
    assert (done.phase, done.made, done.decided_by) == (Phase.DONE, 3, MAU)


async def test_who_asked_who_approved_and_what_came_of_it_is_in_the_journal(town: Town) -> None:
    await send_all(town, "a")
    await send_all(town, "b", to="H33.16")
    join(town)
    request = await approved(town)

    await town.catch_up()

    assert [leaf["audit"] for leaf in await town.journal("audit") if leaf["audit"].startswith("request.")] == [
        "request.asked", "request.approved", "request.started", "request.slice", "request.done",
    ]  # fmt: skip
    (asked,), (approval,) = await audited(town, "request.asked"), await audited(town, "request.approved")
    assert (asked["actor"], asked["reason"], asked["contract"]) == (LATE, "mới kết nối", "document.issued")
    assert (approval["actor"], approval["reason"]) == (MAU, "đúng thẩm quyền")
    (piece,), (done,) = await audited(town, "request.slice"), await audited(town, "request.done")
    for leaf in (piece, done):
        assert (leaf["request"], leaf["deliveries"], leaf["left_out"]) == (request.id, 1, {"not-addressed": 1})


async def test_the_receipt_and_the_first_answer_stay_as_they_were_and_the_timeline_shows_the_new_delivery(
    town: Town,
) -> None:
    body = town.envelope(to=None)
    (first,) = await town.accept.sealed_many([body], address="192.0.2.1")
    assert isinstance(first, Accepted)
    join(town)
    await approved(town)
    await town.catch_up()

    (again,) = await town.accept.sealed_many([body], address="192.0.2.1")

    assert isinstance(again, Accepted)
    assert (again.recipients, again.receipt) == (first.recipients, first.receipt)
    record = await town.record(first)
    assert record.recipients == first.recipients == ("H33.16/dms", "H33.20/dms", "H33.30/dms")
    assert record.deliveries[-1].delivery.recipient == LATE
    assert (await town.delivery(first, LATE)).state is State.QUEUED


async def test_the_sender_is_told_of_the_late_delivery_as_of_any(town: Town) -> None:
    (sent,) = await send_all(town, "a", source="H33.05/dms")
    await town.work()
    join(town)
    await approved(town)
    await town.catch_up()
    await town.work()
    await town.pass_time(3)

    told = [parcel.event["data"] for parcel in town.desk("H33.05/dms").parcels]
    (late,) = [data for data in told if data["recipient"] == LATE]
    assert (late["receipt"], late["id"], late["to"]) == ("delivered", sent.id, list(sent.recipients))


async def test_what_is_due_is_decided_by_the_agreements_of_the_day_it_is_made(town: Town) -> None:
    await send_all(town, "a", "b")
    join(town)
    request = await approved(town)
    town.agree(an_agreement(receivers=("H33.16",)))

    await town.catch_up()

    done = await town.requests.find(request.id)
    assert (done.phase, done.made, done.left_out) == (Phase.DONE, 0, {"no-agreement": 2})


async def test_only_messages_accepted_in_the_time_that_was_asked_for_are_meant(town: Town) -> None:
    await send_all(town, "before")
    since = town.clock.moment + 1
    meant = await send_all(town, "first", "last")
    until = town.clock.moment + 1
    await send_all(town, "after")
    join(town)

    await approved(town, since=since, until=until)
    await town.catch_up()
    await town.work()

    assert town.taken_by(LATE) == [each.id for each in meant]


async def test_asking_twice_brings_nothing_twice(town: Town) -> None:
    sent = await send_all(town, "a", "b")
    join(town)
    await approved(town)
    await town.catch_up()
    await send_all(town, "c")
    second = await approved(town)
    await town.catch_up()
    await town.work()

    assert sorted(town.taken_by(LATE)[:2]) == sorted(each.id for each in sent)
    assert len(town.taken_by(LATE)) == 3
    assert (await town.requests.find(second.id)).left_out == {"recipient": 3}


async def test_in_a_lane_what_was_missed_comes_behind_what_is_open(town: Town) -> None:
    old = await send_all(town, "lane", "lane")
    join(town)
    young = await send_all(town, "lane")

    await approved(town)
    await town.catch_up()

    assert (await town.delivery(old[0], LATE)).state is State.BLOCKED
    for _ in range(3):
        await town.work()
    assert town.taken_by(LATE) == [young[0].id, old[0].id, old[1].id]


async def test_a_slice_waits_while_much_waits_for_the_system(town: Town) -> None:
    town.backfill.enough_waiting = 5
    await send_all(town, "a", "b")
    join(town)
    await send_all(town, *(f"live {number}" for number in range(5)), to=LATE)
    request = await approved(town)
    await town.catch_up()

    assert (await town.requests.find(request.id)).reached == 0

    await town.work()
    await town.catch_up()
    assert (await town.requests.find(request.id)).phase is Phase.DONE


async def test_a_request_of_a_system_that_subscribes_no_more_is_cancelled(town: Town) -> None:
    await send_all(town, "a")
    join(town)
    request = await approved(town)
    join(town, subscriptions={})

    await town.catch_up()

    over = await town.requests.find(request.id)
    assert (over.phase, over.decision, over.made) == (Phase.CANCELLED, "no-subscriber", 0)
    ((leaf),) = await audited(town, "request.cancelled")
    assert leaf["why"] == "no-subscriber"


async def test_a_message_that_the_late_system_reads_in_another_major_is_translated(town: Town) -> None:
    (sent,) = await send_all(town, "a")
    join(town, subscriptions={"document.issued": Subscription("document.issued", "2.0")})
    await approved(town)
    await town.catch_up()
    await town.work()

    (parcel,) = town.desk(LATE).parcels
    assert (parcel.message, parcel.event["dataschema"]) == (sent.id, "urn:lgsp:contract:document.issued:2.0")


# -------------------------------------------------------------------------------------------- asking and deciding


async def test_one_who_does_not_subscribe_is_told_to_do_so_first(town: Town) -> None:
    join(town, subscriptions={})

    with pytest.raises(Rejected) as rejected:
        await ask(town)

    assert rejected.value.problem == "no-subscriber"
    assert "đăng ký trước" in rejected.value.detail.vi


@pytest.mark.parametrize("contract", ["document.lost", "receipt.delivered"])
async def test_what_is_no_contract_of_messages_cannot_be_asked_for(town: Town, contract: str) -> None:
    join(town, subscriptions=wishes_for("receipt.delivered"))

    with pytest.raises(Rejected) as rejected:
        await ask(town, contract=contract)

    assert rejected.value.problem == "unknown-contract"


@pytest.mark.parametrize(
    ("since", "until", "reason"),
    [(0, 0, "x"), (-5, -10, "x"), (1, None, "x"), (0, None, "x"), (-5, 5, "x"), (-5, None, " ")],
)
async def test_a_time_that_cannot_be_meant_and_a_missing_reason_are_refused(
    town: Town, since: float, until: float | None, reason: str
) -> None:
    join(town)
    now = town.clock.now()

    with pytest.raises(Rejected) as rejected:
        await ask(town, since=now + since, until=None if until is None else now + until, reason=reason)

    assert rejected.value.problem == "bad-request"
    assert await town.requests.backfills.listed() == []


async def test_a_second_request_for_the_same_contract_waits_until_the_first_has_ended(town: Town) -> None:
    join(town)
    first = await ask(town)

    with pytest.raises(IllegalStep) as illegal:
        await ask(town)
    assert first.id in illegal.value.detail.vi

    await town.requests.decide(first.id, "refuse", reason="chưa đủ căn cứ", actor=MAU)
    assert (await ask(town)).phase is Phase.ASKED


async def test_a_request_that_was_refused_brings_nothing(town: Town) -> None:
    await send_all(town, "a")
    join(town)
    request = await ask(town)
    await town.requests.decide(request.id, "refuse", reason="chưa đủ căn cứ", actor=MAU)
    await town.catch_up()

    refused = await town.requests.find(request.id)
    assert (refused.phase, refused.decision, refused.made) == (Phase.REFUSED, "chưa đủ căn cứ", 0)
    with pytest.raises(IllegalStep):
        await town.requests.decide(request.id, "approve", reason="nhầm", actor=MAU)


async def test_a_preview_says_what_approval_would_bring_and_changes_nothing(town: Town) -> None:
    await send_all(town, "a", "b")
    await send_all(town, "c", to="H33.16")
    await send_all(town, "d", expirytime=format_moment(town.clock.moment + 60))
    join(town)
    request = await ask(town)
    town.clock.moment += 120

    seen = await town.requests.preview(request)

    assert (seen.messages, seen.judged, seen.due) == (4, 4, 2)
    assert seen.left_out == {"not-addressed": 1, "expired": 1}
    assert await town.requests.find(request.id) == request


async def test_a_cancelled_request_stops_where_it_is(town: Town) -> None:
    join(town)
    town.backfill.slice_size = 2
    await send_all(town, "a", "b", "c")
    town.clock.moment += 1
    request = await approved(town)
    town.clock.moment += 1
    await town.backfill.once()  # starts
    await town.backfill.once()  # one slice
    await town.requests.decide(request.id, "cancel", reason="hỏi nhầm", actor=MAU)
    await town.catch_up()

    over = await town.requests.find(request.id)
    assert (over.phase, over.reached) == (Phase.CANCELLED, 2)


# ----------------------------------------------------------------------------------------------- crashes


@pytest.fixture
def _disarmed() -> Iterator[None]:
    yield
    checkpoints.disarm()


class Crashed(BaseException):
    """The process ends here."""


@pytest.mark.usefixtures("_disarmed")
@pytest.mark.parametrize("point", sorted(name for name in checkpoints.BY_HAND if name.startswith("backfill.")))
@pytest.mark.parametrize("slices", [1, 2, 3])
async def test_stopped_at_any_point_another_gateway_goes_on_and_each_message_comes_once(
    town: Town, point: str, slices: int
) -> None:
    sent = await send_all(town, *(f"letter {number}" for number in range(2 * SLICE + 1)))
    town.clock.moment += 1
    join(town)
    town.backfill.slice_size = SLICE
    request = await approved(town)

    def crash() -> None:
        raise Crashed

    checkpoints.arm(point, slices, crash)
    with pytest.raises(Crashed):
        await town.catch_up()

    # another process: it knows only what is kept, and waits for the lease of the one that died
    town.backfill._driven.clear()
    town.backfill._look_at = 0.0
    town.backfill.owner = "backfill:another"
    await town.catch_up()
    assert (await town.requests.find(request.id)).phase is Phase.RUNNING
    town.clock.moment += 5
    await town.catch_up()
    await town.work()

    assert sorted(town.taken_by(LATE)) == sorted(each.id for each in sent)
    done = await town.requests.find(request.id)
    assert (done.phase, done.made) == (Phase.DONE, len(sent))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from gateway import checkpoints
from gateway.store.sqlite.ledger import SqliteLedger
from tests.relay.test_backfill import a_life

checkpoints.arm(sys.argv[2], int(sys.argv[3]), lambda: os.kill(os.getpid(), signal.SIGKILL))
asyncio.run(a_life(Path(sys.argv[1])))
"""


async def a_life(folder: Path) -> None:
    """A process that keeps messages on a disk, approves a late subscriber's request and begins to drive it."""
    ledger = SqliteLedger(folder / "ledger.db")
    await ledger.open()
    town = a_town(ledger=ledger)
    sent = await send_all(town, *(f"letter {number}" for number in range(2 * SLICE + 1)))
    (folder / "sent.json").write_text(json.dumps([each.id for each in sent]))
    town.clock.moment += 1
    join(town)
    town.backfill.slice_size = SLICE
    await approved(town)
    await town.catch_up()


@pytest.mark.parametrize(
    ("point", "count", "made"),
    [("backfill.judged", 1, 0), ("backfill.made", 1, SLICE), ("backfill.judged", 3, 2 * SLICE)],
)
async def test_killed_in_the_middle_the_next_process_finishes_and_makes_nothing_twice(
    tmp_path: Path, point: str, count: int, made: int
) -> None:
    life = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, str(tmp_path), point, str(count)], check=False
    )
    assert life.returncode == -signal.SIGKILL
    ledger = SqliteLedger(tmp_path / "ledger.db")
    await ledger.open()
    (found,) = await SqliteBackfills(ledger).listed()
    assert (found.phase, found.made) == (Phase.RUNNING, made)

    town = a_town(ledger=ledger)
    join(town)
    town.clock.moment += 60
    await town.catch_up()

    (found,) = await SqliteBackfills(ledger).listed()
    sent = json.loads((tmp_path / "sent.json").read_text())
    assert (found.phase, found.made) == (Phase.DONE, len(sent))
    queued = await ledger.deliveries(recipient=LATE, limit=1000)
    assert [each.message for each in queued] == sent
    await ledger.close()
