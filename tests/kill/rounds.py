"""Rounds side by side: how often a write point is passed before it kills, and what broke in any of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
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
    free: asyncio.Queue[Copied] = asyncio.Queue()
    for template in templates:
        free.put_nowait(template)

    async def one(number: int, seed: str, deaths: Deaths) -> Round:
        template = await free.get()
        try:
            return await round_of(template, folder / str(number), seed, deaths)
        finally:
            free.put_nowait(template)

    return await asyncio.gather(*(one(number, *each) for number, each in enumerate(arranged.items())))


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
