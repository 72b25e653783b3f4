"""GET /v1/me/duties: an agency sees what it owes itself, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.law import read_law
from gateway.core.documents.registrar import Registrar
from tests.api.hall import OPERATOR, Hall, conforms, open_hall
from tests.town import document

LAW = read_law()


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    """A hall whose front door knows the law; H33.05 has sent H33.16 and H33.20 a document each."""
    async with open_hall(tmp_path) as opened:
        town = opened.town
        registrar = Registrar(lambda entry, event, now: LAW.obligations(entry, priority=event.priority, at=now))
        town.accept = replace(town.accept, line_of=registrar.line)
        for number, agency in enumerate(("H33.16", "H33.20")):
            data = document(issuingOrganId="H33.05", documentId=f"H33.05,2026/11/23,{number}/STC-VP")
            await town.sent(to=agency, subject=str(number), data=data)
        yield opened


async def test_an_agency_sees_its_own_open_duties(hall: Hall) -> None:
    answer = await hall.get("/v1/me/duties", token=await hall.token("H33.16/dms"))
    conforms("Duties", answer.json)
    (duty,) = answer.json["duties"]
    assert duty["id"]
    assert {name: duty[name] for name in ("agency", "duty", "document", "issuer", "due", "reminders")} == {
        "agency": "H33.16",
        "duty": "receipt",
        "document": "H33.05,2026/11/23,0/STC-VP",
        "issuer": "H33.05",
        "due": "2026-11-23T10:00:00.000Z",
        "reminders": 0,
    }


async def test_who_owes_nothing_sees_nothing(hall: Hall) -> None:
    assert (await hall.get("/v1/me/duties", token=await hall.token("H33.05/dms"))).json == {"duties": []}


async def test_the_page_is_bounded_and_the_door_is_for_systems(hall: Hall) -> None:
    token = await hall.token("H33.20/dms")
    assert len((await hall.get("/v1/me/duties?limit=1", token=token)).json["duties"]) == 1
    (await hall.get("/v1/me/duties?limit=0", token=token)).problem("bad-request", 400)
    (await hall.get("/v1/me/duties")).problem("unauthenticated", 401)
    (await hall.get("/v1/me/duties", token=OPERATOR)).problem("forbidden", 403)
