"""What the bus asks of a gateway: to start a payment, for a receipt, and to know of a refund."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.payment_gateway.checksum import Checksum
from gateway.calls.wire import Wire
from gateway.core.faults import PermanentFailure


class Requests:
    """Writes messages to one gateway. Amounts are whole VND."""

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], names: Mapping[str, str], checksum: Checksum | None
    ) -> None:
        """``names``: of a notice's members. Raises Misconfigured where the rules in ``folder`` cannot be read."""
        self._settings = settings
        self._names = names
        self._checksum = checksum
        self._init, self._refunded = Wire(folder, "init"), Wire(folder, "refunded")

    def start(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """INIT for the data of a ``dossier.progressed`` with charges; the same charges have the same MaThamChieu.

        Raises TransientFailure where the secret cannot be read.
        """
        said = self._init.outward({"at": data["at"]})
        code, settings = str(data["dossierCode"]), self._settings
        said |= {
            "PhienBan": str(settings.get("version", "1.0.6")),
            "MaDoiTac": str(settings.get("partner", "")),
            "MaThamChieu": f"{code}{said.get('ThoiGianGD', '')}",
            "SoTien": str(sum(int(fee["amount"]) for fee in data["charges"]["fees"])),
            "MaKenhThanhToan": str(settings.get("channel", "")),
            "MaThietBi": str(settings.get("device", "")),
            "ThongTinGiaoDich": str(settings.get("transaction_text", _WORDS)).replace("{code}", code),
            "Ip": str(settings.get("ip", "")),
        }
        said["ThongTinBienLai"] = dict(settings.get("receipt_details", {}))
        return self._sealed(said, "MaXacThuc")

    def bill(self, reference: str) -> dict[str, Any]:
        """GET_BILL for a payment by its MaThamChieu. Raises as above."""
        settings = self._settings
        said = {
            "LoaiBanTin": "GET_BILL",
            "PhienBan": str(settings.get("version", "1.0.6")),
            "MaDoiTac": str(settings.get("partner", "")),
            "MaThamChieu": reference,
            "MaXacThuc": "",
        }
        return self._sealed(said, "MaXacThuc")

    def refund(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A notice of refund in the form of the gateway's own notices. Raises as above, and PermanentFailure where
        the settings know no status for it.
        """
        statuses = self._settings.get("refund_statuses", ())
        if not statuses:
            raise PermanentFailure("unwritable: refund_statuses is not set, so that no refund can be said")
        told = {**self._refunded.outward(data), "status": statuses[0]}
        beyond = {name: value for name, value in told.items() if name not in _OURS}
        said = {self._names[name]: told[name] for name in _OURS if name in told and name in self._names}
        return self._sealed({**beyond, **said, self._names["checksum"]: ""}, self._names["checksum"])

    def _sealed(self, said: dict[str, Any], place: str) -> dict[str, Any]:
        if self._checksum is None:
            return said
        unsealed = {name: value for name, value in said.items() if name != place}
        return {**said, place: self._checksum.of(unsealed)}


_WORDS = "Nộp phí, lệ phí hồ sơ {code}"
_OURS = ("dossier", "notice", "amount", "paid_at", "status", "refund_of", "reason")
