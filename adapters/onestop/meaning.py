"""What an item of the portal's client side says: which event it is, by its status and by what is known already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.core.dossiers.dossier import Dossier
from gateway.core.faults import Text

#: Statuses that no step of the national list leads past: what is waited for, or stopped.
_HELD_UP: Final = frozenset({5, 6, 8})
_DONE: Final = 9
_HANDED_OVER: Final = 10
_RETURNED: Final = frozenset({3, 8})
_WITHDRAWN: Final = 7
_WAITS: Final = 5


@dataclass(frozen=True, slots=True)
class Meaning:
    """``kind``: the rules to apply; ``extra``: what they read besides the item, its names beginning with @."""

    kind: str
    version: str
    extra: Mapping[str, Any]


class Senseless(Exception):
    """The item says something that cannot be passed on; for its sender."""

    def __init__(self, detail: Text) -> None:
        super().__init__(detail.en)
        self.detail = detail


def status_of(text: str | None) -> int:
    """A status of the national list; raises Senseless for anything else: the internal 0 of some software, too."""
    if text is None or not text.isdigit() or not 1 <= int(text) <= 10:
        raise Senseless(_NO_STATUS)
    return int(text)


@dataclass(frozen=True, slots=True)
class Telling:
    """Who tells an item, and how: ``agency`` whose software it is; ``forces``: it writes 9 over 5, 6 and 8;
    ``restates``: the item says of the dossier itself what is not known yet; ``is_here``: whether this very item told
    of a supplement (by its id) before.
    """

    agency: str
    is_updating: bool
    forces: bool
    restates: bool
    is_here: Callable[[str], bool]


def meanings_of(item: Mapping[str, Any], known: Dossier | None, telling: Telling) -> tuple[Meaning, ...]:
    """What a tidy item of DongBoHoSoMC says, in order; ``known`` is the dossier as the bus knows it.

    The first word of an agency on a dossier that it answers for registers it, also where the portal did. Of software
    that writes 9 over what waits, what its own steps said holds, and its word is kept beside. What a step cannot say of
    the dossier itself is told by registering it anew, as of now.
    """
    status = status_of(item.get("TrangThaiHoSo"))
    told = {"@told": str(status)}
    if not telling.is_updating or known is None or known.status is None or _is_first_word(known, telling.agency):
        return (Meaning("registered", "2.0", told),)
    has_results = "DanhSachGiayToKetQua" in item
    if status == _DONE and not has_results and (asked := _of_supplements(item, known, _WAITS, told, telling)):
        # Known software writes 9 over what waits; a request that nobody answered says what is so.
        forced = {"TrangThaiHoSo": str(_WAITS), "@text": _FORCED}
        return tuple(replace(each, extra={**each.extra, **forced}) for each in asked)
    if telling.forces and status == _DONE and not has_results and known.status in _HELD_UP:
        forced = {**told, "TrangThaiHoSo": str(known.status), "@text": _FORCED}
        return (Meaning("progressed", "1.0", forced),)
    if status == _HANDED_OVER or (status == _DONE and has_results):
        return (Meaning("result-issued", "2.0", told),)
    if status in _RETURNED:
        reason = item.get("ThongTinTra") or item.get("GhiChu")
        if reason is None:
            raise Senseless(_NO_REASON)
        return (Meaning("returned", "1.0", {**told, "@reason": reason}),)
    if status == _WITHDRAWN:
        reason = item.get("ThongTinTra") or item.get("GhiChu")
        return (Meaning("withdrawn", "1.0", told if reason is None else {**told, "@reason": reason}),)
    supplements = _of_supplements(item, known, status, told, telling)
    if telling.restates:
        return (*supplements, Meaning("registered", "2.0", {**told, "@now": True}))
    return supplements or (Meaning("progressed", "1.0", told),)


def _is_first_word(known: Dossier, agency: str) -> bool:
    return known.lead == agency and not any(
        step.told.event.kind == "registered" and step.told.event.agency == agency for step in known.steps
    )


def _of_supplements(
    item: Mapping[str, Any], known: Dossier, status: int, told: Mapping[str, Any], telling: Telling
) -> tuple[Meaning, ...]:
    """The requests or the answers that this item brings and that its agency did not tell before, in the item's order.

    The list itself is sent every time; the same item again says the same again. That the portal told of an
    answer says nothing of the new due date, which is the office's to name.
    """
    wanted = "supplement-requested" if status == _WAITS else "supplemented"
    lines = [step.told.event for step in known.steps]
    said = {line.reference for line in lines if line.kind == wanted and line.agency == telling.agency}
    found: dict[str, Meaning] = {}
    for entry in item.get("DanhSachHoSoBoSung", ()):
        is_answered = "NgayTiepNhanBoSung" in entry
        reference = entry.get("HoSoBoSungId", "")
        if not reference or is_answered != (wanted == "supplemented"):
            continue
        if reference in said and not telling.is_here(reference):
            continue
        if wanted == "supplement-requested" and not {"NoiDungBoSung", "NgayBoSung"} <= set(entry):
            raise Senseless(_NO_REQUEST)
        version = "1.0" if wanted == "supplement-requested" else "2.0"
        found[reference] = Meaning(wanted, version, {**told, "@supplement": entry})
    return tuple(found.values())


#: Which member of an item says since when its status holds, where one does.
_SINCE: Final[Mapping[str, tuple[str, ...]]] = {
    "1": ("NgayNopHoSo", "NgayTiepNhan"),
    "2": ("NgayTiepNhan",),
    "3": ("NgayTuChoi", "NgayTra"),
    "8": ("NgayTra", "NgayKetThucXuLy"),
    "9": ("NgayKetThucXuLy",),
    "10": ("NgayTra", "NgayKetThucXuLy"),
}


def since_of(item: Mapping[str, Any], meaning: Meaning) -> str | None:
    """Since when the status holds, in the item's own form; None where the item says no moment of it.

    A registration that says none begins when the dossier was received: whatever was done with it came after that.
    """
    if "@now" in meaning.extra:
        return None
    entry = meaning.extra.get("@supplement")
    if entry is not None:
        return str(entry["NgayTiepNhanBoSung" if meaning.kind == "supplemented" else "NgayBoSung"])
    if "@text" in meaning.extra:
        return None
    names = _SINCE.get(str(meaning.extra["@told"]), ())
    if meaning.kind == "registered":
        names = (*names, "NgayTiepNhan", "NgayNopHoSo")
        if meaning.extra["@told"] == str(_WAITS):
            asked = [entry["NgayBoSung"] for entry in item.get("DanhSachHoSoBoSung", ()) if "NgayBoSung" in entry]
            return asked[-1] if asked else next((item[name] for name in names if name in item), None)
    return next((item[name] for name in names if name in item), None)


_FORCED: Final = "9 được ghi đè lên trạng thái đang chờ hoặc đã dừng"
_NO_STATUS: Final = Text(
    "Trạng thái không thuộc danh mục quốc gia 1-10. Phần mềm một cửa chỉ gửi bước có trạng thái trong danh mục.",
    "The status is none of the national list 1-10. The one-stop software must send only what has one of these.",
)
_NO_REASON: Final = Text(
    "Hồ sơ bị trả lại hoặc dừng mà không ghi lý do. Cán bộ một cửa cần ghi ThongTinTra (hoặc GhiChu) rồi gửi lại.",
    "The dossier is returned or stopped without a reason. The officer must write ThongTinTra (or GhiChu) and send"
    " again.",
)
_NO_REQUEST: Final = Text(
    "Yêu cầu bổ sung thiếu NoiDungBoSung hoặc NgayBoSung. Cán bộ một cửa cần ghi rõ phải bổ sung gì rồi gửi lại.",
    "The request for a supplement lacks NoiDungBoSung or NgayBoSung. The officer must say what is to be added and send"
    " again.",
)
