"""Processes that share a port: whoever is asked answers for all, and one that does not answer is left out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.api import siblings as between
from gateway.api.siblings import Siblings
from gateway.telemetry import MESSAGES


class Readiness:
    """What each says of itself."""

    def __init__(self) -> None:
        self.ready = {1: True, 2: True, 3: True}


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
async def family(tmp_path: Path, readiness: Readiness) -> AsyncIterator[list[Siblings]]:
    """Three that meet in one folder."""

    def one(number: int) -> Siblings:
        async def is_ready() -> bool:
            return readiness.ready[number]

        return Siblings(number, is_ready, tmp_path)

    all_ = [one(number) for number in (1, 2, 3)]
    for each in all_:
        await each.open()
    yield all_
    for each in all_:
        await each.close()


async def test_each_tells_the_figures_of_all_by_worker_each_family_once(family: list[Siblings]) -> None:
    MESSAGES.labels("accepted").inc()
    for each in family:
        lines = (await each.figures()).decode().splitlines()
        of = [line for line in lines if line.startswith('lgsp_messages_total{outcome="accepted"')]
        assert sorted(line.partition("worker=")[2][:3] for line in of) == ['"1"', '"2"', '"3"']
        assert lines.count("# TYPE lgsp_messages_total counter") == 1
        behind = lines[lines.index("# TYPE lgsp_messages_total counter") + 1 :]
        together = itertools.takewhile(lambda line: not line.startswith("#"), behind)
        assert set(of) <= set(together), "a family's series stand together"


async def test_one_alone_tells_its_own_without_a_worker() -> None:
    async def ready() -> bool:
        return True

    alone = Siblings(1, ready)
    await alone.open()
    assert b"worker=" not in await alone.figures()
    assert not await alone.is_any_ready()
    await alone.close()


async def test_one_of_them_is_enough_to_be_ready(family: list[Siblings], readiness: Readiness) -> None:
    assert await family[0].is_any_ready()
    readiness.ready |= {2: False}
    assert await family[0].is_any_ready()
    readiness.ready |= {3: False}
    assert not await family[0].is_any_ready()


async def test_one_that_is_silent_or_gone_is_left_out(
    family: list[Siblings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(between, "_PATIENCE", 0.1)
    await family[1].close()
    released = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    async with await asyncio.start_unix_server(silent, tmp_path / "4"):
        told = await family[0].figures()
        released.set()

    assert b'worker="3"' in told
    assert b'worker="2"' not in told


async def test_what_is_not_a_question_earns_no_answer(family: list[Siblings], tmp_path: Path) -> None:
    for words in (b"secrets\n", b"x" * 200_000 + b"\n"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "1")
        writer.write(words)
        assert await reader.read() == b""
        writer.close()
    assert b'worker="1"' in await family[0].figures()
