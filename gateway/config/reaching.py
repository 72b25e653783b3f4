"""Checks of how agencies without a system here are reached: by a carrier, or, once closed, by their successor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.config.documents import Document
from gateway.config.reading import Reading
from gateway.config.rows import Row
from gateway.core.faults import Text

Read = tuple[Document, dict[str, Any]]


def check_successors(reading: Reading, agencies: Sequence[Read]) -> None:
    """A successor comes with the day of closing, and no chain of successors leads back to where it began."""
    names = {name: body["code"] for _, body in agencies for name in (*body.get("aliases", []), body["code"])}
    heirs = {body["code"]: names.get(body.get("successor"), body.get("successor")) for _, body in agencies}
    for document, body in agencies:
        if "successor" not in body:
            continue
        code = body["code"]
        if "closed" not in body:
            reading.mistake(
                document,
                ("successor",),
                Text(f"{code} có kế thừa nhưng không có ngày đóng", f"{code} has a successor and no day of closing"),
                Text("Hãy ghi thêm closed = 2025-07-01 (ngày đóng mã).", "Add closed = 2025-07-01, the day it closes."),
            )
        at, seen = heirs[code], 0
        while at is not None and at != code and seen <= len(heirs):
            at, seen = heirs.get(at), seen + 1
        if at == code:
            reading.mistake(
                document,
                ("successor",),
                Text(f"Kế thừa của {code} đi vòng về chính nó", f"The successors of {code} lead back to itself"),
                Text(
                    "Hãy sửa successor của một cơ quan trong vòng.", "Mend the successor of one agency of the circle."
                ),
            )


def check_carriers(reading: Reading, agencies: Sequence[Read], registered: Iterable[Row]) -> None:
    """A carrier is a registered system, of the folder or from elsewhere."""
    foreign = [row.body for row in registered if row.kind == "agency" and row.origin != "folder"]
    known = {
        f"{name}/{system.get('name')}"
        for body in (*(body for _, body in agencies), *foreign)
        for system in body.get("systems", [])
        for name in (body["code"], *body.get("aliases", []))
    }
    for document, body in agencies:
        if "via" in body and body["via"] not in known:
            reading.mistake(
                document,
                ("via",),
                Text(
                    f"Không có hệ thống {body['via']} để chuyển hộ", f"There is no system {body['via']} to carry for it"
                ),
                Text(
                    "Hãy khai báo hệ thống đó trong agencies/, hoặc sửa tên.",
                    "Register that system in agencies/, or mend the name.",
                ),
            )
