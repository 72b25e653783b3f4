"""Several processes at one port over the embedded ledger: they share the work, and come and go without a loss."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.fleet import is_alive, logged, until, workers_of
from tests.kill.life import Stage, round_of
from tests.kill.province import Province, Template
from tests.kill.seen import Started


@dataclass(frozen=True, slots=True)
class Crew:
    """A province to be served by two workers."""

    template: Template

    def copied(self, folder: Path) -> Province:
        province = self.template.copied(folder)
        settings = (folder / "lgsp.toml").read_text("utf-8")
        (folder / "lgsp.toml").write_text(settings.replace("[gateway]", "[gateway]\nworkers = 2", 1), "utf-8")
        return province


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Crew:
    return Crew(Template.made(tmp_path_factory.mktemp("crew") / "template"))


async def begun(stage: Stage) -> list[int]:
    """Both workers are at work; answers their processes."""
    await stage.begin()
    await until(lambda: len(logged(stage.province, "gateway.started")) == 2)
    return list(workers_of(stage.province.pid))


async def test_workers_are_renewed_one_by_one_under_load_and_no_message_is_turned_away(
    crew: Crew, tmp_path: Path
) -> None:
    async def renewed(stage: Stage, _: random.Random) -> None:
        before = await begun(stage)
        os.kill(stage.province.pid, signal.SIGHUP)
        await until(lambda: bool(logged(stage.province, "workers.renewed")))
        after = workers_of(stage.province.pid)
        assert len(after) == 2
        assert not set(before) & set(after)

    played = await round_of(crew, tmp_path / "province", "renewed", renewed)

    assert not played.broken, str(played)
    assert played.unanswered == ()


async def test_a_worker_that_is_killed_is_replaced_while_the_other_goes_on(crew: Crew, tmp_path: Path) -> None:
    async def one_dies(stage: Stage, chance: random.Random) -> None:
        killed, spared = chance.sample(await begun(stage), 2)
        await asyncio.sleep(chance.uniform(0.3, 1.0))
        os.kill(killed, signal.SIGKILL)
        await asyncio.sleep(0.1)  # what it wrote into sockets is still to be read
        stage.history.add(Started())
        await until(lambda: len(logged(stage.province, "gateway.started")) == 3)
        assert logged(stage.province, "worker.died")[0]["worker"] in {1, 2}
        assert not is_alive(killed)
        assert spared in workers_of(stage.province.pid)

    played = await round_of(crew, tmp_path / "province", "one dies", one_dies)

    assert not played.broken, str(played)
    assert not [each for each in played.unanswered if re.search("refused|ConnectorError", each)]
