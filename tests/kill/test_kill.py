"""The bus, killed at every named write point, at any moment and again and again, keeps what it acknowledged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.checkpoints import CHECKPOINTS
from tests.kill.life import Stage
from tests.kill.nursery import Nursery
from tests.kill.province import Template
from tests.kill.rounds import SELDOM, SIDE_BY_SIDE, broken, dies_once_at, kill_at, play


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Template]:
    """Provinces, applied once for all rounds; each life of theirs reads the program anew."""
    folders = [tmp_path_factory.mktemp("kill") / "template" for _ in range(SIDE_BY_SIDE)]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Template.made, folders))


@pytest.fixture(scope="session")
def quick_templates(templates: Sequence[Template]) -> Iterator[Sequence[Template]]:
    """The same; their lives begin where the program is read already."""
    nursery = Nursery()
    yield [replace(each, nursery=nursery) for each in templates]
    nursery.close()


def test_points_that_are_passed_seldom_are_points() -> None:
    assert SELDOM.keys() <= CHECKPOINTS.keys()


@pytest.mark.parametrize("point", CHECKPOINTS)
async def test_a_bus_killed_at_this_point_keeps_its_word(
    point: str, rounds: int, quick_templates: Sequence[Template], tmp_path: Path
) -> None:
    arranged = {f"{point} {number}": dies_once_at(point) for number in range(rounds)}
    found = broken(await play(quick_templates, tmp_path, arranged))
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

    arranged = {f"any moment {number}": at_any_moment for number in range(rounds)}
    found = broken(await play(templates, tmp_path, arranged))
    assert not found, found


async def test_a_bus_killed_again_and_again_keeps_its_word(
    rounds: int, quick_templates: Sequence[Template], tmp_path: Path
) -> None:
    async def again_and_again(stage: Stage, chance: random.Random) -> None:
        for point in chance.sample([name for name in CHECKPOINTS if name not in SELDOM], 4):
            await stage.begin(kill_at(point, chance))
            await stage.dies()
        await stage.begin()

    arranged = {f"again and again {number}": again_and_again for number in range(rounds)}
    found = broken(await play(quick_templates, tmp_path, arranged))
    assert not found, found
