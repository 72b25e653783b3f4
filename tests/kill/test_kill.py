"""The bus, killed at every named write point, at any moment and again and again, keeps what it acknowledged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from gateway.checkpoints import CHECKPOINTS
from tests.kill.life import Stage
from tests.kill.nursery import Nursery
from tests.kill.province import Template
from tests.kill.rounds import SELDOM, SIDE_BY_SIDE, Ahead, broken, dies_once_at, kill_at, play


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Template]:
    """Provinces, applied once for all rounds; each life of theirs reads the program anew."""
    folders = [tmp_path_factory.mktemp("kill") / "template" for _ in range(SIDE_BY_SIDE)]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(Template.made, folders))


@pytest.fixture(scope="module")
def quick_templates(templates: Sequence[Template]) -> Iterator[Sequence[Template]]:
    """The same; their lives begin where the program is read already."""
    nursery = Nursery()
    yield [replace(each, nursery=nursery) for each in templates]
    nursery.close()


@pytest.fixture(scope="module")
def rounds_at_points(
    request: pytest.FixtureRequest, quick_templates: Sequence[Template], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ahead]:
    """The rounds of every point that a test of this run asks for."""
    of_us = (item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path)
    points = [str(item.callspec.params["point"]) for item in of_us if item.originalname == AT_A_POINT]
    rounds = int(request.config.getoption("--rounds") or 2)
    arranged = {point: {f"{point} {number}": dies_once_at(point) for number in range(rounds)} for point in points}
    ahead = Ahead(quick_templates, tmp_path_factory.mktemp("points"), arranged)
    yield ahead
    ahead.close()


@pytest.fixture
def free_templates(templates: Sequence[Template], rounds_at_points: Ahead) -> Sequence[Template]:
    """The templates once no round at a point is played with them."""
    rounds_at_points.wait()
    return templates


@pytest.fixture
def free_quick_templates(quick_templates: Sequence[Template], rounds_at_points: Ahead) -> Sequence[Template]:
    """The quick ones, likewise."""
    rounds_at_points.wait()
    return quick_templates


def test_points_that_are_passed_seldom_are_points() -> None:
    assert SELDOM.keys() <= CHECKPOINTS.keys()


@pytest.mark.parametrize("point", CHECKPOINTS)
async def test_a_bus_killed_at_this_point_keeps_its_word(point: str, rounds_at_points: Ahead) -> None:
    found = await rounds_at_points.found(point)
    assert not found, found


AT_A_POINT: Final = test_a_bus_killed_at_this_point_keeps_its_word.__name__


async def test_a_bus_killed_at_any_moment_keeps_its_word(
    rounds: int, free_templates: Sequence[Template], tmp_path: Path
) -> None:
    async def at_any_moment(stage: Stage, chance: random.Random) -> None:
        await stage.begin()
        await asyncio.sleep(chance.uniform(0.5, 2.5))
        stage.province.kill()
        await stage.dies()
        await stage.begin()

    arranged = {f"any moment {number}": at_any_moment for number in range(rounds)}
    found = broken(await play(free_templates, tmp_path, arranged))
    assert not found, found


async def test_a_bus_killed_again_and_again_keeps_its_word(
    rounds: int, free_quick_templates: Sequence[Template], tmp_path: Path
) -> None:
    async def again_and_again(stage: Stage, chance: random.Random) -> None:
        for point in chance.sample([name for name in CHECKPOINTS if name not in SELDOM], 4):
            await stage.begin(kill_at(point, chance))
            await stage.dies()
        await stage.begin()

    arranged = {f"again and again {number}": again_and_again for number in range(rounds)}
    found = broken(await play(free_quick_templates, tmp_path, arranged))
    assert not found, found
