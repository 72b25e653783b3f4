"""A life that a nursery began is a process of its own, which runs the program and ends as any other does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kill.nursery import Nursery


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


async def test_it_runs_the_program_with_its_own_words_log_and_environment(nursery: Nursery, tmp_path: Path) -> None:
    one = await nursery.begin(["serve", "--help"], tmp_path / "one.log", {})
    assert await one.wait() == 0
    assert "lgsp -C tinh serve --workers 2" in (tmp_path / "one.log").read_text("utf-8")
    armed = {"LGSP_KILL_AT": "no-such-point:1"}
    two = await nursery.begin(["-C", str(tmp_path), "serve"], tmp_path / "two.log", armed)
    three = await nursery.begin(["serve", "--help"], tmp_path / "three.log", {})
    assert await two.wait() != 0
    assert await three.wait() == 0
    assert len({one.pid, two.pid, three.pid, os.getpid()}) == 4


async def test_it_is_killed_and_what_is_dead_is_killed_no_more(nursery: Nursery, tmp_path: Path) -> None:
    life = await nursery.begin(["-C", str(tmp_path), "mock", "dvcqg"], tmp_path / "log", {})
    life.kill()
    assert await life.wait() == -signal.SIGKILL
    life.kill()
    assert life.returncode == -signal.SIGKILL


async def test_lives_end_with_their_nursery(tmp_path: Path) -> None:
    nursery = Nursery()
    life = await nursery.begin(["-C", str(tmp_path), "bench", "--help"], tmp_path / "log", {})
    nursery.close()
    assert life.returncode in {0, -signal.SIGKILL}
