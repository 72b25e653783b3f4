"""Older one-stop software, which tells the whole document each time: what is new is told on, a repeat is not."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.moments import parse_moment
from tests.adapters.test_onestop_wso2 import CODE, Facing, it

__all__ = ["it"]

APPOINTED = "30/11/2026 17:00:00"
LATER = "07/12/2026 17:00:00"


def a_request(name: str, **members: Any) -> dict[str, Any]:
    return {
        "SupplementaryId": name, "SendUser": "a", "SendComment": "Nội dung mẫu", "SendDate": "24/11/2026 08:30:00",
        **members,
    }  # fmt: skip


async def tell(it: Facing, **members: Any) -> Any:
    answer = await it.sync(**{"DateAppointed": APPOINTED, **members})
    assert answer["Status"] == 1, answer
    return await it.bus.known(CODE)


async def test_a_new_appointment_is_told_and_kept_and_told_once(it: Facing) -> None:
    await tell(it)
    known = await tell(it, DateAppointed=LATER)
    assert known.due == parse_moment("2026-12-07T17:00:00+07:00")
    await tell(it, DateAppointed=LATER)
    assert [kind for kind, _ in it.bus.events()] == ["dossier.registered", "dossier.registered"]


@pytest.mark.parametrize("member", ["Phone", "Compendium"])
async def test_other_words_about_the_dossier_are_told_too(it: Facing, member: str) -> None:
    await tell(it)
    known = await tell(it, **{member: "0912345678"})
    assert "0912345678" in {known.record["applicant"].get("phone"), known.record.get("abstract")}


async def test_a_document_that_comes_back_in_the_same_words_is_told_again_and_a_repeat_is_not(it: Facing) -> None:
    stopped = {"IsReturned": True, "ReturnNote": "Lý do mẫu"}
    told: tuple[dict[str, Any], ...] = ({}, {}, stopped, {}, {}, stopped, {})
    statuses = [(await tell(it, **members)).status for members in told]
    assert statuses == [4, 4, 8, 4, 4, 8, 4]
    assert len(it.bus.taken) == 5


async def test_each_request_of_a_document_is_told_once(it: Facing) -> None:
    await tell(it)
    both = {"HasSupplementary": True, "Supplementaries": [a_request("1"), a_request("2")]}
    await tell(it, **both)
    await tell(it, **both)
    told = [each.event["data"]["supplement"]["id"] for each in it.bus.taken[1:]]
    assert told == ["1", "2"]
