"""What senders do to attachments, trap by trap: each is told by its name, or silently and rightly taken."""

from __future__ import annotations

import base64
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.core.content import InMemory, whole
from gateway.core.edxml.archive import wrap
from gateway.core.edxml.parse import EDXML
from gateway.core.edxml.read import read, read_record
from gateway.core.edxml.values import Attachment, DocumentMessage, Unreadable
from gateway.core.edxml.wording import ODDITIES

NEW = (Path(__file__).resolve().parents[1] / "vectors/edxml/document_new.edxml").read_text()
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
INNER = f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns="{EDXML}"></edXML>'.encode()
ZIP = "application/zip"


def zipped(name: str, content: bytes) -> bytes:
    return whole(wrap(name, InMemory(content)))


def mangled(content: bytes) -> bytes:
    """The file after somebody read it as text in UTF-8 and wrote it again."""
    return content.decode("utf-8", "replace").encode()


@dataclass(frozen=True, slots=True)
class Trap:
    """One attachment as it stands in a message; what is not said follows from the name and bytes given."""

    data: bytes = PDF
    name: str = "a.pdf"
    type: str = "application/pdf"
    #: The base64, where it is none of ``data``; None: the element is not there.
    encoded: str | None = ""
    #: In the manifest.
    listed_name: str | None = None
    listed_type: str | None = None
    content_id: str = "cid:1"
    listed_id: str = "cid:1"


def message(*traps: Trap) -> bytes:
    """A document with one attachment for each trap."""
    start, end = NEW.index("<edXML:Reference>"), NEW.index("</edXML:edXMLManifest>")
    references, contents = [], []
    for trap in traps:
        names = {"ContentId": trap.listed_id, "ContentType": trap.listed_type or trap.type}
        names["AttachmentName"] = trap.listed_name or trap.name
        listed = "".join(f"<edXML:{tag}>{text}</edXML:{tag}>" for tag, text in names.items())
        references.append(f"<edXML:Reference>{listed}</edXML:Reference>")
        names = {"ContentId": trap.content_id, "AttachmentName": trap.name, "ContentType": trap.type}
        given = "".join(f"<{tag}>{text}</{tag}>" for tag, text in names.items() if text)
        if trap.encoded is not None:
            text = trap.encoded or base64.b64encode(trap.data).decode()
            given += f'<c:ContentTransferEncoded xmlns:c="{EDXML}">{text}</c:ContentTransferEncoded>'
        contents.append(f"<Attachment>{given}</Attachment>")
    made = NEW[:start] + "".join(references) + NEW[end:]
    start, end = made.index("<Attachment>"), made.index("</AttachmentEncoded>")
    return (made[:start] + "".join(contents) + made[end:]).encode()


def taken(*traps: Trap) -> tuple[tuple[Attachment, ...], list[str]]:
    """The attachments and the names of all warnings."""
    document = read(message(*traps))
    assert isinstance(document, DocumentMessage)
    return document.attachments, [warning.name for warning in document.warnings]


SILENT: dict[str, Trap] = {
    "a file as it is": Trap(),
    "the wrapping of the axis' software": Trap(zipped("a.xlsx", zipped("x", b"1")), "a.xlsx", ZIP),
    "a wrapped text": Trap(zipped("a.txt", "Kính gửi".encode()), "a.txt", ZIP),
    "an id without cid: at the content": Trap(content_id="1"),
    "an id without cid: in the manifest": Trap(listed_id="1"),
    "another type in the manifest than at the content": Trap(listed_type="text/plain"),
    "a type that promises nothing": Trap(type="application/octet-stream"),
    "no type": Trap(type=""),
    "blanks, brackets and ampersands": Trap(
        name="1- CV gửi BTC v/v mẫu (28.11-9.12) &amp; phụ lục.pdf".replace("/", "-")
    ),
    "a Vietnamese name of more than 80 characters": Trap(name="Công văn về việc triển khai " * 4 + ".pdf"),
    "decomposed letters on one side": Trap(
        name=unicodedata.normalize("NFD", "số liệu.pdf"), listed_name=unicodedata.normalize("NFC", "số liệu.pdf")
    ),
    "a page of HTML or RTF called .doc": Trap(b"<html><body>x</body></html>", "a.doc", "application/msword"),
    "a Word document of 2003 in XML": Trap(b'<?xml version="1.0"?><w:wordDocument/>', "a.doc", "application/doc"),
    "base64 in lines": Trap(encoded="\r\n".join(base64.b64encode(PDF).decode())),
    "base64 in lines whose ends were escaped": Trap(encoded="&#13;\n".join(base64.b64encode(PDF).decode())),
    "base64 in a CDATA section": Trap(encoded=f"<![CDATA[{base64.b64encode(PDF).decode()}]]>"),
    "a text with a letter that could not be read": Trap("a\ufffd".encode() * 20, "a.txt", "text/plain"),
}

TOLD: dict[str, tuple[Trap, list[str]]] = {
    "a PDF that is a ZIP": (Trap(zipped("a.pdf", PDF)), ["untrue-type"]),
    "a text that is a ZIP": (Trap(zipped("a.txt", b"x"), "a.txt", "text/plain"), ["untrue-type"]),
    "a ZIP that is a PDF": (Trap(PDF, "a.pdf", ZIP), ["untrue-type"]),
    "a wrapped file that is not what its name says": (
        Trap(zipped("a.pdf", b"MZ\x90\x00"), "a.pdf", ZIP),
        ["untrue-name"],
    ),
    "a program called .pdf": (Trap(b"MZ\x90\x00", "a.pdf", "application/octet-stream"), ["untrue-name"]),
    "a picture called .doc": (Trap(PNG, "a.doc", "application/octet-stream"), ["untrue-name"]),
    "a .docx that is no package": (Trap(OLE, "a.docx", "application/octet-stream"), ["untrue-name"]),
    "a lie in type and name is told once": (Trap(b"text", "a.pdf"), ["untrue-type"]),
    "two layers of ZIP": (Trap(zipped("a.doc", zipped("a.doc", OLE)), "a.doc", ZIP), ["untrue-name"]),
    "a ZIP cut short": (Trap(zipped("a.txt", b"text " * 99)[:-9], "a.txt", ZIP), ["broken-archive"]),
    "a ZIP with a flipped bit": (
        Trap(zipped("a.txt", b"text " * 99).replace(b"PK\x01\x02", b"PK\x01\x03"), "a.txt", ZIP),
        ["broken-archive"],
    ),
    "a PDF through a text decoder": (Trap(mangled(PDF + bytes(range(128, 256)))), ["mangled-attachment"]),
    "a picture through a text decoder": (
        Trap(mangled(PNG), "a.png", "application/octet-stream"),
        ["mangled-attachment", "untrue-name"],
    ),
    "an old Word file through a text decoder": (
        Trap(mangled(OLE + b"\xd0" * 50), "a.doc", "application/octet-stream"),
        ["mangled-attachment"],
    ),
    "a ZIP through a text decoder": (
        Trap(mangled(zipped("a.csv", bytes(range(256)) * 9)), "a.csv", ZIP),
        ["broken-archive", "mangled-attachment"],
    ),
    "a message inside a .doc": (Trap(zipped("a.doc", INNER), "a.doc", ZIP), ["nested-edxml"]),
    "a message as it is": (Trap(INNER, "a.edxml", "application/octet-stream"), ["nested-edxml"]),
    "a template's text instead of base64": (Trap(encoded="${item.content}"), ["undecodable-attachment"]),
    "base64 cut short": (Trap(encoded=base64.b64encode(PDF).decode()[:-3]), ["undecodable-attachment"]),
    "base64 with its type before it": (
        Trap(encoded=f"data:application/pdf;base64,{base64.b64encode(PDF).decode()}"),
        ["undecodable-attachment"],
    ),
    "two files in one base64": (Trap(encoded="QQ==QQ=="), ["undecodable-attachment"]),
    "no content": (Trap(encoded=None), ["empty-attachment"]),
    "blanks for a content": (Trap(encoded=" \n "), ["empty-attachment"]),
    "names that differ": (Trap(name="a.pdf", listed_name="b.pdf"), ["differing-names"]),
    "a path of Windows": (Trap(name="C:\\Users\\vanthu\\a.pdf"), ["path-in-name"]),
    "a path upwards": (Trap(name="../../a.pdf"), ["path-in-name"]),
    "a number with a slash, as documents have": (Trap(name="12/STC-VP.pdf"), ["path-in-name"]),
    "an ending that is turned round": (Trap(name="bao-cao-\u202efdp.exe.pdf"), ["hidden-letters-in-name"]),
    "a letter without width": (Trap(name="a\u200b.pdf"), ["hidden-letters-in-name"]),
    "a name that no file system takes": (Trap(name="ấ" * 90 + ".pdf"), ["long-name"]),
    "an id that the manifest does not list": (Trap(listed_id="2"), ["unlisted-attachment", "empty-attachment"]),
}


@pytest.mark.parametrize("case", SILENT)
def test_what_is_everyday_is_taken_without_a_word(case: str) -> None:
    (attachment,), warnings = taken(SILENT[case])
    assert warnings == []
    assert attachment.content.size > 0


@pytest.mark.parametrize("case", TOLD)
def test_every_trap_is_told_by_its_name(case: str) -> None:
    trap, names = TOLD[case]
    # A sound file beside it: what is new must bring one content at least.
    attachments, warnings = taken(trap, Trap(content_id="cid:9", listed_id="cid:9", name="sound.pdf"))
    assert warnings == names
    assert set(names) <= set(ODDITIES)
    assert attachments[1].content == InMemory(PDF)
    if "undecodable-attachment" in names or "empty-attachment" in names[:1]:
        assert (attachments[0].broken, attachments[0].content.size) == (True, 0)


def test_a_name_is_passed_on_as_it_was_written_however_dangerous() -> None:
    (attachment,), _ = taken(Trap(name="../../a.pdf", listed_name="b.pdf"))
    assert attachment.name == "../../a.pdf"


def test_the_name_in_the_manifest_serves_where_the_content_has_none() -> None:
    raw = message(Trap()).replace(b"<AttachmentName>a.pdf</AttachmentName>", b"")
    document = read(raw)
    assert isinstance(document, DocumentMessage)
    assert (document.attachments[0].name, document.warnings) == ("a.pdf", ())


def test_a_second_file_of_the_same_id_is_kept_and_told() -> None:
    attachments, warnings = taken(Trap(), Trap(data=PDF + b"2"))
    assert warnings == ["repeated-content-id"]
    assert [each.content.size for each in attachments] == [len(PDF), len(PDF) + 1]


@pytest.mark.parametrize("case", [*SILENT, *TOLD])
def test_a_record_alone_says_of_a_document_what_the_whole_says(case: str) -> None:
    raw = message(SILENT[case] if case in SILENT else TOLD[case][0], Trap(content_id="9", listed_id="9"))
    entire, record = read(raw), read_record(raw)
    assert isinstance(entire, DocumentMessage)
    assert isinstance(record, DocumentMessage)
    assert (record.document_id, record.code, record.subject) == (entire.document_id, entire.code, entire.subject)
    assert [each.name for each in record.attachments] == [each.name for each in entire.attachments]


def test_a_record_alone_is_refused_where_the_whole_is() -> None:
    raw = message(Trap(encoded="${item.content}"))
    for reader in (read, read_record):
        with pytest.raises(Unreadable) as refused:
            reader(raw)
        assert refused.value.name == "missing-element"
