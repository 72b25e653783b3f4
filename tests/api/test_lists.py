"""The doors of the agency directory: operators look, approvers decide, systems see whom they reach and how."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.core.agency_list import AgencyList, Entry
from gateway.core.agency_reading import read_csv
from gateway.core.directory import Directory
from tests.api.hall import OPERATOR, Answer, Hall, conforms, open_hall
from tests.town import GATEWAY, an_agreement

APPROVER = "the-token-of-approver"
CSV = "code,name,level\nG12,Bộ Tài chính,central\nH53,Tây Ninh,province\n"


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """The doors of a town for which a list of two agencies is proposed."""
    async with open_hall(tmp_path) as opened:
        await opened.town.proposals.propose("own", read_csv(CSV.encode()), by="cli:mau")
        yield opened


async def decide(hall: Hall, number: object = 1, act: str = "approve", *, token: str = APPROVER, **more: Any) -> Answer:
    body = {"act": act, "reason": "Đã đối chiếu", **more}
    return await hall.ask("POST", f"/v1/operator/directory/proposals/{number}", token=token, json=body)


async def test_operators_see_what_is_in_force_and_what_waits(hall: Hall) -> None:
    seen = await hall.get("/v1/operator/directory", token=OPERATOR)
    conforms("AgencyLists", seen.json)
    assert [each["count"] for each in seen.json["lists"]] == [0]
    assert [each["proposal"] for each in seen.json["waiting"]] == [1]

    await decide(hall)
    seen = await hall.get("/v1/operator/directory", token=OPERATOR)
    assert (seen.json["lists"][0]["count"], seen.json["waiting"]) == (2, [])


async def test_a_proposal_is_shown_with_its_changes_and_a_list_of_them_without(hall: Hall) -> None:
    whole = await hall.get("/v1/operator/directory/proposals/1", token=OPERATOR)
    conforms("DirectoryProposal", whole.json)
    assert [(each["kind"], each["code"]) for each in whole.json["changes"]] == [("added", "G12"), ("added", "H53")]
    every = await hall.get("/v1/operator/directory/proposals?state=waiting", token=OPERATOR)
    conforms("DirectoryProposals", every.json)
    assert "changes" not in every.json["proposals"][0]
    none = await hall.get("/v1/operator/directory/proposals?state=rejected", token=OPERATOR)
    assert none.json == {"proposals": []}
    (await hall.get("/v1/operator/directory/proposals?state=lost", token=OPERATOR)).problem("bad-request", 400)


@pytest.mark.parametrize("act", ["approve", "reject"])
async def test_only_an_approver_decides_and_who_was_denied_is_on_record(hall: Hall, act: str) -> None:
    (await decide(hall, act=act, token=OPERATOR)).problem("forbidden", 403)
    assert (await hall.town.journal("audit"))[-1]["audit"] == "operator.denied"

    decided = await decide(hall, act=act)
    conforms("DirectoryProposal", decided.json)
    assert decided.json["state"] == {"approve": "approved", "reject": "rejected"}[act]
    assert [leaf["audit"] for leaf in await hall.town.journal("audit")][-2:] == [
        "operator.allowed", f"directory.{decided.json['state']}",
    ]  # fmt: skip
    (await decide(hall, act=act)).problem("illegal-state", 409)


async def test_who_may_not_even_look_is_told_so_before_anything_of_the_request_is_read(hall: Hall) -> None:
    for number in ("1", "x"):
        path, token = f"/v1/operator/directory/proposals/{number}", await hall.token("H33.05/dms")
        (await hall.ask("POST", path, token=token, data=b"[")).problem("forbidden", 403)


async def test_a_decision_needs_an_act_and_a_reason(hall: Hall) -> None:
    (await decide(hall, act="drop")).problem("bad-request", 400)
    (await decide(hall, reason="  ")).problem("bad-request", 400)
    (await decide(hall, reason=7)).problem("bad-request", 400)


@pytest.mark.parametrize("number", ["7", "0", "x", "1.0", "-1", "9" * 30, "%C2%B9"])
async def test_what_there_is_not_is_not_found(hall: Hall, number: str) -> None:
    (await hall.get(f"/v1/operator/directory/proposals/{number}", token=OPERATOR)).problem("not-found", 404)
    (await decide(hall, number)).problem("not-found", 404)


async def test_systems_have_no_business_here(hall: Hall) -> None:
    token = await hall.token("H33.16/dms")
    (await hall.get("/v1/operator/directory", token=token)).problem("forbidden", 403)
    (await decide(hall, token=token)).problem("forbidden", 403)
    (await hall.get("/v1/operator/directory")).problem("unauthenticated", 401)


async def test_the_address_book_tells_who_is_reached_how_and_what_became_of_whom(hall: Hall) -> None:
    listed = [
        Entry("G12", "Bộ Tài chính", "central", via="H33.16/dms"),
        Entry("H39", "Long An", closed=date(2025, 7, 1), successor="G12"),
        Entry("H58", "Tiền Giang", closed=date(2025, 7, 1)),
        Entry("00.53.W00", "Trung tâm kết nối", via="H33.16/dms"),
    ]
    town = hall.town
    town.directory = Directory(
        town.directory.agencies.values(), [an_agreement(receivers=("*",))], gateway=GATEWAY, version=9,
        lists=[AgencyList.of("axis", listed)],
    )  # fmt: skip
    answer = await hall.get("/v1/agencies", token=await hall.token("H33.05/dms"))
    conforms("Agencies", answer.json)
    found = {each["code"]: each for each in answer.json["agencies"]}

    assert found["G12"]["via"] == "H33.16/dms"
    assert (found["H39"]["closed"], found["H39"]["successor"]) == ("2025-07-01", "G12")
    reached = {code: {each["contract"]: each["systems"] for each in found[code]["may_send"]} for code in found}
    assert reached["G12"]["document.issued"] == reached["H39"]["document.issued"] == ["H33.16/dms"]
    assert reached["H58"] == reached["00.53.W00"] == {}
