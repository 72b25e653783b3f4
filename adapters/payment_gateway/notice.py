"""A notice of payment read: money was moved, so what can be understood is taken, and what is odd about it is said.

A notice is told apart by its own id, its outcome and its dossier: told again it is the same message, whatever else it
says then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from gateway.calls.wire import Read, Wire
from gateway.core.content import whole
from gateway.core.dossiers.dossier import Dossier
from gateway.core.dossiers.statuses import ENDS, FINISHED
from gateway.core.faults import Text
from gateway.core.forms import read_number
from gateway.core.moments import VIET_NAM
from gateway.core.plain_moment import written
from gateway.core.strictjson import StrictJsonError, parse_strict
from gateway.core.visit import Call

#: What a notice may hold (bytes), and how many members.
MOST: Final = 256 * 1024
_MOST_MEMBERS: Final = 200
#: Nothing is waited for in these any more.
_OVER: Final = ENDS | FINISHED
_PROCESSING: Final = 4
_STAMP: Final = re.compile(r"(.{1,50}?)[0-9]{14}\Z")
_PLACE: Final = re.compile(r"ho-so/([^/]{1,200})(?:/|\Z)")
#: Where the facts page names one, the name of a member is that one.
NAMES: Final[Mapping[str, str]] = {
    "notice": "MaThongBaoThue", "amount": "SoTien", "paid_at": "ThoiGianThanhToan", "status": "TrangThaiThanhToan",
    "dossier": "MaHoSo", "bill": "MaThamChieu", "checksum": "MaXacThuc",
}  # fmt: skip


class Senseless(Exception):
    """A notice that cannot be understood; ``args[0]`` is the Text for whoever sent it."""

    @property
    def text(self) -> Text:
        """Who must do what."""
        text: Text = self.args[0]
        return text


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice in the words of the bus. ``contract``: which; ``warnings``: what was odd, nothing of it personal."""

    contract: str
    data: dict[str, Any]
    outcome: str
    warnings: tuple[Text, ...]

    def beside(self, dossier: Dossier | None, tongue: str) -> Notice:
        """The same with what is known of its dossier: whether it moves it on, and what does not fit.

        Where it pays what was charged, or nobody knows what was, it ends a waiting for payment (*processing*) of any
        dossier that is not over: the office's word that it waits may come later than the bank's that it was paid, and
        where none waits the status moves nothing. Money that does not fit what was charged stays money that was paid:
        it is kept, moves nothing, and says so in ``ext``.
        """
        if self.outcome != "paid":
            return self
        data, warnings = dict(self.data), list(self.warnings)
        charged = charged_of(dossier)
        if dossier is None:
            warnings.append(_UNKNOWN)
            data["ext"] = _added(data, tongue, {"dossierUnknown": True})
        elif charged and data["amount"] not in charged:
            warnings.append(_MISMATCH)
            data["ext"] = _added(data, tongue, {"amountMismatch": {"charged": charged[0]}})
        elif dossier.status is not None and dossier.status not in _OVER:
            data["status"] = {"code": _PROCESSING, "at": data["paidAt"]}
        return Notice(self.contract, data, self.outcome, tuple(warnings))


class Notices:
    """Reads the notices of one gateway."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Raises Misconfigured where the rules in ``folder`` cannot be read."""
        self._wire = Wire(folder, "notified")
        self.names: Mapping[str, str] = {**NAMES, **settings.get("members", {})}
        self._paid = frozenset(settings.get("paid_statuses", ("0",)))
        self._refunded = frozenset(settings.get("refund_statuses", ()))

    def read(self, path: str, said: Mapping[str, Any], now: float) -> Notice:
        """The notice that a call to ``path`` brought; ``now`` is seconds since 1970. Raises Senseless."""
        names = self.names
        known = {ours: said.get(theirs) for ours, theirs in names.items() if ours != "checksum"}
        rest = {name: value for name, value in said.items() if name not in names.values()}
        status = _text(known.pop("status"))
        outcome = "refunded" if status in self._refunded else "paid" if status in self._paid else "failed"
        if not status:
            raise Senseless(_no_member(names["status"]))
        at = written(known["paid_at"])
        warnings = () if at is not None else (_NO_MOMENT,)
        at = at or datetime.fromtimestamp(int(now), VIET_NAM).isoformat()
        dossier = _text(known["dossier"]) or _dossier_in(path, _text(known["bill"]))
        amount = known["amount"]
        grouped = read_number(amount, "grouped") if isinstance(amount, str) and "." in amount else None
        amount = amount if grouped is None else grouped
        refund_of = _text(known.get("refund_of")) or _text(known["notice"])
        # A status that says neither is kept as it was told.
        beyond = {names["status"]: status} if outcome == "failed" else {}
        ours = {
            **known,
            "outcome": outcome, "dossier": dossier, "paid_at": at, "amount": amount, "refund_of": refund_of,
        }  # fmt: skip
        read = self._wire.inward({**rest, **beyond, "lgsp": ours})
        self._check(read)
        contract = "payment.refunded" if outcome == "refunded" else "payment.notified"
        return Notice(contract, read.data, outcome, warnings + read.warnings)

    def _check(self, read: Read) -> None:
        if read.faults:
            raise Senseless(read.faults[0])
        for ours, theirs in (("dossierCode", "dossier"), ("noticeId", "notice")):
            if not read.data.get(ours):
                raise Senseless(_no_member(self.names[theirs]))
        if not isinstance(read.data.get("amount"), int) or read.data["amount"] < 0:
            raise Senseless(_no_member(self.names["amount"]))


def said_in(call: Call) -> dict[str, Any]:
    """The members of a notice: a JSON object, a form, or the parameters of the address. Raises Senseless."""
    if call.body.size > MOST:
        raise Senseless(_TOO_LARGE)
    raw = whole(call.body)
    if not raw.strip():
        return dict(call.query)
    if call.fields.get("content-type", "").partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_MOST_MEMBERS)
        except ValueError:
            raise Senseless(_NO_OBJECT) from None
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise Senseless(_NO_OBJECT)
            found[name] = value
        return found
    try:
        value = parse_strict(raw, max_depth=16)
    except StrictJsonError:
        raise Senseless(_NO_OBJECT) from None
    if not isinstance(value, dict) or len(value) > _MOST_MEMBERS:
        raise Senseless(_NO_OBJECT)
    return value


def charged_of(dossier: Dossier | None) -> list[int]:
    """What may be paid at once, in VND: everything that was charged first, then all but the oldest charges.

    Charges come one after the other; a payment is for those that are still open, which are the youngest.
    """
    record = {} if dossier is None else dossier.record
    fees = record.get("charges", {}).get("fees") or record.get("fees", [])
    amounts = [fee["amount"] for fee in fees if isinstance(fee.get("amount"), int)]
    return [total for number in range(len(amounts)) if (total := sum(amounts[number:])) > 0]


def _dossier_in(path: str, bill: str) -> str:
    """The dossier's code where the notice does not say it: in the address called, or before the bill's moment."""
    if (place := _PLACE.search(path)) is not None:
        return unquote(place[1])
    return found[1] if (found := _STAMP.match(bill)) is not None else ""


def _added(data: Mapping[str, Any], tongue: str, said: Mapping[str, Any]) -> dict[str, Any]:
    ext = data.get("ext", {})
    return {**ext, tongue: {**ext.get(tongue, {}), **said}}


def _text(value: Any) -> str:
    """A code that may be written as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _no_member(name: str) -> Text:
    return Text(
        f"{name} thiếu hoặc không đọc được. Cổng thanh toán cần sửa rồi gửi lại thông báo.",
        f"{name} is absent or cannot be read. The payment gateway must mend it and send the notice again.",
    )


_UNKNOWN: Final = Text(
    "Có tiền nộp cho hồ sơ mà trục chưa biết; thông báo vẫn được nhận. Đơn vị một cửa đối chiếu mã hồ sơ.",
    "Money was paid for a dossier that the bus does not know; the notice is kept. The one-stop must check the code.",
)
_MISMATCH: Final = Text(
    "Số tiền nộp khác số phải nộp; thông báo vẫn được nhận, hồ sơ không tự chuyển bước. Đơn vị một cửa đối chiếu với"
    " cổng thanh toán.",
    "What was paid is not what was charged; the notice is kept and moves nothing. The one-stop must settle it with the"
    " payment gateway.",
)
_NO_MOMENT: Final = Text(
    "Thông báo không ghi thời điểm đọc được; trục ghi lúc nhận.",
    "The notice says no readable moment; that of its coming is written.",
)
_NO_OBJECT: Final = Text(
    "Thông báo không phải là một đối tượng JSON hay biểu mẫu đọc được. Cổng thanh toán cần sửa rồi gửi lại.",
    "The notice is no JSON object or form that can be read. The payment gateway must mend it and send again.",
)
_TOO_LARGE: Final = Text(
    f"Thông báo lớn hơn {MOST} byte. Cổng thanh toán cần gửi thông báo gọn hơn.",
    f"The notice is over {MOST} bytes. The payment gateway must send a smaller one.",
)
