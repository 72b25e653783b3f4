"""A parcel as the .edxml file that it becomes: the sender's own bytes where they say it, else written anew.

Pure: files come from a function by their SHA-256. What edXML can never say is permanent, a file that cannot be read
now is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

from gateway.core.content import Content, MemorySink, NewSink, Scales, poured
from gateway.core.contract import parse_dataschema
from gateway.core.documents.inward import DOCUMENT, STATUS_REPORT, document_id_of
from gateway.core.documents.outward import code_of, from_document_1_0, from_document_2_0, from_status
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read_record
from gateway.core.edxml.values import DocumentMessage, StatusMessage, Unreadable, Unwritable
from gateway.core.edxml.write import written
from gateway.core.faults import PermanentFailure, TransientFailure
from gateway.core.handover import Parcel

#: A file of the spool by its SHA-256; raises OSError where it cannot be read.
OpenFile = Callable[[str], BinaryIO]


class Made(NamedTuple):
    """The file for a parcel, and whether it is the sender's own."""

    content: Content
    is_as_it_came: bool

    @property
    def reference(self) -> str:
        """For the record of the attempt: which bytes were handed over."""
        how = "as it came" if self.is_as_it_came else "written"
        return f"sha-256:{self.content.sha256} {self.content.size} bytes, {how}"


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file of the spool, opened where somebody reads it."""

    open_file: OpenFile
    sha256: str
    size: int

    def open(self) -> BinaryIO:
        """The bytes; raises TransientFailure where they cannot be had now."""
        return _opened(self.open_file, self.sha256)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Makes .edxml files of parcels, each at most ``limits.size`` bytes; no file has to fit into memory."""

    open_file: OpenFile
    limits: Limits
    new_sink: NewSink = MemorySink

    def edxml(self, parcel: Parcel) -> Content:
        """The file for a document or a report: see ``made``."""
        return self.made(parcel).content

    def made(self, parcel: Parcel) -> Made:
        """The file for a document or a report.

        Raises PermanentFailure for any other contract and for what edXML cannot say, TransientFailure for a file that
        cannot be read now, and where there is no room to write.
        """
        event = parcel.event
        kind, data = str(event.get("type")), event.get("data")
        if kind not in {DOCUMENT, STATUS_REPORT} or not isinstance(data, dict):
            raise PermanentFailure(f"edXML cannot say {kind}; the system should not subscribe to it")
        raw = None if parcel.is_translated else self._as_it_came(kind, data)
        if raw is not None:
            return Made(raw, is_as_it_came=True)
        return Made(self._written(parcel, kind, data), is_as_it_came=False)

    def _as_it_came(self, kind: str, data: dict[str, Any]) -> Content | None:
        """The sender's own file where the message names one that is edXML and says what the message says."""
        if "raw" not in data or data["raw"]["size"] > self.limits.size:
            return None
        raw = self._content(data["raw"]["sha256"])
        try:
            message = read_record(raw, self.limits)
        except Unreadable:
            return None
        if isinstance(message, DocumentMessage):
            return raw if kind == DOCUMENT and document_id_of(message) == data["documentId"] else None
        if kind != STATUS_REPORT:
            return None
        answered = data["responseFor"]
        told = (message.code, message.response_for.organ_id, message.response_for.document_id)
        meant = (code_of(data), answered.get("organId"), answered.get("documentId"))
        return raw if told == meant else None

    def _written(self, parcel: Parcel, kind: str, data: dict[str, Any]) -> Content:
        """The message as a new .edxml file; raises PermanentFailure for what edXML cannot say."""
        _, version = parse_dataschema(str(parcel.event.get("dataschema"))) or ("", "")
        addressee = parcel.carried[0] if parcel.carried else parcel.recipient.agency
        message: DocumentMessage | StatusMessage
        self._check_size(data)
        if kind == STATUS_REPORT and version.startswith(("1.", "2.")):
            message = from_status(data)
        elif kind == DOCUMENT and version.startswith("2."):
            message = from_document_2_0(data, self._content, addressee=addressee)
        elif kind == DOCUMENT and version.startswith("1."):
            message = from_document_1_0(data, self._content, addressee=addressee)
        else:
            raise PermanentFailure(f"edXML cannot say {kind}/{version}; the system should subscribe to another version")
        try:
            return written(message, self.limits, self.new_sink)
        except Unwritable as refusal:
            raise PermanentFailure(str(refusal)) from None

    def _check_size(self, data: Mapping[str, Any]) -> None:
        named = [each["file"] for each in data.get("attachments", ())] + list(data.get("files", ()))
        # Base64 makes four bytes of three.
        total = sum(file["size"] for file in named) * 4 // 3
        if total > self.limits.size:
            raise PermanentFailure(f"the attachments make a file of {total} bytes; {self.limits.size} is the most here")

    def _content(self, sha256: str) -> Content:
        """The file by its digest, which its bytes were held to just now."""
        try:
            with _opened(self.open_file, sha256) as file:
                found = poured(file, Scales())
        except OSError as error:
            raise _unread(sha256, error) from None
        if found.sha256 != sha256:
            raise TransientFailure(f"the file {sha256} is damaged in the spool; the operator must restore it")
        return Spooled(self.open_file, sha256, found.size)


def _opened(open_file: OpenFile, sha256: str) -> BinaryIO:
    try:
        return open_file(sha256)
    except OSError as error:
        raise _unread(sha256, error) from None


def _unread(sha256: str, error: OSError) -> TransientFailure:
    reason = error.strerror or type(error).__name__
    return TransientFailure(f"the file {sha256} cannot be read from the spool: {reason}")
