"""A file taken in as an adapter takes it, and handed out again to a recipient that takes edXML files."""

from __future__ import annotations

import io
from typing import Any

from gateway.core.agency import System
from gateway.core.content import InMemory, MemorySink, whole
from gateway.core.contract import dataschema_of
from gateway.core.documents.inward import (
    DOCUMENT,
    DOCUMENT_VERSION,
    RAW_TYPE,
    STATUS_REPORT,
    STATUS_VERSION,
    file_object,
    to_document,
    to_status,
)
from gateway.core.documents.outgoing import Outgoing
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import StatusMessage
from gateway.core.handover import Parcel

_SOME_MOMENT = "2026-09-15T08:30:00+07:00"


def relayed(raw: bytes) -> bytes:
    """What the recipient gets of ``raw``."""
    message = read(raw)
    spool = {InMemory(raw).sha256: raw}
    named = file_object("vb.edxml", RAW_TYPE, InMemory(raw))
    event: dict[str, Any]
    if isinstance(message, StatusMessage):
        event = {
            "type": STATUS_REPORT,
            "dataschema": dataschema_of(STATUS_REPORT, STATUS_VERSION),
            "data": to_status(message, named, received=_SOME_MOMENT),
        }
    else:
        spool |= {one.content.sha256: whole(one.content) for one in message.attachments}
        event = {
            "type": DOCUMENT,
            "dataschema": dataschema_of(DOCUMENT, DOCUMENT_VERSION),
            "data": to_document(message, named),
        }
    recipient = System("H33.07/dms", "H33.07", "edxml_folder")
    parcel = Parcel("d1", "m1", 1, recipient, b"", event, "cloudevents", is_translated=False)
    return whole(Outgoing(lambda sha256: io.BytesIO(spool[sha256]), Limits(), MemorySink).edxml(parcel))
