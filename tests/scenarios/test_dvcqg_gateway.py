"""A province before the national portal, which misbehaves all the while: every status there is right in the end."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.dvcqg.stand_in import Fault, Portal, agency, an_item
from gateway.client.identity import find_files, read_signer
from gateway.client.message import make_event, new_id
from gateway.core.envelope import seal
from gateway.core.moments import VIET_NAM
from tests.cli.desk import lgsp
from tests.cli.living import Living, at_a_free_port, living
from tests.province import a_pair, a_province, write

SYSTEM = """\
code = "{code}"
name = "{name}"
parent = "H33"

[[systems]]
name = "mcdt"
adapter = "inbox"
certificates = ["keys/{code}-mcdt.crt"]

[[systems.subscriptions]]
contract = "dossier.registered"
version = "2.0"
"""
NATIONAL = """\
code = "G22"
name = "Cổng dịch vụ công quốc gia"
level = "central"

[[systems]]
name = "dvcqg"
adapter = "dvcqg"
sealing = "gateway"
key = "keys/G22-dvcqg.pem"

[systems.settings]
{settings}
"""
TOLD = {
    "dossier.registered": "2.0", "dossier.forwarded": "1.0", "dossier.progressed": "1.0",
    "dossier.supplement-requested": "1.0", "dossier.result-issued": "2.0", "payment.notified": "1.0",
}  # fmt: skip
SUBSCRIPTION = """
[[systems.subscriptions]]
contract = "{contract}"
version = "{version}"
retry = {{ first = "150ms", factor = 1.3, cap = "400ms", deadline = "1d" }}
"""
AGREEMENT = """\
id = "MC-THU"
title = "Trao đổi hồ sơ một cửa"
basis = "NĐ 61/2018/NĐ-CP, Điều 25"
purpose = "giai-quyet-tthc"
from = ["*"]
to = ["*"]
contracts = ["dossier.*", "payment.*"]
valid_from = 2019-01-01
valid_until = 2090-12-31
"""
ONE_STOP, DISTRICT, BANK = "H33.05", "H33.40", "H33.90"
FAULTS = {
    "login": [Fault("html"), Fault("http", 503)],
    "TraCuuHoSo": [Fault("wrong-json"), Fault("blind"), Fault("session"), Fault("slow", 0.4), Fault("code", "99")],
    "DongBoHoSoMC": [
        Fault("lost-reply"), Fault("html"), Fault("session"), Fault("slow", 1.2), Fault("words", "Không thành công"),
        Fault("encoded"), Fault("null"), Fault("lost-reply"), Fault("cut"),
    ],
    "CapNhatTienDoHoSoMC": [Fault("lost-reply"), Fault("http", 500), Fault("reset"), Fault("lost-reply")],
}  # fmt: skip
BEGAN = datetime.now(VIET_NAM).replace(microsecond=0) - timedelta(days=2)


def moment(hour: int) -> str:
    """An hour of the last days."""
    return (BEGAN + timedelta(hours=hour)).isoformat()


def at(code: int, hour: int) -> dict[str, Any]:
    return {"code": code, "at": moment(hour)}


class Town:
    """Agencies that speak of dossiers, and what the portal has to show in the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.statuses: dict[str, str] = {}
        self.steps: dict[str, set[str]] = {}
        self._waiting: list[bytes] = []

    def say(self, source: str, contract: str, data: Mapping[str, Any]) -> None:
        """A message to be published."""
        system = f"{source}/mcdt"
        now = time.time()
        event = make_event(
            id=new_id(now, secrets.token_bytes(10)), source=system, contract=contract, version=TOLD[contract],
            subject=str(data["dossierCode"]), now=now, data=data,
            extensions={"to": "G22", "purpose": "giai-quyet-tthc"},
        )  # fmt: skip
        self._waiting.append(seal(event, read_signer(*find_files(self.folder / "keys", system))))

    def registered(self, code: str) -> None:
        self.say(
            ONE_STOP,
            "dossier.registered",
            {
                "dossierCode": code,
                "procedure": {"code": "2.002492", "name": "Thủ tục mẫu"},
                "agency": {"code": ONE_STOP, "name": "Sở Tài chính"},
                "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
                "abstract": "Hồ sơ mẫu",
                "receivedAt": moment(2),
                "dueAt": moment(200),
                "status": at(2, 2),
            },
        )

    def step(self, code: str, status: int, hour: int, source: str = ONE_STOP) -> None:
        words = f"Bước {hour} của {source}"
        self.steps.setdefault(code, set()).add(words)
        data = {"dossierCode": code, "at": moment(hour), "status": at(status, hour), "content": words}
        self.say(source, "dossier.progressed", data)

    def live(self, code: str, kind: int) -> None:
        """What happens to a dossier; each kind is one of the ways in which portals were set wrong."""
        if kind == 6:  # a step is told before anybody registered it
            self.step(code, 4, 4)
            self.registered(code)
            self.statuses[code] = "4"
            return
        self.registered(code)
        self.step(code, 4, 4)
        self.statuses[code] = {0: "9", 1: "5", 2: "4", 3: "4", 4: "4", 5: "8"}[kind]
        if kind == 0:
            result = {"name": "Giấy phép", "link": "https://motcua.example.vn/kq/1"}
            issued = {"dossierCode": code, "status": at(9, 9), "results": [result], "finishedAt": moment(9)}
            self.say(ONE_STOP, "dossier.result-issued", issued)
        elif kind == 1:
            asked = {"id": "BS-1", "content": "Thiếu bản vẽ", "requestedAt": moment(6)}
            self.say(
                ONE_STOP, "dossier.supplement-requested",
                {"dossierCode": code, "status": at(5, 6), "supplement": asked},
            )  # fmt: skip
        elif kind == 2:  # late and out of order
            self.step(code, 2, 3)
        elif kind == 3:  # a district is done with its part
            part = {"procedure": {"code": "2.002492"}, "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"}}
            hop = {"number": 1, "from": {"code": ONE_STOP}, "to": {"code": DISTRICT}, "forwardedAt": moment(5)}
            words = "Chuyển xuống huyện"
            self.steps[code].add(words)
            self.say(
                ONE_STOP, "dossier.forwarded", {"dossierCode": code, "hop": hop, "dossier": part, "content": words}
            )
            self.step(code, 9, 8, DISTRICT)
        elif kind == 4:  # paid, and the bank calls twice
            self.step(code, 6, 6)
            paid = {"dossierCode": code, "noticeId": "TB-1", "amount": 1000, "outcome": "paid"}
            self.steps[code].add("Đã thực hiện nghĩa vụ tài chính")
            for hour in (7, 7):
                self.say(BANK, "payment.notified", {**paid, "paidAt": moment(hour), "status": at(4, hour)})
        else:  # stopped, and then called done by a mere word
            self.step(code, 8, 6)
            self.step(code, 9, 7)

    def publish(self, gateway: Living) -> None:
        """Publish what waits; each message is taken."""
        outcomes = [gateway.ask("/v1/messages", body) for body in self._waiting]
        assert [status for status, _ in outcomes if status != 202] == [], outcomes[-1]
        self._waiting.clear()

    def is_shown(self, portal: Portal) -> bool:
        """Whether the portal shows every dossier where it stands, with every step."""
        return all(
            portal.table.status(code) == status
            and {step["NoiDungXuLy"] for step in portal.of(code).steps} >= self.steps.get(code, set())
            for code, status in self.statuses.items()
        )


def a_town(folder: Path, portal: Portal) -> Town:
    for code, name in ((ONE_STOP, "Sở Tài chính"), (DISTRICT, "UBND huyện Mẫu"), (BANK, "Trung tâm thanh toán")):
        write(folder, f"agencies/{code}.toml", SYSTEM.format(code=code, name=name))
        a_pair(folder, f"{code}-mcdt")
    a_pair(folder, "G22-dvcqg")
    portal.manners.zero, portal.manners.exists, portal.manners.casing = "00", "-3", "upper"
    portal.manners.doubles, portal.manners.nulls = True, True
    settings = {**portal.settings, "timeout": 1, "catalogue": False, "to": [ONE_STOP]}
    lines = "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items())
    subscriptions = "".join(SUBSCRIPTION.format(contract=name, version=label) for name, label in TOLD.items())
    write(folder, "agencies/G22.toml", NATIONAL.format(settings=lines) + subscriptions)
    write(folder, "agreements/MC-THU.toml", AGREEMENT)
    return Town(folder)


async def test_a_portal_that_misbehaves_shows_every_dossier_where_it_stands_in_the_end(tmp_path: Path) -> None:
    folder = a_province(tmp_path / "tinh")
    async with agency(folder) as portal:
        town = a_town(folder, portal)
        applied = await asyncio.to_thread(lgsp, "-C", folder, "apply")
        assert applied.status == 0, applied.err
        for service, faults in FAULTS.items():
            portal.faults.once(service, *faults)
        url = at_a_free_port(folder)
        codes = [f"000.00.05.H33-261123-{number:04}" for number in range(1, 13)]
        log: list[str] = []

        async with AsyncExitStack() as stack:
            gateway = await a_gateway(stack, folder, url, log)
            calling = portal.calling(f"{url}/in/G22/dvcqg", twice=True)
            for code in codes[:3]:
                filed = portal.filed(an_item(code, NgayNopHoSo=(BEGAN + timedelta(hours=1)).strftime("%Y%m%d%H%M%S")))
                assert (await calling.file(filed, "data")).is_yes, calling.heard
            for number, code in enumerate(codes[:7]):
                town.live(code, number % 7)
            await asyncio.to_thread(town.publish, gateway)
            await until(lambda: len(portal.table.dossiers) >= 5, gateway)
            for code in codes[7:]:
                town.live(code, (codes.index(code)) % 7)
            await asyncio.to_thread(town.publish, gateway)
            portal.doors.expire_sessions()
            await until(lambda: len(portal.table.dossiers) >= 8, gateway)
            # As a power cut would, between whatever it is doing.
            await asyncio.to_thread(gateway.kill)
        await portal.go_down()
        async with AsyncExitStack() as stack:
            gateway = await a_gateway(stack, folder, url, log)
            await asyncio.sleep(0.3)
            await portal.come_back()
            await until(lambda: town.is_shown(portal), gateway, lambda: repr(shown(portal, town)))
            await asyncio.sleep(0.8)  # what would set a status back has its chance

        assert shown(portal, town) == {}
        assert sorted(portal.table.dossiers) == codes
        assert portal.table.violations == []
        for code in codes:
            words = [step["NoiDungXuLy"] for step in portal.of(code).steps]
            assert sorted(words) == sorted(town.steps.get(code, set())), code
        assert {code: portal.of(code).statuses for code in codes if "9" in portal.of(code).statuses} == {
            code: portal.of(code).statuses for code in codes if town.statuses[code] == "9"
        }
        assert all(heard.is_yes for heard in calling.heard)
        assert "mat-khau-mau-7" not in "".join(log)


def shown(portal: Portal, town: Town) -> dict[str, tuple[str | None, str]]:
    """Dossiers that the portal shows otherwise than they stand."""
    return {
        code: (portal.table.status(code), status)
        for code, status in town.statuses.items()
        if portal.table.status(code) != status
    }


async def a_gateway(stack: AsyncExitStack, folder: Path, url: str, log: list[str]) -> Living:
    running = living(folder, url)
    alive = await asyncio.to_thread(running.__enter__)
    stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
    stack.callback(lambda: log.extend(alive.log))
    return alive


async def until(is_so: Callable[[], bool], gateway: Living, why: Callable[[], str] = str, seconds: float = 40) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not is_so():
        assert gateway.process.poll() is None, "".join(gateway.log[-20:])
        assert asyncio.get_running_loop().time() < end, why() + "".join(gateway.log[-25:])
        await asyncio.sleep(0.05)
