"""The national portal in small takes nothing but what the field lists say, and says no in the portal's own way."""

from __future__ import annotations

import ast
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from adapters.dvcqg.portal.doors import AGENCY, AUTH, DSTCODE, INTEGRATION, PASSWORD, SHARE, USERNAME
from adapters.dvcqg.portal.faults import Kind
from adapters.dvcqg.stand_in import Fault, Portal, agency, an_item
from tests.adapters.portal_desk import PDF, a_file_host

CODE = "000.00.05.H33-261123-0001"
GIVEN = {"NgayTiepNhan": "20261123083000", "TrangThaiHoSo": "2"}
STEP = {"MaHoSo": CODE, "NguoiXuLy": "x", "ThoiDiemXuLy": "20261124083000", "NoiDungXuLy": "x", "TrangThai": "4"}


class Client:
    """Somebody who calls it by hand."""

    def __init__(self, portal: Portal, http: aiohttp.ClientSession) -> None:
        self.portal = portal
        self.http = http
        self.session = ""

    async def post(self, path: str, body: Any, **fields: str) -> tuple[int, Any]:
        async with self.http.post(self.portal.url + path, json=body, headers={"dstcode": DSTCODE, **fields}) as answer:
            return answer.status, await answer.json()

    async def log_in(self, **override: str) -> Any:
        _, said = await self.post(AUTH, {"username": USERNAME, "password": PASSWORD, **override})
        self.session = said.get("session", "")
        return said

    async def ask(self, service: str, path: str = INTEGRATION, **extra: Any) -> Any:
        body = {"session": self.session, "madonvi": AGENCY, "service": service, **extra}
        return (await self.post(path, body))[1]

    async def put(self, updating: str = "False", **override: Any) -> Any:
        return await self.ask("DongBoHoSoMC", isUpdating=updating, data=[an_item(**{**GIVEN, **override})])


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with agency(tmp_path) as portal, aiohttp.ClientSession() as http:
        made = Client(portal, http)
        await made.log_in()
        yield made


async def test_a_dossier_and_its_steps_are_kept(client: Client) -> None:
    assert (await client.put())["error_code"] == 0
    assert (await client.ask("CapNhatTienDoHoSoMC", data=[STEP]))["error_code"] == 0
    kept = client.portal.of(CODE)
    assert (kept.status, kept.statuses, kept.steps) == ("4", ["2", "4"], [STEP])
    assert (await client.ask("TraCuuHoSo", mahoso=CODE))["result"] == [{"MaHoSo": CODE, "TrangThaiHoSo": "4"}]
    assert client.portal.table.violations == []


async def test_the_last_word_about_the_status_holds_however_old_it_is(client: Client) -> None:
    await client.put()
    await client.ask("CapNhatTienDoHoSoMC", data=[STEP])
    await client.ask("CapNhatTienDoHoSoMC", data=[{**STEP, "TrangThai": "2", "ThoiDiemXuLy": "20261101083000"}])
    assert client.portal.of(CODE).status == "2"
    client.portal.manners.last_write_wins = False
    await client.ask("CapNhatTienDoHoSoMC", data=[{**STEP, "TrangThai": "9"}])
    assert client.portal.of(CODE).status == "2"


@pytest.mark.parametrize(
    "odd",
    [
        {"NgayTiepNhan": "2026-11-23"},
        {"NgayTiepNhan": "20261323083000"},
        {"NgayTiepNhan": ""},
        {"NgayHenTra": "23/11/2026"},
        {"TrangThaiHoSo": 2},
        {"TrangThaiHoSo": "11"},
        {"LoaiDoiTuong": "5"},
        {"HinhThuc": "2"},
        {"MaHoSo": "000.00.00-261123-0001"},
        {"MaHoSo": None},
        {"ChuHoSo": ""},
        {"Email": None},
        {"TrichYeuHoSo": "x" * 1001},
        {"LaTruongLa": "x"},
        {"TaiLieuNop": None, "DanhSachLePhi": None, "DanhSachGiayToKetQua": {}},
        {"DanhSachLePhi": [{"TenPhiLePhi": "x", "MaPhiLePhi": "", "HinhThucThu": "", "Gia": 1, "LoaiPhiLePhi": ""}]},
        {"DanhSachTepDinhKemKhac": [{"TenGiayTo": "x"}]},
        {"DinhDanhCHS": [{"LoaiDinhDanh": "3", "SoDinhDanh": "1"}]},
        {"DanhSachGiayToKetQua": [
            {"TenGiayTo": "x", "MaThanhPhanHoSo": "", "GiayToId": "", "DuongDanTepTinKetQua": "ftp://x/1"}
        ]},
    ],
    ids=str,
)  # fmt: skip
async def test_a_dossier_that_is_not_just_so_is_refused_and_noted(client: Client, odd: dict[str, Any]) -> None:
    said = await client.put(**odd)
    assert said["error_code"] == -1
    assert "không hợp lệ" in said["message"]
    assert len(client.portal.table.violations) == 1
    assert client.portal.table.dossiers == {}


@pytest.mark.parametrize(
    "odd", [{"NguoiXuLy": ""}, {"NguoiXuLy": "x" * 51}, {"TrangThai": 4}, {"ThoiDiemXuLy": "2026"}, {"GhiChu": "x"}]
)
async def test_a_step_that_is_not_just_so_is_refused(client: Client, odd: dict[str, Any]) -> None:
    await client.put()
    assert (await client.ask("CapNhatTienDoHoSoMC", data=[{**STEP, **odd}]))["error_code"] == -1
    assert (await client.ask("CapNhatTienDoHoSoMC", data=[STEP] * 11))["error_code"] == -1
    assert client.portal.of(CODE).steps == []


async def test_it_knows_who_calls_and_for_what(client: Client) -> None:
    assert "không đúng" in (await client.log_in(password="guessed"))["message"]
    assert "Phiên" in (await client.ask("TraCuuHoSo", mahoso=CODE))["message"]
    await client.log_in()
    assert "madonvi" in (await client.ask("TraCuuHoSo", mahoso=CODE, madonvi="H99"))["message"]
    assert "Dịch vụ" in (await client.ask("TraCuuHoSo", SHARE, mahoso=CODE))["message"]
    _, said = await client.post(INTEGRATION, {"session": client.session, "service": "TraCuuHoSo"}, dstcode="VN:X")
    assert "dstcode" in said["message"]
    client.portal.doors.expire_sessions()
    client.portal.manners.session_status = 401
    status, _ = await client.post(INTEGRATION, {"session": client.session, "service": "TraCuuHoSo"})
    assert status == 401


async def test_new_is_new_and_an_update_needs_what_it_updates(client: Client) -> None:
    assert "không tồn tại" in (await client.put("True"))["message"]
    await client.put()
    client.portal.manners.exists = "-3"
    said = await client.put()
    assert (said["error_code"], "đã tồn tại" in said["message"]) == ("-3", True)
    assert (await client.put("true"))["error_code"] == -1
    assert (await client.put("True"))["error_code"] == 0


async def test_manners_are_kept_until_they_are_changed(client: Client) -> None:
    manners = client.portal.manners
    manners.zero, manners.casing, manners.nulls = "00", "upper", True
    assert await client.ask("TraCuuHoSo", mahoso=CODE) == {
        "ERROR_CODE": "00",
        "MESSAGE": "Thành công",
        "RESULT": None,
    }
    manners.zero, manners.casing = None, ""
    assert await client.ask("TraCuuHoSo", mahoso=CODE) == {"message": "Thành công", "result": None}


async def test_what_is_done_without_a_reply_is_done(client: Client) -> None:
    client.portal.faults.once("DongBoHoSoMC", Fault("lost-reply"))
    with pytest.raises(aiohttp.ClientError):
        await client.put()
    assert client.portal.of(CODE).status == "2"


async def test_it_fetches_files_from_where_it_was_told_they_lie(client: Client) -> None:
    async with a_file_host(web.Response(body=PDF), web.Response(status=410)) as host:
        results = [
            {"TenGiayTo": "x", "MaThanhPhanHoSo": "", "GiayToId": "", "DuongDanTepTinKetQua": f"{host}/{number}"}
            for number in range(2)
        ]
        await client.put(DanhSachGiayToKetQua=results)
        assert await client.portal.fetch_files(CODE) == {
            f"{host}/0": hashlib.sha256(PDF).hexdigest(),
            f"{host}/1": "",
        }


@pytest.mark.parametrize("kind", ["reset", "html", "wrong-json", "null"])
async def test_what_goes_wrong_before_it_is_done_is_not_done(client: Client, kind: Kind) -> None:
    client.portal.faults.once("DongBoHoSoMC", Fault(kind))
    with contextlib.suppress(aiohttp.ClientError, ValueError):
        await client.put()
    assert client.portal.table.dossiers == {}


def test_it_shares_no_code_with_the_adapter_that_it_judges() -> None:
    folder = Path(__file__).parents[2] / "adapters" / "dvcqg"
    for path in [folder / "stand_in.py", *(folder / "portal").glob("*.py")]:
        named = [
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.ImportFrom)
        ]
        own = [name for name in named if name.startswith("adapters.") and not name.startswith("adapters.dvcqg.portal")]
        assert own == [], path
        # Of the product it knows what a suite hands it, and nothing that reads or writes the wire.
        core = {name for name in named if name.startswith("gateway.")}
        assert core <= {"gateway.core.content", "gateway.core.visit", "gateway.ports"}, path
