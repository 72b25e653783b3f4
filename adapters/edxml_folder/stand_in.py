"""The agency in small: a document system that writes and reads .edxml files, with the faults such systems have."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.core.content import InMemory
from gateway.core.edxml.identifiers import official_id
from gateway.core.edxml.read import read
from gateway.core.edxml.values import (
    Attachment,
    Business,
    Code,
    DocumentMessage,
    DocumentType,
    Organization,
    OtherInfo,
    Promulgation,
    ResponseFor,
    Signer,
    StatusMessage,
    TraceStop,
    Unreadable,
)
from gateway.core.edxml.write import write
from gateway.ports import Parcel

_READ: Final = ".read"
#: The smallest file that everybody takes for a PDF.
A_PDF: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


class Taken(NamedTuple):
    """A file that the bus delivered: its name and its bytes."""

    name: str
    raw: bytes


@dataclass(slots=True)
class DocumentSystem:
    """A document system at its two folders, ``outbox`` and ``inbox`` under ``folder``, made where absent."""

    folder: Path
    #: Write under the final name, the second half only at :meth:`finish`: what careless software does.
    half_written: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    _halves: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outbox.mkdir(parents=True, exist_ok=True)
        self.inbox.mkdir(parents=True, exist_ok=True)

    @property
    def outbox(self) -> Path:
        """Where this system drops what it sends."""
        return self.folder / "outbox"

    @property
    def inbox(self) -> Path:
        """Where the bus puts what this system collects."""
        return self.folder / "inbox"

    def send(self, raw: bytes, name: str) -> None:
        """Drop ``raw`` as ``name``: whole, or half of it while ``half_written``."""
        if self.half_written:
            self._halves[name] = raw
            (self.outbox / name).write_bytes(raw[: len(raw) // 2])
            return
        unfinished = self.outbox / f"{name}.part"
        unfinished.write_bytes(raw)
        unfinished.rename(self.outbox / name)

    def finish(self) -> None:
        """Write the missing halves."""
        for name, raw in self._halves.items():
            with (self.outbox / name).open("ab") as file:
                file.write(raw[len(raw) // 2 :])
        self._halves.clear()

    def collected(self) -> list[Taken]:
        """What the bus delivered since the last call, oldest first; a repeat of something known is dropped."""
        known = self.inbox / _READ
        known.mkdir(exist_ok=True)
        files = [path for path in self.inbox.iterdir() if path.is_file() and not path.name.startswith(".")]
        fresh: list[Taken] = []
        for path in sorted(files, key=lambda each: (each.stat().st_mtime_ns, each.name)):
            if not (known / path.name).exists():
                fresh.append(Taken(path.name, path.read_bytes()))
            os.replace(path, known / path.name)  # noqa: PTH105 - the name is the delivery: the same again is the same
        return fresh

    def sent(self) -> list[str]:
        """Names of files that the bus accepted."""
        return sorted(path.name for path in (self.outbox / ".done").glob("*/*"))

    def refused(self) -> dict[str, str]:
        """Names of files that the bus refused, each with the note it left."""
        notes = (self.outbox / ".refused").glob("*.reason.txt")
        return {note.name.removesuffix(".reason.txt"): note.read_text("utf-8-sig") for note in notes}

    def answer(self, raw: bytes, code: str = "01", *, at: str = "2026-11-23T08:00:00+07:00") -> bytes | None:
        """The status report on a collected document (``at`` RFC 3339); None for what is no document to report on."""
        try:
            document = read(raw)
        except Unreadable:
            return None
        if not isinstance(document, DocumentMessage):
            return None
        about = ResponseFor(
            document.sender.organ_id, document.code.joined, document.document_id, document.promulgation.date
        )
        return write(StatusMessage(document.recipients[0], about, code, timestamp=at))

    async def arrivals(self) -> list[str]:
        """Delivery ids of the files in ``inbox``: the names less their endings."""
        return [path.name.partition(".")[0] for path in sorted(self.inbox.iterdir()) if not path.name.startswith(".")]

    async def go_down(self) -> None:
        """The folder is gone, as a network drive goes."""
        self.folder.rename(self.folder.with_name(f"{self.folder.name}.away"))

    async def come_back(self) -> None:
        """The folder is there again."""
        self.folder.with_name(f"{self.folder.name}.away").rename(self.folder)

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A parcel that edXML cannot say."""
        return replace(parcel, event={**parcel.event, "type": "sensor.reading"})

    async def drop(self, event: Mapping[str, Any]) -> None:
        """Send a document that says what ``event`` says, as far as a document can."""
        self.send(a_document("12", subject=event["data"]["subject"], recipients=[event["to"]]), "12.edxml")

    async def drop_rubbish(self) -> None:
        """Send what is no edXML."""
        self.send(b"rubbish", "rubbish.edxml")

    async def waiting(self) -> list[str]:
        """Names of files that are not settled."""
        return [path.name for path in self.outbox.iterdir() if path.is_file()]

    async def refusals(self) -> list[str]:
        """The notes that the bus left."""
        return list(self.refused().values())


def a_document(
    number: str,
    *,
    sender: str = "H33.05",
    recipients: Sequence[str] = ("H33.16",),
    subject: str = "V/v thử nghiệm liên thông văn bản",
    date: str = "2026-11-23",
    priority: int = 0,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """A new official letter as such a system exports it; the officials in it are made up."""
    notation = "STC-VP"
    attachments = tuple(
        Attachment(str(place), name, InMemory(content), detected_type="application/pdf")
        for place, (name, content) in enumerate((files or {f"{number}.pdf": A_PDF}).items(), start=1)
    )
    return write(
        DocumentMessage(
            sender=Organization(sender, "Cơ quan gửi mẫu"),
            recipients=tuple(Organization(code) for code in recipients),
            subject=subject,
            document_id=official_id(sender, date, f"{number}/{notation}"),
            code=Code(number, notation),
            promulgation=Promulgation("Rạch Giá", date),
            document_type=DocumentType("Công văn", 2, 18),
            content=subject,
            signer=Signer("KT. GIÁM ĐỐC", "Phó Giám đốc", "Nguyễn Văn Mẫu"),
            other=OtherInfo(priority=priority, pages=1),
            business=Business("new", reason="Văn bản mới"),
            trace=(TraceStop(sender, f"{date}T08:00:00+07:00"),),
            attachments=attachments,
        )
    )


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[DocumentSystem]:
    """A document system whose settings fit the adapter beside this file."""
    home = folder / "documents"
    settings = {
        "outbox": str(home / "outbox"),
        "inbox": str(home / "inbox"),
        "confidentiality": "none",
        "settle_seconds": 0,
    }
    yield DocumentSystem(home, settings=settings)
