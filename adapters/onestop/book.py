"""The book of a one-stop office in small: its dossiers with a sync flag of 0 or 1, and what its officers do to them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, Final

LISTS: Final = (
    "TaiLieuNop", "DanhSachLePhi", "DanhSachTepDinhKemKhac", "DanhSachHoSoBoSung", "DanhSachGiayToKetQua",
)  # fmt: skip
_VIET_NAM: Final = timedelta(hours=7)


@dataclass(slots=True)
class Habits:
    """What real one-stop software does; each is off until it is switched on.

    ``shuffles``: steps go in any order. ``forces_nine``: what waits or is stopped (5, 6, 8) is synced as 9. ``twice``:
    each call is made twice. ``forgets``: an error is noted and nothing sent again. ``invents_codes``: a code without
    its province part gets a random one in the sync. ``nulls``: empty lists are null. ``numbers``: statuses are numbers.
    ``cased``: member names are in another casing. ``wraps``: lists are XML in a text. ``cuts``: abstracts end after
    1000 letters. ``ahead``: seconds by which its clock is ahead. ``backdates``: seconds by which its steps are.
    ``patience``: seconds that it waits for an answer. ``by_words``: success is the word "thành công" alone.
    ``words_only``: it answers the bus with words alone. ``zeros``: the error_code it says.
    """

    shuffles: bool = False
    forces_nine: bool = False
    twice: bool = False
    forgets: bool = False
    invents_codes: bool = False
    nulls: bool = False
    numbers: bool = False
    cased: bool = False
    wraps: bool = False
    cuts: bool = False
    ahead: float = 0.0
    backdates: float = 0.0
    patience: float = 3.0
    by_words: bool = False
    words_only: bool = False
    zeros: Any = "0"


@dataclass(slots=True)
class Kept:
    """A dossier with its sync flag, and its steps with theirs."""

    item: dict[str, Any]
    is_synced: bool = False
    was_synced: bool = False
    steps: list[dict[str, str]] = field(default_factory=list)
    sent_steps: int = 0


@dataclass(slots=True)
class Book:
    """What the office knows. ``base``: where it offers files."""

    habits: Habits = field(default_factory=Habits)
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - a seeded office
    clock: Callable[[], float] = time.time
    dossiers: dict[str, Kept] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    base: str = ""

    def receive(self, dossier: Mapping[str, Any] | str, *, status: str = "2") -> str:
        """Take a dossier in: a new one by its wire members, or one that the bus brought by its code. Its code."""
        if isinstance(dossier, str):
            kept = self.dossiers[dossier]
            self.set_to(dossier, TrangThaiHoSo=status, NgayTiepNhan=kept.item.get("NgayTiepNhan") or self.now())
            return dossier
        item = {
            "MaTTHC": "1.004199", "TenTTHC": "Đăng ký biến động quyền sử dụng đất", "MaLinhVuc": "G03-GD10",
            "TenLinhVuc": "Đất đai", "SoBienNhan": "", "ChuHoSo": "Nguyễn Văn Mẫu", "LoaiDoiTuong": "1",
            "MaDoiTuong": "", "ThongTinKhac": "", "Email": "", "Fax": "", "SoDienThoai": "", "TrichYeuHoSo": "",
            "NgayTiepNhan": self.now(), "NgayHenTra": self.now(5 * 86400), "TrangThaiHoSo": status, "NgayTra": "",
            "ThongTinTra": "", "HinhThuc": "0", "NgayKetThucXuLy": "", "DonViXuLy": "Bộ phận Một cửa", "GhiChu": "",
            **{name: [] for name in LISTS}, **dossier,
        }  # fmt: skip
        self.dossiers[item["MaHoSo"]] = Kept(item)
        return str(item["MaHoSo"])

    def progress(self, code: str, status: str, content: str = "", *, officer: str = "Nguyễn Văn Mẫu") -> None:
        """Do a step: kept to be told, and the dossier stands as it says."""
        at = self.now(-self.habits.backdates)
        self.dossiers[code].steps.append(
            {
                "MaHoSo": code, "NguoiXuLy": officer, "ChucDanh": "Chuyên viên", "ThoiDiemXuLy": at,
                "PhongBanXuLy": "Bộ phận Một cửa", "NoiDungXuLy": content, "TrangThai": status, "NgayBatDau": "",
                "NgayKetThucTheoQuyDinh": "",
            }
        )  # fmt: skip
        self.set_to(code, TrangThaiHoSo=status)

    def ask_supplement(self, code: str, content: str) -> str:
        """Ask the applicant for more; the request's id."""
        entries = self.dossiers[code].item["DanhSachHoSoBoSung"]
        named = f"BS-{len(entries) + 1}"
        entry = {
            "HoSoBoSungId": named, "NguoiYeuCauBoSung": "Nguyễn Văn Mẫu", "NoiDungBoSung": content,
            "NgayBoSung": self.now(), "NguoiTiepNhanBoSung": "", "ThongTinTiepNhan": "", "NgayTiepNhanBoSung": "",
            "TrangThaiBoSung": "", "DanhSachGiayToBoSung": [], "DanhSachLePhiBoSung": [],
            "NgayHenTraTruoc": self.dossiers[code].item["NgayHenTra"], "NgayHenTraMoi": "",
        }  # fmt: skip
        self.set_to(code, TrangThaiHoSo="5", DanhSachHoSoBoSung=[*entries, entry])
        return named

    def take_supplement(self, code: str, named: str, *, due: str = "") -> None:
        """The applicant brought what was asked for, to this office."""
        entries = self.dossiers[code].item["DanhSachHoSoBoSung"]
        told = {"NgayTiepNhanBoSung": self.now(), "NguoiTiepNhanBoSung": "Nguyễn Văn Mẫu", "NgayHenTraMoi": due}
        changed = [{**each, **told} if each["HoSoBoSungId"] == named else each for each in entries]
        self.set_to(code, TrangThaiHoSo="4", DanhSachHoSoBoSung=changed)

    def issue_result(self, code: str, files: Mapping[str, bytes], *, is_handed_over: bool = False) -> None:
        """The result is there (9), or handed over (10); its files are offered by address."""
        results = [
            {
                "TenGiayTo": name, "MaThanhPhanHoSo": "", "GiayToId": f"KQ-{number}",
                "DuongDanTepTinKetQua": self.offer(name, content), "MaGiayToKetQua": "",
            }
            for number, (name, content) in enumerate(files.items(), start=1)
        ]  # fmt: skip
        now = self.now()
        told = {"NgayKetThucXuLy": now, "DanhSachGiayToKetQua": results or self.dossiers[code].item[LISTS[-1]]}
        self.set_to(code, TrangThaiHoSo="10" if is_handed_over else "9", NgayTra=now if is_handed_over else "", **told)

    def give_back(self, code: str, reason: str, *, status: str = "8") -> None:
        """Return a dossier, or stop it."""
        self.set_to(code, TrangThaiHoSo=status, NgayTra=self.now(), ThongTinTra=reason)

    def offer(self, name: str, content: bytes) -> str:
        """The address under which this office gives a file."""
        self.files[name] = content
        return f"{self.base}/tep/{name}"

    def now(self, later: float = 0.0) -> str:
        """The moment as this office's clock has it, in the portal's form."""
        at = datetime.fromtimestamp(self.clock() + later + self.habits.ahead, UTC) + _VIET_NAM
        return at.strftime("%Y%m%d%H%M%S")

    def wire(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An item as this office's software writes it."""
        made = json.loads(json.dumps(item))
        habits = self.habits
        if habits.forces_nine and made["TrangThaiHoSo"] in {"5", "6", "8"}:
            made["TrangThaiHoSo"] = "9"
        if habits.invents_codes and not made["MaHoSo"][:1].isalpha() and ".H" not in made["MaHoSo"]:
            made["MaHoSo"] = f"-{self.now()[2:8]}-{self.chance.randrange(1000, 9999)}"
        if habits.cuts:
            made["TrichYeuHoSo"] = made["TrichYeuHoSo"][:1000]
        if habits.nulls:
            made.update({name: None for name in LISTS if not made[name]})
        if habits.wraps:
            made.update({name: _as_xml(name, made[name]) for name in LISTS if made[name] and name != LISTS[3]})
        if habits.numbers:
            made["TrangThaiHoSo"] = int(made["TrangThaiHoSo"])
        return {name[:1].lower() + name[1:]: value for name, value in made.items()} if habits.cased else made

    def set_to(self, code: str, **members: Any) -> None:
        """Change a dossier: its flag is 0 again."""
        self.dossiers[code].item.update(members)
        self.dossiers[code].is_synced = False


def _as_xml(name: str, entries: list[dict[str, Any]]) -> str:
    inner = "".join(
        "<Item>" + "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in entry.items()) + "</Item>"
        for entry in entries
    )
    return f"<{name}>{inner}</{name}>"
