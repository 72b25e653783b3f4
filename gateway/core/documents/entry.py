"""What one message says of a document: the line it gets in the register, written with the message or not at all.

A document is named by its *key*: its business id as compared (see ``document_key``), within the agency that issued it.
The id alone is not unique: a later update, recall or resend carries the same one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

#: ``new``, ``recall``, ``update``, ``replace``: a document.issued of that business; ``status``: a report on one.
EntryKind = Literal["new", "recall", "update", "replace", "status"]


@dataclass(frozen=True, slots=True)
class Obligation:
    """What an agency owes by law since it was sent a document: ``name`` is the rule's id, ``due`` seconds since 1970.

    ``answered_by``: the codes of the statuses by which the agency has done it (two digits each).
    """

    agency: str
    name: str
    due: float
    answered_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A line of the register. Agencies are canonical codes of the directory; a code it does not know stands as written.

    ``issuer``: whose document it is; ``reporter``: who says this (of a document the issuer). ``recipients``: the
    agencies it went to, those carried among them. ``concerned``: keys of earlier documents that it recalls, updates or
    replaces. ``code``: of a status, two digits. ``said_at``: the status' own time; ``issued_on``: the document's day.
    ``fingerprint``: hex SHA-256 of issuer, key, kind, what it says of itself (subject line, reason) and the digests of
    what is attached (as they are when freed of any wrapping), so that what comes by a second way is known; None of a
    status. ``obligations``: what the recipients owe. ``document``: the id as its sender wrote it. ``earlier``: codes
    and times of statuses that the report tells beside its own. ``is_vouched``: whether the system that sent it may
    speak for ``reporter``; where not, the line is kept and shown as what that system told, and counts for nothing.
    ``stands_for``: who reports, and the closed agencies in whose place it stands on the day: known as the status
    arrives, not kept.
    """

    kind: EntryKind
    key: str
    issuer: str
    reporter: str
    recipients: tuple[str, ...]
    concerned: tuple[str, ...] = ()
    code: str = ""
    said_at: float | None = None
    issued_on: str | None = None
    fingerprint: str | None = None
    obligations: tuple[Obligation, ...] = ()
    document: str = ""
    earlier: tuple[tuple[str, float | None], ...] = ()
    is_vouched: bool = True
    stands_for: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def is_status(self) -> bool:
        """Whether it is a report on a document."""
        return self.kind == "status"

    @property
    def told(self) -> tuple[tuple[str, float | None], ...]:
        """Every status that a report tells: code and time, the present one last."""
        return (*self.earlier, (self.code, self.said_at))
