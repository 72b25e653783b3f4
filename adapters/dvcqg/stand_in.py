"""The national portal in small: its services, a table of dossiers, its dictionaries, and its calls to a province."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from adapters.dvcqg.portal.calling import Calling, is_zero
from adapters.dvcqg.portal.doors import AGENCY, AUTH, DSTCODE, INTEGRATION, PASSWORD, SHARE, USERNAME, Doors
from adapters.dvcqg.portal.faults import Fault, Faults, Kind, Manners
from adapters.dvcqg.portal.table import Kept, Table
from gateway.core.content import InMemory
from gateway.core.visit import Call, Reply
from gateway.ports import Parcel

__all__ = ["Fault", "Faults", "Kind", "Manners", "Portal", "agency", "an_item"]

PASSWORD_FILE: Final = "keys/dvcqg.password"  # noqa: S105 - a path
CALLER_FILE: Final = "keys/dvcqg.caller"
#: Made up for this stand-in alone.
CALLER_SECRET: Final = "khoa-cua-cong-mau-9"  # noqa: S105
REFUSALS: Final = "dvcqg/refused.jsonl"
_RUBBISH: Final = "9.999999"


@dataclass(slots=True)
class Portal:
    """The portal on this machine."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    doors: Doors = field(default_factory=Doors)
    url: str = ""
    #: Where it listens; 0: at a free port, and ever after at that one.
    port: int = 0
    _runner: web.AppRunner | None = None

    @property
    def faults(self) -> Faults:
        """What goes wrong."""
        return self.doors.faults

    @property
    def manners(self) -> Manners:
        """How it says things."""
        return self.doors.manners

    @property
    def table(self) -> Table:
        """The dossiers."""
        return self.doors.table

    def of(self, code: str) -> Kept:
        """One dossier; KeyError of an unknown one."""
        return self.table.dossiers[code]

    def calling(self, door: str, *, twice: bool = False) -> Calling:
        """Who calls a province's door with what was filed here."""
        return Calling(door, CALLER_SECRET, twice)

    def filed(self, item: Mapping[str, Any], **odd: Any) -> dict[str, Any]:
        """A dossier that somebody files here: it is in the table from now on, with odd names that it is told back."""
        self.table.known |= set(odd)
        whole = {**item, **odd}
        self.table.create(whole)
        return whole

    async def fetch_files(self, code: str) -> dict[str, str]:
        """Fetch every file of a dossier: its address -> SHA-256, empty where nothing is there."""
        kept = self.of(code)
        rows = [(row, "DuongDanTaiTepTin") for row in kept.item.get("TaiLieuNop", [])]
        rows += [(row, "DuongDanTepTinKetQua") for row in kept.item.get("DanhSachGiayToKetQua", [])]
        async with aiohttp.ClientSession() as session:
            for address in (row[name] for row, name in rows if row.get(name)):
                async with session.get(address) as answer:
                    is_there = answer.status == 200
                    kept.files[address] = hashlib.sha256(await answer.read()).hexdigest() if is_there else ""
        return kept.files

    # -------------------------------------------------------------------------------- what the suite asks for

    async def arrivals(self) -> list[str]:
        """Delivery ids of what was taken, in order."""
        return list(self.doors.arrivals)

    async def go_down(self) -> None:
        """Be out of reach."""
        self.doors.end()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def come_back(self) -> None:
        """Be there (again), at the same port."""
        self.doors.begin()
        self._runner = web.AppRunner(self.doors.application(), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = int(self._runner.addresses[0][1])
        self.url = f"http://127.0.0.1:{self.port}"

    def fits(self, parcel: Parcel) -> Parcel:
        """The parcel as a registration of a dossier whose abstract is the document's subject."""
        number = int(hashlib.sha256(parcel.delivery.encode()).hexdigest()[:8], 16) % 10_000
        code = f"000.00.05.H33-261123-{number:04}"
        data = {
            "dossierCode": code,
            "procedure": {"code": "2.002492", "name": "Thủ tục mẫu"},
            "agency": {"code": "H33.05", "name": "Sở Tài chính"},
            "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen"},
            "abstract": str(parcel.event["data"]["subject"]),
            "receivedAt": "2026-11-23T08:30:00+07:00",
            "status": {"code": 2, "at": "2026-11-23T08:30:00+07:00"},
        }
        return _with_data(parcel, "dossier.registered", code, data)

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A parcel about a dossier in whose code the province is missing."""
        fitting = parcel if parcel.event["type"].startswith("dossier.") else self.fits(parcel)
        code = "000.00.00-261123-0001"
        data = {**fitting.event["data"], "dossierCode": code}
        return _with_data(fitting, str(fitting.event["type"]), code, data)

    async def drop(self, event: Mapping[str, Any]) -> None:
        """A procedure of that name was published: told apart by the event's subject."""
        code = f"2.{int(hashlib.sha256(str(event['subject']).encode()).hexdigest()[:8], 16) % 1_000_000:06}"
        self.doors.procedures[code] = a_procedure(code, str(event["data"]["subject"]))

    async def drop_rubbish(self) -> None:
        """A procedure is listed of which the portal gives nothing."""
        self.doors.procedures[_RUBBISH] = {"x": "rubbish"}

    async def waiting(self) -> list[str]:
        """Nothing: a dictionary is there whoever read it."""
        return []

    async def refusals(self) -> list[str]:
        """The lines of the province's file: the dictionary itself has no place for them."""
        file = self.folder / REFUSALS
        return file.read_text("utf-8").splitlines() if file.exists() else []

    def visit(self, event: Mapping[str, Any]) -> Call:
        """The call that brings a dossier filed here; the same for the same event."""
        number = int(hashlib.sha256(str(event["id"]).encode()).hexdigest()[:8], 16) % 10_000
        item = an_item(f"000.00.05.H33-261123-{number:04}", TrichYeuHoSo=str(event["data"]["subject"]))
        return _call(json.dumps(item, ensure_ascii=False).encode(), CALLER_SECRET)

    def rubbish_visit(self) -> Call:
        """A call that brings no dossier."""
        return _call(b'{"data": "not a dossier"', CALLER_SECRET)

    def stranger_visit(self, event: Mapping[str, Any]) -> Call:
        """The same call by somebody who does not know the secret."""
        return replace(self.visit(event), fields={"authorization": "Bearer guessed"})

    def said_yes(self, reply: Reply) -> bool:
        """Whether the portal would take the reply for success."""
        try:
            said = json.loads(reply.body)
        except ValueError:
            return False
        return reply.status == 200 and isinstance(said, dict) and is_zero(said.get("error_code"))


def _call(body: bytes, secret: str) -> Call:
    fields = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
    return Call("POST", "nhanhsdvcqg", {}, fields, InMemory(body), "127.0.0.1")


def _with_data(parcel: Parcel, contract: str, code: str, data: Mapping[str, Any]) -> Parcel:
    event = {
        **parcel.event, "type": contract, "dataschema": f"urn:lgsp:contract:{contract}:2.0", "subject": code,
        "data": data, "purpose": "giai-quyet-tthc",
    }  # fmt: skip
    return replace(parcel, event=event, body=json.dumps(event).encode())


def an_item(code: str = "000.00.05.H33-261123-0001", **override: Any) -> dict[str, Any]:
    """A dossier as the portal writes it when a citizen files it there; ``None`` leaves a name out."""
    made: dict[str, Any] = {
        "MaHoSo": code, "MaTTHC": "2.002492", "TenTTHC": "Thủ tục mẫu", "MaLinhVuc": "G03-TC01",
        "TenLinhVuc": "Tài chính", "SoBienNhan": "", "ChuHoSo": "Nguyễn Văn Mẫu", "LoaiDoiTuong": "1",
        "MaDoiTuong": "tech-id-mau", "ThongTinKhac": "", "Email": "mau@example.vn", "Fax": "",
        "SoDienThoai": "0900000000", "TrichYeuHoSo": "Hồ sơ mẫu", "NgayTiepNhan": "", "NgayHenTra": "",
        "TrangThaiHoSo": "1", "NgayTra": "", "ThongTinTra": "", "HinhThuc": "0", "NgayKetThucXuLy": "",
        "DonViXuLy": "Sở Tài chính", "GhiChu": "", "NoiNopHoSo": "2", "KenhThucHien": "2",
        "NgayNopHoSo": "20261123083000", "TaiLieuNop": [], "DanhSachLePhi": [], "DanhSachTepDinhKemKhac": [],
        "DanhSachHoSoBoSung": [], "DanhSachGiayToKetQua": [],
        "DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": "001000000001"}],
        **override,
    }  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


def a_procedure(code: str, name: str = "Thủ tục mẫu") -> dict[str, Any]:
    """A procedure as ``LayThuTuc`` gives it."""
    return {
        "MATTHC": code, "TENTTHC": name, "TRANGTHAI": "1", "MADONVI": AGENCY, "TENDONVI": "Tỉnh mẫu",
        "CAPDONVI": "2", "MANGANH": "TC", "MOTADOITUONGTHUCHIEN": "Công dân", "YEUCAU": "",
        "LINHVUCTHUCHIEN": [{"MALINHVUC": "G03-TC01", "TENLINHVUC": "Tài chính"}],
        "TRINHTUTHUCHIEN": [{"TRUONGHOP": "", "TRINHTU": [{"TENTRINHTU": "Nộp hồ sơ"}]}],
        "CACHTHUCTHUCHIEN": [
            {
                "KENH": "2",
                "THOIGIAN": [
                    {
                        "THOIGIANGIAIQUYET": "5", "DONVITINH": "Ngày làm việc", "MOTA": "",
                        "PHILEPHI": [{"MAPHILEPHI": "LP1", "SOTIEN": "30000", "DONVI": "Đồng", "MOTA": ""}],
                    }
                ],
            }
        ],
        "THANHPHANHOSO": [{"MAGIAYTO": "GT1", "TENGIAYTO": "Đơn đề nghị", "URL": "", "TENMAUDON": ""}],
        "KETQUATHUCHIEN": [{"MAKETQUA": "KQ1", "TENKETQUA": "Giấy phép"}],
        "CANCUPHAPLY": [{"SOVANBAN": "61/2018/NĐ-CP", "TENVANBAN": "Nghị định"}],
        "COQUANTHUCHIEN": [{"TENDONVI": "Sở Tài chính", "MADONVI": "000.00.05.H33"}],
    }  # fmt: skip


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Portal]:
    """A portal whose settings fit the adapter beside this file; its secrets are files under ``folder``."""
    portal = Portal(folder)
    await portal.come_back()
    for name, secret in ((PASSWORD_FILE, PASSWORD), (CALLER_FILE, CALLER_SECRET)):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{secret}\n")
    portal.settings = {
        "url": portal.url, "auth_endpoint": AUTH, "integration_endpoint": INTEGRATION, "share_endpoint": SHARE,
        "dstcode": DSTCODE, "username": USERNAME, "password_file": PASSWORD_FILE, "madonvi": AGENCY, "timeout": 5,
        "caller_secret_file": CALLER_FILE, "catalogue": True, "catalogue_hours": 0, "catalogue_pace": 0,
        "refusals_file": REFUSALS,
    }  # fmt: skip
    try:
        yield portal
    finally:
        await portal.go_down()
