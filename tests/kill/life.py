"""One round: a province under traffic is killed, comes back, drains; answers what of the bus's word was broken."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import aiohttp

from gateway.client.bus import Bus
from tests.kill.cabinet import Cabinet
from tests.kill.history import violations
from tests.kill.province import PULLED, SENDER, Province
from tests.kill.recipients import Inbox, listening
from tests.kill.seen import History, Started
from tests.kill.traffic import Desk, Load

#: A point that traffic does not reach in this time (seconds) is not on the way of a message.
_REACHED: Final = 20.0
_LOOK: Final = 0.05
#: The more has been seen, the longer it takes to look through it: seconds for each thing seen.
_LOOK_EACH: Final = 0.00002


@dataclass(frozen=True, slots=True)
class Round:
    """What a round was, and what it found: nothing, where the bus kept its word."""

    seed: str
    broken: list[str]
    last_words: str
    #: Posts that earned no answer, or were turned away for the moment; the sender repeated them.
    unanswered: tuple[str, ...] = ()
    history: History = field(default_factory=History, repr=False)

    def __str__(self) -> str:
        listed = "\n".join(f"  {sentence}" for sentence in self.broken[:20])
        return f"seed {self.seed!r}: {len(self.broken)} promises broken\n{listed}\n{self.last_words}"


@dataclass(slots=True)
class Stage:
    """A province under traffic: what the deaths of a round are arranged on."""

    province: Province
    history: History
    broken: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)

    async def begin(self, kill_at: str | None = None) -> None:
        """A life begins."""
        self.history.add(Started())
        await self.province.start(kill_at)

    async def dies(self) -> None:
        """Wait until the life is killed; another end, or none, is a broken promise of the test itself."""
        ended = await self.province.ended(_REACHED)
        if ended != -signal.SIGKILL:
            what = f"the point was not reached in {_REACHED:g} s" if ended is None else f"it ended with {ended}"
            self.broken.append(f"not killed: in life {self.province.lives} {what}")
            self.province.kill()
            await self.province.ended(_REACHED)
        # what the dead process wrote into sockets is still to be read
        await asyncio.sleep(_LOOK)


NORMAL: Final = Load()
#: Lets all lives but the last begin and end, and the last one begin; it is handed the seed's own chance.
Deaths = Callable[[Stage, random.Random], Awaitable[None]]


class Copied(Protocol):
    """A province that was applied once, of which each round serves a copy."""

    def copied(self, folder: Path) -> Province:
        """A province of its own, not served yet."""


async def round_of(template: Copied, folder: Path, seed: str, deaths: Deaths, load: Load = NORMAL) -> Round:
    """Play one round in ``folder``: traffic, deaths as arranged, a last life that drains, the verdict."""
    province, history = template.copied(folder), History()
    stage = Stage(province, history)
    try:
        await _play(stage, seed, deaths, load)
        status = await province.stop()
        if status != 0:
            stage.broken.append(f"not drained: asked to end, it ended with {status}")
    finally:
        province.kill()
        await province.ended(_REACHED)
    broken = [*stage.broken, *violations(history, province.said_by_gateway)]
    return Round(seed, broken, province.last_words() if broken else "", tuple(stage.unanswered), history)


async def _play(stage: Stage, seed: str, deaths: Deaths, load: Load) -> None:
    province, history, enough = stage.province, stage.history, asyncio.Event()
    signers = {name: province.signer(name) for name in (SENDER, PULLED)}
    timeout = aiohttp.ClientTimeout(total=10)
    connector = aiohttp.TCPConnector(force_close=not load.is_kept_alive)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
        listening(province, history, seed),
        asyncio.TaskGroup() as group,
    ):

        def chance(name: object) -> random.Random:
            return random.Random(f"{seed} {name}")

        bus = Bus(province.url, session)
        inboxes = {
            name: Inbox(name, bus, signer, province, history, chance(name), enough) for name, signer in signers.items()
        }
        cabinet = Cabinet(province, history, chance("cabinet"), enough)
        desks = [
            Desk(number, province.url, signers[SENDER], session, history, chance(number), enough, load)
            for number in range(load.desks)
        ]
        endless = [group.create_task(inbox.work()) for inbox in inboxes.values()]
        endless.append(group.create_task(cabinet.work()))
        working = [group.create_task(desk.work()) for desk in desks]
        await deaths(stage, random.Random(seed))
        enough.set()
        await asyncio.gather(*working)
        await _drained(stage, load.drained)
        for desk in desks:
            stage.unanswered += desk.unanswered
            await desk.once_more()
        for digest, (name, _, _) in cabinet.dropped.items():
            if not await inboxes[PULLED].can_read(digest):
                stage.broken.append(f"lost: the file {name} cannot be read by its recipient")
        # whatever should not come any more has time to come
        await asyncio.sleep(2 * _LOOK)
        for task in endless:
            task.cancel()


async def _drained(stage: Stage, within: float) -> None:
    end = time.monotonic() + within
    while left := stage.history.unfinished():
        if time.monotonic() > end:
            stage.broken.append(f"not drained: after {within:g} s there is still to come: {left[:5]}")
            return
        await asyncio.sleep(_LOOK + _LOOK_EACH * len(stage.history.seen))
