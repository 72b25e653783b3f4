"""The bill that the portal asks for before somebody pays there (``dptracuuthanhtoanhs``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.dvcqg.item import rules
from gateway.core.dossiers.dossier import Dossier
from gateway.core.moments import VIET_NAM, parse_moment

#: What the portal is answered: something is to be paid, nothing is, it cannot be said.
TO_PAY, NOTHING, FAILED = 1, 0, -1
_PAYING: Final = 6
_ACCOUNT: Final[Mapping[str, str]] = {"account": "TKThuHuong", "bank": "MaNHThuHuong", "name": "TenTKThuHuong"}
_SERVICE: Final[Mapping[str, str]] = {"code": "MaDVC", "name": "TenDVC"}
_WORDS: Final[Mapping[str, str]] = {
    "content": "NoiDungThanhToan", "district": "HuyenNguoiNop", "province": "TinhNguoiNop",
}  # fmt: skip


class Bills:
    """Writes bills. ``settings``: ``beneficiary``, ``service``, ``bill``, ``bill_statuses``."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._rules = rules("bill_out.json")
        self._statuses = frozenset(settings.get("bill_statuses", (_PAYING,)))
        said: dict[str, str] = {}
        for names, group in ((_ACCOUNT, "beneficiary"), (_SERVICE, "service"), (_WORDS, "bill")):
            said |= {wire: str(settings.get(group, {}).get(name, "")) for name, wire in names.items()}
        self._said = said

    def bill(self, dossier: Dossier | None) -> tuple[int, Any]:
        """``error_code`` and ``message`` of the answer. The same bill has the same ``MaTraCuuTT``, however often it is
        asked for: it is named after the moment since when it is to be paid.
        """
        if dossier is None or not dossier.record:
            return FAILED, []
        fees = _charged(dossier)
        is_paid = dossier.record.get("onlinePayment") == "paid" and dossier.status != _PAYING
        if dossier.status not in self._statuses or is_paid or not sum(fee["amount"] for fee in fees):
            return NOTHING, []
        bill = self._rules.apply({**dossier.record, "fees": fees})
        since = dossier.status_at if dossier.status_at is not None else dossier.received_at
        if since is None:
            since = parse_moment(str(dossier.record["status"]["at"])) or 0.0
        stamp = datetime.fromtimestamp(since, VIET_NAM).strftime("%Y%m%d%H%M%S")
        code = str(dossier.record["dossierCode"])
        bill |= {**self._said, "MaTraCuuTT": f"{code}{stamp}"}
        bill["NoiDungThanhToan"] = bill["NoiDungThanhToan"] or f"Nộp phí, lệ phí hồ sơ {code}"
        return TO_PAY, bill


def _charged(dossier: Dossier) -> list[Mapping[str, Any]]:
    """What was charged last, or else the fees of the dossier."""
    charges = dossier.record.get("charges")
    fees = charges.get("fees") if isinstance(charges, Mapping) else None
    return [fee for fee in fees or dossier.record.get("fees", ()) if isinstance(fee.get("amount"), int)]
