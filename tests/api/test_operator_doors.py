"""The operator's doors: failures, replays, discards, destinations; by role, enforced here, and all of it on record."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.faults import PermanentFailure
from gateway.relay.replay import Replay
from gateway.relay.settle import Settlement
from tests.api.hall import OPERATOR, Hall, conforms, open_hall

VIEWER, APPROVER, ADMIN = (f"the-token-of-{role}" for role in ("viewer", "approver", "admin"))
NAME = "H33.16/dms"
REASON = "Máy chủ bên nhận đã sửa"


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """The doors, where more than three deliveries need an approver."""
    async with open_hall(tmp_path, approval_above=3) as opened:
        yield opened


async def dead(hall: Hall, how_many: int = 1, detail: str = "no") -> list[str]:
    """Messages that the recipient refused; answers the ids of their deliveries."""
    ids = []
    for number in range(how_many):
        hall.town.desk(NAME).script = [PermanentFailure(detail, 422)]
        sent = await hall.town.sent(subject=f"{detail} {number}")
        await hall.town.work()
        ids.append((await hall.town.delivery(sent)).id)
    return ids


async def drive(hall: Hall) -> None:
    """Let a gateway carry out what is running."""
    town, replays = hall.town, hall.doors.operations.replays
    gateway = Replay(
        replays, hall.doors.failures, town.ledger, Settlement(lambda: town.directory), lambda: town.directory,
        town.clock, "gateway", town.broker.announce,
    )  # fmt: skip
    for _ in range(40):
        town.clock.moment += await gateway.once()
        await town.work()


async def post(hall: Hall, path: str, token: str | None = OPERATOR, **body: Any) -> Any:
    return await hall.ask("POST", f"/v1/operator/{path}", token=token, json=body)


async def begin(hall: Hall, kind: str = "replays", **body: Any) -> dict[str, Any]:
    answer = await post(hall, kind, **{"filter": {}, "reason": REASON, "start": True, **body})
    assert answer.status == 201, answer.body
    conforms("Operation", answer.json)
    made: dict[str, Any] = answer.json
    assert answer.headers["Location"] == f"/v1/operator/{kind}/{made['id']}"
    return made


async def audited(hall: Hall, event: str) -> list[dict[str, Any]]:
    return [
        row["details"] | {"actor": row["actor"]} for row in await hall.town.journal("audit") if row["audit"] == event
    ]


# ----------------------------------------------------------------------------------------------------------- rights

LOOKS = ["failures", "replays", "discards", "destinations", "failures/0123456789ab", "replays/op-1", "discards/op-1"]
ACTS = ["replays", "discards", "replays/op-1", "discards/op-1", "destinations/H33.16/dms"]


@pytest.mark.parametrize("path", LOOKS)
async def test_nobody_looks_without_a_token_and_no_system_looks_at_all(hall: Hall, path: str) -> None:
    (await hall.get(f"/v1/operator/{path}")).problem("unauthenticated", 401)
    (await hall.get(f"/v1/operator/{path}", token="wrong")).problem("unauthenticated", 401)
    (await hall.get(f"/v1/operator/{path}", token=await hall.token("H33.05/dms"))).problem("forbidden", 403)
    (denied,) = await audited(hall, "operator.denied")
    assert (denied["actor"], denied["role"], denied["path"]) == ("H33.05/dms", "system", f"/v1/operator/{path}")


@pytest.mark.parametrize("path", LOOKS)
@pytest.mark.parametrize("token", [VIEWER, OPERATOR, APPROVER, ADMIN])
async def test_every_role_may_look(hall: Hall, path: str, token: str) -> None:
    assert (await hall.get(f"/v1/operator/{path}", token=token)).status in {200, 404}


@pytest.mark.parametrize("path", ACTS)
async def test_a_viewer_may_do_nothing_and_the_attempt_is_on_record(hall: Hall, path: str) -> None:
    operation = "/" in path and not path.startswith("destinations")
    (await post(hall, path, None)).problem("unauthenticated", 401)
    answer = await post(hall, path, VIEWER, filter={}, reason=REASON, verb="hold")
    if operation:  # what is not there cannot be turned by anybody
        answer.problem("not-found", 404)
        return
    answer.problem("forbidden", 403)
    (denied,) = await audited(hall, "operator.denied")
    assert (denied["role"], denied["needed"], denied["actor"]) == ("viewer", "operator", "operator:Nguyễn Văn Mẫu")
    assert await audited(hall, "operator.allowed") == []


@pytest.mark.parametrize("verb", ["start", "pause", "resume", "cancel"])
async def test_a_viewer_turns_no_operation(hall: Hall, verb: str) -> None:
    await dead(hall)
    made = await begin(hall)
    (await post(hall, f"replays/{made['id']}", VIEWER, verb=verb)).problem("forbidden", 403)
    assert (await hall.get(f"/v1/operator/replays/{made['id']}", token=VIEWER)).json["state"] == "running"


async def test_what_is_large_is_planned_by_an_operator_and_begun_by_an_approver(hall: Hall) -> None:
    await dead(hall, 4)
    seen = (await post(hall, "replays", filter={}, dry_run=True)).json
    assert (seen["eligible"], seen["needs_approver"]) == (4, True)
    (await post(hall, "replays", filter={}, reason=REASON, start=True)).problem("forbidden", 403)
    planned = await begin(hall, start=False)
    assert planned["state"] == "planned"

    path = f"replays/{planned['id']}"
    (await post(hall, path, OPERATOR, verb="start")).problem("forbidden", 403)
    assert (await post(hall, path, APPROVER, verb="start")).json["state"] == "running"
    assert (await post(hall, path, OPERATOR, verb="pause")).json["state"] == "paused"
    (await post(hall, path, OPERATOR, verb="resume")).problem("forbidden", 403)
    assert (await post(hall, path, ADMIN, verb="resume")).json["state"] == "running"
    denied = await audited(hall, "operator.denied")
    assert [row["needed"] for row in denied] == ["approver"] * 3
    assert [row["act"] for row in denied] == ["replay.start", "replay.start", "replay.resume"]


async def test_what_is_allowed_is_on_record_with_who_and_what(hall: Hall) -> None:
    await dead(hall)
    made = await begin(hall)
    (allowed,) = await audited(hall, "operator.allowed")
    assert (allowed["act"], allowed["role"], allowed["actor"]) == ("replay", "operator", "operator:Nguyễn Văn Mẫu")
    (started,) = await audited(hall, "replay.started")
    assert started == {"operation": made["id"], "deliveries": 1, "reason": REASON, "actor": "operator:Nguyễn Văn Mẫu"}


# --------------------------------------------------------------------------------------------------------- failures


async def test_failures_are_groups_with_what_to_do_next(hall: Hall) -> None:
    ids = await dead(hall, 2, "line 7 is wrong")
    await dead(hall, 1, "other")
    answer = await hall.get("/v1/operator/failures", token=VIEWER)

    conforms("FailureGroups", answer.json)
    large, _ = answer.json["groups"]
    assert (large["count"], large["error"], large["kind"]) == (2, "refused", "dead")
    assert set(large["samples"]) == set(ids)
    assert "từ chối" in large["meaning"]["vi"]
    assert "lgsp replay" in large["next_step"]["en"]


async def test_a_group_lists_its_deliveries_page_by_page(hall: Hall) -> None:
    ids = await dead(hall, 3)
    (group,) = (await hall.get("/v1/operator/failures", token=VIEWER)).json["groups"]
    path = f"/v1/operator/failures/{group['group']}"
    first = (await hall.get(f"{path}?limit=2", token=VIEWER)).json
    rest = (await hall.get(f"{path}?limit=2&after={first['next']}", token=VIEWER)).json

    conforms("FailureGroup", first)
    assert [each["delivery"] for each in (*first["deliveries"], *rest["deliveries"])] == ids
    assert "next" not in rest
    (await hall.get("/v1/operator/failures/0123456789ab", token=VIEWER)).problem("not-found", 404)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("recipient=H33.16/dms", 1), ("recipient=H33.20/dms", 0), ("cause=refused", 1), ("cause=timeout", 0),
        ("contract=document.issued", 1), ("since=2027-01-01T00:00:00Z", 0), ("until=2027-01-01T00:00:00Z", 1),
    ],
)  # fmt: skip
async def test_failures_are_narrowed_by_the_query(hall: Hall, query: str, count: int) -> None:
    await dead(hall)
    assert len((await hall.get(f"/v1/operator/failures?{query}", token=VIEWER)).json["groups"]) == count


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("since=yesterday", "/since"), ("cause=bad-luck", "/cause"), ("limit=0", "/limit"), ("limit=x", "/limit"),
     ("recipient=", "/recipient")],
)  # fmt: skip
async def test_a_query_that_is_wrong_is_told_where(hall: Hall, query: str, pointer: str) -> None:
    problem = (await hall.get(f"/v1/operator/failures?{query}", token=VIEWER)).problem("bad-request", 400)
    assert [each["pointer"] for each in problem["violations"]] == [pointer]


# ------------------------------------------------------------------------------------------------------- operations


async def test_a_dry_run_tells_everything_and_keeps_nothing(hall: Hall) -> None:
    ids = await dead(hall, 2)
    answer = await post(hall, "replays", filter={"recipient": NAME}, plan={"rate": 4}, dry_run=True)

    assert answer.status == 200
    conforms("OperationPreview", answer.json)
    assert (answer.json["eligible"], answer.json["seconds"], answer.json["not_eligible"]) == (2, 0.5, [])
    assert [each["delivery"] for each in answer.json["sample"]] == ids
    assert (await hall.get("/v1/operator/replays", token=VIEWER)).json == {"operations": []}


async def test_a_replay_is_carried_out_and_its_counts_are_true(hall: Hall) -> None:
    ids = await dead(hall, 3)
    made = await begin(hall, plan={"canary": False, "rate": 100})
    await drive(hall)

    told = (await hall.get(f"/v1/operator/replays/{made['id']}", token=VIEWER)).json
    conforms("OperationPage", told)
    assert (told["state"], told["counts"]) == ("done", {"delivered": 3})
    assert [(each["delivery"], each["outcome"]) for each in told["deliveries"]] == [(id_, "delivered") for id_ in ids]
    listed = (await hall.get("/v1/operator/replays", token=VIEWER)).json
    conforms("Operations", listed)
    assert [each["id"] for each in listed["operations"]] == [made["id"]]
    assert (await hall.get("/v1/operator/discards", token=VIEWER)).json == {"operations": []}
    (await hall.get(f"/v1/operator/discards/{made['id']}", token=VIEWER)).problem("not-found", 404)


async def test_the_deliveries_of_an_operation_are_told_by_outcome_and_page(hall: Hall) -> None:
    ids = await dead(hall, 3)
    made = await begin(hall, start=False)
    path = f"/v1/operator/replays/{made['id']}"
    first = (await hall.get(f"{path}?limit=2&outcome=waiting", token=VIEWER)).json
    assert [each["delivery"] for each in first["deliveries"]] == ids[:2]
    assert (await hall.get(f"{path}?outcome=failed", token=VIEWER)).json["deliveries"] == []
    (await hall.get(f"{path}?outcome=lucky", token=VIEWER)).problem("bad-request", 400)


async def test_a_replay_by_ids_says_what_cannot_be_in_it(hall: Hall) -> None:
    (id_,) = await dead(hall)
    sound = await hall.town.sent(subject="sound")
    await hall.town.work()
    seen = (await post(hall, "replays", ids=[id_, sound.id], dry_run=True)).json
    assert seen["eligible"] == 1
    assert [(each["reason"], each["count"]) for each in seen["not_eligible"]] == [("delivered", 1)]


async def test_a_discard_ends_deliveries_and_is_an_operation_too(hall: Hall) -> None:
    await dead(hall, 2)
    made = await begin(hall, "discards")
    await drive(hall)
    told = (await hall.get(f"/v1/operator/discards/{made['id']}", token=VIEWER)).json
    assert (told["act"], told["state"], told["counts"]) == ("discard", "done", {"discarded": 2})


async def test_an_operation_is_paused_resumed_and_cancelled(hall: Hall) -> None:
    await dead(hall)
    made = await begin(hall)
    path = f"replays/{made['id']}"
    states = [(await post(hall, path, verb=verb)).json["state"] for verb in ("pause", "resume", "cancel")]
    assert states == ["paused", "running", "cancelled"]
    (await post(hall, path, verb="resume")).problem("illegal-state", 409)
    (await post(hall, "replays/op-unknown", verb="pause")).problem("not-found", 404)
    (await post(hall, path, verb="stop")).problem("bad-request", 400)


async def test_nothing_to_do_is_refused_with_the_reasons(hall: Hall) -> None:
    sound = await hall.town.sent()
    await hall.town.work()
    problem = (await post(hall, "replays", ids=[sound.id], reason=REASON)).problem("illegal-state", 409)
    assert "đã được nhận" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/filter"),
        ({"filter": {}, "ids": ["x"]}, "/filter"),
        ({"filter": []}, "/filter"),
        ({"filter": {"cause": "x"}}, "/filter/cause"),
        ({"filter": {"group": "x"}}, "/filter/group"),
        ({"filter": {"since": 7}}, "/filter/since"),
        ({"ids": []}, "/ids"),
        ({"ids": [7]}, "/ids"),
        ({"filter": {}, "plan": 7}, "/plan"),
        ({"filter": {}, "plan": {"rate": "x"}}, "/plan/rate"),
        ({"filter": {}, "plan": {"rate": 0}}, "/rate"),
        ({"filter": {}, "plan": {"speed": 1}}, "/plan/speed"),
        ({"filter": {}, "plan": {"window": "25:00-01:00"}}, "/plan/window"),
        ({"filter": {}, "start": "yes"}, "/start"),
        ({"filter": {}, "wish": 1}, "/wish"),
        ({"filter": {}}, "/reason"),
        ({"filter": {}, "reason": "  "}, "/reason"),
        ({"filter": {}, "reason": 7}, "/reason"),
    ],
    ids=json.dumps,
)
async def test_a_request_that_is_wrong_is_told_where(hall: Hall, body: dict[str, Any], pointer: str) -> None:
    await dead(hall)
    problem = (await post(hall, "replays", **body)).problem("bad-request", 400)
    assert [each["pointer"] for each in problem["violations"]] == [pointer]


async def test_a_plan_may_name_every_part(hall: Hall) -> None:
    await dead(hall)
    plan = {"rate": 2, "canary": [1, 5], "stop_percent": None, "stop_window": 20, "window": "22:00-05:00", "most": 9}
    made = await begin(hall, plan=plan)
    expected = {"rate": 2.0, "canary": [1, 5], "stop_window": 20, "window": "22:00-05:00", "most": 9}
    assert made["plan"] == expected


# ----------------------------------------------------------------------------------------------------- destinations


async def test_destinations_tell_what_waits_and_what_is_on_hold(hall: Hall) -> None:
    await dead(hall)
    held = await post(hall, f"destinations/{NAME}", verb="hold", reason="bảo trì")
    conforms("DestinationTurned", held.json)
    assert held.json == {"system": NAME, "state": "held", "deliveries": 0}

    answer = await hall.get("/v1/operator/destinations", token=VIEWER)
    conforms("Destinations", answer.json)
    by_name = {each["system"]: each for each in answer.json["destinations"]}
    assert (by_name[NAME]["state"], by_name[NAME]["waiting"]) == ("held", {"dead": 1})
    assert by_name["H33.30/dms"]["state"] == "open"

    assert (await post(hall, f"destinations/{NAME}", verb="release", reason="xong")).json["state"] == "open"
    assert [row["actor"] for row in await audited(hall, "destination.released")] == ["operator:Nguyễn Văn Mẫu"]


async def test_a_hold_needs_a_known_system_a_verb_and_a_reason(hall: Hall) -> None:
    (await post(hall, "destinations/H99/x", verb="hold", reason="x")).problem("not-found", 404)
    (await post(hall, f"destinations/{NAME}", verb="close", reason="x")).problem("bad-request", 400)
    (await post(hall, f"destinations/{NAME}", verb="hold")).problem("bad-request", 400)
