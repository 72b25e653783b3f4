"""The attachments of a message: what the manifest lists, matched with the contents that came."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.core.content import NewSink
from gateway.core.edxml.attachments import Declared, absent, take
from gateway.core.edxml.claims import tell_claims
from gateway.core.edxml.fields import Findings, Part
from gateway.core.edxml.inflow import Arrived
from gateway.core.edxml.values import Attachment, Extra
from gateway.core.edxml.wording import refusal
from gateway.core.faults import Text

_REFERENCE: Final = "ContentId ContentType Description AttachmentName".split()


class Contents(NamedTuple):
    """The contents that were taken out of a message, by the numbers left in their places (None: no base64).

    What is unpacked of them goes into sinks of ``new_sink``.
    """

    arrived: tuple[Arrived | None, ...]
    new_sink: NewSink


def read_attachments(findings: Findings, root: Part, envelope: Part, contents: Contents) -> tuple[Attachment, ...]:
    """The attachments in the order of their contents, then those that the manifest names but nothing brings."""
    manifest = envelope.part("edXMLBody", ("edXMLManifest",), closed=True).part("edXMLManifest", (), ("Reference",))
    encoded = root.part("AttachmentEncoded", (), ("Attachment",)).parts(
        "Attachment", (*_REFERENCE, "ContentTransferEncoded")
    )
    listed = manifest.parts("Reference", _REFERENCE)
    if max(len(encoded), len(listed)) > findings.limits.attachments:
        raise refusal("too-many", limit=findings.limits.attachments, what=Text("tệp đính kèm", "attachments"))
    open_references = {_content_id(part, number): part for number, part in enumerate(listed, start=1)}
    home: dict[str, str] = {}
    room = findings.limits.unpacked
    taken: list[Attachment] = []
    used: set[str] = set()
    for number, part in enumerate(encoded, start=1):
        warn = _Told(findings, part.place)
        content_id = _content_id(part, number)
        if content_id in used:
            warn("repeated-content-id", value=content_id)
        elif listed and content_id not in open_references:
            warn("unlisted-attachment")
        used.add(content_id)
        reference = open_references.pop(content_id, None)
        if reference is not None:
            home[reference.place] = _reference_place(number)
        declared = _declared(part, reference, content_id)
        place = part.payload("ContentTransferEncoded")
        if place is None:
            attachment = absent(declared, warn)
        else:
            attachment = take(declared, contents.arrived[int(place)], room, warn, contents.new_sink)
        tell_claims(attachment, reference.text("AttachmentName") if reference else None, warn)
        room = max(0, room - attachment.content.size)
        taken.append(attachment)
    for content_id, part in open_references.items():
        home[part.place] = _reference_place(len(taken) + 1)
        warn = _Told(findings, part.place)
        taken.append(absent(_declared(part, None, content_id), warn))
    # Extras stay with their reference, which is written in the order of the attachments.
    findings.extra = [Extra(home.get(extra.place, extra.place), extra.xml) for extra in findings.extra]
    return tuple(taken)


def _reference_place(number: int) -> str:
    return f"edXMLManifest/Reference[{number}]"


class _Told:
    """Notes oddities of one attachment, and not that its name lies where its type has been told to lie already."""

    def __init__(self, findings: Findings, place: str) -> None:
        self._findings = findings
        self._place = place
        self._is_untrue = False

    def __call__(self, name: str, **facts: str | int | Text) -> None:
        if name == "untrue-name" and self._is_untrue:
            return
        self._is_untrue |= name == "untrue-type"
        self._findings.warn(name, self._place, **facts)


def _content_id(part: Part, number: int) -> str:
    """The id without ``cid:``, which one side writes and the other not; the place in the list where there is none.

    A reference may name it in an attribute alone, as ``xlink:href``.
    """
    named = part.text("ContentId") or part.attribute("href") or ""
    return named.removeprefix("cid:").strip() or str(number)


def _declared(part: Part, listed: Part | None, content_id: str) -> Declared:
    name = part.text("AttachmentName") or (listed.text("AttachmentName") if listed else None)
    if name is None:
        part.warn("absent-element", "AttachmentName", element="AttachmentName")
        name = content_id
    description = part.text("Description") or (listed.text("Description") if listed else None)
    return Declared(content_id, name, description, part.text("ContentType"))
