"""A parcel as one .edxml file for just the agencies it is for, and what has to be known of it to post it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gateway.core.content import Content, MemorySink, NewSink
from gateway.core.documents.inward import STATUS_REPORT
from gateway.core.documents.outgoing import Outgoing
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read, read_record
from gateway.core.edxml.values import DocumentMessage, Organization, StatusMessage, Unreadable, Unwritable
from gateway.core.edxml.write import written
from gateway.core.faults import PermanentFailure
from gateway.core.handover import Parcel

#: What axes call the two kinds of message.
MessageKind = Literal["edoc", "status"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A file to be posted, and what it says on its envelope, so to speak.

    ``receivers``: codes of the agencies it is for; of a status, whose document it answers. ``code``: number and
    notation; ``document_id``: the business id; of a status both are those of the document it answers. ``is_new``: it
    issues a new document; an update or a recall bears the id of what it changes. ``status``: of a status its code.
    """

    kind: MessageKind
    content: Content
    sender: str
    receivers: tuple[str, ...]
    code: str | None = None
    document_id: str | None = None
    is_new: bool = False
    status: str | None = None


def letter_of(parcel: Parcel, outgoing: Outgoing, limits: Limits, new_sink: NewSink = MemorySink) -> Letter:
    """The file for a parcel, for a place that delivers to whomever the file names.

    The sender's own bytes wherever they name no other agency than this delivery is for; else written anew for those
    alone, because the others are reached by another way and would get it twice. Raises as ``Outgoing.edxml`` does.
    """
    addressees = parcel.carried or (parcel.recipient.agency,)
    content = outgoing.edxml(parcel)
    try:
        message = read_record(content, limits)
    except Unreadable:
        # What was written from data may say less than our own reader asks for: a document without a file.
        return _from_data(parcel, outgoing, addressees)
    if isinstance(message, StatusMessage):
        about = message.response_for
        return Letter(
            "status", content, message.sender.organ_id, (about.organ_id or "",), about.code, about.document_id,
            status=message.code,
        )  # fmt: skip
    named = [each.organ_id for each in message.recipients]
    if is_for(named, addressees, parcel.event):
        return _document(message, content)
    known = {each.organ_id: each for each in message.recipients}
    named_anew = tuple(known.get(code) or Organization(code) for code in addressees)
    try:
        full = read(content, limits, new_sink)
        narrowed = replace(full if isinstance(full, DocumentMessage) else message, recipients=named_anew)
        return _document(narrowed, written(narrowed, limits, new_sink))
    except (Unreadable, Unwritable) as refusal:
        raise PermanentFailure(str(refusal)) from None


def is_for(named: Sequence[str], addressees: Sequence[str], event: Mapping[str, Any]) -> bool:
    """Whether a file that names these recipients is for the addressees alone.

    It may name them in another form of their codes: then it names whom the sender named in ``to``, and as many.
    """
    written = {each.partition("/")[0] for each in str(event.get("to") or "").split()}
    return set(named) == set(addressees) or (set(named) == written and len(set(named)) == len(addressees))


def _document(message: DocumentMessage, content: Content) -> Letter:
    return Letter(
        "edoc",
        content,
        message.sender.organ_id,
        tuple(each.organ_id for each in message.recipients),
        message.code.joined,
        message.document_id,
        message.business.type == "new",
    )


def _from_data(parcel: Parcel, outgoing: Outgoing, addressees: tuple[str, ...]) -> Letter:
    data: Mapping[str, Any] = parcel.event["data"]
    if parcel.event["type"] == STATUS_REPORT:
        about = data["responseFor"]
        return Letter(
            "status", outgoing.edxml(parcel), data["from"]["organId"], (about.get("organId", ""),), about.get("code"),
            about.get("documentId"), status=data.get("statusCode"),
        )  # fmt: skip
    if "issuingOrganId" in data:
        narrowed = {**data, "recipients": list(addressees)}
        facts = (data["issuingOrganId"], data.get("symbol"), data.get("businessType", 0) == 0)
    else:
        known = {each["organId"]: each for each in data.get("to", ())}
        narrowed = {**data, "to": [known.get(code, {"organId": code}) for code in addressees]}
        code = data.get("code", {})
        joined = "/".join(part for part in (code.get("number"), code.get("notation")) if part)
        facts = (data["from"]["organId"], joined or None, data["business"]["type"] == "new")
    narrowed.pop("raw", None)
    content = outgoing.edxml(replace(parcel, event={**parcel.event, "data": narrowed}))
    sender, symbol, is_new = facts
    return Letter("edoc", content, sender, addressees, symbol, data["documentId"], is_new)
