"""The lives of dossiers in a province: who of it plays which part, one dossier after another, and who asks of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from gateway.cli.mocked.cast import Cast
from gateway.cli.mocked.counters import OldCounter, OneStopCounter, Rounds
from gateway.cli.mocked.desk import AWAY, Desk
from gateway.cli.mocked.fate import fates
from gateway.cli.mocked.life import Life, Told
from gateway.client.bus import Refused

#: Which software plays a part, by its adapter.
PARTS: Final = frozenset(
    {"dvcqg", "onestop", "onestop_wso2", "qlvb_signing", "payment_gateway", "vnpost", "status_lookup"}
)
#: So many lives go on at a time at most; who asks keeps to what one address may.
_AT_A_TIME: Final = 12
_ASKS_EVERY: Final = 3.0
#: Who hands drafts and orders on.
CENTRE: Final = "H33.01/app"


@dataclass(slots=True)
class Lives:
    """``number``: how many dossiers there are to be, None for as many as there is time for."""

    cast: Cast
    every: float
    seed: str
    told: Told = lambda _who, _code, _what: None
    trouble: Callable[[str, str], None] = lambda _code, _why: None
    number: int | None = None
    rounds: list[Rounds] = field(default_factory=list)

    def join(self, adapter: str, software: Any, door: str) -> None:
        """Somebody takes a part; ``door``: where it calls the bus, empty where there is no bus."""
        cast = self.cast
        match adapter:
            case "dvcqg":
                cast.portal = software
                cast.portal_calls = software.calling(door.rstrip("/"), twice=True) if door else None
            case "onestop" if door:
                cast.office = OneStopCounter(software)
                self.rounds.append(Rounds(software, f"{self.seed} {adapter}"))
            case "onestop_wso2" if door:
                software.door = door.rstrip("/")
                cast.district = OldCounter(software)
                self.rounds.append(Rounds(software, f"{self.seed} {adapter}"))
            case "qlvb_signing" if door:
                cast.signing = software
            case "payment_gateway" if door:
                cast.bank = software
            case "vnpost":
                cast.post = software
            case "status_lookup" if door:
                cast.kiosk = software
            case "edxml_folder":
                cast.folders.append(software)

    def fetches(self, desk: Desk) -> None:
        """Somebody fetches for himself."""
        self.cast.desks.append(desk)
        if desk.system == CENTRE:
            self.cast.centre = desk

    async def go_on(self) -> None:
        """One dossier after another; offices make their rounds, and somebody looks dossiers up."""
        async with asyncio.TaskGroup() as all_of_them:
            rounds = [all_of_them.create_task(each.go_on()) for each in self.rounds]
            if self.cast.kiosk is not None:
                rounds.append(all_of_them.create_task(self._ask()))
            await self._all_live()
            for each in rounds:
                each.cancel()

    async def _all_live(self) -> None:
        places = asyncio.Semaphore(_AT_A_TIME)
        async with asyncio.TaskGroup() as living:
            for fate in itertools.islice(fates(self.seed, self.cast.origins), self.number):
                await places.acquire()
                life = living.create_task(self._live(Life(self.cast, fate, self.every / 2, self.told)))
                life.add_done_callback(lambda _: places.release())
                await asyncio.sleep(self.every)

    async def _live(self, life: Life) -> None:
        """One life's trouble is its own: the others go on."""
        try:
            await life.live()
        except Refused as no:
            self.trouble(life.fate.code, str(no))

    async def _ask(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(max(self.every, _ASKS_EVERY))
            if not self.cast.codes:
                continue
            code = self.cast.codes[number % len(self.cast.codes)]
            try:
                shown = await self.cast.kiosk.ask(code, "345678")
            except AWAY:
                continue
            is_answered = shown.status in {200, 404}
            self.cast.tally.bring(
                "question", f"{number} {code}", taken=partial(bool, is_answered), seen=partial(int, is_answered)
            )
