"""Documents out: what a parcel becomes on the axis, and whether it is there already before it is sent once more."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.vdxp.evidence import Found, Wanted, marks_of, still_missing, wanted_of, wanted_of_data
from adapters.vdxp.kit import Kit, Undecodable
from adapters.vdxp.meaning import Declined
from adapters.vdxp.signing import is_plain
from adapters.vdxp.wishes import Wishes
from gateway.calls.lasting import Lasting
from gateway.core.content import Content, NewSink
from gateway.core.documents.axis_error import PARK_AFTER
from gateway.core.documents.inward import STATUS_REPORT
from gateway.core.documents.letter import letter_of
from gateway.core.documents.outgoing import Outgoing
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import Unreadable
from gateway.core.faults import PermanentFailure, TimedOut, TransientFailure
from gateway.core.handover import HandedOver, Parcel
from gateway.core.moments import parse_moment

#: A ``to`` header stands twice in a request, once escaped: no server takes more than 8 KiB in a field (characters).
_LONGEST_TO: Final = 3000
#: Documents handed in that are remembered, and copies that are looked into to be sure.
_REMEMBERED: Final = 10_000
_MOST_COPIES: Final = 20


@dataclass(frozen=True, slots=True)
class Post:
    """A file to be handed in: from whom, for whom, as which of the two kinds."""

    kind: str
    sender: str
    to: tuple[str, ...]
    content: Content


@dataclass(slots=True)
class Posting:
    """The way out of one system."""

    kit: Kit
    wishes: Wishes
    outgoing: Outgoing
    limits: Limits
    new_sink: NewSink
    #: The axis' id of what was handed in -> the delivery it belongs to.
    _handed: OrderedDict[str, str] = field(default_factory=OrderedDict)

    #: Documents whose copy could not be had, and how often.
    _uncopied: dict[str, int] = field(default_factory=dict)
    #: What is under way.
    _lasting: Lasting = field(default_factory=Lasting)

    async def deliver(self, parcel: Parcel) -> HandedOver:
        """Hand a parcel in once; see the port."""
        return await self._lasting.of(parcel.delivery, lambda: self._deliver(parcel))

    async def close(self) -> None:
        """Stop what is under way."""
        await self._lasting.close()

    async def _deliver(self, parcel: Parcel) -> HandedOver:
        if parcel.event.get("source") == parcel.recipient.name:
            raise PermanentFailure("what came from the axis is not sent back to it; the directory must be mended")
        if not parcel.carried and self.wishes.ours and self.wishes.is_ours(parcel.recipient.agency):
            raise PermanentFailure(
                f"{parcel.recipient.agency} itself is addressed, and the axis would bring it back: the agency needs a"
                " system of its own that takes its documents"
            )
        post = await asyncio.to_thread(self._post, parcel)
        missing, known = post.to, ""
        if parcel.may_have_arrived and self.wishes.check != "none":
            missing, known = await self._missing(parcel, post)
        reference = known
        for chunk in _chunks(missing):
            reference = await self._send(parcel, post, chunk) or reference
        return HandedOver(200, reference=reference or None, content=post.content)

    async def _send(self, parcel: Parcel, post: Post, to: tuple[str, ...]) -> str | None:
        try:
            doc_id = await self.kit.send(
                post.content,
                kind=post.kind,
                sender=post.sender,
                to=to if self.wishes.names_recipients else (),
                delivery=parcel.delivery if self.wishes.names_delivery and is_plain(parcel.delivery) else "",
                attempt=parcel.attempt,
            )
        except TimedOut as unknown:
            # It may be there, and not yet in the list: the next try asks only after a while.
            raise TimedOut(unknown.detail, unknown.status, self.wishes.ask_after) from None
        if doc_id is not None:
            self._handed[doc_id] = parcel.delivery
            if len(self._handed) > _REMEMBERED:
                self._handed.popitem(last=False)
        return doc_id

    def _post(self, parcel: Parcel) -> Post:
        to = parcel.carried or (parcel.recipient.agency,)
        if self.wishes.names_recipients:
            # The header says for whom: the file may name others, and goes as its sender wrote it.
            kind = "status" if parcel.event.get("type") == STATUS_REPORT else "edoc"
            content = self.outgoing.edxml(parcel)
            sender = _sender(parcel.event["data"])
        else:
            letter = letter_of(parcel, self.outgoing, self.limits, self.new_sink)
            kind, content, sender = letter.kind, letter.content, letter.sender
        sender = self.wishes.centre or self.wishes.system_id if self.wishes.from_centre else sender
        for code in (sender, *to):
            if not is_plain(code):
                raise PermanentFailure("a code of an agency cannot stand in a header field; the sender must mend it")
        if content.size > self.limits.size:
            raise PermanentFailure(f"the file has {content.size} bytes; {self.limits.size} is the most here")
        return Post(kind, sender, to, content)

    # ------------------------------------------------------------------------------------------ asking before

    async def _missing(self, parcel: Parcel, post: Post) -> tuple[tuple[str, ...], str]:
        """The receivers that an earlier try did not reach, and the axis' id of what it left there."""
        since = parse_moment(str(parcel.event.get("time"))) or 0.0
        try:
            message = await asyncio.to_thread(read, post.content, self.limits, self.new_sink)
        except Unreadable:
            # Our own reader asks for more than the axis does, such as a file in a new document.
            wanted = wanted_of_data(parcel.event["data"], sender=post.sender, since=since)
        else:
            wanted = wanted_of(message, sender=post.sender, since=since)
        found = Found(wanted)
        await self.kit.sent(post.kind, found.look_at)
        ours: list[str] = []
        for doc_id in list(found.receivers)[-_MOST_COPIES:]:
            owner = self._handed.get(doc_id)
            if owner == parcel.delivery or (owner is None and await self._is_ours(doc_id, wanted)):
                ours.append(doc_id)
        if not ours:
            return post.to, ""
        return still_missing(post.to, [found.receivers[doc_id] for doc_id in ours]), ours[-1]

    async def _is_ours(self, doc_id: str, wanted: Wanted) -> bool:
        """Whether a document in the list is the one in question: by its copy, else by how it looks where that tells."""
        if not is_plain(doc_id):
            return False
        if self.wishes.check == "copy" and wanted.marks is not None:
            try:
                copy = await self.kit.fetch(doc_id)
                message = await asyncio.to_thread(read, copy, self.limits, self.new_sink)
            except (Undecodable, Unreadable):
                return wanted.is_new
            except TransientFailure as failure:
                if len(self._uncopied) > _REMEMBERED:
                    self._uncopied.clear()
                self._uncopied[doc_id] = times = self._uncopied.get(doc_id, 0) + 1
                if not _is_declined(failure) and times < PARK_AFTER:
                    raise
                # The axis gives senders no copies: the list has to do.
                return wanted.is_new
            self._uncopied.pop(doc_id, None)
            return marks_of(message) == wanted.marks
        return wanted.is_new


def _is_declined(failure: TransientFailure) -> bool:
    """Whether the axis will not give a copy, instead of failing to."""
    return isinstance(failure, Declined) or failure.status in {403, 404, 405}


def _sender(data: dict[str, Any]) -> str:
    """The code of the agency that issued or reports, in either shape of the data."""
    return str(data.get("issuingOrganId") or data.get("from", {}).get("organId") or "")


def _chunks(to: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The receivers in as few parts as fit into a header field."""
    parts: list[list[str]] = [[]] if to else []
    for code in to:
        if parts[-1] and len(json.dumps([*parts[-1], code])) > _LONGEST_TO:
            parts.append([])
        parts[-1].append(code)
    return [tuple(part) for part in parts]
