"""Looking at documents: what was sent, to whom it came, what was reported, for its parties and for operators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.core.directory import Directory
from gateway.core.documents.key import document_key, issuer_in
from gateway.core.documents.registrar import canonical_by
from gateway.core.documents.view import DocumentView, Line, view_of
from gateway.ports import Ledger
from gateway.ports.documents import Register, Registered


@dataclass(frozen=True, slots=True)
class Documents:
    """The step: asks the register what was said, and the ledger where each message is."""

    register: Register
    ledger: Ledger
    directory: Callable[[], Directory]

    async def view(self, issuer: str, document: str) -> DocumentView | None:
        """A document by the code of its issuer (any form) and its id as anybody writes it; None for an unknown one."""
        key, code = document_key(document, self._canonical), self._canonical(issuer)
        lines = await self._lines(await self.register.story(key, code))
        # Beside the loop: a document to all agencies of a province has thousands of lines.
        return await asyncio.to_thread(view_of, key, code, lines)

    async def views(self, document: str, *, limit: int = 20) -> list[DocumentView]:
        """Documents of this id, of whatever issuer; reports alone where the id names the issuer."""
        key = document_key(document, self._canonical)
        named = issuer_in(document)
        issuers = [line.entry.issuer for line in await self.register.find(key, limit=limit)]
        issuers += [self._canonical(named)] if named is not None else []
        found = [await self.view(issuer, document) for issuer in dict.fromkeys(issuers)]
        return [view for view in found if view is not None]

    async def issued(self, agency: str, *, before: int | None = None, limit: int = 100) -> Sequence[Registered]:
        """What an agency issued, the youngest first."""
        return await self.register.issued(self._canonical(agency), before=before, limit=limit)

    def _canonical(self, code: str) -> str:
        return canonical_by(self.directory())(code)

    async def _lines(self, story: Sequence[Registered]) -> list[Line]:
        issued = [line for line in story if not line.entry.is_status]
        records = await asyncio.gather(*(self.ledger.find(line.message) for line in issued))
        states = {
            record.key: {each.delivery.recipient: each.delivery.state.value for each in record.deliveries}
            for record in records
            if record is not None
        }
        return [
            Line(
                line.place,
                line.message,
                line.accepted_at,
                line.entry,
                states.get(line.message, {}),
                line.is_parked,
                line.source,
            )
            for line in story
        ]
