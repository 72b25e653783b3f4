"""What real one-stop software fills in for lack of something better: left out, with a word, before rules read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from gateway.core.faults import Text

#: Lists with files: the member that names the file, the one with its address.
FILES: Final[Mapping[str, tuple[str, str]]] = {
    "TaiLieuNop": ("TenTepDinhKem", "DuongDanTaiTepTin"),
    "DanhSachGiayToKetQua": ("TenGiayTo", "DuongDanTepTinKetQua"),
    "DanhSachGiayToBoSung": ("TenTepDinhKem", "DuongDanTaiTepTin"),
}
#: Lists whose entries say nothing without these.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (title,) for name, (title, _) in FILES.items()},
    "DanhSachLePhi": ("TenPhiLePhi", "Gia"),
    "DanhSachLePhiBoSung": ("TenPhiLePhi", "Gia"),
    "DanhSachTepDinhKemKhac": ("TenGiayTo",),
    "DSKetNoiCSDL": ("MaCSDL",),
    "DanhSachHoSoBoSung": ("HoSoBoSungId", "NoiDungBoSung", "NgayBoSung"),
    "DinhDanhCHS": ("SoDinhDanh",),
}
#: Written where the software knows no number of a paper or an account.
_PLACEHOLDER: Final = "000000001"
_NUMBERED: Final = ("MaDoiTuong", "SoGiayToChuHoSo", "SoDinhDanh")
#: Lengths at which some software cuts texts off.
_CUT: Final = {"TrichYeuHoSo": 1000, "NguoiXuLy": 50}
_LONGEST_ADDRESS: Final = 4000


def mend(item: dict[str, Any], warnings: list[Text]) -> None:
    """Leave out of a tidy item what is no datum: placeholders, a fax that is the phone, entries that say nothing."""
    if "Fax" in item and item["Fax"] == item.get("SoDienThoai"):
        del item["Fax"]
    for name, most in _CUT.items():
        if len(item.get(name, "")) == most:
            warnings.append(
                Text(f"{name} có thể đã bị cắt ở {most} ký tự", f"{name} may have been cut off at {most} characters")
            )
    _mend(item, warnings)


def left_out(name: str, vi: str, en: str) -> Text:
    """The word that something was left out, and why."""
    return Text(f"{name}: đã bỏ ({vi})", f"{name}: left out ({en})")


def _mend(item: dict[str, Any], warnings: list[Text]) -> None:
    for name in _NUMBERED:
        if item.get(name) == _PLACEHOLDER:
            del item[name]
            warnings.append(left_out(name, "số giả 000000001", "the placeholder 000000001"))
    for name in [name for name in _NEEDED if name in item]:
        for entry in item[name]:
            _mend(entry, warnings)
            if name in FILES:
                _mend_address(entry, *FILES[name], f"{name}/{FILES[name][1]}", warnings)
            if "TenPhiLePhi" not in entry and "MaPhiLePhi" in entry:
                entry["TenPhiLePhi"] = entry["MaPhiLePhi"]
        for needed in _NEEDED[name]:
            if name in item:
                _keep(item, name, needed, warnings)


def _mend_address(entry: dict[str, Any], title: str, address: str, told: str, warnings: list[Text]) -> None:
    """An address that is none goes; a file without a name is called as its address ends."""
    if address in entry and not _is_address(entry[address]):
        del entry[address]
        warnings.append(left_out(told, "không phải địa chỉ http(s)", "it is no http(s) address"))
    found = unquote(urlsplit(entry.get(address, "")).path.rpartition("/")[2])[:500]
    if title not in entry and found:
        entry[title] = found


def _keep(item: dict[str, Any], name: str, needed: str, warnings: list[Text]) -> None:
    kept = [entry for entry in item[name] if needed in entry]
    if len(kept) < len(item[name]):
        warnings.append(left_out(name, f"mục thiếu {needed}", f"an entry without {needed}"))
    item[name] = kept
    if not kept:
        del item[name]


def _is_address(text: str) -> bool:
    if not text.startswith(("https://", "http://")) or len(text) > _LONGEST_ADDRESS:
        return False
    try:
        return bool(urlsplit(text).hostname) and text.isprintable()
    except ValueError:
        return False
