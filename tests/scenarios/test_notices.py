"""An applicant is told by mail and by SMS how a dossier stands, looks it up, and asks by SMS: one real gateway."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from adapters.mail_notice import stand_in as mail
from adapters.sms_gateway import stand_in as sms
from adapters.status_lookup.stand_in import Kiosk
from tests.cli.desk import lgsp
from tests.cli.living import at_a_free_port, living
from tests.province import a_province, write

SECRET = "a-secret-of-the-one-stop-system"
OFFICE = """\
code = "H33.05"
name = "Sở Tài chính"
parent = "H33"

[[systems]]
name = "onestop"
adapter = "inbox"
sealing = "gateway"
key = "keys/H33.05-onestop.pem"
secret_file = "keys/onestop.secret"
"""
SYSTEM = """
[[systems]]
name = "{name}"
adapter = "{adapter}"
sealing = "gateway"
key = "keys/H33.16-{name}.pem"

[systems.settings]
{settings}
{subscriptions}
"""
SUBSCRIPTIONS = """
[[systems.subscriptions]]
contract = "dossier.registered"
version = "2.0"

[[systems.subscriptions]]
contract = "dossier.progressed"
version = "1.0"
"""
AGREEMENT = """\
id = "HS-2018"
title = "Hồ sơ một cửa"
basis = "NĐ 61/2018/NĐ-CP"
purpose = "giai-quyet-tthc"
from = ["H33", "H33.*"]
to = ["*"]
contracts = ["dossier.*"]
valid_from = 2018-09-06
valid_until = 2030-12-31
"""


async def test_who_files_a_dossier_hears_of_it_and_can_ask_and_nobody_else_can(tmp_path: Path) -> None:
    made = a_province(tmp_path / "tinh")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(mail.agency(made))
        provider = await stack.enter_async_context(sms.agency(made))
        described(made, server.settings, provider.settings)
        applied = await asyncio.to_thread(lgsp, "-C", made, "apply")
        assert applied.status == 0, applied.err
        url = at_a_free_port(made)
        running = living(made, url)
        gateway = await asyncio.to_thread(running.__enter__)
        stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
        async with aiohttp.ClientSession(url) as session:
            code = await filed_and_dealt_with(session)
            async with asyncio.timeout(20):
                while len(server.box) < 2 or len(provider.sent) < 2:
                    assert gateway.process.poll() is None, "".join(gateway.log[-20:])
                    await asyncio.sleep(0.05)
            told = [str(each.message["Subject"]) for each in server.box]
            assert told == [f"Hồ sơ {code} đã được tiếp nhận", f"Hồ sơ {code}: Đang xử lý"]
            assert server.broken_rules == []
            texts = [each.text for each in provider.sent.values()]
            assert texts == [f"Ho so {code}: {words}. Hen tra: 17:00 27/11/2026." for words in
                             ("Duoc tiep nhan", "Dang xu ly")]  # fmt: skip

            kiosk = Kiosk(door=f"{url}/in/H33.16/lookup/")
            assert (await kiosk.ask(code)).told["completion"]["degree"] == "in-progress"
            assert [each["status"] for each in (await kiosk.ask(code, "345678")).told["steps"]] == [2, 4]
            wrong, unknown = await kiosk.ask(code, "876543"), await kiosk.ask("H33.05-261120-9999", "345678")
            assert (wrong.status, wrong.text) == (unknown.status, unknown.text) == (404, wrong.text)

            for phone, words in (("84912345678", f"Ho so {code}: Dang xu ly."), ("84987654321", "Khong co ho so")):
                assert (await asked_by_sms(session, phone, code)).startswith(words)
        log = "".join(gateway.log)
        assert not any(secret in log for secret in ("345678", "876543", mail.APPLICANT, "0912"))


def described(made: Path, mail_settings: Mapping[str, Any], sms_settings: Mapping[str, Any]) -> None:
    """Write the province down: who files, and whoever tells people."""
    systems = (
        ("mail", "mail_notice", mail_settings, SUBSCRIPTIONS),
        ("sms", "sms_gateway", sms_settings, SUBSCRIPTIONS),
        ("lookup", "status_lookup", {"answer_milliseconds": 50}, ""),
    )
    text = 'code = "H33.16"\nname = "Sở Thông tin và Truyền thông"\nparent = "H33"\n'
    for name, adapter, settings, subscriptions in systems:
        lines = "\n".join(f"{key} = {as_toml(value)}" for key, value in settings.items())
        text += SYSTEM.format(name=name, adapter=adapter, settings=lines, subscriptions=subscriptions)
    write(made, "agencies/H33.16.toml", text)
    write(made, "agencies/H33.05.toml", OFFICE)
    write(made, "keys/onestop.secret", f"{SECRET}\n")
    write(made, "agreements/HS-2018.toml", AGREEMENT)


def as_toml(value: Any) -> str:
    """A setting as TOML writes it, on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {as_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


async def filed_and_dealt_with(session: aiohttp.ClientSession) -> str:
    """The one-stop system tells of a dossier twice; its code."""
    form = {"grant_type": "client_credentials", "client_id": "H33.05/onestop", "client_secret": SECRET}
    async with session.post("/oauth2/token", data=form) as answer:
        token = (await answer.json())["access_token"]
    bare = {"specversion": "1.0", "source": "H33.05/onestop", "time": datetime.now(UTC).isoformat(),
            "datacontenttype": "application/json", "to": "H33.16"}  # fmt: skip
    filed = mail.a_registration({**bare, "id": str(uuid.uuid4())})
    code = str(filed["subject"])
    at = "2026-11-21T09:00:00+07:00"
    moved = {**filed, "id": str(uuid.uuid4()), "type": "dossier.progressed",
             "dataschema": "urn:lgsp:contract:dossier.progressed:1.0",
             "data": {"dossierCode": code, "at": at, "status": {"code": 4, "at": at}}}  # fmt: skip
    fields = {"authorization": f"Bearer {token}", "content-type": "application/cloudevents+json"}
    for event in (filed, moved):
        async with session.post("/v1/messages", data=json.dumps(event).encode(), headers=fields) as answer:
            assert answer.status == 202, await answer.text()
    return code


async def asked_by_sms(session: aiohttp.ClientSession, phone: str, code: str) -> str:
    """What a phone is answered."""
    fields = {"authorization": f"Bearer {sms.INBOUND}"}
    form = {"msisdn": phone, "message": f"TC {code}"}
    async with session.post("/in/H33.16/sms/mo", data=form, headers=fields) as answer:
        assert answer.status == 200
        return str((await answer.json())["reply"])
