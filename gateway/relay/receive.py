"""Taking what an agency's software brought in its own words, fetched or handed in: keep files, seal for it, accept.

One path for items that the bus collects and for items that come by a call. The id follows from the bytes as the agency
wrote them, so an item that comes twice is one message, and a crash at any point costs nothing but a repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.checkpoints import reach
from gateway.core.content import PIECE, Content
from gateway.core.directory import System
from gateway.core.faults import Busy, Fault, Rejected, Text
from gateway.core.findings import Findings
from gateway.core.visit import NotReceived, Received
from gateway.ports import Accepted, AuditRow, Clock, Collected, CollectedFile, HeldFile, Ledger, Spool
from gateway.relay.inspect import Inspect
from gateway.relay.second_way import AlreadyServed, SecondWay

_GRANT_TRIES: Final = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Receive:
    """The step, for one item of one system that the bus seals for."""

    ledger: Ledger
    spool: Spool
    second_way: SecondWay
    clock: Clock
    file_limit: int
    #: Scans what came, and looks into it; None where nobody does.
    inspect: Inspect | None = None

    async def take(self, system: System, item: Collected) -> Received | NotReceived:
        """Take an item that came by a call: what is answered ``Received`` is durable, what is not is in the audit.

        Raises Busy where it cannot be taken now: whoever brought it is to bring the same again.
        """
        try:
            await self.keep_files(system, item)
        except Rejected as fault:
            return await self._not_received(system, item, fault)
        answer = await self.accept(system, item)
        if isinstance(answer, Busy):
            raise answer
        if isinstance(answer, AlreadyServed):
            await self.note_known(system, item.token, answer)
            return Received(str(item.event.get("id")), repeated=True)
        if isinstance(answer, Fault):
            return await self._not_received(system, item, answer)
        log.info(
            "item.received",
            message_id=answer.id,
            agency=system.name,
            warnings=[warning.en for warning in item.warnings],
        )
        return Received(answer.id, answer.repeated)

    async def keep_files(self, system: System, item: Collected) -> None:
        """Keep the files of an item, all or none; raises Rejected or Busy where one of them may not come in (now)."""
        found = [await self._looked_at(each, system) for each in item.files]
        for each, findings in zip(item.files, found, strict=True):
            await self._keep(each, system, findings)

    async def accept(self, system: System, item: Collected) -> Accepted | AlreadyServed | Fault:
        """Seal and accept an item whose files are kept."""
        reach("collect.files-kept")
        members = {**item.event, "source": system.name}
        answer = await self.second_way.take(system, members, item.origin)
        reach("collect.accepted")
        return answer

    async def note_known(self, system: System, token: str, answer: AlreadyServed) -> None:
        """Everybody has the document by another way: the item is taken, and no message is made of it."""
        details = {"item": token[:200], "document": answer.key, "agencies": list(answer.agencies[:50])}
        await self.ledger.audit([AuditRow(self.clock.now(), system.name, "item.known", details)])
        log.info("item.known", agency=system.name, document=answer.key)

    async def note_refused(self, system: System, token: str, reason: str) -> None:
        """An item can never become a message (accept writes an audit row of its own besides)."""
        details = {"item": token[:200], "reason": reason}
        await self.ledger.audit([AuditRow(self.clock.now(), system.name, "item.refused", details)])
        log.info("item.refused", agency=system.name, reason=reason)

    async def _not_received(self, system: System, item: Collected, fault: Fault) -> NotReceived:
        await self.note_refused(system, item.token, fault.problem)
        return NotReceived(fault.problem, told(fault))

    async def _looked_at(self, each: CollectedFile, system: System) -> Findings | None:
        if self.inspect is None or each.size > self.file_limit:
            return None
        return await self.inspect.arriving(each.content, system.name)

    async def _keep(self, each: CollectedFile, system: System, findings: Findings | None) -> None:
        for _ in range(_GRANT_TRIES):
            await self.spool.put(_pieces(each.content), limit=self.file_limit)
            held = HeldFile(each.sha256, each.size, each.media_type)
            if await self.ledger.grant_file(held, system.name, at=self.clock.now(), is_present=self.spool.is_present):
                if self.inspect is not None and findings is not None:
                    await self.inspect.keep(findings)
                return
        raise OSError(f"the spool does not hold {each.sha256}")


def told(fault: Fault) -> Text:
    """What the item's sender is told: the fault's sentence, and a line for each broken rule."""
    places: Sequence[str] = [f"{v.pointer or '/'}: {v.message.vi}" for v in fault.violations[:20]]
    in_english: Sequence[str] = [f"{v.pointer or '/'}: {v.message.en}" for v in fault.violations[:20]]
    return Text("\n".join([fault.detail.vi, *places]), "\n".join([fault.detail.en, *in_english]))


async def _pieces(content: Content) -> AsyncIterator[bytes]:
    """The bytes of a file, read beside the loop."""
    file = await asyncio.to_thread(content.open)
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        await asyncio.to_thread(file.close)
