"""Attached files: out of base64 and ZIP, told by their first bytes and not by what the sender says of them.

Packaging as the axis' official software does it: pdf, doc, docx and zip travel as they are, every other kind
as a ZIP with one entry while the name stays the file's own.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from gateway.core.content import Content, InMemory, MemorySink, NewSink, Scales, Weighed
from gateway.core.edxml import archive
from gateway.core.edxml.inflow import HEAD, Arrived
from gateway.core.edxml.values import Attachment
from gateway.core.faults import Text

Warn = Callable[..., None]

PDF: Final = "application/pdf"
ZIP: Final = "application/zip"
_OCTETS: Final = "application/octet-stream"
_OLE: Final = "application/x-ole-storage"

_MAGICS: Final = (
    (b"%PDF-", PDF),
    (archive.MAGIC, ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OLE),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b\x08", "application/gzip"),
)
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
PACKAGES: Final = {
    "docx": f"{_OFFICE}wordprocessingml.document",
    "xlsx": f"{_OFFICE}spreadsheetml.sheet",
    "pptx": f"{_OFFICE}presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
}
OLD_OFFICE: Final = {
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
}
#: Kinds sent as they are, with the (non-standard) types that the official software writes and old readers expect.
_SENT_AS_IS: Final = {"pdf": PDF, "doc": "application/doc", "docx": "application/docx", "zip": ZIP}
#: What each declared type may truly be. A type that is not here promises nothing.
_PROMISES: Final[dict[str, frozenset[str]]] = {
    PDF: frozenset({PDF}),
    ZIP: frozenset({ZIP}),
    "application/x-zip-compressed": frozenset({ZIP}),
    "image/png": frozenset({"image/png"}),
    "image/jpeg": frozenset({"image/jpeg"}),
    "image/gif": frozenset({"image/gif"}),
    "image/tiff": frozenset({"image/tiff"}),
    "application/doc": frozenset({_OLE, "application/rtf", "text/plain", "application/xml", _OCTETS}),
    "application/msword": frozenset({_OLE, "application/rtf", "text/plain", "application/xml", _OCTETS}),
    "application/vnd.ms-excel": frozenset({_OLE, "text/plain", "application/xml", _OCTETS}),
    "application/rtf": frozenset({"application/rtf"}),
    "application/docx": frozenset({ZIP}),
    **{media: frozenset({ZIP}) for media in PACKAGES.values()},
}
_TEXTUAL: Final = frozenset({"text/plain", "application/xml", "application/rtf"})
_NEVER_TEXT: Final = frozenset({*PACKAGES, *OLD_OFFICE, "pdf", "zip", "rar", "7z", "png", "jpg", "jpeg", "tif", "tiff"})
#: So many U+FFFD, and so close together, do not stand in a binary file by chance.
_MANGLED: Final = 8
_MANGLED_IN: Final = 1000

_NOTHING: Final = Arrived(InMemory(b""), b"", 0)
_CLOSED: Final[dict[archive.Trouble, Text]] = {
    "several": Text("trong gói có nhiều tệp", "it holds several files"),
    "unsafe-name": Text("tên tệp bên trong chứa đường dẫn", "the name inside it is a path"),
    "encrypted": Text("gói có mật khẩu", "it is locked with a password"),
    "too-large": Text("dung lượng sau khi giải nén quá lớn", "it would become too large when unpacked"),
}


class Declared(NamedTuple):
    """What a message says about one attachment, before its content is looked at."""

    content_id: str
    name: str
    description: str | None
    type: str | None


class Packed(NamedTuple):
    """An attachment as it is sent: the type to declare and the bytes to encode."""

    type: str
    content: Content


def detect(head: bytes, name: str) -> str:
    """The media type of a file by its ``head``, its first HEAD bytes or all.

    ``name`` only tells kinds apart that share their magic.
    """
    media = next((media for magic, media in _MAGICS if head.startswith(magic)), None)
    ending = extension(name)
    if media == ZIP:
        return PACKAGES.get(ending, ZIP)
    if media == _OLE:
        return OLD_OFFICE.get(ending, _OLE)
    if media is not None:
        return media
    try:
        # Incremental: the cut may fall inside a letter.
        text = codecs.getincrementaldecoder("utf-8")().decode(head[:HEAD])
    except UnicodeDecodeError:
        return _OCTETS
    if "\x00" in text:
        return _OCTETS
    return "application/xml" if text.lstrip("\ufeff \t\r\n").startswith("<?xml") else "text/plain"


def absent(declared: Declared, warn: Warn) -> Attachment:
    """The attachment of which no content came; ``warn`` as with ``take``."""
    warn("empty-attachment")
    return _attachment(declared, _NOTHING, broken=True)


def take(
    declared: Declared, arrived: Arrived | None, limit: int, warn: Warn, new_sink: NewSink = MemorySink
) -> Attachment:
    """The attachment whose bytes ``arrived`` (None: they were no base64), unpacked to at most ``limit`` bytes.

    ``warn(name, **facts)`` is called for whatever is odd: content that is absent, undecodable, damaged or not of
    the declared type. No Unreadable is raised: an attachment that cannot be opened is kept as it came.
    """
    if arrived is None:
        warn("undecodable-attachment")
        return _attachment(declared, _NOTHING, broken=True)
    if not arrived.content.size:
        return absent(declared, warn)
    sent = _family(arrived.head)
    if not _keeps_promise(declared.type, sent, arrived.head):
        warn("untrue-type", value=declared.type or "", taken=sent)
    attachment, opened = _opened(declared, arrived, limit, warn, new_sink)
    # Some kinds lose their first bytes with the rest, and look like text.
    if attachment.detected_type not in _TEXTUAL or extension(declared.name) in _NEVER_TEXT:
        count = opened.replaced
        if count >= _MANGLED and count * _MANGLED_IN >= attachment.content.size:
            warn("mangled-attachment", value=count)
    return attachment


def _opened(
    declared: Declared, arrived: Arrived, limit: int, warn: Warn, new_sink: NewSink
) -> tuple[Attachment, Arrived]:
    """The attachment, and the bytes that it consists of in the end."""
    # What was only weighed has no bytes that could be opened.
    is_archive = arrived.head.startswith(archive.MAGIC)
    if not is_archive or extension(declared.name) == "zip" or isinstance(arrived.content, Weighed):
        return _attachment(declared, arrived), arrived
    inside = archive.unwrap(arrived.content, limit, new_sink)
    if isinstance(inside, Arrived):
        return _attachment(declared, inside, wrapped="zip"), inside
    if inside == "broken":
        warn("broken-archive")
        return _attachment(declared, arrived, broken=True), arrived
    # A .docx *is* a ZIP of several files; so is whatever honestly calls itself one.
    if inside != "several" or extension(declared.name) not in PACKAGES:
        warn("unopened-archive", reason=_CLOSED[inside])
    return _attachment(declared, arrived), arrived


def pack(attachment: Attachment, limit: int, new_sink: NewSink = MemorySink) -> Packed:
    """The bytes to send for an attachment, wrapped or not so that ``take`` gives its content back exactly."""
    name, content = attachment.name, attachment.content
    as_is = _SENT_AS_IS.get(extension(name))
    if attachment.broken:
        return Packed(attachment.declared_type or as_is or _OCTETS, content)
    with content.open() as file:
        head = file.read(HEAD)
    # A .doc that is itself a ZIP of one file would lose that layer at the reader's: it gets one to lose.
    # So does what cannot be sent as it is without looking damaged.
    if as_is == ZIP or (as_is is not None and head and not _would_be_opened(content, head, limit)):
        return Packed(as_is if _keeps_promise(as_is, _family(head), head) else _OCTETS, content)
    return Packed(ZIP, archive.wrap(name, content, new_sink))


def _would_be_opened(content: Content, head: bytes, limit: int) -> bool:
    if not head.startswith(archive.MAGIC):
        return False
    inside = archive.unwrap(content, limit, Scales)
    return isinstance(inside, Arrived) or inside == "broken"


def _attachment(
    declared: Declared, arrived: Arrived, *, wrapped: Literal["none", "zip"] = "none", broken: bool = False
) -> Attachment:
    return Attachment(
        content_id=declared.content_id,
        name=declared.name,
        content=arrived.content,
        description=declared.description,
        declared_type=declared.type,
        detected_type=detect(arrived.head, declared.name),
        wrapped=wrapped,
        broken=broken,
    )


def extension(name: str) -> str:
    """What a name ends with behind its last dot, in small letters; empty where it has none."""
    _, dot, extension = name.strip().rpartition(".")
    return extension.casefold() if dot else ""


def _family(head: bytes) -> str:
    """The media type by magic alone, with all ZIPs one family and all old office files another."""
    return detect(head, "")


def _keeps_promise(declared: str | None, sent: str, head: bytes) -> bool:
    media = (declared or "").partition(";")[0].strip().casefold()
    if media.startswith("text/"):
        return sent in _TEXTUAL or (sent == _OCTETS and b"\x00" not in head)
    promise = _PROMISES.get(media)
    return promise is None or sent in promise
