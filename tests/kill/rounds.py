"""Rounds side by side: how often a write point is passed before it kills, and what broke in any of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Final

from tests.kill.life import Copied, Deaths, Round, Stage, round_of

#: Rounds side by side, each with ports of its own.
SIDE_BY_SIDE: Final = 3
#: How often a point may be passed before it kills, at most; those of the sweep are reached once a second only.
SELDOM: Final = {
    "collect.files-kept": 4,
    "collect.accepted": 4,
    "report.told": 2,
    "sweep.expiring": 1,
    "store.lapse-asked": 3,
    "store.lapse-written": 3,
    "store.lapse-committed": 3,
    "store.told-asked": 2,
    "store.told-written": 2,
    "store.told-committed": 2,
}
OFTEN: Final = 12


def kill_at(point: str, chance: random.Random) -> str:
    """``NAME:COUNT``: the count is the seed's choice, so each round dies at another moment."""
    return f"{point}:{chance.randint(1, SELDOM.get(point, OFTEN))}"


async def play(templates: Sequence[Copied], folder: Path, arranged: Mapping[str, Deaths]) -> list[Round]:
    """Play a round for each seed with the deaths arranged for it, as many side by side as there are templates."""
    return await _played(_free(templates), folder, arranged)


def _free(templates: Sequence[Copied]) -> asyncio.Queue[Copied]:
    free: asyncio.Queue[Copied] = asyncio.Queue()
    for template in templates:
        free.put_nowait(template)
    return free


async def _played(free: asyncio.Queue[Copied], folder: Path, arranged: Mapping[str, Deaths]) -> list[Round]:
    async def one(number: int, seed: str, deaths: Deaths) -> Round:
        template = await free.get()
        try:
            return await round_of(template, folder / str(number), seed, deaths)
        finally:
            free.put_nowait(template)

    return await asyncio.gather(*(one(number, *each) for number, each in enumerate(arranged.items())))


class Ahead:
    """Rounds of many tests, played in their order by a thread: while one is waited for the next are under way.

    No more side by side than there are templates, as ever; but none of those stands idle between two tests.
    """

    def __init__(self, templates: Sequence[Copied], folder: Path, arranged: Mapping[str, Mapping[str, Deaths]]) -> None:
        """``arranged``: test -> its rounds, as ``play`` takes them."""
        self._found: dict[str, Future[str]] = {name: Future() for name in arranged}
        self._loop = asyncio.new_event_loop()
        self._all = self._loop.create_task(self._play(_free(templates), folder, arranged))
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)
        self._thread.start()

    async def found(self, name: str) -> str:
        """What went wrong in the rounds of a test, for people; empty where nothing did."""
        return await asyncio.shield(asyncio.wrap_future(self._found[name]))

    def wait(self) -> None:
        """Wait for all rounds: the templates are free after it."""
        wait(self._found.values())

    def close(self) -> None:
        """Play no more; what is under way is ended."""
        with contextlib.suppress(RuntimeError):  # it ended by itself
            self._loop.call_soon_threadsafe(self._all.cancel)
        self._thread.join(60)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._all)
        self._loop.close()

    async def _play(
        self, free: asyncio.Queue[Copied], folder: Path, arranged: Mapping[str, Mapping[str, Deaths]]
    ) -> None:
        async def one(name: str, number: int) -> None:
            try:
                self._found[name].set_result(broken(await _played(free, folder / str(number), arranged[name])))
            except BaseException as error:
                self._found[name].set_exception(error)
                raise

        await asyncio.gather(*(one(name, number) for number, name in enumerate(arranged)), return_exceptions=True)


def broken(played: Sequence[Round]) -> str:
    """What went wrong, for people: seeds, promises, last words; empty where nothing did."""
    return "\n".join(str(each) for each in played if each.broken)


def dies_once_at(point: str) -> Deaths:
    """One life that ends at ``point``, and one that goes on from there."""

    async def once(stage: Stage, chance: random.Random) -> None:
        await stage.begin(kill_at(point, chance))
        await stage.dies()
        await stage.begin()

    return once
