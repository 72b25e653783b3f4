"""A department's database program in small: it exports CSV files, reads those of the bus, with its faults."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from gateway.ports import Parcel

COLUMNS: Final = ("Mã", "Tên", "Ghi chú")
IN_RULES: Final = {
    "rules": [
        {"constant": "nha-o", "to": "/register"},
        {"constant": "updated", "to": "/change"},
        {"move": "/Mã", "to": "/key"},
        {"move": "/Tên", "to": "/record/ten"},
    ]
}
OUT_RULES: Final = {"rules": [{"move": "/key", "to": "/Mã"}, {"move": "/record/ten", "to": "/Tên"}]}


@dataclass(slots=True)
class Department:
    """A program at two folders, ``out`` (what it exports) and ``in`` (what it takes in) under ``folder``."""

    folder: Path
    #: Write under the final name, the second half only at :meth:`finish`.
    half_written: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    _halves: dict[Path, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in (self.exports, self.imports):
            path.mkdir(parents=True, exist_ok=True)
        self.rules("in").write_text(json.dumps(IN_RULES), "utf-8")
        self.rules("out").write_text(json.dumps(OUT_RULES), "utf-8")

    def rules(self, way: str) -> Path:
        """The rule file of one way: the province's, not on the department's drive."""
        return self.folder.with_name(f"records-{way}.json")

    @property
    def exports(self) -> Path:
        """Where it drops its files."""
        return self.folder / "exports"

    @property
    def imports(self) -> Path:
        """Where the bus places files for it."""
        return self.folder / "imports"

    def export(self, name: str, rows: Sequence[Sequence[str]], header: Sequence[str] = COLUMNS) -> None:
        """Drop one file of these rows."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows([header, *rows])
        self.drop_bytes(name, text.getvalue().encode("utf-8-sig"))

    def drop_bytes(self, name: str, raw: bytes) -> None:
        """Drop a file, or half of it while ``half_written``."""
        path = self.exports / name
        if self.half_written:
            self._halves[path] = raw
            raw = raw[: len(raw) // 2]
        path.write_bytes(raw)

    def finish(self) -> None:
        """Write the missing halves."""
        for path, raw in self._halves.items():
            path.write_bytes(raw)
        self._halves.clear()

    def imported(self) -> list[dict[str, str]]:
        """The rows of all files that the bus placed, by the names of their columns."""
        found: list[dict[str, str]] = []
        for path in sorted(self.imports.glob("*.csv")):
            with path.open(encoding="utf-8-sig", newline="") as file:
                found += list(csv.DictReader(file))
        return found

    def refused(self) -> list[list[str]]:
        """The rows that the bus refused: line, reason, the reason in words twice, and what stood there."""
        found: list[list[str]] = []
        for path in sorted((self.exports / ".refused").glob("*.csv")):
            with path.open(encoding="utf-8-sig", newline="") as file:
                found += list(csv.reader(file))[1:]
        return found

    async def arrivals(self) -> list[str]:
        """Delivery ids, from the column for them."""
        return [row["lgsp-delivery"] for row in self.imported()]

    async def go_down(self) -> None:
        """The drive is gone."""
        self.folder.rename(self.folder.with_name(f"{self.folder.name}.away"))

    async def come_back(self) -> None:
        """The drive is there again."""
        self.folder.with_name(f"{self.folder.name}.away").rename(self.folder)

    def fits(self, parcel: Parcel) -> Parcel:
        """The parcel as a record."""
        event = dict(parcel.event)
        record = {"ten": event["data"]["subject"]}
        data = {"register": "nha-o", "key": str(event["id"]), "change": "updated", "record": record}
        return replace(parcel, event={**event, "type": "record.changed", "data": data})

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A contract that no rules are set for."""
        return replace(parcel, event={**dict(parcel.event), "type": "sensor.reading"})

    async def drop(self, event: Mapping[str, Any]) -> None:
        """Export one row that says what ``event`` says."""
        self.export("xuat.csv", [[str(event["id"]), event["data"]["subject"], ""]])

    async def drop_rubbish(self) -> None:
        """Export a file whose one row is broken."""
        self.drop_bytes("rac.csv", "Mã,Tên\nchỉ một ô\n".encode())

    async def waiting(self) -> list[str]:
        """Files that are not done with."""
        folders = (self.exports, self.exports / ".working")
        return [path.name for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()]

    async def refusals(self) -> list[str]:
        """What the bus wrote beside."""
        return [" ".join(row) for row in self.refused()]


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Department]:
    """A department whose settings fit the adapter beside this file."""
    home = folder / "department"
    settings = {
        "incoming": {"contract": "record.changed/1.0", "rules": str(folder / "records-in.json")},
        "read": {"folder": str(home / "exports"), "settle_seconds": 0},
        "out": {"folder": str(home / "imports")},
        "outgoing": [
            {"contract": "record.changed", "rules": str(folder / "records-out.json"), "columns": ["Mã", "Tên"]},
        ],
    }
    yield Department(home, settings=settings)
