"""The promise of the register of documents: what was sent, what was reported, who owes an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.documents.entry import DocumentEntry
from gateway.ports.records import AuditRow


@dataclass(frozen=True, slots=True)
class Registered:
    """A line of the register as it was kept: ``place`` grows in order of acceptance, ``message`` is its key.

    ``is_parked``: a status that waits for its document, which the register does not know (yet). ``systems``: those that
    were sent the message.
    """

    place: int
    message: str
    source: str
    accepted_at: float
    entry: DocumentEntry
    is_parked: bool = False
    systems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duty:
    """An obligation that is open. ``level`` counts the reminders that were sent; ``next_at``: when the next is due,
    infinity where never. ``message`` brought the line that is owed for, ``document`` is its key.
    """

    message: str
    document: str
    issuer: str
    agency: str
    name: str
    due: float
    level: int
    next_at: float


class Register(Protocol):
    """Keeps what messages say of documents. Lines are written by ``Ledger.accept_many`` (``NewMessage.entry``), in the
    transaction that keeps the message: a message without its line, or a line without its message, is never seen.

    In that same transaction: the obligations of a new line become open duties, but for agencies whose answer is there
    already; a status closes those duties of its reporter on that document whose ``answered_by`` names its code; a
    status of an unknown document is parked, and a document that arrives takes in what is parked for it. Of a line whose
    source may not speak for its reporter (``is_vouched``) nothing follows: it is kept and told, no more. A message that
    is to be kept only where nobody was served before (``NewMessage.unless_served``) is judged there, too: of two ways
    on which the same document comes at the same moment one is the second. The rules are
    ``gateway.core.documents.matching``.
    """

    async def story(self, key: str, issuer: str) -> Sequence[Registered]:
        """Every line of one document: it, what concerns it, what was reported on any of these; in order of places."""

    async def issued(self, agency: str, *, before: int | None = None, limit: int = 100) -> Sequence[Registered]:
        """Documents that an agency issued (no statuses), the youngest first; ``before``: below that place."""

    async def find(self, key: str, *, limit: int = 20) -> Sequence[Registered]:
        """New documents with this key, of any issuer, the youngest first."""

    async def parked(self, *, is_given_up: bool = False, limit: int = 100) -> Sequence[Registered]:
        """Statuses whose document is not known, the oldest first: those that wait for it, or those that did in vain."""

    async def unpark(self, places: Sequence[int], audit: Sequence[AuditRow]) -> bool:
        """Wait no longer for the documents of these statuses. The document may come all the same: it finds them.

        False, and nothing is done, where one of them does not wait any more.
        """

    async def duties(
        self, *, due_by: float | None = None, agency: str | None = None, limit: int = 500
    ) -> Sequence[Duty]:
        """Open duties, the one due first first: those whose ``next_at`` is no later than ``due_by``, or all."""

    async def remind(self, duty: Duty, *, next_at: float | None, audit: AuditRow) -> bool:
        """One more reminder of a duty was sent; the next is due at ``next_at``, or (None) never.

        False, and nothing is done, where the duty is no longer open or no longer at that level.
        """

    async def postpone(self, duty: Duty, *, next_at: float, audit: AuditRow | None = None) -> bool:
        """Look at a duty again at ``next_at``: its agency was not reminded, so its level stays.

        False, and nothing is done, where the duty is no longer open or no longer at that level.
        """
