"""The promise of the register of dossiers: what was said of each, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.core.dossiers.dossier import Head
from gateway.core.dossiers.event import Told
from gateway.ports.records import AuditRow


class DossierRegister(Protocol):
    """Keeps what messages say of dossiers. Lines are written by ``Ledger.accept_many`` (``NewMessage.dossier``), in the
    transaction that keeps the message: a message without its line, or a line without its message, is never seen.

    Heads are worked out a moment later from the lines, as often as one likes: what they say follows from the lines.
    """

    async def story(self, code: str) -> Sequence[Told]:
        """Every line of one dossier, in order of places."""

    async def children(self, code: str) -> Sequence[str]:
        """Codes of the dossiers whose lines name this one as their parent, or that its hops name as their child."""

    async def unsettled(self, *, limit: int = 200) -> Sequence[str]:
        """Codes with lines younger than their head, oldest line first."""

    async def settle(self, head: Head, audit: Sequence[AuditRow] = ()) -> bool:
        """Keep a head in place of the one before. False, and nothing is done, where a younger line is there already
        than ``head.place``, or the head that is kept is of a younger one.
        """

    async def head(self, code: str) -> Head | None:
        """Where a dossier stands, as last worked out."""

    async def heads(
        self, *, lead: str | None = None, status: int | None = None, after: str = "", limit: int = 100
    ) -> Sequence[Head]:
        """Heads in order of codes, from the first code after ``after`` on."""

    async def due(self, now: float, *, limit: int = 200) -> Sequence[Head]:
        """Heads whose ``next_look`` is no later than ``now``, the earliest first."""

    async def ended(self, since: float, until: float, *, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """Heads of a period, by code: received before ``until`` or by nobody, and not finished before ``since``."""
