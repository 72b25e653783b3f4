"""Fetching from agencies that cannot send: list, receive each item, settle it; safe at any crash.

What becomes of one item is ``relay/receive``. A document that came before by another way goes only to those who have
not got it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from gateway.core.directory import Directory, System
from gateway.core.faults import Busy, Fault, Rejected, Text
from gateway.ports import Adapter, Clock, Collected, Ledger, Spool, Uncollectable
from gateway.relay.inspect import Inspect
from gateway.relay.receive import Receive, told
from gateway.relay.second_way import AlreadyServed, SecondWay
from gateway.relay.silence import Silences

BATCH: Final = 50
#: Items whose files are kept while those before them are accepted.
_AHEAD: Final = 4
#: Rounds in a row, while whole batches come in, before the others of the house get their turn.
_MOST_ROUNDS: Final = 20

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
    #: What it does with one item, as the doors that agencies call do.
    receive: Receive = field(init=False)
    _silences: Silences = field(default_factory=Silences)

    def __post_init__(self) -> None:
        receive = Receive(self.ledger, self.spool, self.second_way, self.clock, self.file_limit, self.inspect)
        object.__setattr__(self, "receive", receive)

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
        """Keep the files of an item; raises Rejected or Busy where one of them may not come in (now)."""
        if isinstance(item, Collected):
            await self.receive.keep_files(system, item)

    async def _one(self, system: System, adapter: Adapter, item: Collected | Uncollectable) -> bool:
        """Accept one item whose files are kept, and settle it; whether it was settled."""
        if isinstance(item, Uncollectable):
            await self._refused(system, adapter, item.token, item.reason, item.detail)
            return True
        answer = await self.receive.accept(system, item)
        if isinstance(answer, Busy):
            return False
        if isinstance(answer, AlreadyServed):
            await self.receive.note_known(system, item.token, answer)
            await adapter.settle(item.token, None)
            return True
        if isinstance(answer, Fault):
            await self._refused(system, adapter, item.token, answer.problem, told(answer))
            return True
        await adapter.settle(item.token, None)
        log.info(
            "item.collected",
            message_id=answer.id,
            agency=system.name,
            warnings=[warning.en for warning in item.warnings],
        )
        return True

    async def _refused(self, system: System, adapter: Adapter, token: str, reason: str, detail: Text) -> None:
        """The refusal is in the audit and back with the agency, in words."""
        await adapter.settle(token, (reason, detail))
        await self.receive.note_refused(system, token, reason)


async def _refusal_of(kept: asyncio.Task[None]) -> Rejected | None:
    """Why files may not come in at all; None where they are kept. Raises whatever else went wrong with them."""
    try:
        await kept
    except Rejected as fault:
        return fault
    return None
