"""The national axis in small, written from the facts page: strict services of many ministries behind one address.

Faults besides the counter's: ``refused`` (business errors for the next calls of a service, told with HTTP 200),
``skewed`` (the security server's clock is wrong: no token is good), ``unquoted`` (answers that are no JSON),
``once`` (JSON that is encoded once where twice is usual), ``hidden`` (one that has no record of anybody).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from adapters.ngsp.axis.services import OFFICER, OTHER, SECRETS, Services
from gateway.ports import Parcel

_NOTES: Final = "var/ngsp"


@dataclass(slots=True)
class Axis(Services):
    """The axis as one province sees it."""

    folder: Path = Path()
    settings: Mapping[str, Any] = field(default_factory=dict)

    async def arrivals(self) -> list[str]:
        """Delivery ids of the dossiers that the land office received, each under the id by which it came first."""
        return list(self.received.values())

    async def go_down(self) -> None:
        """Be out of reach: the security server is down."""
        await self.counter.stop()

    async def come_back(self) -> None:
        """Be there again."""
        await self.counter.start()

    def fits(self, parcel: Parcel) -> Parcel:
        """The parcel as a dossier for the land office, whose applicant lives where the parcel's document is about."""
        code = f"000.00.00.H33-261123-{int(parcel.delivery[:5], 16) % 9999 + 1:04d}"
        data = {
            "dossierCode": code, "receiptNumber": parcel.delivery, "procedure": {"code": "1.004199", "name": "Đất đai"},
            "agency": {"code": "H33.16"}, "status": {"code": 2, "at": "2026-11-23T08:00:00+07:00"},
            "receivedAt": "2026-11-23T08:00:00+07:00",
            "applicant": {"name": "Nguyễn Văn Mẫu", "kind": "citizen", "address": str(parcel.event["data"]["subject"])},
        }  # fmt: skip
        kind = {"type": "dossier.registered", "dataschema": "urn:lgsp:contract:dossier.registered:2.0"}
        return replace(parcel, event={**parcel.event, **kind, "subject": code, "data": data})

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A message that no ministry takes."""
        return replace(parcel, event={**parcel.event, "type": "document.issued"})

    async def drop(self, event: Mapping[str, Any]) -> None:
        """A dossier is listed that is about what ``event`` is about."""
        number = int(str(event["id"])[-4:], 16) % 9999 + 1
        self.list_dossier(f"000.00.16.H33-261123-{number:04d}", TrichYeuHoSo=str(event["data"].get("subject", "")))

    async def drop_rubbish(self) -> None:
        """A row without a code."""
        self.list_dossier("", TrangThaiHoSo=f"x{next(self._numbers)}")

    async def waiting(self) -> list[str]:
        """What is listed and nobody noted as done with."""
        done = sum("token" in line for line in self._notes())
        return [str(row["MaHoSo"]) for row in self.listed][done:]

    async def refusals(self) -> list[str]:
        """What was noted of items that the bus refused."""
        return [f"{line['refused']}: {line['vi']} {line['en']}" for line in self._notes() if "refused" in line]

    def _notes(self) -> list[dict[str, Any]]:
        files = sorted((self.folder / _NOTES).glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines() if line]


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Axis]:
    """The axis, listening; its secrets in the folder ``keys/ngsp``."""
    axis = Axis(folder=folder)
    keys = folder / "keys" / "ngsp"
    keys.mkdir(parents=True, exist_ok=True)
    for name, secret in SECRETS.items():
        (keys / name).write_text(secret + "\n", "utf-8")
    await axis.counter.start()
    axis.settings = settings_of(axis.counter.url)
    try:
        yield axis
    finally:
        await axis.counter.stop()


def settings_of(url: str) -> dict[str, Any]:
    """Settings under which every service here can be used."""
    lgsp = {
        "url": f"{url}/token", "access_key": "AK", "secret_key_file": "keys/ngsp/lgsp", "app_name": "LGSP",
        "partner_code": "H33", "partner_code_cus": "H33.14",
    }  # fmt: skip
    officers = {OFFICER: "keys/ngsp/officer", OTHER: "keys/ngsp/other"}
    axis = {"account": "axis"}
    return {
        "url": url,
        "poll_seconds": 0.05,
        "accounts": {
            "axis": {"profile": "wso2", "url": f"{url}/token", "client_id": "khoa-ung-dung",
                     "client_secret_file": "keys/ngsp/wso2"},
            "population": {"profile": "authhash", **lgsp, "officers": officers},
            "transport": {"profile": "apikey", "key_file": "keys/ngsp/key", "unit": "H33.16"},
            "driving-licence": {"profile": "session", "url": f"{url}/mapi/login", "username": "tinh-mau",
                                "password_file": "keys/ngsp/portal"},
            "land": {"profile": "bodykey", "member": "SecurityCode", "key_file": "keys/ngsp/land"},
            "complaints": {"profile": "basic", "username": "tinh-mau", "password_file": "keys/ngsp/kntc"},
        },
        "services": {
            "population": {
                "paths": {"citizen": "/dan-cu"}, "values": {"MaTichHop": "037"},
                "tables": {"services": {"1.004199": "DVC01"}},
            },
            "insurance": axis, "enterprise": axis, "criminal-record": axis, "category": axis, "complaints": {},
            "civil-status": {
                **axis, "tables": {"places": {"H33.16": "30760", "H33": "91"}},
                "names": {"state": "/state", "code": "/code", "status": "/trangThai", "records": "/data"},
            },
            "driving-licence": {
                "names": {"application": "/result", "code": "/MaHoSo", "status": "/TrangThaiHoSo", "over": 401,
                          "absent": 2},
            },
            "transport": {"values": {"unit": "H33.16"}, "names": {"error": "/error_code"}},
            "land": {"paths": {"receive": "/dat-dai/TiepNhanHoSo"}},
        },
    }  # fmt: skip
