"""Systems say their side of a day and see their own alone; operators see all of it and send again what was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.moments import day_of
from gateway.core.reconciliation import bounds_of
from tests.api.hall import OPERATOR, Answer, Hall, conforms, open_hall

VIEWER, APPROVER = "the-token-of-viewer", "the-token-of-approver"
SENDER, THERE = "H33.05/dms", "H33.16/dms"


class Desk:
    """The doors on the morning after a day on which five documents went to H33.16."""

    def __init__(self, hall: Hall, ids: list[str], day: str) -> None:
        self.hall, self.ids, self.day = hall, ids, day

    async def ask(self, method: str, path: str, *, system: str | None = None, token: str = "", **given: Any) -> Answer:
        token = token or await self.hall.token(system or THERE)
        return await self.hall.ask(method, path, token=token, **given)

    async def say(self, *manifests: dict[str, Any], system: str = THERE, **body: Any) -> Answer:
        said = {"day": self.day, "manifests": list(manifests), **body}
        return await self.ask("POST", "/v1/manifests", system=system, json=said)

    def received(self, *ids: str, **override: Any) -> dict[str, Any]:
        made = {"direction": "received", "contract": "document.issued", "leaves": "ids", "ids": list(ids), **override}
        return {name: value for name, value in made.items() if value is not None}

    async def replay(self, token: str = OPERATOR, **body: Any) -> Answer:
        path = f"/v1/operator/manifests/{self.day}/{THERE}/replay"
        return await self.ask("POST", path, token=token, json=body)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_hall(tmp_path) as hall:
        town = hall.town
        ids = [(await town.sent(subject=f"s{n}")).id.lower() for n in range(5)]
        await town.work()
        day = day_of(town.clock.moment)
        town.clock.moment = bounds_of(day)[1] + 8 * 3600
        await hall.doors.reconcile.once()
        yield Desk(hall, ids, day.isoformat())


async def test_a_system_sees_its_own_day_as_the_bus_has_it(desk: Desk) -> None:
    answer = await desk.ask("GET", f"/v1/manifests?day={desk.day}")
    conforms("ManifestDay", answer.json)
    (ours,) = answer.json["manifests"]
    assert (ours["side"], ours["direction"], ours["contract"], ours["count"]) == (
        "bus",
        "received",
        "document.issued",
        5,
    )
    assert (ours["delivered"], ours["processed"]) == (5, 0)
    theirs = await desk.ask("GET", "/v1/manifests", system=SENDER)
    assert {(each["system"], each["direction"]) for each in theirs.json["manifests"]} >= {(SENDER, "sent")}
    assert THERE not in {each["system"] for each in theirs.json["manifests"]}


async def test_the_same_root_ends_it(desk: Desk) -> None:
    (ours,) = (await desk.ask("GET", f"/v1/manifests?day={desk.day}")).json["manifests"]
    said = {"direction": "received", "contract": "document.issued", "count": 5, "root": ours["root"]}
    answer = await desk.say(said, complete=True)
    conforms("ManifestsJudged", answer.json)
    assert [(each["same"], each["gap_count"]) for each in answer.json["manifests"]] == [(True, 0)]


async def test_another_root_is_answered_with_parts_and_a_branch_with_its_ids(desk: Desk) -> None:
    said = {"direction": "received", "contract": "document.issued", "count": 4, "root": "0" * 64}
    (judged,) = (await desk.say(said)).json["manifests"]
    assert not judged["same"]
    assert sum(part["count"] for part in judged["parts"]) == 5
    part = judged["parts"][1]
    path = f"/v1/manifests/{desk.day}/received/document.issued?from={part['from']}&until={part['until']}"
    branch = await desk.ask("GET", path)
    conforms("ManifestBranch", branch.json)
    assert branch.json["count"] == part["count"]
    assert all(part["from"] <= each["id"] < (part["until"] or "~") for each in branch.json["ids"])


async def test_what_is_missing_is_told_to_the_system_and_to_operators(desk: Desk) -> None:
    answer = await desk.say(desk.received(*desk.ids[1:]))
    conforms("ManifestsJudged", answer.json)
    (gap,) = answer.json["manifests"][0]["gaps"]
    assert (gap["kind"], gap["id"]) == ("lost", desk.ids[0])
    listed = await desk.ask("GET", f"/v1/operator/manifests?day={desk.day}&kind=lost", token=VIEWER)
    conforms("ManifestsMissing", listed.json)
    assert [each["id"] for each in listed.json["gaps"]] == [desk.ids[0]]
    assert {each["side"] for each in listed.json["manifests"]} == {"bus", "system"}


async def test_what_was_lost_is_seen_then_sent_again_once(desk: Desk) -> None:
    await desk.say(desk.received(*desk.ids[2:]))
    seen = await desk.replay(dry_run=True)
    conforms("ManifestReplayPreview", seen.json)
    assert (seen.json["eligible"], sorted(seen.json["ids"])) == (2, sorted(desk.ids[:2]))
    made = await desk.replay(reason="mất ổ đĩa")
    assert made.status == 201, made.body
    conforms("Operation", made.json)
    again = await desk.replay(reason="mất ổ đĩa")
    assert (again.status, again.json["type"]) == (409, "urn:lgsp:problem:illegal-state")
    seen = await desk.replay(dry_run=True)
    assert [(each["reason"], each["count"]) for each in seen.json["left_out"]] == [("on-its-way", 2)]


@pytest.mark.parametrize(
    "body",
    [
        {"day": "hôm qua"}, {"manifests": {}}, {"complete": 1}, {"other": 1}, {"day": "2020-01-01"},
        {"manifests": [{"direction": "up"}]}, {"manifests": [{"direction": "sent"}]},
        {"manifests": [{"direction": "sent", "contract": "document.issued", "count": 1, "root": "x"}]},
        {"manifests": [{"direction": "sent", "ids": [1]}]},
        {"manifests": [{"direction": "sent", "ids": ["a"], "x": 1}]},
    ],
)  # fmt: skip
async def test_a_wrong_statement_is_refused_and_nothing_is_kept(desk: Desk, body: dict[str, Any]) -> None:
    answer = await desk.ask("POST", "/v1/manifests", json={"day": desk.day, "manifests": [], **body})
    assert answer.status == 400, answer.body
    kept = await desk.ask("GET", f"/v1/manifests?day={desk.day}")
    assert {each["side"] for each in kept.json["manifests"]} == {"bus"}


async def test_operators_have_no_side_and_systems_no_operators_door(desk: Desk) -> None:
    assert (await desk.ask("GET", "/v1/manifests", token=OPERATOR)).status == 403
    assert (await desk.ask("GET", "/v1/operator/manifests")).status == 403
    assert (await desk.replay(token=VIEWER, reason="x")).status == 403
    assert (await desk.replay()).status in {400, 409}
