"""What the axis keeps: members with their agencies, documents as they came, and for each receiver how far it got."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Literal

State = Literal["initial", "processing", "done", "fail"]
MessageType = Literal["edoc", "status"]

_LOCAL: Final = timezone(timedelta(hours=7))


@dataclass(slots=True)
class Listed:
    """One agency of the axis' directory; ``old`` is its code by the rule of 2016."""

    code: str
    name: str
    old: str = ""
    parent: str = ""
    centre: str = ""
    mail: str = ""
    is_locked: bool = False
    is_deleted: bool = False


@dataclass(slots=True)
class Member:
    """One connected system: what it signs with and the agencies it speaks for."""

    system: str
    secret: str = field(repr=False)
    agencies: dict[str, Listed] = field(default_factory=dict)

    def speaks_for(self, code: str) -> bool:
        """Whether ``code`` is one of its agencies, by either code, or its own centre."""
        return code == self.system or any(code in {each.code, each.old} - {""} for each in self.agencies.values())


@dataclass(frozen=True, slots=True)
class Kept:
    """A document or status as its sender handed it in, with the request's other header fields."""

    doc_id: str
    type: MessageType
    sender: str
    member: str
    title: str
    notation: str
    raw: bytes
    relayed: bytes
    fields: dict[str, str]
    at: float


@dataclass(slots=True)
class Item:
    """One document for one receiver."""

    document: Kept
    receiver: str
    receiver_doc_id: str
    status: State = "initial"
    note: str = ""
    updated: float = 0.0


@dataclass(slots=True)
class Keeper:
    """All members, documents and items, in order of arrival."""

    members: dict[str, Member] = field(default_factory=dict)
    documents: dict[str, Kept] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    #: Give each receiver an id of its own instead of the sender's.
    own_ids: bool = False
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def agency(self, code: str) -> Listed | None:
        """The agency with this code, new or old."""
        return next((each for each in self.all_agencies() if code and code in {each.code, each.old}), None)

    def all_agencies(self) -> Iterator[Listed]:
        """Every agency of every member."""
        for member in self.members.values():
            yield from member.agencies.values()

    def take(self, document: Kept, receivers: Iterable[str], *, at: float) -> None:
        """Keep a document with an item for each receiver."""
        self.documents[document.doc_id] = document
        for receiver in receivers:
            own = self.new_id() if self.own_ids else document.doc_id
            self.items.append(Item(document, receiver, own, updated=at))

    def new_id(self) -> str:
        """24 hex digits, as the axis names documents."""
        return f"{next(self._count):08x}{secrets.token_hex(8)}"

    def waiting(self, member: Member, kind: str) -> list[Item]:
        """Items for a member that are neither done nor failed."""
        return [
            item
            for item in self.items
            if item.document.type == kind
            and item.status in {"initial", "processing"}
            and member.speaks_for(item.receiver)
        ]

    def of(self, member: Member, doc_id: str) -> list[Item]:
        """A member's items of one document, by the id that the receiver knows."""
        return [item for item in self.items if item.receiver_doc_id == doc_id and member.speaks_for(item.receiver)]


def local(at: float) -> str:
    """A moment as the axis writes it: local time without a zone."""
    return datetime.fromtimestamp(at, UTC).astimezone(_LOCAL).strftime("%Y/%m/%d %H:%M:%S")
