"""Where a dossier stands is told to its parties, each with what it sent or was sent, and to operators without names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.core.calendar import Calendar
from gateway.core.moments import VIET_NAM
from gateway.relay.dossiers import said_of_dossier
from tests.api.hall import OPERATOR, Hall, conforms, open_hall
from tests.build import MORNING
from tests.town import Town, an_agreement, wishes_for

CODE = "H33.05-261123-0001"
KINDS = ("dossier.registered", "dossier.forwarded", "dossier.progressed", "document.issued")


def written(moment: float) -> str:
    return datetime.fromtimestamp(moment, VIET_NAM).isoformat(timespec="seconds")


async def tell(town: Town, kind: str, source: str, to: str, **data: Any) -> str:
    data = {"dossierCode": CODE, **data}
    said = await town.sent(
        source, type=kind, to=to, subject=data["dossierCode"], data=data, purpose="giai-quyet-tthc",
        dataschema=f"urn:lgsp:contract:{kind}:1.0",
    )  # fmt: skip
    return said.id


async def register(town: Town, code: str = CODE, *, status: int = 2, **more: Any) -> str:
    return await tell(
        town, "dossier.registered", "H33.05/dms", "H33.16", dossierCode=code, procedure={"code": "1.001234"},
        agency={"code": "H33.05"}, applicant={"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
        status={"code": status, "at": written(town.clock.now())}, **more,
    )  # fmt: skip


async def progress(town: Town, status: int, source: str, to: str) -> str:
    at = written(town.clock.now())
    return await tell(town, "dossier.progressed", source, to, at=at, status={"code": status, "at": at})


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    async with open_hall(tmp_path) as opened:
        town, calendar = opened.town, Calendar()
        for code in ("H33.05", "H33.16", "H33.20", "H33.30"):
            town.change(f"{code}/dms", subscriptions=wishes_for(*KINDS))
        town.agree(an_agreement(id="HS-2026", purpose="giai-quyet-tthc", contracts=("dossier.*",)))
        town.accept = replace(
            town.accept,
            dossier_of=lambda event, routes, directory, now: said_of_dossier(event, routes, directory, now, calendar),
        )
        yield opened


async def ask(hall: Hall, system: str, code: str = CODE) -> Any:
    return await hall.get(f"/v1/dossiers/{code}", token=await hall.token(system))


async def test_a_party_sees_the_course_and_the_record(hall: Hall) -> None:
    await register(hall.town, dueAt=written(MORNING + 86400))
    hall.town.clock.moment += 60
    await progress(hall.town, 4, "H33.05/dms", "H33.16")

    for system in ("H33.05/dms", "H33.16/dms"):
        answer = await ask(hall, system, "h33.05-261123-0001")
        assert answer.status == 200, answer.body
        conforms("Dossier", answer.json)
        assert (answer.json["code"], answer.json["status"]["code"], answer.json["lead"]) == (CODE, 4, "H33.05")
        assert [(step["kind"], step["moved"]) for step in answer.json["steps"]] == [
            ("registered", True), ("progressed", True),
        ]  # fmt: skip
        assert answer.json["record"]["applicant"]["name"] == "Nguyễn Văn Mẫu"


async def test_the_record_is_made_of_what_a_party_sent_or_was_sent(hall: Hall) -> None:
    await register(hall.town)
    hall.town.clock.moment += 60
    await progress(hall.town, 4, "H33.05/dms", "H33.20")

    answer = await ask(hall, "H33.20/dms")

    assert answer.json["status"]["code"] == 4
    assert "record" not in answer.json


async def test_nobody_else_learns_that_it_exists(hall: Hall) -> None:
    await register(hall.town)
    await progress(hall.town, 9, "H33.30/dms", "H33.20")

    for system in ("H33.30/dms", "H33.20/dms"):
        (await ask(hall, system)).problem("not-found", 404)
    (await ask(hall, "H33.05/dms", "H33.05-261123-0099")).problem("not-found", 404)
    (await ask(hall, "H33.05/dms", "X" * 300)).problem("not-found", 404)
    (await hall.get(f"/v1/dossiers/{CODE}")).problem("unauthenticated", 401)


async def test_a_code_may_be_any_text(hall: Hall) -> None:
    await register(hall.town, "BTP/2026 số 1")

    answer = await ask(hall, "H33.05/dms", "btp%2F2026%20s%E1%BB%91%201")

    assert answer.json["code"] == "BTP/2026SỐ1"


async def test_operators_see_the_course_and_nothing_of_anybody(hall: Hall) -> None:
    await register(hall.town)
    await hall.doors.dossiers.settle_once()

    one = await hall.get(f"/v1/dossiers/{CODE}", token=OPERATOR)
    every = await hall.get("/v1/operator/dossiers", token=OPERATOR)

    conforms("Dossier", one.json)
    conforms("DossierPage", every.json)
    assert [each["code"] for each in every.json["dossiers"]] == [CODE]
    assert "Mẫu".encode() not in one.body + every.body
    assert "record" not in one.json
    token = await hall.token("H33.05/dms")
    (await hall.get("/v1/operator/dossiers", token=token)).problem("forbidden", 403)


async def test_a_list_is_asked_by_agency_status_and_lateness_page_by_page(hall: Hall) -> None:
    codes = [f"H33.05-261123-000{number}" for number in range(4)]
    for number, code in enumerate(codes):
        late = {"dueAt": written(MORNING + 3600)} if number % 2 else {}
        await register(hall.town, code, status=2 if number < 3 else 1, **late)
    await hall.doors.dossiers.settle_once()

    async def listed(query: str) -> tuple[list[str], str | None]:
        answer = await hall.get(f"/v1/operator/dossiers?{query}", token=OPERATOR)
        assert answer.status == 200, answer.body
        return [each["code"] for each in answer.json["dossiers"]], answer.json.get("next")

    assert await listed("limit=3") == (codes[:3], codes[2])
    assert await listed(f"limit=3&after={codes[2]}") == (codes[3:], None)
    assert await listed("status=1") == (codes[3:], None)
    assert await listed("lead=000.00.05.H33") == (codes, None), "by any code of the agency"
    assert await listed("lead=H33.16") == ([], None)
    assert await listed("overdue=true") == ([], None)
    hall.town.clock.moment += 86400
    assert await listed("overdue=true") == ([codes[1]], None), "what nobody received yet is not late"
    assert await listed("overdue=true&limit=1") == ([codes[1]], codes[1])


@pytest.mark.parametrize("query", ["status=11", "status=x", "overdue=yes", "lead=", "limit=0", f"after={'x' * 101}"])
async def test_a_question_that_cannot_be_meant_is_told_so(hall: Hall, query: str) -> None:
    (await hall.get(f"/v1/operator/dossiers?{query}", token=OPERATOR)).problem("bad-request", 400)
