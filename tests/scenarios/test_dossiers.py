"""A real gateway over SQLite: a dossier handed on on Friday is worked out by itself, late on Monday, told of once."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.client.identity import find_files, read_signer
from gateway.client.message import make_event
from gateway.compose import running
from gateway.config.settings import read_settings
from gateway.core.envelope import seal
from gateway.core.moments import format_moment
from tests.build import a_key
from tests.cli.desk import choose_port, lgsp
from tests.province import a_province, write
from tests.scenarios.test_reminders import FRIDAY, MONDAY, Agencies, Leaping
from tests.town import eventually

CODE = "H33.05-261127-0001"
KINDS = ("dossier.registered", "dossier.forwarded", "dossier.progressed")
AGREEMENT = """\
id = "HS"
title = "Hồ sơ một cửa"
basis = "NĐ 61/2018/NĐ-CP"
purpose = "giai-quyet-tthc"
from = ["*"]
to = ["*"]
contracts = ["dossier.*"]
valid_from = 2018-09-06
valid_until = 2090-12-31
"""


@pytest.fixture
async def agencies(tmp_path: Path) -> AsyncIterator[Agencies]:
    folder = tmp_path / "tinh"
    a_province(folder)
    wishes = "".join(f'\n[[systems.subscriptions]]\ncontract = "{kind}"\nversion = "1.0"\n' for kind in KINDS)
    for code in ("H33.05", "H33.16"):
        path = f"agencies/{code}.toml"
        text = (folder / path).read_text("utf-8").replace('adapter = "webhook"', 'adapter = "inbox"')
        text = text.replace('[systems.settings]\nurl = "http://127.0.0.1:9001/inbox"\n', "")
        write(folder, path, text + wishes)
    write(folder, "agreements/HS.toml", AGREEMENT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    url = choose_port(folder, port)
    told = await asyncio.to_thread(lgsp, "-C", folder, "apply")
    assert told.status == 0, told.err
    clock = Leaping()
    clock.leap(FRIDAY)
    async with running(read_settings(folder), clock=clock) as gateway, aiohttp.ClientSession() as session:
        yield Agencies(folder, url, clock, session, gateway)


async def send(agencies: Agencies, number: int, contract: str, data: dict[str, Any]) -> None:
    signer = read_signer(*find_files(agencies.folder / "keys", "H33.05/dms"))
    event = make_event(
        id=a_key(number), source="H33.05/dms", contract=contract, version="1.0", subject=CODE,
        now=agencies.clock.now(), data={"dossierCode": CODE, **data},
        extensions={"to": "H33.16", "purpose": "giai-quyet-tthc"},
    )  # fmt: skip
    headers = {"Content-Type": "application/jose"}
    async with agencies.session.post(
        f"{agencies.url}/v1/messages", data=seal(event, signer), headers=headers
    ) as answer:
        assert answer.status == 202, await answer.text()


async def test_a_dossier_is_worked_out_by_itself_and_a_missed_deadline_told_once(agencies: Agencies) -> None:
    gateway, now = agencies.gateway, agencies.clock.now()
    applicant = {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}
    registered = {
        "procedure": {"code": "1.001234"}, "agency": {"code": "H33.05"}, "applicant": applicant,
        "status": {"code": 2, "at": format_moment(now)}, "receivedAt": format_moment(now),
        "term": {"number": 5, "unit": "working-day"},
    }  # fmt: skip
    hop = {
        "number": 1, "from": {"code": "H33.05"}, "to": {"code": "H33.16"}, "forwardedAt": format_moment(now + 1),
        "term": {"number": 4, "unit": "working-hour"},
    }  # fmt: skip
    await send(agencies, 1, "dossier.registered", registered)
    await send(
        agencies, 2, "dossier.forwarded",
        {"hop": hop, "dossier": {"procedure": {"code": "1.001234"}, "applicant": applicant}},
    )  # fmt: skip

    async def is_settled() -> bool:
        head = await gateway.dossiers.register.head(CODE)
        return head is not None and head.next_look is not None

    await eventually(is_settled)
    seen = await agencies.ask("H33.16/dms", "GET", f"/v1/dossiers/{CODE}")
    assert (seen["status"]["code"], seen["record"]["applicant"]["name"]) == (2, "Nguyễn Văn Mẫu")
    # Ten minutes of Friday are left, the rest of the four hours is of Monday.
    (part,) = seen["parts"]
    assert part["due"].startswith("2026-11-30T04:2"), part
    assert seen["due"].startswith("2026-12-04T09:5"), seen["due"]
    # An adapter is handed what its system's agency may see of it; one that speaks for the province all of it.
    system = gateway.picture.directory.systems["H33.16/dms"]
    handed = await gateway._context(system).dossier(CODE.lower())
    assert handed is not None
    assert handed.record["dossierCode"] == CODE
    context = gateway._context(system)
    assert context.door.endswith("/in/H33.16/dms/")
    assert context.agency_name("H33.16") == gateway.picture.directory.agencies["H33.16"].name
    assert context.agency_name("H99.99") == "H99.99"
    strange = replace(system, agency="H33.99")
    assert await gateway._context(strange).dossier(CODE) is None
    assert await gateway._context(strange).course(CODE) is None
    page = gateway._context(replace(strange, adapter="status_lookup"))
    known, course = await page.dossier(CODE), await page.course(CODE)
    assert known is not None
    assert known.record["applicant"]["name"] == "Nguyễn Văn Mẫu"
    assert course is not None
    assert (course.status, course.record) == (known.status, {})

    agencies.clock.leap(MONDAY)
    assert await gateway.dossiers.look_once() == 0
    agencies.clock.leap("2026-11-30 11:30")
    assert await gateway.dossiers.look_once() == 1
    assert await gateway.dossiers.look_once() == 0
    rows = [json.loads(body) for _, kind, body in await gateway.ledger.journal(limit=500) if kind == "audit"]
    (told,) = [row for row in rows if row["audit"] == "dossier.overdue"]
    assert {name: told["details"][name] for name in ("dossier", "agency", "hop")} == {
        "dossier": CODE, "agency": "H33.16", "hop": 1,
    }  # fmt: skip
