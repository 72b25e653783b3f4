"""A dossier as the portal wants it written: names by rules in data, files as addresses, texts as long as it takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.core.translation import Rules

WIRE: Final = Path(__file__).parent / "wire"
_LISTS: Final = ("papers", "results")
#: What the portal's description of an item does not call optional.
_OBLIGATORY: Final = (
    "MaHoSo", "MaTTHC", "TenTTHC", "MaLinhVuc", "TenLinhVuc", "ChuHoSo", "LoaiDoiTuong", "TrichYeuHoSo", "NgayTiepNhan",
    "NgayHenTra", "TrangThaiHoSo", "HinhThuc", "DonViXuLy",
)  # fmt: skip


def rules(name: str) -> Rules:
    """One file of the mapping; raises Misconfigured naming the wrong rule."""
    return Rules.parse((WIRE / name).read_bytes(), f"dvcqg/wire/{name}")


@dataclass(slots=True)
class Written:
    """What goes to the portal, and what is to be told of it: texts that were cut, files that have no address."""

    record: dict[str, Any]
    notes: list[str] = field(default_factory=list)

    @property
    def empty(self) -> str:
        """The names of what is obligatory in an item and empty in this one, never a value; empty where none is.

        The portal refuses without saying which member it misses.
        """
        return ", ".join(name for name in _OBLIGATORY if not self.record.get(name))


class Items:
    """Writes dossiers and steps."""

    def __init__(self, fields: str, link: Callable[[str, str], str]) -> None:
        """``fields``: ``2019`` or ``2022``; ``link`` gives the address of a file by SHA-256 and name."""
        self._item = rules(f"item_out_{fields}.json")
        self._steps = {
            "dossier.progressed": rules("step_progressed.json"),
            "dossier.forwarded": rules("step_forwarded.json"),
            "payment.notified": rules("step_paid.json"),
        }
        self._link = link
        self._limits: dict[str, dict[str, int]] = json.loads((WIRE / "limits.json").read_text("utf-8"))
        self._statuses: dict[str, str] = json.loads((WIRE / "statuses.json").read_text("utf-8"))

    def item(self, record: Mapping[str, Any], status: int | None) -> Written:
        """The item of ``DongBoHoSoMC`` for a dossier of the shape ``dossier.registered/2.0``; ``status`` where it is
        known better than the record says it.
        """
        written = Written({})
        data = {**record, **{name: self._addressed(record.get(name, ()), written) for name in _LISTS}}
        data["supplements"] = [
            {**each, "papers": self._addressed(each.get("papers", ()), written)}
            for each in record.get("supplements", ())
        ]
        if status is not None:
            data["status"] = {**record.get("status", {}), "code": status}
        item: dict[str, Any] = self._item.apply(data)
        # The portal knows two kinds of identity; of another one it could only be told something wrong.
        if "DinhDanhCHS" in item:
            item["DinhDanhCHS"] = [row for row in item["DinhDanhCHS"] if "LoaiDinhDanh" in row]
        beyond = record.get("ext", {}).get("dvcqg")
        # What the portal itself said beyond the rules goes back to it, never in place of what is known; names with @
        # are the adapter's own.
        said = {name: beyond[name] for name in beyond if name[:1] != "@"} if isinstance(beyond, Mapping) else {}
        written.record = {**said, **item}
        self._cut(written, written.record, "item")
        for name in ("TaiLieuNop", "DanhSachGiayToKetQua"):
            for row in written.record.get(name, ()):
                self._cut(written, row, name)
        return written

    def step(self, event: Mapping[str, Any], status: int, officer: str) -> Written | None:
        """The step of ``CapNhatTienDoHoSoMC`` that a message tells; None of a message that is no step.

        ``status``: where the dossier stood after it. ``officer``: who is named where the message names nobody.
        """
        mapping = self._steps.get(str(event["type"]))
        if mapping is None:
            return None
        step = mapping.apply(event["data"])
        step["TrangThai"] = str(status)
        step["NguoiXuLy"] = step["NguoiXuLy"] or step["PhongBanXuLy"] or officer
        step["NoiDungXuLy"] = step.get("NoiDungXuLy") or self._statuses[str(status)]
        written = Written(step)
        self._cut(written, step, "step")
        return written

    def _addressed(self, rows: Any, written: Written) -> list[dict[str, Any]]:
        """Papers with the address where the portal may fetch the file of each."""
        found = []
        for row in rows:
            each = dict(row)
            file = each.get("file")
            if isinstance(file, Mapping):
                try:
                    each["link"] = self._link(str(file["sha256"]), str(file["name"]))
                except FileNotFoundError:
                    written.notes.append("a file that the bus does not hold has no address")
            found.append(each)
        return found

    def _cut(self, written: Written, record: dict[str, Any], where: str) -> None:
        for name, limit in self._limits.get(where, {}).items():
            value = record.get(name)
            if isinstance(value, str) and len(value) > limit:
                record[name] = value[:limit]
                written.notes.append(f"{name} cut to {limit} of {len(value)} characters")
