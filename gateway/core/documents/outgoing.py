"""A parcel as the .edxml file that it becomes: the sender's own bytes where they say it, else written anew.

Pure: files come from a function by their SHA-256. What edXML can never say is permanent, a file that cannot be read
now is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from gateway.core.content import Content, InMemory, MemorySink, NewSink
from gateway.core.contract import parse_dataschema
from gateway.core.documents.inward import DOCUMENT, STATUS_REPORT, document_id_of
from gateway.core.documents.outward import from_document_1_0, from_document_2_0, from_status
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read_record
from gateway.core.edxml.values import DocumentMessage, StatusMessage, Unreadable, Unwritable
from gateway.core.edxml.write import write
from gateway.core.faults import PermanentFailure, TransientFailure
from gateway.core.handover import Parcel

#: A file of the spool by its SHA-256; raises OSError where it cannot be read.
OpenFile = Callable[[str], BinaryIO]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Makes .edxml files of parcels, each at most ``limits.size`` bytes."""

    open_file: OpenFile
    limits: Limits
    new_sink: NewSink = MemorySink

    def edxml(self, parcel: Parcel) -> Content:
        """The file for a document or a report.

        Raises PermanentFailure for any other contract and for what edXML cannot say, TransientFailure for a file that
        cannot be read now.
        """
        event = parcel.event
        kind, data = str(event.get("type")), event.get("data")
        if kind not in {DOCUMENT, STATUS_REPORT} or not isinstance(data, dict):
            raise PermanentFailure(f"edXML cannot say {kind}; the system should not subscribe to it")
        raw = None if parcel.is_translated else self._as_it_came(kind, data)
        return self._written(parcel, kind, data) if raw is None else raw

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
        answered = data["responseFor"]
        told = (message.code, message.response_for.organ_id, message.response_for.document_id)
        meant = (data.get("statusCode"), answered.get("organId"), answered.get("documentId"))
        return raw if kind == STATUS_REPORT and told == meant else None

    def _written(self, parcel: Parcel, kind: str, data: dict[str, Any]) -> Content:
        """The message as a new .edxml file; raises PermanentFailure for what edXML cannot say."""
        _, version = parse_dataschema(str(parcel.event.get("dataschema"))) or ("", "")
        addressee = parcel.carried[0] if parcel.carried else parcel.recipient.agency
        message: DocumentMessage | StatusMessage
        self._check_size(data)
        if kind == STATUS_REPORT and version.startswith("1."):
            message = from_status(data)
        elif kind == DOCUMENT and version.startswith("2."):
            message = from_document_2_0(data, self._content, addressee=addressee)
        elif kind == DOCUMENT and version.startswith("1."):
            message = from_document_1_0(data, self._content, addressee=addressee)
        else:
            raise PermanentFailure(f"edXML cannot say {kind}/{version}; the system should subscribe to another version")
        try:
            return InMemory(write(message, self.limits))
        except Unwritable as refusal:
            raise PermanentFailure(str(refusal)) from None

    def _check_size(self, data: Mapping[str, Any]) -> None:
        named = [each["file"] for each in data.get("attachments", ())] + list(data.get("files", ()))
        # Base64 makes four bytes of three.
        total = sum(file["size"] for file in named) * 4 // 3
        if total > self.limits.size:
            raise PermanentFailure(f"the attachments make a file of {total} bytes; {self.limits.size} is the most here")

    def _content(self, sha256: str) -> Content:
        try:
            with self.open_file(sha256) as file:
                content = file.read()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TransientFailure(f"the file {sha256} cannot be read from the spool: {reason}") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise TransientFailure(f"the file {sha256} is damaged in the spool; the operator must restore it")
        return InMemory(content)
