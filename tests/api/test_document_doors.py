"""What became of a document, over HTTP: its issuer sees all, a recipient its own part, nobody else anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.core.moments import format_moment
from tests.api.hall import OPERATOR, Hall, conforms, open_hall
from tests.town import document, wishes_for

ID = "H33.05,2026/11/23,1/STC-VP"
VIEWER = "the-token-of-viewer"


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    async with open_hall(tmp_path) as opened:
        opened.town.change("H33.05/dms", subscriptions=wishes_for("document.status"))
        yield opened


async def send(hall: Hall, *, to: str = "H33.16 H33.30", **data: Any) -> str:
    """A document of H33.05, posted."""
    issued = document(**{"documentId": ID, "issuingOrganId": "H33.05", **data})
    envelope = hall.town.envelope(to=to, data=issued, subject=issued["documentId"])
    return await accepted(hall, envelope)


async def report(
    hall: Hall, code: str, *, by: str = "H33.16", at: float = 0.0, document: str = ID, source: str | None = None
) -> str:
    """A status of ``by``, posted by its system or ``source``; ``at``: seconds after now, by its own clock."""
    data = {
        "from": {"organId": by},
        "responseFor": {"organId": "H33.05", "documentId": document},
        "statusCode": code,
        "timestamp": format_moment(hall.town.clock.now() + at),
    }
    envelope = hall.town.envelope(
        source or f"{by}/dms", type="document.status", dataschema="urn:lgsp:contract:document.status:1.0", to="H33.05",
        subject=document, data=data,
    )  # fmt: skip
    return await accepted(hall, envelope)


async def accepted(hall: Hall, envelope: bytes) -> str:
    answer = await hall.publish(envelope)
    assert answer.status == 202, answer.body
    return str(answer.json["id"])


async def view(hall: Hall, caller: str = "H33.05/dms", **asked: str) -> dict[str, Any]:
    query = {"issuer": "H33.05", "document": ID, **asked}
    token = caller if caller in {OPERATOR, VIEWER} else await hall.token(caller)
    answer = await hall.get("/v1/documents", token=token, params=query)
    assert answer.status == 200, answer.body
    conforms("Document", answer.json)
    found: dict[str, Any] = answer.json
    return found


def at(seen: dict[str, Any], agency: str = "H33.16") -> dict[str, Any]:
    return next(each for each in seen["recipients"] if each["agency"] == agency)


async def test_the_sender_sees_what_became_of_it_everywhere(hall: Hall) -> None:
    sent = await send(hall)
    await hall.town.work()
    for code, by, moment in (("06", "H33.16", 9), ("01", "H33.30", 2), ("03", "H33.16", 3), ("03", "H33.16", 3)):
        await report(hall, code, by=by, at=moment)

    seen = await view(hall)

    assert [each["id"] for each in seen["issues"]] == [sent.lower()]
    assert (at(seen)["transport"], at(seen)["progress"]["code"]) == ("delivered", "06")
    assert [(each["status"]["code"], each["repeat"]) for each in at(seen)["history"]] == [
        ("06", False), ("03", False), ("03", True),
    ]  # fmt: skip
    assert at(seen, "H33.30")["progress"]["code"] == "01"
    assert seen["standing"] == "in-force"


async def test_a_recall_that_one_agrees_to_and_one_refuses(hall: Hall) -> None:
    await send(hall)
    await send(hall, businessType=1, concerns=ID)
    await report(hall, "15", at=1)
    await report(hall, "16", by="H33.30", at=1)

    seen = await view(hall)

    assert [(each["kind"], each["answer"]) for each in at(seen)["changes"]] == [("recall", "agreed")]
    assert [each["answer"] for each in at(seen, "H33.30")["changes"]] == ["refused"]
    assert (at(seen)["standing"], at(seen, "H33.30")["standing"], seen["standing"]) == ("recalled", "in-force", "mixed")


async def test_a_recipient_sees_its_own_part_and_nobody_else_anything(hall: Hall) -> None:
    await send(hall)
    await report(hall, "03")
    await report(hall, "02", by="H33.30")

    mine = await view(hall, "H33.16/dms")
    assert [each["agency"] for each in mine["recipients"]] == ["H33.16"]
    assert [each["recipients"] for each in mine["issues"]] == [["H33.16"]]
    query = {"issuer": "H33.05", "document": ID}
    (await hall.get("/v1/documents", token=await hall.token("H33.20/dms"), params=query)).problem("not-found", 404)
    (await hall.get("/v1/documents", params=query)).problem("unauthenticated", 401)
    unknown = {**query, "document": "H33.05,2026/11/23,2/STC-VP"}
    (await hall.get("/v1/documents", token=await hall.token("H33.05/dms"), params=unknown)).problem("not-found", 404)
    assert len((await view(hall, VIEWER))["recipients"]) == 2


async def test_what_another_tells_in_an_agencys_name_is_told_as_its_word_and_changes_nothing(hall: Hall) -> None:
    await send(hall)
    await report(hall, "03")
    true = await view(hall)

    await report(hall, "06", at=60, source="H33.20/dms")
    data = document(documentId=ID, issuingOrganId="H33.05", businessType=1, concerns=ID)
    recall = await accepted(hall, hall.town.envelope("H33.20/dms", to="H33.16", data=data, subject=ID))
    await report(hall, "15", at=90, by="H33.30", source="H33.20/dms")

    seen = await view(hall)
    for agency in ("H33.16", "H33.30"):
        assert {**at(seen, agency), "history": []} == {**at(true, agency), "history": []}
        assert at(seen, agency)["history"][:-1] == at(true, agency)["history"]
        assert at(seen, agency)["history"][-1]["told_by"] == "H33.20/dms"
    assert (at(seen)["progress"]["code"], seen["standing"]) == ("03", "in-force")
    assert [(each["kind"], each.get("told_by")) for each in seen["issues"]] == [("new", None), ("recall", "H33.20/dms")]
    (listed, _) = (await hall.get("/v1/documents", token=await hall.token("H33.05/dms"))).json["documents"]
    assert (listed["id"], listed["told_by"]) == (recall.lower(), "H33.20/dms")


async def test_any_spelling_of_the_id_finds_it(hall: Hall) -> None:
    await send(hall)

    assert (await view(hall, document=" H33.05, 2026-11-23 , 1/stc-vp "))["document"] == ID


async def test_who_stands_in_the_place_of_a_closed_agency_sees_what_that_one_saw(hall: Hall) -> None:
    await send(hall)
    query = {"issuer": "H33.05", "document": ID}
    heir = await hall.token("H33.20/dms")
    (await hall.get("/v1/documents", token=heir, params=query)).problem("not-found", 404)

    for closed, agencies in (("H33.16", ["H33.16"]), ("H33.05", ["H33.16", "H33.30"])):
        agency = hall.town.directory.agencies[closed]
        hall.town.enrol(replace(agency, closed=date(2025, 7, 1), successor="H33.20"))

        seen = await view(hall, "H33.20/dms")

        assert [each["agency"] for each in seen["recipients"]] == agencies
        assert seen["issues"][0]["recipients"] == agencies


@pytest.mark.parametrize(
    "query",
    [{"issuer": "H33.05"}, {"document": ID}, {"issuer": "", "document": ID}, {"issuer": "x" * 501, "document": ID}],
)
async def test_half_a_name_is_a_bad_request(hall: Hall, query: dict[str, str]) -> None:
    token = await hall.token("H33.05/dms")
    (await hall.get("/v1/documents", token=token, params=query)).problem("bad-request", 400)


async def test_an_agency_lists_what_it_issued_page_by_page(hall: Hall) -> None:
    for number in range(3):
        await send(hall, documentId=f"H33.05,2026/11/23,{number}/STC")
    await report(hall, "03", document="H33.05,2026/11/23,1/STC")
    token = await hall.token("H33.05/dms")

    first = (await hall.get("/v1/documents", token=token, params={"limit": "2"})).json
    rest = (await hall.get("/v1/documents", token=token, params={"limit": "2", "before": first["next"]})).json

    conforms("DocumentPage", first)
    assert [each["document"][-5:] for each in first["documents"] + rest["documents"]] == ["2/STC", "1/STC", "0/STC"]
    assert "next" not in rest
    assert (await hall.get("/v1/documents", token=await hall.token("H33.16/dms"))).json == {"documents": []}
    (await hall.get("/v1/documents", token=token, params={"before": "x"})).problem("bad-request", 400)
    (await hall.get("/v1/documents", token=OPERATOR)).problem("forbidden", 403)


async def test_operators_look_by_agency_or_by_id(hall: Hall) -> None:
    await send(hall)

    by_agency = await hall.get("/v1/operator/documents", token=VIEWER, params={"agency": "H33.05"})
    by_id = await hall.get("/v1/operator/documents", token=VIEWER, params={"document": ID})

    conforms("Documents", by_agency.json)
    conforms("Documents", by_id.json)
    assert [each["kind"] for each in by_agency.json["documents"]] == ["new"]
    assert [each["issuer"] for each in by_id.json["documents"]] == ["H33.05"]
    (await hall.get("/v1/operator/documents", token=VIEWER)).problem("bad-request", 400)
    token = await hall.token("H33.05/dms")
    for door in ("documents", "documents/parked", "documents/duties"):
        (await hall.get(f"/v1/operator/{door}", token=token)).problem("forbidden", 403)


async def test_operators_see_statuses_without_a_document(hall: Hall) -> None:
    await report(hall, "03")

    found = await hall.get("/v1/operator/documents/parked", token=VIEWER)

    conforms("ParkedStatuses", found.json)
    (one,) = found.json["statuses"]
    assert (one["status"]["code"], one["reporter"], one["issuer"], one["document"]) == ("03", "H33.16", "H33.05", ID)
    given_up = await hall.get("/v1/operator/documents/parked", token=VIEWER, params={"given_up": "true"})
    assert given_up.json == {"statuses": []}
    bad = await hall.get("/v1/operator/documents/parked", token=VIEWER, params={"given_up": "yes"})
    bad.problem("bad-request", 400)
    assert not (await view(hall))["known"]


async def test_operators_see_what_is_owed(hall: Hall) -> None:
    found = await hall.get("/v1/operator/documents/duties", token=VIEWER)

    conforms("Duties", found.json)
    assert found.json == {"duties": []}
