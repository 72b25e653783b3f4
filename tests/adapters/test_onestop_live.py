"""A real gateway between one-stop software of each generation and an agency that fetches: nothing lost or doubled."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from adapters.inbox.stand_in import InboxClient
from adapters.onestop import stand_in as current
from adapters.onestop_wso2 import stand_in as older
from tests.adapters.one_stop_bus import an_event_of
from tests.cli.desk import lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.province import a_pair, a_province, write

SECRET = "khoa-lay-thu"
DOSSIERS = 5
THEIRS = """\
code = "H33.05"
name = "Sở Tài chính"
parent = "H33"

[[systems]]
name = "reader"
adapter = "inbox"
sealing = "gateway"
key = "keys/reader.pem"
secret_file = "keys/reader.secret"
{subscriptions}
"""
OURS = """\
code = "H33.16"
name = "Một cửa mẫu"
parent = "H33"

[[systems]]
name = "motcua"
adapter = "{adapter}"
sealing = "gateway"
key = "keys/motcua.pem"
secret_file = "keys/reader.secret"

[systems.settings]
{settings}
{subscriptions}
"""
AGREEMENT = """\
id = "MC"
title = "Liên thông hồ sơ một cửa"
basis = "NĐ 61/2018/NĐ-CP"
purpose = "giai-quyet-tthc"
from = ["H33.05", "H33.16"]
to = ["H33.05", "H33.16"]
contracts = ["dossier.*", "statistics.*"]
valid_from = 2019-01-01
valid_until = 2030-12-31
"""
WANTED = {
    "dossier.registered": "2.0", "dossier.progressed": "1.0", "dossier.supplement-requested": "1.0",
    "dossier.supplemented": "2.0", "dossier.result-issued": "2.0", "dossier.forwarded": "1.0",
    "statistics.monthly": "1.0",
}  # fmt: skip


def subscriptions(*names: str) -> str:
    retry = '{ first = "100ms", factor = 1.5, cap = "500ms", deadline = "1d" }'
    return "".join(
        f'\n[[systems.subscriptions]]\ncontract = "{name}"\nversion = "{WANTED[name]}"\nretry = {retry}\n'
        for name in names
    )


async def founded(folder: Path, adapter: str, settings: dict[str, Any]) -> str:
    """A province of the office and its reader, applied; the address at which it will listen."""
    made = a_province(folder)
    for name in ("reader", "motcua"):
        a_pair(made, name)
    write(made, "keys/reader.secret", f"{SECRET}\n")
    written = "\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())
    write(made, "agencies/H33.05.toml", THEIRS.format(subscriptions=subscriptions(*WANTED)))
    ours = OURS.format(adapter=adapter, settings=written, subscriptions=subscriptions("dossier.registered"))
    write(made, "agencies/H33.16.toml", ours)
    write(made, "agreements/MC.toml", AGREEMENT)
    (made / "agreements/VB-2018.toml").unlink()
    url = at_a_free_port(made)
    applied = await asyncio.to_thread(lgsp, "-C", made, "apply")
    assert applied.status == 0, applied.err
    return url


async def running(folder: Path, url: str, work: Callable[[Living], Awaitable[None]]) -> None:
    async with AsyncExitStack() as stack:
        held = living(folder, url)
        gateway = await asyncio.to_thread(held.__enter__)
        stack.push_async_callback(asyncio.to_thread, held.__exit__, None, None, None)
        await work(gateway)


async def until(is_so: Callable[[], Awaitable[bool]], gateway: Living, seconds: float = 30) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not await is_so():
        assert gateway.process.poll() is None, "".join(gateway.log[-20:])
        assert asyncio.get_running_loop().time() < end, "".join(gateway.log[-20:])
        await asyncio.sleep(0.05)


async def filed(url: str, code: str) -> None:
    """The other agency sends a dossier to the one-stop, as an event of the bus."""
    data = {
        "dossierCode": code, "procedure": {"code": "1.004199"}, "agency": {"code": "H33.16"},
        "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
        "status": {"code": 1, "at": "2026-11-23T08:00:00+07:00"},
    }  # fmt: skip
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    event = {**an_event_of("dossier.registered", "2.0", data, time=moment), "source": "H33.05/reader", "to": "H33.16"}
    form = {"grant_type": "client_credentials", "client_id": "H33.05/reader", "client_secret": SECRET}
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{url}/oauth2/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        fields = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
        async with http.post(f"{url}/v1/messages", data=json.dumps(event).encode(), headers=fields) as answer:
            assert answer.status == 202, await answer.text()


async def told(url: str) -> list[dict[str, Any]]:
    """Every event that waits for the other agency, taken as it comes."""
    client = InboxClient(url, "H33.05/reader", secret=SECRET)
    found: list[dict[str, Any]] = []
    try:
        while leases := await client.lease(max=200, wait=0.5):
            for each in leases:
                payload = each.envelope.split(".")[1]
                found.append(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
            await client.settle(taken=[each.delivery for each in leases])
    finally:
        await client.close()
    return found


def kinds(events: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """How often each kind of event was told of each dossier."""
    return Counter((each["subject"], each["type"]) for each in events)


def ours(number: int) -> str:
    return f"H33.16-261123-{number:04}"


async def test_current_software_with_all_its_habits_through_a_power_cut(tmp_path: Path) -> None:
    async with current.agency(tmp_path / "tinh") as office:
        url = await founded(tmp_path / "tinh", "onestop", dict(office.login_settings))
        office.door = f"{url}/in/H33.16/motcua"
        habits, faults = office.habits, office.faults
        habits.twice = habits.shuffles = habits.nulls = habits.numbers = habits.cased = True
        habits.patience, faults.lost, faults.pages, faults.words = 2.0, 2, 1, 1
        for number in range(DOSSIERS):
            office.receive({"MaHoSo": ours(number)})
            office.progress(ours(number), "4")

        async def first_half(gateway: Living) -> None:
            for number in range(DOSSIERS):
                await filed(url, f"H33.16-261123-9{number:03}")
            sending = asyncio.create_task(office.cycle())
            await until(lambda: _any(office.unsent() != [ours(n) for n in range(DOSSIERS)]), gateway)
            await asyncio.to_thread(gateway.kill)
            await sending

        async def second_half(gateway: Living) -> None:
            for number in range(DOSSIERS):
                office.issue_result(ours(number), {f"ketqua-{number}.pdf": b"%PDF-1.4"}, is_handed_over=True)

            async def is_sent() -> bool:
                await office.cycle()
                arrived = {item["MaHoSo"] for _, _, item in office.posts}
                return not office.unsent() and len(arrived) == DOSSIERS

            await until(is_sent, gateway)
            async with aiohttp.ClientSession() as http:
                form = {"grant_type": "client_credentials", "client_id": office.system, "client_secret": SECRET}
                async with http.post(f"{url}/oauth2/token", data=form) as answer:
                    token = (await answer.json())["access_token"]
            assert await office.forward(url, token, ours(0), "H33.05", "2026-12-01T17:00:00+07:00") == 202
            found = kinds(await told(url))
            assert found[ours(0), "dossier.forwarded"] == 1
            for number in range(DOSSIERS):
                assert found[ours(number), "dossier.registered"] == 1
                # What was killed before it was synced is synced as it stands afterwards.
                assert found[ours(number), "dossier.result-issued"] <= 1
                assert found[ours(number), "dossier.progressed"] == 1
            assert found[ours(0), "dossier.result-issued"] == 1
            assert {code for code, _ in found} == {ours(number) for number in range(DOSSIERS)}

        await running(tmp_path / "tinh", url, first_half)
        assert office.errors
        await running(tmp_path / "tinh", url, second_half)
        assert [each for each in office.errors if each.startswith("bus:")] == []


async def _any(value: bool) -> bool:
    return value


async def test_older_software_with_files_inline_and_an_inbox_through_a_power_cut(tmp_path: Path) -> None:
    async with older.agency(tmp_path / "tinh") as office:
        url = await founded(tmp_path / "tinh", "onestop_wso2", dict(office.settings))
        office.door, office.bus, office.inbox_secret = f"{url}/in/H33.16/motcua", url, SECRET
        habits = office.habits
        habits.twice = habits.shuffles = habits.texts = habits.nulls = habits.by_words = True
        habits.patience = 2.0
        for number in range(DOSSIERS):
            office.receive({"DocCode": ours(number)}, {"don.pdf": b"%PDF-1.4" + bytes(200_000)})
            office.progress(ours(number), 1)

        async def first_half(gateway: Living) -> None:
            for number in range(DOSSIERS):
                await filed(url, f"H33.16-261123-9{number:03}")
            sending = asyncio.create_task(office.cycle())
            await until(lambda: _any(office.unsent() != [ours(n) for n in range(DOSSIERS)]), gateway)
            await asyncio.to_thread(gateway.kill)
            await sending

        async def second_half(gateway: Living) -> None:
            async def is_sent() -> bool:
                await office.cycle()
                return not office.unsent()

            await until(is_sent, gateway)
            for number in range(DOSSIERS):
                office.issue_result(ours(number), is_handed_over=True)
            await until(is_sent, gateway)
            assert await office.send_figures({"Month": 11, "Year": 2026, "Total": 5, "PreExtisting": 0})

            async def is_fetched() -> bool:
                await office.fetch()
                return len(office.fetched) >= DOSSIERS

            await until(is_fetched, gateway)
            assert await office.forward(ours(0), "H33.05", "2026-12-01T17:00:00+07:00") == 202
            events = await told(url)
            found = kinds(events)
            for number in range(DOSSIERS):
                for kind in ("registered", "progressed", "result-issued"):
                    assert found[ours(number), f"dossier.{kind}"] == 1
            assert found["H33.16:2026-11", "statistics.monthly"] == 1
            assert found[ours(0), "dossier.forwarded"] == 1
            (paper,) = next(each for each in events if each["type"] == "dossier.registered")["data"]["papers"]
            assert (paper["file"]["size"], paper["file"]["mediaType"]) == (200_008, "application/pdf")

        await running(tmp_path / "tinh", url, first_half)
        await running(tmp_path / "tinh", url, second_half)
        codes = Counter(event["subject"] for _, event in office.fetched)
        assert codes == {f"H33.16-261123-9{number:03}": 1 for number in range(DOSSIERS)}
