"""Fetching from agencies that cannot send: list, keep files, seal for them, accept, settle; safe at any crash.

The id follows from the bytes as the agency wrote them, so an item collected twice is one message. A document that came
before by another way goes only to those who have not got it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.checkpoints import reach
from gateway.core.content import PIECE, Content
from gateway.core.directory import Directory, System
from gateway.core.faults import Busy, Fault, Rejected, Text
from gateway.core.findings import Findings
from gateway.ports import Adapter, AuditRow, Clock, Collected, CollectedFile, HeldFile, Ledger, Spool, Uncollectable
from gateway.relay.inspect import Inspect
from gateway.relay.second_way import AlreadyServed, SecondWay
from gateway.relay.silence import Silences

BATCH: Final = 50
#: Items whose files are kept while those before them are accepted.
_AHEAD: Final = 4
#: Rounds in a row, while whole batches come in, before the others of the house get their turn.
_MOST_ROUNDS: Final = 20
_GRANT_TRIES: Final = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Collect:
    """The step: one round asks every collecting system once."""

    ledger: Ledger
    spool: Spool
    second_way: SecondWay
    directory: Callable[[], Directory]
    adapter_of: Callable[[System], Adapter]
    collects: Callable[[System], bool]
    clock: Clock
    file_limit: int
    #: Scans what came, and looks into it; None where nobody does.
    inspect: Inspect | None = None
    #: Whether this process does what only one of several should do.
    leads: Callable[[], bool] = lambda: True
    _silences: Silences = field(default_factory=Silences)

    async def rounds(self) -> None:
        """Collect as long as whole batches come in: a long queue does not wait for its next turn.

        Where another process leads, nothing is asked, and what was known of systems that do not answer is forgotten.
        """
        if not self.leads():
            self._silences.forget()
            return
        for _ in range(_MOST_ROUNDS):
            if await self.once() < BATCH:
                return

    async def once(self) -> int:
        """Collect from every system that cannot send; answers how many items were settled."""
        now = self.clock.now()
        systems = [system for system in self.directory().systems.values() if self.collects(system)]
        asked = [system for system in systems if not self._silences.rests(system.name, now)]
        counts = await asyncio.gather(*(self._from(system) for system in asked))
        self._silences.show({system.name for system in systems}, self.clock.now())
        return sum(counts)

    async def _from(self, system: System) -> int:
        try:
            adapter = self.adapter_of(system)
            items = await adapter.collect(BATCH)
        except Exception as error:  # noqa: BLE001 - one agency's trouble must not stop the others'
            log.warning("collect.failed", agency=system.name, detail=f"{type(error).__name__}: {error}"[:300])
            self._silences.failed(system.name, error, self.clock.now())
            return 0
        self._silences.answered(system.name, self.clock.now())
        return await self._settled(system, adapter, items)

    async def _settled(self, system: System, adapter: Adapter, items: Sequence[Collected | Uncollectable]) -> int:
        """Settle items one after the other, while the files of the next ones are being kept; answers how many were.

        One that has to wait stays with the agency and is asked for again at the next round, and with it what follows
        it in its lane.
        """
        coming = iter(items)
        ready: deque[tuple[Collected | Uncollectable, asyncio.Task[None]]] = deque()
        waiting: set[str] = set()
        settled = 0
        try:
            while True:
                for item in itertools.islice(coming, _AHEAD - len(ready)):
                    ready.append((item, asyncio.create_task(self._prepared(system, item))))
                if not ready:
                    return settled
                item, kept = ready.popleft()
                lane = "" if isinstance(item, Uncollectable) else str(item.event.get("subject"))
                is_settled = False
                try:
                    refusal = await _refusal_of(kept)
                    if refusal is not None:
                        await self._refused(system, adapter, item.token, refusal.problem, refusal.detail)
                        is_settled = True
                    else:
                        is_settled = lane not in waiting and await self._one(system, adapter, item)
                except Busy:
                    pass  # a file of it cannot be looked at now
                except Exception as error:  # noqa: BLE001 - as above, for one item
                    log.warning("collect.failed", agency=system.name, detail=f"{type(error).__name__}: {error}"[:300])
                settled += is_settled
                if not is_settled and lane:
                    waiting.add(lane)
        finally:
            for _, kept in ready:
                kept.cancel()
            await asyncio.gather(*(kept for _, kept in ready), return_exceptions=True)

    async def _prepared(self, system: System, item: Collected | Uncollectable) -> None:
        """Keep the files of an item, all or none; raises Rejected or Busy where one of them may not come in (now)."""
        if isinstance(item, Collected):
            found = [await self._looked_at(each, system) for each in item.files]
            for each, findings in zip(item.files, found, strict=True):
                await self._keep(each, system, findings)

    async def _one(self, system: System, adapter: Adapter, item: Collected | Uncollectable) -> bool:
        """Accept one item whose files are kept, and settle it; whether it was settled."""
        if isinstance(item, Uncollectable):
            await self._refused(system, adapter, item.token, item.reason, item.detail)
            return True
        reach("collect.files-kept")
        members = {**item.event, "source": system.name}
        answer = await self.second_way.take(system, members, item.origin)
        reach("collect.accepted")
        if isinstance(answer, Busy):
            return False
        if isinstance(answer, AlreadyServed):
            await self._known(system, adapter, item.token, answer)
            return True
        if isinstance(answer, Fault):
            await self._refused(system, adapter, item.token, answer.problem, _told(answer))
            return True
        await adapter.settle(item.token, None)
        log.info(
            "item.collected",
            message_id=answer.id,
            agency=system.name,
            warnings=[warning.en for warning in item.warnings],
        )
        return True

    async def _known(self, system: System, adapter: Adapter, token: str, answer: AlreadyServed) -> None:
        """Everybody has the document by another way: the item is taken, and no message is made of it."""
        details = {"item": token[:200], "document": answer.key, "agencies": list(answer.agencies[:50])}
        await self.ledger.audit([AuditRow(self.clock.now(), system.name, "item.known", details)])
        await adapter.settle(token, None)
        log.info("item.known", agency=system.name, document=answer.key)

    async def _refused(self, system: System, adapter: Adapter, token: str, reason: str, detail: Text) -> None:
        """The refusal is in the audit (accept writes its own) and back with the agency, in words."""
        await adapter.settle(token, (reason, detail))
        details = {"item": token[:200], "reason": reason}
        await self.ledger.audit([AuditRow(self.clock.now(), system.name, "item.refused", details)])
        log.info("item.refused", agency=system.name, reason=reason)

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


def _told(fault: Fault) -> Text:
    places: Sequence[str] = [f"{v.pointer or '/'}: {v.message.vi}" for v in fault.violations[:20]]
    in_english: Sequence[str] = [f"{v.pointer or '/'}: {v.message.en}" for v in fault.violations[:20]]
    return Text("\n".join([fault.detail.vi, *places]), "\n".join([fault.detail.en, *in_english]))


async def _refusal_of(kept: asyncio.Task[None]) -> Rejected | None:
    """Why files may not come in at all; None where they are kept. Raises whatever else went wrong with them."""
    try:
        await kept
    except Rejected as fault:
        return fault
    return None


async def _pieces(content: Content) -> AsyncIterator[bytes]:
    """The bytes of a file, read beside the loop."""
    file = await asyncio.to_thread(content.open)
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        await asyncio.to_thread(file.close)
