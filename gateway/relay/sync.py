"""Fetching the lists of agencies that systems keep, such as the national axis: once a day, each as a proposal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from gateway.core.agency_list import MAX_ENTRIES
from gateway.core.agency_reading import read_told
from gateway.core.directory import Directory, System
from gateway.core.faults import Rejected, Text, TransientFailure
from gateway.core.moments import day_of
from gateway.ports import Adapter, Clock
from gateway.ports.agency_lists import Proposal
from gateway.relay.proposals import Proposals

#: How long a system may take to tell its list, and how long one that could not is left alone (seconds).
LIMIT: Final = 600.0
REST: Final = 3600.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sync:
    """The step; ``offers`` says of a system whether its adapter can fetch a list."""

    proposals: Proposals
    directory: Callable[[], Directory]
    adapter_of: Callable[[System], Adapter]
    offers: Callable[[System], bool]
    clock: Clock
    #: How often each is asked (seconds); 0 means only when a person asks for it.
    every: float
    #: Systems that could not be asked, and until when they are left alone.
    _rests: dict[str, float] = field(default_factory=dict)

    async def once(self) -> int:
        """Ask every system that is due; answers how many proposals came of it."""
        offering = [system for system in self.directory().systems.values() if self.offers(system)]
        if not offering or not self.every:
            return 0
        now = self.clock.now()
        asked = {kept.source: kept.checked_at for kept in await self.proposals.lists.listed()}
        made = 0
        for system in offering:
            if now < max(asked.get(system.name, -self.every) + self.every, self._rests.get(system.name, 0.0)):
                continue
            try:
                made += await self.of(system, by="gateway") is not None
            except Exception as error:  # noqa: BLE001 - one system's trouble must not stop the others'
                self._rests[system.name] = now + REST
                log.warning(
                    "directory.not-fetched", agency=system.name, detail=f"{type(error).__name__}: {error}"[:300]
                )
        return made

    async def of(self, system: System, *, by: str) -> Proposal | None:
        """What one system tells now, as a proposal; None where it says what is in force already.

        Raises TransientFailure where it tells nothing, Rejected where its adapter cannot fetch a list, and whatever
        the adapter raises.
        """
        fetch = getattr(self.adapter_of(system), "fetch_agencies", None)
        if fetch is None:
            raise Rejected(
                "bad-request",
                Text(
                    f"Bộ chuyển đổi {system.adapter} của {system.name} không lấy được danh mục cơ quan."
                    " Người vận hành nhập bằng tệp: lgsp directory import.",
                    f"The adapter {system.adapter} of {system.name} cannot fetch agencies."
                    " The operator imports a file: lgsp directory import.",
                ),
            )
        items: list[Mapping[str, Any]] = []
        async with asyncio.timeout(LIMIT):
            async for item in fetch():
                if len(items) >= MAX_ENTRIES:
                    raise TransientFailure(f"the list has over {MAX_ENTRIES} entries")
                items.append(item)
        if not items:
            raise TransientFailure("the list is empty, which is taken for a mistake")
        old, day = await self.proposals.in_force(system.name), day_of(self.clock.now())
        read = await asyncio.to_thread(read_told, items, via=system.name, old=old, day=day)
        return await self.proposals.propose(system.name, read, by=by)
