"""Whether a document whose answer was lost has arrived: what the sender's list shows against what was to be sent. Pure.

The list names no business id of ours, and an update bears number and title of what it updates. A repeat can be dropped
by its receiver, a loss by nobody: what is not sure counts as not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from gateway.core.edxml.values import DocumentMessage, StatusMessage
from gateway.core.letters import composed
from gateway.core.moments import VIET_NAM, parse_moment

#: Clocks differ, and a message is stamped before it is sent (seconds).
SKEW: Final = 900.0
#: Titles are cut by some; two that agree so far are one (characters).
_TELLING: Final = 20
_FORMS: Final = ("%Y/%m/%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message that may have been sent: what the list would say of it, and what its copy would hold."""

    kind: str
    sender: str
    title: str
    notation: str
    #: No earlier than this was it sent (seconds since 1970).
    since: float
    #: Compared with a copy's; see :func:`marks_of`. None where the message is less than our reader asks for.
    marks: tuple[Any, ...] | None
    #: It issues a document, so that two that look alike are one.
    is_new: bool


@dataclass(slots=True)
class Found:
    """What the list shows that may be ours, by the axis' id, with the receivers it names."""

    wanted: Wanted
    receivers: dict[str, list[str]] = field(default_factory=dict)

    def look_at(self, row: Mapping[str, Any]) -> None:
        """One row of the list."""
        wanted = self.wanted
        doc_id = str(row.get("senderDocId") or row.get("docId") or "")
        if not doc_id or (row.get("messageType") or wanted.kind) != wanted.kind:
            return
        if (row.get("fromCode") or wanted.sender) != wanted.sender:
            return
        sent = moment_of(row.get("sentTime"))
        if sent is not None and sent < wanted.since - SKEW:
            return
        if not _is_notation(str(row.get("notation") or ""), wanted.notation):
            return
        if wanted.kind == "edoc" and not _is_title(str(row.get("title") or ""), wanted.title):
            return
        self.receivers.setdefault(doc_id, []).append(str(row.get("toCode") or ""))


def wanted_of(message: DocumentMessage | StatusMessage, *, sender: str, since: float) -> Wanted:
    """What to look for of a message that agency or centre ``sender`` may have sent since a moment."""
    if isinstance(message, StatusMessage):
        notation = message.response_for.code or ""
        return Wanted("status", sender, "", notation, since, marks_of(message), is_new=False)
    is_new = message.business.type == "new"
    return Wanted("edoc", sender, message.subject, message.code.joined or "", since, marks_of(message), is_new)


def wanted_of_data(data: Mapping[str, Any], *, sender: str, since: float) -> Wanted:
    """The same of a document in either shape of its data, where the file itself does not pass our reader."""
    code = data.get("code") or {}
    notation = data.get("symbol") or "/".join(str(part) for part in (code.get("number"), code.get("notation")) if part)
    kind = (data.get("business") or {}).get("type") or ("new" if not data.get("businessType") else "other")
    return Wanted("edoc", sender, str(data.get("subject") or ""), notation, since, None, is_new=kind == "new")


def marks_of(message: DocumentMessage | StatusMessage) -> tuple[Any, ...]:
    """What the axis leaves as it is when it writes a message anew: enough to tell two messages apart."""
    if isinstance(message, StatusMessage):
        about = message.response_for
        return message.code, message.sender.organ_id, about.document_id, about.code, message.timestamp
    return (
        message.business.type,
        message.sender.organ_id,
        message.document_id,
        message.business.document_id,
        message.code.joined,
        message.subject,
        tuple(sorted(attachment.content.sha256 for attachment in message.attachments)),
    )


def still_missing(targets: tuple[str, ...], shown: list[list[str]]) -> tuple[str, ...]:
    """The receivers that what was found (``shown``: receivers by document) does not cover.

    The list may name an agency by its other code, so a name that is none of ours stands for one that is not shown.
    """
    named = [code for codes in shown for code in dict.fromkeys(codes)]
    missing = [code for code in targets if code not in named]
    strangers = [code for code in named if code not in targets]
    return () if len(strangers) >= len(missing) else tuple(missing)


def moment_of(text: Any) -> float | None:
    """A time as the axis writes it: local without a zone, in one of several forms; None where it says nothing."""
    if not isinstance(text, str):
        return None
    found = parse_moment(text.strip())
    if found is not None:
        return found
    for form in _FORMS:
        try:
            return datetime.strptime(text.strip()[:19], form).replace(tzinfo=VIET_NAM).timestamp()
        except ValueError:
            continue
    return None


def _plain(text: str) -> str:
    return "".join(composed(text).casefold().split())


def _is_notation(shown: str, meant: str) -> bool:
    """Number and notation as the list has them: both, the notation alone, or nothing."""
    shown, meant = _plain(shown), _plain(meant)
    return not shown or not meant or shown == meant or meant.endswith(f"/{shown}")


def _is_title(shown: str, meant: str) -> bool:
    shown, meant = _plain(shown).rstrip(".…"), _plain(meant)
    return not shown or shown == meant or (len(shown) >= _TELLING and meant.startswith(shown))
