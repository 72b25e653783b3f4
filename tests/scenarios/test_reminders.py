"""A real gateway over SQLite whose clock leaps from Friday to Monday: reminded by HTTP, answered, closed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from gateway.client.identity import find_files, read_signer
from gateway.client.message import assertion, make_event, new_id
from gateway.compose import Gateway, running
from gateway.config.settings import read_settings
from gateway.core.envelope import seal
from gateway.core.faults import Misconfigured, Text
from gateway.core.jws import split
from gateway.core.law.rules import Law
from gateway.core.moments import VIET_NAM
from gateway.core.strictjson import parse_strict
from gateway.relay.clock import SystemClock
from tests.cli.desk import choose_port, lgsp
from tests.province import a_province, write
from tests.town import document

FRIDAY, MONDAY, TUESDAY = "2026-11-27 16:50", "2026-11-30 07:30", "2026-12-01 07:30"
KEY = "H33.05,2026/11/27,125/STC-VP"
SUBSCRIBED = '\n[[systems.subscriptions]]\ncontract = "document.reminder"\nversion = "1.0"\n'
STATUSES = '\n[[systems.subscriptions]]\ncontract = "document.status"\nversion = "1.0"\n'


@dataclass
class Leaping(SystemClock):
    """Time that passes as it does, from wherever it was set."""

    ahead: float = 0.0

    def now(self) -> float:
        """The moment here."""
        return time.time() + self.ahead

    def leap(self, text: str) -> None:
        """It is this moment in Viet Nam now."""
        self.ahead = datetime.fromisoformat(text).replace(tzinfo=VIET_NAM).timestamp() - time.time()


@dataclass
class Agencies:
    """The systems of both agencies, over HTTP."""

    folder: Path
    url: str
    clock: Leaping
    session: aiohttp.ClientSession
    gateway: Gateway

    async def send(self, source: str, contract: str, data: Any, to: str) -> dict[str, Any]:
        """Publish one message."""
        signer = read_signer(*find_files(self.folder / "keys", source))
        event = make_event(
            id=new_id(self.clock.now(), secrets.token_bytes(10)), source=source, contract=contract, version="1.0",
            subject=KEY, now=self.clock.now(), data=data, extensions={"to": to},
        )  # fmt: skip
        headers = {"Content-Type": "application/jose"}
        async with self.session.post(f"{self.url}/v1/messages", data=seal(event, signer), headers=headers) as answer:
            assert answer.status == 202, await answer.text()
            return dict(await answer.json())

    async def ask(self, system: str, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask a door as a system, with a token of this moment."""
        signer = read_signer(*find_files(self.folder / "keys", system))
        audience = f"{self.url}/oauth2/token"
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion(
                signer, system, audience, now=self.clock.now(), once=secrets.token_urlsafe(16)
            ),
        }
        async with self.session.post(audience, data=form) as answer:
            assert answer.status == 200, await answer.text()
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with self.session.request(method, f"{self.url}{path}", headers=headers, **request) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def fetch(self, system: str) -> list[dict[str, Any]]:
        """Lease what waits, and take it."""
        leased = (await self.ask(system, "POST", "/v1/inbox/lease", json={"max": 50}))["deliveries"]
        taken = [each["delivery"] for each in leased]
        await self.ask(system, "POST", "/v1/inbox/settle", json={"taken": taken})
        return [parse_strict(split(each["envelope"].encode()).payload) for each in leased]


@pytest.fixture
async def agencies(tmp_path: Path) -> AsyncIterator[Agencies]:
    folder = tmp_path / "tinh"
    a_province(folder)
    for code in ("H33.05", "H33.16"):
        path = f"agencies/{code}.toml"
        text = (folder / path).read_text("utf-8").replace('adapter = "webhook"', 'adapter = "inbox"')
        text = text.replace('[systems.settings]\nurl = "http://127.0.0.1:9001/inbox"\n', "")
        write(folder, path, text + SUBSCRIBED + STATUSES)
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


async def test_a_document_of_friday_afternoon_is_reminded_of_by_http_on_monday_morning(agencies: Agencies) -> None:
    gateway = agencies.gateway
    data = document(documentId=KEY, issuingOrganId="H33.05", issuedOn="2026-11-27")
    await agencies.send("H33.05/dms", "document.issued", data, "H33.16")
    assert [each["type"] for each in await agencies.fetch("H33.16/dms")] == ["document.issued"]
    (duty,) = (await agencies.ask("H33.16/dms", "GET", "/v1/me/duties"))["duties"]
    assert (duty["duty"], duty["due"], duty["reminders"]) == ("receipt", "2026-11-27T10:00:00.000Z", 0)

    agencies.clock.leap("2026-11-28 10:00")
    assert await gateway.remind.once() == 0  # a Saturday

    agencies.clock.leap(MONDAY)
    assert await gateway.remind.once() == 1
    (reminder,) = await agencies.fetch("H33.16/dms")
    assert (reminder["type"], reminder["subject"], reminder["data"]["level"]) == ("document.reminder", KEY, 1)
    assert reminder["source"] == "H33.14/lgsp"
    assert await agencies.fetch("H33.05/dms") == []

    agencies.clock.leap(TUESDAY)
    assert await gateway.remind.once() == 1
    (told,) = await agencies.fetch("H33.05/dms")
    assert (told["type"], told["data"]["level"], told["data"]["owedBy"]) == ("document.reminder", 2, "H33.16")

    status = {
        "from": {"organId": "H33.16"},
        "responseFor": {"organId": "H33.05", "documentId": KEY},
        "statusCode": "03",
        "timestamp": "2026-12-01T08:00:00+07:00",
    }
    await agencies.send("H33.16/dms", "document.status", status, "H33.05")
    assert (await agencies.ask("H33.16/dms", "GET", "/v1/me/duties"))["duties"] == []
    assert [each["type"] for each in await agencies.fetch("H33.05/dms")] == ["document.status"]


async def test_what_is_never_fetched_is_told_to_its_issuer_on_monday_afternoon(agencies: Agencies) -> None:
    gateway = agencies.gateway
    data = document(documentId=KEY, issuingOrganId="H33.05", issuedOn="2026-11-27")
    await agencies.send("H33.05/dms", "document.issued", data, "H33.16")
    for moment in (MONDAY, "2026-11-30 11:29", "2026-11-30 13:30", "2026-11-30 15:00", TUESDAY):
        agencies.clock.leap(moment)
        await gateway.remind.once()
    (told,) = await agencies.fetch("H33.05/dms")
    assert (told["data"]["rule"], told["data"]["owedBy"], told["data"]["owedTo"]) == ("dispatch", "H33.05", "H33.16")


async def test_a_day_off_that_staff_write_into_a_file_is_in_force_without_a_restart(agencies: Agencies) -> None:
    gateway, file = agencies.gateway, agencies.folder / "law" / "2026.toml"
    data = document(documentId=KEY, issuingOrganId="H33.05", issuedOn="2026-11-27")
    await agencies.send("H33.05/dms", "document.issued", data, "H33.16")
    await agencies.fetch("H33.16/dms")
    shown = await asyncio.to_thread(lgsp, "-C", agencies.folder, "calendar", "show", "2026", "--toml")
    off = '    { day = 2026-11-30, name = "Nghỉ bão" },\n]\nworking = ['
    file.write_text(shown.out.replace("]\nworking = [", off), "utf-8")
    await gateway.look_at_law()
    agencies.clock.leap(MONDAY)
    assert await gateway.remind.once() == 0

    file.write_text("[[years]]\nyear = 2026\n", "utf-8")
    await gateway.look_at_law()  # a mistake: the last good one stays in force
    assert await gateway.remind.once() == 0

    file.unlink()
    await gateway.look_at_law()
    assert await gateway.remind.once() == 1


UNREADABLE = Misconfigured("law/2026.toml", Text("không đọc được", "cannot be read"), Text("cấp quyền", "let it be"))


@pytest.mark.parametrize("trouble", [OSError("a disk that coughs"), UNREADABLE])
async def test_rules_that_cannot_be_opened_at_one_look_are_taken_at_a_later_one(
    agencies: Agencies, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, file = agencies.gateway, agencies.folder / "law" / "2026.toml"
    file.parent.mkdir(exist_ok=True)
    shown = await asyncio.to_thread(lgsp, "-C", agencies.folder, "calendar", "show", "2026", "--toml")
    off = '    { day = 2026-11-30, name = "Nghỉ bão" },\n]\nworking = ['
    file.write_text(shown.out.replace("]\nworking = [", off), "utf-8")

    def coughs(*_: object) -> Law:
        raise trouble

    before = gateway.law
    with monkeypatch.context() as patched, structlog.testing.capture_logs() as logs:
        patched.setattr("gateway.compose.gateway.read_law", coughs)
        for _ in range(3):
            with contextlib.suppress(OSError):  # told by whoever does it again and again
                await gateway.look_at_law()
    assert gateway.law is before
    assert len([each for each in logs if each["event"] == "law.unreadable"]) == isinstance(trouble, Misconfigured)

    await gateway.look_at_law()
    assert not gateway.law.calendar.is_working_day(date(2026, 11, 30))


async def test_a_word_in_a_document_raises_an_alarm_in_the_journal_and_the_document_goes_on(agencies: Agencies) -> None:
    data = document(documentId=KEY, issuingOrganId="H33.05", issuedOn="2026-11-27", subject="Tài liệu TUYỆT MẬT")
    sent = await agencies.send("H33.05/dms", "document.issued", data, "H33.16")
    rows = [
        parse_strict(body) for _, kind, body in await agencies.gateway.ledger.journal(limit=1000) if kind == "audit"
    ]
    assert [each["details"] for each in rows if each["audit"] == "document.words"] == [
        {"id": sent["id"], "rule": "tuyet-mat", "pointer": "/subject"}
    ]
    assert [each["id"] for each in await agencies.fetch("H33.16/dms")] == [sent["id"]]
