"""A system asks for what it missed and an approver decides: by role, enforced here, and all of it on record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.directory import System
from gateway.core.moments import format_moment
from tests.api.hall import OPERATOR, Answer, Hall, conforms, open_hall
from tests.town import a_pair, wishes_for

VIEWER, APPROVER, ADMIN = (f"the-token-of-{role}" for role in ("viewer", "approver", "admin"))
LATE = "H33.40/dms"


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """The doors of a town where three documents were sent before H33.40 subscribed to them."""
    async with open_hall(tmp_path) as opened:
        for subject in ("a", "b", "c"):
            await opened.town.sent(to="H33.16" if subject == "c" else None, subject=subject)
        opened.town.clock.moment += 60
        opened.town.signers[LATE], certificate = a_pair(LATE)
        opened.register(
            System(LATE, "H33.40", "webhook", certificates=(certificate,), subscriptions=wishes_for("document.issued"))
        )
        yield opened


def wish(hall: Hall, **override: Any) -> dict[str, Any]:
    made = {
        "contract": "document.issued",
        "since": format_moment(hall.town.clock.now() - 3600),
        "reason": "Phần mềm mới kết nối",
        **override,
    }
    return {name: value for name, value in made.items() if value is not None}


async def ask(hall: Hall, system: str = LATE, **override: Any) -> Answer:
    token = await hall.token(system)
    return await hall.ask("POST", "/v1/me/requests", token=token, json=wish(hall, **override))


async def asked(hall: Hall) -> str:
    answer = await ask(hall)
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


async def decide(hall: Hall, name: str, act: str = "approve", *, token: str = APPROVER, **override: Any) -> Answer:
    body = {"act": act, "reason": "Đúng thẩm quyền", **override}
    return await hall.ask("POST", f"/v1/operator/requests/{name}", token=token, json=body)


async def events(hall: Hall) -> list[str]:
    return [leaf["audit"] for leaf in await hall.town.journal("audit")]


# ------------------------------------------------------------------------------------------------ the asking system


async def test_a_system_asks_and_sees_what_became_of_it(hall: Hall) -> None:
    answer = await ask(hall)

    assert answer.status == 201
    conforms("MyRequest", answer.json)
    assert (answer.json["system"], answer.json["state"], answer.json["deliveries"]) == (LATE, "asked", 0)
    await decide(hall, answer.json["id"])
    await hall.town.catch_up()
    mine = await hall.get("/v1/me/requests", token=await hall.token(LATE))
    conforms("MyRequests", mine.json)
    (only,) = mine.json["requests"]
    assert (only["state"], only["deliveries"], only["decision"]) == ("done", 2, "Đúng thẩm quyền")


async def test_a_system_learns_nothing_about_messages_that_were_not_meant_for_it_nor_who_decided(hall: Hall) -> None:
    await decide(hall, await asked(hall))
    await hall.town.catch_up()

    (only,) = (await hall.get("/v1/me/requests", token=await hall.token(LATE))).json["requests"]

    assert {"not_due", "messages", "preview", "decided_by"}.isdisjoint(only)


async def test_a_system_sees_its_own_requests_only(hall: Hall) -> None:
    await asked(hall)

    assert (await hall.get("/v1/me/requests", token=await hall.token("H33.16/dms"))).json == {"requests": []}


async def test_the_new_delivery_is_in_the_timeline_that_sender_and_recipient_see(hall: Hall) -> None:
    sent = await hall.town.sent(to=None, subject="d")
    hall.town.clock.moment += 1
    hall.register(System("H33.41/dms", "H33.41", "webhook", subscriptions=wishes_for("document.issued")))
    request = await hall.town.requests.ask(
        hall.town.system("H33.41/dms"), "document.issued", hall.town.clock.now() - 3600, None, "mới"
    )
    await decide(hall, request.id)
    await hall.town.catch_up()

    answer = await hall.get(f"/v1/messages/{sent.id}", token=await hall.token("H33.05/dms"))

    conforms("Message", answer.json)
    assert "H33.41/dms" in {each["recipient"] for each in answer.json["deliveries"]}
    assert "H33.41/dms" not in sent.recipients


@pytest.mark.parametrize(
    ("override", "pointers"),
    [
        ({"contract": None}, ["/contract"]),
        ({"contract": 5}, ["/contract"]),
        ({"since": "yesterday"}, ["/since"]),
        ({"since": None, "reason": None}, ["/since", "/reason"]),
        ({"until": "tomorrow"}, ["/until"]),
        ({"reason": " "}, ["/reason"]),
        ({"reason": "x" * 501}, ["/reason"]),
        ({"since": "2099-01-01T00:00:00Z"}, ["/since"]),
        ({"until": "2099-01-01T00:00:00Z"}, ["/since"]),
        ({"filter": "*"}, ["/filter"]),
    ],
)
async def test_a_request_that_is_not_as_described_is_refused_with_what_is_wrong(
    hall: Hall, override: dict[str, Any], pointers: list[str]
) -> None:
    problem = (await ask(hall, **override)).problem("bad-request", 400)

    assert [each["pointer"] for each in problem["violations"]] == pointers
    assert await hall.town.requests.backfills.listed() == []


async def test_one_who_does_not_subscribe_or_asks_twice_or_for_nothing_is_told_so(hall: Hall) -> None:
    (await ask(hall, contract="document.status")).problem("no-subscriber", 422)
    (await ask(hall, contract="document.lost")).problem("unknown-contract", 422)
    await asked(hall)
    (await ask(hall)).problem("illegal-state", 409)


# ----------------------------------------------------------------------------------------------------- the operators


async def test_operators_see_what_a_request_would_come_to_before_they_decide(hall: Hall) -> None:
    name = await asked(hall)

    listed = await hall.get("/v1/operator/requests?state=asked", token=VIEWER)
    conforms("LateRequests", listed.json)
    assert [(each["id"], each["messages"]) for each in listed.json["requests"]] == [(name, 3)]
    seen = await hall.get(f"/v1/operator/requests/{name}", token=VIEWER)

    conforms("LateRequest", seen.json)
    preview = seen.json["preview"]
    assert (preview["judged"], preview["due"]) == (3, 2)
    assert [(each["reason"], each["count"]) for each in preview["not_due"]] == [("not-addressed", 1)]
    assert preview["not_due"][0]["meaning"]["vi"] == "không gửi cho hệ thống này"


@pytest.mark.parametrize("act", ["approve", "refuse", "cancel"])
async def test_only_an_approver_or_above_decides_and_who_was_denied_is_on_record(hall: Hall, act: str) -> None:
    name = await asked(hall)

    for token in (VIEWER, OPERATOR, await hall.token(LATE)):
        (await decide(hall, name, act, token=token)).problem("forbidden", 403)
    assert (await hall.town.requests.find(name)).phase == "asked"

    answer = await decide(hall, name, act, token=ADMIN)
    assert answer.status == 200
    conforms("LateRequest", answer.json)
    assert answer.json["decided_by"] == "operator:Nguyễn Văn Mẫu"
    states = {"approve": "approved", "refuse": "refused", "cancel": "cancelled"}
    assert answer.json["state"] == states[act]
    assert (await events(hall))[-2:] == ["operator.allowed", f"request.{states[act]}"]
    assert (await events(hall)).count("operator.denied") == 3


async def test_a_decision_needs_an_act_and_a_reason_and_is_made_once(hall: Hall) -> None:
    name = await asked(hall)

    (await decide(hall, name, "ponder")).problem("bad-request", 400)
    (await decide(hall, name, reason="")).problem("bad-request", 400)
    (await decide(hall, name, reason=None)).problem("bad-request", 400)
    assert (await decide(hall, name, "refuse")).status == 200
    (await decide(hall, name)).problem("illegal-state", 409)


async def test_what_there_is_not_is_not_found_and_systems_have_no_business_here(hall: Hall) -> None:
    (await decide(hall, "5d0a3c52-8f0e-4a3e-9c51-0b8a6f1f2a77")).problem("not-found", 404)
    (await hall.get("/v1/operator/requests/none", token=VIEWER)).problem("not-found", 404)
    (await hall.get("/v1/operator/requests", token=await hall.token(LATE))).problem("forbidden", 403)
    (await hall.get("/v1/operator/requests")).problem("unauthenticated", 401)
    (await hall.get("/v1/operator/requests?state=lost", token=VIEWER)).problem("bad-request", 400)
    (await hall.get("/v1/me/requests", token=VIEWER)).problem("forbidden", 403)
    (await hall.ask("POST", "/v1/me/requests", json=wish(hall))).problem("unauthenticated", 401)
