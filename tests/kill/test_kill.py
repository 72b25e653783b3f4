"""The bus, killed at every named write point, at any moment and again and again, keeps what it acknowledged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from gateway.checkpoints import CHECKPOINTS
from tests.kill.life import Deaths, Round, Stage, round_of
from tests.kill.province import Template

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


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Template]:
    """Provinces, applied once for all rounds."""
    folders = [tmp_path_factory.mktemp("kill") / "template" for _ in range(SIDE_BY_SIDE)]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Template.made, folders))


def kill_at(point: str, chance: random.Random) -> str:
    """``NAME:COUNT``: the count is the seed's choice, so each round dies at another moment."""
    return f"{point}:{chance.randint(1, SELDOM.get(point, OFTEN))}"


async def play(templates: Sequence[Template], folder: Path, seeds: Sequence[str], deaths: Deaths) -> list[Round]:
    """Play a round for each seed, as many side by side as there are templates."""
    free: asyncio.Queue[Template] = asyncio.Queue()
    for template in templates:
        free.put_nowait(template)

    async def one(number: int, seed: str) -> Round:
        template = await free.get()
        try:
            return await round_of(template, folder / str(number), seed, deaths)
        finally:
            free.put_nowait(template)

    return await asyncio.gather(*(one(number, seed) for number, seed in enumerate(seeds)))


def broken(played: Sequence[Round]) -> str:
    """What went wrong, for people: seeds, promises, last words; empty where nothing did."""
    return "\n".join(str(each) for each in played if each.broken)


def test_points_that_are_passed_seldom_are_points() -> None:
    assert SELDOM.keys() <= CHECKPOINTS.keys()


@pytest.mark.parametrize("point", CHECKPOINTS)
async def test_a_bus_killed_at_this_point_keeps_its_word(
    point: str, rounds: int, templates: Sequence[Template], tmp_path: Path
) -> None:
    async def once(stage: Stage, chance: random.Random) -> None:
        await stage.begin(kill_at(point, chance))
        await stage.dies()
        await stage.begin()

    seeds = [f"{point} {number}" for number in range(rounds)]
    found = broken(await play(templates, tmp_path, seeds, once))
    assert not found, found


async def test_a_bus_killed_at_any_moment_keeps_its_word(
    rounds: int, templates: Sequence[Template], tmp_path: Path
) -> None:
    async def at_any_moment(stage: Stage, chance: random.Random) -> None:
        await stage.begin()
        await asyncio.sleep(chance.uniform(0.5, 2.5))
        stage.province.kill()
        await stage.dies()
        await stage.begin()

    seeds = [f"any moment {number}" for number in range(rounds)]
    found = broken(await play(templates, tmp_path, seeds, at_any_moment))
    assert not found, found


async def test_a_bus_killed_again_and_again_keeps_its_word(
    rounds: int, templates: Sequence[Template], tmp_path: Path
) -> None:
    async def again_and_again(stage: Stage, chance: random.Random) -> None:
        for point in chance.sample([name for name in CHECKPOINTS if name not in SELDOM], 4):
            await stage.begin(kill_at(point, chance))
            await stage.dies()
        await stage.begin()

    seeds = [f"again and again {number}" for number in range(rounds)]
    found = broken(await play(templates, tmp_path, seeds, again_and_again))
    assert not found, found
