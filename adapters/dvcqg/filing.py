"""What the portal brings, made a message of the bus: a dossier that was filed there, and a notice of tax.

Of ``nhanhsdvcqg`` the item is known (it is that of ``DongBoHoSoMC``), of ``nhantbthuedvcqg`` only the name: its names
are read by rules that a province can replace. What no rule reads is kept as it came.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from yarl import URL

from adapters.dvcqg.item import rules
from gateway.core.brought import Bringer
from gateway.core.dossiers.code import LONGEST, read_code
from gateway.core.dossiers.dossier import Dossier
from gateway.core.faults import Text
from gateway.core.forms import read_moment
from gateway.core.handover import Collected, CollectedFile
from gateway.core.moments import VIET_NAM, format_moment
from gateway.core.translation import Rules
from gateway.core.wire_record import Shape, canonical_bytes, name_in, tidied, unwrapped

Kind = Literal["registered", "supplemented", "withdrawn", "progressed"]
_VERSIONS: Final[Mapping[Kind, str]] = {
    "registered": "2.0", "supplemented": "2.0", "withdrawn": "1.0", "progressed": "1.0",
}  # fmt: skip
_FILES: Final = {
    "registered": "registered_in.json",
    "supplemented": "supplemented_in.json",
    "withdrawn": "withdrawn_in.json",
}
#: Members of the call around an item, where the item comes bare: none of them is a part of it.
_FRAME: Final = frozenset({"session", "service", "madonvi", "dstcode", "username", "password", "isupdating"})
#: What stands for an id where the portal has none.
_PLACEHOLDERS: Final = frozenset({"000000001"})
_IDS: Final = ("TepDinhKemId", "GiayToId")
_LINKS: Final = ("DuongDanTaiTepTin", "DuongDanTepTinKetQua")
_FILED, _WITHDRAWN, _WAITS = "1", "7", 5
_ONLINE: Final = "online"
_SUPPLEMENTS: Final = frozenset({"supplement-requested", "supplemented"})
#: What a paper is called that has no name, and no address to be called after.
_NAMELESS: Final = "(không tên)"
#: Which member says since when a status holds.
_SINCE: Final[Mapping[str, str]] = {
    "1": "NgayNopHoSo", "3": "NgayTuChoi", "9": "NgayKetThucXuLy", "10": "NgayTra",
}  # fmt: skip
#: What a row of a list is nothing without: of such a row nothing can be passed on.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "DanhSachLePhi": ("TenPhiLePhi", "Gia"),
    "DanhSachTepDinhKemKhac": ("TenGiayTo",),
    "DanhSachGiayToKetQua": ("TenGiayTo",),
    "DanhSachHoSoBoSung": ("HoSoBoSungId", "NoiDungBoSung", "NgayBoSung"),
    "DinhDanhCHS": ("SoDinhDanh",),
    "DSKetNoiCSDL": ("MaCSDL",),
}
_LINK: Final = re.compile(r"https?://[!-~\u00a1-\ufffd]")
_LONGEST_LINK: Final = 4000
_ZONE: Final = timedelta(hours=7)
_MOST_ITEMS: Final = 50


class Senseless(Exception):
    """The call brings something that cannot be passed on; for its sender."""

    def __init__(self, detail: Text) -> None:
        super().__init__(detail.en)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Brought:
    """An item in tidy form, not yet a message. ``identity``: what makes it itself; ``warnings``: what was mended."""

    kind: Kind
    code: str
    record: dict[str, Any]
    identity: tuple[str, ...]
    warnings: tuple[Text, ...]

    def addresses(self) -> list[str]:
        """Where its files are to be fetched."""
        return [str(row[name]) for row in _rows(self.record) for name in _LINKS if name in row]


def items_of(body: Any) -> list[Mapping[str, Any]]:
    """The items of a call: bare, under ``data``, or as JSON in a text. Raises Senseless where there is none."""
    try:
        value = unwrapped(body)
        if isinstance(value, dict) and (inner := name_in(value, "data")) is not None:
            value = unwrapped(inner)
    except ValueError:
        raise Senseless(_NO_ITEM) from None
    items = value if isinstance(value, list) else [value]
    if not 0 < len(items) <= _MOST_ITEMS or not all(isinstance(each, dict) and each for each in items):
        raise Senseless(_NO_ITEM)
    return items


class Filing:
    """Reads what the portal brings."""

    def __init__(self, bringer: Bringer, tax: Rules) -> None:
        """``tax``: the rules by which a tax notice is read."""
        self._bringer = bringer
        self._rules: dict[Kind, Rules] = {kind: rules(name) for kind, name in _FILES.items()}  # type: ignore[misc]
        self._shape = Shape.of(*self._rules.values())
        self._rules["progressed"] = tax
        self._tax_shape = Shape.of(tax)

    def code_of(self, item: Mapping[str, Any]) -> str:
        """The code of an item's dossier; raises Senseless where it has none that can be one."""
        code = name_in(item, "MaHoSo")
        code = code.strip() if isinstance(code, str) else ""
        if not 0 < len(code) <= LONGEST or not code.isprintable():
            raise Senseless(_NO_CODE)
        return code

    def dossier(
        self, item: Mapping[str, Any], known: Dossier | None, now: float, *, is_filing: bool = False
    ) -> Brought:
        """A dossier that was filed, filed anew, supplemented or withdrawn at the portal; raises Senseless.

        ``is_filing``: it comes by the call for what was filed. Then a dossier that nobody has registered yet has status
        1, whatever the portal says of it: who receives it is its one-stop, not the portal. What was said is kept.
        """
        tidy = tidied(_bare(item), self._shape)
        if tidy.faults:
            raise Senseless(tidy.faults[0])
        code, record = self.code_of(item), tidy.record
        identity: tuple[str, ...] = (code, _digest({**record, **tidy.unknown}))
        status = record.get("TrangThaiHoSo", _FILED)
        if status not in {str(number) for number in range(1, 11)}:
            raise Senseless(_NO_STATUS)
        told = status
        if is_filing and (known is None or known.status is None) and status != _WITHDRAWN:
            status = record["TrangThaiHoSo"] = _FILED
        # A call that comes again finds the dossier moved by the first: what it is must not hang on that.
        entry = None if known is None or status == _WITHDRAWN else _answered(record, known)
        kind: Kind = "registered"
        if status == _WITHDRAWN:
            kind = "withdrawn"
        elif entry is not None:
            kind = "supplemented"
            identity = (code, _digest({"entry": entry, "papers": record.get("TaiLieuNop", [])}))
        since = entry.get("NgayTiepNhanBoSung") if entry is not None else _since(record, status)
        parts = read_code(code)
        extra: dict[str, Any] = {
            "@status": int(status), "@told": told, "@at": _moment(since, now),
            "@agency": None if parts is None else parts.agency, "@supplement": entry,
            "@channel": _ONLINE if status == _FILED else None,
            "@papers": [*(entry or {}).get("DanhSachGiayToBoSung", ()), *record.get("TaiLieuNop", ())] or None,
            "@ext": tidy.unknown or None,
        }  # fmt: skip
        record |= {name: value for name, value in extra.items() if value is not None}
        return Brought(kind, code, record, identity, (*tidy.warnings, *_mended(record)))

    def tax_notice(self, item: Mapping[str, Any], now: float) -> Brought:
        """A notice that something is to be paid for a dossier; raises Senseless."""
        tidy = tidied(_bare(item), self._tax_shape)
        if tidy.faults:
            raise Senseless(tidy.faults[0])
        code = self.code_of(item)
        identity = (code, _digest({**tidy.record, **tidy.unknown}))
        extra = {"@at": _moment(None, now), **({"@ext": tidy.unknown} if tidy.unknown else {})}
        return Brought("progressed", code, {**tidy.record, **extra}, identity, tidy.warnings)

    def message(self, brought: Brought, files: Mapping[str, CollectedFile], now: float) -> Collected:
        """The message; ``files`` by the address that the item names them by."""
        kept: dict[str, CollectedFile] = {}
        for row in _rows(brought.record):
            for name in _LINKS:
                file = files.get(str(row.get(name)))
                if file is not None:
                    title = str(row.get("TenTepDinhKem") or row.get("TenGiayTo") or "tep")[:500]
                    row["@file"] = {
                        "name": title, "mediaType": file.media_type, "size": file.size, "sha256": file.sha256,
                    }  # fmt: skip
                    del row[name]
                    kept[file.sha256] = file
        data = self._rules[brought.kind].apply(brought.record)
        charges = data.get("charges")
        if isinstance(charges, dict):
            charges["fees"] = [fee for fee in charges["fees"] if "amount" in fee]
        return self._bringer.message(
            f"dossier.{brought.kind}", _VERSIONS[brought.kind], data, subject=brought.code,
            identity=brought.identity, now=now, files=tuple(kept.values()), warnings=brought.warnings,
            thing="tax" if brought.kind == "progressed" else "item",
        )  # fmt: skip


def _bare(item: Mapping[str, Any]) -> dict[str, Any]:
    # A member whose name begins with @ is the adapter's own to put there.
    return {name: value for name, value in item.items() if name.casefold() not in _FRAME and not name.startswith("@")}


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every paper and result of an item, each once."""
    lists: list[Sequence[dict[str, Any]]] = [
        record.get(name, ()) for name in ("TaiLieuNop", "DanhSachGiayToKetQua", "@papers")
    ]
    lists += [each.get("DanhSachGiayToBoSung", ()) for each in record.get("DanhSachHoSoBoSung", ())]
    seen: set[int] = set()
    for row in (row for rows in lists for row in rows):
        if id(row) not in seen:
            seen.add(id(row))
            yield row


def _mended(record: dict[str, Any]) -> list[Text]:
    """Leave out of a record what no contract has room for; a word on each. One odd row must not cost a dossier."""
    found: list[Text] = []
    for name, needed in _NEEDED.items():
        rows = record.get(name, [])
        whole = [row for row in rows if all(each in row for each in needed)]
        if len(whole) < len(rows):
            record[name] = whole
            found.append(
                Text(
                    f"{name} có dòng thiếu {', '.join(needed)}: đã bỏ dòng đó",
                    f"{name} has a row without {', '.join(needed)}: left out",
                )
            )
    for row in _rows(record):
        for name in _IDS:
            if row.get(name) in _PLACEHOLDERS:
                del row[name]
        for name in _LINKS:
            address = str(row.get(name, ""))
            if address and (_LINK.match(address) is None or len(address) > _LONGEST_LINK):
                # Whatever it is to the portal's own programs, it leads nowhere from here: kept for who looks into it.
                del row[name]
                record.setdefault("@ext", {}).setdefault("@links", []).append(address)
                found.append(Text(f"{name} không phải địa chỉ http(s): để trong ext", f"{name} is no address: in ext"))
        if "TenGiayTo" not in row:
            row.setdefault("TenTepDinhKem", URL(str(row.get("DuongDanTaiTepTin", ""))).name or _NAMELESS)
    return found


def _answered(record: Mapping[str, Any], known: Dossier) -> dict[str, Any] | None:
    """The supplement that was handed in at the portal: the last one, where the dossier waits or waited for it."""
    entries: list[dict[str, Any]] = record.get("DanhSachHoSoBoSung", [])
    if not entries or "NgayTiepNhanBoSung" not in entries[-1] or "HoSoBoSungId" not in entries[-1]:
        return None
    spoken_of = {step.told.event.reference for step in known.steps if step.told.event.kind in _SUPPLEMENTS}
    return entries[-1] if known.status == _WAITS or entries[-1]["HoSoBoSungId"] in spoken_of else None


def _since(record: Mapping[str, Any], status: str) -> str | None:
    found = record.get(_SINCE.get(status, ""), record.get("NgayTiepNhan"))
    return None if found is None else str(found)


def _moment(text: str | None, now: float) -> str:
    """A moment as the portal writes it, in RFC 3339; that of the call where it says none."""
    moment = None if text is None else read_moment(text, "compact-date-time", _ZONE)
    return format_moment(now) if moment is None else moment.astimezone(VIET_NAM).isoformat()


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_bytes(record)).hexdigest()


_NO_ITEM: Final = Text(
    f"Lời gọi phải mang một hồ sơ, hoặc danh sách tối đa {_MOST_ITEMS} hồ sơ trong data. Bên gọi cần sửa rồi gọi lại.",
    f"The call must bring one dossier, or a list of at most {_MOST_ITEMS} under data. The caller must mend it.",
)
_NO_CODE: Final = Text(
    f"Thiếu MaHoSo, hoặc mã dài quá {LONGEST} ký tự. Bên gọi cần ghi đúng mã hồ sơ rồi gọi lại.",
    f"MaHoSo is missing, or over {LONGEST} characters. The caller must write the dossier's code.",
)
_NO_STATUS: Final = Text(
    "TrangThaiHoSo không thuộc danh mục 1-10. Bên gọi cần sửa rồi gọi lại.",
    "TrangThaiHoSo is none of the list 1-10. The caller must mend it and call again.",
)
