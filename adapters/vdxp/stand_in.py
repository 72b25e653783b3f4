"""The axis in small: several connected systems, strict on how the kit calls it, with the faults of the field."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web

from adapters.vdxp.axis.doors import Doors
from adapters.vdxp.axis.faults import Fault, Faults, Kind
from adapters.vdxp.axis.keeping import Keeper, Kept, Listed, Member, MessageType, local
from adapters.vdxp.axis.relaying import Ways, relayed, slip_of
from gateway.ports import Parcel

#: The province's own system and what it signs with; no other system knows it.
SYSTEM: Final = "00.33.W00"
SECRET_FILE: Final = "keys/axis.secret"  # noqa: S105 - a path
_SECRET: Final = "made up for the axis in small"  # noqa: S105 - of a program for tests
#: The names of all faults.
FAULTS: Final[tuple[str, ...]] = get_args(Kind)
#: The smallest file that everybody takes for a PDF, in base64.
_A_PDF: Final = "JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZz4+ZW5kb2JqCnRyYWlsZXI8PC9Sb290IDEgMCBSPj4KJSVFT0YK"


@dataclass(slots=True)
class Axis:
    """The axis on this machine, with members: system id -> its agencies."""

    keeper: Keeper = field(default_factory=Keeper)
    faults: Faults = field(default_factory=Faults)
    ways: Ways = field(default_factory=Ways)
    now: Callable[[], float] = time.time
    settings: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    doors: Doors = field(init=False)
    _runner: web.AppRunner | None = None
    _numbers: Any = field(default_factory=lambda: itertools.count(100))

    def __post_init__(self) -> None:
        self.doors = Doors(self.keeper, self.faults, self.ways, self._moment)

    def _moment(self) -> float:
        return self.now()

    def join(self, system: str, secret: str, agencies: Sequence[Listed]) -> Member:
        """Connect a system that speaks for these agencies."""
        member = Member(system, secret, {each.code: each for each in agencies})
        self.keeper.members[system] = member
        return member

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError where the port is taken."""
        self.doors.begin()
        self._runner = web.AppRunner(self.doors.application(), access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            self._runner = None
            raise
        self.url = f"http://{host}:{self._runner.addresses[0][1]}/XrdAdapter/adapter"

    async def stop(self) -> None:
        """Listen no more; slow answers are let go."""
        self.doors.end()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # ---------------------------------------------------------------------------------- as another member would

    def put(
        self, raw: bytes, sender: str, receivers: Sequence[str] | None = None, *, as_is: bool = False, title: str = ""
    ) -> str:
        """Take a message from an agency of another member, without the frame; answers the axis' id.

        ``as_is``: what no sound sender could hand in, such as rubbish; it needs ``receivers``.
        """
        kind: MessageType = "edoc"
        notation, changed = "", raw
        if not as_is:
            slip = slip_of(raw)
            kind = "status" if slip.is_status else "edoc"
            title, notation, receivers = slip.title, slip.notation, receivers or slip.receivers
            changed = relayed(raw, self.ways, local(self.now()))
        owner = next((m.system for m in self.keeper.members.values() if m.speaks_for(sender)), sender)
        kept = Kept(self.keeper.new_id(), kind, sender, owner, title, notation, raw, changed, {}, self.now())
        self.keeper.take(kept, dict.fromkeys(receivers or ()), at=self.now())
        return kept.doc_id

    def sent_by(self, sender: str) -> list[Kept]:
        """What an agency handed in, oldest first."""
        return [each for each in self.keeper.documents.values() if each.sender == sender]

    def items_of(self, receiver: str) -> list[tuple[str, str]]:
        """What an agency was sent: the title of each item and its state."""
        return [(item.document.title, item.status) for item in self.keeper.items if item.receiver == receiver]

    def sender_view(self, sender: str) -> list[dict[str, str]]:
        """What an agency sees of what it sent: title, receiver, state and note of each item, oldest first."""
        return [
            {
                "title": item.document.title,
                "to": item.receiver,
                "status": item.status,
                "note": unquote(item.note),
                "docId": item.document.doc_id,
            }
            for item in self.keeper.items
            if item.document.sender == sender
        ]

    # ----------------------------------------------------------------------------------------- for the suite

    async def arrivals(self) -> list[str]:
        """Delivery ids of what was handed in over HTTP, as its own header field told them."""
        names = (kept.fields.get("lgsp-delivery") for kept in self.keeper.documents.values())
        return [name for name in names if name is not None]

    async def go_down(self) -> None:
        """Close the doors: connections are refused."""
        await self.stop()

    async def come_back(self) -> None:
        """Open the same doors again."""
        await self.start(port=int(self.url.rpartition(":")[2].partition("/")[0]))

    def hopeless(self, parcel: Parcel) -> Parcel:
        """A parcel for an agency that the axis does not know."""
        return replace(parcel, carried=("H99.99",))

    async def drop(self, event: Mapping[str, Any]) -> None:
        """Another member's agency sends a letter that says what ``event`` says."""
        self.put(a_letter(next(self._numbers), to=[event["to"]], subject=event["data"]["subject"]), "G22")

    async def drop_rubbish(self) -> None:
        """The axis lists what is no edXML."""
        self.put(b"rubbish", "G22", ["H33.16"], as_is=True, title="rubbish")

    async def waiting(self) -> list[str]:
        """Ids of items for the province that are neither done nor failed."""
        member = self.keeper.members[SYSTEM]
        return [item.receiver_doc_id for kind in ("edoc", "status") for item in self.keeper.waiting(member, kind)]

    async def refusals(self) -> list[str]:
        """The notes on what the province failed."""
        return [unquote(item.note) for item in self.keeper.items if item.status == "fail"]


def a_letter(
    number: int | str,
    *,
    sender: str = "G22",
    to: Sequence[str] = ("H33.16",),
    subject: str = "V/v liên thông văn bản",
    business: int = 0,
    concerns: str = "",
    date: str = "2026/11/23",
    files: Mapping[str, str] | None = None,
) -> bytes:
    """An official letter as the kit's builder writes it (``files``: name -> base64); its people are made up."""
    own = f"{sender},{date},{number}/VPCP-TTĐT"
    names = files or {f"{number}.pdf": _A_PDF}
    receivers = "".join(f"<edXML:To><edXML:OrganId>{escape(code)}</edXML:OrganId></edXML:To>" for code in to)
    earlier = f"<edXML:DocumentId>{escape(concerns)}</edXML:DocumentId>" if concerns else ""
    manifest = "".join(
        f"<edXML:Reference><edXML:ContentId>cid:{place}</edXML:ContentId>"
        f"<edXML:ContentType>application/pdf</edXML:ContentType>"
        f"<edXML:AttachmentName>{escape(name)}</edXML:AttachmentName></edXML:Reference>"
        for place, name in enumerate(names, start=1)
    )
    attached = "".join(
        f"<Attachment><ContentId>cid:{place}</ContentId><AttachmentName>{escape(name)}</AttachmentName>"
        f"<ContentType>application/pdf</ContentType>"
        f'<edXML:ContentTransferEncoded xmlns:edXML="{_QCVN}">{content}</edXML:ContentTransferEncoded></Attachment>'
        for place, (name, content) in enumerate(names.items(), start=1)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{_QCVN}"><edXML:edXMLEnvelope xmlns:edXML="{_QCVN}">'
        f"<edXML:edXMLHeader><edXML:MessageHeader><edXML:From><edXML:OrganId>{sender}</edXML:OrganId>"
        f"<edXML:OrganName>Cơ quan gửi mẫu</edXML:OrganName></edXML:From>{receivers}"
        f"<edXML:DocumentId>{own}</edXML:DocumentId><edXML:Code><edXML:CodeNumber>{number}</edXML:CodeNumber>"
        f"<edXML:CodeNotation>VPCP-TTĐT</edXML:CodeNotation></edXML:Code><edXML:PromulgationInfo>"
        f"<edXML:Place>Hà Nội</edXML:Place><edXML:PromulgationDate>{date}</edXML:PromulgationDate>"
        f"</edXML:PromulgationInfo><edXML:DocumentType><edXML:Type>2</edXML:Type><edXML:TypeName>Công văn"
        f"</edXML:TypeName></edXML:DocumentType><edXML:Subject>{escape(subject)}</edXML:Subject>"
        f"<edXML:Content></edXML:Content><edXML:SignerInfo><edXML:FullName>Nguyễn Văn Mẫu</edXML:FullName>"
        f"</edXML:SignerInfo><edXML:OtherInfo><edXML:Priority>0</edXML:Priority></edXML:OtherInfo>"
        f"</edXML:MessageHeader><edXML:TraceHeaderList><edXML:Bussiness>{earlier}"
        f"<edXML:BussinessDocType>{business}</edXML:BussinessDocType></edXML:Bussiness>"
        f"<edXML:TraceHeader><edXML:OrganId>{sender}</edXML:OrganId><edXML:Timestamp>{date} 08:00:00"
        f"</edXML:Timestamp></edXML:TraceHeader></edXML:TraceHeaderList></edXML:edXMLHeader><edXML:edXMLBody>"
        f'<edXML:edXMLManifest version="1.0">{manifest}</edXML:edXMLManifest></edXML:edXMLBody>'
        f"</edXML:edXMLEnvelope><AttachmentEncoded>{attached}</AttachmentEncoded></edXML>"
    ).encode()


_QCVN: Final = "http://www.mic.gov.vn/TBT/QCVN_102_2016"


def a_report(
    code: str, *, sender: str, about: str, of: str, notation: str, at: str = "2026/11/23 09:00:00", note: str = ""
) -> bytes:
    """A status report by ``sender`` on the document ``about`` that agency ``of`` issued."""
    told = f"<edXML:Description>{escape(note)}</edXML:Description>" if note else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{_QCVN}"><edXML:edXMLEnvelope xmlns:edXML="{_QCVN}">'
        f"<edXML:edXMLHeader><edXML:MessageHeader><edXML:From><edXML:OrganId>{sender}</edXML:OrganId></edXML:From>"
        f"<edXML:ResponseFor><edXML:OrganId>{of}</edXML:OrganId><edXML:Code>{escape(notation)}</edXML:Code>"
        f"<edXML:PromulgationDate>{at[:10]}</edXML:PromulgationDate><edXML:DocumentId>{escape(about)}"
        f"</edXML:DocumentId></edXML:ResponseFor><edXML:StatusCode>{code}</edXML:StatusCode>{told}"
        f"<edXML:Timestamp>{at}</edXML:Timestamp></edXML:MessageHeader></edXML:edXMLHeader></edXML:edXMLEnvelope>"
        f"</edXML>"
    ).encode()


def an_answer(raw: bytes, code: str, receiver: str) -> bytes:
    """The status that an agency reports on a document it received."""
    slip = slip_of(raw)
    return a_report(code, sender=receiver, about=slip.document_id, of=slip.sender, notation=slip.notation)


def a_fault(text: str) -> Fault:
    """A fault as the command line writes it, ``KIND`` or ``KIND:VALUE``; raises ValueError."""
    kind, _, value = text.partition(":")
    if kind not in FAULTS:
        raise ValueError(kind)
    return Fault(kind, value)  # type: ignore[arg-type]


def a_small_country(axis: Axis) -> None:
    """Three systems: the Government Office and a ministry, the province of the bus, and another province."""
    axis.join("00.01.W00", "another secret", [
        Listed("G22", "Văn phòng Chính phủ", "000.00.00.G22"),
        Listed("G12", "Bộ Tài chính", "000.00.00.G12"),
    ])  # fmt: skip
    axis.join(SYSTEM, _SECRET, [
        Listed("H33", "Uỷ ban nhân dân tỉnh", "000.00.00.H33", centre=SYSTEM),
        Listed("H33.05", "Sở Tài chính", "000.00.05.H33", "H33", SYSTEM),
        Listed("H33.16", "Sở Y tế", "000.00.16.H33", "H33", SYSTEM),
        Listed("H33.20", "Sở Nội vụ", "000.00.20.H33", "H33", SYSTEM),
    ])  # fmt: skip
    axis.join("00.27.W00", "a third secret", [
        Listed("H27.01", "Sở Y tế tỉnh bạn", "000.00.01.H27"),
        Listed("H27.02", "Cơ quan bị khoá", "000.00.02.H27", is_locked=True),
        Listed("H27.03", "Cơ quan đã giải thể", "000.00.03.H27", is_deleted=True),
    ])  # fmt: skip


@contextlib.asynccontextmanager
async def agency(folder: Path) -> AsyncIterator[Axis]:
    """The axis with a small country around it; the settings fit the adapter beside this file."""
    axis = Axis()
    a_small_country(axis)
    await asyncio.to_thread(_write_secret, folder)
    await axis.start()
    axis.settings = {
        "url": axis.url,
        "system_id": SYSTEM,
        "secret_file": SECRET_FILE,
        "confidentiality": "none",
        "poll_seconds": 0,
        "describes_status": True,
        "timeout": 3,
    }
    try:
        yield axis
    finally:
        await axis.stop()


def _write_secret(folder: Path) -> None:
    file = folder / SECRET_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{_SECRET}\n", "utf-8")


__all__ = [
    "FAULTS",
    "SECRET_FILE",
    "SYSTEM",
    "Axis",
    "Fault",
    "Faults",
    "Listed",
    "Ways",
    "a_fault",
    "a_letter",
    "a_report",
    "a_small_country",
    "agency",
    "an_answer",
]
