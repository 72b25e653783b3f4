"""The back half: claim what is due, have each tried beside the others, record what came of them.

A lease outlives the longest attempt; a process that starts takes back its own, so what a crash interrupted is due
again at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.checkpoints import reach
from gateway.core.breaker import FULL_WIDTH
from gateway.core.delivery import State
from gateway.core.directory import Directory, System
from gateway.core.faults import Busy
from gateway.ports import Adapter, Broker, Claim, Clock, Ledger
from gateway.relay.attempt import TOO_LATE, Trial, Tried
from gateway.relay.endings import AGAIN, Endings
from gateway.relay.inspect import Inspect
from gateway.relay.names import Names
from gateway.relay.outage import Outages
from gateway.relay.proof import Proofs
from gateway.relay.settle import Settlement
from gateway.relay.suspicion import Suspicion
from gateway.relay.translate import Translate
from gateway.telemetry import log

#: One attempt may take this long (seconds), told a TICK later at most; the lease is longer, so nobody else tries
#: meanwhile.
ATTEMPT_LIMIT: Final = 22.0
LEASE: Final = 28.0
#: The ledger is asked at least this often (seconds), whatever the broker says.
TICK: Final = 1.0
#: How long the ledger may take to hear that a process goes (seconds).
_FAREWELL: Final = 2.0
#: A round that claimed so many shows that there is much to do: the next one lets more gather, so long (seconds).
MANY: Final = 8
GATHER: Final = 0.004


@dataclass(slots=True)
class Dispatch:
    """One dispatcher; several may run on one ledger. ``concurrency`` is per destination."""

    ledger: Ledger
    broker: Broker
    directory: Callable[[], Directory]
    adapter_of: Callable[[System], Adapter]
    is_pushed: Callable[[System], bool]
    translate: Translate
    settlement: Settlement
    proofs: Proofs
    outages: Outages
    clock: Clock
    owner: str
    on_announced: Callable[[frozenset[str]], None]
    concurrency: int = FULL_WIDTH
    #: Says what may not be handed over on account of its files; None where nobody does.
    inspect: Inspect | None = None
    #: The moment at which to look at all recipients again, whatever is announced.
    _look_at: float = 0.0
    _busy: Counter[str] = field(default_factory=Counter)
    #: Attempts under way -> the loop's time at which each has taken too long.
    _tasks: dict[asyncio.Task[None], float] = field(default_factory=dict)
    #: How many the last round claimed.
    _claimed: int = 0
    _stopping: bool = False
    _names: Names = field(init=False)
    #: Held during a round: what it is about to claim is under way, too.
    _round_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _trial: Trial = field(init=False)
    _endings: Endings = field(init=False)
    _suspicion: Suspicion = field(init=False)

    def __post_init__(self) -> None:
        self._names = Names(self.owner)
        self._trial = Trial(
            self.directory, self.adapter_of, self.translate, self.settlement, self.proofs, self.clock, self.inspect
        )
        self._suspicion = Suspicion(self.ledger, self.settlement, self.clock)
        self._endings = Endings(self.ledger, self.broker, self.outages, self.clock, self.owner, self._written)

    async def run(self) -> None:
        """Work until :meth:`drain`; never raises for what one delivery or one ledger call does."""
        is_begun = False
        announced: frozenset[str] = frozenset()
        while not self._stopping:
            wait = TICK
            try:
                if not is_begun:
                    for name in self._names.all:
                        await self.ledger.lapse(self.clock.now(), owner=name)
                    await self.outages.load()
                    is_begun = True
                async with self._round_turn:
                    wait = await self._round(announced)
            except Exception:  # noqa: BLE001 - a round that fails is told; the next one tries again
                log.exception("step.failed", step="dispatch")
            if not self._stopping:
                if self._claimed >= MANY:
                    await asyncio.sleep(GATHER)
                announced = await self.broker.wait(wait)
                self.on_announced(announced)

    async def _round(self, announced: frozenset[str] = frozenset()) -> float:
        """Claim and start what is due; answers how long to wait for the next round.

        Between two looks at all recipients only those that were announced are asked for: where much is announced,
        looking each time would cost more than claiming.
        """
        self._call_off_late()
        now = self.clock.now()
        for name in self._names.to_clear():
            await self.ledger.lapse(now, owner=name)
            self._names.clear(name)
        due = announced
        if not announced or now >= self._look_at:
            due, following = await self.ledger.due(now)
            self._look_at = now + TICK if following is None else max(now, min(now + TICK, following))
            self.on_announced(due)
        directory = self.directory()
        room = {name: self._room(name) for name in due if self._is_mine(name, directory)}
        wanted = {name: free for name, free in room.items() if free > 0}
        probers = self.outages.probers(now, self._busy)
        if wanted or probers:
            name = self._names.current
            try:
                claims = await self.ledger.claim(
                    wanted, owner=name, now=now, until=now + LEASE, probers=tuple(probers.values())
                )
            except Busy:
                self._names.doubt(name)
                raise
            reach("dispatch.claimed")
            self._claimed = len(claims)
            until = asyncio.get_running_loop().time() + ATTEMPT_LIMIT
            for claim in claims:
                self._busy[claim.delivery.recipient] += 1
                self._names.hold(claim)
                task = asyncio.create_task(self.attempt(claim))
                self._tasks[task] = until
                task.add_done_callback(self._tasks.pop)
            claimed = {claim.delivery.id for claim in claims} if probers else ()
            for recipient, prober in probers.items():
                if prober not in claimed:
                    await self.outages.gone(recipient)
        probe = self.outages.next_probe()
        nexts = (self._look_at, self._look_at if probe is None else probe)
        return min([TICK, *(max(0.0, each - self.clock.now()) for each in nexts if each > now)])

    def _room(self, name: str) -> int:
        busy = self._busy[name]
        return min(self.outages.room(name, busy), self.concurrency - busy)

    def _is_mine(self, name: str, directory: Directory) -> bool:
        system = directory.system(name)
        return system is None or self.is_pushed(system)

    async def attempt(self, claim: Claim) -> None:
        """Try one delivery; its end is written with the others of the moment."""
        try:
            tried = await self._try(claim)
        except BaseException as error:
            # The lease ends and the delivery is due again: nothing is lost, but somebody must look.
            self._leave([claim])
            if isinstance(error, asyncio.CancelledError):
                raise
            log.exception("step.failed", step="dispatch", delivery_id=claim.delivery.id, message_id=claim.id)
        else:
            if tried is None:
                self._leave([claim])
            else:
                self._endings.add(tried)

    async def _try(self, claim: Claim) -> Tried | None:
        """What came of a try; None where there was none. While the ledger is away it waits, for as long as it may."""
        while True:
            try:
                return None if await self._suspicion.set_aside(claim) else await self._trial.of(claim)
            except Busy:
                await asyncio.sleep(AGAIN)

    def _call_off_late(self) -> None:
        """Cancel the attempts that have taken too long: one look at all of them is cheaper than a timer for each."""
        now = asyncio.get_running_loop().time()
        for task, until in self._tasks.items():
            if until > now:
                break  # they began in this order
            task.cancel(TOO_LATE)

    def _written(self, group: Sequence[Tried]) -> None:
        """These are no longer under way."""
        for tried in group:
            after = tried.change.after
            if tried.failure is not None and after.state is State.QUEUED:
                self._look_at = min(self._look_at, after.due)
        self._leave([tried.claim for tried in group])

    def _leave(self, claims: Sequence[Claim]) -> None:
        """There is room for others at these destinations."""
        recipients = frozenset(claim.delivery.recipient for claim in claims)
        self._busy.subtract(claim.delivery.recipient for claim in claims)
        self._names.leave(claims)
        for recipient in recipients:
            if self._busy[recipient] <= 0:
                del self._busy[recipient]
        self.broker.ring(recipients)

    def under_way(self) -> set[asyncio.Task[None]]:
        """The attempts that run, and the writing of their ends."""
        writing = self._endings.task
        return set(self._tasks) if writing is None else {*self._tasks, writing}

    async def drain(self, limit: float = 12.0) -> None:
        """Claim nothing more; let what runs end within ``limit`` seconds; give the rest back.

        Where the ledger is away, the rest is given back by whoever begins under this name, or by time.
        """
        self._stopping = True
        self.broker.ring(frozenset())
        loop = asyncio.get_running_loop()
        end = loop.time() + limit
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end), self._round_turn:
                pass
        while (tasks := self.under_way()) and (left := end - loop.time()) > 0:
            await asyncio.wait(tasks, timeout=left)
        tasks = self.under_way()
        for task in tasks:
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(_FAREWELL):
                for name in self._names.all:
                    await self.ledger.lapse(self.clock.now(), owner=name)
        except Exception:  # noqa: BLE001 - whoever goes must not be held up by it
            log.exception("step.failed", step="drain")
