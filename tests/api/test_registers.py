"""The doors of registers: operators look, approvers decide, systems see nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.hall import OPERATOR, Answer, Hall, conforms, open_hall

APPROVER = "the-token-of-approver"
DOOR = "/v1/operator/registers"


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """The doors of a town where a second system told of houses."""
    async with open_hall(tmp_path) as opened:
        await opened.town.registers.claim("nha-o", "H33.05/dms", 1_795_000_000.0)
        await opened.town.registers.note("nha-o", "H33.16/dms", 1_795_000_001.0)
        yield opened


async def decide(hall: Hall, item: str = "nha-o", *, token: str = APPROVER, **more: Any) -> Answer:
    body = {"act": "approve", "system": "H33.16/dms", "reason": "QĐ phân công", **more}
    return await hall.ask("POST", f"{DOOR}/{item}", token=token, json=body)


async def test_operators_see_who_is_trusted_and_who_waits(hall: Hall) -> None:
    every = await hall.get(DOOR, token=OPERATOR)
    conforms("RegisterItems", every.json)
    one = await hall.get(f"{DOOR}/nha-o", token=OPERATOR)
    conforms("RegisterItem", one.json)
    assert every.json["registers"] == [one.json]
    assert (one.json["provider"], [each["system"] for each in one.json["waiting"]]) == ("H33.05/dms", ["H33.16/dms"])
    (await hall.get(f"{DOOR}/khong-co", token=OPERATOR)).problem("not-found", 404)


@pytest.mark.parametrize("act", ["approve", "reject"])
async def test_only_an_approver_decides(hall: Hall, act: str) -> None:
    (await decide(hall, act=act, token=OPERATOR)).problem("forbidden", 403)
    decided = await decide(hall, act=act)
    conforms("RegisterItem", decided.json)
    assert decided.json["waiting"] == []
    assert decided.json["provider"] == ("H33.16/dms" if act == "approve" else "H33.05/dms")
    (await decide(hall, act="reject")).problem("illegal-state", 409)


@pytest.mark.parametrize("wrong", [{"act": "keep"}, {"system": 1}, {"reason": ""}, {"reason": None}])
async def test_a_decision_needs_an_act_a_system_and_a_reason(hall: Hall, wrong: dict[str, Any]) -> None:
    (await decide(hall, **wrong)).problem("bad-request", 400)


async def test_systems_and_strangers_see_nothing_of_it(hall: Hall) -> None:
    token = await hall.token("H33.05/dms")
    (await hall.get(DOOR, token=token)).problem("forbidden", 403)
    (await decide(hall, token=token)).problem("forbidden", 403)
    (await hall.get(DOOR)).problem("unauthenticated", 401)
