"""Everything that ends comes back to its sender as a message, once, and never earns a receipt itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.envelope import digest_of
from gateway.core.faults import PermanentFailure, TransientFailure
from gateway.core.jws import split, verify
from gateway.core.moments import format_moment
from gateway.core.retry import RetryPolicy
from gateway.ports import Accepted
from tests.build import MORNING, a_key
from tests.town import CATALOG, GATEWAY, Town, a_town, wishes_for

SENDER, NAME = "H33.05/dms", "H33.16/dms"
ALL = ("receipt.delivered", "receipt.refused", "receipt.expired", "receipt.discarded")


@pytest.fixture
def town() -> Town:
    return a_town()


def told(town: Town, system: str = SENDER) -> list[dict[str, Any]]:
    """The outcome messages that a system took, as events."""
    return [dict(parcel.event) for parcel in town.desk(system).parcels if parcel.event["type"].startswith("receipt.")]


def kinds(town: Town, system: str = SENDER) -> list[str]:
    return [event["type"] for event in told(town, system)]


async def refuse(town: Town, **override: Any) -> Accepted:
    town.desk(NAME).script = [PermanentFailure("no", 422)]
    answer = await town.sent(**override)
    await town.pass_time(2)
    return answer


async def replay(town: Town, message: Accepted) -> None:
    await town.operate.replay((await town.delivery(message)).id, "đã sửa", "operator:mau")


async def test_delivered_comes_back(town: Town) -> None:
    answer = await town.sent(id=a_key("m").upper())
    await town.pass_time(2)
    (event,) = told(town)
    delivery = await town.delivery(answer)
    assert {name: value for name, value in event.items() if name not in {"id", "data"}} == {
        "specversion": "1.0",
        "source": GATEWAY,
        "type": "receipt.delivered",
        "dataschema": "urn:lgsp:contract:receipt.delivered:1.0",
        "subject": answer.id,
        "time": format_moment(MORNING + 2),
        "datacontenttype": "application/json",
        "to": SENDER,
        "causationid": answer.id,
    }
    assert (event["data"]["id"], event["data"]["delivery"]) == (a_key("m").upper(), delivery.id)


async def test_the_data_of_an_outcome_is_the_receipts_payload(town: Town) -> None:
    town.desk(NAME).script = [TransientFailure("down")]
    await town.sent(to="H33.16 H33.30")
    await town.pass_time(10)
    dead = await refuse(town, subject="other")
    receipts = {each["delivery"]: each for each in await town.journal("receipt") if each["receipt"] != "accepted"}
    assert len(receipts) == 3
    assert {event["data"]["delivery"]: event["data"] for event in told(town)} == receipts
    assert receipts[(await town.delivery(dead)).id]["cause"] == "refused"


@pytest.mark.parametrize("end", ["expired", "discarded"])
async def test_what_no_attempt_ended_is_told_with_the_moment_at_which_it_ended(town: Town, end: str) -> None:
    town.desk(NAME).script = [TransientFailure("down", retry_after=50)]
    answer = await town.sent(expirytime=format_moment(MORNING + 20))
    await town.pass_time(10)
    if end == "discarded":
        await town.operate.discard((await town.delivery(answer)).id, "gửi nhầm", "operator:mau")
        await town.report.once()
    await town.pass_time(15)
    (event,) = told(town)
    (receipt,) = [each for each in await town.journal("receipt") if each["receipt"] == end]
    assert event["type"] == f"receipt.{end}"
    assert event["data"] == receipt


@pytest.mark.parametrize(
    ("policy", "cause"),
    [({"first": 1.0, "deadline": 5.0}, "deadline"), ({"first": 1.0, "attempts": 2}, "attempts")],
)
async def test_refused_says_what_the_delivery_died_of(policy: dict[str, Any], cause: str) -> None:
    town = a_town(H33_16={"subscriptions": wishes_for("document.issued", retry=RetryPolicy(**policy))})
    town.desk(NAME).script = [TransientFailure("down")] * 9
    await town.sent()
    await town.pass_time(20)
    (event,) = told(town)
    assert (event["type"], event["data"]["cause"]) == ("receipt.refused", cause)


async def test_after_a_replay_delivered_may_follow_refused(town: Town) -> None:
    answer = await refuse(town)
    await replay(town, answer)
    await town.pass_time(5)
    assert kinds(town) == ["receipt.refused", "receipt.delivered"]
    assert len({event["id"] for event in told(town)}) == 2


async def test_refused_twice_is_told_twice_as_two_outcomes(town: Town) -> None:
    town.desk(NAME).script = [PermanentFailure("no"), PermanentFailure("no")]
    answer = await town.sent()
    await town.pass_time(2)
    await replay(town, answer)
    await town.pass_time(2)
    assert kinds(town) == ["receipt.refused", "receipt.refused"]
    assert len({event["id"] for event in told(town)}) == 2


async def test_discarded_after_refused_is_told_too_and_without_a_cause(town: Town) -> None:
    answer = await refuse(town)
    await town.operate.discard((await town.delivery(answer)).id, "gửi nhầm", "operator:mau")
    await town.pass_time(2)
    assert kinds(town) == ["receipt.refused", "receipt.discarded"]
    assert "cause" not in told(town)[1]["data"]


async def test_each_recipient_has_its_own_outcome(town: Town) -> None:
    town.desk(NAME).script = [PermanentFailure("no")]
    await town.sent(to="H33.16 H33.30")
    await town.pass_time(3)
    recipients = {(event["data"]["receipt"], event["data"]["recipient"]) for event in told(town)}
    assert recipients == {("refused", NAME), ("delivered", "H33.30/dms")}


async def test_an_outcome_keeps_its_contract_and_is_signed_by_the_gateway(town: Town) -> None:
    await town.sent(to="H33.16 H33.30")
    await town.pass_time(3)
    for parcel in town.desk(SENDER).parcels:
        signed = split(parcel.body)
        assert verify(town.signers[GATEWAY].key.public_key(), signed)
        assert signed.header.thumbprint == town.signers[GATEWAY].thumbprint
        version = CATALOG.find("receipt.delivered", "1.0")
        assert version is not None
        assert version.check(parcel.event["data"]) == ()
        assert parcel.event["data"]["digest"] == digest_of(await original(town, parcel.event["subject"]))


async def original(town: Town, id_: str) -> bytes:
    raw = await town.ledger.envelope(id_.lower())
    assert raw is not None
    return raw


# ------------------------------------------------------------------------------------------- who is told


@pytest.mark.parametrize("wanted", ALL)
async def test_a_sender_is_told_what_it_subscribes_to_and_nothing_else(wanted: str) -> None:
    town = a_town(H33_05={"subscriptions": wishes_for(wanted)})
    await town.sent(subject="delivered")
    await refuse(town, subject="refused")
    await town.operate.hold(NAME, "bảo trì", "operator:mau")
    await town.sent(subject="expired", expirytime=format_moment(town.clock.moment + 1))
    thrown = await town.sent(subject="discarded")
    await town.operate.discard((await town.delivery(thrown)).id, "gửi nhầm", "operator:mau")
    await town.pass_time(5)
    assert kinds(town) == [wanted]


async def test_a_sender_that_does_not_subscribe_is_owed_nothing() -> None:
    town = a_town(H33_05={"subscriptions": {}})
    await town.sent()
    await town.work()
    assert await town.ledger.owing() == []
    await town.pass_time(3)
    assert told(town) == []
    assert [each["receipt"] for each in await town.journal("receipt")] == ["accepted", "delivered"]


async def test_outcomes_go_to_the_sender_alone() -> None:
    curious: dict[str, Any] = {"subscriptions": wishes_for("document.issued", *ALL)}
    town = a_town(H33_16=curious, H33_30=curious)
    await town.sent()
    await town.pass_time(3)
    assert (len(told(town)), told(town, NAME), told(town, "H33.30/dms")) == (1, [], [])


async def test_outcomes_need_no_agreement(town: Town) -> None:
    await town.sent()
    town.agree()
    await town.pass_time(3)
    assert kinds(town) == ["receipt.delivered"]


async def test_a_filter_over_outcomes_is_honoured() -> None:
    town = a_town(H33_05={"subscriptions": wishes_for("receipt.delivered", subjects=(f"{a_key('m')}",))})
    await town.sent(id=a_key("m"))
    await town.sent(id=a_key("n"))
    await town.pass_time(3)
    assert [event["subject"] for event in told(town)] == [a_key("m")]


async def test_an_outcome_never_earns_a_receipt(town: Town) -> None:
    for outcome in ("taken", "refused"):
        town.desk(SENDER).script = [] if outcome == "taken" else [PermanentFailure("no")]
        await town.sent(subject=outcome)
        await town.pass_time(5)
    about = {each["type"] for each in await town.journal("receipt")}
    assert about == {"document.issued"}
    assert kinds(town) == ["receipt.delivered"]
    assert await town.ledger.owing() == []


async def test_an_outcome_is_tried_again_like_any_message(town: Town) -> None:
    town.desk(SENDER).script = [TransientFailure("down")] * 2
    await town.sent()
    await town.pass_time(60)
    assert kinds(town) == ["receipt.delivered"]
    assert town.desk(SENDER).parcels[0].attempt == 3


async def test_outcomes_are_pulled_by_a_sender_that_pulls() -> None:
    town = a_town(H33_05={"adapter": "inbox", "subscriptions": wishes_for(*ALL)})
    await town.sent()
    await town.pass_time(3)
    (leased,) = await town.pull.lease(town.system(SENDER), max=9, wait=0, visibility=30)
    assert json.loads(split(leased.envelope.encode()).payload)["type"] == "receipt.delivered"


# ------------------------------------------------------------------------------------------ twice is once


async def test_told_twice_is_told_once(town: Town) -> None:
    answer = await town.sent()
    await town.work()
    (owing,) = await town.ledger.owing()
    for _ in range(3):
        await town.report._tell(owing)  # as after a crash between telling and clearing what is owed
    await town.pass_time(5)
    assert [event["subject"] for event in told(town)] == [answer.id]


async def test_the_id_of_an_outcome_follows_from_the_delivery(town: Town) -> None:
    ids = []
    for _ in range(2):
        town = a_town()
        await town.sent(id=a_key("m"))
        await town.pass_time(3)
        ids.append(told(town)[0]["id"])
    assert ids[0] == ids[1]


async def test_what_is_owed_is_cleared_once_it_was_told(town: Town) -> None:
    await town.sent()
    await town.work()
    assert await town.report.once() == 1
    assert await town.report.once() == 0


async def test_a_sender_that_left_is_owed_nothing_any_more(town: Town) -> None:
    await town.sent()
    await town.work()
    town.change(SENDER, subscriptions={})
    assert await town.report.once() == 1
    assert await town.ledger.owing() == []
    await town.pass_time(3)
    assert told(town) == []
