"""How a dossier and a step must be written, checked name by name: the portal takes nothing that is not just so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

HEAD: Final = (
    "MaHoSo MaTTHC TenTTHC MaLinhVuc TenLinhVuc SoBienNhan ChuHoSo LoaiDoiTuong MaDoiTuong ThongTinKhac Email Fax"
    " SoDienThoai TrichYeuHoSo NgayTiepNhan NgayHenTra TrangThaiHoSo NgayTra ThongTinTra HinhThuc NgayKetThucXuLy"
    " DonViXuLy GhiChu"
).split()
#: Names that may be left out altogether, or stand there empty.
_OPTIONAL: Final = frozenset({"SoBienNhan", "MaDoiTuong", "NgayTra", "ThongTinTra", "NgayKetThucXuLy", "GhiChu"})
_FILLED: Final = ("MaHoSo", "MaTTHC", "TenTTHC", "ChuHoSo", "LoaiDoiTuong", "TrangThaiHoSo", "HinhThuc", "DonViXuLy")
#: Texts and lists that came about 2022.
LATER: Final = (
    "NoiNopHoSo KenhThucHien HoSoCoThanhPhanSoHoa TaiKhoanDuocXacThucVoiVNeID DuocThanhToanTrucTuyen NgayTuChoi"
    " NgayNopHoSo SoGiayToChuHoSo"
).split()
LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "TaiLieuNop": ("TepDinhKemId", "TenTepDinhKem", "IsDeleted", "MaThanhPhanHoSo", "DuongDanTaiTepTin"),
    "DanhSachLePhi": ("TenPhiLePhi", "MaPhiLePhi", "HinhThucThu", "Gia", "LoaiPhiLePhi"),
    "DanhSachTepDinhKemKhac": ("TenGiayTo", "SoLuong", "LoaiGiayTo"),
    "DanhSachHoSoBoSung": (
        "HoSoBoSungId", "NguoiYeuCauBoSung", "NoiDungBoSung", "NgayBoSung", "NguoiTiepNhanBoSung", "ThongTinTiepNhan",
        "NgayTiepNhanBoSung", "TrangThaiBoSung", "NgayHenTraTruoc", "NgayHenTraMoi",
    ),
    "DanhSachGiayToKetQua": ("TenGiayTo", "MaThanhPhanHoSo", "GiayToId", "DuongDanTepTinKetQua"),
}  # fmt: skip
_LATER_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "DinhDanhCHS": ("LoaiDinhDanh", "SoDinhDanh"),
    "DSKetNoiCSDL": ("MaCSDL",),
}
_LATER_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "TaiLieuNop": ("DuocSoHoa", "DuocTaiSuDung", "DuocLayTuKhoDMQG", "MaKetQuaThayThe"),
    "DanhSachGiayToKetQua": ("MaGiayToKetQua",),
}
_INNER_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "DanhSachHoSoBoSung": ("DanhSachGiayToBoSung", "DanhSachLePhiBoSung"),
}
STEP: Final = (
    "MaHoSo NguoiXuLy ChucDanh ThoiDiemXuLy PhongBanXuLy NoiDungXuLy TrangThai NgayBatDau NgayKetThucTheoQuyDinh"
).split()
_STEP_FILLED: Final = ("MaHoSo", "NguoiXuLy", "ThoiDiemXuLy", "NoiDungXuLy", "TrangThai")
_CODES: Final[Mapping[str, frozenset[str]]] = {
    "TrangThaiHoSo": frozenset(map(str, range(1, 11))),
    "TrangThai": frozenset(map(str, range(1, 11))),
    "LoaiDoiTuong": frozenset("1234"),
    "HinhThuc": frozenset("01"),
    "KenhThucHien": frozenset("123") | {""},
    "DuocThanhToanTrucTuyen": frozenset("013") | {""},
    "IsDeleted": frozenset({"True", "False"}),
    "LoaiDinhDanh": frozenset("12"),
}
_LONGEST: Final[Mapping[str, int]] = {"MaHoSo": 50, "TrichYeuHoSo": 1000, "TenTepDinhKem": 4000, "NguoiXuLy": 50}
_PLACE: Final = re.compile(r"[A-Y]\d{2}\Z")
_LINKS: Final = ("DuongDanTaiTepTin", "DuongDanTepTinKetQua")


def wrong_item(item: Any, fields: str, known: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong with a dossier; ``fields`` the set that this portal knows, ``known`` odd names that it gave out."""
    if not isinstance(item, dict):
        return ["data"]
    names = [*HEAD, *(LATER if fields == "2022" else [])]
    lists = {**LISTS, **(_LATER_LISTS if fields == "2022" else {})}
    wrong = [name for name in HEAD if name not in item and name not in _OPTIONAL]
    wrong += [name for name in item if name not in names and name not in lists and name not in known]
    wrong += list(_wrong_texts(item, names, _FILLED))
    if item.get("TrangThaiHoSo") not in {"1", "3"} and not item.get("NgayTiepNhan"):
        wrong.append("NgayTiepNhan")
    for name, members in lists.items():
        rows = item.get(name, [])
        if not isinstance(rows, list):
            wrong.append(name)
            continue
        allowed = [*members, *(_LATER_MEMBERS.get(name, ()) if fields == "2022" else ())]
        for row in rows:
            wrong += [f"{name}.{each}" for each in _wrong_row(row, name, members, allowed)]
    return [*wrong, "MaHoSo"] if _wrong_code(item.get("MaHoSo")) else wrong


def wrong_step(step: Any) -> list[str]:
    """What is wrong with a step."""
    if not isinstance(step, dict):
        return ["data"]
    return [*(name for name in step if name not in STEP), *_wrong_texts(step, STEP, _STEP_FILLED)]


def _wrong_row(row: Any, name: str, members: tuple[str, ...], allowed: list[str]) -> Iterator[str]:
    if not isinstance(row, dict):
        yield "?"
        return
    inner = _INNER_LISTS.get(name, ())
    yield from (each for each in members if each not in row)
    yield from (each for each in row if each not in allowed and each not in inner)
    yield from (each for each in inner if not isinstance(row.get(each), list))
    yield from _wrong_texts(row, allowed, ())
    for each in _LINKS:
        if row.get(each) and not str(row[each]).startswith(("http://", "https://")):
            yield each


def _wrong_texts(row: Mapping[str, Any], names: list[str], filled: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = row.get(name, "")
        is_text = isinstance(value, str) and len(value) <= _LONGEST.get(name, 10_000)
        is_code = name not in row or name not in _CODES or value in _CODES[name]
        if not is_text or (name in filled and not value) or not is_code or not _is_timely(name, value):
            yield name


def _is_timely(name: str, value: str) -> bool:
    return not value or not name.startswith(("Ngay", "ThoiDiem")) or is_moment(value)


def is_moment(text: str) -> bool:
    """Whether a text is a moment as the portal writes it: fourteen digits that are a date and a time."""
    if re.fullmatch(r"\d{14}", text, re.ASCII) is None:
        return False
    try:
        datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - the portal writes no zone
    except ValueError:
        return False
    return True


def _wrong_code(code: Any) -> bool:
    """Whether no province stands in a dossier's code."""
    place = str(code).partition("-")[0]
    return not any(_PLACE.match(group) for group in place.split("."))
