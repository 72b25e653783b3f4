"""The status 02 (từ chối tiếp nhận) by which the bus gives back, in words, a document that it could not take. Pure.

Decision 28/2018/QĐ-TTg, article 9: the receiving side tells the sender promptly through the system.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.core.content import Content, MemorySink, NewSink
from gateway.core.edxml.parse import Limits
from gateway.core.edxml.read import read
from gateway.core.edxml.values import DocumentMessage, Organization, ResponseFor, StatusMessage, Unreadable
from gateway.core.edxml.write import write
from gateway.core.faults import Text
from gateway.core.moments import format_moment

REJECTED: Final = "02"
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Answered:
    """What a refusal is about: who was to get the document, and the document as its sender knows it."""

    receiver: str
    document: ResponseFor


def answered(raw: Content, receiver: str, limits: Limits, new_sink: NewSink = MemorySink) -> Answered | None:
    """What a refusal of the document in ``raw`` is about; None where it is no document."""
    try:
        message = read(raw, limits, new_sink)
    except Unreadable:
        return None
    if not isinstance(message, DocumentMessage):
        return None
    about = ResponseFor(message.sender.organ_id, message.code.joined, message.document_id, message.promulgation.date)
    return Answered(receiver or message.recipients[0].organ_id, about)


def rejection(about: Answered, reason: str, detail: Text, now: float) -> bytes:
    """The .edxml file of the report; ``reason`` is the short name, ``now`` seconds since 1970.

    Raises Unwritable for words that XML cannot hold.
    """
    words = f"Trục liên thông từ chối tự động ({reason}): {detail.vi}\nRefused by the bus ({reason}): {detail.en}"
    if len(words) > _LONGEST:
        half = _LONGEST // 2 - 100
        words = f"({reason}) {detail.vi[:half]} … {detail.en[:half]}"
    return write(
        StatusMessage(
            sender=Organization(about.receiver),
            response_for=about.document,
            code=REJECTED,
            description=words,
            timestamp=format_moment(now),
        )
    )
